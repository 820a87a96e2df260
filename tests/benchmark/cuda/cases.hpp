// cases.hpp: what is measured on a GPU: programs of the frontend, each with its inputs, how much work
// it is, and what some elements of its results must be.
//
// A case is known by suite, name, shape and dtype; peers.py knows its peers under the same words.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/cuda/tensor_contraction.hpp"
#include "ir/support/status.hpp"
#include "tests/benchmark/cuda/noise.hpp"

namespace hyperion::benchmark {

using GpuProgram = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

class Gpu;

// Work that is put on a GPU again and again.
class GpuRun {
 public:
  virtual ~GpuRun() = default;
  virtual StatusOr<> start() = 0;  // returns before the work is done
  // Waits for all work of this run that is not ordered by the Gpu's stream.
  virtual StatusOr<> finish() { return {}; }
};

// How one sample is taken.
enum class Clock : std::uint8_t {
  device,  // between events around one call, after the second-level cache was overwritten
  wall,    // calls back to back, from the first until the GPU is done with the last, by count
  once,    // the case takes its own time, of something that happens once
};
std::string_view clock_name(Clock clock);

struct Expected {
  double value = 0;
  double tolerance = 0;
};
// Element `index` (row-major) of result `output`; nothing where checking it would cost too much.
using Reference = std::function<std::optional<Expected>(int output, std::int64_t index)>;

// How a program is compiled, where that is not as always.
struct Compilation {
  bool fast = false;                                  // by the policy that allows tf32
  std::optional<codegen::TensorSchedule> schedule;    // of its one product on tensor cores
  bool joins_launches = true;                         // independent ones become one
  std::function<void(std::string& source)> edit;      // changes the CUDA source before it is compiled
};

struct Case {
  std::string suite;
  std::string name;
  std::string shape;
  std::string dtype;
  std::string unit;  // "TB/s", "TFLOP/s": of `work`; "us", "ms": of time
  double work = 0;   // bytes or FLOP of one call
  Clock clock = Clock::device;
  std::vector<Input> inputs;
  GpuProgram program;
  Compilation how;
  Reference reference;
  bool has_peers = true;    // peers.py knows the same
  bool keeps_moving = false;  // results never lie where those of the last calls did, so no graph of the plan serves again
  // Instead of a program: any other work; for Clock::once, something that takes its own time in seconds.
  std::function<StatusOr<std::unique_ptr<GpuRun>>(Gpu&)> make;
  std::function<StatusOr<double>(Gpu&)> sample;

  std::string key() const;  // the four words, tabs between
  double figure(double seconds) const;
};

// Element `index` of input `number` of a case.
using HostElement = std::function<double(int number, std::int64_t index)>;
HostElement host_elements(std::vector<Input> inputs);

// How far a result in this dtype may be from the true value, relative to what was added up. Peers
// round intermediate values or not; a wrong kernel is off by far more.
double rounding(DType dtype);

// Extents of tensors: as they are measured, or divided, so that a test computes the same cases quickly.
struct Scale {
  std::int64_t divisor = 1;
  std::int64_t operator()(std::int64_t extent) const;
};

std::vector<Case> machine_cases(Scale scale);  // what the GPU's copy reaches: the yardstick of everything below
std::vector<Case> memory_cases(Scale scale);   // what memory bounds: maps, rows, columns, transposition
std::vector<Case> row_cases(Scale scale);      // normalisations with their gradients
std::vector<Case> gemm_cases(Scale scale);     // products in all layouts
std::vector<Case> convolution_cases(Scale scale);
std::vector<Case> training_cases(Scale scale);  // cross entropy, AdamW, embeddings
std::vector<Case> latency_cases(Scale scale);   // compiling and launching, a small training step
std::vector<Case> lesson_cases(Scale scale);    // what the chapters on the GPU measure, without peers
std::vector<Case> all_cases(Scale scale = {});

}  // namespace hyperion::benchmark

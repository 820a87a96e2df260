// suites.hpp: what `./run bench` measures, a suite in each source, and what suites share.
//
// Ours are functions of the frontend, compiled by `jit`: what is timed is what a user gets, calls
// included. Every suite adds rows to the same report.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "frontend/hyperion.hpp"
#include "runtime/cpu/thread_pool.hpp"
#include "tests/benchmark/peers/bench.hpp"
#include "tests/benchmark/peers/machine.hpp"
#include "tests/benchmark/peers/peers.hpp"

namespace hyperion::benchmark {

struct Session {
  Report& report;
  const Peers& peers;
  PyTorch* pytorch;  // null when absent
  runtime::ThreadPool& pool;
  int threads;
  bool quick;  // leaves out what takes long
};

void matmul_rows(Session& s);       // products beside OpenBLAS and oneDNN
void bandwidth_rows(Session& s);    // what memory bounds, beside a STREAM copy of the same race
void convolution_rows(Session& s);  // with and without bias and relu
void maths_rows(Session& s);        // exp, log, tanh, erf: speed and largest error
void training_rows(Session& s);     // steps of the two MNIST models beside PyTorch
void latency_rows(Session& s);      // recording and compiling

// Evaluated numbers between -1 and 1; and as an array for peers.
Tensor noise(Shape shape, std::uint64_t seed);
std::vector<float> host(const Tensor& x);

// One training step of a classifier at batch 128, as training_step_peer.py takes it: `model` is
// "mlp" or "cnn", the images are one fixed batch. Construction makes the parameters; it records and
// compiles nothing of the step.
class TrainingStep {
 public:
  explicit TrainingStep(const std::string& model);
  ~TrainingStep();
  float run();     // returns the loss
  void advance();  // the same without reading the loss, so that a GPU is not waited for

 private:
  struct Model;
  std::unique_ptr<Model> model_;
};

// What a child process of the latency suite does: prints how many milliseconds passed between the
// first op of the first training step of `model` and its loss.
int run_first_step(const std::string& model, const std::string& cache_folder);
// That number, from a child process; 0 when it failed.
double first_step_ms(const std::string& model, const std::string& cache_folder);
// The option that makes this executable such a child: --first-step MODEL FOLDER.
inline constexpr const char* kFirstStep = "--first-step";

}  // namespace hyperion::benchmark

// gpu.hpp: one GPU, its clock, and programs that are loaded on it.
//
// A sample of Clock::device is the time between two events around one run of a plan, as the GPU sees it. Before each, 256
// MiB are written, so that no input is left in the second-level cache, and the host is ahead: what a launch costs there is
// not in it. The time of many runs back to back on the host's clock is that of Clock::wall.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codegen/driver/run.hpp"
#include "runtime/cuda/stream.hpp"
#include "runtime/executor.hpp"
#include "tests/benchmark/cuda/cases.hpp"

namespace hyperion::benchmark {

// A program as code for a GPU; none is needed for that.
StatusOr<runtime::Module> compile_for(const codegen::CudaTarget& target, const GpuProgram& program,
                                      const std::vector<Input>& inputs, const Compilation& how = {});

class Gpu {
 public:
  static StatusOr<std::unique_ptr<Gpu>> open(const std::string& device);
  static StatusOr<std::unique_ptr<Gpu>> create(codegen::RunSite site);

  const runtime::Device& device() const { return site_.device; }
  const codegen::CudaTarget& target() const { return target_; }
  std::string description() const { return site_.device.description(); }

  // Inputs with their noise.
  StatusOr<std::vector<runtime::BufferView>> make(const std::vector<Input>& inputs);
  StatusOr<std::unique_ptr<runtime::Executor>> load(runtime::Module module) const;
  // One element of a dense array.
  StatusOr<double> element(const runtime::BufferView& array, std::int64_t index) const;
  // Copies `bytes` from one place to another, for the bandwidth that is reachable.
  StatusOr<std::unique_ptr<GpuRun>> copying(std::size_t bytes);

  StatusOr<std::vector<double>> device_seconds(GpuRun& run, int count);
  StatusOr<double> wall_seconds(GpuRun& run, int count);
  StatusOr<> wait() { return stream_.synchronize(); }
  // Gives cached memory back: peers need it.
  void trim() { site_.device.allocator().trim(); }

 private:
  Gpu(codegen::RunSite site, codegen::CudaTarget target, runtime::cuda::Stream& stream)
      : site_(std::move(site)), target_(std::move(target)), stream_(stream) {}
  struct Filler;
  StatusOr<Filler*> filler(const Input& input);

  codegen::RunSite site_;
  codegen::CudaTarget target_;
  runtime::cuda::Stream& stream_;  // of the device
  runtime::Buffer flushed_;        // written before each sample
  std::vector<std::shared_ptr<Filler>> fillers_;
};

// A case on a GPU: compiled, loaded, with inputs, run a few times so that everything that is done once is done.
class LoadedCase final : public GpuRun {
 public:
  static StatusOr<std::unique_ptr<LoadedCase>> create(Gpu& gpu, const Case& c);
  StatusOr<> start() override;
  // Compares some elements of the results with the reference.
  StatusOr<> check(const Case& c);

 private:
  LoadedCase(Gpu& gpu, std::unique_ptr<runtime::Executor> executor, std::vector<runtime::BufferView> arguments,
             bool keeps_moving)
      : gpu_(gpu),
        executor_(std::move(executor)),
        arguments_(std::move(arguments)),
        earlier_(keeps_moving ? kEarlierCalls : 0) {}

  static constexpr std::size_t kEarlierCalls = 64;  // many more than a queue keeps graphs

  Gpu& gpu_;
  std::unique_ptr<runtime::Executor> executor_;
  std::vector<runtime::BufferView> arguments_, outputs_;
  std::vector<std::vector<runtime::BufferView>> earlier_;  // results that hold their places, if any should
  std::size_t next_ = 0;
};

}  // namespace hyperion::benchmark

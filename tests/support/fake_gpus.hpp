// fake_gpus.hpp: an instance of the frontend whose GPUs are host memory (fake_cuda.hpp).
//
// Nothing generates code for them, so programs run on the interpreter, which fetches its arguments
// from the device and sends its results back: all that lies above code generation is as on a GPU.
#pragma once

#include <memory>
#include <utility>

#include "frontend/engine.hpp"
#include "runtime/cuda/device.hpp"
#include "tests/support/fake_cuda.hpp"

namespace hyperion::testing_support {

struct FakeGpus {
  std::shared_ptr<FakeDriver> driver;
  std::shared_ptr<runtime::Instance> instance;  // with cuda:0, cuda:1, ...
};

inline FakeGpus make_fake_gpus(int count, std::uint64_t memory_bytes = std::uint64_t{1} << 30) {
  FakeGpus gpus{std::make_shared<FakeDriver>(), runtime::Instance::create({.threads = 1})};
  gpus.driver->device_count = count;
  gpus.driver->memory_bytes = memory_bytes;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    gpus.instance->add_device(
        *runtime::cuda::make_device(*runtime::cuda::Context::create(gpus.driver, ordinal)));
  }
  return gpus;
}

// The frontend has them until the end of the scope.
class ScopedFakeGpus {
 public:
  explicit ScopedFakeGpus(int count = 1) : gpus_(make_fake_gpus(count)) {
    frontend::set_instance(gpus_.instance);
  }
  ~ScopedFakeGpus() { frontend::set_instance(previous_); }
  ScopedFakeGpus(const ScopedFakeGpus&) = delete;
  ScopedFakeGpus& operator=(const ScopedFakeGpus&) = delete;

  FakeDriver& driver() const { return *gpus_.driver; }
  std::size_t downloads() const { return gpus_.driver->count("cuMemcpyDtoHAsync"); }
  std::size_t uploads() const { return gpus_.driver->count("cuMemcpyHtoDAsync"); }

 private:
  const std::shared_ptr<runtime::Instance> previous_ = frontend::instance();
  const frontend::ScopedEngine engine_{
      {.kind = frontend::EngineKind::interpreter, .use_disk_cache = false}};
  FakeGpus gpus_;
};

}  // namespace hyperion::testing_support

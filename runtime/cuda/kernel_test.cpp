#include "runtime/cuda/kernel.hpp"

#include <gtest/gtest.h>

#include "runtime/cuda/graph.hpp"
#include "runtime/cuda/pool.hpp"
#include "runtime/cuda/problem.hpp"
#include "runtime/cuda/staging.hpp"
#include "tests/support/fake_cuda.hpp"

namespace hyperion::runtime::cuda {
namespace {

using testing_support::FakeDriver;

constexpr std::string_view kCode("FAKE scale fault \0", 18);

template <class T>
T read(void** parameters, int index) {
  T value;
  std::memcpy(&value, parameters[index], sizeof value);
  return value;
}

// scale(const float* x, float* y, float factor, int count)
void scale(const CUlaunchConfig&, void** parameters) {
  const auto* x = reinterpret_cast<const float*>(read<CUdeviceptr>(parameters, 0));
  auto* y = reinterpret_cast<float*>(read<CUdeviceptr>(parameters, 1));
  const auto factor = read<float>(parameters, 2);
  for (int i = 0; i < read<int>(parameters, 3); ++i) y[i] = factor * x[i];
}

std::shared_ptr<FakeDriver> make_driver() {
  auto driver = std::make_shared<FakeDriver>();
  driver->kernels["scale"] = {{8, 8, 4, 4}, scale};
  driver->kernels["fault"] = {{}, [](const CUlaunchConfig&, void**) {}};
  driver->faulty_kernel = "fault";
  return driver;
}

class CudaKernel : public testing::Test {
 protected:
  void SetUp() override {
    driver_ = make_driver();
    context_ = *Context::create(driver_, 0);
    stream_ = *Stream::create(context_);
    code_ = *KernelLibrary::load(context_, std::as_bytes(std::span(kCode)));
    memory_ = *Arena::create(context_, {.name = "test"});
    ASSERT_TRUE(memory_->ensure(1 << 20));
    floats_ = reinterpret_cast<float*>(memory_->base());
  }
  void TearDown() override {
    memory_.reset();
    code_.reset();
    stream_.reset();
    context_.reset();
    EXPECT_EQ(driver_->leaks(), "");
  }
  CUdeviceptr address(int index) const { return reinterpret_cast<CUdeviceptr>(floats_ + index); }
  Arguments scale_by(float factor) const { return Arguments(address(0), address(4), factor, 4); }

  std::shared_ptr<FakeDriver> driver_;
  std::shared_ptr<Context> context_;
  std::unique_ptr<Stream> stream_;
  std::shared_ptr<KernelLibrary> code_;
  std::unique_ptr<Arena> memory_;
  float* floats_ = nullptr;
};

constexpr LaunchShape kShape = {.grid = {1}, .block = {32}};

TEST_F(CudaKernel, ALaunchPassesArgumentsByValue) {
  const auto kernel = *code_->kernel("scale");
  for (int i = 0; i < 4; ++i) floats_[i] = static_cast<float>(i + 1);
  ASSERT_TRUE(launch(*stream_, *kernel, kShape, scale_by(2)));
  ASSERT_TRUE(stream_->synchronize());
  EXPECT_EQ(std::vector(floats_ + 4, floats_ + 8), (std::vector<float>{2, 4, 6, 8}));
  EXPECT_EQ(kernel->attributes().registers, 16);
}

TEST_F(CudaKernel, AMissingKernelIsNamed) {
  const auto kernel = code_->kernel("gelu", "gelu at train.cpp:3");
  ASSERT_FALSE(kernel);
  EXPECT_TRUE(is_problem(kernel.error(), Problem::no_kernel));
  EXPECT_NE(kernel.error().text().find("no kernel 'gelu'"), std::string::npos);
}

TEST_F(CudaKernel, CodeForAnotherMachineIsRefused) {
  const auto code =
      KernelLibrary::load(context_, std::as_bytes(std::span(std::string_view("ELF"))));
  ASSERT_FALSE(code);
  EXPECT_TRUE(is_problem(code.error(), Problem::bad_code)) << code.error().text();
}

TEST_F(CudaKernel, ARefusedLaunchHasAllFigures) {
  const auto kernel = *code_->kernel("scale", "mul at train.cpp:41:12");
  const auto launched =
      launch(*stream_, *kernel, {.grid = {7}, .block = {2048}, .shared_bytes = 64}, scale_by(1));
  ASSERT_FALSE(launched);
  EXPECT_TRUE(is_problem(launched.error(), Problem::launch));
  EXPECT_EQ(launched.error().where, "kernel 'scale' (mul at train.cpp:41:12)");
  EXPECT_NE(launched.error().message.find("grid (7, 1, 1), block (2048, 1, 1)"), std::string::npos);
  const auto shared =
      launch(*stream_, *kernel, {.block = {32}, .shared_bytes = 300'000}, scale_by(1));
  ASSERT_FALSE(shared);
  EXPECT_TRUE(is_problem(shared.error(), Problem::launch));
  EXPECT_NE(shared.error().message.find("300000 bytes"), std::string::npos);
  EXPECT_TRUE(launch(*stream_, *kernel, kShape, scale_by(1)));  // the device is fine
}

TEST_F(CudaKernel, MoreSharedMemoryIsAllowedOnce) {
  const auto kernel = *code_->kernel("scale");
  for (const unsigned bytes : {48u << 10, 100u << 10, 100u << 10, 90u << 10}) {
    ASSERT_TRUE(launch(*stream_, *kernel, {.shared_bytes = bytes}, scale_by(1)));
  }
  EXPECT_EQ(driver_->count("cuFuncSetAttribute"), 1u);
}

TEST_F(CudaKernel, AFaultNamesTheKernelAndStaysOnItsDevice) {
  driver_->device_count = 2;
  const auto kernel = *code_->kernel("fault", "gather at train.cpp:7:3");
  ASSERT_TRUE(launch(*stream_, *kernel, kShape, Arguments()));
  const auto waited = stream_->synchronize();
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().text(),
            "unavailable: kernel 'fault' (gather at train.cpp:7:3): cuStreamSynchronize: "
            "CUDA_ERROR_ILLEGAL_ADDRESS (700): the driver's words [cuda.kernel_fault]; this device "
            "cannot be used again in this process; other devices can. Start again to use it");
  const auto later = launch(*stream_, *kernel, kShape, Arguments());
  ASSERT_FALSE(later);
  EXPECT_TRUE(is_problem(later.error(), Problem::device_lost));
  EXPECT_NE(later.error().message.find("kernel 'fault' (gather at train.cpp:7:3)"),
            std::string::npos);
  const auto other = Context::create(driver_, 1);
  ASSERT_TRUE(other);
  EXPECT_TRUE((*other)->enter());
}

TEST_F(CudaKernel, SuspectsAreThoseSinceTheLastWait) {
  const auto scale = *code_->kernel("scale");
  const auto fault = *code_->kernel("fault");
  ASSERT_TRUE(launch(*stream_, *scale, kShape, scale_by(1)));
  ASSERT_TRUE(stream_->synchronize());
  EXPECT_EQ(stream_->suspects(), "");
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(launch(*stream_, *scale, kShape, scale_by(1)));
  ASSERT_TRUE(launch(*stream_, *fault, kShape, Arguments()));
  EXPECT_EQ(stream_->synchronize().error().where,
            "one of 11 kernels, the last: 'scale', 'scale', 'scale', 'scale', 'scale', 'scale', "
            "'scale', 'fault'");
}

// ---- Graphs ----

CommandList three_commands(const CudaKernel&, std::shared_ptr<Kernel> kernel, Arguments arguments,
                           CUdeviceptr to, CUdeviceptr from) {
  CommandList commands;
  commands.fill(to, 0, 16);
  commands.launch(std::move(kernel), kShape, std::move(arguments));
  commands.copy(to, from, 8);
  return commands;
}

TEST_F(CudaKernel, AReplayIsOneLaunch) {
  const auto kernel = *code_->kernel("scale");
  auto replay =
      Replay::create(context_, three_commands(*this, kernel, scale_by(3), address(8), address(4)));
  ASSERT_TRUE(replay) << replay.error().text();
  EXPECT_TRUE((*replay)->is_graph());
  EXPECT_EQ(floats_[8], 0);
  const std::size_t launches = driver_->count("cuLaunchKernelEx");
  for (int run = 1; run <= 3; ++run) {
    floats_[0] = static_cast<float>(run);
    floats_[10] = 5;
    ASSERT_TRUE((*replay)->run(*stream_));
    ASSERT_TRUE(stream_->synchronize());
    EXPECT_EQ(floats_[8], static_cast<float>(3 * run));
    EXPECT_EQ(floats_[10], 0);
  }
  EXPECT_EQ(driver_->count("cuLaunchKernelEx"), launches);
  EXPECT_EQ(driver_->count("cuGraphLaunch"), 3u);

  // Another factor and another target, in place.
  ASSERT_TRUE(
      (*replay)->update(three_commands(*this, kernel, scale_by(5), address(12), address(4))));
  ASSERT_TRUE((*replay)->run(*stream_));
  EXPECT_EQ(floats_[12], 15);
  EXPECT_EQ(driver_->count("cuGraphInstantiateWithFlags"), 1u);

  // A list of another form needs a new graph.
  CommandList other;
  other.fill(address(12), 0, 4);
  ASSERT_TRUE((*replay)->update(std::move(other)));
  ASSERT_TRUE((*replay)->run(*stream_));
  EXPECT_EQ(floats_[12], 0);
  EXPECT_EQ(driver_->count("cuGraphInstantiateWithFlags"), 2u);
  EXPECT_TRUE((*replay)->is_graph());
}

TEST_F(CudaKernel, AReplayWithoutAGraphSaysWhyAndRuns) {
  const auto kernel = *code_->kernel("scale");
  for (const char* call : {"cuStreamBeginCapture", "cuStreamEndCapture", "cuLaunchKernelEx",
                           "cuGraphInstantiateWithFlags"}) {
    driver_->fail(1, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, call);
    auto replay = Replay::create(
        context_, three_commands(*this, kernel, scale_by(3), address(8), address(4)));
    ASSERT_TRUE(replay) << replay.error().text();
    EXPECT_FALSE((*replay)->is_graph()) << call;
    EXPECT_TRUE((*replay)->fallback_reason().starts_with("launched one by one, without a graph: "))
        << (*replay)->fallback_reason();
    EXPECT_NE((*replay)->fallback_reason().find("(900)"), std::string::npos);
    floats_[0] = 2;
    ASSERT_TRUE((*replay)->run(*stream_));
    EXPECT_EQ(floats_[8], 6) << call;
  }
}

TEST_F(CudaKernel, AFaultInAGraphNamesItsKernels) {
  CommandList commands;
  commands.launch(*code_->kernel("scale"), kShape, scale_by(1));
  commands.launch(*code_->kernel("fault"), kShape, Arguments());
  auto replay = Replay::create(context_, std::move(commands));
  ASSERT_TRUE(replay);
  ASSERT_TRUE((*replay)->run(*stream_));
  EXPECT_EQ(stream_->synchronize().error().where, "kernel 'graph of 2 kernels' (scale, fault)");
  EXPECT_FALSE((*replay)->run(*stream_));
}

// ---- Every call of a whole program fails in turn ----

StatusOr<std::vector<float>> whole_program(const std::shared_ptr<FakeDriver>& driver) {
  HYP_TRY(auto context, Context::create(driver, 0));
  HYP_TRY(auto stream, Stream::create(context));
  HYP_TRY(auto pool, Pool::create(context));
  Allocator allocator("cuda:0", 0, *pool);
  struct Block {
    Allocator& allocator;
    Memory memory;
    ~Block() { allocator.release(memory); }
  };
  HYP_TRY(const Memory memory, allocator.allocate(1024));
  const Block block{allocator, memory};
  const auto address = reinterpret_cast<CUdeviceptr>(memory.data);
  Staging staging(context, {.slot_bytes = 16, .slots = 2});
  const std::vector<float> sent = {1, 2, 3, 4, 5, 6, 7, 8};
  HYP_TRY_VOID(staging.upload(*stream, address, std::as_bytes(std::span(sent))));
  HYP_TRY(const auto code, KernelLibrary::load(context, std::as_bytes(std::span(kCode))));
  HYP_TRY(const auto kernel, code->kernel("scale"));
  CommandList commands;
  commands.launch(kernel, {.shared_bytes = 100'000}, Arguments(address, address, 2.0f, 8));
  HYP_TRY(const auto replay, Replay::create(context, std::move(commands)));
  HYP_TRY_VOID(replay->run(*stream));
  std::vector<float> received(8);
  HYP_TRY_VOID(staging.download(*stream, std::as_writable_bytes(std::span(received)), address));
  return received;
}

TEST(CudaFaults, EveryCallMayFailAndNothingIsLost) {
  const std::vector<float> expected = {2, 4, 6, 8, 10, 12, 14, 16};
  for (const CUresult result :
       {CUDA_ERROR_OUT_OF_MEMORY, CUDA_ERROR_NOT_SUPPORTED, CUDA_ERROR_LAUNCH_FAILED}) {
    int failures = 0;
    for (std::uint64_t nth = 1;; ++nth) {
      const auto driver = make_driver();
      driver->fail(nth, result);
      const auto received = whole_program(driver);
      const std::string& call = driver->failed_call();
      if (call.empty()) {
        ASSERT_TRUE(received);
        EXPECT_EQ(*received, expected);
        break;
      }
      if (received) {
        EXPECT_EQ(*received, expected) << call;  // such as: a graph was not to be had
      } else {
        ++failures;
        EXPECT_FALSE(received.error().message.empty());
        EXPECT_NE(received.error().code, Code::ok);
      }
      EXPECT_EQ(driver->leaks(), "") << call << " " << nth;
    }
    EXPECT_GT(failures, 30);
  }
}

}  // namespace
}  // namespace hyperion::runtime::cuda

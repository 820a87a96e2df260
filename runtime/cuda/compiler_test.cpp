#include "runtime/cuda/compiler.hpp"

#include <gtest/gtest.h>

#include "runtime/cuda/problem.hpp"
#include "tests/support/fake_cuda.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::runtime::cuda {
namespace {

using testing_support::FakeNvrtc;
using testing_support::TempFolder;

constexpr std::string_view kScale = R"(
extern "C" __global__ void scale(const float* x, float* y, float factor, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) y[i] = factor * x[i];
}
)";

CompileRequest request(std::string architecture = "sm_90a") {
  return {
      .name = "scale.cu", .source = std::string(kScale), .architecture = std::move(architecture)};
}

DiskCache open_cache(const TempFolder& folder) {
  return DiskCache({.folder = folder.path("cache"), .producer = "test"});
}

// ---- The log ----

TEST(CompileLog, ReadsFiguresOfEachKernel) {
  const CompileLog log = read_compile_log(
      "ptxas info    : 0 bytes gmem\n"
      "ptxas info    : Compiling entry function 'spill' for 'sm_90a'\n"
      "ptxas info    : Function properties for spill\n"
      "ptxas         .     2296 bytes stack frame, 3472 bytes spill stores, 3484 bytes spill "
      "loads\n"
      "ptxas info    : Used 64 registers, used 1 barriers, 2296 bytes cumulative stack size, 4096 "
      "bytes smem\n"
      "ptxas info    : Compiling entry function 'scale' for 'sm_90a'\n"
      "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
      "ptxas info    : Used 10 registers, 380 bytes cmem[0]");
  ASSERT_EQ(log.kernels.size(), 2u);
  EXPECT_EQ(log.kernels[0], (KernelFigures{.name = "spill",
                                           .registers = 64,
                                           .barriers = 1,
                                           .stack_bytes = 2296,
                                           .spill_store_bytes = 3472,
                                           .spill_load_bytes = 3484,
                                           .shared_bytes = 4096}));
  EXPECT_TRUE(log.kernels[0].spills());
  EXPECT_EQ(log.kernels[1],
            (KernelFigures{.name = "scale", .registers = 10, .constant_bytes = 380}));
  EXPECT_FALSE(log.kernels[1].spills());
  EXPECT_TRUE(log.advisories.empty());
}

TEST(CompileLog, ReadsAdvisories) {
  const std::string line =
      "ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are "
      "serialized due to non wgmma instructions defining accumulator registers";
  const CompileLog log = read_compile_log("noise\n" + line + "\n(C1234) other\n(C75");
  EXPECT_EQ(log.advisories, (std::vector<Advisory>{{"C7510", line}}));
  EXPECT_TRUE(log.kernels.empty());
}

TEST(CompileLog, EveryTruncationIsRead) {
  const std::string text =
      "(C7510) x\nCompiling entry function 'a' for\n 1 bytes stack frame, 2 bytes spill stores\n"
      "Used 99999999999999999999 registers";
  for (std::size_t length = 0; length <= text.size(); ++length) {
    read_compile_log(std::string_view(text).substr(0, length));
  }
  EXPECT_EQ(read_compile_log(text).kernels[0].registers, 0);  // no number that an int holds
}

// ---- The compiler, on a fake ----

TEST(CudaCompiler, PassesArchitectureAndOptions) {
  const auto nvrtc = std::make_shared<FakeNvrtc>();
  nvrtc->log = "ptxas info    : Compiling entry function 'scale' for 'sm_80'\nUsed 10 registers";
  Compiler compiler({.nvrtc = nvrtc});
  CompileRequest asked = request("sm_80");
  asked.options = {"--fmad=false"};
  const auto program = compiler.compile(asked);
  ASSERT_TRUE(program) << program.error().text();
  EXPECT_EQ(nvrtc->options,
            (std::vector<std::string>{"--gpu-architecture=sm_80", "--std=c++20", "-default-device",
                                      "--minimal", "-Xptxas=-v", "--no-cache", "--fmad=false"}));
  nvrtc->nvrtc_version = 12080;  // does not know that option
  ASSERT_TRUE(compiler.compile(asked));
  EXPECT_EQ(nvrtc->options[5], "--fmad=false");
  EXPECT_STREQ(reinterpret_cast<const char*>(program->cubin.data()), "FAKE scale ");
  EXPECT_EQ(program->log.kernels.at(0).registers, 10);
  EXPECT_FALSE(program->from_cache);
}

TEST(CudaCompiler, ErrorsQuoteTheReport) {
  const auto nvrtc = std::make_shared<FakeNvrtc>();
  Compiler compiler({.nvrtc = nvrtc});
  nvrtc->compile_result = NVRTC_ERROR_COMPILATION;
  nvrtc->log = "scale.cu(3): error: identifier \"z\" is undefined";
  const auto program = compiler.compile(request());
  ASSERT_FALSE(program);
  EXPECT_TRUE(is_problem(program.error(), Problem::compile));
  EXPECT_EQ(program.error().where, "scale.cu");
  EXPECT_NE(program.error().message.find(nvrtc->log), std::string::npos);

  nvrtc->compile_result = NVRTC_ERROR_BUILTIN_OPERATION_FAILURE;
  EXPECT_TRUE(is_problem(compiler.compile(request()).error(), Problem::nvrtc_builtins));

  const auto unknown = compiler.compile(request("sm_200"));
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().text().find(
                "NVRTC 13.0 does not know 'sm_200', only sm_75, sm_80, sm_90 [cuda.architecture]"),
            std::string::npos);
}

TEST(CudaCompiler, CachesByContent) {
  const TempFolder folder;
  DiskCache cache = open_cache(folder);
  const auto nvrtc = std::make_shared<FakeNvrtc>();
  nvrtc->log = "ptxas info : Compiling entry function 'scale' for\nUsed 10 registers";
  const auto compile = [&](const CompileRequest& asked) {
    return *Compiler({.nvrtc = nvrtc, .cache = &cache}).compile(asked);
  };
  const Program first = compile(request());
  const Program again = compile(request());
  EXPECT_EQ(nvrtc->compilations, 1);
  EXPECT_TRUE(again.from_cache);
  EXPECT_EQ(again.cubin, first.cubin);
  EXPECT_EQ(again.log, first.log);

  // Whatever decides the code is part of the key.
  EXPECT_FALSE(compile(request("sm_80")).from_cache);
  CompileRequest other = request();
  other.options = {"--fmad=false"};
  EXPECT_FALSE(compile(other).from_cache);
  other.options = {"--fmad", "=false"};
  EXPECT_FALSE(compile(other).from_cache);
  other = request();
  other.source += " ";
  EXPECT_FALSE(compile(other).from_cache);
  nvrtc->nvrtc_version = 13010;
  EXPECT_FALSE(compile(request()).from_cache);
  // The name is only for messages.
  other = request();
  other.name = "other.cu";
  EXPECT_TRUE(compile(other).from_cache);
}

TEST(CudaCompiler, ADamagedEntryIsCompiledAgain) {
  const TempFolder folder;
  DiskCache cache = open_cache(folder);
  const auto nvrtc = std::make_shared<FakeNvrtc>();
  Compiler compiler({.nvrtc = nvrtc, .cache = &cache});
  const Hash128 key = Compiler::key(request(), 13000);
  for (const std::size_t bytes : {0, 7, 8}) {  // too short for the length, then for any code
    cache.put(key, std::vector<std::byte>(bytes));
    EXPECT_FALSE(compiler.compile(request())->from_cache) << bytes;
  }
  std::vector<std::byte> lies(64, std::byte{0xff});  // a log longer than the entry
  cache.put(key, lies);
  EXPECT_FALSE(compiler.compile(request())->from_cache);
  EXPECT_TRUE(compiler.compile(request())->from_cache);
}

TEST(CudaCompiler, CompilesManyAtOnce) {
  const auto nvrtc = std::make_shared<FakeNvrtc>();
  Compiler compiler({.nvrtc = nvrtc});
  ThreadPool pool(4);
  std::vector<CompileRequest> requests(20, request());
  requests[7].architecture = "sm_200";
  const auto programs = compiler.compile_all(requests, pool);
  ASSERT_EQ(programs.size(), 20u);
  for (std::size_t i = 0; i < programs.size(); ++i) EXPECT_EQ(programs[i].has_value(), i != 7);
  EXPECT_EQ(nvrtc->compilations, 19);
}

// ---- The real NVRTC, where there is one ----

class RealNvrtc : public testing::Test {
 protected:
  void SetUp() override {
    auto nvrtc = Nvrtc::load();
    if (!nvrtc) GTEST_SKIP() << nvrtc.error().text();
    nvrtc_ = *nvrtc;
  }
  std::shared_ptr<Nvrtc> nvrtc_;
};

TEST_F(RealNvrtc, CompilesForEachArchitecture) {
  Compiler compiler({.nvrtc = nvrtc_});
  for (const char* architecture : {"sm_75", "sm_80", "sm_90a"}) {
    const auto program = compiler.compile(request(architecture));
    ASSERT_TRUE(program) << program.error().text();
    ASSERT_GT(program->cubin.size(), 4u);
    EXPECT_EQ(std::memcmp(program->cubin.data(),
                          "\x7f"
                          "ELF",
                          4),
              0);
    ASSERT_EQ(program->log.kernels.size(), 1u) << program->log_text;
    EXPECT_EQ(program->log.kernels[0].name, "scale");
    EXPECT_GT(program->log.kernels[0].registers, 0);
    EXPECT_FALSE(program->log.kernels[0].spills());
    EXPECT_TRUE(program->log.advisories.empty());
  }
}

TEST_F(RealNvrtc, SeesSpills) {
  // More live values than 16 registers hold.
  CompileRequest asked = request();
  asked.source = R"(
extern "C" __global__ void spill(const float* x, float* y, int count) {
  float values[64];
  for (int i = 0; i < 64; ++i) values[i] = x[i * 32 + threadIdx.x];
  for (int step = 0; step < count; ++step)
    for (int i = 0; i < 64; ++i) values[i] = values[i] * values[(i + 7) % 64];
  for (int i = 0; i < 64; ++i) y[i * 32 + threadIdx.x] = values[i];
}
)";
  asked.options = {"--maxrregcount=24"};
  const auto program = Compiler({.nvrtc = nvrtc_}).compile(asked);
  ASSERT_TRUE(program) << program.error().text();
  ASSERT_EQ(program->log.kernels.size(), 1u);
  EXPECT_TRUE(program->log.kernels[0].spills()) << program->log_text;
}

TEST_F(RealNvrtc, ReportsTheLineOfAMistake) {
  CompileRequest asked = request();
  asked.source += "extern \"C\" __global__ void bad() { undefined_name = 1; }\n";
  const auto program = Compiler({.nvrtc = nvrtc_}).compile(asked);
  ASSERT_FALSE(program);
  EXPECT_TRUE(is_problem(program.error(), Problem::compile));
  EXPECT_NE(program.error().message.find("scale.cu(6): error"), std::string::npos)
      << program.error().message;
}

TEST_F(RealNvrtc, ComesBackFromTheCache) {
  const TempFolder folder;
  DiskCache cache = open_cache(folder);
  Compiler compiler({.nvrtc = nvrtc_, .cache = &cache});
  const auto first = compiler.compile(request());
  const auto again = compiler.compile(request());
  ASSERT_TRUE(first && again);
  EXPECT_TRUE(again->from_cache);
  EXPECT_EQ(again->cubin, first->cubin);
  EXPECT_EQ(again->log, first->log);
}

}  // namespace
}  // namespace hyperion::runtime::cuda

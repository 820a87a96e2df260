// The example of README.md, word for word, and run.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "runtime/cuda/arena.hpp"
#include "runtime/cuda/compiler.hpp"
#include "runtime/cuda/graph.hpp"
#include "runtime/cuda/staging.hpp"
#include "tests/support/fake_cuda.hpp"
#include "tests/support/source_path.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::runtime::cuda {
namespace {

using testing_support::FakeDriver;
using testing_support::FakeNvrtc;
using testing_support::source_path;
using testing_support::TempFolder;

StatusOr<> scale_twice(std::shared_ptr<Driver> driver, std::shared_ptr<Nvrtc> nvrtc,
                       DiskCache& cache, std::string_view source, std::span<float> x) {
  // clang-format off
// README {
// Compile for this GPU; what was compiled before comes from the cache.
HYP_TRY(const auto context, Context::create(driver, 0));
Compiler compiler({.nvrtc = nvrtc, .cache = &cache});
HYP_TRY(const Program program, compiler.compile({.name = "scale.cu",
                                                 .source = std::string(source),
                                                 .architecture =
                                                     context->properties().architecture()}));

// Load; the second name is what errors say about the kernel.
HYP_TRY(const auto code, KernelLibrary::load(context, program.cubin));
HYP_TRY(const auto kernel, code->kernel("scale", "mul at train.cpp:41:12"));

// Memory, and data in it.
HYP_TRY(const auto stream, Stream::create(context));
HYP_TRY(const auto arena, Arena::create(context, {.name = "arena of train_step"}));
HYP_TRY_VOID(arena->ensure(x.size_bytes()));
const CUdeviceptr data = arena->base();
Staging staging(context);
HYP_TRY_VOID(staging.upload(*stream, data, std::as_bytes(x)));

// A list of work, as one graph; run it twice.
const auto count = static_cast<int>(x.size());
const unsigned blocks = (static_cast<unsigned>(count) + 255) / 256;
CommandList step;
step.launch(kernel, {.grid = {blocks}, .block = {256}}, Arguments(data, data, 3.0f, count));
HYP_TRY(const auto replay, Replay::create(context, std::move(step)));
HYP_TRY_VOID(replay->run(*stream));
HYP_TRY_VOID(replay->run(*stream));
return staging.download(*stream, std::as_writable_bytes(x), data);
// } README
  // clang-format on
}

template <class T>
T read(void** parameters, int index) {
  T value;
  std::memcpy(&value, parameters[index], sizeof value);
  return value;
}

// One call runs all blocks.
void scale(const CUlaunchConfig& config, void** parameters) {
  const auto* x = reinterpret_cast<const float*>(read<CUdeviceptr>(parameters, 0));
  auto* y = reinterpret_cast<float*>(read<CUdeviceptr>(parameters, 1));
  const auto threads = static_cast<int>(config.gridDimX * config.blockDimX);
  const int count = std::min(threads, read<int>(parameters, 3));
  for (int i = 0; i < count; ++i) y[i] = read<float>(parameters, 2) * x[i];
}

TEST(CudaReadme, ItsExampleRuns) {
  const TempFolder folder;
  DiskCache cache({.folder = folder.path("cache"), .producer = "test"});
  const auto driver = std::make_shared<FakeDriver>();
  driver->kernels["scale"] = {{8, 8, 4, 4}, scale};
  std::vector<float> x(1000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  const auto ran = scale_twice(driver, std::make_shared<FakeNvrtc>(), cache,
                               R"(extern "C" __global__ void scale(...) {})", x);
  ASSERT_TRUE(ran) << ran.error().text();
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(x[i], 9 * static_cast<float>(i));
  EXPECT_EQ(driver->leaks(), "");
}

std::string contents(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(CudaReadme, ShowsThatExample) {
  const std::string code = contents(source_path("runtime/cuda/readme_test.cpp"));
  if (code.empty()) GTEST_SKIP() << "the sources are not here";
  const std::string begin = "// README {\n";
  const std::size_t at = code.find(begin) + begin.size();
  const std::string example = code.substr(at, code.find("// } README") - at);
  EXPECT_NE(contents(source_path("runtime/cuda/README.md")).find("```cpp\n" + example + "```"),
            std::string::npos);
}

}  // namespace
}  // namespace hyperion::runtime::cuda

// A tool made of C++ functions: what it asks for, and what it is then told.
#include "runtime/nvtx.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "runtime/code_loader.hpp"
#include "runtime/instance.hpp"
#include "runtime/profiler.hpp"

namespace hyperion::runtime {
namespace {

using AnyFunction = void (*)();

// As a tool sees the table of callbacks.
struct Callbacks {
  std::size_t struct_size;
  int (*module_table)(int module, AnyFunction*** table, unsigned* size);
};

std::vector<std::string> g_heard;
int on_push(const char* name) { return g_heard.emplace_back(name), 0; }
int on_pop() { return g_heard.emplace_back("pop"), 0; }
bool g_fills_pop = true;

int initialize(NvtxExportTables tables) {
  EXPECT_EQ(tables(77), nullptr);
  const auto* version = static_cast<const std::size_t*>(tables(3));
  if (version == nullptr || *version < 24) return 0;
  const auto* callbacks = static_cast<const Callbacks*>(tables(1));
  if (callbacks == nullptr || callbacks->struct_size < sizeof(Callbacks)) return 0;
  AnyFunction** table = nullptr;
  unsigned size = 0;
  EXPECT_EQ(callbacks->module_table(5, &table, &size), 0) << "there are no domains";
  if (callbacks->module_table(1, &table, &size) == 0 || size <= 15) return 0;
  // A tool fills in all that it knows, not only what we call.
  for (unsigned i = 1; i < size; ++i) *table[i] = [] { ADD_FAILURE() << "not a range"; };
  *table[9] = reinterpret_cast<AnyFunction>(on_push);
  *table[11] = g_fills_pop ? reinterpret_cast<AnyFunction>(on_pop) : nullptr;
  return 1;
}

class Nvtx : public testing::Test {
 protected:
  void SetUp() override { g_heard.clear(); }
  void TearDown() override {
    g_fills_pop = true;
    connect_nvtx(nullptr);
  }
};

TEST_F(Nvtx, RangesReachATool) {
  connect_nvtx(initialize);
  {
    const NvtxRange outer("step");
    const NvtxRange inner("gemm at mlp.cpp:7:3");
  }
  EXPECT_EQ(g_heard, (std::vector<std::string>{"step", "gemm at mlp.cpp:7:3", "pop", "pop"}));
}

TEST_F(Nvtx, SpansAreRanges) {
  connect_nvtx(initialize);
  Profiler profiler;
  {
    const auto span = profiler.span("compile", "compile");
  }
  EXPECT_EQ(g_heard, (std::vector<std::string>{"compile", "pop"}));
}

// Code of one kernel that does nothing.
class NothingToDo final : public LoadedCode {
  KernelFunction* symbol(const std::string&) override {
    return [](void* const*, std::int64_t, std::int64_t, void*) {};
  }
};

TEST_F(Nvtx, LaunchesAreRanges) {
  connect_nvtx(initialize);
  const auto instance = Instance::create({.threads = 1});
  const Device device = instance->devices()[0];
  const auto queue = device.backend().make_queue();
  const Launch launch{.kernel = "mul_kernel", .label = "mul", .location = "train.cpp:4:2"};
  NothingToDo code;
  const auto kernel = code.bind(launch, *queue, instance->profiler());
  ASSERT_TRUE(kernel);
  LaunchContext context{.pool = device.thread_pool(), .profiler = instance->profiler()};
  ASSERT_TRUE((*kernel)->run({}, context));
  EXPECT_EQ(g_heard, (std::vector<std::string>{"mul at train.cpp:4:2", "pop"}));
}

TEST_F(Nvtx, WithoutAToolNothingHappens) {
  {
    const NvtxRange range("step");
  }
  g_fills_pop = false;
  connect_nvtx(initialize);  // half of what is needed
  {
    const NvtxRange range("step");
  }
  connect_nvtx([](NvtxExportTables) { return 0; });
  {
    const NvtxRange range("step");
  }
  EXPECT_TRUE(g_heard.empty());
}

}  // namespace
}  // namespace hyperion::runtime

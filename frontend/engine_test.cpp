// The compiled engine against the interpreter, bit for bit, and what it keeps.
#include "frontend/engine.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "codegen/driver/code_version.hpp"
#include "codegen/driver/target_of.hpp"
#include "frontend/hyperion.hpp"
#include "frontend/testing.hpp"
#include "ir/text/parse.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion {
namespace {

using frontend::EngineKind;
using frontend::ScopedEngine;

// What `program` computes on an engine, as bits.
template <class Program>
std::vector<std::byte> bits_on(EngineKind kind, Program program) {
  const ScopedEngine engine({.kind = kind, .use_disk_cache = false});
  const Tensor result = program();
  const auto bytes = result.bytes();
  return {bytes.begin(), bytes.end()};
}

template <class Program>
void expect_same_bits(Program program) {
  EXPECT_EQ(bits_on(EngineKind::compiled, program), bits_on(EngineKind::interpreter, program));
}

TEST(EngineTest, LazyProgramsAgree) {
  expect_same_bits([] {
    const Tensor x = random::normal(random::key(1), {5, 7});
    return nn::softmax(x * 3.0 + 1.0) + sum(exp(x), {0});
  });
  expect_same_bits([] {
    const Tensor x = random::uniform(random::key(2), {6, 9}), w = random::uniform(random::key(3), {4, 9});
    return nn::gelu(matmul(x, transpose(w)));
  });
  expect_same_bits([] { return transpose(arange(24).reshape({2, 3, 4}), {2, 0, 1})[{Slice({}, {}, -1), All, 1}]; });
}

TEST(EngineTest, ReductionsOfExpensiveValuesAgree) {
  // Several loops need the same logarithms, and the reductions do not depend on the loop over results.
  const auto values = [] { return log(random::uniform(random::key(6), {100}) + 1.0); };
  expect_same_bits([&] { return stddev(values()); });
  expect_same_bits([&] {
    const Tensor x = values(), smallest = min(x);  // x is held, so both are results of one program
    return stack({smallest, sum(x)});
  });
}

TEST(EngineTest, TrainingStepsAgree) {
  expect_same_bits([] {
    const auto [k1, k2, k3] = random::split<3>(random::key(4));
    auto net = nn::sequential(nn::Linear::create(k1, 8, 6), nn::Relu{}, nn::Linear::create(k2, 6, 3));
    const Tensor x = random::normal(k3, {5, 8}), y = tensor({0, 1, 2, 1, 0});
    const optim::AdamW rule;
    auto state = optim::start(rule, net, 0.01);
    const auto step = jit(
        [&](const auto& n, const auto& s) {
          const auto loss = [&](const auto& inner) { return nn::cross_entropy(inner(x), y); };
          return optim::update(rule, n, value_and_grad(loss)(n).gradient, s);
        },
        {.donate = {0, 1}});
    for (int k = 0; k < 3; ++k) std::tie(net, state) = step(net, state);
    return std::get<0>(net.layers).weight;
  });
}

TEST(EngineTest, SteadyStepsLoadAndAllocateNothing) {
  const ScopedEngine engine({.kind = EngineKind::compiled, .use_disk_cache = false});
  const auto step = jit([](const Tensor& w, const Tensor& x) { return w - (matmul(transpose(x), matmul(x, w))) * 0.01; },
                        {.donate = {0}});
  Tensor w = ones({16, 4});
  const Tensor x = random::normal(random::key(5), {8, 16}).eval();
  for (int k = 0; k < 3; ++k) w = step(w, x);
  const auto loads = frontend::engine_statistics().compiled;
  const runtime::Device device = *frontend::runtime_device(default_device());
  const auto before = device.memory();
  for (int k = 0; k < 10; ++k) w = step(w, x);
  const auto after = device.memory();
  EXPECT_EQ(frontend::engine_statistics().compiled, loads);
  EXPECT_EQ(after.allocations, before.allocations);
  EXPECT_EQ(after.in_use, before.in_use);
}

TEST(EngineTest, ReadingADonatedTensorIsAnError) {
  for (EngineKind kind : {EngineKind::compiled, EngineKind::interpreter}) {
    const ScopedEngine engine({.kind = kind, .use_disk_cache = false});
    const auto step = jit([](const Tensor& x) { return x + 1.0; }, {.donate = {0}});
    const Tensor x = tensor({1.0, 2.0});
    const Tensor y = step(x);
    EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{2, 3}));
    EXPECT_NE(testing::error_of([&] { x.to_vector<float>(); }).find("failed_precondition"), std::string::npos);
  }
}

TEST(EngineTest, CodeIsKeptOnDisk) {
  const testing_support::TempFolder folder;
  const auto run = [&] {
    const ScopedEngine engine({.cache_folder = folder.path("cache")});
    const auto f = jit([](const Tensor& x) { return sum(x * 3.25 + 0.125); });
    return f(tensor({1.0, 2.0})).item<float>();
  };
  const auto before = frontend::engine_statistics();
  const float first = run();
  const auto between = frontend::engine_statistics();
  EXPECT_EQ(run(), first);
  const auto after = frontend::engine_statistics();
  EXPECT_EQ(between.compiled, before.compiled + 1);
  EXPECT_EQ(after.compiled, between.compiled);
  EXPECT_EQ(after.from_disk, between.from_disk + 1);
}

// Code of another build of the compiler is compiled again, however well its entry is formed.
TEST(EngineTest, ModulesAreDumpedBeforeTheyAreCompiled) {
  const testing_support::TempFolder folder;
  const ScopedEngine engine({.use_disk_cache = false});
  setenv("HYPERION_DUMP", folder.path("dump").c_str(), 1);
  (tensor({1.0f, 2.0f}) * 3.0f + 0.25f).eval();
  unsetenv("HYPERION_DUMP");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path("dump"))) files.push_back(entry.path());
  ASSERT_EQ(files.size(), 1U);
  EXPECT_TRUE(files[0].filename().string().ends_with("_lazy.hir")) << files[0];
  std::ifstream file(files[0]);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Diagnostics diagnostics;
  const auto module = ir::parse(text, files[0].string(), diagnostics);
  ASSERT_TRUE(module) << diagnostics.render();
  EXPECT_NE((*module)->find("lazy"), nullptr);
}

TEST(EngineTest, CodeOfAnotherCompilerIsNotRun) {
  const testing_support::TempFolder folder;
  const auto run = [&] {
    const ScopedEngine engine({.cache_folder = folder.path("cache")});
    return jit([](const Tensor& x) { return sum(x * 5.25 + 0.125); })(tensor({1.0, 2.0})).item<float>();
  };
  const float first = run();
  const std::string target = codegen::key(*codegen::target_of(*frontend::runtime_device(default_device())));
  const std::string ours = codegen::producer(target);
  ASSERT_NE(ours.find(codegen::code_version()), std::string::npos);
  const auto cache_of = [&](const std::string& producer) {
    return runtime::DiskCache(runtime::CacheOptions{folder.path("cache"), producer});
  };
  const auto entries = cache_of(ours).list();
  ASSERT_EQ(entries.size(), 1u);
  const std::string name = std::filesystem::path(entries[0].path).stem().string();
  const Hash128 key{.low = std::stoull(name.substr(16), nullptr, 16), .high = std::stoull(name.substr(0, 16), nullptr, 16)};
  const auto payload = cache_of(ours).get(key);
  ASSERT_TRUE(payload) << "the engine's producer is not codegen::producer()";

  cache_of("hyperion codegen 1, " + target).put(key, *payload);
  const auto before = frontend::engine_statistics();
  EXPECT_EQ(run(), first);
  const auto after = frontend::engine_statistics();
  EXPECT_EQ(after.compiled, before.compiled + 1);
  EXPECT_EQ(after.from_disk, before.from_disk);
}

// The file of the only entry of a cache.
std::filesystem::path only_entry(const std::string& cache) {
  std::filesystem::path found;
  for (const auto& entry : std::filesystem::directory_iterator(cache)) {
    EXPECT_TRUE(found.empty()) << entry.path();
    found = entry.path();
  }
  return found;
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Damage, and code of another program under this one's name: neither is run, and both are replaced.
TEST(EngineTest, BadEntriesAreCompiledAgain) {
  const testing_support::TempFolder folder;
  const auto program = [](const Tensor& x) { return sum(x * 7.25 + 0.125); };
  const auto jitted = [&](const std::string& cache) {
    const ScopedEngine engine({.cache_folder = folder.path(cache)});
    return jit(program)(tensor({1.0, 2.0})).item<float>();
  };
  const float expected = jitted("cache");
  const std::filesystem::path entry = only_entry(folder.path("cache"));
  const std::string good = contents(entry);
  {
    const ScopedEngine engine({.cache_folder = folder.path("other")});
    program(tensor({1.0, 2.0})).eval();
  }
  // Behind the magic number and the version stands the key.
  constexpr std::size_t kKeyAt = 16, kKeyBytes = 16;
  std::string stranger = contents(only_entry(folder.path("other")));
  stranger.replace(kKeyAt, kKeyBytes, good, kKeyAt, kKeyBytes);
  std::string flipped = good, torn = good.substr(0, good.size() / 2);
  flipped[good.size() - 10] ^= 1;
  for (const std::string& bad : {flipped, torn, std::string("not an entry"), std::string(), stranger}) {
    std::ofstream(entry, std::ios::binary | std::ios::trunc) << bad;
    const auto before = frontend::engine_statistics();
    EXPECT_EQ(jitted("cache"), expected);
    const auto between = frontend::engine_statistics();
    EXPECT_EQ(between.compiled, before.compiled + 1);
    EXPECT_EQ(jitted("cache"), expected);
    const auto after = frontend::engine_statistics();
    EXPECT_EQ(after.compiled, between.compiled);
    EXPECT_EQ(after.from_disk, between.from_disk + 1);
  }
}

}  // namespace
}  // namespace hyperion

#include "runtime/module.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "ir/support/hash.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::runtime {
namespace {

Slot argument(std::uint32_t i, std::uint64_t bytes) { return {Slot::Kind::argument, i, 0, bytes}; }
Slot output(std::uint32_t i, std::uint64_t bytes) { return {Slot::Kind::output, i, 0, bytes}; }
Slot arena(std::uint64_t offset, std::uint64_t bytes) {
  return {Slot::Kind::arena, 0, offset, bytes};
}
Slot constant(std::uint32_t i, std::uint64_t bytes) { return {Slot::Kind::constant, i, 0, bytes}; }

// One of everything; the plans need not make sense, only hold the invariants.
Module sample() {
  Module module;
  module.producer = "test 1.0";
  Plan step{"step", {16, 8, 16}, {16, 8}, 64, {}};
  step.instructions.push_back(Launch{"add",
                                     {argument(0, 16), argument(2, 16), output(0, 16)},
                                     2,
                                     128,
                                     "add_4",
                                     "train.cpp:7:3",
                                     4,
                                     48,
                                     ArithmeticUnit::tensor_16});
  step.instructions.push_back(Copy{argument(1, 8), output(1, 8)});
  Plan less{"less", {16, 16}, {1}, 0, {Launch{"less", {argument(0, 16), output(0, 1)}}}};
  Plan body{"body", {16, 16}, {16}, 32, {Copy{argument(1, 16), output(0, 16)}}};
  Plan main{"main", {16, 24}, {16, 24}, 512, {}};
  const Carried state{argument(0, 16), output(0, 16), arena(0, 16)};
  main.instructions.push_back(Scan{0,
                                   3,
                                   true,
                                   {state},
                                   {{argument(1, 24), 8, 8}},
                                   {{output(1, 24), 8, 8}},
                                   {constant(0, 16)},
                                   arena(64, 64)});
  main.instructions.push_back(
      WhileLoop{1, 2, arena(16, 1), {state}, {constant(0, 16)}, arena(64, 64)});
  main.instructions.push_back(
      Cond{arena(16, 1), 2, 2, {argument(0, 16), constant(0, 16)}, {arena(32, 16)}, arena(64, 32)});
  main.instructions.push_back(
      Call{2, {argument(0, 16), constant(0, 16)}, {arena(32, 16)}, arena(64, 64)});
  module.plans = {step, less, body, main};
  module.functions.push_back({"main",
                              3,
                              {{DType::f32, {2, 2}}, {DType::f64, {3}}},
                              {{{DType::i32, {4}}, 0}, {{DType::f64, {3}}, -1}}});
  std::vector<std::byte> values(16, std::byte{7});
  module.constants.push_back(Constant::copy(values));
  module.constants.push_back(Constant::copy({}));
  module.objects.push_back(Bytes(100, std::byte{1}));
  module.objects.push_back({});
  return module;
}

TEST(Module, RoundTrip) {
  const Module module = sample();
  ASSERT_TRUE(module.verify().has_value()) << module.verify().error().text();
  const Bytes bytes = module.serialize();
  const StatusOr<Module> read = Module::parse(bytes);
  ASSERT_TRUE(read.has_value()) << read.error().text();
  EXPECT_EQ(read->serialize(), bytes);
  EXPECT_EQ(read->producer, "test 1.0");
  ASSERT_NE(read->find("main"), nullptr);
  EXPECT_EQ(read->find("main")->outputs, module.functions[0].outputs);
  EXPECT_EQ(read->find("other"), nullptr);
  ASSERT_EQ(read->plans.size(), 4u);
  const auto& launch = std::get<Launch>(read->plans[0].instructions[0]);
  EXPECT_EQ(launch.kernel, "add");
  EXPECT_EQ(launch.location, "train.cpp:7:3");
  EXPECT_EQ(launch.buffers[1], argument(2, 16));
  EXPECT_TRUE(std::get<Scan>(read->plans[3].instructions[0]).reverse);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(read->constants[0].bytes.data()) % 64, 0u);
  EXPECT_EQ(read->memory(read->functions[0]).aliased, 16u);
  EXPECT_EQ(read->memory(read->functions[0]).arena, 512u);
  EXPECT_EQ(read->memory(read->functions[0]).code, 100u);
}

TEST(Module, SaveAndLoad) {
  const testing_support::TempFolder folder;
  const std::string path = folder.path("sample.hypm");
  ASSERT_TRUE(sample().save(path).has_value());
  EXPECT_TRUE(Module::load(path).has_value());
  const StatusOr<Module> missing = Module::load(folder.path("none.hypm"));
  EXPECT_EQ(missing.error().code, Code::not_found);
}

TEST(Module, EveryTruncationIsDataLoss) {
  const Bytes bytes = sample().serialize();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const StatusOr<Module> read = Module::parse(std::span(bytes).first(size));
    ASSERT_FALSE(read.has_value()) << size;
    ASSERT_EQ(read.error().code, Code::data_loss) << size;
  }
  Bytes longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_EQ(Module::parse(longer).error().code, Code::data_loss);
}

TEST(Module, EveryBitFlipIsDataLoss) {
  Bytes bytes = sample().serialize();
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    const StatusOr<Module> read = Module::parse(bytes);
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    ASSERT_FALSE(read.has_value()) << bit;
    ASSERT_EQ(read.error().code, Code::data_loss) << bit;
  }
}

// Section records start at byte 64; see module.hpp.
void renew_hashes(Bytes& bytes) {
  std::uint32_t sections = 0;
  std::memcpy(&sections, &bytes[24], 4);
  if (sections > 5 || 64 + sections * 64 > bytes.size()) return;
  for (std::uint32_t i = 0; i < sections; ++i) {
    std::byte* record = &bytes[64 + i * 64];
    std::uint64_t offset = 0, size = 0;
    std::memcpy(&offset, record + 8, 8);
    std::memcpy(&size, record + 16, 8);
    if (offset > bytes.size() || size > bytes.size() - offset) continue;
    const Hash128 hash = hash_bytes(std::span(bytes).subspan(offset, size));
    std::memcpy(record + 32, &hash, 16);
  }
  Bytes head(bytes.begin(), bytes.begin() + 48);
  head.insert(head.end(), bytes.begin() + 64, bytes.begin() + 64 + sections * 64);
  const Hash128 hash = hash_bytes(head);
  std::memcpy(&bytes[48], &hash, 16);
}

// Damage behind correct checksums: the checks on sizes and indices must hold alone. What parses is
// consistent.
TEST(Module, DamageBehindCorrectHashesNeverCrashes) {
  const Bytes original = sample().serialize();
  int parsed = 0, refused = 0;
  const auto attempt = [&](Bytes bytes) {
    renew_hashes(bytes);
    const StatusOr<Module> read = Module::parse(bytes);
    if (read) {
      ++parsed;
      EXPECT_TRUE(read->verify().has_value());
    } else {
      ++refused;
      EXPECT_TRUE(read.error().code == Code::data_loss || read.error().code == Code::incompatible);
    }
  };
  for (std::size_t i = 0; i < original.size(); ++i) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      Bytes bytes = original;
      bytes[i] = static_cast<std::byte>(value);
      attempt(std::move(bytes));
    }
  }
  std::mt19937_64 random(11);
  for (int i = 0; i < 5000; ++i) {
    Bytes bytes = original;
    for (int flips = 1 + static_cast<int>(random() % 4); flips > 0; --flips) {
      bytes[64 + random() % (bytes.size() - 64)] ^= static_cast<std::byte>(1u << (random() % 8));
    }
    attempt(std::move(bytes));
  }
  EXPECT_GT(parsed, 100);  // flipped constants and code are legal
  EXPECT_GT(refused, 1000);
}

TEST(Module, NewerFormatsAreIncompatible) {
  Bytes bytes = sample().serialize();
  bytes[8] = std::byte{3};
  renew_hashes(bytes);
  EXPECT_EQ(Module::parse(bytes).error().code, Code::incompatible);

  bytes = sample().serialize();
  std::memcpy(&bytes[64], "NEWS", 4);
  renew_hashes(bytes);
  EXPECT_EQ(Module::parse(bytes).error().code, Code::incompatible);
}

TEST(Module, VerifierNamesTheCulprit) {
  const auto message = [](auto edit) {
    Module module = sample();
    edit(module);
    const StatusOr<> verified = module.verify();
    return verified ? std::string("valid") : verified.error().text();
  };
  EXPECT_EQ(message([](Module& m) { m.plans[0].argument_bytes[2] = 15; }),
            "invalid_argument: plan 0 'step', instruction 0: a slot of 16 bytes at 0 leaves its 15 "
            "bytes");
  EXPECT_EQ(message([](Module& m) { std::get<Call>(m.plans[3].instructions[3]).plan = 3; }),
            "invalid_argument: plan 3 'main', instruction 3: plan 3 is not below its caller");
  EXPECT_EQ(
      message([](Module& m) { std::get<Copy>(m.plans[0].instructions[1]).to = argument(1, 8); }),
      "invalid_argument: plan 0 'step', instruction 1: an argument or constant is written");
  EXPECT_EQ(
      message([](Module& m) { std::get<Scan>(m.plans[3].instructions[0]).length = 4; }),
      "invalid_argument: plan 3 'main', instruction 0: 4 steps of stride 8 leave the 24 bytes "
      "they share");
  EXPECT_EQ(
      message([](Module& m) { std::get<Cond>(m.plans[3].instructions[2]).frame.bytes = 31; }),
      "invalid_argument: plan 3 'main', instruction 2: the frame has 31 bytes, plan 2 needs 32");
  EXPECT_EQ(message([](Module& m) {
              std::get<Launch>(m.plans[0].instructions[0]).unit = ArithmeticUnit{kArithmeticUnits};
            }),
            "invalid_argument: plan 0 'step', instruction 0: an arithmetic unit of no kind");
  EXPECT_EQ(message([](Module& m) { m.functions[0].outputs[0].donor = 2; }),
            "invalid_argument: function 'main': output 0 has no donor");
  EXPECT_EQ(message([](Module& m) { m.functions[0].arguments[0].dims = {3, 2}; }),
            "invalid_argument: function 'main': argument 0 differs in size");
}

TEST(Module, NestingIsBounded) {
  Module module;
  module.plans.push_back({"leaf", {}, {}, 0, {}});
  for (std::uint32_t i = 0; i < 100; ++i) {
    module.plans.push_back({"caller", {}, {}, 0, {Call{i, {}, {}, arena(0, 0)}}});
  }
  EXPECT_NE(module.verify().error().message.find("too deeply"), std::string::npos);
}

}  // namespace
}  // namespace hyperion::runtime

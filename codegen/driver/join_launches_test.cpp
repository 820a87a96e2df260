#include "codegen/driver/join_launches.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

using runtime::Instruction;
using runtime::Launch;
using runtime::Slot;

// Joins whatever it is asked to, but for kernels whose names begin with "product".
class AnyJoiner final : public CodeGenerator {
 public:
  LoweringTarget lowering() const override { return {}; }
  StatusOr<EmittedKernel> emit(const ir::Function&, const Lowered&) override { return EmittedKernel{}; }
  std::string text() const override { return ""; }
  StatusOr<std::vector<ObjectBytes>> compile() override { return std::vector<ObjectBytes>{}; }
  StatusOr<std::string> assembly() override { return std::string(); }

  bool joins_launches() const override { return true; }
  bool may_join(std::span<const std::string> symbols) const override {
    return std::ranges::none_of(symbols, [](const std::string& symbol) { return symbol.starts_with("product"); });
  }
  std::string join(std::span<const std::string> symbols) override { return format("[{}]", fmt::join(symbols, " ")); }
};

Slot argument(std::uint32_t k) { return {.kind = Slot::Kind::argument, .index = k, .offset = 0, .bytes = 64}; }
Slot output(std::uint32_t k) { return {.kind = Slot::Kind::output, .index = k, .offset = 0, .bytes = 64}; }
Slot arena(std::uint64_t offset) { return {.kind = Slot::Kind::arena, .index = 0, .offset = offset, .bytes = 64}; }

class JoinLaunches : public ::testing::Test {
 protected:
  void launch(std::string kernel, std::vector<Slot> reads, std::vector<Slot> writes, std::uint64_t bytes = 128) {
    inputs_.push_back(reads.size());
    reads.insert(reads.end(), writes.begin(), writes.end());
    plan_.instructions.push_back(Launch{
        .kernel = kernel, .buffers = std::move(reads), .label = kernel, .location = "", .flops = 1, .bytes = bytes});
  }

  // The kernels of the joined plan, in their order.
  std::string joined() {
    AnyJoiner code;
    join_launches({.plan = plan_, .inputs = inputs_, .donors = donors_}, code);
    std::vector<std::string> kernels;
    for (const Instruction& instruction : plan_.instructions) {
      const auto* launch = std::get_if<Launch>(&instruction);
      kernels.push_back(launch == nullptr ? "other" : launch->kernel);
    }
    return format("{}", fmt::join(kernels, " "));
  }
  const Launch& first() const { return std::get<Launch>(plan_.instructions[0]); }

  runtime::Plan plan_;
  std::vector<std::size_t> inputs_;
  std::vector<std::int32_t> donors_;
};

TEST_F(JoinLaunches, IndependentOnesBecomeOne) {
  launch("b", {argument(0)}, {output(0)});
  launch("a", {argument(1)}, {output(1)});
  launch("b", {argument(1)}, {output(2)});
  EXPECT_EQ(joined(), "[a b b]");
  // Buffers in the order of the kernels; what profiles show is of all.
  EXPECT_EQ(first().buffers, (std::vector{argument(1), output(1), argument(0), output(0), argument(1), output(2)}));
  EXPECT_EQ(first().label, "3 launches: a, b");
  EXPECT_EQ(first().bytes, 3 * 128U);
  EXPECT_EQ(first().flops, 3U);
}

TEST_F(JoinLaunches, ReadersStayBehindWriters) {
  launch("a", {argument(0)}, {arena(0)});
  launch("b", {arena(0)}, {output(0)});
  EXPECT_EQ(joined(), "a b");
}

TEST_F(JoinLaunches, WritersStayBehindReaders) {
  launch("a", {arena(0)}, {output(0)});
  launch("b", {argument(0)}, {arena(32)});  // the second half of what was read
  EXPECT_EQ(joined(), "a b");
}

TEST_F(JoinLaunches, TwoWritersOfOnePlaceStayApart) {
  launch("a", {argument(0)}, {arena(0)});
  launch("b", {argument(0)}, {arena(0)});
  EXPECT_EQ(joined(), "a b");
}

TEST_F(JoinLaunches, AnOutputMayLieWhereItsDonorDid) {
  donors_ = {1};
  launch("a", {argument(1)}, {output(1)});
  launch("b", {argument(0)}, {output(0)});  // in the memory of argument 1, perhaps
  EXPECT_EQ(joined(), "a b");
}

TEST_F(JoinLaunches, OneMovesUpPastWhatItDoesNotNeed) {
  launch("a", {argument(0)}, {output(0)});
  launch("product", {argument(0)}, {arena(0)});
  launch("b", {argument(1)}, {output(1)});
  EXPECT_EQ(joined(), "[a b] product");
}

TEST_F(JoinLaunches, OrAGroupMovesDown) {
  launch("a", {argument(0)}, {output(0)});
  launch("product", {argument(0)}, {arena(0)});
  launch("b", {arena(0)}, {output(1)});
  EXPECT_EQ(joined(), "product [a b]");
}

TEST_F(JoinLaunches, NothingMovesPastWhatItNeeds) {
  launch("a", {argument(0)}, {arena(0)});
  launch("product", {arena(0)}, {arena(64)});
  launch("b", {arena(64)}, {output(0)});
  EXPECT_EQ(joined(), "a product b");
}

TEST_F(JoinLaunches, LargeOnesStayWhereTheyAre) {
  launch("a", {argument(0)}, {output(0)}, std::uint64_t{1} << 30);
  launch("product", {argument(0)}, {arena(0)});
  launch("b", {argument(1)}, {output(1)}, std::uint64_t{1} << 30);
  launch("c", {argument(1)}, {output(2)}, std::uint64_t{1} << 30);
  EXPECT_EQ(joined(), "a product [b c]");
}

TEST_F(JoinLaunches, NothingMovesPastOtherInstructions) {
  launch("a", {argument(0)}, {output(0)});
  plan_.instructions.push_back(runtime::Copy{argument(0), output(2)});
  inputs_.push_back(0);
  launch("b", {argument(1)}, {output(1)});
  EXPECT_EQ(joined(), "a other b");
}

TEST_F(JoinLaunches, ManyTakeLinearTime) {
  for (std::uint32_t k = 0; k < 20'000; ++k) launch("a", {argument(k)}, {output(k)});
  const std::string all = joined();
  EXPECT_EQ(std::ranges::count(all, '['), (20'000 + 255) / 256);
}

}  // namespace
}  // namespace hyperion::codegen

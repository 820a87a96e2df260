// The counts that launches carry, on graphs whose work is known.
#include "codegen/lower/cost.hpp"

#include <gtest/gtest.h>

#include "codegen/driver/compile.hpp"
#include "ir/text/parse.hpp"

namespace hyperion::codegen {
namespace {

std::vector<runtime::Launch> launches_of(const std::string& function) {
  Diagnostics diagnostics;
  const auto module = ir::parse("hyperion 1\nmodule @m {\n" + function + "}\n", "test.hir", diagnostics);
  EXPECT_TRUE(module) << diagnostics.render();
  StageListener without_code;
  without_code.wants_code = false;
  const auto compiled = compile(**module, "f", {}, without_code);
  EXPECT_TRUE(compiled) << compiled.error().text();
  std::vector<runtime::Launch> launches;
  for (const runtime::Plan& plan : compiled->plans) {
    for (const runtime::Instruction& instruction : plan.instructions) {
      if (const auto* launch = std::get_if<runtime::Launch>(&instruction)) launches.push_back(*launch);
    }
  }
  return launches;
}

struct Counts {
  std::uint64_t flops = 0, bytes = 0;
  friend bool operator==(const Counts&, const Counts&) = default;
};
void PrintTo(const Counts& counts, std::ostream* out) { *out << counts.flops << " flops, " << counts.bytes << " bytes"; }

// Of a function that is one launch.
Counts counts_of(const std::string& function) {
  const std::vector<runtime::Launch> launches = launches_of(function);
  EXPECT_EQ(launches.size(), 1u);
  return {launches[0].flops, launches[0].bytes};
}

constexpr std::uint64_t kFloat = sizeof(float);

TEST(Cost, Add) {
  EXPECT_EQ(counts_of(R"(func @f(%x: f32[5, 7], %y: f32[5, 7]) -> f32[5, 7] {
    %0 = add %x, %y
    return %0
  })"), (Counts{35, 3 * 35 * kFloat}));
}

TEST(Cost, FmaIsTwoAndMovingIsNone) {
  EXPECT_EQ(counts_of(R"(func @f(%x: f16[40], %y: f32[40], %which: bool[40]) -> f32[40] {
    %0 = cast %x {dtype = f32}
    %1 = fma %0, %y, %y
    %2 = select %which, %1, %y
    return %2
  })"), (Counts{2 * 40, 40 * (2 + 4 + 1 + 4)}));
}

// What depends on the row alone counts once a row; what both passes over it need counts once.
TEST(Cost, Softmax) {
  const std::uint64_t rows = 6, columns = 100, each = rows * columns;
  // Maximum, difference, exp, sum, product; and for each row whether its maximum is finite, and one division.
  EXPECT_EQ(counts_of(R"(func @f(%x: f32[6, 100]) -> f32[6, 100] {
    %0 = softmax %x {axis = 1}
    return %0
  })"), (Counts{5 * each + 2 * rows, 2 * each * kFloat}));
}

TEST(Cost, ReductionsCountWhatTheyCombine) {
  EXPECT_EQ(counts_of(R"(func @f(%x: f32[30, 8]) -> f32[8] {
    %0 = mul %x, %x
    %1 = reduce %0 {axes = [0], kind = "sum"}
    %2 = sqrt %1
    return %2
  })"), (Counts{30 * 8 + 30 * 8 + 8, (30 * 8 + 8) * kFloat}));
}

TEST(Cost, OnlyWhatIsReadCounts) {
  EXPECT_EQ(counts_of(R"(func @f(%x: f32[1000, 4]) -> f32[10, 4] {
    %0 = slice %x {starts = [0, 0], limits = [10, 4], strides = [1, 1]}
    %1 = neg %0
    return %1
  })"), (Counts{40, 2 * 40 * kFloat}));
  // A row of 16 bytes for each of three indices.
  EXPECT_EQ(counts_of(R"(func @f(%table: f32[1000, 4], %indices: i32[3]) -> f32[3, 4] {
    %0 = gather %table, %indices {axis = 0}
    return %0
  })").bytes, 2 * 12 * kFloat + 3 * sizeof(std::int32_t));
  // A vector that every row needs is read once.
  EXPECT_EQ(counts_of(R"(func @f(%x: f32[50, 8], %bias: f32[8]) -> f32[50, 8] {
    %0 = broadcast %bias {dims = [1], shape = [50, 8]}
    %1 = add %x, %0
    return %1
  })"), (Counts{400, (2 * 400 + 8) * kFloat}));
}

TEST(Cost, MatmulWithWhatFollowsIt) {
  const std::uint64_t m = 8, n = 16, k = 32, sums = m * n;
  const std::vector<runtime::Launch> launches = launches_of(R"(func @f(%x: f32[8, 32], %w: f32[32, 16], %b: f32[16]) -> f32[8, 16] {
    %0 = dot %x, %w {lhs_contract = [1], rhs_contract = [0]} loc("train.cpp":7:3)
    %1 = broadcast %b {dims = [1], shape = [8, 16]}
    %2 = add %0, %1
    %3 = max %2, 0.0
    return %3
  })");
  ASSERT_FALSE(launches.empty());
  const runtime::Launch& work = launches.back();
  EXPECT_EQ(work.flops, 2 * m * n * k + 2 * sums);
  EXPECT_EQ(work.bytes, (m * k + k * n + n + sums) * kFloat);
  EXPECT_EQ(work.location, "train.cpp:7:3");
  EXPECT_EQ(work.unit, runtime::ArithmeticUnit::vector);
}

// Packing is a launch of its own, which does no arithmetic and moves one operand.
TEST(Cost, PackingOnlyMoves) {
  const std::uint64_t n = 1024;
  const std::vector<runtime::Launch> launches = launches_of(R"(func @f(%x: f32[1024, 1024], %w: f32[1024, 1024]) -> f32[1024, 1024] {
    %0 = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
    return %0
  })");
  std::uint64_t flops = 0;
  for (const runtime::Launch& launch : launches) {
    flops += launch.flops;
    if (launch.label.ends_with(" (pack)")) {
      EXPECT_EQ(launch.flops, 0u);
      EXPECT_GE(launch.bytes, 2 * n * n * kFloat);
      EXPECT_LT(launch.bytes, 3 * n * n * kFloat);
    } else {
      EXPECT_EQ(launch.bytes, 3 * n * n * kFloat);
    }
  }
  EXPECT_EQ(flops, 2 * n * n * n);
}

// Sums of integers are no packed kernel, but the same work.
TEST(Cost, AFoldOfFma) {
  EXPECT_EQ(counts_of(R"(func @f(%x: i32[4, 5], %w: i32[5, 6]) -> i32[4, 6] {
    %0 = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
    return %0
  })"), (Counts{2 * 4 * 5 * 6, (20 + 30 + 24) * sizeof(std::int32_t)}));
}

}  // namespace
}  // namespace hyperion::codegen

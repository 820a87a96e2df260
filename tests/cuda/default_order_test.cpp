// Sums in the order that suits the GPU: rows held whole and rows walked, columns and everything cut into parts,
// products whose depth is cut. Against the CPU's compiled code, within the rounding of f32 sums of that length.
#include <gtest/gtest.h>

#include <cmath>

#include "ir/builder.hpp"
#include "tests/cuda/cuda_testing.hpp"
#include "tests/support/numeric.hpp"

namespace hyperion {
namespace {

using testing_support::gpu;

struct Case {
  const char* op;
  ir::Attributes attributes;
  std::vector<Type> operands;
};

Type typed(DType dtype, const std::vector<std::int64_t>& sizes) {
  ir::Dims dims;
  for (std::int64_t size : sizes) dims.push_back(Dim(size));
  return Type(dtype, dims);
}
Type f32(const std::vector<std::int64_t>& sizes) { return typed(DType::f32, sizes); }

std::vector<Case> cases() {
  std::vector<Case> all;
  const std::int64_t lengths[] = {1,    3,    17,   33,   100,   128,   257,   768,  1000,
                                  1024, 4096, 8192, 8196, 16384, 16388, 50304, 70001};
  for (std::int64_t length : lengths) {
    for (std::int64_t rows : {1, 3, 130}) {
      if (rows * length > 3'000'000) continue;
      for (const char* kind : {"sum", "max"}) {
        all.push_back({"reduce",
                       {{"axes", ir::Integers{1}}, {"kind", std::string(kind)}, {"order", std::string("lanes")}},
                       {f32({rows, length})}});
        all.push_back({"reduce", {{"axes", ir::Integers{0}}, {"kind", std::string(kind)}}, {f32({length, rows})}});
      }
      all.push_back({"softmax", {{"axis", std::int64_t{1}}}, {f32({rows, length})}});
      all.push_back({"layer_norm", {}, {f32({rows, length}), f32({length}), f32({length})}});
      all.push_back({"rms_norm", {}, {f32({rows, length}), f32({length})}});
    }
  }
  all.push_back({"reduce",
                 {{"axes", ir::Integers{0, 1, 2}}, {"kind", std::string("sum")}, {"order", std::string("lanes")}},
                 {f32({37, 64, 129})}});
  all.push_back({"reduce", {{"axes", ir::Integers{0, 2}}, {"kind", std::string("sum")}}, {f32({64, 24, 100})}});
  all.push_back({"reduce",
                 {{"axes", ir::Integers{1, 2}}, {"kind", std::string("min")}, {"order", std::string("lanes")}},
                 {f32({5, 28, 30})}});
  // Down columns that are as many as chunks, or not; by themselves, in the middle of axes, of several axes, one sum in
  // another.
  const auto down = [](ir::Integers axes) {
    return ir::Attributes{{"axes", std::move(axes)}, {"kind", std::string("sum")}};
  };
  for (const DType dtype : {DType::f32, DType::bf16, DType::f64, DType::i32}) {
    for (const std::int64_t columns : {2, 10, 32, 130, 512, 1000}) {
      all.push_back({"reduce", down({0}), {typed(dtype, {100, columns})}});
      all.push_back({"reduce", down({1}), {typed(dtype, {3, 257, columns})}});
      all.push_back({"reduce", down({0, 1}), {typed(dtype, {9, 40, columns})}});
      all.push_back({"reduce", down({1, 2}), {typed(dtype, {2, 7, 33, columns})}});
      if (!is_floating(dtype)) continue;
      all.push_back({"variance", {{"axes", ir::Integers{0}}}, {typed(dtype, {777, columns})}});
      all.push_back({"mean", {{"axes", ir::Integers{0}}}, {typed(dtype, {16, columns})}});
    }
  }
  const auto dot = [](std::int64_t contracted) {
    return ir::Attributes{{"lhs_batch", ir::Integers{}},
                          {"rhs_batch", ir::Integers{}},
                          {"lhs_contract", ir::Integers{contracted}},
                          {"rhs_contract", ir::Integers{0}}};
  };
  all.push_back({"dot", dot(0), {f32({5000, 33}), f32({5000, 20})}});
  all.push_back({"dot", dot(1), {f32({10, 2048}), f32({2048, 10})}});
  return all;
}

TEST(DefaultOrder, MatchesTheCpuWithinRounding) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  for (const Case& one : cases()) {
    ir::Module module("one");
    ir::Builder b(module.add("f"), &module);
    std::vector<ir::Value> operands;
    std::vector<LiteralPtr> arguments;
    std::int64_t longest = 1;
    std::string text = one.op;
    for (Type type : one.operands) {
      operands.push_back(b.parameter(type));
      arguments.push_back(
          testing_support::random_literal(type, testing_support::Values::ordinary, 3 + operands.size(), -1, 1));
      longest = std::max(longest, type.element_count());
      text += " " + type.text();
    }
    b.return_values(b.apply_all(one.op, operands, one.attributes));
    const auto expected = codegen::run_compiled(module, "f", arguments);
    const auto actual =
        codegen::run_compiled(module, "f", arguments, {.target = testing_support::cuda_target(false)}, *gpu());
    ASSERT_TRUE(expected) << expected.error().text();
    ASSERT_TRUE(actual) << text << ": " << actual.error().text();
    for (std::size_t k = 0; k < expected->size(); ++k) {
      const std::vector<double> x = testing_support::numbers((*expected)[k]),
                                y = testing_support::numbers((*actual)[k]);
      ASSERT_EQ(x.size(), y.size());
      // Errors of sums grow with the root of their length.
      const double of_sums = 0x1p-23 * (4 + std::sqrt(static_cast<double>(longest)));
      const double unit = one.operands[0].dtype() == DType::bf16 ? std::max(of_sums, 0x1p-7) : of_sums;
      for (std::size_t e = 0; e < x.size(); ++e)
        ASSERT_NEAR(x[e], y[e], unit * (1 + std::abs(x[e]))) << text << " at " << e;
    }
  }
}

// The same bits from run to run, whatever else the machine does.
TEST(DefaultOrder, IsTheSameEachTime) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  ir::Module module("sums");
  ir::Builder b(module.add("f"), &module);
  const ir::Value x = b.parameter(f32({4096, 257}));
  b.return_values(std::vector{
      b.apply("reduce", {x}, {{"axes", ir::Integers{0}}, {"kind", std::string("sum")}}),
      b.apply("reduce", {x},
              {{"axes", ir::Integers{0, 1}}, {"kind", std::string("sum")}, {"order", std::string("lanes")}})});
  const std::vector<LiteralPtr> arguments{
      testing_support::random_literal(f32({4096, 257}), testing_support::Values::ordinary, 9, -1, 1)};
  const auto first =
      codegen::run_compiled(module, "f", arguments, {.target = testing_support::cuda_target(false)}, *gpu());
  ASSERT_TRUE(first) << first.error().text();
  for (int run = 0; run < 20; ++run) {
    const auto again =
        codegen::run_compiled(module, "f", arguments, {.target = testing_support::cuda_target(false)}, *gpu());
    ASSERT_TRUE(again);
    for (std::size_t k = 0; k < 2; ++k) EXPECT_EQ(testing_support::difference((*first)[k], (*again)[k]), "");
  }
}

}  // namespace
}  // namespace hyperion

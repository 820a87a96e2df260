// cumulative, scatter and arg_sort have kernels of their own, which walk an axis in order. Against the interpreter, bit for
// bit: axes first, last and between, rows narrower and wider than a slab, duplicates in the indices, indices out of range.
#include <gtest/gtest.h>

#include "codegen/driver/run.hpp"
#include "ir/builder.hpp"
#include "ir/support/format.hpp"
#include "ir/text/print.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/programs.hpp"

namespace hyperion {
namespace {

using ir::Value;

// Elements after the axis: none, less than a vector, whole and ragged vectors, more than one slab.
constexpr std::int64_t kInner[] = {1, 3, 16, 37, 128, 300};
constexpr DType kTypes[] = {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i32, DType::u8};

void expect_interpreted_bits(const ir::Module& module, const std::vector<LiteralPtr>& arguments) {
  const auto expected = testing_support::run(module, "f", arguments);
  for (const char* name : {"host", "x86-64-v3"}) {
    const codegen::CpuTarget target = *codegen::named_target(name);
    if (!codegen::runs_here(target)) continue;
    const auto actual = codegen::run_compiled(module, "f", arguments, {.target = target}, 2);
    ASSERT_TRUE(actual) << actual.error().text() << "\n" << ir::print(module);
    for (std::size_t k = 0; k < expected.size(); ++k) {
      ASSERT_EQ(testing_support::difference(expected[k], (*actual)[k]), "") << ir::print(module);
    }
  }
}

TEST(CompiledCumulative, EveryKindAxisAndDirection) {
  unsigned seed = 0;
  for (const std::int64_t inner : kInner) {
    ir::Module module("programs");
    ir::Builder b(module.add("f"), &module);
    std::vector<Value> results;
    for (const DType dtype : kTypes) {
      for (const std::string kind : {"sum", "prod", "max", "min"}) {
        const unsigned k = seed++;
        const int axis = inner == 1 ? 2 : static_cast<int>(k % 2);
        const Value x = b.parameter(Type(dtype, {Dim(3), Dim(7), Dim(inner == 1 ? 21 : inner)}));
        results.push_back(b.apply("cumulative", {x},
                                  {{"kind", kind},
                                   {"axis", std::int64_t{axis}},
                                   {"reverse", k % 3 == 1},
                                   {"exclusive", k % 5 < 2}}));
      }
    }
    b.return_values(results);
    expect_interpreted_bits(module, testing_support::random_arguments(*module.find("f"), seed, -2, 3));
  }
}

TEST(CompiledCumulative, ReadsThroughViews) {
  const auto module = testing_support::module_of(R"(func @f(%x: f32[40, 6, 5]) -> f32[5, 6, 40], f32[4, 9] {
    %0 = transpose %x {permutation = [2, 1, 0]}
    %1 = cumulative %0 {axis = 1, kind = "sum"}
    %2 = constant 1.5 : f32[4, 9]
    %3 = cumulative %2 {axis = 0, kind = "prod"}
    return %1, %3
  })");
  expect_interpreted_bits(*module, testing_support::random_arguments(*module->find("f"), 1));
}

TEST(CompiledScatter, DuplicatesAndIndicesOutOfRange) {
  constexpr std::int64_t kLength = 5;
  static constexpr DType kIndices[] = {DType::i64, DType::i32, DType::u8, DType::i8, DType::u64};
  std::mt19937_64 random(5);
  for (const std::int64_t inner : kInner) {
    ir::Module module("programs");
    ir::Builder b(module.add("f"), &module);
    std::vector<Value> results;
    std::vector<LiteralPtr> arguments;
    unsigned which = 0;
    const auto parameter = [&](Type type, double low, double high) {
      arguments.push_back(testing_support::random_literal(type, random, low, high));
      return b.parameter(type);
    };
    for (const DType dtype : kTypes) {
      for (const std::string kind : {"set", "add", "mul", "min", "max"}) {
        const unsigned k = which++;
        const bool batched = k % 2 == 0, before = k % 3 == 0;
        std::vector<Dim> x, indices, updates;
        if (batched) x.push_back(Dim(2)), indices.push_back(Dim(2)), updates.push_back(Dim(2));
        if (before) x.push_back(Dim(3)), updates.push_back(Dim(3));
        x.push_back(Dim(kLength));
        indices.insert(indices.end(), {Dim(4), Dim(3)});  // more than there are rows
        updates.insert(updates.end(), {Dim(4), Dim(3)});
        if (inner > 1) x.push_back(Dim(inner)), updates.push_back(Dim(inner));
        const Value into = parameter(Type(dtype, x), -2, 3);
        const DType index = kIndices[k % 5];
        const bool is_unsigned = index == DType::u8 || index == DType::u64;
        const Value at = parameter(Type(index, indices), is_unsigned ? 0 : -2, kLength + 2);
        results.push_back(b.apply("scatter", {into, at, parameter(Type(dtype, updates), -2, 3)},
                                  {{"kind", kind},
                                   {"axis", std::int64_t{batched} + std::int64_t{before}},
                                   {"batch", std::int64_t{batched}}}));
      }
    }
    b.return_values(results);
    expect_interpreted_bits(module, arguments);
  }
}

// The ends of what an index can be, where the row after it does not exist as a number.
TEST(CompiledScatter, ExtremeIndices) {
  const auto module = testing_support::module_of(R"(func @f(%x: f32[3], %u: f32[4], %v: u64[2], %w: f32[2]) -> f32[3], f32[3] {
    %i = constant [9223372036854775807, -9223372036854775808, 2, -1] : i64[4]
    %0 = scatter %x, %i, %u {axis = 0, kind = "add"}
    %1 = scatter %x, %v, %w {axis = 0, kind = "set"}
    return %0, %1
  })");
  expect_interpreted_bits(*module, testing_support::random_arguments(*module->find("f"), 1));
}

TEST(CompiledScatter, NothingToUpdateOrToWrite) {
  const auto module = testing_support::module_of(R"(func @f(%x: f32[3, 4], %i: i32[0], %u: f32[0, 4], %e: f32[0, 4], %j: i32[2], %v: f32[2, 4]) -> f32[3, 4], f32[0, 4] {
    %0 = scatter %x, %i, %u {axis = 0}
    %1 = scatter %e, %j, %v {axis = 0}
    return %0, %1
  })");
  expect_interpreted_bits(*module, testing_support::random_arguments(*module->find("f"), 1));
}

// Lines of no whole number of runs, with equals, in both directions; elements that are narrow, wide, signed and not.
TEST(CompiledArgSort, EveryLengthTypeAndDirection) {
  unsigned which = 0;
  for (const DType dtype : {DType::f32, DType::f64, DType::bf16, DType::i32, DType::u8, DType::bool_, DType::i64}) {
    ir::Module module("programs");
    ir::Builder b(module.add("f"), &module);
    std::vector<Value> results;
    for (const std::int64_t length : {1, 2, 3, 8, 21, 33}) {
      const unsigned k = which++;
      const std::int64_t axis = k % 3;
      std::vector<Dim> dims{Dim(2), Dim(3), Dim(2)};
      dims[static_cast<std::size_t>(axis)] = Dim(length);
      results.push_back(b.apply("arg_sort", {b.parameter(Type(dtype, dims))},
                                {{"axis", axis}, {"descending", k % 2 == 0}, {"dtype", k % 4 < 2 ? DType::i32 : DType::i64}}));
    }
    b.return_values(results);
    expect_interpreted_bits(module, testing_support::random_arguments(*module.find("f"), which, -9, 9));
  }
}

TEST(CompiledArgSort, SpecialValuesAndViews) {
  const auto module = testing_support::module_of(R"(func @f(%x: f32[5, 7]) -> i64[7, 5], i64[8], i32[6] {
    %0 = transpose %x {permutation = [1, 0]}
    %1 = arg_sort %0 {axis = 1}
    %2 = constant [1.0, nan, -0.0, inf, 0.0, nan, 1.0, -inf] : f32[8]
    %3 = arg_sort %2 {axis = 0, descending = true}
    %4 = constant 2.0 : f16[6]
    %5 = arg_sort %4 {axis = 0, dtype = i32}
    return %1, %3, %5
  })");
  expect_interpreted_bits(*module, testing_support::random_arguments(*module->find("f"), 1));
}

}  // namespace
}  // namespace hyperion

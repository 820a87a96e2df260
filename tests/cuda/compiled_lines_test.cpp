// Kernels that work on whole lines of a tensor have forms of their own on a GPU. Against the interpreter, bit for bit,
// where there is a GPU; compiled where there is an NVRTC.
#include "ir/builder.hpp"
#include "ir/interpreter.hpp"
#include "ir/text/print.hpp"
#include "tests/cuda/cuda_testing.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/programs.hpp"

namespace hyperion {
namespace {

using ir::Value;
using testing_support::gpu;

void expect_interpreted_bits(const ir::Module& module, const std::vector<LiteralPtr>& arguments) {
  // No sum here depends on the order that `bitwise` asks for.
  const codegen::DriverOptions options{.target = testing_support::cuda_target(/*bitwise=*/false)};
  if (gpu() == nullptr) return testing_support::expect_code(module, options, "f");
  const auto expected = testing_support::run(module, "f", arguments);
  const auto actual = codegen::run_compiled(module, "f", arguments, options, *gpu());
  ASSERT_TRUE(actual) << actual.error().text() << "\n" << ir::print(module);
  for (std::size_t k = 0; k < expected.size(); ++k) {
    EXPECT_EQ(testing_support::difference(expected[k], (*actual)[k]), "") << "result " << k << "\n"
                                                                          << ir::print(module);
  }
}

// What a scatter looks like; x is [batch, before, length, inner], or zeros.
struct Scatter {
  std::int64_t batch, before, length, inner, positions;
};

// Lines of one element and of whole and ragged vectors; fewer and more lines than blocks of threads; and more updates
// of a line than are found at once.
constexpr Scatter kScatters[] = {{1, 1, 40, 1, 90},  {2, 3, 5, 8, 12},  {1, 1, 7, 33, 40},
                                 {1, 2, 3, 6, 4500}, {1, 1, 900, 1, 7}, {3, 1, 64, 16, 33}};

TEST(CudaScatter, DuplicatesAndIndicesOutOfRange) {
  static constexpr DType kIndices[] = {DType::i64, DType::i32, DType::u8, DType::i8, DType::u64};
  unsigned which = 0;
  std::mt19937_64 random(7);
  // Others are among the samples of CudaOps; compiling takes a second a kernel.
  for (const DType dtype : {DType::f32, DType::bf16, DType::i32}) {
    ir::Module module("scatters");
    ir::Builder b(module.add("f"), &module);
    std::vector<Value> results;
    std::vector<LiteralPtr> arguments;
    const auto parameter = [&](Type type, double low, double high) {
      arguments.push_back(testing_support::random_literal(type, random, low, high));
      return b.parameter(type);
    };
    for (const Scatter& s : kScatters) {
      const unsigned k = which++;
      const Type x(dtype, {Dim(s.batch), Dim(s.before), Dim(s.length), Dim(s.inner)});
      const Type updates(dtype, {Dim(s.batch), Dim(s.before), Dim(s.positions), Dim(s.inner)});
      const DType index = kIndices[k % 5];
      const bool is_unsigned = index == DType::u8 || index == DType::u64;
      const auto beyond = static_cast<double>(std::min<std::int64_t>(s.length + 2, 127));
      const Value into = k % 3 == 0 ? b.zeros(x) : parameter(x, -2, 3);
      const Value at = parameter(Type(index, {Dim(s.batch), Dim(s.positions)}), is_unsigned ? 0 : -2, beyond);
      static constexpr const char* kKinds[] = {"add", "set", "mul", "min", "max", "add", "add"};
      results.push_back(
          b.apply("scatter", {into, at, parameter(updates, -2, 3)},
                  {{"kind", std::string(kKinds[k % 7])}, {"axis", std::int64_t{2}}, {"batch", std::int64_t{1}}}));
    }
    b.return_values(results);
    expect_interpreted_bits(module, arguments);
  }
}

TEST(CudaScatter, ReadsThroughViews) {
  const auto module =
      testing_support::module_of(R"(func @f(%x: f32[6, 40], %i: i32[3, 2], %u: f32[6, 3, 2]) -> f32[40, 6], i32[9] {
    %0 = transpose %x {permutation = [1, 0]}
    %1 = transpose %u {permutation = [1, 2, 0]}
    %2 = scatter %0, %i, %1 {axis = 0, kind = "max"}
    %3 = constant 0 : i32[9]
    %4 = constant 1 : i32[3, 2]
    %5 = scatter %3, %i, %4 {axis = 0, kind = "add"}
    return %2, %5
  })");
  expect_interpreted_bits(*module, testing_support::random_arguments(*module->find("f"), 1, -1, 9));
}

TEST(CudaScatter, ExtremeIndices) {
  const auto module =
      testing_support::module_of(R"(func @f(%x: f32[3], %u: f32[4], %v: u64[2], %w: f32[2]) -> f32[3], f32[3], f32[3] {
    %i = constant [9223372036854775807, -9223372036854775808, 2, -1] : i64[4]
    %0 = scatter %x, %i, %u {axis = 0, kind = "add"}
    %1 = scatter %x, %v, %w {axis = 0, kind = "set"}
    %2 = constant 7 : i64[]
    %3 = slice %u {limits = [1], starts = [0], strides = [1]}
    %4 = reshape %3 {shape = []}
    %5 = scatter %x, %2, %4 {axis = 0, kind = "add"}
    return %0, %1, %5
  })");
  expect_interpreted_bits(*module, testing_support::random_arguments(*module->find("f"), 1));
}

// What a block sorts, one element more and less, and lines of several parts. Long lines are not for the interpreter,
// which counts: their order is checked against the CPU's.
TEST(CudaArgSort, EveryLengthTypeAndDirection) {
  unsigned which = 0;
  for (const DType dtype : {DType::f32, DType::f64, DType::bf16, DType::i32, DType::u8, DType::bool_, DType::i64}) {
    ir::Module module("sorts");
    ir::Builder b(module.add("f"), &module);
    std::vector<Value> results;
    for (const std::int64_t length : {1, 2, 3, 33, 2047, 2048, 2049, 4096, 4097, 9000}) {
      const unsigned k = which++;
      const std::int64_t axis = k % 3;
      std::vector<Dim> dims{Dim(2), Dim(1), Dim(3)};
      dims[static_cast<std::size_t>(axis)] = Dim(length);
      results.push_back(
          b.apply("arg_sort", {b.parameter(Type(dtype, dims))},
                  {{"axis", axis}, {"descending", k % 2 == 0}, {"dtype", k % 4 < 2 ? DType::i32 : DType::i64}}));
    }
    b.return_values(results);
    const codegen::DriverOptions options{.target = testing_support::cuda_target(/*bitwise=*/false)};
    if (gpu() == nullptr) {
      testing_support::expect_code(module, options, "f");
      continue;
    }
    const auto arguments = testing_support::random_arguments(*module.find("f"), which, -90, 90);
    const auto expected = codegen::run_compiled(module, "f", arguments, codegen::DriverOptions{}, 2);
    const auto actual = codegen::run_compiled(module, "f", arguments, options, *gpu());
    ASSERT_TRUE(expected && actual) << (actual ? expected : actual).error().text();
    for (std::size_t k = 0; k < expected->size(); ++k)
      EXPECT_EQ(testing_support::difference((*expected)[k], (*actual)[k]), "")
          << "result " << k << ", " << dtype_name(dtype);
  }
}

TEST(CudaArgSort, SpecialValuesAndViews) {
  const auto module = testing_support::module_of(R"(func @f(%x: f32[5, 7]) -> i64[7, 5], i64[8], i64[8], i32[6] {
    %0 = transpose %x {permutation = [1, 0]}
    %1 = arg_sort %0 {axis = 1}
    %2 = constant [1.0, nan, -0.0, inf, 0.0, nan, 1.0, -inf] : f32[8]
    %3 = arg_sort %2 {axis = 0, descending = true}
    %6 = cast %2 {dtype = f64}
    %7 = arg_sort %6 {axis = 0}
    %4 = constant 2.0 : f16[6]
    %5 = arg_sort %4 {axis = 0, dtype = i32}
    return %1, %3, %7, %5
  })");
  expect_interpreted_bits(*module, testing_support::random_arguments(*module->find("f"), 1));
}

}  // namespace
}  // namespace hyperion

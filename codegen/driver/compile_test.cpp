// Compiled code against the interpreter, bit for bit, on small programs that exercise each kind of loop nest.
#include "codegen/driver/compile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "codegen/driver/run.hpp"
#include "ir/interpreter.hpp"
#include "ir/support/format.hpp"
#include "ir/text/parse.hpp"
#include "ir/text/print.hpp"

namespace hyperion::codegen {
namespace {

LiteralPtr random_literal(Type type, std::mt19937_64& random) {
  std::vector<std::byte> bytes(type.bytes());
  const std::size_t size = byte_size(type.dtype());
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    const double unit = static_cast<double>(random() >> 11) * 0x1p-53;
    element_from_double(type.dtype(), is_boolean(type.dtype()) ? static_cast<double>(unit < 0.5) : unit * 8 - 4, bytes.data() + at);
  }
  return Literal::make(type, bytes);
}

bool same_bits(const Literal& a, const Literal& b) {
  if (a.type() != b.type()) return false;
  for (std::int64_t i = 0; i < a.type().element_count(); ++i) {
    const auto x = a.element(i), y = b.element(i);
    if (std::memcmp(x.data(), y.data(), x.size()) == 0) continue;
    // All NaNs are one value.
    if (is_floating(a.type().dtype()) && std::isnan(element_to_double(a.type().dtype(), x.data())) &&
        std::isnan(element_to_double(a.type().dtype(), y.data()))) {
      continue;
    }
    return false;
  }
  return true;
}

void expect_compiled_as_interpreted(const std::string& body) {
  const std::string text = "hyperion 1\nmodule @m {\n" + body + "}\n";
  Diagnostics diagnostics;
  auto module = ir::parse(text, "test.hir", diagnostics);
  ASSERT_TRUE(module) << diagnostics.render();
  const ir::Function& f = *(*module)->find("f");
  std::mt19937_64 random(7);
  std::vector<LiteralPtr> arguments;
  for (Type type : f.parameter_types()) arguments.push_back(random_literal(type, random));
  const auto expected = ir::interpret(**module, f, arguments);
  ASSERT_TRUE(expected) << expected.error().text();
  for (const bool fused : {true, false}) {
    DriverOptions options;
    options.fusion.enabled = fused;
    StageListener listener;
    listener.module = [&](Stage stage, const ir::Module& shown) {
      Diagnostics defects;
      if (stage == Stage::kernels) {
        EXPECT_TRUE(ir::verify(shown, defects)) << defects.render();
      }
    };
    const std::unique_ptr<ir::Module> copy = (*module)->clone();
    ASSERT_TRUE(compile(*copy, "f", options, listener));
    const auto actual = run_compiled(**module, "f", arguments, options, 2);
    ASSERT_TRUE(actual) << actual.error().text();
    for (std::size_t k = 0; k < actual->size(); ++k) {
      const Literal &want = *(*expected)[k], &got = *(*actual)[k];
      if (same_bits(want, got)) continue;
      std::string difference;
      for (std::int64_t i = 0; i < want.type().element_count() && difference.size() < 200; ++i) {
        const double a = element_to_double(want.type().dtype(), want.element(i).data());
        const double b = element_to_double(got.type().dtype(), got.element(i).data());
        if (a != b) difference += "[" + std::to_string(i) + "] " + std::to_string(a) + " vs " + std::to_string(b) + "  ";
      }
      ADD_FAILURE() << "result " << k << (fused ? " fused: " : " unfused: ") << difference << "\n" << body;
    }
  }
}

TEST(Compile, ElementwiseChain) {
  expect_compiled_as_interpreted(R"(  func @f(%x: f32[5, 37], %y: f32[5, 37]) -> f32[5, 37] {
    %0 = mul %x, %y : f32[5, 37]
    %1 = exp %0 : f32[5, 37]
    %2 = add %1, %x : f32[5, 37]
    return %2
  }
)");
}

TEST(Compile, SeveralTiles) {
  expect_compiled_as_interpreted(R"(  func @f(%x: f32[10007]) -> f32[10007] {
    %0 = mul %x, %x : f32[10007]
    return %0
  }
)");
}

TEST(Compile, BroadcastAndTranspose) {
  expect_compiled_as_interpreted(R"(  func @f(%x: f32[7, 19], %b: f32[19]) -> f32[19, 7] {
    %0 = broadcast %b {dims = [1], shape = [7, 19]} : f32[7, 19]
    %1 = add %x, %0 : f32[7, 19]
    %2 = transpose %1 {permutation = [1, 0]} : f32[19, 7]
    return %2
  }
)");
}

TEST(Compile, Softmax) {
  expect_compiled_as_interpreted(R"(  func @f(%x: f32[6, 150]) -> f32[6, 150] {
    %0 = reduce %x {axes = [1], kind = "max", order = "lanes"} : f32[6]
    %1 = broadcast %0 {dims = [0], shape = [6, 150]} : f32[6, 150]
    %2 = sub %x, %1 : f32[6, 150]
    %3 = exp %2 : f32[6, 150]
    %4 = reduce %3 {axes = [1], kind = "sum", order = "lanes"} : f32[6]
    %5 = broadcast %4 {dims = [0], shape = [6, 150]} : f32[6, 150]
    %6 = div %3, %5 : f32[6, 150]
    return %6
  }
)");
}

TEST(Compile, ColumnAndWholeReductions) {
  expect_compiled_as_interpreted(R"(  func @f(%x: f32[33, 70]) -> f32[70], f32[33], f32[] {
    %0 = mul %x, %x : f32[33, 70]
    %1 = reduce %0 {axes = [0], kind = "sum"} : f32[70]
    %2 = reduce %x {axes = [1], kind = "min", order = "lanes"} : f32[33]
    %3 = reduce %x {axes = [0, 1], kind = "sum", order = "lanes"} : f32[]
    return %1, %2, %3
  }
)");
}

TEST(Compile, DotWithEpilogue) {
  expect_compiled_as_interpreted(R"(  func @f(%x: f32[17, 29], %w: f32[29, 45], %b: f32[45]) -> f32[17, 45] {
    %0 = dot %x, %w {lhs_contract = [1], rhs_contract = [0]} : f32[17, 45]
    %1 = broadcast %b {dims = [1], shape = [17, 45]} : f32[17, 45]
    %2 = add %0, %1 : f32[17, 45]
    %3 = constant 0.0 : f32[17, 45]
    %4 = max %2, %3 : f32[17, 45]
    return %4
  }
)");
}

// How many kernels of the compiled module hold `op`.
int kernels_with(const std::string& body, std::string_view op) {
  Diagnostics diagnostics;
  auto module = ir::parse("hyperion 1\nmodule @m {\n" + body + "}\n", "test.hir", diagnostics);
  if (!module) return -1;
  if (!compile(**module, "f", {})) return -1;
  int count = 0;
  for (const auto& function : (*module)->functions()) {
    if (function->kind != ir::FunctionKind::kernel) continue;
    count += ir::print(*function).contains(format(" {} ", op));
  }
  return count;
}

// What a contraction reads has its result's shape here, which must not draw it into the contraction's own kernel.
TEST(Compile, OperandsOfTheResultsShapeStayOutside) {
  const std::string square = R"(  func @f(%x: f32[24, 24], %w: f32[24, 24]) -> f32[24, 24] {
    %0 = exp %x : f32[24, 24]
    %1 = dot %0, %w {lhs_contract = [1], rhs_contract = [0]} : f32[24, 24]
    %2 = add %1, %0 : f32[24, 24]
    return %2
  }
)";
  expect_compiled_as_interpreted(square);
  EXPECT_EQ(kernels_with(square, "contract"), 1);
  const std::string same = R"(  func @f(%x: f32[2, 4, 7, 7], %w: f32[4, 4, 3, 3]) -> f32[2, 4, 7, 7] {
    %z = constant 0.0 : f32[2, 4, 7, 7]
    %0 = max %x, %z : f32[2, 4, 7, 7]
    %1 = conv %0, %w {dilations = [1, 1], strides = [1, 1], padding_low = [1, 1], padding_high = [1, 1]} : f32[2, 4, 7, 7]
    %2 = max %1, %z : f32[2, 4, 7, 7]
    %3 = add %2, %x : f32[2, 4, 7, 7]
    return %3
  }
)";
  expect_compiled_as_interpreted(same);
  EXPECT_EQ(kernels_with(same, "convolve"), 1);
}

TEST(Compile, DotLayouts) {
  expect_compiled_as_interpreted(R"(  func @f(%x: f32[3, 17, 29], %w: f32[3, 45, 29]) -> f32[3, 17, 45], f32[3, 45, 17] {
    %0 = dot %x, %w {lhs_batch = [0], lhs_contract = [2], rhs_batch = [0], rhs_contract = [2]} : f32[3, 17, 45]
    %1 = transpose %0 {permutation = [0, 2, 1]} : f32[3, 45, 17]
    return %0, %1
  }
)");
}

// Reads across the rows of a buffer run in square tiles; ragged ends, several buffers, other widths.
TEST(Compile, TransposedReads) {
  const auto text = [](int rows, int columns, std::string_view dtype) {
    return format(R"(  func @f(%x: {2}[3, {1}, {0}], %y: {2}[3, {0}, {1}], %b: {2}[{0}]) -> {2}[3, {0}, {1}], {2}[3, {0}, {1}] {{
    %0 = transpose %x {{permutation = [0, 2, 1]}} : {2}[3, {0}, {1}]
    %1 = add %0, %y : {2}[3, {0}, {1}]
    %2 = broadcast %b {{dims = [1], shape = [3, {0}, {1}]}} : {2}[3, {0}, {1}]
    %3 = mul %1, %2 : {2}[3, {0}, {1}]
    return %1, %3
  }}
)",
                  rows, columns, dtype);
  };
  for (const auto& [rows, columns] : {std::pair(16, 96), {35, 47}, {160, 9}, {8, 180}}) {
    expect_compiled_as_interpreted(text(rows, columns, "f32"));
  }
  for (const std::string_view dtype : {"f64", "bf16", "i8"}) expect_compiled_as_interpreted(text(35, 43, dtype));
  EXPECT_EQ(kernels_with(text(37, 48, "f32"), "transpose_lanes"), 1);
}

// Kernels that follow one another hand on one piece of memory, unless somebody still reads what lies in it.
TEST(Compile, ResultsTakeTheMemoryOfDeadOperands) {
  const std::string chain = R"(  func @f(%x: f32[1000], %y: f32[1000]) -> f32[1000] {
    %0 = exp %x : f32[1000]
    %1 = neg %0 : f32[1000]
    %2 = mul %1, %1 : f32[1000]
    %3 = add %2, %y : f32[1000]
    %4 = sub %3, %2 : f32[1000]
    %5 = neg %4 : f32[1000]
    return %5
  }
)";
  expect_compiled_as_interpreted(chain);
  Diagnostics diagnostics;
  auto module = ir::parse("hyperion 1\nmodule @m {\n" + chain + "}\n", "test.hir", diagnostics);
  ASSERT_TRUE(module) << diagnostics.render();
  DriverOptions options;
  options.fusion.enabled = false;
  const auto compiled = compile(**module, "f", options);
  ASSERT_TRUE(compiled) << compiled.error().text();
  // %0, %1, %2 and %4 in one piece, %3 in another while %2 is still wanted.
  ASSERT_EQ(compiled->plans.size(), 1u);
  EXPECT_GE(compiled->plans[0].arena_bytes, 2u * 4000);
  EXPECT_LT(compiled->plans[0].arena_bytes, 3u * 4000);
}

TEST(Compile, SmallFloatsIntegersAndBools) {
  expect_compiled_as_interpreted(R"(  func @f(%x: f16[50], %y: bf16[50], %i: i32[50]) -> f16[50], bf16[50], i32[50], bool[50] {
    %0 = mul %x, %x : f16[50]
    %1 = exp %y : bf16[50]
    %2 = div %i, %i : i32[50]
    %3 = compare %i, %2 {direction = "lt"} : bool[50]
    return %0, %1, %2, %3
  }
)");
}

TEST(Compile, ReshapeIsFreeAndResultsMayRepeat) {
  expect_compiled_as_interpreted(R"(  func @f(%x: f32[4, 6]) -> f32[24], f32[24], f32[4, 6] {
    %0 = neg %x : f32[4, 6]
    %1 = reshape %0 {shape = [24]} : f32[24]
    %2 = exp %1 : f32[24]
    return %2, %2, %x
  }
)");
}

TEST(Compile, EmptyTensors) {
  expect_compiled_as_interpreted(R"(  func @f(%x: f32[0, 5], %y: f32[5, 0]) -> f32[0, 5], f32[5], f32[5] {
    %0 = exp %x : f32[0, 5]
    %1 = reduce %x {axes = [0], kind = "sum"} : f32[5]
    %2 = reduce %y {axes = [1], kind = "max", order = "lanes"} : f32[5]
    return %0, %1, %2
  }
)");
}

// Kernels enough for several objects, contractions among them, all of them different.
std::string many_kernels() {
  std::string text = "hyperion 1\nmodule @m {\nfunc @f(%x0: f32[4, 4]) -> f32[4, 4] {\n";
  for (int k = 0; k < 24; ++k) {
    text += format("  %y{0} = mul %x{0}, {1}.5\n  %t{0} = tanh %y{0}\n", k, k);
    text += format("  %x{0} = dot %t{1}, %x{1} {{lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]}}\n",
                   k + 1, k);
  }
  return text + "  return %x24\n}\n}\n";
}

TEST(Compile, DealsKernelsOutToSeveralObjectsTheSameWayEveryTime) {
  Diagnostics diagnostics;
  const auto module = ir::parse(many_kernels(), "test.hir", diagnostics);
  ASSERT_TRUE(module) << diagnostics.render();
  std::vector<std::byte> first;
  for (int repetition = 0; repetition < 3; ++repetition) {
    const auto compiled = compile(*(*module)->clone(), "f");
    ASSERT_TRUE(compiled) << compiled.error().text();
    EXPECT_GT(compiled->objects.size(), 2u);
    const std::vector<std::byte> bytes = compiled->serialize();
    if (repetition == 0) first = bytes;
    EXPECT_EQ(bytes, first);
  }
}

TEST(Compile, RunsWhatSeveralObjectsHold) {
  std::string text = many_kernels();
  text = text.substr(text.find("func"));
  expect_compiled_as_interpreted(text.substr(0, text.rfind('}')));
}

TEST(Compile, LeavesOutWhatTheEntryDoesNotReach) {
  Diagnostics diagnostics;
  const auto module = ir::parse(
      "hyperion 1\nmodule @m {\nfunc @f(%x: f32[4]) -> f32[4] {\n  %y = exp %x\n  return %y\n}\n"
      "func @unreached(%x: f32[4]) -> f32[4] {\n  %y = softmax %x {axis = 0}\n  return %y\n}\n}\n",
      "test.hir", diagnostics);
  ASSERT_TRUE(module) << diagnostics.render();
  ASSERT_TRUE(compile(**module, "f"));
  EXPECT_EQ((*module)->find("unreached"), nullptr);
}

}  // namespace
}  // namespace hyperion::codegen

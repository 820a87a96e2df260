// Compiled code against the interpreter, bit for bit, on small programs that exercise each kind of loop nest.
#include "codegen/driver/compile.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "codegen/driver/run.hpp"
#include "ir/interpreter.hpp"
#include "ir/text/parse.hpp"

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

TEST(Compile, DotLayouts) {
  expect_compiled_as_interpreted(R"(  func @f(%x: f32[3, 17, 29], %w: f32[3, 45, 29]) -> f32[3, 17, 45], f32[3, 45, 17] {
    %0 = dot %x, %w {lhs_batch = [0], lhs_contract = [2], rhs_batch = [0], rhs_contract = [2]} : f32[3, 17, 45]
    %1 = transpose %0 {permutation = [0, 2, 1]} : f32[3, 45, 17]
    return %0, %1
  }
)");
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

}  // namespace
}  // namespace hyperion::codegen

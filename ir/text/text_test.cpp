#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "ir/builder.hpp"
#include "ir/text/element_text.hpp"
#include "ir/text/lexer.hpp"
#include "ir/text/parse.hpp"
#include "ir/text/print.hpp"
#include "ir/text/round_trip.hpp"

namespace hyperion::ir {
namespace {

std::unique_ptr<Module> parsed(std::string_view text) {
  Diagnostics diagnostics;
  Result<std::unique_ptr<Module>> module = parse(text, "test.hir", diagnostics);
  EXPECT_TRUE(module.has_value()) << diagnostics.render();
  return module ? std::move(*module) : nullptr;
}

std::string complaint(std::string_view text) {
  Diagnostics diagnostics;
  EXPECT_FALSE(parse(text, "test.hir", diagnostics).has_value());
  return diagnostics.render();
}

void expect_canonical(std::string_view text) {
  const auto module = parsed(text);
  ASSERT_NE(module, nullptr);
  EXPECT_EQ(print(*module), text);
  EXPECT_EQ(round_trip_defect(*module), "");
}

TEST(ElementText, EveryBitPatternOfSmallFloatsReadsBack) {
  for (DType dtype : {DType::f16, DType::bf16, DType::f8e4m3, DType::f8e5m2}) {
    const std::uint32_t count = 1u << (8 * byte_size(dtype));
    for (std::uint32_t bits = 0; bits < count; ++bits) {
      std::byte bytes[2], back[2] = {};
      std::memcpy(bytes, &bits, byte_size(dtype));
      const std::string text = element_text(dtype, bytes);
      ASSERT_TRUE(parse_element(dtype, text, back))
          << dtype_name(dtype) << " " << bits << " " << text;
      ASSERT_EQ(std::memcmp(bytes, back, byte_size(dtype)), 0)
          << dtype_name(dtype) << " " << bits << " " << text;
    }
  }
}

TEST(ElementText, FloatsPrintShortest) {
  const auto text = [](float value) {
    return element_text(DType::f32, reinterpret_cast<std::byte*>(&value));
  };
  EXPECT_EQ(text(1), "1.0");
  EXPECT_EQ(text(-0.0f), "-0.0");
  EXPECT_EQ(text(0.1f), "0.1");
  EXPECT_EQ(text(1e20f), "1e+20");
  EXPECT_EQ(text(INFINITY), "inf");
  EXPECT_EQ(text(std::nanf("")), "nan");
  EXPECT_EQ(text(-std::nanf("")), "nan(0xffc00000)");
}

TEST(ElementText, RefusesWhatDoesNotFit) {
  std::byte bytes[16];
  EXPECT_FALSE(parse_element(DType::i8, "128", bytes));
  EXPECT_TRUE(parse_element(DType::i8, "-128", bytes));
  EXPECT_FALSE(parse_element(DType::u32, "-1", bytes));
  EXPECT_TRUE(parse_element(DType::u64, "18446744073709551615", bytes));
  EXPECT_FALSE(parse_element(DType::f32, "1e39", bytes));
  EXPECT_FALSE(parse_element(DType::f8e4m3, "inf", bytes));
  EXPECT_FALSE(parse_element(DType::f32, "nan(0x3f800000)", bytes));
  EXPECT_FALSE(parse_element(DType::i32, "1.5", bytes));
  EXPECT_FALSE(parse_element(DType::bool_, "1", bytes));
  EXPECT_FALSE(parse_element(DType::f32, "", bytes));
}

TEST(Text, MlpIsCanonical) {
  expect_canonical(R"(hyperion 1
module @mlp {
  func @forward(%x: f32[32, 784], %w: f32[784, 10], %b: f32[10]) -> f32[32, 10] {
    %0 = dot %x, %w {lhs_contract = [1], rhs_contract = [0]} : f32[32, 10]   loc("train.cpp":41:12)
    %1 = broadcast %b {dims = [1], shape = [32, 10]}         : f32[32, 10]   loc("train.cpp":41:25)
    %2 = add %0, %1                                          : f32[32, 10]   loc("train.cpp":41:25)
    %y = max %2, 0.0                                         : f32[32, 10]   loc("train.cpp":42:10)
    return %y
  }
}
)");
}

TEST(Text, ConstantsCallsNamesAndLocationsAreCanonical) {
  expect_canonical(R"(hyperion 1
module @"odd module" {
  func @main(
      %x: i64[2, 2] loc("a b.cpp":1:2),
      %"7": i64[n, 2*n+1]) -> i64[2, 2], f16[3] attributes {donate = [0], rate = 0.5, shape = dims [1, 2]} loc("a.cpp":3:4) {
    %c = constant [1, 2, 3, 4]            : i64[2, 2]
    %0 = constant [1.0, -0.0, nan]        : f16[3]
    %1, %z = call @later(%x, %c)          : i64[2, 2], i64[2, 2]   loc(fused["a.cpp":3:4, "b.cpp":5:6])
    %e = constant []                      : f32[0]
    %p = compare %z, 3 {direction = "lt"} : bool[2, 2]
    return %1, %0
  }
  func @later(%0: i64[2, 2], %1: i64[2, 2]) -> i64[2, 2], i64[2, 2] {
    return %1, %0
  }
}
)");
}

TEST(Text, LongConstantsTravelByHash) {
  Module module;
  Function& f = module.add("f");
  Builder b(f);
  std::vector<float> data(100);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<float>(i) / 3;
  const Value c =
      b.constant(Literal::make(Type(DType::f32, {Dim(100)}), std::as_bytes(std::span(data))));
  b.return_values(std::array{c});
  EXPECT_EQ(round_trip_defect(module), "");
  std::string text = print(module);
  text[text.rfind("\"\n") - 1] ^= 1;
  EXPECT_NE(complaint(text).find("do not have this hash [parse.constant]"), std::string::npos);
  text.resize(text.find("constants {"));
  EXPECT_NE(complaint(text).find("has no bytes for constant"), std::string::npos);
}

TEST(Text, ConstantsPrintInPlaceOnlyWhereTheyComeBack) {
  Module module;
  Function& f = module.add("f");
  Builder b(f);
  const Type type(DType::f32, {Dim(4)});
  const Value x = b.parameter(type, "x");
  const Value shared = b.constant(type, 2.0);
  const Value y = b.apply("add", {b.apply("mul", {x, shared}), shared});
  const Value early = b.constant(type, 3.0);
  const Value z = b.apply("sub", {y, b.constant(type, 1.0)});
  b.return_values(std::array{b.apply("div", {z, early})});
  EXPECT_EQ(print(f), R"(func @f(%x: f32[4]) -> f32[4] {
  %0 = constant 2.0 : f32[4]
  %1 = mul %x, %0   : f32[4]
  %2 = add %1, %0   : f32[4]
  %3 = constant 3.0 : f32[4]
  %4 = sub %2, 1.0  : f32[4]
  %5 = div %4, %3   : f32[4]
  return %5
}
)");
  EXPECT_EQ(round_trip_defect(module), "");
}

TEST(Text, OptionsPrintUsersDefaultsAndNoLocations) {
  const auto module = parsed(R"(hyperion 1
module @m {
  func @f(%x: f32[2, 2]) -> f32[2] {
    %s = reduce %x {axes = [0], kind = "sum"} loc("a.cpp":1:1)
    %t = neg %s
    return %t
  }
})");
  const std::string text =
      print(*module->find("f"), {.locations = false, .defaults = true, .users = true});
  EXPECT_EQ(text, R"(func @f(%x: f32[2, 2]) -> f32[2] {
  %s = reduce %x {axes = [0], kind = "sum", order = "ascending"} : f32[2]   // used by %t
  %t = neg %s : f32[2]   // used by return
  return %t
}
)");
}

TEST(Parse, ReportsTheNarrowestCulpritAndWhereItWasDefined) {
  EXPECT_EQ(complaint(R"(hyperion 1
module @mlp {
  func @forward(%x: f32[32, 784], %w: f32[512, 10]) -> f32[32, 10] {
    %0 = dot %x, %w {lhs_contract = [1], rhs_contract = [0]} : f32[32, 10] loc("train.cpp":41:12)
    return %0
  }
}
)"),
            R"(test.hir:4:14: error: dot: contracted dimensions differ: 784 and 512 [dot.c2]
    %0 = dot %x, %w {lhs_contract = [1], rhs_contract = [0]} : f32[32, 10] loc("train.cpp":41:12)
             ^~  ^~
test.hir:3:17: note: %x: f32[32, 784] is defined here
  func @forward(%x: f32[32, 784], %w: f32[512, 10]) -> f32[32, 10] {
                ^~
test.hir:3:35: note: %w: f32[512, 10] is defined here
  func @forward(%x: f32[32, 784], %w: f32[512, 10]) -> f32[32, 10] {
                                  ^~
train.cpp:41:12: note: recorded here
  hint: hyperion-opt explain dot.c2
)");
}

TEST(Parse, GoesOnAfterAnErrorWithoutEchoes) {
  Diagnostics diagnostics;
  EXPECT_FALSE(parse(R"(hyperion 1
module @m {
  func @f(%x: f32[2]) -> f32[2] {
    %0 = ad %x, %x : f32[2]
    %1 = mul %0, %x : f32[2]
    %2 = neg %y : f32[2]
    %3 = neg %x : f32[3]
    %4 = add %1, %2 {fast = true
    return %1
  }
  func @g(%x: f32[2]) -> f32[2] {
    %0 = call @f(%x)
    %1 = neg %x, 
    return %x
  }
})",
                     "test.hir", diagnostics)
                   .has_value());
  std::vector<std::string> ids;
  for (const Diagnostic& d : diagnostics.all())
    ids.push_back(d.id + ":" + std::to_string(d.range.line));
  EXPECT_EQ(ids, (std::vector<std::string>{"parse.unknown_op:4", "parse.unknown_value:6",
                                           "parse.type_mismatch:7", "op.attribute:8",
                                           "parse.syntax:13"}));
}

TEST(Parse, DeepNestingAndLongListsEndInAnErrorOrAModule) {
  std::string text = "hyperion 1\nmodule @m {\nfunc @f() {\n";
  for (int i = 0; i < 100000; ++i) text += "return (\n) {\n";
  EXPECT_NE(complaint(text).find("parse."), std::string::npos);
  EXPECT_NE(complaint(std::string(100000, '[')).find("parse.version"), std::string::npos);
}

}  // namespace
}  // namespace hyperion::ir

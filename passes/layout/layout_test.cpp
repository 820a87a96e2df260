#include <gtest/gtest.h>

#include "ir/support/format.hpp"
#include "passes/pass_manager.hpp"
#include "tests/support/programs.hpp"

namespace hyperion::passes {
namespace {

using testing_support::module_of;
using testing_support::random_arguments;

constexpr const char* kNet = R"(func @f(%x: f32[2, 4, 5, 6], %w: f32[6, 2, 3, 2], %b: f32[6], %v: f32[3, 6, 1, 1]) -> f32[2, 3, 3, 6], f32[2, 4, 5, 6], f32[6, 2, 3, 2] {
  %y = conv %x, %w {strides = [2, 1], padding_low = [1, 0], padding_high = [1, 1], dilations = [1, 1], groups = 2}
  %bb = broadcast %b {dims = [1], shape = [2, 6, 3, 6]}
  %z = add %y, %bb
  %r = max %z, 0.0
  %u = conv %r, %v {strides = [1, 1], padding_low = [0, 0], padding_high = [0, 0], dilations = [1, 1]}
  %gx = conv_input_gradient %r, %w {strides = [2, 1], padding_low = [1, 0], padding_high = [1, 1], dilations = [1, 1], groups = 2, shape = [5, 6]}
  %gw = conv_weight_gradient %x, %r {strides = [2, 1], padding_low = [1, 0], padding_high = [1, 1], dilations = [1, 1], groups = 2, shape = [3, 2]}
  return %u, %gx, %gw
})";

TEST(Layout, KeepsEveryBit) {
  const auto module = module_of(kNet);
  const auto arguments = random_arguments(*module->find("f"), 3);
  const auto before = testing_support::run(*module, "f", arguments);
  Diagnostics diagnostics;
  const auto pipeline = Pipeline::parse("layout, canonicalize, cse, dce", diagnostics);
  ASSERT_TRUE(run(*pipeline, *module, diagnostics, {.verify_each = true}).has_value()) << diagnostics.render();
  const auto after = testing_support::run(*module, "f", arguments);
  for (std::size_t k = 0; k < before.size(); ++k) EXPECT_EQ(*before[k], *after[k]) << k;
}

TEST(Layout, LeavesTranspositionsAtTheEndsOnly) {
  const auto module = module_of(kNet);
  Diagnostics diagnostics;
  ASSERT_TRUE(run(*Pipeline::parse("layout, canonicalize, cse, dce", diagnostics), *module, diagnostics).has_value());
  const ir::Function& f = *module->find("f");
  int transpositions = 0;
  for (ir::OpId id : f.ops()) {
    const ir::Op& op = f.op(id);
    if (op.name().starts_with("conv")) {
      EXPECT_EQ(op.attributes.text("layout"), "channels_last");
    }
    transpositions += op.is("transpose");
  }
  // x and w go in and the three results come out; v's becomes a reshape, and none is left between the convolutions.
  EXPECT_LE(transpositions, 6);
}

// Weights that lie as [O, kernel..., I] stay where they are; f32 is brought there for tensor cores, and not otherwise.
TEST(Layout, WeightsStayInnermost) {
  const auto layouts = [](const std::string& dtype, bool rounds) {
    const auto module = module_of(format(R"(func @f(%x: {0}[2, 5, 6, 4], %w: {0}[8, 3, 2, 4], %v: {0}[3, 2, 4, 8]) -> {0}[2, 3, 5, 8], {0}[2, 3, 5, 8], {0}[2, 5, 6, 4] {{
  %t = transpose %w {{permutation = [1, 2, 3, 0]}}
  %y = conv %x, %t {{layout = "channels_last", strides = [1, 1], padding_low = [0, 0], padding_high = [0, 0], dilations = [1, 1]}}
  %z = conv %x, %v {{layout = "channels_last", strides = [1, 1], padding_low = [0, 0], padding_high = [0, 0], dilations = [1, 1]}}
  %g = conv_input_gradient %y, %v {{layout = "channels_last", strides = [1, 1], padding_low = [0, 0], padding_high = [0, 0], dilations = [1, 1], shape = [5, 6]}}
  return %y, %z, %g
}})", dtype));
    const auto arguments = random_arguments(*module->find("f"), 3);
    const auto before = testing_support::run(*module, "f", arguments);
    Diagnostics diagnostics;
    const auto pipeline =
        Pipeline::parse(format("weights_innermost{{rounds={}}}, canonicalize, dce", rounds), diagnostics);
    EXPECT_TRUE(pipeline && run(*pipeline, *module, diagnostics, {.verify_each = true})) << diagnostics.render();
    const auto after = testing_support::run(*module, "f", arguments);
    for (std::size_t k = 0; k < before.size(); ++k) EXPECT_EQ(*before[k], *after[k]) << k;
    std::string found;
    const ir::Function& f = *module->find("f");
    for (ir::OpId id : f.ops()) {
      const ir::Op& op = f.op(id);
      if (op.is("transpose")) found += "t";
      if (op.name().starts_with("conv")) found += op.attributes.text("layout") == "channels_innermost" ? "i" : "l";
    }
    return found;
  };
  EXPECT_EQ(layouts("bf16", false), "ill");
  EXPECT_EQ(layouts("f32", false), "tlll");
  EXPECT_EQ(layouts("f32", true), "itil");
}

TEST(Layout, IsDoneOnce) {
  const auto module = module_of(kNet);
  Diagnostics diagnostics;
  const auto pipeline = Pipeline::parse("layout", diagnostics);
  EXPECT_EQ(*run(*pipeline, *module, diagnostics), Changed::yes);
  EXPECT_EQ(*run(*pipeline, *module, diagnostics), Changed::no);
}

// The types of the only product's operands behind aligned_lines.
std::vector<std::string> aligned(const char* program) {
  const auto module = module_of(program);
  Diagnostics diagnostics;
  const auto pipeline = Pipeline::parse("aligned_lines", diagnostics);
  EXPECT_TRUE(run(*pipeline, *module, diagnostics, {.verify_each = true}).has_value()) << diagnostics.render();
  EXPECT_EQ(*run(*pipeline, *module, diagnostics), Changed::no);
  const ir::Function& f = *module->find("f");
  std::vector<std::string> types;
  for (ir::OpId id : f.ops()) {
    const ir::Op& op = f.op(id);
    if (!op.is("dot")) continue;
    for (ir::ValueId operand : op.operands) types.push_back(f.type(operand).text());
  }
  return types;
}

TEST(AlignedLines, PadsDepthAndTurnsWhatLiesAcross) {
  EXPECT_EQ(aligned(R"(func @f(%x: bf16[4095, 4093], %w: bf16[4093, 4097]) -> bf16[4095, 4097] {
  %y = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
  return %y
})"),
            (std::vector<std::string>{"bf16[4095, 4096]", "bf16[4097, 4096]"}));
}

TEST(AlignedLines, KeepsTheAxesOfWhatIsAligned) {
  EXPECT_EQ(aligned(R"(func @f(%x: f16[4095, 4093], %w: f16[4093, 4096]) -> f16[4095, 4096] {
  %y = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
  return %y
})"),
            (std::vector<std::string>{"f16[4095, 4096]", "f16[4096, 4096]"}));
}

TEST(AlignedLines, LeavesSmallAndAlignedProducts) {
  EXPECT_EQ(aligned(R"(func @f(%x: bf16[129, 775], %w: bf16[775, 1025]) -> bf16[129, 1025] {
  %y = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
  return %y
})"),
            (std::vector<std::string>{"bf16[129, 775]", "bf16[775, 1025]"}));
  EXPECT_EQ(aligned(R"(func @f(%x: bf16[4096, 4096], %w: bf16[4096, 4104]) -> bf16[4096, 4104] {
  %y = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
  return %y
})"),
            (std::vector<std::string>{"bf16[4096, 4096]", "bf16[4096, 4104]"}));
}

}  // namespace
}  // namespace hyperion::passes

// Hooks, storage types and other targets: what matrix products and convolutions share.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "codegen/llvm/contraction.hpp"
#include "codegen/llvm/contraction_convolution.hpp"
#include "codegen/llvm/contraction_testing.hpp"
#include "codegen/llvm/llvm_internal.hpp"
#include "ir/support/float_formats.hpp"

namespace hyperion::codegen {
namespace {

constexpr int kBiasBuffer = 4, kScaledBuffer = 5;

llvm::Value* masked_load(const EpilogueSite& site, llvm::Value* pointer, llvm::Type* type) {
  llvm::IRBuilderBase& b = site.builder;
  if (site.mask == nullptr) return b.CreateAlignedLoad(type, pointer, llvm::Align(4));
  return b.CreateMaskedLoad(type, pointer, llvm::Align(4), site.mask,
                            llvm::Constant::getNullValue(type));
}

// out 0 = max(acc + bias[column], 0); out 1 = out 0 * (row + 100 * batch)
void bias_relu_scale(EpilogueSite& site) {
  llvm::IRBuilderBase& b = site.builder;
  llvm::Type* type = site.accumulator->getType();
  llvm::Type* f32 = b.getFloatTy();
  llvm::Value* table = b.CreateConstGEP1_64(b.getPtrTy(), site.buffers, kBiasBuffer);
  llvm::Value* bias = b.CreateGEP(f32, b.CreateLoad(b.getPtrTy(), table), site.column);
  llvm::Value* sum = b.CreateFAdd(site.accumulator, masked_load(site, bias, type));
  llvm::Value* zero = llvm::Constant::getNullValue(type);
  site.values[0] = b.CreateSelect(b.CreateFCmpOGT(sum, zero), sum, zero);
  llvm::Value* place = b.CreateAdd(site.row, b.CreateMul(site.batch, b.getInt64(100)));
  site.values[1] = b.CreateFMul(
      site.values[0],
      b.CreateVectorSplat(static_cast<unsigned>(site.lanes), b.CreateSIToFP(place, f32)));
}

// The operand's elements, squared; for padding lanes the hook yields NaN, which nothing may ever see.
std::function<llvm::Value*(PrologueSite&)> square_of(const ContractionOperand& operand) {
  return [operand](PrologueSite& site) {
    llvm::IRBuilderBase& b = site.builder;
    const std::int64_t step = site.lanes_along_depth ? operand.depth : operand.free;
    llvm::Value* offset = b.CreateAdd(b.CreateMul(site.free, b.getInt64(operand.free)),
                                      b.CreateMul(site.depth, b.getInt64(operand.depth)));
    std::vector<llvm::Constant*> numbers;
    for (int i = 0; i < site.lanes; ++i) numbers.push_back(b.getInt64(i * step));
    llvm::Value* offsets =
        b.CreateAdd(b.CreateVectorSplat(site.lanes, offset), llvm::ConstantVector::get(numbers));
    llvm::Value* slot = b.CreateConstGEP1_64(b.getPtrTy(), site.buffers, operand.buffer);
    llvm::Value* from = b.CreateGEP(b.getFloatTy(), b.CreateLoad(b.getPtrTy(), slot), offsets);
    auto* type = llvm::FixedVectorType::get(b.getFloatTy(), site.lanes);
    llvm::Value* x = b.CreateMaskedGather(type, from, llvm::Align(4), site.mask,
                                          llvm::ConstantFP::getNaN(type));
    return b.CreateFMul(x, x);
  };
}

// Small integers: every product and sum is exact, so any order gives the same bits.
std::vector<float> integers(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> data(size);
  for (float& x : data) x = static_cast<float>(random() % 9) - 4;
  return data;
}

TEST(ContractionHooks, EpilogueStoresTwoOutputs) {
  constexpr std::int64_t kBatch = 2, kM = 19, kN = 41, kK = 30;
  ContractionSpec spec = matmul_spec(DType::f32, kM, kN, kK);
  spec.batch = {kBatch};
  spec.lhs.batch = {kM * kK};
  spec.rhs.batch = {0};
  spec.outputs[0].batch = {kM * kN};
  spec.outputs.push_back(spec.outputs[0]);
  spec.outputs[1].buffer = kScaledBuffer;
  spec.output_may_hold_partials = false;
  ContractionHooks hooks;
  hooks.epilogue = bias_relu_scale;
  ContractionSchedule schedule;
  schedule.tile_rows = 5;
  schedule.depth_block = 13;  // partial sums must not meet the epilogue
  schedule.block_row_tiles = 2;
  auto compiled = compile_contraction(spec, hooks, schedule, host_target());
  ASSERT_TRUE(compiled) << compiled.error().text();
  std::vector<float> a = integers(kBatch * kM * kK, 1), b = integers(kK * kN, 2),
                     bias = integers(kN, 3);
  std::vector<float> relu(kBatch * kM * kN), scaled(kBatch * kM * kN);
  compiled->run_backwards({a.data(), b.data(), relu.data(), nullptr, bias.data(), scaled.data()},
                          1);
  for (std::size_t n = 0; n < kBatch; ++n) {
    for (std::size_t i = 0; i < kM; ++i) {
      for (std::size_t j = 0; j < kN; ++j) {
        float sum = bias[j];
        for (std::size_t k = 0; k < kK; ++k) sum += a[(n * kM + i) * kK + k] * b[k * kN + j];
        const std::size_t at = (n * kM + i) * kN + j;
        ASSERT_EQ(relu[at], std::max(sum, 0.0f)) << n << "," << i << "," << j;
        ASSERT_EQ(scaled[at], std::max(sum, 0.0f) * static_cast<float>(i + 100 * n));
      }
    }
  }
}

// Bit 0: lhs transposed, bit 1: rhs transposed.
void expect_squares(int layout, const ContractionSchedule& schedule) {
  constexpr std::int64_t kM = 21, kN = 37, kK = 18;
  const ContractionSpec spec = matmul_spec(DType::f32, kM, kN, kK, layout & 1, layout & 2);
  ContractionHooks hooks;
  hooks.lhs_prologue = square_of(spec.lhs);
  hooks.rhs_prologue = square_of(spec.rhs);
  auto compiled = compile_contraction(spec, hooks, schedule, host_target());
  ASSERT_TRUE(compiled) << compiled.error().text();
  std::vector<float> a = integers(kM * kK, 4), b = integers(kK * kN, 5), c(kM * kN);
  compiled->run_backwards({a.data(), b.data(), c.data()}, 1);
  for (std::int64_t i = 0; i < kM; ++i) {
    for (std::int64_t j = 0; j < kN; ++j) {
      float sum = 0;
      for (std::int64_t k = 0; k < kK; ++k) {
        const float x = a[static_cast<std::size_t>(i * spec.lhs.free + k * spec.lhs.depth)];
        const float y = b[static_cast<std::size_t>(j * spec.rhs.free + k * spec.rhs.depth)];
        sum += x * x * y * y;
      }
      ASSERT_EQ(c[static_cast<std::size_t>(i * kN + j)], sum)
          << layout << ", " << schedule.text() << ": " << i << "," << j;
    }
  }
}

TEST(ContractionHooks, PrologueAppliesToEveryLayoutAndSchedule) {
  for (int layout = 0; layout < 4; ++layout) {
    for (const RhsPacking packing : {RhsPacking::none, RhsPacking::strip, RhsPacking::whole}) {
      for (const std::int64_t depth_block : {0, 5}) {
        ContractionSchedule schedule;
        schedule.tile_rows = 4 + layout;
        schedule.tile_vectors = 1 + layout % 2;
        schedule.depth_block = depth_block;
        schedule.block_row_tiles = 2;
        schedule.rhs = packing;
        expect_squares(layout, schedule);
      }
    }
  }
}

void expect_convolution_place(bool rows_along_batch, std::int64_t tap_block) {
  const WindowAxis axis{.kernel = 3, .input = 9, .padding = 1};
  ConvolutionSpec spec = convolution_spec(2, axis, axis, 4, 24, 2, 1, 1);
  spec.outputs.push_back(spec.outputs[0]);
  spec.outputs[1].buffer = kScaledBuffer;
  spec.output_may_hold_partials = false;
  ContractionHooks hooks;
  hooks.epilogue = bias_relu_scale;
  ConvolutionSchedule schedule = choose_schedule(spec, hooks, host_target(), 1);
  schedule.rows_along_batch = rows_along_batch;
  schedule.tap_block = tap_block;
  IrModule fused("fused", host_target()), plain("plain", host_target());
  ConvolutionSpec plain_spec = spec;
  plain_spec.outputs.pop_back();
  auto fused_plan = emit_convolution(fused, spec, hooks, schedule);
  auto plain_plan = emit_convolution(plain, plain_spec, {}, schedule);
  ASSERT_TRUE(fused_plan && plain_plan);
  EXPECT_EQ(fused_plan->launches.back().scratch_bytes > 0, tap_block > 0);
  RunnableContraction with({fused_plan->launches, fused_plan->workspace_bytes, {}},
                           *load_object(*compile_object(fused)), 1, 3);
  RunnableContraction without({plain_plan->launches, plain_plan->workspace_bytes, {}},
                              *load_object(*compile_object(plain)), 1, 3);
  constexpr std::size_t kOut = 2 * 9 * 9 * 24;
  std::vector<float> x = integers(2 * 9 * 9 * 4, 6), w = integers(9 * 2 * 24, 7),
                     bias = integers(24, 8);
  std::vector<float> plain_y(kOut), y(kOut), scaled(kOut);
  without.run_backwards({x.data(), w.data(), plain_y.data()}, 1);
  with.run_backwards({x.data(), w.data(), y.data(), nullptr, bias.data(), scaled.data()}, 1);
  for (std::size_t i = 0; i < kOut; ++i) {
    const std::size_t batch = i / (24 * 9), row = i / 24 % 9;  // image * height + row of the image
    ASSERT_EQ(y[i], std::max(plain_y[i] + bias[i % 24], 0.0f)) << i;
    ASSERT_EQ(scaled[i], y[i] * static_cast<float>(row + 100 * batch)) << i;
  }
}

TEST(ContractionHooks, ConvolutionEpilogueKnowsItsPlace) {
  for (const bool rows_along_batch : {false, true}) {
    for (const std::int64_t tap_block : {0, 1, 2}) {
      expect_convolution_place(rows_along_batch, tap_block);
    }
  }
}

// bf16 and f16 are widened exactly, accumulated in f32 and rounded once, to nearest even.
TEST(ContractionStorage, SixteenBitFloats) {
  for (const char* name : {"host", "x86-64-v3"}) {
    const CpuTarget target = *named_target(name);
    if (!runs_here(target)) continue;
    for (DType dtype : {DType::bf16, DType::f16}) {
      const auto widen = dtype == DType::bf16 ? bf16_to_float : f16_to_float;
      const auto narrow = dtype == DType::bf16 ? float_to_bf16 : float_to_f16;
      for (int packing = 0; packing < 3; ++packing) {
        constexpr std::int64_t kM = 9, kN = 35, kK = 20;
        ContractionSpec spec = matmul_spec(dtype, kM, kN, kK, packing == 1, packing == 2);
        ContractionSchedule schedule;
        schedule.tile_rows = 4;
        schedule.depth_block = packing == 1 ? 7 : 0;
        schedule.lhs = static_cast<LhsPacking>(packing % 2);
        schedule.rhs = static_cast<RhsPacking>(packing);
        auto compiled = compile_contraction(spec, {}, schedule, target);
        ASSERT_TRUE(compiled) << compiled.error().text();
        std::mt19937 random(11);
        const auto values = [&](std::size_t size) {
          std::vector<std::uint16_t> v(size);
          for (auto& x : v)
            x = narrow(std::ldexp(static_cast<float>(random() % 2001) - 1000.0f, -9));
          return v;
        };
        std::vector<std::uint16_t> a = values(kM * kK), b = values(kK * kN), c(kM * kN);
        a[3] = narrow(1e-39f);  // a denormal in bf16
        compiled->run_backwards({a.data(), b.data(), c.data()}, 1);
        for (std::int64_t i = 0; i < kM; ++i) {
          for (std::int64_t j = 0; j < kN; ++j) {
            float sum = 0;
            for (std::int64_t k = 0; k < kK; ++k) {
              sum = std::fma(
                  widen(a[static_cast<std::size_t>(i * spec.lhs.free + k * spec.lhs.depth)]),
                  widen(b[static_cast<std::size_t>(j * spec.rhs.free + k * spec.rhs.depth)]), sum);
            }
            ASSERT_EQ(c[static_cast<std::size_t>(i * kN + j)], narrow(sum))
                << dtype_name(dtype) << packing;
          }
        }
      }
    }
  }
}

TEST(ContractionStorage, IntegersAreRefused) {
  IrModule module("integers", host_target());
  auto plan = emit_contraction(module, matmul_spec(DType::i32, 4, 4, 4), {}, {});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, Code::invalid_argument);
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t found = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    ++found;
  return found;
}

std::string assembly_for(const char* name, ContractionSchedule schedule, std::int64_t m,
                         std::int64_t n) {
  const CpuTarget target = *named_target(name);
  IrModule module("cross", target);
  auto plan = emit_contraction(module, matmul_spec(DType::f32, m, n, 64), {}, schedule);
  EXPECT_TRUE(plan);
  auto text = compile_assembly(module);
  EXPECT_TRUE(text) << text.error().text();
  return text ? *text : "";
}

// From the label before the first multiplication to the last one before the next label.
std::string inner_loop(const std::string& text, const std::string& fma) {
  const std::size_t first = text.find(fma);
  const std::size_t begin = text.rfind(":\n", first);
  if (first == std::string::npos) return "";
  const std::size_t last = text.rfind(fma, text.find(":\n", first));
  return text.substr(begin, text.find('\n', last) - begin);
}

// The inner loop has the tile's multiplications, in the target's full vectors, and touches no
// stack.
TEST(ContractionTargets, InnerLoopIsTheTile) {
  struct Case {
    const char* target;
    int rows, vectors, lanes;
    const char *fma, *full_vector, *stack;
  };
  for (const Case& c : {Case{"x86-64-v3", 6, 2, 8, "vfmadd231ps", ", %ymm", "%rsp"},
                        Case{"x86-64-v4", 14, 2, 16, "vfmadd231ps", ", %zmm", "%rsp"},
                        Case{"aarch64", 8, 3, 4, "fmla\tv", ".4s, v", "[sp"},
                        Case{"neoverse-v1", 8, 3, 4, "fmla\tv", ".4s, v", "[sp"}}) {
    ContractionSchedule schedule;
    schedule.tile_rows = c.rows;
    schedule.tile_vectors = c.vectors;
    const std::string text = assembly_for(c.target, schedule, 2 * c.rows, 2 * c.vectors * c.lanes);
    const auto tile = static_cast<std::size_t>(c.rows * c.vectors);
    const std::string loop = inner_loop(text, c.fma);
    EXPECT_EQ(count(loop, c.fma), tile) << c.target << loop;
    EXPECT_GE(count(loop, c.full_vector), tile) << c.target << loop;
    EXPECT_EQ(count(loop, c.stack), 0u) << c.target << loop;
    EXPECT_EQ(count(text, "fmaf"), 0u) << c.target;
  }
}

TEST(ContractionTargets, CrossObjectsAreElf) {
  for (const char* name : {"aarch64", "neoverse-n1", "x86-64-v3", "x86-64-v4"}) {
    IrModule module("cross", *named_target(name));
    ASSERT_TRUE(emit_contraction(module, matmul_spec(DType::f32, 20, 30, 40, true, true), {}, {}));
    auto object = compile_object(module);
    ASSERT_TRUE(object) << name << ": " << object.error().text();
    const auto* bytes = reinterpret_cast<const unsigned char*>(object->data());
    EXPECT_EQ(std::memcmp(bytes, "\177ELF", 4), 0);
    const bool is_arm = named_target(name)->architecture == Architecture::aarch64;
    EXPECT_EQ(bytes[18], is_arm ? 0xb7 : 0x3e) << name;  // e_machine
  }
}

}  // namespace
}  // namespace hyperion::codegen

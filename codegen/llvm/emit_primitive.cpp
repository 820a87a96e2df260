#include "codegen/llvm/emit_primitive.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "llvm/ADT/StringExtras.h"
#include "llvm/Analysis/VectorUtils.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/IntrinsicsX86.h"

namespace hyperion::codegen {
namespace {

using ir::Primitive;
using llvm::IRBuilderBase;
using llvm::Intrinsic::ID;
using llvm::Value;

bool is_f8(DType dtype) { return is_floating(dtype) && byte_size(dtype) == 1; }

std::int64_t lanes_of(Value* value) {
  const auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType());
  return vector == nullptr ? 0 : vector->getNumElements();
}

// A constant shaped like `like`: splat over its lanes.
struct Constants {
  IRBuilderBase& b;
  std::int64_t lanes;

  llvm::Type* type(DType dtype) const { return register_type(b.getContext(), dtype, lanes); }
  Value* integer(DType dtype, std::int64_t value) const {
    return llvm::ConstantInt::get(type(dtype), static_cast<std::uint64_t>(value), true);
  }
  Value* real(DType dtype, double value) const { return llvm::ConstantFP::get(type(dtype), value); }
};

Value* unary(IRBuilderBase& b, ID id, Value* x) { return b.CreateUnaryIntrinsic(id, x); }
Value* binary(IRBuilderBase& b, ID id, Value* x, Value* y) { return b.CreateBinaryIntrinsic(id, x, y); }

// ---- conversions ----------------------------------------------------------------------------------------------

// The 8-bit formats by integer arithmetic; field widths as in ir/support/float_formats.cpp.
struct F8 {
  int mantissa;
  int bias;
  bool has_infinity;
};
F8 f8_format(DType dtype) { return dtype == DType::f8e4m3 ? F8{3, 7, false} : F8{2, 15, true}; }

Value* f8_to_f32(IRBuilderBase& b, DType dtype, Value* raw) {
  const F8 f = f8_format(dtype);
  const Constants c{b, lanes_of(raw)};
  const auto u32 = [&](std::int64_t v) { return c.integer(DType::u32, v); };
  Value* bits = b.CreateZExt(raw, c.type(DType::u32));
  Value* sign = b.CreateShl(b.CreateAnd(bits, u32(0x80)), u32(24));
  Value* magnitude = b.CreateAnd(bits, u32(0x7f));
  Value* normal = b.CreateAdd(b.CreateShl(magnitude, u32(23 - f.mantissa)), u32(std::int64_t{127 - f.bias} << 23));
  Value* scaled = b.CreateFMul(b.CreateUIToFP(magnitude, c.type(DType::f32)),
                               c.real(DType::f32, std::ldexp(1.0, 1 - f.bias - f.mantissa)));
  Value* is_subnormal = b.CreateICmpULT(magnitude, u32(1 << f.mantissa));
  Value* value = b.CreateSelect(is_subnormal, b.CreateBitCast(scaled, c.type(DType::u32)), normal);
  const std::int64_t infinity = f.has_infinity ? 0x7c : 0x7f;  // from here on: infinity (if any), then NaN
  if (f.has_infinity) {
    value = b.CreateSelect(b.CreateICmpEQ(magnitude, u32(infinity)), u32(0x7f800000), value);
    value = b.CreateSelect(b.CreateICmpUGT(magnitude, u32(infinity)), u32(0x7fc00000), value);
  } else {
    value = b.CreateSelect(b.CreateICmpEQ(magnitude, u32(infinity)), u32(0x7fc00000), value);
  }
  return b.CreateBitCast(b.CreateOr(value, sign), c.type(DType::f32));
}

Value* f32_to_f8(IRBuilderBase& b, DType dtype, Value* x) {
  const F8 f = f8_format(dtype);
  const Constants c{b, lanes_of(x)};
  const auto u32 = [&](std::int64_t v) { return c.integer(DType::u32, v); };
  Value* bits = b.CreateBitCast(x, c.type(DType::u32));
  Value* sign = b.CreateAnd(b.CreateLShr(bits, u32(24)), u32(0x80));
  Value* magnitude = b.CreateAnd(bits, u32(0x7fffffff));
  // Normal results: rebias, then round to nearest even in the integer; a carry moves into the exponent by itself.
  const int drop = 23 - f.mantissa;
  Value* rebiased = b.CreateSub(magnitude, u32(std::int64_t{127 - f.bias} << 23));
  Value* odd = b.CreateAnd(b.CreateLShr(rebiased, u32(drop)), u32(1));
  Value* rounded = b.CreateLShr(b.CreateAdd(b.CreateAdd(rebiased, u32((1 << (drop - 1)) - 1)), odd), u32(drop));
  // Subnormal results: adding a number whose unit is ours lets the adder round.
  Value* anchor = c.real(DType::f32, std::ldexp(1.0, 1 - f.bias - f.mantissa + 23));
  Value* sum = b.CreateFAdd(b.CreateBitCast(magnitude, c.type(DType::f32)), anchor);
  Value* small = b.CreateSub(b.CreateBitCast(sum, c.type(DType::u32)), b.CreateBitCast(anchor, c.type(DType::u32)));
  Value* is_small = b.CreateICmpULT(magnitude, u32(std::int64_t{127 + 1 - f.bias} << 23));
  Value* result = b.CreateSelect(is_small, small, rounded);
  const std::int64_t overflow = f.has_infinity ? 0x7c : 0x7f;
  const std::int64_t nan = f.has_infinity ? 0x7e : 0x7f;
  // Beyond the range, before the shifted integer can wrap.
  Value* is_large = b.CreateOr(b.CreateICmpUGE(magnitude, u32(std::int64_t{127 + 17} << 23)),
                               b.CreateICmpUGE(result, u32(overflow)));
  result = b.CreateSelect(is_large, u32(overflow), result);
  result = b.CreateSelect(b.CreateICmpUGT(magnitude, u32(0x7f800000)), u32(nan), result);
  return b.CreateTrunc(b.CreateOr(result, sign), c.type(DType::u8));
}

Value* bf16_to_f32(IRBuilderBase& b, Value* x) {
  const Constants c{b, lanes_of(x)};
  Value* bits = b.CreateZExt(x, c.type(DType::u32));
  return b.CreateBitCast(b.CreateShl(bits, c.integer(DType::u32, 16)), c.type(DType::f32));
}

// By integers: the hardware's vcvtneps2bf16 flushes subnormals.
Value* f32_to_bf16(IRBuilderBase& b, Value* x) {
  const Constants c{b, lanes_of(x)};
  const auto u32 = [&](std::int64_t v) { return c.integer(DType::u32, v); };
  Value* bits = b.CreateBitCast(x, c.type(DType::u32));
  Value* high = b.CreateLShr(bits, u32(16));
  Value* rounded = b.CreateLShr(b.CreateAdd(b.CreateAdd(bits, u32(0x7fff)), b.CreateAnd(high, u32(1))), u32(16));
  Value* result = b.CreateSelect(b.CreateFCmpUNO(x, x), b.CreateOr(high, u32(0x40)), rounded);
  return b.CreateTrunc(result, c.type(DType::bf16));
}

Value* to_wide_float(IRBuilderBase& b, DType from, Value* x) {
  if (is_f8(from)) return f8_to_f32(b, from, x);
  if (from == DType::bf16) return bf16_to_f32(b, x);
  if (from == DType::f16) return b.CreateFPExt(x, Constants{b, lanes_of(x)}.type(DType::f32));
  return x;
}

// From f32 or f64.
Value* to_float(IRBuilderBase& b, DType from, DType to, Value* x) {
  const Constants c{b, lanes_of(x)};
  if (to == DType::f64) return from == DType::f64 ? x : b.CreateFPExt(x, c.type(to));
  if (from == DType::f64) x = b.CreateFPTrunc(x, c.type(DType::f32));
  if (to == DType::f32) return x;
  if (to == DType::f16) return b.CreateFPTrunc(x, c.type(to));
  if (to == DType::bf16) return f32_to_bf16(b, x);
  return f32_to_f8(b, to, x);
}

Value* emit_cast(IRBuilderBase& b, DType from, DType to, Value* x) {
  if (from == to) return x;
  const Constants c{b, lanes_of(x)};
  if (is_floating(from)) {
    const DType wide = from == DType::f64 ? DType::f64 : DType::f32;
    x = to_wide_float(b, from, x);
    if (is_floating(to)) return to_float(b, wide, to, x);
    if (is_boolean(to)) return b.CreateFCmpUNE(x, c.real(wide, 0));
    const ID convert = is_signed_integer(to) ? llvm::Intrinsic::fptosi_sat : llvm::Intrinsic::fptoui_sat;
    return b.CreateIntrinsic(convert, {c.type(to), x->getType()}, {x});
  }
  if (is_boolean(to)) return b.CreateICmpNE(x, c.integer(from, 0));
  const bool is_signed = is_signed_integer(from);
  if (!is_floating(to)) return b.CreateIntCast(x, c.type(to), is_signed);
  const DType wide = to == DType::f64 ? DType::f64 : DType::f32;
  Value* real = is_signed ? b.CreateSIToFP(x, c.type(wide)) : b.CreateUIToFP(x, c.type(wide));
  return to_float(b, wide, to, real);
}

// ---- integers -------------------------------------------------------------------------------------------------

// LLVM's division is undefined for zero divisors and for lowest / -1; ours is not.
Value* integer_division(IRBuilderBase& b, DType dtype, bool remainder, Value* x, Value* y) {
  const Constants c{b, lanes_of(x)};
  Value* zero = c.integer(dtype, 0);
  Value* by_zero = b.CreateICmpEQ(y, zero);
  if (!is_signed_integer(dtype)) {
    Value* divisor = b.CreateSelect(by_zero, c.integer(dtype, 1), y);
    Value* result = remainder ? b.CreateURem(x, divisor) : b.CreateUDiv(x, divisor);
    return b.CreateSelect(by_zero, remainder ? x : zero, result);
  }
  Value* by_minus_one = b.CreateICmpEQ(y, c.integer(dtype, -1));
  Value* divisor = b.CreateSelect(b.CreateOr(by_zero, by_minus_one), c.integer(dtype, 1), y);
  Value* result = remainder ? b.CreateSRem(x, divisor) : b.CreateSDiv(x, divisor);
  result = b.CreateSelect(by_minus_one, remainder ? zero : b.CreateNeg(x), result);
  return b.CreateSelect(by_zero, remainder ? x : zero, result);
}

Value* shift(IRBuilderBase& b, DType dtype, bool left, Value* x, Value* count) {
  const Constants c{b, lanes_of(x)};
  const std::int64_t width = static_cast<std::int64_t>(byte_size(dtype)) * 8;
  Value* outside = b.CreateICmpUGE(count, c.integer(dtype, width));
  const bool arithmetic = !left && is_signed_integer(dtype);
  // An arithmetic shift by too much is a shift by width - 1: all sign.
  Value* safe = b.CreateSelect(outside, c.integer(dtype, arithmetic ? width - 1 : 0), count);
  if (arithmetic) return b.CreateAShr(x, safe);
  Value* shifted = left ? b.CreateShl(x, safe) : b.CreateLShr(x, safe);
  return b.CreateSelect(outside, c.integer(dtype, 0), shifted);
}

Value* emit_compare(IRBuilderBase& b, DType dtype, std::int64_t direction, Value* x, Value* y) {
  using P = llvm::CmpInst::Predicate;
  constexpr P floats[] = {P::FCMP_OEQ, P::FCMP_UNE, P::FCMP_OLT, P::FCMP_OLE, P::FCMP_OGT, P::FCMP_OGE};
  constexpr P signeds[] = {P::ICMP_EQ, P::ICMP_NE, P::ICMP_SLT, P::ICMP_SLE, P::ICMP_SGT, P::ICMP_SGE};
  constexpr P unsigneds[] = {P::ICMP_EQ, P::ICMP_NE, P::ICMP_ULT, P::ICMP_ULE, P::ICMP_UGT, P::ICMP_UGE};
  if (is_floating(dtype)) return b.CreateFCmp(floats[direction], to_wide_float(b, dtype, x), to_wide_float(b, dtype, y));
  return b.CreateICmp(is_signed_integer(dtype) ? signeds[direction] : unsigneds[direction], x, y);
}

// ---- minimum and maximum --------------------------------------------------------------------------------------

// One 512-bit register through vrange, which orders zeros by sign as IEEE 754-2019 asks, but drops a NaN: that is put
// back. LLVM's own sequence for `maximum` is twice as long.
Value* extremum_of_register(IRBuilderBase& b, bool is_max, Value* x, Value* y) {
  const bool f64 = x->getType()->getScalarType()->isDoubleTy();
  const ID id = f64 ? llvm::Intrinsic::x86_avx512_mask_range_pd_512 : llvm::Intrinsic::x86_avx512_mask_range_ps_512;
  constexpr std::uint32_t kSignOfResult = 1u << 2, kMax = 1, kCurrentRounding = 4;
  Value* every_lane = llvm::Constant::getAllOnesValue(f64 ? b.getInt8Ty() : b.getInt16Ty());
  Value* ordered = b.CreateIntrinsic(
      id, {}, {x, y, b.getInt32(kSignOfResult | (is_max ? kMax : 0)), llvm::PoisonValue::get(x->getType()), every_lane,
               b.getInt32(kCurrentRounding)});
  return b.CreateSelect(b.CreateFCmpUNO(x, y), llvm::ConstantFP::getNaN(x->getType()), ordered);
}

Value* extremum(IRBuilderBase& b, bool is_max, Value* x, Value* y) {
  llvm::Type* element = x->getType()->getScalarType();
  const std::int64_t lanes = lanes_of(x), native = element->isDoubleTy() ? 8 : element->isFloatTy() ? 16 : 0;
  const bool is_constant = llvm::isa<llvm::Constant>(x) || llvm::isa<llvm::Constant>(y);  // LLVM needs one instruction then
  const bool has_range = b.GetInsertBlock()->getParent()->getFnAttribute("target-features").getValueAsString().contains("+avx512dq");
  if (!has_range || is_constant || native == 0 || lanes < native || lanes % native != 0) {
    return binary(b, is_max ? llvm::Intrinsic::maximum : llvm::Intrinsic::minimum, x, y);
  }
  std::vector<Value*> pieces;
  for (std::int64_t first = 0; first < lanes; first += native) {
    std::vector<int> part(static_cast<std::size_t>(native));
    std::iota(part.begin(), part.end(), static_cast<int>(first));
    pieces.push_back(extremum_of_register(b, is_max, b.CreateShuffleVector(x, part), b.CreateShuffleVector(y, part)));
  }
  return llvm::concatenateVectors(b, pieces);
}

Value* emit_float(IRBuilderBase& b, Primitive primitive, std::span<Value* const> a) {
  switch (primitive) {
    case Primitive::add: return b.CreateFAdd(a[0], a[1]);
    case Primitive::sub: return b.CreateFSub(a[0], a[1]);
    case Primitive::mul: return b.CreateFMul(a[0], a[1]);
    case Primitive::div: return b.CreateFDiv(a[0], a[1]);
    case Primitive::rem: return b.CreateFRem(a[0], a[1]);
    case Primitive::fma: return b.CreateIntrinsic(llvm::Intrinsic::fma, {a[0]->getType()}, {a[0], a[1], a[2]});
    case Primitive::neg: return b.CreateFNeg(a[0]);
    case Primitive::abs: return unary(b, llvm::Intrinsic::fabs, a[0]);
    case Primitive::sqrt: return unary(b, llvm::Intrinsic::sqrt, a[0]);
    case Primitive::floor: return unary(b, llvm::Intrinsic::floor, a[0]);
    case Primitive::ceil: return unary(b, llvm::Intrinsic::ceil, a[0]);
    case Primitive::round: return unary(b, llvm::Intrinsic::roundeven, a[0]);
    case Primitive::trunc: return unary(b, llvm::Intrinsic::trunc, a[0]);
    case Primitive::max: return extremum(b, true, a[0], a[1]);
    case Primitive::min: return extremum(b, false, a[0], a[1]);
    default: break;
  }
  HYP_CHECK(false, "a primitive that floats do not have");
}

Value* emit_integer(IRBuilderBase& b, Primitive primitive, DType dtype, std::span<Value* const> a) {
  const bool is_signed = is_signed_integer(dtype), is_bool = is_boolean(dtype);
  switch (primitive) {
    case Primitive::add: return is_bool ? b.CreateOr(a[0], a[1]) : b.CreateAdd(a[0], a[1]);
    case Primitive::sub: return b.CreateSub(a[0], a[1]);
    case Primitive::mul: return is_bool ? b.CreateAnd(a[0], a[1]) : b.CreateMul(a[0], a[1]);
    case Primitive::div: return integer_division(b, dtype, false, a[0], a[1]);
    case Primitive::rem: return integer_division(b, dtype, true, a[0], a[1]);
    case Primitive::fma: return b.CreateAdd(b.CreateMul(a[0], a[1]), a[2]);
    case Primitive::neg: return b.CreateNeg(a[0]);
    case Primitive::abs:
      return is_signed ? b.CreateBinaryIntrinsic(llvm::Intrinsic::abs, a[0], b.getFalse()) : a[0];
    case Primitive::max:
      if (is_bool) return b.CreateOr(a[0], a[1]);
      return binary(b, is_signed ? llvm::Intrinsic::smax : llvm::Intrinsic::umax, a[0], a[1]);
    case Primitive::min:
      if (is_bool) return b.CreateAnd(a[0], a[1]);
      return binary(b, is_signed ? llvm::Intrinsic::smin : llvm::Intrinsic::umin, a[0], a[1]);
    case Primitive::and_: return b.CreateAnd(a[0], a[1]);
    case Primitive::or_: return b.CreateOr(a[0], a[1]);
    case Primitive::xor_: return b.CreateXor(a[0], a[1]);
    case Primitive::not_: return b.CreateNot(a[0]);
    case Primitive::shl: return shift(b, dtype, true, a[0], a[1]);
    case Primitive::shr: return shift(b, dtype, false, a[0], a[1]);
    default: break;
  }
  HYP_CHECK(false, "a primitive that integers do not have");
}

}  // namespace

// bf16 is its bits: on CPUs without its conversions, LLVM's bfloat makes even a select a call into a library.
llvm::Type* register_type(llvm::LLVMContext& context, DType dtype, std::int64_t lanes) {
  llvm::Type* element = is_boolean(dtype)     ? llvm::Type::getInt1Ty(context)
                        : dtype == DType::f16 ? llvm::Type::getHalfTy(context)
                                              : element_type(context, dtype);
  return lanes == 0 ? element : llvm::FixedVectorType::get(element, static_cast<unsigned>(lanes));
}

llvm::Constant* element_constant(llvm::LLVMContext& context, DType dtype, std::uint64_t bits) {
  llvm::Type* type = register_type(context, dtype, 0);
  const llvm::APInt raw(type->getScalarSizeInBits(), bits);
  if (type->isIntegerTy()) return llvm::ConstantInt::get(type, raw);
  return llvm::ConstantFP::get(context, llvm::APFloat(type->getFltSemantics(), raw));
}

Value* emit_primitive(IRBuilderBase& b, Primitive primitive, DType result, DType operand,
                      std::span<Value* const> args, std::int64_t immediate) {
  switch (primitive) {
    case Primitive::compare: return emit_compare(b, operand, immediate, args[0], args[1]);
    case Primitive::select: return b.CreateSelect(args[0], args[1], args[2]);
    case Primitive::cast: return emit_cast(b, operand, result, args[0]);
    case Primitive::bitcast: return b.CreateBitCast(args[0], register_type(b.getContext(), result, lanes_of(args[0])));
    default: break;
  }
  return is_floating(operand) ? emit_float(b, primitive, args) : emit_integer(b, primitive, operand, args);
}

namespace {

// A program with more coefficients than this reads them from memory where they are multiplied and added. Registers run
// out otherwise: LLVM moves every constant out of the loop and then shuffles registers inside of it.
constexpr std::ptrdiff_t kCoefficientsInRegisters = 12;

// The constants that only feed fused multiply-adds: the coefficients of polynomials.
std::vector<bool> coefficients_of(const ir::ScalarProgram& program) {
  const std::size_t arguments = program.arguments.size();
  std::vector<bool> is_coefficient(program.instructions.size());
  for (std::size_t i = 0; i < program.instructions.size(); ++i) {
    const ir::ScalarInstruction& instruction = program.instructions[i];
    is_coefficient[i] = instruction.primitive == Primitive::none && is_floating(instruction.dtype);
  }
  for (const ir::ScalarInstruction& instruction : program.instructions) {
    if (instruction.primitive == Primitive::fma) continue;
    for (std::int32_t arg : instruction.args) {
      if (arg >= static_cast<std::int32_t>(arguments)) is_coefficient[static_cast<std::size_t>(arg) - arguments] = false;
    }
  }
  if (std::ranges::count(is_coefficient, true) <= kCoefficientsInRegisters) is_coefficient.assign(is_coefficient.size(), false);
  return is_coefficient;
}

// A load that LLVM cannot move out of the loop, so that it becomes an operand of the instruction: any store may write the
// variable, which is visible to others and no smaller than what one store writes.
Value* load_coefficient(IRBuilderBase& b, llvm::Constant* value) {
  constexpr std::uint64_t kLongestStore = ir::kReductionLanes;
  llvm::Module& module = *b.GetInsertBlock()->getModule();
  const llvm::APInt bits = llvm::cast<llvm::ConstantFP>(value)->getValueAPF().bitcastToAPInt();
  const std::string name = "coefficient." + llvm::toString(bits, 16, false);
  llvm::GlobalVariable* home = module.getNamedGlobal(name);
  if (home == nullptr) {
    auto* padded = llvm::ArrayType::get(value->getType(), kLongestStore);
    std::vector<llvm::Constant*> elements(kLongestStore, value);
    home = new llvm::GlobalVariable(module, padded, false, llvm::GlobalValue::LinkOnceODRLinkage,
                                    llvm::ConstantArray::get(padded, elements), name);
    home->setVisibility(llvm::GlobalValue::HiddenVisibility);
  }
  return b.CreateLoad(value->getType(), home);
}

}  // namespace

Value* emit_scalar_program(IRBuilderBase& b, const ir::ScalarProgram& program, std::span<Value* const> args) {
  std::int64_t lanes = 0;
  for (Value* arg : args) lanes = std::max(lanes, lanes_of(arg));
  std::vector<Value*> values(args.begin(), args.end());
  const std::vector<bool> is_coefficient = coefficients_of(program);
  for (std::size_t i = 0; i < program.instructions.size(); ++i) {
    const ir::ScalarInstruction& instruction = program.instructions[i];
    if (instruction.primitive == Primitive::none) {
      llvm::Constant* constant =
          element_constant(b.getContext(), instruction.dtype, static_cast<std::uint64_t>(instruction.bits));
      if (lanes > 0 && is_coefficient[i]) {
        values.push_back(b.CreateVectorSplat(static_cast<unsigned>(lanes), load_coefficient(b, constant)));
        continue;
      }
      values.push_back(lanes == 0 ? constant
                                  : llvm::ConstantVector::getSplat(
                                        llvm::ElementCount::getFixed(static_cast<unsigned>(lanes)), constant));
      continue;
    }
    std::vector<Value*> operands;
    for (std::int32_t arg : instruction.args) {
      if (arg >= 0) operands.push_back(values[static_cast<std::size_t>(arg)]);
    }
    values.push_back(emit_primitive(b, instruction.primitive, instruction.dtype,
                                    program.dtype_of(instruction.args[0]), operands, instruction.bits));
  }
  return values[static_cast<std::size_t>(program.result)];
}

}  // namespace hyperion::codegen

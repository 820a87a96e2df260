#include "codegen/llvm/contraction_emit.hpp"

#include "ir/support/check.hpp"
#include "llvm/IR/Intrinsics.h"

namespace hyperion::codegen {
namespace {

llvm::Type* real_type(llvm::LLVMContext& context, DType compute) {
  return compute == DType::f64 ? llvm::Type::getDoubleTy(context) : llvm::Type::getFloatTy(context);
}

// The same type with as many lanes as `shape` has, scalar if it is scalar.
llvm::Type* like(llvm::Type* element, llvm::Type* shape) {
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(shape)) {
    return llvm::FixedVectorType::get(element, vector->getNumElements());
  }
  return element;
}

}  // namespace

Emit::Emit(IrModule& u, DType compute)
    : unit(u),
      module(u.impl().module),
      target(u.target()),
      b(u.impl().context),
      i64(llvm::Type::getInt64Ty(u.impl().context)),
      i1(llvm::Type::getInt1Ty(u.impl().context)),
      ptr(llvm::PointerType::getUnqual(u.impl().context)),
      real(real_type(u.impl().context, compute)),
      lanes(u.target().lanes(compute)),
      real_bytes(static_cast<int>(byte_size(compute))) {}

llvm::Function* Emit::begin_function(const std::string& name, std::span<llvm::Type* const> types,
                                     bool is_public) {
  auto* type =
      llvm::FunctionType::get(b.getVoidTy(), llvm::ArrayRef(types.data(), types.size()), false);
  auto* function = llvm::Function::Create(
      type, is_public ? llvm::Function::ExternalLinkage : llvm::Function::InternalLinkage, name,
      module);
  set_function_attributes(*function, target);
  b.SetInsertPoint(llvm::BasicBlock::Create(b.getContext(), "entry", function));
  return function;
}

llvm::Value* Emit::at(llvm::Value* base, std::int64_t bytes) {
  return bytes == 0 ? base : b.CreateGEP(b.getInt8Ty(), base, number(bytes));
}

llvm::Value* Emit::at(llvm::Value* base, llvm::Value* index, std::int64_t stride_bytes) {
  return b.CreateGEP(b.getInt8Ty(), base, times(index, stride_bytes));
}

llvm::Value* Emit::smaller(llvm::Value* x, llvm::Value* y) {
  return b.CreateSelect(b.CreateICmpSLT(x, y), x, y);
}

llvm::Value* Emit::buffer(llvm::Value* table, int index) {
  return b.CreateAlignedLoad(ptr, at(table, index * 8), llvm::Align(8));
}

Values Emit::loop(llvm::Value* begin, llvm::Value* end, std::int64_t step, const Values& initial,
                  bool may_be_empty, const Body& body) {
  llvm::Function* function = b.GetInsertBlock()->getParent();
  auto* entry = b.GetInsertBlock();
  auto* header = llvm::BasicBlock::Create(b.getContext(), "loop", function);
  auto* exit = llvm::BasicBlock::Create(b.getContext(), "after", function);
  if (may_be_empty) {
    b.CreateCondBr(b.CreateICmpSLT(begin, end), header, exit);
  } else {
    b.CreateBr(header);
  }
  b.SetInsertPoint(header);
  llvm::PHINode* index = b.CreatePHI(i64, 2);
  index->addIncoming(begin, entry);
  Values carried;
  for (llvm::Value* value : initial) {
    llvm::PHINode* phi = b.CreatePHI(value->getType(), 2);
    phi->addIncoming(value, entry);
    carried.push_back(phi);
  }
  const Values next = body(index, carried);
  HYP_CHECK(next.size() == initial.size(), "a loop body returns every carried value");
  llvm::Value* next_index = add(index, step);
  auto* latch = b.GetInsertBlock();
  b.CreateCondBr(b.CreateICmpSLT(next_index, end), header, exit);
  index->addIncoming(next_index, latch);
  for (std::size_t i = 0; i < next.size(); ++i) {
    llvm::cast<llvm::PHINode>(carried[i])->addIncoming(next[i], latch);
  }
  b.SetInsertPoint(exit);
  if (!may_be_empty) return next;
  Values result;
  for (std::size_t i = 0; i < next.size(); ++i) {
    llvm::PHINode* phi = b.CreatePHI(next[i]->getType(), 2);
    phi->addIncoming(initial[i], entry);
    phi->addIncoming(next[i], latch);
    result.push_back(phi);
  }
  return result;
}

void Emit::loop(llvm::Value* begin, llvm::Value* end, std::int64_t step,
                const std::function<void(llvm::Value* index)>& body) {
  loop(begin, end, step, {}, true, [&](llvm::Value* index, const Values&) {
    body(index);
    return Values();
  });
}

Values Emit::when(llvm::Value* condition, const Values& carried,
                  const std::function<Values()>& then) {
  llvm::Function* function = b.GetInsertBlock()->getParent();
  auto* entry = b.GetInsertBlock();
  auto* taken = llvm::BasicBlock::Create(b.getContext(), "then", function);
  auto* join = llvm::BasicBlock::Create(b.getContext(), "join", function);
  b.CreateCondBr(condition, taken, join);
  b.SetInsertPoint(taken);
  const Values changed = then();
  HYP_CHECK(changed.size() == carried.size(), "a branch returns every carried value");
  auto* last = b.GetInsertBlock();
  b.CreateBr(join);
  b.SetInsertPoint(join);
  Values result;
  for (std::size_t i = 0; i < carried.size(); ++i) {
    llvm::PHINode* phi = b.CreatePHI(carried[i]->getType(), 2);
    phi->addIncoming(carried[i], entry);
    phi->addIncoming(changed[i], last);
    result.push_back(phi);
  }
  return result;
}

llvm::Value* Emit::prefix_mask(int count) {
  if (count >= lanes) return nullptr;
  std::vector<llvm::Constant*> bits;
  for (int i = 0; i < lanes; ++i) bits.push_back(llvm::ConstantInt::getBool(i1, i < count));
  return llvm::ConstantVector::get(bits);
}

llvm::Value* Emit::prefix_mask(llvm::Value* count) {
  std::vector<llvm::Constant*> numbers;
  llvm::Type* i32 = b.getInt32Ty();
  for (int i = 0; i < lanes; ++i) numbers.push_back(llvm::ConstantInt::get(i32, i));
  llvm::Value* limit = b.CreateVectorSplat(lanes, b.CreateTrunc(count, i32));
  return b.CreateICmpSLT(llvm::ConstantVector::get(numbers), limit);
}

llvm::Value* Emit::widen(DType dtype, llvm::Value* raw) {
  switch (dtype) {
    case DType::bf16: {
      llvm::Type* wide = like(b.getInt32Ty(), raw->getType());
      return b.CreateBitCast(b.CreateShl(b.CreateZExt(raw, wide), 16), like(real, raw->getType()));
    }
    case DType::f16: {
      llvm::Value* half = b.CreateBitCast(raw, like(b.getHalfTy(), raw->getType()));
      return b.CreateFPExt(half, like(real, raw->getType()));
    }
    default:
      return raw;
  }
}

llvm::Value* Emit::load(DType dtype, llvm::Value* pointer, llvm::Value* mask) {
  llvm::Type* element = element_type(b.getContext(), dtype);
  auto* type = llvm::FixedVectorType::get(element, lanes);
  const llvm::Align align(byte_size(dtype));
  llvm::Value* raw =
      mask == nullptr
          ? static_cast<llvm::Value*>(b.CreateAlignedLoad(type, pointer, align))
          : b.CreateMaskedLoad(type, pointer, align, mask, llvm::Constant::getNullValue(type));
  return widen(dtype, raw);
}

llvm::Value* Emit::load_scalar(DType dtype, llvm::Value* pointer) {
  llvm::Type* element = element_type(b.getContext(), dtype);
  return widen(dtype, b.CreateAlignedLoad(element, pointer, llvm::Align(byte_size(dtype))));
}

// bf16 by integer arithmetic: the conversion instructions of AVX-512 flush denormals. Rounds to
// nearest even by adding just under half of the last kept bit, plus that bit; a NaN keeps its top
// bits and is made quiet.
llvm::Value* Emit::narrow(DType dtype, llvm::Value* value) {
  llvm::Type* type = value->getType();
  if (type->getScalarType() != real) return value;  // the hook has converted it
  if (dtype == DType::f16) {
    llvm::Value* half = b.CreateFPTrunc(value, like(b.getHalfTy(), type));
    return b.CreateBitCast(half, like(b.getInt16Ty(), type));
  }
  if (dtype == DType::f32 && real->isDoubleTy())
    return b.CreateFPTrunc(value, like(b.getFloatTy(), type));
  if (dtype == DType::f64 && real->isFloatTy())
    return b.CreateFPExt(value, like(b.getDoubleTy(), type));
  if (dtype != DType::bf16) return value;
  llvm::Type* word = like(b.getInt32Ty(), type);
  const auto constant = [&](unsigned bits) { return llvm::ConstantInt::get(word, bits); };
  llvm::Value* bits = b.CreateBitCast(value, word);
  llvm::Value* odd = b.CreateAnd(b.CreateLShr(bits, 16), constant(1));
  llvm::Value* rounded = b.CreateAdd(bits, b.CreateAdd(odd, constant(0x7fff)));
  llvm::Value* quiet = b.CreateOr(bits, constant(0x400000));
  llvm::Value* chosen = b.CreateSelect(b.CreateFCmpUNO(value, value), quiet, rounded);
  return b.CreateTrunc(b.CreateLShr(chosen, 16), like(b.getInt16Ty(), type));
}

void Emit::store(DType dtype, llvm::Value* value, llvm::Value* pointer, llvm::Value* mask) {
  llvm::Value* raw = narrow(dtype, value);
  const llvm::Align align(byte_size(dtype));
  if (mask == nullptr) {
    b.CreateAlignedStore(raw, pointer, align);
  } else {
    b.CreateMaskedStore(raw, pointer, align, mask);
  }
}

void Emit::prefetch(llvm::Value* pointer, bool for_writing) {
  constexpr int kAllLevels = 3, kData = 1;
  b.CreateIntrinsic(b.getVoidTy(), llvm::Intrinsic::prefetch,
                    {pointer, b.getInt32(for_writing), b.getInt32(kAllLevels), b.getInt32(kData)});
}

llvm::Value* Emit::fma(llvm::Value* x, llvm::Value* y, llvm::Value* z) {
  return b.CreateIntrinsic(z->getType(), llvm::Intrinsic::fma, {x, y, z});
}

StatusOr<DType> contraction_compute_type(DType lhs, DType rhs) {
  const auto is_f32_like = [](DType t) {
    return t == DType::f32 || t == DType::bf16 || t == DType::f16;
  };
  if (lhs == DType::f64 && rhs == DType::f64) return DType::f64;
  if (is_f32_like(lhs) && is_f32_like(rhs)) return DType::f32;
  return error_status(Code::invalid_argument, "no packed contraction of " +
                                                  std::string(dtype_name(lhs)) + " with " +
                                                  std::string(dtype_name(rhs)));
}

// Interleaves within 128-bit parts first, then exchanges whole parts: both are single instructions
// on every target, and patterns that the back end recognizes at once (general two-operand shuffles
// take it ten times longer).
Values transpose_square(Emit& e, Values rows) {
  const int n = e.lanes;
  const int part = 16 / e.real_bytes;  // elements in 128 bits
  HYP_CHECK(static_cast<int>(rows.size()) == n, "a square of vectors");
  const auto shuffle = [&](llvm::Value* x, llvm::Value* y, auto index) {
    std::vector<int> lanes(static_cast<std::size_t>(n));
    for (int j = 0; j < n; ++j) lanes[static_cast<std::size_t>(j)] = index(j);
    return e.b.CreateShuffleVector(x, y, lanes);
  };
  // Lane j of the result takes runs of `s` elements from both, from the lower or upper half of each
  // part.
  for (int s = 1; s < part; s *= 2) {
    Values next(rows.size());
    for (int group = 0; group < n; group += part) {
      for (int i = 0; i < part / 2; ++i) {
        // After step s, rows 2i and 2i + 1 of a group came from i and i + part / 2 of it.
        llvm::Value* x = rows[static_cast<std::size_t>(group + i)];
        llvm::Value* y = rows[static_cast<std::size_t>(group + i + part / 2)];
        for (int high = 0; high < 2; ++high) {
          next[static_cast<std::size_t>(group + 2 * i + high)] = shuffle(x, y, [&](int j) {
            const int in_part = j % part;
            return j - in_part + high * part / 2 + in_part / 2 + (in_part % 2) * n;
          });
        }
      }
    }
    rows = std::move(next);
  }
  // Now row (g, j) holds in its part q the elements 4q + j of the rows of group g: transpose the
  // parts.
  for (int s = n / part / 2; s >= 1; s /= 2) {
    for (int i = 0; i < n; ++i) {
      const int group = i / part;
      if ((group & s) != 0) continue;
      llvm::Value*& x = rows[static_cast<std::size_t>(i)];
      llvm::Value*& y = rows[static_cast<std::size_t>(i + s * part)];
      llvm::Value* low =
          shuffle(x, y, [&](int j) { return (j / part & s) == 0 ? j : n + j - s * part; });
      llvm::Value* high =
          shuffle(x, y, [&](int j) { return (j / part & s) == 0 ? j + s * part : n + j; });
      x = low, y = high;
    }
  }
  return rows;
}

}  // namespace hyperion::codegen

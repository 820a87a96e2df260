// contraction_emit.hpp: an IRBuilder with the few shapes that contraction code is made of: counted
// loops with carried values, byte-addressed pointers, vectors of one element type in storage and
// computation. Internal to codegen/llvm.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "codegen/llvm/contraction_schedule.hpp"
#include "codegen/llvm/llvm_internal.hpp"

namespace hyperion::codegen {

using Values = std::vector<llvm::Value*>;

struct Emit {
  IrModule& unit;
  llvm::Module& module;
  const CpuTarget& target;
  llvm::IRBuilder<> b;
  llvm::Type* i64;
  llvm::Type* i1;
  llvm::PointerType* ptr;
  llvm::Type* real;  // f32 or f64: what is computed in
  int lanes;         // of `real`
  int real_bytes;

  Emit(IrModule& unit, DType compute);

  llvm::Value* number(std::int64_t value) { return llvm::ConstantInt::getSigned(i64, value); }
  llvm::FixedVectorType* vector_type() { return llvm::FixedVectorType::get(real, lanes); }
  llvm::Value* zero_vector() { return llvm::Constant::getNullValue(vector_type()); }

  // Starts a function; its arguments carry the names given.
  llvm::Function* begin_function(const std::string& name, std::span<llvm::Type* const> types,
                                 bool is_public);

  // ptr + bytes, and ptr + index * stride.
  llvm::Value* at(llvm::Value* base, std::int64_t bytes);
  llvm::Value* at(llvm::Value* base, llvm::Value* index, std::int64_t stride_bytes);
  llvm::Value* add(llvm::Value* x, std::int64_t y) { return b.CreateAdd(x, number(y)); }
  llvm::Value* times(llvm::Value* x, std::int64_t y) { return b.CreateMul(x, number(y)); }
  llvm::Value* smaller(llvm::Value* x, llvm::Value* y);
  llvm::Value* buffer(llvm::Value* table, int index);

  // for (i = begin; i < end; i += step), carrying values; the body returns their next values.
  // `may_be_empty` false promises begin < end and saves the test.
  using Body = std::function<Values(llvm::Value* index, const Values& carried)>;
  Values loop(llvm::Value* begin, llvm::Value* end, std::int64_t step, const Values& initial,
              bool may_be_empty, const Body& body);
  void loop(llvm::Value* begin, llvm::Value* end, std::int64_t step,
            const std::function<void(llvm::Value* index)>& body);
  // Runs `then` if `condition`; the carried values pass through unchanged otherwise.
  Values when(llvm::Value* condition, const Values& carried, const std::function<Values()>& then);

  // Lanes [0, count) as a constant mask, or nullptr for all of them.
  llvm::Value* prefix_mask(int count);
  // Lanes [0, count) for a count known at run time.
  llvm::Value* prefix_mask(llvm::Value* count);

  // Elements of `dtype` in memory, widened to `real`. Masked lanes are not read and become zero.
  llvm::Value* load(DType dtype, llvm::Value* pointer, llvm::Value* mask);
  llvm::Value* load_scalar(DType dtype, llvm::Value* pointer);
  // `value` has the computation's type, or already the type stored.
  void store(DType dtype, llvm::Value* value, llvm::Value* pointer, llvm::Value* mask);
  llvm::Value* narrow(DType dtype, llvm::Value* value);
  // Asks for the cache line at `pointer`, which need not be readable.
  void prefetch(llvm::Value* pointer, bool for_writing);
  llvm::Value* fma(llvm::Value* x, llvm::Value* y, llvm::Value* z);

 private:
  llvm::Value* widen(DType dtype, llvm::Value* raw);
};

// The type sums are carried in, or nullopt-like failure text for the caller's error: f64 for f64,
// f32 for f32, bf16, f16.
StatusOr<DType> contraction_compute_type(DType lhs, DType rhs);

// rows[i] lane j -> result[j] lane i, for as many rows as a vector has lanes, in registers.
Values transpose_square(Emit& e, Values rows);

}  // namespace hyperion::codegen

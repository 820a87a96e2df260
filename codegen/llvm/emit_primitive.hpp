// emit_primitive.hpp: the primitives of ir/logic/primitives.def as LLVM instructions, on scalars and on vectors.
//
// Elements in registers: f64 f32 f16 bf16 as LLVM's types, f8 as i8 (bits), integers as iN, bool as i1.
// Internal to codegen/llvm.
#pragma once

#include <span>

#include "codegen/llvm/llvm_internal.hpp"
#include "ir/logic/scalar_program.hpp"

namespace hyperion::codegen {

// The type of one element in a register; `lanes` = 0 for a scalar.
llvm::Type* register_type(llvm::LLVMContext& context, DType dtype, std::int64_t lanes);
// An element's bits as a constant of register_type(dtype, 0).
llvm::Constant* element_constant(llvm::LLVMContext& context, DType dtype, std::uint64_t bits);

// One primitive. `operand` is the dtype of the first argument. All arguments have the same number of lanes.
llvm::Value* emit_primitive(llvm::IRBuilderBase& b, ir::Primitive primitive, DType result, DType operand,
                            std::span<llvm::Value* const> args, std::int64_t immediate);

// An elementwise op: its whole scalar program, straight line.
llvm::Value* emit_scalar_program(llvm::IRBuilderBase& b, const ir::ScalarProgram& program,
                                 std::span<llvm::Value* const> args);

}  // namespace hyperion::codegen

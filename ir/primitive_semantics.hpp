// primitive_semantics.hpp: the primitives of ir/logic/primitives.def as plain C++, one element at a time.
//
// This is the reference that every backend is compared with, to the bit (NaNs count as one value). An element is its
// bits, zero-extended to 64. Nothing here depends on the host's rounding mode or on contraction: the build forbids the
// latter and nobody changes the former.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "ir/logic/scalar_program.hpp"

namespace hyperion::ir {

// `operand` is the dtype of args[0]; `immediate` the direction of a comparison.
// REQUIRES: the primitive is defined on these dtypes; args.size() == primitive_arity(primitive).
std::uint64_t evaluate_primitive(Primitive primitive, DType result, DType operand,
                                 std::span<const std::uint64_t> args, std::int64_t immediate = 0);

// Runs a straight-line program on one element of each argument. `registers` is scratch that a caller keeps between
// elements; the arguments are registers[0 .. arguments.size()).
std::uint64_t evaluate_program(const ScalarProgram& program, std::span<std::uint64_t> registers);
inline std::size_t register_count(const ScalarProgram& program) {
  return program.arguments.size() + program.instructions.size();
}

}  // namespace hyperion::ir

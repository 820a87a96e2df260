// scalar_program.hpp: a scalar function as a straight line of primitives, ready to evaluate or emit.
//
// Value number k < argument_count is argument k; after those, value argument_count + i is the result of
// instructions[i]. Arithmetic appears only in f32, f64, integers and bool: small floats are cast on the way in and out,
// so a backend needs casts, loads and stores for them and nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "ir/op_definition.hpp"

namespace hyperion::ir {

struct ScalarInstruction {
  Primitive primitive = Primitive::none;  // none: the constant `bits`
  DType dtype = DType::f32;               // of the result
  std::array<std::int32_t, 3> args = {-1, -1, -1};
  std::int64_t bits = 0;  // constant: the element's bits; compare: the direction
};

struct ScalarProgram {
  std::vector<DType> arguments;
  std::vector<ScalarInstruction> instructions;
  std::int32_t result = 0;

  DType dtype_of(std::int32_t value) const {
    const auto count = static_cast<std::int32_t>(arguments.size());
    return value < count ? arguments[static_cast<std::size_t>(value)]
                         : instructions[static_cast<std::size_t>(value - count)].dtype;
  }
};

// The program of an elementwise op for these dtypes. Cached for the life of the process; thread safe.
// REQUIRES: the op accepts the dtypes; `immediate` is the comparison direction for compare, else 0.
const ScalarProgram& scalar_program(const OpDefinition& function, std::span<const DType> arguments,
                                    DType result, std::int64_t immediate = 0);

int primitive_arity(Primitive primitive);
std::string_view primitive_name(Primitive primitive);  // "add", "and" (without the keyword escape)
std::string_view primitive_semantics(Primitive primitive);

}  // namespace hyperion::ir

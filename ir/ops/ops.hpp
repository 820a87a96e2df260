// ops.hpp: what the op files share, and the list of them.
//
// An op file is one function: OpDefinition op_NAME(). The starters below fill in what a family has in common, so that a
// file holds only what is particular to its op.
#pragma once

#include <string_view>
#include <vector>

#include "ir/op_definition.hpp"
#include "ir/transforms.hpp"

namespace hyperion::ir::ops {

std::vector<OpDefinition> built_in_ops();  // from ops.def

// Which element types an elementwise op accepts.
using DTypePredicate = bool (*)(DType);
inline bool any_real_dtype(DType t) { return !is_complex(t); }
inline bool numeric_dtype(DType t) { return !is_complex(t) && !is_boolean(t); }
inline bool floating_dtype(DType t) { return is_floating(t); }
inline bool signed_dtype(DType t) { return is_floating(t) || is_signed_integer(t); }
inline bool bits_dtype(DType t) { return is_integer(t) || is_boolean(t); }
inline bool integer_dtype(DType t) { return is_integer(t); }

// Elementwise: (C1) all operands have the same type; (C2) the dtype is accepted. Result type = operand type.
OpDefinition elementwise(std::string_view name, std::string_view doc, std::vector<OperandSpec> operands,
                         DTypePredicate accepts, std::string_view accepted_words);
OpDefinition unary_op(std::string_view name, std::string_view doc, DTypePredicate accepts,
                      std::string_view accepted_words);
OpDefinition binary_op(std::string_view name, std::string_view doc, DTypePredicate accepts,
                       std::string_view accepted_words);

// The code of a comparison direction ("eq" 0, "ne" 1, "lt" 2, "le" 3, "gt" 4, "ge" 5), or -1.
std::int64_t comparison_code(std::string_view direction);
std::string_view comparison_name(std::int64_t code);

// `term` with every scalar function that is not primitive replaced by its expansion.
TermId unfold(TermPool& pool, TermId term);

// The axes of a permutation or reduction, checked: each in [0, rank), none twice.
bool distinct_axes(const Integers& axes, int rank);

// The one result most rules return.
inline std::vector<Value> only(Value value) { return {value}; }

}  // namespace hyperion::ir::ops

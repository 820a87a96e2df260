// compose.hpp: a fusion group as index notation over its inputs.
//
// The definitions of all ops of a group are inlined into one another, so that each output is one term whose accesses are
// the group's parameters. Sharing survives: a value needed twice at the same indices is one node of the term DAG. A value
// needed at other indices (through a transpose, say) is a second expression of the same definition, which is exactly
// what fusing it means.
//
// Accesses come out *linear*: one index, the row-major element offset into the parameter's buffer. Offsets of views that
// compose to something affine are affine (ir/logic/term.hpp).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ir/logic/term.hpp"
#include "ir/module.hpp"

namespace hyperion::codegen {

struct Composition {
  ir::TermPool pool;
  std::vector<ir::Lambda> outputs;   // one per result of the group
  std::vector<ir::Lambda> operands;  // one per operand of the opaque op, if there is one
  std::vector<Type> output_types;
  std::vector<Type> inputs;         // types of the parameters; access k reads parameter k
};

// An op that the lowering computes by other means: its result is read as access number `as_input`, with one index per
// dimension (not linear), instead of being inlined.
struct Opaque {
  const ir::Op& op;
  int as_input = 0;
};

// REQUIRES: all types static; every op but the opaque one has an index form.
Composition compose(const ir::Function& group, const std::optional<Opaque>& opaque = std::nullopt);

// The indices of row-major element number `position` of a tensor of these sizes: its digits. The first is not reduced, so
// that it may be an index of more.
std::vector<ir::TermId> digits(ir::TermPool& pool, ir::TermId position, std::span<const std::int64_t> sizes);

}  // namespace hyperion::codegen

// term_evaluator.hpp: the value of index notation, element by element: slow, obvious, the oracle.
//
// A subterm's value is kept until a variable it depends on changes, so a term costs what its DAG says, not what its
// tree would. ite evaluates the chosen side only; an access outside its operand is a broken definition and fails a check.
//
// Thread safety: pure functions; the pool is only read.
#pragma once

#include <span>

#include "ir/literal.hpp"
#include "ir/logic/term.hpp"

namespace hyperion::ir {

// The tensor that `lambda` describes, where operand k of an access is operands[k].
// REQUIRES: static types without complex elements; `result` has the extents of the lambda's variables.
LiteralPtr evaluate_lambda(const TermPool& pool, const Lambda& lambda, Type result,
                           std::span<const LiteralPtr> operands);

}  // namespace hyperion::ir

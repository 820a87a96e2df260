// body_copy.hpp: writing the ops of one func again somewhere else: what inlining is, and what the rules of ops that call
// functions use.
#pragma once

#include <span>
#include <vector>

#include "ir/builder.hpp"

namespace hyperion::ir {

// Appends `op` of another function with these operands; types, attributes and location stay, names do not come along.
// REQUIRES: `op` is a func-level op other than return; operands have the original types.
std::vector<Value> copy_op(Builder& builder, const Function& from, const Op& op,
                           std::span<const Value> operands);

// Appends the whole body of `callee`; returns its results. This is `call`, by definition.
std::vector<Value> copy_body(Builder& builder, const Function& callee,
                             std::span<const Value> arguments);

}  // namespace hyperion::ir

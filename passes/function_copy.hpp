// function_copy.hpp: writing the ops of one func again somewhere else: the base of inlining and of every transform that
// turns a func into a new one.
#pragma once

#include <span>
#include <vector>

#include "ir/body_copy.hpp"

namespace hyperion::passes {

using ir::copy_body;
using ir::copy_op;

// The decomposition of one application of a composite, as a function of its own (in no module).
// REQUIRES: op.definition->is_composite().
ir::Function decomposition(const ir::Module* module, const ir::Op& op, std::span<const Type> operand_types);

// Adds the parameters of `from` to the function being built, under their names.
std::vector<ir::Value> copy_parameters(ir::Builder& builder, const ir::Function& from);

// A parameter called `base` + `suffix` if `base` is a name and no value of `from` has that name, else unnamed.
ir::Value add_derived_parameter(ir::Builder& builder, Type type, const ir::Function& from,
                                const std::string& base, std::string_view suffix);

}  // namespace hyperion::passes

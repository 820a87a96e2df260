// rule_view_functions.hpp: the rule functions that say what becomes of views when a transposition passes them.
#pragma once

#include "passes/simplify/rule_functions.hpp"

namespace hyperion::passes {

// transpose(broadcast(x){dims}){permutation} = broadcast(transpose(x){transposed_order}){transposed_dims}
std::optional<ir::AttributeValue> transposed_dims(std::span<const RuleArgument> dims_and_permutation);
std::optional<ir::AttributeValue> transposed_order(std::span<const RuleArgument> dims_and_permutation);

// reshape(transpose(x){permutation}){shape} = transpose(reshape(x){regrouped_shape}){regrouped_permutation}, where the
// reshape cuts axes, or joins axes that are neighbours in x as well; else nothing.
std::optional<ir::AttributeValue> regrouped_shape(std::span<const RuleArgument> permutation_shape_and_x);
std::optional<ir::AttributeValue> regrouped_permutation(std::span<const RuleArgument> permutation_shape_and_x);

}  // namespace hyperion::passes

// rule_arguments.hpp: what the rule functions share: reading arguments, and lists as permutations. Internal to passes/simplify.
#pragma once

#include "passes/simplify/rule_functions.hpp"

namespace hyperion::passes {

// Null where the argument is of another kind.
template <class T>
const T* attribute(const RuleArgument& argument) {
  const auto* value = std::get_if<ir::AttributeValue>(&argument);
  return value == nullptr ? nullptr : std::get_if<T>(value);
}

inline std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

inline ir::Integers inverted(const ir::Integers& permutation) {
  ir::Integers out(permutation.size());
  for (std::size_t k = 0; k < out.size(); ++k) out[at(permutation[k])] = static_cast<std::int64_t>(k);
  return out;
}

}  // namespace hyperion::passes

// example.hpp: an op's one-line example as a whole module that parses.
//
// OpDefinition::example names operands but not their types; they are found by trying a short list
// of shapes, with the element type that the operand's name suggests (%p a predicate, %i an index,
// ...), until the type rule accepts them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ir/module.hpp"

namespace hyperion::tools {

struct Example {
  std::unique_ptr<ir::Module> module;
  const ir::Function* function = nullptr;  // returns the results of the op
  ir::OpId op;
};

// Nothing if the list has no types that fit, as for ops of kernels, which need a loop around them.
std::optional<Example> example_module(const ir::OpDefinition& op);

// "sum[k<...] x[i, k] * ...": the index notation of the op in the example, one line a result. Empty
// without a form.
std::string example_definition(const Example& example);

}  // namespace hyperion::tools

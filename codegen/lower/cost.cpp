#include "codegen/lower/cost.hpp"

#include <algorithm>

#include "ir/op_definition.hpp"

namespace hyperion::codegen {

using ir::Primitive;
using ir::Term;
using ir::TermId;
using ir::TermKind;
using ir::VariableId;

namespace {

std::uint64_t operations_of(const ir::OpDefinition& function) {
  switch (function.primitive) {
    case Primitive::fma:
      return 2;
    case Primitive::cast:
    case Primitive::bitcast:
    case Primitive::select:
      return 0;
    default:
      return 1;
  }
}

}  // namespace

CostCounter::CostCounter(const ir::TermPool& pool, std::span<const Type> inputs)
    : pool_(pool), inputs_(inputs.begin(), inputs.end()), accessed_(inputs.size()) {}

void CostCounter::add(TermId root) { count(root); }

// The variables that the term depends on. Its own work counts once for each combination of them.
const CostCounter::Variables& CostCounter::count(TermId id) {
  if (const auto found = free_.find(id); found != free_.end()) return found->second;
  const Term& term = pool_[id];
  if (term.kind == TermKind::fold) folds_[term.variable] = term.variable_count;
  Variables variables = free_variables(term);
  const std::uint64_t times = combinations(variables);
  if (term.kind == TermKind::scalar) {
    operations_ += times * operations_of(*term.function);
  } else if (term.kind == TermKind::reduce) {
    std::uint64_t elements = 1;
    for (std::uint32_t k = 0; k < term.variable_count; ++k) {
      elements *= static_cast<std::uint64_t>(pool_.extent({term.variable.index + k}).value());
    }
    operations_ += times * elements;
  } else if (term.kind == TermKind::access && static_cast<std::size_t>(term.value) < accessed_.size()) {
    accessed_[static_cast<std::size_t>(term.value)] += times;
  }
  return free_[id] = std::move(variables);
}

CostCounter::Variables CostCounter::free_variables(const Term& term) {
  Variables variables;
  const auto add_bound = [&](std::uint8_t bound) {
    for (std::uint32_t k = 0; k < bound; ++k) variables.push_back({term.variable.index + k});
  };
  if (term.kind == TermKind::index_variable) add_bound(1);
  // A state is another in each step of its fold.
  if (term.kind == TermKind::state) add_bound(folds_[term.variable]);
  for (TermId arg : term.args) {
    const Variables& of_arg = count(arg);
    variables.insert(variables.end(), of_arg.begin(), of_arg.end());
  }
  std::ranges::sort(variables);
  const auto repeated = std::ranges::unique(variables);
  variables.erase(repeated.begin(), repeated.end());
  if (term.kind == TermKind::reduce || term.kind == TermKind::fold) {
    std::erase_if(variables, [&](VariableId v) {
      return v.index >= term.variable.index && v.index < term.variable.index + term.variable_count;
    });
  }
  return variables;
}

std::uint64_t CostCounter::combinations(const Variables& variables) const {
  std::uint64_t product = 1;
  for (VariableId variable : variables) product *= static_cast<std::uint64_t>(pool_.extent(variable).value());
  return product;
}

std::uint64_t CostCounter::bytes_read() const {
  std::uint64_t bytes = 0;
  for (std::size_t k = 0; k < inputs_.size(); ++k) {
    bytes += std::min(inputs_[k].bytes(), accessed_[k] * byte_size(inputs_[k].dtype()));
  }
  return bytes;
}

}  // namespace hyperion::codegen

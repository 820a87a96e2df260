// cost.hpp: what composed terms read and compute, whatever the schedule: the counts that profiles show.
//
// A term is computed once for each combination of the variables that it depends on. So the maximum of a row counts once a
// row, however many elements are divided by it, and a term that two results share counts once.
//
//   operations   one for each elementwise op, exp as well as add; two for fma; none for what only moves values (cast,
//                bitcast, select); one for each element that a reduction combines
//   reads        of each input the elements that are accessed, but never more than it has
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "ir/logic/term.hpp"

namespace hyperion::codegen {

class CostCounter {
 public:
  // Access number k reads inputs[k]; accesses beyond them read no memory.
  CostCounter(const ir::TermPool& pool, std::span<const Type> inputs);

  // Terms that were added before, alone or within others, add nothing.
  void add(ir::TermId root);

  std::uint64_t operations() const { return operations_; }
  std::uint64_t bytes_read() const;

 private:
  using Variables = std::vector<ir::VariableId>;  // sorted, each once

  const Variables& count(ir::TermId id);
  Variables free_variables(const ir::Term& term);
  std::uint64_t combinations(const Variables& variables) const;

  const ir::TermPool& pool_;
  const std::vector<Type> inputs_;
  std::map<ir::TermId, Variables> free_;                 // of every term that was counted
  std::map<ir::VariableId, std::uint8_t> folds_;         // how many variables a fold has, by its first
  std::vector<std::uint64_t> accessed_;                  // elements, by input
  std::uint64_t operations_ = 0;
};

}  // namespace hyperion::codegen

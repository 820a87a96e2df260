// map_nest.hpp: the loop nest of a group without a contraction: axes, and each result as a term over them.
//
// Why a form of its own: schedules (lower.cpp, lower_transposition.cpp) decide from it how loops, vectors and tiles run;
// none of them changes what a term says.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "codegen/lower/compose.hpp"
#include "codegen/lower/lower.hpp"

namespace hyperion::codegen {

// A lane reduction up to this long may be unrolled into registers where vectors run along the results.
constexpr std::int64_t kLongestUnrolledReduction = 16;

struct MapNest {
  struct Output {
    ir::TermId body;
    ir::TermId offset;      // linear, into the result's buffer
    std::size_t depth = 0;  // how many of the leading variables it uses: all, or all but the last ("per row")
  };

  Composition composed;
  std::vector<ir::VariableId> variables;  // outermost first; axes of size 1 are left out
  std::vector<Output> outputs;
  // Variables that reductions over a row have in common, with one another or with the loop over the row itself.
  std::set<ir::VariableId> shared;

  std::int64_t extent(std::size_t axis) const { return composed.pool.extent(variables[axis]).value(); }
  bool is_full(const Output& output) const { return output.depth == variables.size(); }
};

MapNest map_nest(const ir::Function& group, Composition composition);

// Row reductions (a maximum, a sum) that the full outputs need, and that do not vary along the last variable: computed before
// the loop over it opens. Those under a guard are not among them: their loads need the guard.
std::vector<ir::TermId> row_values(const MapNest& nest);

// Inputs that are read only where, and before, an output of the same type is written, if all outputs are written by one
// loop that reads all it needs of an element before it writes it.
std::vector<std::pair<int, int>> in_place_pairs(const MapNest& nest);

// What the nest reads, writes and computes.
void add_cost(const MapNest& nest, Lowered& out);

// A result too large for the caches is written past them: a cached store would first read the line it overwrites. Such
// stores are of whole lines only. `length`: elements of a row; `lanes`: of one store.
bool streams_to_memory(const LoweringTarget& target, Type type, std::int64_t length, int lanes);

// ---- terms ----------------------------------------------------------------------------------------------------

// Whether `variable` is free in the term.
bool mentions(const ir::TermPool& pool, ir::TermId root, ir::VariableId variable);

ir::TermId rename(ir::TermPool& pool, ir::TermId term, const std::map<ir::VariableId, ir::TermId>& replacement);

// Visits every term of the DAG once.
template <class Visit>
void for_each_term(const ir::TermPool& pool, ir::TermId root, std::set<ir::TermId>& seen, Visit visit) {
  if (!seen.insert(root).second) return;
  visit(root, pool[root]);
  for (ir::TermId arg : pool[root].args) for_each_term(pool, arg, seen, visit);
}

}  // namespace hyperion::codegen

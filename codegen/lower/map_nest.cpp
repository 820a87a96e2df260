#include "codegen/lower/map_nest.hpp"

#include <algorithm>
#include <optional>

#include "codegen/lower/cost.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

using ir::Lambda;
using ir::Term;
using ir::TermId;
using ir::TermKind;
using ir::TermPool;
using ir::VariableId;

bool binds(const Term& term, VariableId variable) {
  return variable.index >= term.variable.index && variable.index < term.variable.index + term.variable_count;
}

bool mentions_unseen(const TermPool& pool, TermId root, VariableId variable, std::set<TermId>& seen) {
  if (!seen.insert(root).second) return false;
  const Term& term = pool[root];
  if (binds(term, variable)) return false;
  if (term.kind == TermKind::index_variable && term.variable == variable) return true;
  return std::ranges::any_of(term.args, [&](TermId arg) { return mentions_unseen(pool, arg, variable, seen); });
}

bool has_division_of(const TermPool& pool, TermId root, VariableId variable) {
  bool found = false;
  std::set<TermId> seen;
  for_each_term(pool, root, seen, [&](TermId id, const Term& term) {
    if (term.kind != TermKind::index_divide && term.kind != TermKind::index_modulo) return;
    found |= mentions(pool, id, variable);
  });
  return found;
}

class NestBuilder {
 public:
  NestBuilder(const ir::Function& group, Composition composition)
      : group_(group), nest_{.composed = std::move(composition), .variables = {}, .outputs = {}, .shared = {}} {}

  MapNest build() {
    build_nest();
    collapse();
    share_reduction_variables();
    return std::move(nest_);
  }

 private:
  // All outputs over the variables of the largest; an output may lack the trailing ones (a value per row).
  void build_nest() {
    std::size_t widest = 0;
    const auto squeezed = [&](std::size_t k) {
      std::vector<std::int64_t> sizes;
      for (Dim dim : composed_.output_types[k].dims()) {
        if (dim.value() != 1) sizes.push_back(dim.value());
      }
      return sizes;
    };
    for (std::size_t k = 1; k < composed_.outputs.size(); ++k) {
      if (squeezed(k).size() > squeezed(widest).size()) widest = k;
    }
    for (std::int64_t size : squeezed(widest)) nest_.variables.push_back(pool_.variable(Dim(size)));
    for (std::size_t k = 0; k < composed_.outputs.size(); ++k) {
      const Lambda& lambda = composed_.outputs[k];
      const std::vector<std::int64_t> sizes = squeezed(k), domain = squeezed(widest);
      HYP_CHECK(std::equal(sizes.begin(), sizes.end(), domain.begin(), domain.begin() + static_cast<std::ptrdiff_t>(sizes.size())),
                format("results of @{} do not share their leading dimensions", group_.name));
      std::map<VariableId, TermId> replacement;
      std::size_t next = 0;
      TermId offset = pool_.index(Dim(0));
      const std::vector<std::int64_t> strides = composed_.output_types[k].strides();
      for (std::size_t axis = 0; axis < lambda.variables.size(); ++axis) {
        const bool single = composed_.output_types[k].dim(static_cast<int>(axis)) == Dim(1);
        const TermId index = single ? pool_.index(Dim(0)) : pool_.index(nest_.variables[next++]);
        replacement[lambda.variables[axis]] = index;
        offset = pool_.add(offset, pool_.scale(index, strides[axis]));
      }
      nest_.outputs.push_back({rename(pool_, lambda.body, replacement), offset, sizes.size()});
    }
  }

  // Merges neighbouring axes where every address stays affine: an elementwise chain becomes one flat loop.
  void collapse() {
    for (std::size_t axis = nest_.variables.size(); axis-- > 1;) try_merge(axis - 1);
  }

  void try_merge(std::size_t axis) {
    const VariableId outer = nest_.variables[axis], inner = nest_.variables[axis + 1];
    const std::int64_t inner_size = pool_.extent(inner).value();
    const std::int64_t size = pool_.extent(outer).value() * inner_size;
    if (size == 0) return;
    for (const MapNest::Output& output : nest_.outputs) {
      if (output.depth == axis + 1) return;  // a per-row output ends between the two axes
    }
    const VariableId merged = pool_.variable(Dim(size));
    const TermId whole = pool_.index(merged);
    const std::map<VariableId, TermId> replacement = {{outer, pool_.divide(whole, inner_size)},
                                                      {inner, pool_.modulo(whole, inner_size)}};
    std::vector<MapNest::Output> outputs = nest_.outputs;
    for (MapNest::Output& output : outputs) {
      if (output.depth <= axis) continue;
      output.body = rename(pool_, output.body, replacement);
      output.offset = rename(pool_, output.offset, replacement);
      if (has_division_of(pool_, output.body, merged) || has_division_of(pool_, output.offset, merged)) return;
      output.depth -= 1;
    }
    nest_.outputs = std::move(outputs);
    nest_.variables[axis] = merged;
    nest_.variables.erase(nest_.variables.begin() + static_cast<std::ptrdiff_t>(axis) + 1);
  }

  // Lane reductions over one variable of the row's length all use the row's own last variable (or one they share), so
  // that what they compute per element is the same term everywhere, and can be kept.
  void share_reduction_variables() {
    std::map<std::int64_t, VariableId> common;  // by length
    if (!nest_.variables.empty()) common[pool_.extent(nest_.variables.back()).value()] = nest_.variables.back();
    for (MapNest::Output& output : nest_.outputs) {
      std::set<VariableId> left_alone;
      while (const std::optional<TermId> found = unshared_reduction(output.body, left_alone)) {
        const Term reduce = pool_[*found];
        const auto [shared, is_new] = common.try_emplace(pool_[reduce.args[0]].value, reduce.variable);
        if (!is_new && !can_rename(reduce, shared->second)) {
          left_alone.insert(reduce.variable);
          continue;
        }
        nest_.shared.insert(shared->second);
        if (is_new) continue;
        const TermId body = rename(pool_, reduce.body(), {{reduce.variable, pool_.index(shared->second)}});
        const TermId renamed = pool_.reduce(reduce.monoid, reduce.order, std::span(&shared->second, 1), body);
        output.body = pool_.substitute(output.body, {.variable = {}, .access = {}, .from = *found, .to = renamed});
      }
    }
  }

  std::optional<TermId> unshared_reduction(TermId root, const std::set<VariableId>& left_alone) {
    std::optional<TermId> found;
    std::set<TermId> seen;
    for_each_term(pool_, root, seen, [&](TermId id, const Term& term) {
      if (term.kind != TermKind::reduce || term.order != ir::Order::lanes || term.variable_count != 1) return;
      // Short ones may be unrolled, which replaces their variable; they need one of their own.
      if (pool_[term.args[0]].value <= kLongestUnrolledReduction || nest_.shared.contains(term.variable) || left_alone.contains(term.variable)) {
        return;
      }
      found = id;
    });
    return found;
  }

  // The new variable must not be free in the body already, nor be bound inside it around the old one.
  bool can_rename(const Term& reduce, VariableId to) {
    std::set<TermId> seen;
    if (mentions(pool_, reduce.body(), to)) return false;
    bool captured = false;
    std::set<TermId> visited;
    for_each_term(pool_, reduce.body(), visited, [&](TermId, const Term& term) {
      if (!binds(term, to)) return;
      for (TermId arg : term.args) {
        captured |= mentions(pool_, arg, reduce.variable);
      }
    });
    return !captured;
  }

  const ir::Function& group_;
  MapNest nest_;
  Composition& composed_ = nest_.composed;
  TermPool& pool_ = nest_.composed.pool;
};

}  // namespace

bool mentions(const TermPool& pool, TermId root, VariableId variable) {
  std::set<TermId> seen;
  return mentions_unseen(pool, root, variable, seen);
}

TermId rename(TermPool& pool, TermId term, const std::map<VariableId, TermId>& replacement) {
  return pool.substitute(term, {.variable = [&](VariableId v) -> std::optional<TermId> {
                                  const auto found = replacement.find(v);
                                  if (found == replacement.end()) return std::nullopt;
                                  return found->second;
                                },
                                .access = {}});
}

bool streams_to_memory(const LoweringTarget& target, Type type, std::int64_t length, int lanes) {
  constexpr std::int64_t kCacheLine = 64;
  const auto is_whole = [&](std::int64_t elements) {
    return elements * static_cast<std::int64_t>(byte_size(type.dtype())) % kCacheLine == 0;
  };
  const bool is_large = target.streaming_bytes > 0 && static_cast<std::int64_t>(type.bytes()) >= target.streaming_bytes;
  return is_large && is_whole(length) && is_whole(lanes);
}

std::vector<TermId> row_values(const MapNest& nest) {
  const TermPool& pool = nest.composed.pool;
  std::vector<TermId> values, stack;
  for (const MapNest::Output& output : nest.outputs) {
    if (nest.is_full(output)) stack.push_back(output.body);
  }
  std::set<TermId> seen;
  while (!stack.empty()) {
    const TermId id = stack.back();
    stack.pop_back();
    if (!seen.insert(id).second) continue;
    const Term& term = pool[id];
    if (term.kind == TermKind::reduce) {
      if (term.order == ir::Order::lanes && !mentions(pool, id, nest.variables.back())) values.push_back(id);
    } else if (term.kind == TermKind::scalar) {
      stack.insert(stack.end(), term.args.begin(), term.args.end());
    }
  }
  return values;
}

std::vector<std::pair<int, int>> in_place_pairs(const MapNest& nest) {
  const Composition& composed = nest.composed;
  std::map<int, std::set<TermId>> offsets;  // of every access, by input
  std::set<TermId> seen;
  bool has_loops = false;
  for (const MapNest::Output& output : nest.outputs) {
    has_loops |= !nest.is_full(output);
    for_each_term(composed.pool, output.body, seen, [&](TermId, const Term& term) {
      has_loops |= term.kind == TermKind::reduce || term.kind == TermKind::fold;
      if (term.kind == TermKind::access) offsets[static_cast<int>(term.value)].insert(term.args[0]);
    });
  }
  std::vector<std::pair<int, int>> pairs;
  if (has_loops) return pairs;
  for (const auto& [input, read] : offsets) {
    for (std::size_t k = 0; k < nest.outputs.size(); ++k) {
      const bool same_place = read.size() == 1 && *read.begin() == nest.outputs[k].offset;
      const Type type = composed.inputs[static_cast<std::size_t>(input)], result = composed.output_types[k];
      if (same_place && type.bytes() == result.bytes() && type.dtype() == result.dtype()) {
        pairs.emplace_back(input, static_cast<int>(k));
      }
    }
  }
  return pairs;
}

void add_cost(const MapNest& nest, Lowered& out) {
  CostCounter cost(nest.composed.pool, nest.composed.inputs);
  for (const MapNest::Output& output : nest.outputs) cost.add(output.body);
  out.flops = cost.operations();
  out.bytes = cost.bytes_read();
  for (const Type& type : nest.composed.output_types) out.bytes += type.bytes();
}

MapNest map_nest(const ir::Function& group, Composition composition) {
  return NestBuilder(group, std::move(composition)).build();
}

}  // namespace hyperion::codegen

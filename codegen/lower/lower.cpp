#include "codegen/lower/lower.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include "codegen/lower/compose.hpp"
#include "codegen/lower/kernel_writer.hpp"
#include "codegen/lower/lower_anchor.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

using ir::Lambda;
using ir::Term;
using ir::TermId;
using ir::TermKind;
using ir::TermPool;
using ir::Value;
using ir::VariableId;

// One vector loop iteration handles this many registers, so that independent instructions overlap. Polynomials are long
// chains: the processor's window holds too few iterations of them to stay busy, unless each brings several chains.
constexpr int kRegistersPerVector = 2;
constexpr int kRegistersPerExpensiveVector = 4;
// A 1-D loop is cut into tiles of this many elements: large enough to hide the cost of claiming a tile, small enough to
// balance two threads on a tensor of a few thousand elements.
constexpr std::int64_t kFlatTile = 4096;
constexpr std::int64_t kCacheLine = 64;

// The loop nest of a map: its axes, and each output as a term over one set of variables.
struct Nest {
  std::vector<VariableId> variables;
  struct Output {
    TermId body;
    TermId offset;
    std::size_t depth = 0;  // how many of the leading variables it uses: all, or all but the last ("per row")
  };
  std::vector<Output> outputs;
};

bool binds(const Term& term, VariableId variable) {
  return variable.index >= term.variable.index && variable.index < term.variable.index + term.variable_count;
}

// Whether `variable` is free in the term.
bool mentions(const TermPool& pool, TermId root, VariableId variable, std::set<TermId>& seen) {
  if (!seen.insert(root).second) return false;
  const Term& term = pool[root];
  if (binds(term, variable)) return false;
  if (term.kind == TermKind::index_variable && term.variable == variable) return true;
  return std::ranges::any_of(term.args, [&](TermId arg) { return mentions(pool, arg, variable, seen); });
}

// Visits every term of the DAG once.
template <class Visit>
void for_each_term(const TermPool& pool, TermId root, std::set<TermId>& seen, Visit visit) {
  if (!seen.insert(root).second) return;
  visit(root, pool[root]);
  for (TermId arg : pool[root].args) for_each_term(pool, arg, seen, visit);
}

bool has_division_of(const TermPool& pool, TermId root, VariableId variable) {
  bool found = false;
  std::set<TermId> seen;
  for_each_term(pool, root, seen, [&](TermId id, const Term& term) {
    if (term.kind != TermKind::index_divide && term.kind != TermKind::index_modulo) return;
    std::set<TermId> inner;
    found |= mentions(pool, id, variable, inner);
  });
  return found;
}

class MapLowering {
 public:
  MapLowering(const ir::Function& group, Composition composition, const LoweringTarget& target)
      : group_(group), composed_(std::move(composition)), pool_(composed_.pool), target_(target) {}

  Lowered run() {
    build_nest();
    collapse();
    share_reduction_variables();
    return write();
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
      nest_.outputs.push_back({rename(lambda.body, replacement), offset, sizes.size()});
    }
  }

  TermId rename(TermId term, const std::map<VariableId, TermId>& replacement) {
    return pool_.substitute(term, {.variable = [&](VariableId v) -> std::optional<TermId> {
                                     const auto found = replacement.find(v);
                                     if (found == replacement.end()) return std::nullopt;
                                     return found->second;
                                   },
                                   .access = {}});
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
    for (const Nest::Output& output : nest_.outputs) {
      if (output.depth == axis + 1) return;  // a per-row output ends between the two axes
    }
    const VariableId merged = pool_.variable(Dim(size));
    const TermId whole = pool_.index(merged);
    const std::map<VariableId, TermId> replacement = {{outer, pool_.divide(whole, inner_size)},
                                                      {inner, pool_.modulo(whole, inner_size)}};
    std::vector<Nest::Output> outputs = nest_.outputs;
    for (Nest::Output& output : outputs) {
      if (output.depth <= axis) continue;
      output.body = rename(output.body, replacement);
      output.offset = rename(output.offset, replacement);
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
    for (Nest::Output& output : nest_.outputs) {
      std::set<VariableId> left_alone;
      while (const std::optional<TermId> found = unshared_reduction(output.body, left_alone)) {
        const Term reduce = pool_[*found];
        const auto [shared, is_new] = common.try_emplace(pool_[reduce.args[0]].value, reduce.variable);
        if (!is_new && !can_rename(reduce, shared->second)) {
          left_alone.insert(reduce.variable);
          continue;
        }
        shared_.insert(shared->second);
        if (is_new) continue;
        const TermId body = rename(reduce.body(), {{reduce.variable, pool_.index(shared->second)}});
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
      if (pool_[term.args[0]].value <= kLongestUnrolledReduction || shared_.contains(term.variable) || left_alone.contains(term.variable)) {
        return;
      }
      found = id;
    });
    return found;
  }

  // The new variable must not be free in the body already, nor be bound inside it around the old one.
  bool can_rename(const Term& reduce, VariableId to) {
    std::set<TermId> seen;
    if (mentions(pool_, reduce.body(), to, seen)) return false;
    bool captured = false;
    std::set<TermId> visited;
    for_each_term(pool_, reduce.body(), visited, [&](TermId, const Term& term) {
      if (!binds(term, to)) return;
      for (TermId arg : term.args) {
        std::set<TermId> inner;
        captured |= mentions(pool_, arg, reduce.variable, inner);
      }
    });
    return !captured;
  }

  // ---- writing ------------------------------------------------------------------------------------------------

  int vector_lanes() const {
    std::size_t widest = 1;
    for (const Type& type : composed_.output_types) widest = std::max(widest, byte_size(type.dtype()));
    const int native = target_.vector_bytes / static_cast<int>(std::max<std::size_t>(widest, 4));
    return native * (is_expensive() ? kRegistersPerExpensiveVector : kRegistersPerVector);
  }

  bool is_expensive() const {
    bool found = false;
    std::set<TermId> seen;
    for (const Nest::Output& output : nest_.outputs) {
      for_each_term(pool_, output.body, seen, [&](TermId, const Term& term) {
        found |= term.kind == TermKind::scalar && term.function->is_expensive;
      });
    }
    return found;
  }

  // Vectors run along the last variable unless a long row reduction depends on it.
  bool can_vectorize() {
    if (nest_.variables.empty()) return false;
    const VariableId last = nest_.variables.back();
    if (pool_.extent(last).value() <= 1) return false;
    bool possible = true;
    for (const Nest::Output& output : nest_.outputs) {
      if (output.depth < nest_.variables.size()) continue;
      std::set<TermId> seen;
      for_each_term(pool_, output.body, seen, [&](TermId, const Term& term) {
        if (term.kind != TermKind::reduce || term.order != ir::Order::lanes) return;
        const auto extents = term.extents();
        if (pool_[extents.back()].value <= kLongestUnrolledReduction) return;
        if (term.variable == last) return;
        std::set<TermId> inner;
        possible &= !mentions(pool_, term.body(), last, inner);
      });
    }
    return possible;
  }

  bool has_row_reduction() {
    bool found = false;
    for (const Nest::Output& output : nest_.outputs) {
      std::set<TermId> seen;
      for_each_term(pool_, output.body, seen, [&](TermId, const Term& term) {
        found |= term.kind == TermKind::reduce && term.order == ir::Order::lanes;
      });
    }
    return found;
  }

  Lowered write() {
    Lowered out;
    out.kernel = std::make_unique<ir::Function>(group_.name + "_kernel", ir::FunctionKind::kernel);
    ir::Function& kernel = *out.kernel;
    std::vector<ir::ValueId> buffers, results;
    for (std::size_t k = 0; k < composed_.inputs.size(); ++k) {
      const std::string& given = group_.value(group_.parameters()[k]).name;
      buffers.push_back(kernel.add_parameter(composed_.inputs[k], given, {}, ir::ParameterRole::in));
    }
    for (const Type& type : composed_.output_types) {
      results.push_back(kernel.add_parameter(type, {}, {}, ir::ParameterRole::out));
    }
    KernelWriter writer(kernel, pool_, buffers);
    writer.builder().set_location(group_.location);
    write_tiles(writer, results, out);
    kernel_cost(out);
    find_in_place(out);
    return out;
  }

  void write_tiles(KernelWriter& writer, const std::vector<ir::ValueId>& results, Lowered& out) {
    const bool vectorize = can_vectorize();
    const bool rows = has_row_reduction();
    const std::size_t outer_count = nest_.variables.size() - (vectorize ? 1 : 0);
    std::int64_t outer = 1;
    for (std::size_t k = 0; k < outer_count; ++k) outer *= pool_.extent(nest_.variables[k]).value();
    const std::int64_t length = vectorize ? pool_.extent(nest_.variables.back()).value() : 1;
    // Long vectors are cut into pieces that threads can share, unless a row must stay whole.
    const bool cut = vectorize && !rows && length > kFlatTile;
    const std::int64_t pieces = cut ? (length + kFlatTile - 1) / kFlatTile : 1;
    out.tiles = outer * pieces;

    const Value tile = writer.open_loop(writer.constant_index(0), writer.constant_index(out.tiles), 1, {}, true);
    bind_outer(writer, tile, pieces, outer_count);
    keep_expensive_terms(writer, vectorize);
    if (vectorize) {
      write_vectors(writer, results, tile, cut, pieces, length);
    }
    for (std::size_t k = 0; k < nest_.outputs.size(); ++k) {
      const Nest::Output& output = nest_.outputs[k];
      if (vectorize && output.depth == nest_.variables.size()) continue;
      writer.store(output.body, results[k], output.offset);
    }
    writer.close_loop();
    writer.builder().apply_all("return", {});
  }

  // tile = (outer index) * pieces + piece; the outer index is row-major over the outer variables.
  void bind_outer(KernelWriter& writer, Value tile, std::int64_t pieces, std::size_t outer_count) {
    ir::Builder& b = writer.builder();
    Value rest = tile;
    if (pieces > 1) rest = b.apply("div", {rest, writer.constant_index(pieces)});
    for (std::size_t k = outer_count; k-- > 0;) {
      const std::int64_t size = pool_.extent(nest_.variables[k]).value();
      if (k == 0) {
        writer.bind(nest_.variables[k], rest);
        break;
      }
      writer.bind(nest_.variables[k], b.apply("rem", {rest, writer.constant_index(size)}));
      rest = b.apply("div", {rest, writer.constant_index(size)});
    }
  }

  void write_vectors(KernelWriter& writer, const std::vector<ir::ValueId>& results, Value tile, bool cut,
                     std::int64_t pieces, std::int64_t length) {
    ir::Builder& b = writer.builder();
    write_row_values(writer);
    const int lanes = static_cast<int>(std::min<std::int64_t>(
        lanes_for(length), static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(length)))));
    const bool even = length % lanes == 0;
    const auto body = [&](std::span<const Value>) -> std::vector<Value> {
      // Everything is read before anything is written, so that an output may take the place of an input.
      for (const Nest::Output& output : nest_.outputs) {
        if (output.depth == nest_.variables.size()) writer.element(output.body);
      }
      for (std::size_t k = 0; k < nest_.outputs.size(); ++k) {
        const Nest::Output& output = nest_.outputs[k];
        if (output.depth != nest_.variables.size()) continue;
        const bool streams = even && streams_to_memory(composed_.output_types[k], length, lanes);
        writer.store(output.body, results[k], output.offset, streams);
      }
      return {};
    };
    if (!cut) {
      writer.for_lanes(nest_.variables.back(), writer.constant_index(0), writer.constant_index(length), length,
                       lanes, {}, body);
    } else {
      Value piece = tile;
      if (nest_.variables.size() > 1) piece = b.apply("rem", {tile, writer.constant_index(pieces)});
      const Value begin = b.apply("mul", {piece, writer.constant_index(kFlatTile)});
      const Value end = b.apply("min", {b.apply("add", {begin, writer.constant_index(kFlatTile)}),
                                        writer.constant_index(length)});
      if (even) {
        writer.for_even_lanes(nest_.variables.back(), begin, end, lanes, body);
      } else {
        writer.for_lanes(nest_.variables.back(), begin, end, std::nullopt, lanes, {}, body);
      }
    }
    writer.kept_terms_are_complete();
  }

  // What the vector loop needs of its row (a maximum, a sum) is computed before the loop opens, so that values it keeps on
  // the way are there when the loop wants them. A row value under a guard waits: its loads need the guard.
  void write_row_values(KernelWriter& writer) {
    std::set<TermId> seen;
    std::vector<TermId> stack;
    for (const Nest::Output& output : nest_.outputs) {
      if (output.depth == nest_.variables.size()) stack.push_back(output.body);
    }
    while (!stack.empty()) {
      const TermId id = stack.back();
      stack.pop_back();
      if (!seen.insert(id).second) continue;
      const Term term = pool_[id];
      if (term.kind == TermKind::reduce) {
        std::set<TermId> inner;
        if (term.order == ir::Order::lanes && !mentions(pool_, id, nest_.variables.back(), inner)) writer.element(id);
      } else if (term.kind == TermKind::scalar) {
        stack.insert(stack.end(), term.args.begin(), term.args.end());
      }
    }
  }

  // A result too large for the caches is written past them: a cached store would first read the line it overwrites.
  // Such stores are of whole lines only.
  bool streams_to_memory(Type type, std::int64_t length, int lanes) const {
    const auto line = [&](std::int64_t elements) {
      return elements * static_cast<std::int64_t>(byte_size(type.dtype())) % kCacheLine == 0;
    };
    return target_.streaming_bytes > 0 && static_cast<std::int64_t>(type.bytes()) >= target_.streaming_bytes && line(length) && line(lanes);
  }

  // Reductions down columns keep their sums in registers while rows stream by: more columns at once, fewer passes.
  std::int64_t lanes_for(std::int64_t length) {
    std::int64_t lanes = vector_lanes();
    for (const Nest::Output& output : nest_.outputs) {
      const Term& term = pool_[output.body];
      if (term.kind == TermKind::reduce && length >= ir::kReductionLanes) lanes = ir::kReductionLanes;
    }
    return lanes;
  }

  // Expensive per-element values that more than one loop over a row needs are computed once and kept in scratch memory.
  void keep_expensive_terms(KernelWriter& writer, bool vectorize) {
    std::map<TermId, int> loops;  // how many loops compute the term
    const auto count_loop = [&](TermId body, VariableId variable) {
      std::set<TermId> seen;
      for_each_term(pool_, body, seen, [&](TermId id, const Term& term) {
        if (term.kind != TermKind::scalar || !term.function->is_expensive) return;
        std::set<TermId> inner;
        if (mentions(pool_, id, variable, inner)) ++loops[id];
      });
    };
    std::set<TermId> seen;
    for (const Nest::Output& output : nest_.outputs) {
      for_each_term(pool_, output.body, seen, [&](TermId, const Term& term) {
        if (term.kind == TermKind::reduce && shared_.contains(term.variable)) count_loop(term.body(), term.variable);
      });
      if (vectorize && output.depth == nest_.variables.size() && shared_.contains(nest_.variables.back())) {
        count_loop_outside_reductions(output.body, loops);
      }
    }
    for (const auto& [term, count] : loops) {
      if (count > 1) writer.keep(term, extent_of_kept(term));
    }
  }

  // The output loop computes what lies outside the reductions, which are done by then.
  void count_loop_outside_reductions(TermId root, std::map<TermId, int>& loops) {
    std::set<TermId> seen;
    std::vector<TermId> stack{root};
    while (!stack.empty()) {
      const TermId id = stack.back();
      stack.pop_back();
      if (!seen.insert(id).second || pool_[id].kind == TermKind::reduce) continue;
      const Term& term = pool_[id];
      if (term.kind == TermKind::scalar && term.function->is_expensive) {
        std::set<TermId> inner;
        if (mentions(pool_, id, nest_.variables.back(), inner)) ++loops[id];
      }
      stack.insert(stack.end(), term.args.begin(), term.args.end());
    }
  }

  std::int64_t extent_of_kept(TermId term) {
    for (VariableId variable : shared_) {
      std::set<TermId> seen;
      if (mentions(pool_, term, variable, seen)) return pool_.extent(variable).value();
    }
    return 0;
  }

  void find_in_place(Lowered& out) {
    std::map<int, std::set<TermId>> offsets;  // of every access, by input
    std::set<TermId> seen;
    bool has_loops = false;
    for (const Nest::Output& output : nest_.outputs) {
      has_loops |= output.depth != nest_.variables.size();
      for_each_term(pool_, output.body, seen, [&](TermId, const Term& term) {
        has_loops |= term.kind == TermKind::reduce || term.kind == TermKind::fold;
        if (term.kind == TermKind::access) offsets[static_cast<int>(term.value)].insert(term.args[0]);
      });
    }
    if (has_loops || !can_vectorize()) return;
    for (const auto& [input, read] : offsets) {
      for (std::size_t k = 0; k < nest_.outputs.size(); ++k) {
        const bool same_place = read.size() == 1 && *read.begin() == nest_.outputs[k].offset;
        const Type type = composed_.inputs[static_cast<std::size_t>(input)];
        if (same_place && type.bytes() == composed_.output_types[k].bytes() &&
            type.dtype() == composed_.output_types[k].dtype()) {
          out.in_place.emplace_back(input, static_cast<int>(k));
        }
      }
    }
  }

  void kernel_cost(Lowered& out) {
    std::int64_t elements = 0;
    for (const Type& type : composed_.output_types) elements = std::max(elements, type.element_count());
    for (const Type& type : composed_.inputs) {
      out.bytes += type.bytes();
      elements = std::max(elements, type.element_count());
    }
    for (const Type& type : composed_.output_types) out.bytes += type.bytes();
    std::set<TermId> seen;
    std::uint64_t operations = 0;
    for (const Nest::Output& output : nest_.outputs) {
      for_each_term(pool_, output.body, seen, [&](TermId, const Term& term) {
        operations += term.kind == TermKind::scalar || term.kind == TermKind::reduce;
      });
    }
    out.flops = operations * static_cast<std::uint64_t>(elements);
  }

  // A lane reduction up to this long may be unrolled into registers where vectors run along the results.
  static constexpr std::int64_t kLongestUnrolledReduction = 16;

  const ir::Function& group_;
  Composition composed_;
  TermPool& pool_;
  const LoweringTarget& target_;
  Nest nest_;
  std::set<VariableId> shared_;
};

}  // namespace

Lowered lower_group(const ir::Function& group, const LoweringTarget& target) {
  for (const auto& lower_anchor : {lower_contraction, lower_convolution}) {
    if (std::optional<Lowered> special = lower_anchor(group, target)) return std::move(*special);
  }
  return MapLowering(group, compose(group), target).run();
}

}  // namespace hyperion::codegen

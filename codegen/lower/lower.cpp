#include "codegen/lower/lower.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include "codegen/lower/kernel_writer.hpp"
#include "codegen/lower/lower_anchor.hpp"
#include "codegen/lower/lower_for_teams.hpp"
#include "codegen/lower/lower_transposition.hpp"
#include "codegen/lower/map_nest.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

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

class MapLowering {
 public:
  MapLowering(const ir::Function& group, Composition composition, const LoweringTarget& target)
      : group_(group), target_(target), nest_(map_nest(group, std::move(composition))) {}

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
    const std::optional<TransposedTiles> tiles = find_transposed_tiles(nest_, target_);
    if (tiles) {
      write_transposed_tiles(writer, nest_, *tiles, results, target_, out);
    } else {
      write_tiles(writer, results, out);
      if (can_vectorize()) out.in_place = in_place_pairs(nest_);
    }
    add_cost(nest_, out);
    return out;
  }

 private:
  int vector_lanes() const {
    std::size_t widest = 1;
    for (const Type& type : composed_.output_types) widest = std::max(widest, byte_size(type.dtype()));
    const int native = target_.vector_bytes / static_cast<int>(std::max<std::size_t>(widest, 4));
    return native * (is_expensive() ? kRegistersPerExpensiveVector : kRegistersPerVector);
  }

  bool is_expensive() const {
    bool found = false;
    std::set<TermId> seen;
    for (const MapNest::Output& output : nest_.outputs) {
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
    for (const MapNest::Output& output : nest_.outputs) {
      if (output.depth < nest_.variables.size()) continue;
      std::set<TermId> seen;
      for_each_term(pool_, output.body, seen, [&](TermId, const Term& term) {
        if (term.kind != TermKind::reduce || term.order != ir::Order::lanes) return;
        const auto extents = term.extents();
        if (pool_[extents.back()].value <= kLongestUnrolledReduction) return;
        if (term.variable == last) return;
        possible &= !mentions(pool_, term.body(), last);
      });
    }
    return possible;
  }

  bool has_row_reduction() {
    bool found = false;
    for (const MapNest::Output& output : nest_.outputs) {
      std::set<TermId> seen;
      for_each_term(pool_, output.body, seen, [&](TermId, const Term& term) {
        found |= term.kind == TermKind::reduce && term.order == ir::Order::lanes;
      });
    }
    return found;
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

    const Value tiles = writer.constant_index(out.tiles);
    const Value tile = writer.open_loop(writer.constant_index(0), tiles, 1, {}, true);
    bind_outer(writer, tile, pieces, outer_count);
    keep_expensive_terms(writer, vectorize);
    if (vectorize) {
      write_vectors(writer, results, tile, cut, pieces, length);
    }
    for (std::size_t k = 0; k < nest_.outputs.size(); ++k) {
      const MapNest::Output& output = nest_.outputs[k];
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
    // So that what they keep on the way is there when the vector loop wants it.
    for (TermId value : row_values(nest_)) writer.element(value);
    const int lanes = static_cast<int>(std::min<std::int64_t>(
        lanes_for(length), static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(length)))));
    const bool even = length % lanes == 0;
    const auto body = [&](std::span<const Value>) -> std::vector<Value> {
      // Everything is read before anything is written, so that an output may take the place of an input.
      for (const MapNest::Output& output : nest_.outputs) {
        if (output.depth == nest_.variables.size()) writer.element(output.body);
      }
      for (std::size_t k = 0; k < nest_.outputs.size(); ++k) {
        const MapNest::Output& output = nest_.outputs[k];
        if (output.depth != nest_.variables.size()) continue;
        const bool streams = even && streams_to_memory(target_, composed_.output_types[k], length, lanes);
        writer.store(output.body, results[k], output.offset, streams);
      }
      return {};
    };
    if (!cut) {
      const Value end = writer.constant_index(length);
      writer.for_lanes(nest_.variables.back(), writer.constant_index(0), end, length, lanes, {}, body);
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

  // Reductions down columns keep their sums in registers while rows stream by: more columns at once, fewer passes.
  std::int64_t lanes_for(std::int64_t length) {
    std::int64_t lanes = vector_lanes();
    for (const MapNest::Output& output : nest_.outputs) {
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
        if (mentions(pool_, id, variable)) ++loops[id];
      });
    };
    std::set<TermId> seen;
    for (const MapNest::Output& output : nest_.outputs) {
      for_each_term(pool_, output.body, seen, [&](TermId, const Term& term) {
        if (term.kind == TermKind::reduce && nest_.shared.contains(term.variable)) count_loop(term.body(), term.variable);
      });
      if (vectorize && output.depth == nest_.variables.size() && nest_.shared.contains(nest_.variables.back())) {
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
        if (mentions(pool_, id, nest_.variables.back())) ++loops[id];
      }
      stack.insert(stack.end(), term.args.begin(), term.args.end());
    }
  }

  std::int64_t extent_of_kept(TermId term) {
    for (VariableId variable : nest_.shared) {
      std::set<TermId> seen;
      if (mentions(pool_, term, variable)) return pool_.extent(variable).value();
    }
    return 0;
  }

  const ir::Function& group_;
  const LoweringTarget& target_;
  MapNest nest_;
  Composition& composed_ = nest_.composed;
  TermPool& pool_ = nest_.composed.pool;
};

}  // namespace

Lowered lower_group(const ir::Function& group, const LoweringTarget& target) {
  for (const auto& lower_anchor :
       {lower_contraction, lower_convolution, lower_scatter, lower_cumulative, lower_sort}) {
    if (std::optional<Lowered> special = lower_anchor(group, target)) return std::move(*special);
  }
  if (target.has_teams) return lower_for_teams(group, target);
  return MapLowering(group, compose(group), target).write();
}

}  // namespace hyperion::codegen

#include "passes/fusion/groups.hpp"

#include <algorithm>

#include "passes/fusion/prologue.hpp"

namespace hyperion::passes {
namespace {

using ir::Function;
using ir::Op;
using ir::OpId;
using ir::ValueId;

// A search for a cycle that visits more ops than this gives up and does not fuse, so grouping stays linear.
constexpr int kCycleSearchLimit = 512;

std::vector<std::int64_t> sizes_without_ones(Type type) {
  std::vector<std::int64_t> sizes;
  for (Dim dim : type.dims()) {
    if (dim != Dim(1)) sizes.push_back(dim.value());
  }
  return sizes;
}

std::vector<std::int64_t> result_sizes(const Function& f, const Op& op) {
  return sizes_without_ones(f.type(op.results[0]));
}

// Every element of the result is one element of the operand, wherever it is read from.
bool is_pure_view(const Function& f, const Op& op) {
  if (op.definition->group != ir::OpGroup::view || op.operands.size() != 1 || !op.definition->define) return false;
  ir::TermPool pool;
  const Type operand = f.type(op.operands[0]), result = f.type(op.results[0]);
  const auto lambdas = op.definition->define({pool, std::span(&operand, 1), std::span(&result, 1), op.attributes});
  return lambdas.size() == 1 && pool[lambdas[0].body].kind == ir::TermKind::access;
}

bool reduces_trailing_axes(const Function& f, const Op& op) {
  const ir::Integers& axes = op.attributes.integers("axes");
  const int rank = f.type(op.operands[0]).rank();
  for (std::size_t k = 0; k < axes.size(); ++k) {
    if (axes[k] != rank - static_cast<std::int64_t>(axes.size() - k)) return false;
  }
  return true;
}

class Grouper {
 public:
  Grouper(const Function& f, const FuseOptions& options) : f_(f), options_(options) {
    out_.group_of.assign(f.op_slots(), -1);
    position_.assign(f.op_slots(), 0);
    seen_in_.assign(f.op_slots(), 0);
    roles_.assign(f.op_slots(), OpRole::opaque);
  }

  Grouping run() {
    const std::vector<OpId> ops = f_.ops();
    for (std::size_t i = 0; i < ops.size(); ++i) {
      position_[ops[i].index] = i;
      roles_[ops[i].index] = role_of(f_, f_.op(ops[i]));
    }
    for (OpId id : ops) place(id);
    return std::move(out_);
  }

 private:
  OpRole role(OpId id) const { return roles_[id.index]; }
  std::int32_t group_of(OpId id) const { return out_.group_of[id.index]; }
  Group& group(std::int32_t g) { return out_.groups[static_cast<std::size_t>(g)]; }

  // The producer of a value, looking through views; none for parameters and constants.
  OpId source(ValueId value) const {
    OpId producer = f_.value(value).producer;
    while (producer.valid() && role(producer) == OpRole::view && !f_.op(producer).operands.empty()) {
      producer = f_.value(f_.op(producer).operands[0]).producer;
    }
    return producer;
  }

  // Ops that read `value`, looking through views.
  void effective_users(ValueId value, std::vector<OpId>& out) const {
    for (const ir::Use& use : f_.value(value).uses) {
      if (role(use.op) == OpRole::view) {
        for (ValueId result : f_.op(use.op).results) effective_users(result, out);
      } else {
        out.push_back(use.op);
      }
    }
  }

  bool used_only_by(const Group& g, std::int32_t number, OpId consumer) const {
    for (OpId id : g.ops) {
      for (ValueId result : f_.op(id).results) {
        std::vector<OpId> users;
        effective_users(result, users);
        for (OpId user : users) {
          if (user != consumer && group_of(user) != number) return false;
        }
      }
    }
    return true;
  }

  void place(OpId id) {
    const OpRole r = role(id);
    if (r == OpRole::opaque || r == OpRole::view) return;
    const auto own = static_cast<std::int32_t>(out_.groups.size());
    out_.groups.push_back(initial_group(id));
    out_.group_of[id.index] = own;
    if (!options_.enabled || r == OpRole::single || waits_for_its_reader(id)) return;
    std::int32_t current = own;
    // Anchored producers first: their kernels cannot be joined to another anchor later.
    for (const bool anchored : {true, false}) {
      for (ValueId operand : f_.op(id).operands) {
        const OpId producer = source(operand);
        if (!producer.valid()) continue;
        const std::int32_t g = group_of(producer);
        if (g < 0 || g == current || (group(g).kind != GroupKind::map) != anchored) continue;
        const bool direct = f_.value(operand).producer == producer;
        if (can_merge(g, current, id, producer, direct)) current = merge(g, current);
      }
    }
  }

  // A cast to a wider type that only a reduction down columns reads: what it casts is stored for others anyway, and
  // takes less room.
  bool waits_for_its_reader(OpId id) const {
    const Op& op = f_.op(id);
    if (!op.is("cast")) return false;
    const ir::ValueData& narrow = f_.value(op.operands[0]);
    if (byte_size(narrow.type.dtype()) >= byte_size(f_.type(op.results[0]).dtype()) || narrow.uses.size() < 2)
      return false;
    std::vector<OpId> users;
    effective_users(op.results[0], users);
    return users.size() == 1 && role(users[0]) == OpRole::column_reduction;
  }

  Group initial_group(OpId id) const {
    const Op& op = f_.op(id);
    Group g;
    g.ops = {id};
    g.domain = result_sizes(f_, op);
    switch (role(id)) {
      case OpRole::row_reduction:
        g.kind = GroupKind::row;
        g.row_rank = g.domain.size();
        g.domain = sizes_without_ones(f_.type(op.operands[0]));
        break;
      case OpRole::column_reduction:
        g.kind = GroupKind::column;
        break;
      case OpRole::contraction:
        g.kind = GroupKind::contraction;
        break;
      case OpRole::single:
        g.kind = GroupKind::single;
        break;
      default:
        break;
    }
    return g;
  }

  // Whether group `g`, in which `producer` stands, can take in group `c`, whose newest op is `consumer`.
  bool can_merge(std::int32_t g, std::int32_t c, OpId consumer, OpId producer, bool direct) {
    Group& from = group(g);
    Group& to = group(c);
    if (from.ops.size() + to.ops.size() > options_.max_ops) return false;
    if (!shapes_fit(from, g, to, consumer, producer, direct)) return false;
    return !makes_cycle(g, c);
  }

  bool shapes_fit(const Group& from, std::int32_t g, const Group& to, OpId consumer, OpId producer, bool direct) {
    const bool to_is_map = to.kind == GroupKind::map;
    const std::vector<std::int64_t> rows(from.domain.begin(),
                                         from.domain.begin() + static_cast<std::ptrdiff_t>(from.row_rank));
    switch (from.kind) {
      case GroupKind::single:
        return false;
      case GroupKind::contraction:
        return direct && to_is_map && to.domain == from.domain && !reads_through_views(to, g);
      case GroupKind::column:
        return direct && to_is_map && to.domain == from.domain;
      case GroupKind::row: {
        if (to.kind == GroupKind::row) return to.domain == from.domain && to.row_rank == from.row_rank;
        if (!to_is_map) return false;
        const bool per_row = to.domain == rows, per_element = to.domain == from.domain;
        if (!per_row && !per_element) return false;
        return direct || reads_row_in_place(consumer, producer, from);
      }
      case GroupKind::map:
        break;
    }
    // A map whose only reader sees it in another shape is computed where it is read: the elements are the same.
    if (!direct) {
      const bool is_reduction = to.kind == GroupKind::row || (to.kind == GroupKind::column && to.ops.size() == 1);
      if (!used_only_by(from, g, consumer) || !is_reshaped_for(consumer, producer)) return false;
      return to_is_map || (is_reduction && splits_axes(consumer, producer));
    }
    switch (to.kind) {
      case GroupKind::map:
        return to.domain == from.domain;
      // In front of the sums, where an operand is packed, or behind them.
      case GroupKind::contraction:
        if (contraction_reads(to, g)) return may_be_prologue(from, g, consumer);
        return to.domain == from.domain && !reads_through_views(from, group_of(consumer));
      case GroupKind::row: {
        const std::vector<std::int64_t> to_rows(to.domain.begin(),
                                                to.domain.begin() + static_cast<std::ptrdiff_t>(to.row_rank));
        return to.domain == from.domain || to_rows == from.domain;
      }
      // The reduction reads its operand once, but at other indices than its result has: nobody else may want it.
      case GroupKind::column:
        return (to.ops.size() == 1 && used_only_by(from, g, consumer)) || to.domain == from.domain;
      case GroupKind::single:
        return false;
    }
    return false;
  }

  // Whether an op of `group` reads what group `g` computes at other indices than its own, where an epilogue has no
  // sums.
  bool reads_through_views(const Group& group, std::int32_t g) const {
    return std::ranges::any_of(group.ops, [&](OpId id) {
      return std::ranges::any_of(f_.op(id).operands, [&](ValueId operand) {
        const OpId producer = source(operand);
        return producer.valid() && group_of(producer) == g && producer != f_.value(operand).producer;
      });
    });
  }

  // Whether map group `g` may become the prologue of the contraction `consumer`, which reads it as it is.
  bool may_be_prologue(const Group& from, std::int32_t g, OpId consumer) const {
    if (!options_.prologues || role(consumer) != OpRole::contraction || !used_only_by(from, g, consumer)) return false;
    const Op& contraction = f_.op(consumer);
    return std::ranges::all_of(contraction.operands, [&](ValueId operand) {
      const OpId producer = f_.value(operand).producer;
      const bool is_own = source(operand).valid() && group_of(source(operand)) == g;
      return !is_own || (producer == source(operand) && pays_as_prologue(f_, contraction, operand, from.ops));
    });
  }

  // Whether the contraction of group `c` reads what group `g` computes.
  bool contraction_reads(const Group& c, std::int32_t g) const {
    return std::ranges::any_of(c.ops, [&](OpId id) {
      if (role(id) != OpRole::contraction) return false;
      return std::ranges::any_of(f_.op(id).operands, [&](ValueId operand) {
        const OpId producer = source(operand);
        return producer.valid() && group_of(producer) == g;
      });
    });
  }

  // Whether `consumer` reads `producer` through reshapes alone.
  bool is_reshaped_for(OpId consumer, OpId producer) const {
    for (ValueId operand : f_.op(consumer).operands) {
      if (source(operand) != producer) continue;
      for (ValueId value = operand; f_.value(value).producer != producer; value = f_.producer(value)->operands[0]) {
        if (!f_.producer(value)->is("reshape")) return false;
      }
    }
    return true;
  }

  // Whether each axis of what `producer` computes is one axis, or several neighbouring ones, of what `consumer` reads:
  // then an index of the former is a sum of indices of the latter, without divisions.
  bool splits_axes(OpId consumer, OpId producer) const {
    for (ValueId operand : f_.op(consumer).operands) {
      if (source(operand) != producer) continue;
      const std::vector<std::int64_t> whole = result_sizes(f_, f_.op(producer)),
                                      parts = sizes_without_ones(f_.type(operand));
      std::size_t next = 0;
      for (std::int64_t size : whole) {
        std::int64_t product = 1;
        while (next < parts.size() && product < size) product *= parts[next++];
        if (product != size) return false;
      }
      if (next != parts.size()) return false;
    }
    return true;
  }

  // Every path of views from `producer` to `consumer` keeps the row index: it adds or drops axes of size one, or
  // repeats a row's value along the columns.
  bool reads_row_in_place(OpId consumer, OpId producer, const Group& from) const {
    const auto is_prefix = [&](const std::vector<std::int64_t>& sizes) {
      return sizes.size() <= from.domain.size() && std::equal(sizes.begin(), sizes.end(), from.domain.begin());
    };
    for (ValueId operand : f_.op(consumer).operands) {
      if (source(operand) != producer) continue;
      for (ValueId value = operand; f_.value(value).producer != producer; value = f_.producer(value)->operands[0]) {
        const Op& view = *f_.producer(value);
        if (!is_prefix(result_sizes(f_, view))) return false;
        if (view.is("broadcast")) {
          if (!broadcasts_trailing(view)) return false;
        } else if (!view.is("reshape") || result_sizes(f_, view) != sizes_without_ones(f_.type(view.operands[0]))) {
          return false;
        }
      }
    }
    return true;
  }

  // The operand's axes (of size other than one) are the leading axes of the result (of size other than one).
  bool broadcasts_trailing(const Op& view) const {
    const Type from = f_.type(view.operands[0]), to = f_.type(view.results[0]);
    const ir::Integers& dims = view.attributes.integers("dims");
    std::vector<std::int64_t> kept;
    for (std::size_t k = 0; k < dims.size(); ++k) {
      if (from.dim(static_cast<int>(k)) != Dim(1)) kept.push_back(dims[k]);
    }
    std::size_t next = 0;
    for (int axis = 0; axis < to.rank() && next < kept.size(); ++axis) {
      if (to.dim(axis) == Dim(1)) continue;
      if (kept[next] != axis) return false;
      ++next;
    }
    return next == kept.size();
  }

  // A path that leaves both groups and comes back to one of them would make their kernel wait for itself.
  bool makes_cycle(std::int32_t a, std::int32_t b) {
    std::size_t last = 0;
    std::vector<OpId> stack;
    const auto inside = [&](OpId id) { return group_of(id) == a || group_of(id) == b; };
    for (std::int32_t g : {a, b}) {
      for (OpId id : out_.groups[static_cast<std::size_t>(g)].ops) {
        last = std::max(last, position_[id.index]);
        push_outside_users(id, inside, stack);
      }
    }
    ++search_;
    int visited = 0;
    while (!stack.empty()) {
      const OpId id = stack.back();
      stack.pop_back();
      if (seen_in_[id.index] == search_ || position_[id.index] > last) continue;
      seen_in_[id.index] = search_;
      if (++visited > kCycleSearchLimit) return true;
      // All members of a group run together, so reaching one of them reaches what any of them feeds.
      std::vector<OpId> members{id};
      if (group_of(id) >= 0) members = out_.groups[static_cast<std::size_t>(group_of(id))].ops;
      for (OpId member : members) {
        seen_in_[member.index] = search_;
        for (ValueId result : f_.op(member).results) {
          std::vector<OpId> users;
          effective_users(result, users);
          for (OpId user : users) {
            if (inside(user)) return true;
            stack.push_back(user);
          }
        }
      }
    }
    return false;
  }

  template <class Inside>
  void push_outside_users(OpId id, const Inside& inside, std::vector<OpId>& stack) const {
    for (ValueId result : f_.op(id).results) {
      std::vector<OpId> users;
      effective_users(result, users);
      for (OpId user : users) {
        if (!inside(user)) stack.push_back(user);
      }
    }
  }

  // Joins the two groups under the number of the first; returns it.
  std::int32_t merge(std::int32_t g, std::int32_t c) {
    Group& into = group(g);
    Group& taken = group(c);
    for (OpId id : taken.ops) out_.group_of[id.index] = g;
    into.ops.insert(into.ops.end(), taken.ops.begin(), taken.ops.end());
    std::ranges::sort(into.ops, {}, [&](OpId id) { return position_[id.index]; });
    if (into.kind == GroupKind::map) {
      // A map joins its consumer's group and takes on its shape.
      into.kind = taken.kind;
      into.domain = taken.domain;
      into.row_rank = taken.row_rank;
    }
    taken.ops.clear();
    return g;
  }

  const Function& f_;
  const FuseOptions& options_;
  Grouping out_;
  std::vector<std::size_t> position_;
  std::vector<std::uint32_t> seen_in_;  // by op: the last search for a cycle that came by
  std::uint32_t search_ = 0;
  std::vector<OpRole> roles_;
};

// Reductions of no elements have results all the same. In one kernel with what computes those elements they would not be
// written: its loop over an empty tensor does not run at all.
bool reduces_nothing(const Function& f, const Op& op) {
  const auto is_empty = [&](ValueId value) { return f.type(value).is_static() && f.type(value).element_count() == 0; };
  return is_empty(op.operands[0]) && !is_empty(op.results[0]);
}

}  // namespace

OpRole role_of(const Function& f, const Op& op) {
  const ir::OpDefinition& definition = *op.definition;
  if (op.is("constant")) return op.attributes.literal("value")->is_splat() ? OpRole::view : OpRole::opaque;
  if (definition.anchor == ir::Anchor::opaque || !definition.is_pure) return OpRole::opaque;
  if (definition.is_elementwise) return OpRole::elementwise;
  if (!definition.define) return OpRole::opaque;
  if (op.is("iota") || is_pure_view(f, op)) return OpRole::view;
  if (definition.anchor == ir::Anchor::contraction) return OpRole::contraction;
  if (op.is("reduce")) {
    if (reduces_nothing(f, op)) return OpRole::single;
    const bool row = reduces_trailing_axes(f, op) && op.attributes.text("order") == "lanes";
    return row ? OpRole::row_reduction : OpRole::column_reduction;
  }
  return OpRole::single;
}

Grouping find_groups(const Function& function, const FuseOptions& options) { return Grouper(function, options).run(); }

}  // namespace hyperion::passes

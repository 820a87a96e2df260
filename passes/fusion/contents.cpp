#include "passes/fusion/contents.hpp"

namespace hyperion::passes {

using ir::Op;
using ir::OpId;
using ir::ValueId;

GroupContents::GroupContents(const ir::Function& f, Grouping grouping)
    : f_(f), grouping_(std::move(grouping)), roles_(f.op_slots(), OpRole::opaque) {
  for (OpId id : f.ops()) roles_[id.index] = role_of(f, f.op(id));
  add_groups_of_materialized_views();
}

// A view whose value must lie in memory: a result of the function, or an operand of something that reads memory.
void GroupContents::add_groups_of_materialized_views() {
  for (OpId id : f_.ops()) {
    const Op& op = f_.op(id);
    if (role(id) != OpRole::opaque && role(id) != OpRole::contraction) continue;
    for (ValueId operand : op.operands) {
      const OpId producer = f_.value(operand).producer;
      if (!producer.valid() || !is_view(producer) || group_of(producer) >= 0) continue;
      grouping_.group_of[producer.index] = static_cast<std::int32_t>(grouping_.groups.size());
      grouping_.groups.push_back({.kind = GroupKind::map, .ops = {producer}, .domain = {}, .row_rank = 0});
    }
  }
}

GroupContents::Inside GroupContents::inside(std::int32_t number) const {
  const Group& group = grouping_.groups[static_cast<std::size_t>(number)];
  std::set<std::uint32_t> members;
  for (OpId id : group.ops) members.insert(id.index);
  Inside out;
  std::set<ValueId> visited;
  std::vector<OpId> pending(group.ops.rbegin(), group.ops.rend());
  // Depth first through operands: a copy comes before its reader. An explicit stack, since chains can be long.
  std::set<std::uint32_t> emitted;
  while (!pending.empty()) {
    const OpId id = pending.back();
    if (emitted.contains(id.index)) {
      pending.pop_back();
      continue;
    }
    bool ready = true;
    for (ValueId operand : f_.op(id).operands) {
      const OpId producer = f_.value(operand).producer;
      const bool held =
          producer.valid() && (members.contains(producer.index) || repeated_.contains({number, producer.index}) ||
                               is_copied_view(producer, group));
      if (held && !emitted.contains(producer.index)) {
        pending.push_back(producer);
        ready = false;
      } else if (!held && visited.insert(operand).second) {
        out.inputs.push_back(operand);
      }
    }
    if (!ready) continue;
    pending.pop_back();
    emitted.insert(id.index);
    out.ops.push_back(id);
  }
  return out;
}

void GroupContents::discard(OpId op) {
  if (nowhere_ < 0) {
    nowhere_ = static_cast<std::int32_t>(grouping_.groups.size());
    grouping_.groups.emplace_back();
  }
  std::erase(grouping_.groups[static_cast<std::size_t>(group_of(op))].ops, op);
  grouping_.group_of[op.index] = nowhere_;
}

// Contractions read their operands from memory; a view of one is a group of its own.
bool GroupContents::is_copied_view(OpId producer, const Group& group) const {
  if (!is_view(producer)) return false;
  if (group_of(producer) < 0) return true;
  for (OpId id : group.ops) {
    if (role(id) != OpRole::contraction) continue;
    for (ValueId operand : f_.op(id).operands) {
      if (f_.value(operand).producer == producer) return false;
    }
  }
  return true;
}

}  // namespace hyperion::passes

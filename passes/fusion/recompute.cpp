#include "passes/fusion/recompute.hpp"

#include <algorithm>
#include <map>

namespace hyperion::passes {
namespace {

using ir::Op;
using ir::OpId;
using ir::ValueId;

constexpr std::int32_t kFunction = -1;  // as a reader: what is in no group
// What computing one element of an op is worth in bytes of memory traffic: a GPU moves four bytes in the time of some
// 25 instructions. Functions such as exp are that long; they run beside the loads and count half.
constexpr double kBytesPerFunction = 2, kBytesPerPrimitive = 0.125;

class Recomputer {
 public:
  Recomputer(const ir::Function& f, const FuseOptions& options, GroupContents& contents)
      : f_(f), options_(options), contents_(contents) {
    for (OpId id : f.ops()) {
      if (contents.role(id) != OpRole::opaque || contents.group_of(id) >= 0) continue;
      for (ValueId operand : f.op(id).operands) readers_[operand].insert(kFunction);
    }
    for (std::size_t g = 0; g < contents.grouping().groups.size(); ++g) note_inputs(static_cast<std::int32_t>(g));
  }

  void run() {
    for (OpId id : f_.ops()) {
      if (contents_.role(id) == OpRole::elementwise) decide(id);
    }
  }

 private:
  void note_inputs(std::int32_t g) {
    inputs_[g].clear();
    for (ValueId input : contents_.inside(g).inputs) {
      inputs_[g].insert(input);
      readers_[input].insert(g);
    }
  }

  double bytes(ValueId value) const {
    const Type type = f_.type(value);
    return static_cast<double>(type.element_count()) * static_cast<double>(byte_size(type.dtype()));
  }

  // The elementwise ops of its own group that a value comes from, and what they start from.
  struct Cone {
    std::vector<OpId> ops;
    std::set<ValueId> leaves;
    double work = 0;  // in bytes
  };

  Cone cone_of(OpId root) const {
    Cone out;
    const std::int32_t g = contents_.group_of(root);
    std::vector<OpId> pending{root};
    std::set<std::uint32_t> seen;
    while (!pending.empty()) {
      const OpId id = pending.back();
      pending.pop_back();
      if (!seen.insert(id.index).second) continue;
      const Op& op = f_.op(id);
      if (contents_.role(id) == OpRole::elementwise) {
        out.ops.push_back(id);
        out.work += static_cast<double>(f_.type(op.results[0]).element_count()) *
                    (op.definition->primitive == ir::Primitive::none ? kBytesPerFunction : kBytesPerPrimitive);
      }
      for (ValueId operand : op.operands) {
        const OpId producer = f_.value(operand).producer;
        const bool is_inside =
            producer.valid() &&
            (contents_.group_of(producer) == g ? contents_.role(producer) == OpRole::elementwise
                                               : contents_.group_of(producer) < 0 && contents_.is_view(producer));
        if (is_inside)
          pending.push_back(producer);
        else
          out.leaves.insert(operand);
      }
    }
    return out;
  }

  // All of its readers, or none: as long as one reads the value, it must be written.
  void decide(OpId id) {
    const ValueId value = f_.op(id).results[0];
    const auto found = readers_.find(value);
    if (bytes(value) < options_.recompute_bytes || found == readers_.end() || found->second.empty()) return;
    const std::set<std::int32_t> readers = found->second;
    const std::int32_t own = contents_.group_of(id);
    const Cone cone = cone_of(id);
    double saved = bytes(value), spent = 0;
    for (ValueId leaf : cone.leaves) {
      const OpId producer = f_.value(leaf).producer;
      const auto others = readers_.find(leaf);
      if (others != readers_.end() && !others->second.empty()) continue;
      // Not in memory so far. This group can write it, but not what it computes again itself.
      if (producer.valid() && contents_.group_of(producer) != own) return;
      if (producer.valid()) spent += bytes(leaf);
    }
    for (std::int32_t reader : readers) {
      if (!can_repeat(reader, value, cone)) return;
      saved += bytes(value);
      spent += cone.work;
      for (ValueId leaf : cone.leaves) spent += inputs_[reader].contains(leaf) ? 0 : bytes(leaf);
    }
    if (spent >= saved && options_.recompute_bytes > 0) return;
    for (std::int32_t reader : readers) {
      for (OpId op : cone.ops) contents_.repeat(op, reader);
      note_inputs(reader);
    }
    readers_[value].clear();
    // From the value back to what it came from: who still wants it here?
    for (OpId op : cone.ops) {
      if (!is_wanted(f_.op(op).results[0], own)) contents_.discard(op);
    }
  }

  bool is_wanted(ValueId value, std::int32_t own) const {
    if (const auto readers = readers_.find(value); readers != readers_.end() && !readers->second.empty()) return true;
    return std::ranges::any_of(f_.value(value).uses, [&](const ir::Use& use) {
      if (contents_.group_of(use.op) >= 0) return contents_.group_of(use.op) == own;
      return contents_.is_view(use.op) && is_wanted(f_.op(use.op).results[0], own);
    });
  }

  // Element by element, once for each: no sums between, and no element wanted more than once.
  bool can_repeat(std::int32_t reader, ValueId value, const Cone& cone) const {
    if (reader == kFunction) return false;
    const Group& group = contents_.grouping().groups[static_cast<std::size_t>(reader)];
    if (group.ops.size() + cone.ops.size() > options_.max_ops) return false;
    if (group.kind == GroupKind::column) return is_only_summed(group, value);
    if (group.kind != GroupKind::map && group.kind != GroupKind::row) return false;
    std::int64_t elements = 1;
    for (std::int64_t size : group.domain) elements *= size;
    return elements == f_.type(value).element_count();
  }

  bool is_only_summed(const Group& group, ValueId value) const {
    return std::ranges::all_of(group.ops, [&](OpId id) {
      const bool reads = std::ranges::find(f_.op(id).operands, value) != f_.op(id).operands.end();
      return !reads || contents_.role(id) == OpRole::column_reduction;
    });
  }

  const ir::Function& f_;
  const FuseOptions& options_;
  GroupContents& contents_;
  std::map<ValueId, std::set<std::int32_t>> readers_;
  std::map<std::int32_t, std::set<ValueId>> inputs_;
};

}  // namespace

void recompute_cheap_values(const ir::Function& f, const FuseOptions& options, GroupContents& contents) {
  Recomputer(f, options, contents).run();
}

}  // namespace hyperion::passes

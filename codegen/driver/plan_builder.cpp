#include "codegen/driver/plan_builder.hpp"

#include <algorithm>
#include <set>

#include "ir/support/format.hpp"
#include "passes/memory/arena.hpp"

namespace hyperion::codegen {
namespace {

using ir::Function;
using ir::Op;
using ir::OpId;
using ir::ValueId;
using runtime::Slot;

// The plan of one function. Values are numbered by the place that holds them; an alias shares the place of its source.
class FunctionPlan {
 public:
  FunctionPlan(const Function& f, const std::map<std::string, CompiledGroup>& groups) : f_(f), groups_(groups) {}

  runtime::Plan run(std::map<Hash128, std::uint32_t>& constants, runtime::Module& out) {
    plan_.name = f_.name;
    for (ValueId parameter : f_.parameters()) plan_.argument_bytes.push_back(f_.type(parameter).bytes());
    for (ValueId result : f_.results()) plan_.output_bytes.push_back(f_.type(result).bytes());
    place_parameters_and_constants(constants, out);
    choose_outputs();
    place_temporaries();
    write_instructions();
    return std::move(plan_);
  }

  // The argument whose memory output k may take over, or -1; see OutputType::donor.
  std::vector<std::int32_t> donors() const {
    std::vector<std::int32_t> out(f_.results().size(), -1);
    std::set<std::uint32_t> taken;
    for (std::size_t k = 0; k < out.size(); ++k) {
      const ValueId result = f_.results()[k];
      if (!places_.contains(result) || places_.at(result).kind != Slot::Kind::output ||
          places_.at(result).index != k) {
        continue;
      }
      for (std::uint32_t a = 0; a < f_.parameters().size() && out[k] < 0; ++a) {
        if (!taken.contains(a) && may_donate(f_.parameters()[a], result)) {
          out[k] = static_cast<std::int32_t>(a);
          taken.insert(a);
        }
      }
    }
    return out;
  }

 private:
  // Ops whose results are their operands under other names: a barrier orders compilation, not memory.
  bool is_alias(const Op& op) const {
    return op.is("barrier") || (op.is("call") && groups_.at(op.attributes.symbol("callee")).is_alias);
  }

  // The value whose memory `value` is.
  ValueId storage(ValueId value) const {
    for (const Op* op = f_.producer(value); op != nullptr && is_alias(*op); op = f_.producer(value)) {
      value = op->operands[f_.value(value).result_index];
    }
    return value;
  }

  Slot slot(ValueId value) const {
    Slot found = places_.at(storage(value));
    found.bytes = f_.type(value).bytes();
    return found;
  }

  void place_parameters_and_constants(std::map<Hash128, std::uint32_t>& constants, runtime::Module& out) {
    for (std::uint32_t k = 0; k < f_.parameters().size(); ++k) {
      places_[f_.parameters()[k]] = {.kind = Slot::Kind::argument, .index = k};
    }
    for (OpId id : f_.ops()) {
      const Op& op = f_.op(id);
      if (!op.is("constant")) continue;
      const LiteralPtr& literal = op.attributes.literal("value");
      const auto [entry, is_new] =
          constants.try_emplace(literal->hash(), static_cast<std::uint32_t>(out.constants.size()));
      if (is_new) out.constants.push_back(runtime::Constant::copy(literal->dense_bytes()));
      places_[op.results[0]] = {.kind = Slot::Kind::constant, .index = entry->second};
    }
  }

  // A result lives in its output, unless it is not ours to place (an argument, a constant, a second name of another
  // result): those are copied at the end.
  void choose_outputs() {
    for (std::uint32_t k = 0; k < f_.results().size(); ++k) {
      const ValueId result = storage(f_.results()[k]);
      const bool placed = places_.try_emplace(result, Slot{.kind = Slot::Kind::output, .index = k}).second;
      if (!placed) copies_.push_back(k);
    }
  }

  void place_temporaries() {
    std::map<ValueId, passes::Lifetime> lifetimes;
    std::int64_t time = 0;
    std::vector<std::pair<std::int64_t, std::uint64_t>> workspaces;
    for (OpId id : f_.ops()) {
      const Op& op = f_.op(id);
      for (ValueId operand : op.operands) {
        const auto found = lifetimes.find(storage(operand));
        if (found != lifetimes.end()) found->second.end = time;
      }
      for (ValueId result : op.results) {
        if (storage(result) != result || places_.contains(result)) continue;
        lifetimes[result] = {.begin = time, .end = time, .bytes = f_.type(result).bytes()};
      }
      if (op.is("call")) {
        const CompiledGroup& group = groups_.at(op.attributes.symbol("callee"));
        if (group.emitted.workspace_bytes > 0) {
          workspaces.emplace_back(time, static_cast<std::uint64_t>(group.emitted.workspace_bytes));
        }
      }
      ++time;
    }
    std::vector<passes::Lifetime> all;
    for (const auto& [value, lifetime] : lifetimes) all.push_back(lifetime);
    for (const auto& [at, bytes] : workspaces) all.push_back({.begin = at, .end = at, .bytes = bytes});
    const passes::ArenaLayout layout = passes::plan_arena(all);
    plan_.arena_bytes = layout.bytes;
    std::size_t next = 0;
    for (const auto& [value, lifetime] : lifetimes) {
      places_[value] = {.kind = Slot::Kind::arena, .index = 0, .offset = layout.offsets[next++]};
    }
    for (const auto& [at, bytes] : workspaces) {
      workspaces_[at] = {.kind = Slot::Kind::arena, .index = 0, .offset = layout.offsets[next++], .bytes = bytes};
    }
  }

  void write_instructions() {
    std::int64_t time = 0;
    for (OpId id : f_.ops()) {
      const Op& op = f_.op(id);
      if (op.is("call") && !is_alias(op)) write_launches(op, time);
      ++time;
    }
    for (std::uint32_t k : copies_) {
      Slot to{.kind = Slot::Kind::output, .index = k, .offset = 0, .bytes = plan_.output_bytes[k]};
      if (to.bytes > 0) plan_.instructions.push_back(runtime::Copy{slot(f_.results()[k]), to});
    }
  }

  void write_launches(const Op& op, std::int64_t time) {
    const std::string& callee = op.attributes.symbol("callee");
    const CompiledGroup& group = groups_.at(callee);
    std::vector<Slot> buffers;
    for (ValueId operand : op.operands) buffers.push_back(slot(operand));
    for (ValueId result : op.results) buffers.push_back(slot(result));
    if (group.emitted.workspace_bytes > 0) buffers.push_back(workspaces_.at(time));
    for (const KernelLaunch& launch : group.emitted.launches) {
      if (launch.tiles == 0) continue;
      // Packing moves the operand once; the work belongs to the last launch.
      const bool is_last = &launch == &group.emitted.launches.back();
      plan_.instructions.push_back(runtime::Launch{.kernel = launch.symbol,
                                                   .buffers = buffers,
                                                   .tiles = launch.tiles,
                                                   .scratch_bytes = static_cast<std::uint64_t>(launch.scratch_bytes),
                                                   .label = is_last ? callee : callee + " (pack)",
                                                   .location = op.location.first(),
                                                   .flops = is_last ? group.flops : 0,
                                                   .bytes = group.bytes});
    }
  }

  // Nothing reads the argument after the kernel that writes the result, and that kernel reads it in place.
  bool may_donate(ValueId argument, ValueId result) const {
    if (f_.type(argument) != f_.type(result)) return false;
    const OpId producer = f_.value(result).producer;
    if (!producer.valid() || !f_.op(producer).is("call")) return false;
    for (ValueId other : f_.results()) {
      if (storage(other) == argument) return false;
    }
    std::set<std::uint32_t> before;
    for (OpId id = f_.block(f_.body()).first; id != producer; id = f_.op(id).next) before.insert(id.index);
    bool read_by_producer = false;
    for (const ir::Use& use : f_.value(argument).uses) {
      if (use.op == producer) {
        read_by_producer = true;
      } else if (!before.contains(use.op.index) || is_alias(f_.op(use.op))) {
        return false;
      }
    }
    if (!read_by_producer) return true;
    const Op& op = f_.op(producer);
    const CompiledGroup& group = groups_.at(op.attributes.symbol("callee"));
    const auto output = static_cast<int>(std::ranges::find(op.results, result) - op.results.begin());
    for (std::size_t k = 0; k < op.operands.size(); ++k) {
      if (op.operands[k] != argument) continue;
      if (std::ranges::find(group.in_place, std::pair(static_cast<int>(k), output)) == group.in_place.end()) return false;
    }
    return true;
  }

  const Function& f_;
  const std::map<std::string, CompiledGroup>& groups_;
  runtime::Plan plan_;
  std::map<ValueId, Slot> places_;  // by storage
  std::map<std::int64_t, Slot> workspaces_;
  std::vector<std::uint32_t> copies_;  // outputs written at the end
};

runtime::TensorType tensor_type(Type type) { return {type.dtype(), type.sizes()}; }

}  // namespace

StatusOr<std::uint32_t> PlanBuilder::add_plan(const std::string& name) {
  if (const auto found = plans_.find(name); found != plans_.end()) return found->second;
  const Function& function = *module_.find(name);
  FunctionPlan builder(function, groups_);
  out_.plans.push_back(builder.run(constants_, out_));
  const auto index = static_cast<std::uint32_t>(out_.plans.size() - 1);
  plans_[name] = index;
  return index;
}

StatusOr<> PlanBuilder::add_entry(const std::string& name) {
  const Function& function = *module_.find(name);
  FunctionPlan builder(function, groups_);
  out_.plans.push_back(builder.run(constants_, out_));
  runtime::Function entry{.name = name, .plan = static_cast<std::uint32_t>(out_.plans.size() - 1), .arguments = {}, .outputs = {}};
  for (ValueId parameter : function.parameters()) entry.arguments.push_back(tensor_type(function.type(parameter)));
  const std::vector<std::int32_t> donors = builder.donors();
  for (std::size_t k = 0; k < donors.size(); ++k) {
    entry.outputs.push_back({.type = tensor_type(function.type(function.results()[k])), .donor = donors[k]});
  }
  out_.functions.push_back(std::move(entry));
  return {};
}

}  // namespace hyperion::codegen

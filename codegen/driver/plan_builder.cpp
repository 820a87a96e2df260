#include "codegen/driver/plan_builder.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "ir/support/format.hpp"
#include "codegen/driver/join_launches.hpp"
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
  FunctionPlan(const Function& f, PlanBuilder& owner, std::vector<std::uint32_t> argument_of = {})
      : f_(f), owner_(owner), argument_of_(std::move(argument_of)) {
    for (std::uint32_t k = static_cast<std::uint32_t>(argument_of_.size()); k < f_.parameters().size(); ++k) {
      argument_of_.push_back(k);
    }
  }

  runtime::Plan run() {
    plan_.name = f_.name;
    plan_.argument_bytes.resize(f_.parameters().size());
    for (std::size_t k = 0; k < argument_of_.size(); ++k) {
      plan_.argument_bytes[argument_of_[k]] = f_.type(f_.parameters()[k]).bytes();
    }
    for (ValueId result : f_.results()) plan_.output_bytes.push_back(f_.type(result).bytes());
    place_parameters_and_constants();
    choose_outputs();
    enter_control_flow();
    place_temporaries();
    write_instructions();
    return std::move(plan_);
  }

  // Of each instruction: how many of a launch's first buffers it only reads.
  std::span<const std::size_t> launch_inputs() const { return launch_inputs_; }

  // The argument whose memory output k may take over, or -1; see OutputType::donor.
  std::vector<std::int32_t> donors() const {
    const Readers readers = find_readers();
    std::vector<std::int32_t> out(f_.results().size(), -1);
    std::set<std::uint32_t> taken;
    for (std::size_t k = 0; k < out.size(); ++k) {
      const ValueId result = f_.results()[k];
      if (!places_.contains(result) || places_.at(result).kind != Slot::Kind::output ||
          places_.at(result).index != k) {
        continue;
      }
      for (std::uint32_t a = 0; a < f_.parameters().size() && out[k] < 0; ++a) {
        if (!taken.contains(a) && may_donate(readers, a, result)) {
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
    if (op.is("barrier")) return true;
    const CompiledGroup* group = group_of(op);
    return group != nullptr && group->is_alias;
  }

  // Null if the op is no call of a group.
  const CompiledGroup* group_of(const Op& op) const {
    return op.is("call") ? owner_.group(op.attributes.symbol("callee")) : nullptr;
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

  void place_parameters_and_constants() {
    for (std::size_t k = 0; k < f_.parameters().size(); ++k) {
      places_[f_.parameters()[k]] = {.kind = Slot::Kind::argument, .index = argument_of_[k]};
    }
    for (OpId id : f_.ops()) {
      const Op& op = f_.op(id);
      if (!op.is("constant")) continue;
      places_[op.results[0]] = {.kind = Slot::Kind::constant,
                                .index = owner_.constant(op.attributes.literal("value"))};
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

  // ---- control flow: what an op enters, and the memory it needs while it runs ---------------------------------

  struct Entered {
    std::vector<std::uint32_t> plans;      // in the order of the instruction's fields
    std::vector<std::uint64_t> temporary;  // sizes: the frame first, then what the instruction asks for
  };

  void enter_control_flow() {
    for (OpId id : f_.ops()) {
      const Op& op = f_.op(id);
      Entered entered;
      const auto enter = [&](std::string_view attribute, const std::vector<std::uint32_t>& argument_of = {}) {
        entered.plans.push_back(owner_.add_plan(op.attributes.symbol(attribute), argument_of));
      };
      if (op.is("call") && group_of(op) == nullptr) {
        enter("callee");
      } else if (op.is("cond")) {
        enter("on_true");
        enter("on_false");
      } else if (op.is("while")) {
        enter("condition");
        enter("body");
      } else if (op.is("scan")) {
        enter("body", scan_arguments(op));
      } else {
        continue;
      }
      std::uint64_t frame = 0;
      for (std::uint32_t plan : entered.plans) frame = std::max(frame, owner_.arena_bytes(plan));
      entered.temporary.push_back(frame);
      if (op.is("while")) entered.temporary.push_back(1);  // the predicate
      const std::size_t carried = op.is("while") ? op.results.size() : op.is("scan") ? carries(op) : 0;
      for (std::size_t k = 0; k < carried; ++k) entered.temporary.push_back(f_.type(op.results[k]).bytes());
      entered_.emplace(id, std::move(entered));
    }
  }

  static std::size_t carries(const Op& op) { return static_cast<std::size_t>(op.attributes.integer("carries")); }
  static std::size_t constants(const Op& op) { return static_cast<std::size_t>(op.attributes.integer("constants")); }

  // The body takes constants, carries, elements; the runtime hands it carries, elements, constants.
  static std::vector<std::uint32_t> scan_arguments(const Op& op) {
    std::vector<std::uint32_t> argument_of(op.operands.size());
    const std::size_t first = constants(op), moved = op.operands.size() - first;
    for (std::size_t k = 0; k < argument_of.size(); ++k) {
      argument_of[k] = static_cast<std::uint32_t>(k < first ? moved + k : k - first);
    }
    return argument_of;
  }

  void place_temporaries() {
    std::map<ValueId, passes::Lifetime> lifetimes;
    std::vector<std::pair<OpId, passes::Lifetime>> of_ops;
    std::int64_t time = 0;
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
      const CompiledGroup* group = group_of(op);
      if (group != nullptr && group->emitted.workspace_bytes > 0) {
        const auto bytes = static_cast<std::uint64_t>(group->emitted.workspace_bytes);
        of_ops.push_back({id, {.begin = time, .end = time, .bytes = bytes}});
      }
      if (const auto entered = entered_.find(id); entered != entered_.end()) {
        for (std::uint64_t bytes : entered->second.temporary) {
          of_ops.push_back({id, {.begin = time, .end = time, .bytes = bytes}});
        }
      }
      ++time;
    }
    const std::map<ValueId, ValueId> taken_over = share_in_place(lifetimes);
    std::vector<passes::Lifetime> all;
    for (const auto& [value, lifetime] : lifetimes) all.push_back(lifetime);
    for (const auto& [op, lifetime] : of_ops) all.push_back(lifetime);
    const passes::ArenaLayout layout = passes::plan_arena(all);
    plan_.arena_bytes = layout.bytes;
    std::size_t next = 0;
    const auto arena = [&](std::uint64_t bytes) {
      return Slot{.kind = Slot::Kind::arena, .index = 0, .offset = layout.offsets[next++], .bytes = bytes};
    };
    for (const auto& [value, lifetime] : lifetimes) places_[value] = arena(lifetime.bytes);
    for (const auto& [op, lifetime] : of_ops) temporaries_[op].push_back(arena(lifetime.bytes));
    for (const auto& [result, owner] : taken_over) places_[result] = places_.at(owner);
  }

  // A kernel's result takes the memory of an operand that nothing reads afterwards, where the kernel reads that element
  // before it writes it. The operand's lifetime grows by the result's, which goes. Returns each such result with the value
  // whose memory it ends up in.
  std::map<ValueId, ValueId> share_in_place(std::map<ValueId, passes::Lifetime>& lifetimes) const {
    std::map<ValueId, ValueId> taken_over;
    const auto owner_of = [&](ValueId value) {
      value = storage(value);
      const auto found = taken_over.find(value);
      return found == taken_over.end() ? value : found->second;
    };
    std::int64_t time = -1;
    for (OpId id : f_.ops()) {
      ++time;
      const Op& op = f_.op(id);
      const CompiledGroup* group = group_of(op);
      if (group == nullptr) continue;
      for (const auto& [input, output] : group->in_place) {
        const ValueId owner = owner_of(op.operands[static_cast<std::size_t>(input)]);
        const ValueId result = op.results[static_cast<std::size_t>(output)];
        const auto from = lifetimes.find(owner), to = lifetimes.find(result);
        if (from == lifetimes.end() || to == lifetimes.end() || owner == result) continue;
        if (from->second.end != time || from->second.bytes != to->second.bytes) continue;
        if (!reads_in_place(op, *group, owner, output, owner_of)) continue;
        from->second.end = to->second.end;
        lifetimes.erase(to);
        taken_over[result] = owner;
      }
    }
    return taken_over;
  }

  // Whether each operand of `op` that lies in the memory of `owner` may be overwritten by this result.
  template <class OwnerOf>
  bool reads_in_place(const Op& op, const CompiledGroup& group, ValueId owner, int output, OwnerOf owner_of) const {
    for (std::size_t k = 0; k < op.operands.size(); ++k) {
      if (owner_of(op.operands[k]) != owner) continue;
      const std::pair pair(static_cast<int>(k), output);
      if (std::ranges::find(group.in_place, pair) == group.in_place.end()) return false;
    }
    return true;
  }

  // ---- instructions ---------------------------------------------------------------------------------------------

  void write_instructions() {
    for (OpId id : f_.ops()) {
      const Op& op = f_.op(id);
      if (is_alias(op)) continue;
      if (group_of(op) != nullptr) write_launches(id, op);
      else if (entered_.contains(id)) write_control(id, op);
    }
    for (std::uint32_t k : copies_) {
      Slot to{.kind = Slot::Kind::output, .index = k, .offset = 0, .bytes = plan_.output_bytes[k]};
      if (to.bytes > 0) plan_.instructions.push_back(runtime::Copy{slot(f_.results()[k]), to});
    }
  }

  std::vector<Slot> slots(std::span<const ValueId> values) const {
    std::vector<Slot> out;
    for (ValueId value : values) out.push_back(slot(value));
    return out;
  }

  void write_control(OpId id, const Op& op) {
    const Entered& entered = entered_.at(id);
    const std::vector<Slot>& temporary = temporaries_.at(id);
    const std::span<const ValueId> operands(op.operands), results(op.results);
    const auto carried = [&](std::size_t first_operand, std::size_t first_spare, std::size_t count) {
      std::vector<runtime::Carried> out;
      for (std::size_t k = 0; k < count; ++k) {
        out.push_back({slot(operands[first_operand + k]), slot(results[k]), temporary[first_spare + k]});
      }
      return out;
    };
    if (op.is("call")) {
      plan_.instructions.push_back(runtime::Call{entered.plans[0], slots(operands), slots(results), temporary[0]});
    } else if (op.is("cond")) {
      plan_.instructions.push_back(runtime::Cond{slot(operands[0]), entered.plans[0], entered.plans[1],
                                                 slots(operands.subspan(1)), slots(results), temporary[0]});
    } else if (op.is("while")) {
      plan_.instructions.push_back(runtime::WhileLoop{entered.plans[0], entered.plans[1], temporary[1],
                                                      carried(0, 2, results.size()), {}, temporary[0]});
    } else {
      write_scan(op, entered, temporary[0], carried(constants(op), 1, carries(op)));
    }
  }

  void write_scan(const Op& op, const Entered& entered, Slot frame, std::vector<runtime::Carried> carried) {
    const std::span<const ValueId> operands(op.operands), results(op.results);
    const std::int64_t length = op.attributes.integer("length");
    const auto stepped = [&](std::span<const ValueId> values) {
      std::vector<runtime::Stepped> out;
      for (ValueId value : values) {
        // Of one element, which has a size even where there is none.
        const Type type = f_.type(value);
        const std::uint64_t bytes = type.with_dims(type.dims().subspan(1)).bytes();
        out.push_back({slot(value), bytes, bytes});
      }
      return out;
    };
    plan_.instructions.push_back(runtime::Scan{.body = entered.plans[0],
                                               .length = length,
                                               .reverse = op.attributes.boolean("reverse"),
                                               .carried = std::move(carried),
                                               .inputs = stepped(operands.subspan(constants(op) + carries(op))),
                                               .outputs = stepped(results.subspan(carries(op))),
                                               .captures = slots(operands.first(constants(op))),
                                               .frame = frame});
  }

  void write_launches(OpId id, const Op& op) {
    const std::string& callee = op.attributes.symbol("callee");
    const CompiledGroup& group = *group_of(op);
    std::vector<Slot> buffers = slots(op.operands);
    for (ValueId result : op.results) buffers.push_back(slot(result));
    if (group.emitted.workspace_bytes > 0) buffers.push_back(temporaries_.at(id)[0]);
    for (const KernelLaunch& launch : group.emitted.launches) {
      if (launch.tiles == 0) continue;
      launch_inputs_.resize(plan_.instructions.size() + 1);
      launch_inputs_.back() = op.operands.size();
      plan_.instructions.push_back(runtime::Launch{.kernel = launch.symbol,
                                                   .buffers = buffers,
                                                   .tiles = launch.tiles,
                                                   .scratch_bytes = static_cast<std::uint64_t>(launch.scratch_bytes),
                                                   .label = label(callee, launch.part),
                                                   .location = op.location.known() ? op.location.first() : "",
                                                   .flops = launch.part == KernelLaunch::Part::work ? group.flops : 0,
                                                   .bytes = moved_bytes(op, group, launch.part),
                                                   .unit = launch.unit});
    }
  }

  static std::string label(const std::string& callee, KernelLaunch::Part part) {
    switch (part) {
      case KernelLaunch::Part::work:
        return callee;
      case KernelLaunch::Part::pack:
        return callee + " (pack)";
      case KernelLaunch::Part::combine:
        return callee + " (combine)";
    }
    std::unreachable();
  }

  std::uint64_t moved_bytes(const Op& op, const CompiledGroup& group, KernelLaunch::Part part) const {
    const auto workspace = static_cast<std::uint64_t>(group.emitted.workspace_bytes);
    std::uint64_t results = 0;
    for (ValueId result : op.results) results += f_.type(result).bytes();
    switch (part) {
      case KernelLaunch::Part::work:
        return group.bytes;
      case KernelLaunch::Part::pack:
        return 2 * workspace;  // the operand is about as large
      case KernelLaunch::Part::combine:
        return workspace + results;
    }
    std::unreachable();
  }

  // Who reads the parameters, and when.
  struct Readers {
    IdMap<OpId, std::uint32_t> position;          // of each op in the function
    std::vector<std::optional<std::uint32_t>> last;  // of each parameter's readers; none: nobody reads it
    std::vector<bool> is_renamed;                 // it has an alias, or is a result itself
  };

  Readers find_readers() const {
    Readers readers;
    std::uint32_t next = 0;
    for (OpId id : f_.ops()) readers.position[id] = next++;
    const std::size_t count = f_.parameters().size();
    readers.last.resize(count);
    readers.is_renamed.resize(count, false);
    for (std::size_t k = 0; k < count; ++k) {
      for (const ir::Use& use : f_.value(f_.parameters()[k]).uses) {
        const Op& op = f_.op(use.op);
        if (is_alias(op) || op.is("return")) readers.is_renamed[k] = true;
        const std::uint32_t position = readers.position.get(use.op);
        readers.last[k] = std::max(readers.last[k].value_or(position), position);
      }
    }
    return readers;
  }

  // Nothing reads the argument after the kernel that writes the result, and that kernel reads it in place.
  bool may_donate(const Readers& readers, std::uint32_t parameter, ValueId result) const {
    const ValueId argument = f_.parameters()[parameter];
    if (readers.is_renamed[parameter] || f_.type(argument) != f_.type(result)) return false;
    const OpId producer = f_.value(result).producer;
    if (!producer.valid() || group_of(f_.op(producer)) == nullptr) return false;
    const std::optional<std::uint32_t> last = readers.last[parameter];
    if (!last || *last < readers.position.get(producer)) return true;
    if (*last > readers.position.get(producer)) return false;
    const Op& op = f_.op(producer);
    const CompiledGroup& group = *group_of(op);
    const auto output = static_cast<int>(std::ranges::find(op.results, result) - op.results.begin());
    return reads_in_place(op, group, argument, output, [](ValueId value) { return value; });
  }

  const Function& f_;
  PlanBuilder& owner_;
  std::vector<std::uint32_t> argument_of_;
  runtime::Plan plan_;
  std::map<ValueId, Slot> places_;  // by storage
  std::map<OpId, Entered> entered_;
  std::map<OpId, std::vector<Slot>> temporaries_;
  std::vector<std::uint32_t> copies_;  // outputs written at the end
  std::vector<std::size_t> launch_inputs_;
};

runtime::TensorType tensor_type(Type type) { return {type.dtype(), type.sizes()}; }

}  // namespace

const CompiledGroup* PlanBuilder::group(const std::string& name) const {
  const auto found = groups_.find(name);
  return found == groups_.end() ? nullptr : &found->second;
}

std::uint32_t PlanBuilder::constant(const LiteralPtr& literal) {
  const auto [entry, is_new] =
      constants_.try_emplace(literal->hash(), static_cast<std::uint32_t>(out_.constants.size()));
  if (is_new) out_.constants.push_back(runtime::Constant::copy(literal->dense_bytes()));
  return entry->second;
}

std::uint32_t PlanBuilder::add_plan(const std::string& name, const std::vector<std::uint32_t>& argument_of) {
  const auto key = std::pair(name, argument_of);
  if (const auto found = plans_.find(key); found != plans_.end()) return found->second;
  runtime::Plan plan = FunctionPlan(*module_.find(name), *this, argument_of).run();
  out_.plans.push_back(std::move(plan));
  const auto index = static_cast<std::uint32_t>(out_.plans.size() - 1);
  plans_[key] = index;
  return index;
}

void PlanBuilder::add_entry(const std::string& name) {
  const Function& function = *module_.find(name);
  FunctionPlan builder(function, *this);
  runtime::Plan plan = builder.run();
  const std::vector<std::int32_t> donors = builder.donors();
  if (joins_launches_) join_launches({.plan = plan, .inputs = builder.launch_inputs(), .donors = donors}, code_);
  out_.plans.push_back(std::move(plan));
  runtime::Function entry{.name = name, .plan = static_cast<std::uint32_t>(out_.plans.size() - 1), .arguments = {}, .outputs = {}};
  for (ValueId parameter : function.parameters()) entry.arguments.push_back(tensor_type(function.type(parameter)));
  for (std::size_t k = 0; k < donors.size(); ++k) {
    entry.outputs.push_back({.type = tensor_type(function.type(function.results()[k])), .donor = donors[k]});
  }
  out_.functions.push_back(std::move(entry));
}

}  // namespace hyperion::codegen

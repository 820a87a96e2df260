#include "passes/fusion/fuse.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "ir/builder.hpp"
#include "ir/support/format.hpp"
#include "passes/fusion/contents.hpp"
#include "passes/fusion/groups.hpp"
#include "passes/fusion/recompute.hpp"
#include "passes/transform_options.hpp"

namespace hyperion::passes {
namespace {

using ir::Function;
using ir::Op;
using ir::OpId;
using ir::Value;
using ir::ValueId;

// "fused_dot_add_max": the first few ops, with the contraction among them, so that profiles and dumps can be read.
std::string group_name(const Function& f, const Group& group) {
  constexpr std::size_t kNamedOps = 4;
  std::string name = group.ops.size() == 1 ? "" : "fused";
  std::vector<OpId> named(group.ops.begin(),
                          group.ops.begin() + static_cast<std::ptrdiff_t>(std::min(group.ops.size(), kNamedOps)));
  const auto anchor =
      std::ranges::find_if(group.ops, [&](OpId id) { return role_of(f, f.op(id)) == OpRole::contraction; });
  if (anchor != group.ops.end() && std::ranges::find(named, *anchor) == named.end()) named.back() = *anchor;
  for (OpId id : named) {
    if (!name.empty()) name += "_";
    name += f.op(id).name();
  }
  if (group.ops.size() > kNamedOps) name += "_" + std::to_string(group.ops.size());
  return name;
}

class Outliner {
 public:
  Outliner(ir::Module& module, const Function& f, const GroupContents& contents)
      : module_(module), f_(f), contents_(contents) {
    for (OpId id : f.ops()) {
      if (contents.role(id) != OpRole::opaque || contents.group_of(id) >= 0) continue;
      for (ValueId operand : f.op(id).operands) is_read_.insert(operand);
    }
    for (std::size_t g = 0; g < contents.grouping().groups.size(); ++g) {
      for (ValueId input : contents.inside(static_cast<std::int32_t>(g)).inputs) is_read_.insert(input);
    }
  }

  // The function that calls the groups, in an order that respects all dependences and, beyond that, the program's.
  std::unique_ptr<Function> run() {
    auto result = std::make_unique<Function>(f_.name, f_.kind);
    result->attributes = f_.attributes;
    result->location = f_.location;
    ir::Builder builder(*result, &module_);
    for (ValueId parameter : f_.parameters()) {
      const ir::ValueData& value = f_.value(parameter);
      values_[parameter] = result->add_parameter(value.type, value.name, value.location);
    }
    for (OpId id : f_.ops()) emit_needed(builder, id);
    return result;
  }

 private:
  // What other groups, or the function itself, take from this one.
  std::vector<ValueId> outputs(const Group& group) const {
    std::vector<ValueId> out;
    for (OpId id : group.ops) {
      for (ValueId result : f_.op(id).results) {
        if (is_read_.contains(result)) out.push_back(result);
      }
    }
    return out;
  }

  // ---- writing --------------------------------------------------------------------------------------------------

  void emit_needed(ir::Builder& builder, OpId root) {
    std::vector<OpId> stack{root};
    while (!stack.empty()) {
      const OpId id = stack.back();
      const std::int32_t g = contents_.group_of(id);
      if (g < 0 && contents_.is_view(id)) {
        stack.pop_back();  // copied where it is read
        continue;
      }
      const bool done = g >= 0 ? emitted_groups_.contains(g) : emitted_ops_.contains(id.index);
      if (done) {
        stack.pop_back();
        continue;
      }
      const std::vector<ValueId> inputs = g >= 0 ? contents_.inside(g).inputs : f_.op(id).operands;
      bool ready = true;
      for (ValueId input : inputs) {
        if (values_.contains(input)) continue;
        stack.push_back(f_.value(input).producer);
        ready = false;
      }
      if (!ready) continue;
      stack.pop_back();
      if (g >= 0)
        emit_group(builder, g);
      else
        emit_opaque(builder, id);
    }
  }

  void emit_opaque(ir::Builder& builder, OpId id) {
    const Op& op = f_.op(id);
    std::vector<ValueId> operands;
    for (ValueId operand : op.operands) operands.push_back(values_.at(operand));
    std::vector<Type> types;
    for (ValueId result : op.results) types.push_back(f_.type(result));
    Function& to = builder.function();
    const OpId copy =
        to.insert_op(to.body(), {}, *op.definition, std::move(operands), types, op.attributes, op.location);
    for (std::size_t k = 0; k < op.results.size(); ++k) define(to, op.results[k], to.op(copy).results[k]);
    emitted_ops_.insert(id.index);
  }

  void define(Function& to, ValueId old, ValueId now) {
    values_[old] = now;
    to.set_name(now, f_.value(old).name);
  }

  void emit_group(ir::Builder& builder, std::int32_t number) {
    emitted_groups_.insert(number);
    const Group& group = contents_.grouping().groups[static_cast<std::size_t>(number)];
    const std::vector<ValueId> taken = outputs(group);
    if (taken.empty()) return;
    const GroupContents::Inside inside = contents_.inside(number);
    Function& outlined = module_.add(module_.unique_name(group_name(f_, group)));
    const Location where = outline(outlined, inside, taken);
    outlined.location = where;
    std::vector<Value> arguments;
    for (ValueId input : inside.inputs) arguments.push_back(builder.wrap(values_.at(input)));
    builder.set_location(where);
    const std::vector<Value> results =
        builder.apply_all("call", arguments, {{"callee", ir::SymbolReference{outlined.name}}});
    for (std::size_t k = 0; k < results.size(); ++k) {
      define(builder.function(), taken[k], results[k].id);
    }
  }

  Location outline(Function& to, const GroupContents::Inside& inside, const std::vector<ValueId>& taken) const {
    std::map<ValueId, ValueId> local;
    for (ValueId input : inside.inputs) local[input] = to.add_parameter(f_.type(input), {}, f_.value(input).location);
    std::vector<Location> locations;
    for (OpId id : inside.ops) {
      const Op& op = f_.op(id);
      std::vector<ValueId> operands;
      for (ValueId operand : op.operands) operands.push_back(local.at(operand));
      std::vector<Type> types;
      for (ValueId result : op.results) types.push_back(f_.type(result));
      const OpId copy =
          to.insert_op(to.body(), {}, *op.definition, std::move(operands), types, op.attributes, op.location);
      for (std::size_t k = 0; k < op.results.size(); ++k) local[op.results[k]] = to.op(copy).results[k];
      if (!contents_.is_view(id)) locations.push_back(op.location);
    }
    std::vector<ValueId> results;
    for (ValueId output : taken) results.push_back(local.at(output));
    to.insert_op(to.body(), {}, ir::op("return"), std::move(results), {}, {}, {});
    return Location::fused(locations);
  }

  ir::Module& module_;
  const Function& f_;
  const GroupContents& contents_;
  std::set<ValueId> is_read_;  // by other groups than its own, or by the function
  std::map<ValueId, ValueId> values_;
  std::set<std::int32_t> emitted_groups_;
  std::set<std::uint32_t> emitted_ops_;
};

// Those that no other function calls, or the one that is named. Groups are made for known sizes.
Result<std::vector<std::string>> functions_to_fuse(const ir::Module& module, const std::string& named,
                                                   PassContext& context) {
  std::set<std::string> called;
  for (const auto& function : module.functions()) {
    for (OpId id : function->ops()) {
      for (const auto& [attribute, value] : function->op(id).attributes) {
        if (const auto* symbol = std::get_if<ir::SymbolReference>(&value)) called.insert(symbol->name);
      }
    }
  }
  std::vector<std::string> names;
  for (const auto& function : module.functions()) {
    if (function->kind != ir::FunctionKind::func) continue;
    if (named.empty() ? called.contains(function->name) : function->name != named) continue;
    HYP_TRY_VOID(require_static(*function, context));
    names.push_back(function->name);
  }
  if (!named.empty() && names.empty()) {
    context.diagnostics.error("pass.option", format("fuse: no func is called @{}", named));
    return failure();
  }
  return names;
}

}  // namespace

Changed fuse(ir::Module& module, const std::string& name, const FuseOptions& options) {
  const Function& function = *module.find(name);
  GroupContents contents(function, find_groups(function, options));
  if (options.enabled) recompute_cheap_values(function, options, contents);
  std::unique_ptr<Function> called = Outliner(module, function, contents).run();
  module.erase(name);
  module.add(std::move(called));
  return Changed::yes;
}

PassDefinition pass_fuse() {
  const FuseOptions defaults;
  return {
      .name = "fuse",
      .doc = "Cuts funcs into groups, each of which becomes one kernel, and calls of them.",
      .options =
          {{"function", ir::AttributeKind::text, "the func to cut; empty: all that no other calls", std::string()},
           {"max_ops", ir::AttributeKind::integer, "ops in one group", static_cast<std::int64_t>(defaults.max_ops)},
           {"enabled", ir::AttributeKind::boolean, "false: every op alone", defaults.enabled},
           {"prologues", ir::AttributeKind::boolean, "false: no maps in front of a contraction", defaults.prologues},
           {"recompute_bytes", ir::AttributeKind::real, "size from which cheap values are computed again",
            defaults.recompute_bytes}},
      .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
        const std::int64_t max_ops = options.integer("max_ops");
        if (max_ops < 1) {
          context.diagnostics.error("pass.option", format("fuse: groups of {} ops", max_ops));
          return failure();
        }
        HYP_TRY(const std::vector<std::string> names, functions_to_fuse(module, options.text("function"), context));
        for (const std::string& name : names) {
          fuse(module, name,
               {.max_ops = static_cast<std::size_t>(max_ops),
                .enabled = options.boolean("enabled"),
                .prologues = options.boolean("prologues"),
                .recompute_bytes = options.real("recompute_bytes")});
        }
        return changed_if(!names.empty());
      }};
}

}  // namespace hyperion::passes

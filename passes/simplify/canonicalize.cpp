#include "passes/simplify/canonicalize.hpp"

#include <algorithm>
#include <deque>

#include "ir/support/format.hpp"
#include "ir/support/suggest.hpp"
#include "passes/rewriter.hpp"
#include "passes/simplify/fold.hpp"
#include "passes/simplify/rule_match.hpp"

namespace hyperion::passes {

using ir::Function;
using ir::Op;
using ir::OpId;
using ir::ValueId;

namespace {

// Rules by the op at their root; those for any elementwise op by its number of operands.
class RuleIndex {
 public:
  explicit RuleIndex(const CanonicalizeOptions& options) : by_op_(ir::all_ops().size()) {
    for (const Rule& rule : options.rules) {
      if (std::ranges::find(options.disabled, &rule) != options.disabled.end()) continue;
      if (rule.float_tag > options.policy && rule.integer_tag > options.policy) continue;
      const RuleNode& root = rule.patterns[0];
      auto& list = root.kind == RuleNode::Kind::op ? by_op_[root.op->index] : by_arity_[root.operands.size()];
      list.push_back(&rule);
    }
  }
  const std::vector<const Rule*>& of_op(const Op& op) const { return by_op_[op.definition->index]; }
  const std::vector<const Rule*>& of_any(const Op& op) const {
    static const std::vector<const Rule*> none;
    return op.definition->is_elementwise && op.operands.size() < std::size(by_arity_) ? by_arity_[op.operands.size()] : none;
  }

 private:
  std::vector<std::vector<const Rule*>> by_op_;
  std::vector<const Rule*> by_arity_[4];  // elementwise ops have at most three operands
};

class Canonicalizer {
 public:
  Canonicalizer(const ir::Module& module, Function& function, const CanonicalizeOptions& options, PassContext& context)
      : module_(module), function_(function), options_(options), context_(context),
        index_(options), rewriter_(module, function, context) {}

  Changed run() {
    for (OpId id : function_.ops()) push(id);
    // Rules shrink programs or move views one op further, so rewrites stay a small multiple of the ops.
    const std::size_t limit = 64 * (worklist_.size() + 16);
    while (!worklist_.empty() && rewriter_.change_count() < limit) {
      const OpId id = worklist_.front();
      worklist_.pop_front();
      waiting_[id] = 0;
      if (function_.op(id).definition != nullptr) visit(id);
    }
    if (!worklist_.empty()) {
      context_.diagnostics.warning("pass.limit", format("canonicalize stopped after {} rewrites of @{}",
                                                        rewriter_.change_count(), function_.name));
    }
    return rewriter_.changed();
  }

 private:
  void visit(OpId id) {
    const Op& op = function_.op(id);
    if (op.is("return")) return;
    if (is_dead(op)) return erase(id);
    if (op.results.size() != 1) return;
    if (options_.fold) {
      if (const auto value = fold_op(module_, function_, op)) {
        return replace(id, rewriter_.before(id).constant(*value).id, "fold");
      }
    }
    if (apply_first(index_.of_op(op), id)) return;
    apply_first(index_.of_any(op), id);
  }

  bool apply_first(const std::vector<const Rule*>& rules, OpId id) {
    const DType dtype = function_.type(function_.op(id).results[0]).dtype();
    for (const Rule* rule : rules) {
      if (sense(*rule, id, dtype) > options_.policy) continue;
      const std::optional<RuleMatch> found = match(*rule, function_, id);
      if (!found) continue;
      const auto first_new = static_cast<std::uint32_t>(function_.op_slots());
      const std::optional<ValueId> value = build_replacement(*rule, *found, rewriter_, function_);
      if (!value) continue;
      // The operands below the root may have lost their only use.
      for (auto index = first_new; index < function_.op_slots(); ++index) push(OpId{index});
      replace(id, *value, rule->name);
      return true;
    }
    return false;
  }

  // A rule on floats that results in bool (a comparison) counts as one on floats.
  Tag sense(const Rule& rule, OpId id, DType result) const {
    const Op& op = function_.op(id);
    for (ValueId operand : op.operands) {
      if (is_floating(function_.type(operand).dtype())) return rule.float_tag;
    }
    return rule.tag(result);
  }

  bool is_dead(const Op& op) const {
    return op.definition->is_pure &&
           std::ranges::all_of(op.results, [&](ValueId result) { return function_.value(result).uses.empty(); });
  }

  void erase(OpId id) {
    const std::vector<ValueId> operands = function_.op(id).operands;
    rewriter_.erase(id, "dead");
    push_producers(operands);
  }

  void replace(OpId id, ValueId value, std::string_view rule) {
    const std::vector<ValueId> operands = function_.op(id).operands;
    // Only these see something new; the value that they now read may have any number of other users.
    const std::vector<ir::Use> users = function_.value(function_.op(id).results[0]).uses;
    rewriter_.replace(id, {value}, rule);
    if (const OpId producer = function_.value(value).producer; producer.valid()) push(producer);
    for (const ir::Use& use : users) push(use.op);
    push_producers(operands);
  }

  void push_producers(const std::vector<ValueId>& values) {
    for (ValueId value : values) {
      if (const OpId producer = function_.value(value).producer; producer.valid()) push(producer);
    }
  }

  void push(OpId id) {
    if (function_.op(id).definition == nullptr || waiting_[id]) return;
    waiting_[id] = 1;
    worklist_.push_back(id);
  }

  const ir::Module& module_;
  Function& function_;
  const CanonicalizeOptions& options_;
  PassContext& context_;
  RuleIndex index_;
  Rewriter rewriter_;
  std::deque<OpId> worklist_;
  IdMap<OpId, std::uint8_t> waiting_;
};

std::optional<Tag> parse_policy(std::string_view name) {
  if (name == "strict") return Tag::same_bits;
  if (name == "signless_zero") return Tag::same_but_sign_of_zero;
  if (name == "fast") return Tag::same_over_reals;
  return std::nullopt;
}

Result<CanonicalizeOptions> read_options(const ir::Attributes& options, Diagnostics& diagnostics) {
  CanonicalizeOptions out;
  const std::optional<Tag> policy = parse_policy(options.text("policy"));
  if (!policy) {
    diagnostics.error("pass.option", format("canonicalize: policy '{}' is not strict, signless_zero or fast", options.text("policy")));
    return failure();
  }
  out.policy = *policy;
  out.fold = options.boolean("fold");
  std::string_view rest = options.text("disable");
  while (!rest.empty()) {
    const std::size_t space = std::min(rest.find(' '), rest.size());
    const std::string_view name = rest.substr(0, space);
    rest.remove_prefix(std::min(space + 1, rest.size()));
    if (name.empty()) continue;
    const Rule* rule = find_rule(name);
    if (rule == nullptr) {
      std::vector<std::string_view> names;
      for (const Rule& known : all_rules()) names.push_back(known.name);
      diagnostics.error("pass.option", format("canonicalize: no rule is called '{}'{}", name, did_you_mean(name, names)));
      return failure();
    }
    out.disabled.push_back(rule);
  }
  return out;
}

}  // namespace

Changed canonicalize(const ir::Module& module, Function& function, const CanonicalizeOptions& options,
                     PassContext& context) {
  return Canonicalizer(module, function, options, context).run();
}

PassDefinition pass_canonicalize() {
  return {.name = "canonicalize",
          .doc = "Applies rewrite rules and folds constants until nothing changes.",
          .options = {{"policy", ir::AttributeKind::text, "strict, signless_zero or fast", std::string("strict")},
                      {"disable", ir::AttributeKind::text, "names of rules to leave out, separated by spaces", std::string()},
                      {"fold", ir::AttributeKind::boolean, "also fold constants", true}},
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            HYP_TRY(const CanonicalizeOptions read, read_options(options, context.diagnostics));
            Changed changed = Changed::no;
            for (const auto& function : module.functions()) {
              if (function->kind == ir::FunctionKind::func) changed |= canonicalize(module, *function, read, context);
            }
            return changed;
          }};
}

}  // namespace hyperion::passes

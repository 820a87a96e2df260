#include "passes/rewriter.hpp"

#include <vector>

#include "ir/text/print.hpp"

namespace hyperion::passes {

std::string RewriteEvent::before_text() const { return ir::print_op(function, before); }

std::string RewriteEvent::after_text() const {
  std::string text;
  for (ir::ValueId value : after) {
    const ir::OpId producer = function.value(value).producer;
    const std::string line = producer.valid() ? ir::print_op(function, producer) : "%" + function.value(value).name;
    text += (text.empty() ? "" : "\n") + line;
  }
  return text;
}

ir::Builder Rewriter::before(ir::OpId op, std::span<const ir::OpId> others) {
  std::vector<Location> places{function_.op(op).location};
  for (ir::OpId other : others) places.push_back(function_.op(other).location);
  ir::Builder builder(function_, &module_);
  builder.insert_before(op);
  builder.set_location(Location::fused(places));
  return builder;
}

ir::Builder Rewriter::at_end() { return before(function_.block(function_.body()).last); }

void Rewriter::replace(ir::OpId op, std::span<const ir::ValueId> values, std::string_view rule) {
  const std::vector<ir::ValueId> results = function_.op(op).results;
  HYP_CHECK(values.size() == results.size(), "a replacement has another number of results");
  if (context_.listener != nullptr) context_.listener->rewritten({context_.pass, rule, function_, op, values});
  for (std::size_t k = 0; k < results.size(); ++k) {
    HYP_CHECK(function_.type(values[k]) == function_.type(results[k]), "a replacement has another type");
    std::string name = function_.value(results[k]).name;
    if (!name.empty() && function_.value(values[k]).name.empty()) {
      function_.set_name(results[k], {});
      function_.set_name(values[k], std::move(name));
    }
    function_.replace_uses(results[k], values[k]);
  }
  function_.erase_op(op);
  ++change_count_;
}

void Rewriter::erase(ir::OpId op, std::string_view rule) {
  if (context_.listener != nullptr) context_.listener->rewritten({context_.pass, rule, function_, op, {}});
  function_.erase_op(op);
  ++change_count_;
}

void Rewriter::set_operand(ir::OpId op, std::uint32_t operand, ir::ValueId value) {
  if (function_.op(op).operands[operand] == value) return;
  function_.set_operand(op, operand, value);
  ++change_count_;
}

void Rewriter::set_attribute(ir::OpId op, std::string_view attribute, ir::AttributeValue value) {
  // Attribute names must live as long as the process; the definition's spelling does.
  const ir::AttributeSpec* spec = function_.op(op).definition->attribute(attribute);
  HYP_CHECK(spec != nullptr, "an attribute that the op does not declare");
  function_.set_attribute(op, spec->name, std::move(value));
  ++change_count_;
}

void Rewriter::set_type(ir::ValueId value, Type type) {
  if (function_.type(value) == type) return;
  function_.set_type(value, type);
  ++change_count_;
}

void Rewriter::move_before(ir::OpId op, ir::OpId position) {
  if (op == position || function_.op(op).next == position) return;
  function_.move_before(op, position);
  ++change_count_;
}

Changed rewrite_each_op(ir::Module& module, PassContext& context, const std::function<void(Rewriter&, ir::OpId)>& rewrite) {
  Changed changed = Changed::no;
  for (const auto& function : module.functions()) {
    if (function->kind != ir::FunctionKind::func) continue;
    Rewriter rewriter(module, *function, context);
    for (ir::OpId id : function->ops()) rewrite(rewriter, id);
    changed |= rewriter.changed();
  }
  return changed;
}

}  // namespace hyperion::passes

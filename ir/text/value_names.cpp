#include "ir/text/value_names.hpp"

#include "ir/text/element_text.hpp"
#include "ir/text/lexer.hpp"

namespace hyperion::ir {

ValueNames::ValueNames(const Function& function)
    : function_(function), names_(function.value_slots()), inline_(function.op_slots()) {
  number(function.body());
}

void ValueNames::number(BlockId root) {
  const auto define = [&](ValueId id) {
    const ValueData& value = function_.value(id);
    names_[id.index] =
        value.name.empty() ? "%" + std::to_string(next_number_++) : spell_name('%', value.name);
  };
  // Blocks in the order of the text: an op's blocks before the ops that follow it.
  struct Frame {
    OpId op;
    std::size_t next_block = 0;
  };
  std::vector<Frame> stack;
  const auto enter = [&](BlockId block) {
    for (ValueId argument : function_.block(block).arguments) define(argument);
    for (OpId id = function_.block(block).first; id.valid(); id = function_.op(id).next)
      mark_inline_constants(id);
    stack.push_back({function_.block(block).first, 0});
  };
  enter(root);
  while (!stack.empty()) {
    Frame& frame = stack.back();
    if (!frame.op.valid()) {
      stack.pop_back();
      continue;
    }
    const Op& op = function_.op(frame.op);
    // Results are written, and so numbered, before the blocks.
    if (frame.next_block == 0 && !is_inline(frame.op)) {
      for (ValueId result : op.results) define(result);
    }
    if (frame.next_block < op.blocks.size()) {
      enter(op.blocks[frame.next_block++]);  // invalidates frame
    } else {
      frame = {op.next, 0};
    }
  }
}

bool ValueNames::may_be_inline(ValueId value, const Op& user) const {
  const ValueData& data = function_.value(value);
  const Op* producer = function_.producer(value);
  if (producer == nullptr || !producer->is("constant") || !data.name.empty() ||
      data.uses.size() != 1)
    return false;
  return producer->attributes.literal("value")->is_splat() && !is_complex(data.type.dtype()) &&
         producer->parent == user.parent && producer->location == user.location;
}

void ValueNames::mark_inline_constants(OpId id) {
  const Op& user = function_.op(id);
  if (!user.definition->is_elementwise) return;
  std::vector<ValueId> constants;
  Type type;  // of the last operand that is not one of them
  for (ValueId operand : user.operands) {
    if (may_be_inline(operand, user))
      constants.push_back(operand);
    else
      type = function_.type(operand);
  }
  if (!type.valid()) return;
  // The parser would put them directly before the op, in the order of the operands.
  OpId expected = user.previous;
  for (std::size_t k = constants.size(); k-- > 0;) {
    const ValueData& constant = function_.value(constants[k]);
    if (constant.producer != expected || constant.type != type) return;
    expected = function_.op(expected).previous;
  }
  for (ValueId constant : constants) {
    const OpId producer = function_.value(constant).producer;
    const LiteralPtr& literal = function_.op(producer).attributes.literal("value");
    inline_[producer.index] = true;
    names_[constant.index] = element_text(type.dtype(), literal->stored_bytes().data());
  }
}

}  // namespace hyperion::ir

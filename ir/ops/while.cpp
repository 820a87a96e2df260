// while.cpp: a function applied to its own results for as long as a condition holds.
//
// Forward derivatives and batching only: how often the body runs is not known before, so there is no place for what
// reverse mode would have to remember. A loop of known length is a scan.
#include "ir/ops/callees.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_while(const InferContext& c) {
  HYP_TRY(const Function* condition, find_callee(c, "c1", "condition"));
  HYP_TRY(const Function* body, find_callee(c, "c1", "body"));
  HYP_TRY_VOID(check_parameters_of(c, "c2", *condition, c.operands));
  HYP_TRY_VOID(check_parameters_of(c, "c2", *body, c.operands));
  if (condition->result_types() != std::vector{Type::scalar(DType::bool_)}) {
    return c.fail("c3", format("@{} does not give one bool[]", condition->name));
  }
  const std::vector<Type> carried(c.operands.begin(), c.operands.end());
  if (body->result_types() != carried) return c.fail("c4", format("@{} does not give the types it takes", body->name));
  return carried;
}

StatusOr<std::vector<LiteralPtr>> evaluate_while(const EvaluateContext& c) {
  std::vector<LiteralPtr> state(c.operands.begin(), c.operands.end());
  for (;;) {
    HYP_TRY(const std::vector<LiteralPtr> holds, c.call(c.attributes.symbol("condition"), state));
    if (holds[0]->element(0)[0] == std::byte{0}) return state;
    HYP_TRY(state, c.call(c.attributes.symbol("body"), state));
  }
}

Attributes loop(const Function& condition, const Function& body) {
  return {{"condition", symbol_of(condition)}, {"body", symbol_of(body)}};
}

// The state and a tangent for all that is floating in it go round together.
std::vector<Value> jvp_while(JvpContext& c) {
  Builder& b = c.builder;
  const Function& condition = callee_of(b, c.attributes, "condition");
  std::vector<bool> active;
  std::vector<Value> state = c.operands;
  for (std::size_t k = 0; k < c.operands.size(); ++k) {
    active.push_back(is_floating(c.operands[k].dtype()));
    if (active[k]) state.push_back(c.tangents[k] ? c.tangents[k] : b.zeros(c.operands[k].type()));
  }
  const Function& body = c.functions->jvp_of(callee_of(b, c.attributes, "body"), active);
  const std::size_t count = c.operands.size();
  const Function& holds = write_function(*c.functions, condition.name + "_jvp", types_of(state), [&](Builder& inner, std::span<const Value> arguments) {
    return copy_body(inner, condition, arguments.first(count));
  });
  const std::vector<Value> last = b.apply_all("while", state, loop(holds, body));
  std::vector<Value> result(count);
  std::size_t next = count;
  for (std::size_t k = 0; k < count; ++k) {
    if (active[k]) result[k] = last[next++];
  }
  return result;
}

// All slices go round until the last one is done; those that are done keep their state.
std::vector<Value> batch_while(BatchContext& c) {
  const std::vector<bool> all(c.operands.size(), true);
  const Function& condition = c.functions->vmap_of(callee_of(c.builder, c.attributes, "condition"), all, c.size);
  const Function& body = c.functions->vmap_of(callee_of(c.builder, c.attributes, "body"), all, c.size);
  std::vector<Value> state;
  for (std::size_t k = 0; k < c.operands.size(); ++k) state.push_back(c.batched_operand(static_cast<int>(k)));
  const std::vector<Type> types = types_of(state);
  const Function& any = write_function(*c.functions, condition.name + "_any", types, [&](Builder& b, std::span<const Value> arguments) {
    return only(b.reduce(copy_body(b, condition, arguments)[0], Monoid::any, {0}));
  });
  const Function& step = write_function(*c.functions, body.name + "_where", types, [&](Builder& b, std::span<const Value> arguments) {
    const Value holds = copy_body(b, condition, arguments)[0];
    std::vector<Value> next = copy_body(b, body, arguments);
    for (std::size_t k = 0; k < next.size(); ++k) {
      next[k] = b.select(broadcast_into(holds, next[k].type().with_dtype(DType::bool_), {0}), next[k], arguments[k]);
    }
    return next;
  });
  return c.builder.apply_all("while", state, loop(any, step));
}

}  // namespace

OpDefinition op_while() {
  OpDefinition op;
  op.name = "while";
  op.group = OpGroup::control;
  op.doc = "Applies `body` to its own results, starting from the operands, for as long as `condition` holds of them.";
  op.operands = {{.name = "state", .doc = "the first state", .variadic = true}};
  op.attributes = {{"condition", AttributeKind::symbol, "state to bool[]", std::nullopt},
                   {"body", AttributeKind::symbol, "state to next state", std::nullopt}};
  op.constraints = {{"c1", "(C1) both functions exist"},
                    {"c2", "(C2) both take the state"},
                    {"c3", "(C3) condition gives one bool[]"},
                    {"c4", "(C4) body gives the types it takes"}};
  op.result_count = -1;
  op.anchor = Anchor::opaque;
  op.infer = infer_while;
  op.evaluate = evaluate_while;
  op.jvp = jvp_while;
  op.batch = batch_while;
  op.example = "while %i, %x {body = @f, condition = @p}";
  return op;
}

}  // namespace hyperion::ir::ops

// cond.cpp: one of two functions, chosen by a scalar; only the chosen one is evaluated.
#include "ir/ops/callees.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

constexpr std::string_view kBranches[] = {"on_true", "on_false"};

InferResult infer_cond(const InferContext& c) {
  if (c.operands[0] != Type::scalar(DType::bool_)) {
    return c.fail("c1", format("the predicate is {}, not bool[]", c.operands[0].text()), {0});
  }
  std::vector<std::vector<Type>> results;
  for (std::string_view branch : kBranches) {
    HYP_TRY(const Function* callee, find_callee(c, "c2", branch));
    HYP_TRY_VOID(check_parameters_of(c, "c3", *callee, c.operands.subspan(1)));
    results.push_back(callee->result_types());
  }
  if (results[0] != results[1]) return c.fail("c4", "the two functions give results of different types");
  return results[0];
}

Attributes branches(const Function& on_true, const Function& on_false) {
  return {{"on_true", symbol_of(on_true)}, {"on_false", symbol_of(on_false)}};
}

// cond of the derivatives of both branches; their primal results are not used.
std::vector<Value> jvp_cond(JvpContext& c) {
  const std::span<const Value> tangents = std::span(c.tangents).subspan(1);
  const std::vector<bool> active = present(tangents);
  const Function* derived[2];
  for (int k = 0; k < 2; ++k) derived[k] = &c.functions->jvp_of(callee_of(c.builder, c.attributes, kBranches[k]), active);
  std::vector<Value> operands = c.operands;
  append(operands, chosen(tangents, active));
  const std::vector<Value> all = c.builder.apply_all("cond", operands, branches(*derived[0], *derived[1]));
  std::vector<Value> result(c.results.size());
  std::size_t next = c.results.size();
  for (std::size_t k = 0; k < result.size(); ++k) {
    if (is_floating(c.results[k].dtype())) result[k] = all[next++];
  }
  return result;
}

// The branch turned around, brought to a form that both branches share: the operands that are not linear, then a
// cotangent for every result that has one.
const Function& transposed_branch(TransposeContext& c, const Function& branch, const std::vector<bool>& linear,
                                  std::span<const Type> parameters, std::size_t fixed) {
  const std::vector<bool> linear_out = c.functions->linear_results_of(branch, linear);
  const Function& transposed = c.functions->transpose_of(branch, linear);
  return write_function(*c.functions, branch.name + "_back", parameters, [&](Builder& b, std::span<const Value> arguments) {
    std::vector<Value> passed = part(arguments, 0, fixed);
    std::size_t next = fixed;
    for (std::size_t k = 0; k < linear_out.size(); ++k) {
      const bool given = c.cotangents[k].valid();
      if (linear_out[k]) passed.push_back(given ? arguments[next] : b.zeros(c.result_types[k]));
      next += given ? 1 : 0;
    }
    return copy_body(b, transposed, passed);
  });
}

std::vector<Value> transpose_cond(TransposeContext& c) {
  std::vector<bool> linear;
  std::vector<Value> operands = {c.operand(0)};
  for (std::size_t k = 1; k < c.operands.size(); ++k) {
    linear.push_back(!c.operands[k].valid());
    if (c.operands[k]) operands.push_back(c.operands[k]);
  }
  const std::size_t fixed = operands.size() - 1;
  append(operands, chosen(c.cotangents, present(c.cotangents)));
  const std::vector<Type> parameters = types_of(std::span(operands).subspan(1));
  const Function* back[2];
  for (int k = 0; k < 2; ++k) {
    back[k] = &transposed_branch(c, callee_of(c.builder, c.attributes, kBranches[k]), linear, parameters, fixed);
  }
  const std::vector<Value> sent = c.builder.apply_all("cond", operands, branches(*back[0], *back[1]));
  std::vector<Value> result(c.operands.size());
  std::size_t next = 0;
  for (std::size_t k = 0; k < linear.size(); ++k) {
    if (linear[k]) result[k + 1] = sent[next++];
  }
  return result;
}

// One predicate for all: cond of the batched branches. One predicate each: both branches, and a choice.
std::vector<Value> batch_cond(BatchContext& c) {
  Builder& b = c.builder;
  const std::vector<bool> batched(c.batched.begin() + 1, c.batched.end());
  const Function* mapped[2];
  for (int k = 0; k < 2; ++k) mapped[k] = &c.functions->vmap_of(callee_of(b, c.attributes, kBranches[k]), batched, c.size);
  if (!c.is_batched(0)) return b.apply_all("cond", c.operands, branches(*mapped[0], *mapped[1]));
  const std::span<const Value> arguments = std::span(c.operands).subspan(1);
  std::vector<Value> chosen = copy_body(b, *mapped[0], arguments);
  const std::vector<Value> otherwise = copy_body(b, *mapped[1], arguments);
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    const Value predicate = broadcast_into(c.operand(0), chosen[k].type().with_dtype(DType::bool_), {0});
    chosen[k] = b.select(predicate, chosen[k], otherwise[k]);
  }
  return chosen;
}

}  // namespace

OpDefinition op_cond() {
  OpDefinition op;
  op.name = "cond";
  op.group = OpGroup::control;
  op.doc = "Applies `on_true` if the predicate holds, else `on_false`; the other one is not evaluated.";
  op.operands = {{.name = "predicate", .doc = "bool[]"},
                 {.name = "arguments", .doc = "of whichever function is chosen", .variadic = true, .linear = true}};
  op.attributes = {{"on_true", AttributeKind::symbol, "the function applied if the predicate holds", std::nullopt},
                   {"on_false", AttributeKind::symbol, "the function applied otherwise", std::nullopt}};
  op.constraints = {{"c1", "(C1) the predicate is bool[]"},
                    {"c2", "(C2) both functions exist"},
                    {"c3", "(C3) the arguments have the types of both functions' parameters"},
                    {"c4", "(C4) both functions give results of the same types"}};
  op.result_count = -1;
  op.anchor = Anchor::opaque;
  op.infer = infer_cond;
  op.evaluate = [](const EvaluateContext& c) {
    const bool holds = c.operand(0)->element(0)[0] != std::byte{0};
    return c.call(c.attributes.symbol(kBranches[holds ? 0 : 1]), c.operands.subspan(1));
  };
  op.jvp = jvp_cond;
  op.linearity = Linearity::jointly;
  op.transpose = transpose_cond;
  op.batch = batch_cond;
  op.example = "cond %p, %x {on_false = @g, on_true = @f}";
  return op;
}

}  // namespace hyperion::ir::ops

#include "ir/ops/ops.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

#define HYP_OP(name) OpDefinition op_##name();
#include "ir/ops/ops.def"
#undef HYP_OP

std::vector<OpDefinition> built_in_ops() {
  return {
#define HYP_OP(name) op_##name(),
#include "ir/ops/ops.def"
#undef HYP_OP
  };
}

OpDefinition elementwise(std::string_view name, std::string_view doc, std::vector<OperandSpec> operands,
                         DTypePredicate accepts, std::string_view accepted_words) {
  OpDefinition op;
  op.name = name;
  op.doc = doc;
  op.operands = std::move(operands);
  op.is_elementwise = true;
  op.constraints = {{"c1", "(C1) all operands have the same type"},
                    {"c2", "(C2) the element type is one the op accepts"}};
  op.infer = [accepts, accepted_words](const InferContext& c) -> InferResult {
    for (std::size_t k = 1; k < c.operands.size(); ++k) {
      if (c.operands[k] != c.operands[0]) {
        return c.fail("c1", format("operands have different types: {} and {}", c.operands[0].text(),
                                   c.operands[k].text()),
                      {0, static_cast<int>(k)});
      }
    }
    if (!accepts(c.operands[0].dtype())) {
      return c.fail("c2", format("element type {} is not {}", dtype_name(c.operands[0].dtype()),
                                 accepted_words),
                    {0});
    }
    return std::vector{c.operands[0]};
  };
  return op;
}

OpDefinition unary_op(std::string_view name, std::string_view doc, DTypePredicate accepts,
                      std::string_view accepted_words) {
  OpDefinition op = elementwise(name, doc, {{.name = "x", .doc = "the argument"}}, accepts, accepted_words);
  op.constraints.erase(op.constraints.begin());  // (C1): one operand always agrees with itself
  op.group = OpGroup::unary;
  return op;
}

OpDefinition binary_op(std::string_view name, std::string_view doc, DTypePredicate accepts,
                       std::string_view accepted_words) {
  OpDefinition op = elementwise(
      name, doc, {{.name = "lhs", .doc = "the left operand"}, {.name = "rhs", .doc = "the right operand"}},
      accepts, accepted_words);
  op.group = OpGroup::binary;
  return op;
}

namespace {
constexpr std::array<std::string_view, 6> kComparisons = {"eq", "ne", "lt", "le", "gt", "ge"};
}  // namespace

std::int64_t comparison_code(std::string_view direction) {
  const auto found = std::ranges::find(kComparisons, direction);
  return found == kComparisons.end() ? -1 : found - kComparisons.begin();
}

std::string_view comparison_name(std::int64_t code) { return kComparisons.at(static_cast<std::size_t>(code)); }

TermId unfold(TermPool& pool, TermId root) {
  std::unordered_map<TermId, TermId> unfolded;
  std::vector<std::pair<TermId, std::size_t>> stack{{root, 0}};
  while (!stack.empty()) {
    auto& [id, next] = stack.back();
    const Term term = pool[id];
    if (next < term.args.size()) {
      const TermId child = term.args[next++];
      if (!unfolded.contains(child)) stack.emplace_back(child, 0);
      continue;
    }
    const TermId finished = id;
    stack.pop_back();
    if (term.kind != TermKind::scalar) {
      HYP_CHECK(term.args.empty(), "a scalar expansion holds only scalar functions, literals and arguments");
      unfolded.emplace(finished, finished);
      continue;
    }
    std::vector<TermId> args;
    for (TermId arg : term.args) args.push_back(unfolded.at(arg));
    unfolded.emplace(finished, expand_scalar(pool, *term.function, term.dtype, args, term.value));
  }
  return unfolded.at(root);
}

bool distinct_axes(const Integers& axes, int rank) {
  std::array<bool, kMaxRank> seen{};
  for (std::int64_t axis : axes) {
    if (axis < 0 || axis >= rank || seen[static_cast<std::size_t>(axis)]) return false;
    seen[static_cast<std::size_t>(axis)] = true;
  }
  return true;
}

}  // namespace hyperion::ir::ops

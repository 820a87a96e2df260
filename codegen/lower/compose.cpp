#include "codegen/lower/compose.hpp"

#include <map>

#include "ir/ops/ops.hpp"

namespace hyperion::codegen {
namespace {

using ir::Lambda;
using ir::Op;
using ir::TermId;
using ir::TermKind;
using ir::TermPool;
using ir::ValueId;
using ir::VariableId;

class Composer {
 public:
  Composer(const ir::Function& group, const std::optional<Opaque>& opaque, TermPool& pool)
      : group_(group), opaque_(opaque), pool_(pool) {}

  // The element of `value` at `indices`, over the group's parameters. Recursion follows the ops of one group, whose
  // number the fusion pass bounds.
  TermId element(ValueId value, std::vector<TermId> indices) {
    if (opaque_ && value == opaque_->op.results[0]) {
      return pool_.access(opaque_->as_input, group_.type(value).dtype(), std::move(indices));
    }
    const Op* op = group_.producer(value);
    if (op == nullptr) return parameter_element(value, indices);
    const auto key = std::pair(value, indices);
    if (const auto found = elements_.find(key); found != elements_.end()) return found->second;
    const TermId term = op->definition->is_elementwise && !op->definition->define
                            ? elementwise(*op, indices)
                            : instantiate(definition(value, *op), *op, indices);
    elements_.emplace(key, term);
    return term;
  }

 private:
  TermId parameter_element(ValueId value, const std::vector<TermId>& indices) {
    const Type type = group_.type(value);
    const std::vector<std::int64_t> strides = type.strides();
    TermId offset = pool_.index(Dim(0));
    for (std::size_t axis = 0; axis < indices.size(); ++axis) {
      offset = pool_.add(offset, pool_.scale(indices[axis], strides[axis]));
    }
    const auto parameter = static_cast<int>(group_.value(value).result_index);
    return pool_.access(parameter, type.dtype(), {offset});
  }

  TermId elementwise(const Op& op, const std::vector<TermId>& indices) {
    std::vector<TermId> arguments;
    for (ValueId operand : op.operands) arguments.push_back(element(operand, indices));
    std::int64_t immediate = 0;
    if (op.definition->primitive == ir::Primitive::compare) {
      immediate = ir::ops::comparison_code(op.attributes.text("direction"));
    }
    return pool_.scalar(*op.definition, group_.type(op.results[0]).dtype(), std::move(arguments), immediate);
  }

  const Lambda& definition(ValueId value, const Op& op) {
    const auto found = definitions_.find(value);
    if (found != definitions_.end()) return found->second;
    std::vector<Type> operands, results;
    for (ValueId operand : op.operands) operands.push_back(group_.type(operand));
    for (ValueId result : op.results) results.push_back(group_.type(result));
    std::vector<Lambda> lambdas = ir::define(*op.definition, {pool_, operands, results, op.attributes});
    HYP_CHECK(lambdas.size() == op.results.size(), "a fused op has no index form");
    for (std::size_t k = 0; k < lambdas.size(); ++k) definitions_.emplace(op.results[k], lambdas[k]);
    return definitions_.at(value);
  }

  TermId instantiate(const Lambda& lambda, const Op& op, const std::vector<TermId>& indices) {
    const Lambda own = lambda;  // the map of definitions may grow below
    return pool_.substitute(
        own.body,
        {.variable = [&](VariableId variable) -> std::optional<TermId> {
           for (std::size_t axis = 0; axis < own.variables.size(); ++axis) {
             if (own.variables[axis] == variable) return indices[axis];
           }
           return std::nullopt;
         },
         .access = [&](TermId access, std::span<const TermId> at) -> std::optional<TermId> {
           const auto operand = static_cast<std::size_t>(pool_[access].value);
           return element(op.operands[operand], {at.begin(), at.end()});
         }});
  }

  const ir::Function& group_;
  const std::optional<Opaque>& opaque_;
  TermPool& pool_;
  std::map<ValueId, Lambda> definitions_;
  std::map<std::pair<ValueId, std::vector<TermId>>, TermId> elements_;
};

}  // namespace

Composition compose(const ir::Function& group, const std::optional<Opaque>& opaque) {
  Composition out;
  out.inputs = group.parameter_types();
  out.output_types = group.result_types();
  Composer composer(group, opaque, out.pool);
  const auto lambda = [&](ValueId value) -> Lambda {
    const std::vector<VariableId> variables = out.pool.variables(group.type(value).dims());
    std::vector<TermId> indices;
    for (VariableId variable : variables) indices.push_back(out.pool.index(variable));
    return {variables, composer.element(value, std::move(indices))};
  };
  for (ValueId result : group.results()) out.outputs.push_back(lambda(result));
  if (opaque) {
    for (ValueId operand : opaque->op.operands) out.operands.push_back(lambda(operand));
  }
  return out;
}

std::vector<TermId> digits(TermPool& pool, TermId position, std::span<const std::int64_t> sizes) {
  std::vector<TermId> out(sizes.size());
  for (std::size_t k = sizes.size(); k-- > 0;) {
    const std::int64_t size = std::max<std::int64_t>(sizes[k], 1);
    out[k] = k == 0 ? position : pool.modulo(position, size);
    position = pool.divide(position, size);
  }
  return out;
}

}  // namespace hyperion::codegen

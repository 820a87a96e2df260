#include "passes/autodiff/transpose.hpp"

#include <algorithm>
#include <optional>

#include "ir/support/format.hpp"
#include "ir/transforms.hpp"
#include "passes/autodiff/derivatives.hpp"
#include "passes/function_copy.hpp"
#include "passes/simplify/dce.hpp"
#include "passes/transform_options.hpp"

namespace hyperion::passes {

using ir::Builder;
using ir::Function;
using ir::Op;
using ir::OpId;
using ir::Value;
using ir::ValueId;

namespace {

using Dependence = IdMap<ValueId, std::uint8_t>;  // as bool, which a vector would pack

// Which values depend on a linear parameter. A value that is not floating depends on none: it is constant where linear
// functions are concerned.
Dependence find_linear_values(const Function& f, const Selection& linear) {
  Dependence depends;
  for (std::size_t k = 0; k < linear.size(); ++k) depends[f.parameters()[k]] = linear[k];
  for (OpId id : f.ops()) {
    const Op& op = f.op(id);
    const bool any = std::ranges::any_of(op.operands, [&](ValueId operand) { return depends.get(operand); });
    for (ValueId result : op.results) depends[result] = any && is_floating(f.type(result).dtype());
  }
  return depends;
}

class Transposer {
 public:
  Transposer(Derivatives& derivatives, Builder& builder, const Function& f, const Selection& linear)
      : derivatives_(derivatives), builder_(builder), f_(f), depends_(find_linear_values(f, linear)) {}

  // What this gives is of use only while !derivatives.irreversible().
  Transposed run(std::span<const Value> arguments, std::span<const Value> cotangents, bool keep_names) {
    for (std::size_t k = 0; k < arguments.size(); ++k) values_[f_.parameters()[k]] = arguments[k];
    std::vector<OpId> linear_ops;
    for (OpId id : f_.ops()) {
      const Op& op = f_.op(id);
      if (op.is("return")) break;
      if (is_linear(op)) {
        linear_ops.push_back(id);
        continue;
      }
      forward(op, keep_names);
    }
    for (std::size_t k = 0; k < cotangents.size(); ++k) {
      if (depends_.get(f_.results()[k])) add_cotangent(f_.results()[k], cotangents[k]);
    }
    for (auto id = linear_ops.rbegin(); id != linear_ops.rend(); ++id) backward(f_.op(*id));
    Transposed out;
    for (ValueId result : f_.results()) out.results.push_back(depends_.get(result) ? Value{} : values_[result]);
    for (ValueId parameter : f_.parameters()) out.cotangents.push_back(cotangents_[parameter]);
    return out;
  }

 private:
  bool is_linear(const Op& op) const {
    return std::ranges::any_of(op.results, [&](ValueId result) { return depends_.get(result); });
  }

  void forward(const Op& op, bool keep_names) {
    std::vector<Value> operands;
    for (ValueId operand : op.operands) operands.push_back(values_[operand]);
    const std::vector<Value> results = copy_op(builder_, f_, op, operands);
    for (std::size_t k = 0; k < results.size(); ++k) {
      values_[op.results[k]] = results[k];
      if (keep_names) builder_.function().set_name(results[k].id, f_.value(op.results[k]).name);
    }
  }

  void backward(const Op& op) {
    ir::TransposeContext context{builder_, *op.definition, op.attributes, {}, {}, {}, {}, &derivatives_};
    for (ValueId result : op.results) {
      context.cotangents.push_back(cotangents_[result]);
      context.result_types.push_back(f_.type(result));
    }
    if (std::ranges::none_of(context.cotangents, &Value::valid)) return;
    for (ValueId operand : op.operands) {
      context.operands.push_back(depends_.get(operand) ? Value{} : values_[operand]);
      context.operand_types.push_back(f_.type(operand));
    }
    builder_.set_location(op.location);
    const std::vector<Value> sent = op.is("call") ? transpose_call(op, context) : apply_rule(op, context);
    for (std::size_t k = 0; k < op.operands.size(); ++k) {
      if (depends_.get(op.operands[k])) add_cotangent(op.operands[k], sent[k]);
    }
  }

  std::vector<Value> apply_rule(const Op& op, ir::TransposeContext& context) {
    if (op.definition->transpose == nullptr) {
      derivatives_.cannot_reverse({std::string(op.name()), op.location});
      return std::vector<Value>(op.operands.size());
    }
    std::vector<Value> sent = op.definition->transpose(context);
    HYP_CHECK(sent.size() == op.operands.size(), format("{}: transpose returned too few cotangents", op.name()));
    return sent;
  }

  // The callee's transposed function does the callee's nonlinear work again. The barrier makes that work depend on the
  // cotangents, so it cannot be merged with, or moved to, the forward pass.
  std::vector<Value> transpose_call(const Op& op, const ir::TransposeContext& context) {
    const Function& callee = *derivatives_.module().find(op.attributes.symbol("callee"));
    std::vector<bool> mask;
    for (ValueId operand : op.operands) mask.push_back(depends_.get(operand) != 0);
    const Selection linear(mask);
    const Selection linear_out = linear_results(callee, linear);
    std::vector<Value> arguments;
    for (const Value& operand : context.operands) {
      if (operand) arguments.push_back(operand);
    }
    for (std::size_t k = 0; k < op.results.size(); ++k) {
      if (!linear_out[k]) continue;
      const Value cotangent = context.cotangents[k];
      arguments.push_back(cotangent ? cotangent : builder_.zeros(context.result_types[k]));
    }
    arguments = builder_.apply_all("barrier", arguments);
    const Function& transposed = derivatives_.transpose(callee, linear);
    const std::vector<Value> sent =
        builder_.apply_all("call", arguments, {{"callee", ir::SymbolReference{transposed.name}}});
    std::vector<Value> per_operand(op.operands.size());
    std::size_t next = 0;
    for (std::size_t k = 0; k < per_operand.size(); ++k) {
      if (linear[k]) per_operand[k] = sent[next++];
    }
    return per_operand;
  }

  void add_cotangent(ValueId value, Value cotangent) {
    if (!cotangent) return;
    HYP_CHECK(cotangent.type() == f_.type(value), "a cotangent has another type than its value");
    cotangents_[value] = builder_.accumulate(cotangents_[value], cotangent);
  }

  Derivatives& derivatives_;
  Builder& builder_;
  const Function& f_;
  Dependence depends_;
  IdMap<ValueId, Value> values_;      // of nonlinear values, in the function being written
  IdMap<ValueId, Value> cotangents_;  // of linear values
};

}  // namespace

std::string Irreversible::text() const {
  return format("{}{} cannot be turned around", op, location.known() ? " (" + location.first() + ")" : "");
}

void report(const Irreversible& irreversible, PassContext& context) {
  context.diagnostics.error("pass.reverse", format("{}: {}", context.pass, irreversible.text()), {}, irreversible.location);
}

Selection linear_results(const Function& f, const Selection& linear) {
  const Dependence depends = find_linear_values(f, linear);
  std::vector<bool> chosen;
  for (ValueId result : f.results()) chosen.push_back(depends.get(result) != 0);
  return chosen;
}

Transposed emit_transpose(Derivatives& derivatives, Builder& builder, const Function& f, const Selection& linear,
                          std::span<const Value> arguments, std::span<const Value> cotangents, bool keep_names) {
  return Transposer(derivatives, builder, f, linear).run(arguments, cotangents, keep_names);
}

Function& Derivatives::write_transpose(const Function& f, const Selection& linear, std::string name) {
  HYP_CHECK(linear.size() == f.parameters().size(), "one claim per parameter");
  auto function = std::make_unique<Function>(std::move(name), ir::FunctionKind::func);
  function->location = f.location;
  Builder builder(*function, &module_);
  std::vector<Value> arguments(linear.size());
  for (std::size_t k = 0; k < linear.size(); ++k) {
    const ir::ValueData& parameter = f.value(f.parameters()[k]);
    if (!linear[k]) arguments[k] = builder.parameter(parameter.type, parameter.name);
  }
  const Selection linear_out = linear_results(f, linear);
  std::vector<Value> cotangents(linear_out.size());
  for (std::size_t k = 0; k < cotangents.size(); ++k) {
    if (linear_out[k]) cotangents[k] = builder.parameter(f.type(f.results()[k]));
  }
  const Transposed transposed = emit_transpose(*this, builder, f, linear, arguments, cotangents);
  std::vector<Value> results;
  for (std::size_t k = 0; k < linear.size(); ++k) {
    if (!linear[k]) continue;
    const Value cotangent = transposed.cotangents[k];
    results.push_back(cotangent ? cotangent : builder.zeros(f.type(f.parameters()[k])));
  }
  builder.return_values(results);
  remove_dead_ops(*function);
  return module_.add(std::move(function));
}

namespace {

bool is_sum(std::string_view kind) { return kind == "sum" || kind == "add" || kind == "set"; }

// The first op that is not linear in its operands that depend on `linear`. Rules of ops rely on it.
std::optional<Irreversible> find_nonlinear(const ir::Module& module, const Function& f, const Selection& linear) {
  const Dependence depends = find_linear_values(f, linear);
  for (OpId id : f.ops()) {
    const Op& op = f.op(id);
    const ir::OpDefinition& definition = *op.definition;
    std::vector<bool> mask;
    for (ValueId operand : op.operands) mask.push_back(depends.get(operand) != 0);
    const auto count = std::ranges::count(mask, true);
    if (count == 0 || op.is("return")) continue;
    const Irreversible here{std::string(op.name()), op.location};
    if (op.is("call")) {
      if (auto inner = find_nonlinear(module, *module.find(op.attributes.symbol("callee")), mask)) return inner;
      continue;
    }
    const auto refers = [](const auto& attribute) { return std::holds_alternative<ir::SymbolReference>(attribute.second); };
    if (std::ranges::any_of(op.attributes, refers)) return here;  // linear only after jvp has made its functions so
    if (definition.attribute("kind") != nullptr && !is_sum(op.attributes.text("kind"))) return here;
    const bool one_too_many = definition.linearity == ir::Linearity::separately && count > 1;
    if (definition.linearity == ir::Linearity::none || one_too_many) return here;
    for (std::size_t k = 0; k < mask.size(); ++k) {
      if (mask[k] && !definition.operands[std::min(k, definition.operands.size() - 1)].linear) return here;
    }
  }
  return std::nullopt;
}

}  // namespace

std::expected<Function*, Irreversible> try_transpose(ir::Module& module, const Function& f, const Selection& linear,
                                                     std::string name) {
  if (const auto nonlinear = find_nonlinear(module, f, linear)) return std::unexpected(*nonlinear);
  Derivatives derivatives(module);
  Function& transposed = derivatives.write_transpose(f, linear, std::move(name));
  if (!derivatives.irreversible()) return &transposed;
  module.erase(transposed.name);
  return std::unexpected(*derivatives.irreversible());
}

Function& transpose(ir::Module& module, const Function& f, const Selection& linear, std::string name) {
  const auto transposed = try_transpose(module, f, linear, std::move(name));
  HYP_CHECK(transposed.has_value(), transposed.error().text());
  return **transposed;
}

PassDefinition pass_transpose() {
  return {.name = "transpose",
          .doc = "Adds a linear func, turned around: cotangents of its results to cotangents of its parameters.",
          .options = transform_options("linear", "numbers of the parameters in which it is linear, separated by spaces; empty: all that are floating",
                                       "of the new func; empty: @NAME_transpose"),
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            const auto may_select = [](Type type) { return is_floating(type.dtype()); };
            HYP_TRY(const Transformed made, read_transform(module, options, "linear", may_select, context));
            const auto transposed = try_transpose(module, *made.function, made.selection, made.name);
            if (transposed) return Changed::yes;
            report(transposed.error(), context);
            return failure();
          }};
}

}  // namespace hyperion::passes

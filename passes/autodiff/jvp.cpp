#include "passes/autodiff/jvp.hpp"

#include <algorithm>

#include "ir/support/format.hpp"
#include "ir/transforms.hpp"
#include "passes/autodiff/checkpoint.hpp"
#include "passes/autodiff/derivatives.hpp"
#include "passes/function_copy.hpp"
#include "passes/transform_options.hpp"

namespace hyperion::passes {

using ir::Builder;
using ir::Function;
using ir::Linearity;
using ir::Op;
using ir::OpDefinition;
using ir::OpId;
using ir::Value;
using ir::ValueId;

namespace {

bool is_linear_operand(const OpDefinition& op, std::size_t k) {
  return op.operands[std::min(k, op.operands.size() - 1)].linear;
}

// One op on dual numbers, at the end of a function.
class ForwardMode {
 public:
  ForwardMode(Derivatives& derivatives, Builder& builder) : derivatives_(derivatives), builder_(builder) {}

  std::vector<Dual> run(const Function& f, std::span<const Dual> arguments, bool keep_names) {
    IdMap<ValueId, Dual> duals;
    for (std::size_t k = 0; k < arguments.size(); ++k) duals[f.parameters()[k]] = arguments[k];
    std::vector<Dual> operands;
    for (OpId id : f.ops()) {
      const Op& op = f.op(id);
      operands.clear();
      for (ValueId operand : op.operands) operands.push_back(duals[operand]);
      if (op.is("return")) break;
      const std::vector<Dual> results = apply(f, op, operands);
      for (std::size_t k = 0; k < results.size(); ++k) {
        duals[op.results[k]] = results[k];
        if (keep_names) keep_name(results[k].primal, f.value(op.results[k]).name);
      }
    }
    return operands;
  }

 private:
  std::vector<Dual> apply(const Function& f, const Op& op, const std::vector<Dual>& operands) {
    std::vector<Value> primals, tangents;
    for (const Dual& operand : operands) {
      primals.push_back(operand.primal);
      tangents.push_back(operand.tangent);
    }
    const bool active = std::ranges::any_of(tangents, &Value::valid);
    const OpDefinition& definition = *op.definition;
    if (active && definition.is_composite() && !definition.jvp) {
      std::vector<Type> types;
      for (const Value& primal : primals) types.push_back(primal.type());
      return run(decomposition(&derivatives_.module(), op, types), operands, false);
    }
    if (active && op.is("call")) return call(op, operands, primals, tangents);
    const std::vector<Value> results = copy_op(builder_, f, op, primals);
    std::vector<Value> derived;
    if (active) derived = differentiate(op, primals, results, tangents);
    std::vector<Dual> duals;
    for (std::size_t k = 0; k < results.size(); ++k) {
      const bool has_tangent = k < derived.size() && is_floating(results[k].dtype());
      duals.push_back({results[k], has_tangent ? derived[k] : Value{}});
    }
    return duals;
  }

  std::vector<Value> differentiate(const Op& op, const std::vector<Value>& primals, const std::vector<Value>& results,
                                   const std::vector<Value>& tangents) {
    builder_.set_location(op.location);
    const OpDefinition& definition = *op.definition;
    if (definition.jvp) {
      ir::JvpContext context{builder_, definition, op.attributes, primals, results, tangents, &derivatives_};
      return definition.jvp(context);
    }
    switch (definition.linearity) {
      case Linearity::none: return {};
      case Linearity::jointly: return apply_to_tangents(op, primals, tangents);
      case Linearity::separately: return sum_over_operands(op, primals, tangents);
    }
    return {};
  }

  // f(a + da, b + db) = f(a, b) + f(da, db)
  std::vector<Value> apply_to_tangents(const Op& op, const std::vector<Value>& primals,
                                       const std::vector<Value>& tangents) {
    std::vector<Value> operands = primals;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      if (!is_linear_operand(*op.definition, k)) {
        HYP_CHECK(!tangents[k], format("{} has no derivative rule for operand {}", op.name(), k));
        continue;
      }
      operands[k] = tangents[k] ? tangents[k] : builder_.zeros(primals[k].type());
    }
    return builder_.apply_all(op.name(), operands, op.attributes);
  }

  // f(a + da, b + db) = f(a, b) + f(da, b) + f(a, db), to first order
  std::vector<Value> sum_over_operands(const Op& op, const std::vector<Value>& primals,
                                       const std::vector<Value>& tangents) {
    std::vector<Value> sums(op.results.size());
    for (std::size_t k = 0; k < primals.size(); ++k) {
      if (!tangents[k]) continue;
      HYP_CHECK(is_linear_operand(*op.definition, k), format("{} has no derivative rule for operand {}", op.name(), k));
      std::vector<Value> operands = primals;
      operands[k] = tangents[k];
      const std::vector<Value> terms = builder_.apply_all(op.name(), operands, op.attributes);
      for (std::size_t r = 0; r < sums.size(); ++r) sums[r] = builder_.accumulate(sums[r], terms[r]);
    }
    return sums;
  }

  std::vector<Dual> call(const Op& op, const std::vector<Dual>& operands, const std::vector<Value>& primals,
                         const std::vector<Value>& tangents) {
    const Function& callee = *derivatives_.module().find(op.attributes.symbol("callee"));
    if (!is_checkpoint(callee)) return run(callee, operands, false);
    // The primal stays a call of the function itself, so that transposing keeps nothing of its inside.
    std::vector<bool> active;
    for (const Value& tangent : tangents) active.push_back(tangent.valid());
    std::vector<Value> arguments = primals;
    for (const Value& tangent : tangents) {
      if (tangent) arguments.push_back(tangent);
    }
    builder_.set_location(op.location);
    const std::vector<Value> results = builder_.apply_all("call", primals, op.attributes);
    const Function& derivative = derivatives_.jvp(callee, active);
    const std::vector<Value> both =
        builder_.apply_all("call", arguments, {{"callee", ir::SymbolReference{derivative.name}}});
    std::vector<Dual> duals;
    std::size_t next = results.size();
    for (const Value& result : results) {
      duals.push_back({result, is_floating(result.dtype()) ? both[next++] : Value{}});
    }
    return duals;
  }

  void keep_name(Value value, const std::string& name) {
    Function& function = builder_.function();
    if (!name.empty() && function.value(value.id).name.empty()) function.set_name(value.id, name);
  }

  Derivatives& derivatives_;
  Builder& builder_;
};

}  // namespace

std::vector<Dual> emit_jvp(Derivatives& derivatives, Builder& builder, const Function& f,
                           std::span<const Dual> arguments, bool keep_names) {
  return ForwardMode(derivatives, builder).run(f, arguments, keep_names);
}

Function& Derivatives::write_jvp(const Function& f, const Selection& active, std::string name) {
  HYP_CHECK(active.size() == f.parameters().size(), "one claim per parameter");
  auto function = std::make_unique<Function>(std::move(name), ir::FunctionKind::func);
  function->location = f.location;
  Builder builder(*function, &module_);
  std::vector<Dual> arguments;
  for (Value parameter : copy_parameters(builder, f)) arguments.push_back({parameter, {}});
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (!active[k]) continue;
    const Type type = arguments[k].primal.type();
    HYP_CHECK(is_floating(type.dtype()), "only floating parameters have tangents");
    arguments[k].tangent = add_derived_parameter(builder, type, f, f.value(f.parameters()[k]).name, "_tangent");
  }
  const std::vector<Dual> duals = emit_jvp(*this, builder, f, arguments, true);
  std::vector<Value> results;
  for (const Dual& dual : duals) results.push_back(dual.primal);
  for (const Dual& dual : duals) {
    if (!is_floating(dual.primal.dtype())) continue;
    results.push_back(dual.tangent ? dual.tangent : builder.zeros(dual.primal.type()));
  }
  builder.return_values(results);
  return module_.add(std::move(function));
}

Function& jvp(ir::Module& module, const Function& f, const Selection& active, std::string name) {
  return Derivatives(module).write_jvp(f, active, std::move(name));
}

PassDefinition pass_jvp() {
  return {.name = "jvp",
          .doc = "Adds a func's forward mode: the func and its directional derivative, as one func.",
          .options = transform_options("wrt", "numbers of the parameters that have tangents, separated by spaces; empty: all that are floating",
                                       "of the new func; empty: @NAME_jvp"),
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            const auto may_select = [](Type type) { return is_floating(type.dtype()); };
            HYP_TRY(const Transformed made, read_transform(module, options, "wrt", may_select, context));
            jvp(module, *made.function, made.selection, made.name);
            return Changed::yes;
          }};
}

}  // namespace hyperion::passes

#include "passes/autodiff/vjp.hpp"

#include "passes/autodiff/derivatives.hpp"
#include "passes/function_copy.hpp"
#include "passes/simplify/dce.hpp"
#include "passes/transform_options.hpp"

namespace hyperion::passes {

using ir::Builder;
using ir::Function;
using ir::Value;
using ir::ValueId;

std::expected<Function*, Irreversible> try_vjp(ir::Module& module, const Function& f, const Selection& wrt,
                                               std::string name) {
  Derivatives derivatives(module);
  const Function& forward = derivatives.jvp(f, wrt);
  auto function = std::make_unique<Function>(std::move(name), ir::FunctionKind::func);
  function->location = f.location;
  Builder builder(*function, &module);

  std::vector<Value> arguments = copy_parameters(builder, f);
  std::vector<bool> linear(arguments.size(), false);
  // In `forward`, tangents follow the parameters, and tangents of results follow the results.
  linear.resize(forward.parameters().size(), true);
  arguments.resize(forward.parameters().size());
  std::vector<Value> cotangents(f.results().size());
  for (ValueId result : f.results()) {
    const ir::ValueData& data = f.value(result);
    if (!is_floating(data.type.dtype())) continue;
    cotangents.push_back(add_derived_parameter(builder, data.type, forward, data.name, "_cotangent"));
  }
  const Transposed transposed = emit_transpose(derivatives, builder, forward, linear, arguments, cotangents, true);
  if (derivatives.irreversible()) return std::unexpected(*derivatives.irreversible());

  std::vector<Value> results(transposed.results.begin(),
                             transposed.results.begin() + static_cast<std::ptrdiff_t>(f.results().size()));
  std::size_t next = f.parameters().size();
  for (std::size_t k = 0; k < wrt.size(); ++k) {
    if (!wrt[k]) continue;
    const Value cotangent = transposed.cotangents[next++];
    results.push_back(cotangent ? cotangent : builder.zeros(f.type(f.parameters()[k])));
  }
  builder.return_values(results);
  remove_dead_ops(*function);
  return &module.add(std::move(function));
}

Function& vjp(ir::Module& module, const Function& f, const Selection& wrt, std::string name) {
  const auto reverse = try_vjp(module, f, wrt, std::move(name));
  HYP_CHECK(reverse.has_value(), reverse.error().text());
  return **reverse;
}

PassDefinition pass_vjp() {
  return {.name = "vjp",
          .doc = "Adds a func's reverse mode: the func, then the cotangents of its parameters.",
          .options = transform_options("wrt", "numbers of the parameters that get cotangents, separated by spaces; empty: all that are floating",
                                       "of the new func; empty: @NAME_vjp"),
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            const auto may_select = [](Type type) { return is_floating(type.dtype()); };
            HYP_TRY(const Transformed made, read_transform(module, options, "wrt", may_select, context));
            const auto reverse = try_vjp(module, *made.function, made.selection, made.name);
            if (reverse) return Changed::yes;
            report(reverse.error(), context);
            return failure();
          }};
}

}  // namespace hyperion::passes

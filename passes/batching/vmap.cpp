#include "passes/batching/vmap.hpp"

#include <algorithm>

#include "ir/support/format.hpp"
#include "ir/transforms.hpp"
#include "passes/autodiff/derivatives.hpp"
#include "passes/function_copy.hpp"
#include "passes/transform_options.hpp"

namespace hyperion::passes {

using ir::Builder;
using ir::Function;
using ir::Op;
using ir::OpDefinition;
using ir::OpId;
using ir::Value;
using ir::ValueId;

namespace {

struct Batched {
  Value value;
  bool is_batched = false;
};

// Null: every tensor of the module can have one more axis.
const ir::Function* function_of_full_rank(const ir::Module& module) {
  for (const auto& function : module.functions()) {
    const auto is_full = [&](ir::ValueId value) { return function->type(value).rank() >= kMaxRank; };
    if (function->kind != ir::FunctionKind::func) continue;
    if (std::ranges::any_of(function->parameters(), is_full)) return function.get();
    for (ir::OpId id : function->ops()) {
      if (std::ranges::any_of(function->op(id).results, is_full)) return function.get();
    }
  }
  return nullptr;
}

Type batch_type(Type type, Dim size) {
  std::vector<Dim> dims(type.dims().begin(), type.dims().end());
  dims.insert(dims.begin(), size);
  return type.with_dims(dims);
}

class Batcher {
 public:
  Batcher(ir::Module& module, Builder& builder, Dim size) : module_(module), derivatives_(module), builder_(builder), size_(size) {}

  std::vector<Batched> run(const Function& f, std::span<const Batched> arguments, bool keep_names) {
    IdMap<ValueId, Batched> values;
    for (std::size_t k = 0; k < arguments.size(); ++k) values[f.parameters()[k]] = arguments[k];
    std::vector<Batched> operands;
    for (OpId id : f.ops()) {
      const Op& op = f.op(id);
      operands.clear();
      for (ValueId operand : op.operands) operands.push_back(values[operand]);
      if (op.is("return")) break;
      const std::vector<Batched> results = apply(f, op, operands);
      for (std::size_t k = 0; k < results.size(); ++k) {
        values[op.results[k]] = results[k];
        const std::string& name = f.value(op.results[k]).name;
        Function& to = builder_.function();
        if (keep_names && !name.empty() && to.value(results[k].value.id).name.empty()) {
          to.set_name(results[k].value.id, name);
        }
      }
    }
    return operands;
  }

  // The value with the batch axis, by broadcasting if it has none.
  Value batched(const Batched& x) {
    if (x.is_batched) return x.value;
    const Type type = batch_type(x.value.type(), size_);
    ir::Integers dims;
    for (int axis = 0; axis < x.value.rank(); ++axis) dims.push_back(axis + 1);
    return builder_.broadcast(x.value, type.dims(), std::move(dims));
  }

 private:
  std::vector<Batched> apply(const Function& f, const Op& op, const std::vector<Batched>& operands) {
    std::vector<Value> values;
    std::vector<bool> is_batched;
    for (const Batched& operand : operands) {
      values.push_back(operand.value);
      is_batched.push_back(operand.is_batched);
    }
    if (std::ranges::none_of(operands, &Batched::is_batched)) return tagged(copy_op(builder_, f, op, values), false);
    if (op.is("call")) return run(*module_.find(op.attributes.symbol("callee")), operands, false);
    const OpDefinition& definition = *op.definition;
    builder_.set_location(op.location);
    if (definition.batch) {
      ir::BatchContext context{builder_, definition, op.attributes, values, is_batched, size_, &derivatives_};
      std::vector<Value> results = definition.batch(context);
      check_results(f, op, results);
      return tagged(results, true);
    }
    if (definition.is_composite()) {
      std::vector<Type> types;
      for (ValueId operand : op.operands) types.push_back(f.type(operand));
      std::vector<Batched> results = run(decomposition(&module_, op, types), operands, false);
      return results;
    }
    HYP_CHECK(definition.is_elementwise, format("{} has no batching rule", op.name()));
    for (std::size_t k = 0; k < values.size(); ++k) values[k] = batched(operands[k]);
    return tagged(builder_.apply_all(op.name(), values, op.attributes), true);
  }

  void check_results(const Function& f, const Op& op, const std::vector<Value>& results) const {
    HYP_CHECK(results.size() == op.results.size(), format("{}: its batching rule lost results", op.name()));
    for (std::size_t k = 0; k < results.size(); ++k) {
      HYP_CHECK(results[k].type() == batch_type(f.type(op.results[k]), size_),
                format("{}: its batching rule gives {} for {}", op.name(), results[k].type().text(),
                       f.type(op.results[k]).text()));
    }
  }

  static std::vector<Batched> tagged(const std::vector<Value>& values, bool is_batched) {
    std::vector<Batched> out;
    for (const Value& value : values) out.push_back({value, is_batched});
    return out;
  }

  ir::Module& module_;
  Derivatives derivatives_;  // of functions that batched ops call; erases what is not used when batching is done
  Builder& builder_;
  Dim size_;
};

}  // namespace

Function& vmap(ir::Module& module, const Function& f, const Selection& batched, Dim size, std::string name) {
  HYP_CHECK(batched.size() == f.parameters().size(), "one claim per parameter");
  auto function = std::make_unique<Function>(std::move(name), ir::FunctionKind::func);
  function->location = f.location;
  Builder builder(*function, &module);
  std::vector<Batched> arguments;
  for (std::size_t k = 0; k < batched.size(); ++k) {
    const ir::ValueData& parameter = f.value(f.parameters()[k]);
    const Type type = batched[k] ? batch_type(parameter.type, size) : parameter.type;
    arguments.push_back({builder.parameter(type, parameter.name), batched[k]});
  }
  Batcher batcher(module, builder, size);
  std::vector<Value> results;
  for (const Batched& result : batcher.run(f, arguments, true)) results.push_back(batcher.batched(result));
  builder.return_values(results);
  return module.add(std::move(function));
}

PassDefinition pass_vmap() {
  std::vector<ir::AttributeSpec> options =
      transform_options("batched", "numbers of the parameters with a batch axis in front, separated by spaces; empty: all",
                        "of the new func; empty: @NAME_vmap");
  const ir::AttributeSpec size{"size", ir::AttributeKind::integer, "of the batch", std::int64_t{1}};
  options.push_back(size);
  return {.name = "vmap",
          .doc = "Adds a func that applies another to every slice of its batched parameters.",
          .options = std::move(options),
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            const auto may_select = [](Type) { return true; };
            HYP_TRY(const Transformed made, read_transform(module, options, "batched", may_select, context));
            const std::int64_t size = options.integer("size");
            if (size < 0) {
              context.diagnostics.error("pass.option", format("vmap: a batch of size {}", size));
              return failure();
            }
            if (const ir::Function* full = function_of_full_rank(module)) {
              context.diagnostics.error("pass.option", format("vmap: @{} has tensors of rank {}, which leaves no room for the batch", full->name, kMaxRank));
              return failure();
            }
            vmap(module, *made.function, made.selection, Dim(size), made.name);
            return Changed::yes;
          }};
}

}  // namespace hyperion::passes

#include "ir/op_definition.hpp"

#include <algorithm>
#include <map>

#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"
#include "ir/transforms.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir {
namespace {

struct Registry {
  std::map<std::string, std::unique_ptr<OpDefinition>, std::less<>> by_name;
  std::vector<const OpDefinition*> sorted;

  Registry() {
    for (OpDefinition& definition : ops::built_in_ops()) add(std::move(definition));
  }

  bool add(OpDefinition definition) {
    const std::string name(definition.name);
    auto owned = std::make_unique<OpDefinition>(std::move(definition));
    if (!by_name.try_emplace(name, std::move(owned)).second) return false;
    sorted.clear();
    for (auto& [unused, op] : by_name) {
      op->index = static_cast<std::uint16_t>(sorted.size());
      sorted.push_back(op.get());
    }
    return true;
  }
};

Registry& registry() {
  static Registry* instance = new Registry;
  return *instance;
}

bool is_small_float(DType dtype) { return is_floating(dtype) && byte_size(dtype) < 4; }

// Checks that each attribute is known and of the declared kind; adds defaults. Integers pass for reals and lists of
// integers for dims, since the text form cannot tell them apart.
bool complete_attributes(const OpDefinition& op, Attributes& attributes, Diagnostics& diagnostics,
                         Location location, SourceRange range) {
  const auto complain = [&](std::string message) {
    diagnostics.error("op.attribute", format("{}: {}", op.name, message), range, location);
    return false;
  };
  for (const auto& [name, value] : attributes) {
    if (op.attribute(name) == nullptr) return complain(format("unknown attribute '{}'", name));
  }
  for (const AttributeSpec& spec : op.attributes) {
    const AttributeValue* value = attributes.find(spec.name);
    if (value == nullptr) {
      if (!spec.default_value) return complain(format("attribute '{}' is missing", spec.name));
      attributes.set(spec.name, *spec.default_value);
      continue;
    }
    if (kind_of(*value) == spec.kind) continue;
    if (spec.kind == AttributeKind::real && kind_of(*value) == AttributeKind::integer) {
      attributes.set(spec.name, static_cast<double>(std::get<std::int64_t>(*value)));
    } else if (spec.kind == AttributeKind::dims && kind_of(*value) == AttributeKind::integers) {
      const Integers numbers = std::get<Integers>(*value);
      attributes.set(spec.name, Dims(numbers.begin(), numbers.end()));
    } else if (spec.kind == AttributeKind::integers && kind_of(*value) == AttributeKind::dims &&
               std::get<Dims>(*value).empty()) {
      attributes.set(spec.name, Integers{});
    } else {
      return complain(format("attribute '{}' cannot be {}", spec.name, text(*value)));
    }
  }
  return true;
}

// Writes the composite out in a scratch function and reads the types off.
std::vector<Type> infer_from_decomposition(const OpDefinition& op, std::span<const Type> operands,
                                           const Attributes& attributes, const Module* module, Location location) {
  Function scratch("scratch", FunctionKind::func);
  Builder builder(scratch, module);
  builder.set_location(location);
  DecomposeContext context{builder, op, attributes, {}};
  for (Type type : operands) context.operands.push_back(builder.parameter(type));
  std::vector<Type> types;
  for (const Value& result : op.decompose(context)) types.push_back(result.type());
  return types;
}

}  // namespace

std::string_view group_name(OpGroup group) {
  constexpr std::string_view names[] = {"source",  "unary",     "binary",      "typed",   "view",     "indexed",
                                        "reduction", "contraction", "control", "structure", "composite", "kernel"};
  return names[static_cast<std::size_t>(group)];
}

const AttributeSpec* OpDefinition::attribute(std::string_view attribute_name) const {
  for (const AttributeSpec& spec : attributes) {
    if (spec.name == attribute_name) return &spec;
  }
  return nullptr;
}

std::unexpected<Failure> InferContext::fail(std::string_view constraint, std::string message,
                                            std::initializer_list<int> culprits) const {
  Diagnostic& report = diagnostics.error(format("{}.{}", op.name, constraint),
                                         format("{}: {}", op.name, message), range, location);
  for (int k : culprits) {
    if (static_cast<std::size_t>(k) >= operand_ranges.size()) continue;
    const SourceRange culprit = operand_ranges[static_cast<std::size_t>(k)];
    // The place of the error is the narrowest culprit: the first operand named, not the op.
    if (report.marks.empty()) report.range = culprit;
    report.mark(culprit);
  }
  return failure();
}

const OpDefinition* find_op(std::string_view name) {
  const auto found = registry().by_name.find(name);
  return found == registry().by_name.end() ? nullptr : found->second.get();
}

const OpDefinition& op(std::string_view name) {
  const OpDefinition* found = find_op(name);
  HYP_CHECK(found != nullptr, format("no op is called '{}'", name));
  return *found;
}

std::span<const OpDefinition* const> all_ops() { return registry().sorted; }

bool register_op(OpDefinition definition) { return registry().add(std::move(definition)); }

InferResult infer_types(const OpDefinition& op, std::span<const Type> operands, Attributes& attributes,
                        const Module* module, Diagnostics& diagnostics, Location location,
                        SourceRange range, std::span<const SourceRange> operand_ranges) {
  const bool variadic = !op.operands.empty() && op.operands.back().variadic;
  const std::size_t fixed = op.operands.size() - (variadic ? 1 : 0);
  if (operands.size() < fixed || (!variadic && operands.size() > fixed)) {
    diagnostics.error("op.operand_count",
                      format("{}: takes {}{} operand{}, got {}", op.name, variadic ? "at least " : "",
                             fixed, fixed == 1 ? "" : "s", operands.size()),
                      range, location);
    return failure();
  }
  if (!complete_attributes(op, attributes, diagnostics, location, range)) return failure();
  if (!op.infer) return infer_from_decomposition(op, operands, attributes, module, location);
  return op.infer({.op = op,
                   .operands = operands,
                   .attributes = attributes,
                   .module = module,
                   .diagnostics = diagnostics,
                   .location = location,
                   .range = range,
                   .operand_ranges = operand_ranges});
}

std::vector<Lambda> define(const OpDefinition& op, const DefineContext& context) {
  if (op.define) return op.define(context);
  HYP_CHECK(op.is_elementwise, format("op '{}' has no index form", op.name));
  TermPool& pool = context.pool;
  const std::vector<VariableId> variables = pool.variables(context.results[0].dims());
  std::vector<TermId> indices;
  for (VariableId variable : variables) indices.push_back(pool.index(variable));
  std::vector<TermId> arguments;
  for (std::size_t k = 0; k < context.operands.size(); ++k) {
    arguments.push_back(context.access(static_cast<int>(k), indices));
  }
  // The only immediate an elementwise op can have is the direction of a comparison.
  std::int64_t immediate = 0;
  if (op.primitive == Primitive::compare) {
    immediate = ops::comparison_code(context.attributes.text("direction"));
  }
  return {{variables, pool.scalar(op, context.results[0].dtype(), std::move(arguments), immediate)}};
}

TermId expand_scalar(TermPool& pool, const OpDefinition& function, DType result,
                     std::span<const TermId> arguments, std::int64_t immediate) {
  const auto as_scalar = [&](TermId id) { return Scalar{&pool, id}; };
  const bool moves_bits = function.primitive == Primitive::select || function.primitive == Primitive::cast ||
                          function.primitive == Primitive::bitcast;
  bool small = false;
  for (TermId argument : arguments) small |= is_small_float(pool[argument].dtype);
  std::vector<TermId> args(arguments.begin(), arguments.end());
  DType computed = result;
  if (small && !moves_bits && !function.expands_any_dtype) {
    for (TermId& argument : args) {
      if (is_small_float(pool[argument].dtype)) argument = cast(as_scalar(argument), DType::f32).id;
    }
    if (is_small_float(result)) computed = DType::f32;
  }
  TermId value;
  if (function.primitive != Primitive::none) {
    value = pool.scalar(function, computed, args, immediate);
  } else {
    ExpandContext context{pool, pool[args[0]].dtype, computed, {}, immediate};
    for (TermId argument : args) context.arguments.push_back(as_scalar(argument));
    const TermId body = function.expand(context).id;
    // The expansion may call other ops' functions; unfold those too. Depth is bounded: functions do not recurse.
    value = ops::unfold(pool, body);
  }
  return cast(as_scalar(value), result).id;
}

}  // namespace hyperion::ir

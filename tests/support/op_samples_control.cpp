// Generators for ops that call functions.
#include "ir/builder.hpp"
#include "tests/support/op_sampler.hpp"

namespace hyperion::testing_support {

using ir::Attributes;
using ir::Builder;
using ir::Function;
using ir::Module;
using ir::SymbolReference;
using ir::Value;

namespace {

using Body = std::function<std::vector<Value>(Builder&, const std::vector<Value>&)>;

void write(Module& module, const std::string& name, const std::vector<Type>& parameters,
           const Body& body) {
  Function& f = module.add(name);
  Builder b(f, &module);
  std::vector<Value> arguments;
  for (Type type : parameters) arguments.push_back(b.parameter(type));
  b.return_values(body(b, arguments));
}

ir::AttributeValue symbol(std::string_view name) { return SymbolReference{std::string(name)}; }

std::optional<Application> call(Sampler& s) {
  if (!is_floating(s.dtype)) return std::nullopt;
  auto module = std::make_shared<Module>();
  const Type type = s.type(0, 3);
  write(*module, "f", {type, type}, [](Builder&, const std::vector<Value>& in) {
    return std::vector{in[0] * in[1] + in[0], -in[1]};
  });
  return Application{{s.data(type), s.data(type)}, {{"callee", symbol("f")}}, module};
}

// One branch is a product, the other linear in one argument only.
std::optional<Application> cond(Sampler& s) {
  if (!is_floating(s.dtype)) return std::nullopt;
  auto module = std::make_shared<Module>();
  const Type type = s.type(0, 3);
  const bool swapped = s.random.chance(50);
  write(*module, "product", {type, type},
        [](Builder&, const std::vector<Value>& in) { return std::vector{in[0] * in[1], in[1]}; });
  write(*module, "constant", {type, type}, [](Builder& b, const std::vector<Value>& in) {
    return std::vector{in[0] * 3.0, b.ones(in[1].type())};
  });
  return Application{{s.predicate({}), s.data(type), s.data(type)},
                     {{"on_true", symbol(swapped ? "constant" : "product")},
                      {"on_false", symbol(swapped ? "product" : "constant")}},
                     module};
}

// while (i < n) i, x, y = i + 1, x * y + x, y / 2 + x; n is part of the state.
std::optional<Application> while_loop(Sampler& s) {
  if (!is_floating(s.dtype)) return std::nullopt;
  auto module = std::make_shared<Module>();
  const Type type = s.type(0, 2), counter = Type::scalar(DType::i32);
  const std::vector<Type> state = {counter, counter, type, type};
  write(*module, "condition", state, [](Builder& b, const std::vector<Value>& in) {
    return std::vector{b.compare(in[0], in[1], "lt")};
  });
  write(*module, "body", state, [](Builder& b, const std::vector<Value>& in) {
    const Value one = b.constant(Literal::splat_integer(in[0].type(), 1));
    return std::vector{in[0] + one, in[1], in[2] * in[3] + in[2], in[3] * 0.5 + in[2] * 0.125};
  });
  return Application{{s.integers(counter, 0, 2), s.integers(counter, 0, 4), s.data(type, -1, 1),
                      s.data(type, -1, 1)},
                     {{"condition", symbol("condition")}, {"body", symbol("body")}},
                     module};
}

// A recurrence with a constant, two carries (one an integer), a sequence, and two outputs.
std::optional<Application> scan(Sampler& s) {
  if (!is_floating(s.dtype)) return std::nullopt;
  auto module = std::make_shared<Module>();
  const Type type = s.type(0, 2), counter = Type::scalar(DType::i32);
  const std::int64_t length = s.random.between(0, 4);
  ir::Dims dims(type.dims().begin(), type.dims().end());
  dims.insert(dims.begin(), Dim(length));
  write(*module, "step", {type, counter, type, type}, [](Builder& b, const std::vector<Value>& in) {
    const Value weight = in[0], step = in[1], state = in[2], x = in[3];
    const Value next = state * weight + x * x;
    const Value scale = b.broadcast_scalar(b.cast(step, state.dtype()), state.type());
    return std::vector{step + b.constant(Literal::splat_integer(step.type(), 1)), next,
                       state * x * scale, x};
  });
  return Application{{s.data(type, -1, 1), s.integers(counter, 0, 3), s.data(type, -1, 1),
                      s.data(type.with_dims(dims), -1, 1)},
                     {{"body", symbol("step")},
                      {"constants", std::int64_t{1}},
                      {"carries", std::int64_t{2}},
                      {"length", length},
                      {"reverse", s.random.chance(50)}},
                     module};
}

}  // namespace

void add_control_generators(Generators& generators) {
  const Generators made = {{"call", call}, {"cond", cond}, {"while", while_loop}, {"scan", scan}};
  generators.insert(made.begin(), made.end());
}

}  // namespace hyperion::testing_support

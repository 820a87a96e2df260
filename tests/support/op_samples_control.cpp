// Generators for ops that call functions.
#include "ir/builder.hpp"
#include "tests/support/op_sampler.hpp"

namespace hyperion::testing_support {

using ir::Builder;
using ir::Function;
using ir::Module;
using ir::SymbolReference;
using ir::Value;

namespace {

std::optional<Application> call(Sampler& s) {
  if (!is_floating(s.dtype)) return std::nullopt;
  auto module = std::make_shared<Module>();
  const Type type = s.type(0, 3);
  Function& f = module->add("f");
  Builder b(f, module.get());
  const Value x = b.parameter(type), y = b.parameter(type);
  const Value results[] = {x * y + x, ir::unary("neg", y)};
  b.return_values(results);
  return Application{{s.data(type), s.data(type)}, {{"callee", SymbolReference{"f"}}}, module};
}

}  // namespace

void add_control_generators(Generators& generators) { generators.emplace("call", call); }

}  // namespace hyperion::testing_support

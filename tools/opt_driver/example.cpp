#include "tools/opt_driver/example.hpp"

#include <algorithm>
#include <ranges>

#include "ir/support/format.hpp"
#include "ir/text/lexer.hpp"
#include "ir/text/parse.hpp"

namespace hyperion::tools {
namespace {

// Shapes that the examples of ir/ops/ are written for, the usual ones first.
const std::vector<std::string_view> kShapes = {
    "[4, 6]",       "[6]",       "[6, 10]",      "[10]",         "[]",        "[4]",
    "[2]",          "[1, 8]",    "[2, 3, 8, 8]", "[4, 3, 3, 3]", "[2, 3, 9]", "[4, 3, 3]",
    "[2, 4, 4]",    "[2, 4, 7]", "[4, 4, 3]",    "[4, 4]",       "[32, 10]",  "[4, 9]",
    "[2, 4, 4, 4]", "[32, 784]", "[10, 6]"};

// The functions that examples of control flow refer to.
struct Callees {
  std::string_view op, functions;
};
constexpr Callees kCallees[] = {
    {"call", "  func @f(%x: f32[4, 6]) -> f32[4, 6] {\n    return %x\n  }\n"},
    {"cond",
     "  func @f(%x: f32[4, 6]) -> f32[4, 6] {\n    return %x\n  }\n"
     "  func @g(%x: f32[4, 6]) -> f32[4, 6] {\n    %y = neg %x\n    return %y\n  }\n"},
    {"while",
     "  func @p(%i: i32[], %x: f32[4, 6]) -> bool[] {\n    %more = compare %i, 3 {direction = "
     "\"lt\"}\n"
     "    return %more\n  }\n"
     "  func @f(%i: i32[], %x: f32[4, 6]) -> i32[], f32[4, 6] {\n    %next = add %i, 1\n"
     "    return %next, %x\n  }\n"},
    {"scan",
     "  func @step(%sum: f32[6], %x: f32[6]) -> f32[6], f32[6] {\n    %next = add %sum, %x\n"
     "    return %next, %next\n  }\n"}};

// The element types to try for an operand, by its name.
std::vector<std::string_view> dtypes_for(std::string_view name) {
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, name) != names.end();
  };
  if (is({"p", "q", "predicate", "mask"})) return {"bool"};
  if (is({"i", "j", "indices", "index", "labels", "tokens", "begin", "end", "offset", "n"}))
    return {"i32", "i64"};
  if (is({"key"})) return {"u32"};
  if (is({"z"})) return {"f32", "c64"};
  return {"f32"};
}

std::vector<std::string> operand_names(std::string_view example) {
  std::vector<std::string> names;
  for (const ir::Token& token : ir::tokenize(example)) {
    if (token.kind != ir::TokenKind::value) continue;
    const std::string name = token.name();
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

std::string module_text(const ir::OpDefinition& op, const std::vector<std::string>& names,
                        const std::vector<std::string>& types) {
  std::vector<std::string> parameters;
  for (std::size_t k = 0; k < names.size(); ++k)
    parameters.push_back(format("%{}: {}", names[k], types[k]));
  std::string_view callees;
  for (const Callees& one : kCallees) {
    if (one.op == op.name) callees = one.functions;
  }
  return format("hyperion 1\nmodule @example {{\n{}  func @example({}) {{\n    {}\n{}  }}\n}}\n",
                callees, fmt::join(parameters, ", "), op.example,
                op.name == "return" ? "" : "    return\n");
}

// The parsed example; its function returns nothing yet, so that the result types need not be known.
std::unique_ptr<ir::Module> try_types(const ir::OpDefinition& op,
                                      const std::vector<std::string>& names,
                                      const std::vector<std::string>& types) {
  std::string text = module_text(op, names, types);
  if (op.name == "return") text.replace(text.find(") {\n    return"), 1, ") -> " + types[0]);
  Diagnostics diagnostics;
  Result<std::unique_ptr<ir::Module>> module = ir::parse(text, "example.hir", diagnostics);
  return module ? std::move(*module) : nullptr;
}

}  // namespace

std::optional<Example> example_module(const ir::OpDefinition& op) {
  const std::vector<std::string> names = operand_names(op.example);
  std::vector<std::vector<std::string>> choices;
  std::size_t count = 1;
  for (const std::string& name : names) {
    choices.emplace_back();
    for (std::string_view dtype : dtypes_for(name)) {
      for (std::string_view shape : kShapes) choices.back().push_back(format("{}{}", dtype, shape));
    }
    count *= choices.back().size();
  }
  constexpr std::size_t kMostTries = 20000;  // parsing one takes about ten microseconds
  for (std::size_t n = 0; n < std::min(count, kMostTries); ++n) {
    std::vector<std::string> types;
    std::size_t rest = n;
    for (const auto& choice : choices | std::views::reverse) {  // the last operand varies fastest
      types.insert(types.begin(), choice[rest % choice.size()]);
      rest /= choice.size();
    }
    if (std::unique_ptr<ir::Module> module = try_types(op, names, types)) {
      const ir::Function* function = module->find("example");
      return Example{std::move(module), function, function->ops()[0]};
    }
  }
  return std::nullopt;
}

std::string example_definition(const Example& example) {
  const ir::Op& op = example.function->op(example.op);
  if (!op.definition->define && !op.definition->is_elementwise) return {};
  std::vector<Type> operands, results;
  std::vector<std::string> names;
  for (ir::ValueId operand : op.operands) {
    operands.push_back(example.function->type(operand));
    names.push_back(example.function->value(operand).name);
  }
  for (ir::ValueId result : op.results) results.push_back(example.function->type(result));
  ir::TermPool pool;
  std::string out;
  for (const ir::Lambda& lambda :
       ir::define(*op.definition, {pool, operands, results, op.attributes})) {
    constexpr std::string_view letters = "ijklmnop";  // as TermPool::text names the free variables
    std::string indices;
    for (std::size_t k = 0; k < lambda.variables.size(); ++k) {
      indices += format("{}{}", k == 0 ? "" : ", ", letters[k % letters.size()]);
    }
    out += format("  out{} = {}\n", indices.empty() ? "" : "[" + indices + "]",
                  pool.text(lambda.body, names));
  }
  return out;
}

}  // namespace hyperion::tools

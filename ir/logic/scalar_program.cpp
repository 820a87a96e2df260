#include "ir/logic/scalar_program.hpp"

#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <unordered_map>

namespace hyperion::ir {
namespace {

struct PrimitiveInfo {
  std::string_view name;
  int arity;
  std::string_view semantics;
};

constexpr PrimitiveInfo kPrimitives[] = {
    {"none", 0, "a constant"},
#define HYP_PRIMITIVE(name, arity, semantics) {#name, arity, semantics},
#include "ir/logic/primitives.def"
#undef HYP_PRIMITIVE
};

const PrimitiveInfo& info(Primitive primitive) { return kPrimitives[static_cast<std::size_t>(primitive)]; }

// Numbers the terms of a fully expanded DAG in post-order.
class Flattener {
 public:
  Flattener(const TermPool& pool, ScalarProgram& program) : pool_(pool), program_(program) {}

  std::int32_t flatten(TermId root) {
    std::vector<std::pair<TermId, std::size_t>> stack{{root, 0}};
    while (!stack.empty()) {
      auto& [id, next] = stack.back();
      const Term& term = pool_[id];
      if (next < term.args.size()) {
        const TermId child = term.args[next++];
        if (!numbers_.contains(child)) stack.emplace_back(child, 0);
        continue;
      }
      if (!numbers_.contains(id)) numbers_.emplace(id, number(term));
      stack.pop_back();
    }
    return numbers_.at(root);
  }

 private:
  std::int32_t number(const Term& term) {
    if (term.kind == TermKind::access) return static_cast<std::int32_t>(term.value);
    ScalarInstruction instruction{.dtype = term.dtype, .bits = term.value};
    if (term.kind == TermKind::scalar) {
      instruction.primitive = term.function->primitive;
      for (std::size_t k = 0; k < term.args.size(); ++k) instruction.args[k] = numbers_.at(term.args[k]);
    }
    program_.instructions.push_back(instruction);
    return static_cast<std::int32_t>(program_.arguments.size() + program_.instructions.size() - 1);
  }

  const TermPool& pool_;
  ScalarProgram& program_;
  std::unordered_map<TermId, std::int32_t> numbers_;
};

ScalarProgram build(const OpDefinition& function, std::span<const DType> arguments, DType result,
                    std::int64_t immediate) {
  TermPool pool;
  std::vector<TermId> leaves;
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    leaves.push_back(pool.access(static_cast<int>(k), arguments[k], {}));
  }
  const TermId body = expand_scalar(pool, function, result, leaves, immediate);
  ScalarProgram program{.arguments = {arguments.begin(), arguments.end()}, .instructions = {}};
  program.result = Flattener(pool, program).flatten(body);
  return program;
}

}  // namespace

int primitive_arity(Primitive primitive) { return info(primitive).arity; }
std::string_view primitive_semantics(Primitive primitive) { return info(primitive).semantics; }
std::string_view primitive_name(Primitive primitive) {
  std::string_view name = info(primitive).name;
  if (name.ends_with('_')) name.remove_suffix(1);
  return name;
}

const ScalarProgram& scalar_program(const OpDefinition& function, std::span<const DType> arguments,
                                    DType result, std::int64_t immediate) {
  using Key = std::tuple<const OpDefinition*, std::vector<DType>, DType, std::int64_t>;
  static std::mutex mutex;
  static std::map<Key, ScalarProgram>* programs = new std::map<Key, ScalarProgram>;
  Key key{&function, {arguments.begin(), arguments.end()}, result, immediate};
  {
    std::lock_guard lock(mutex);
    const auto found = programs->find(key);
    if (found != programs->end()) return found->second;
  }
  ScalarProgram program = build(function, arguments, result, immediate);
  std::lock_guard lock(mutex);
  return programs->try_emplace(std::move(key), std::move(program)).first->second;
}

}  // namespace hyperion::ir

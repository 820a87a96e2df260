#include "passes/autodiff/derivatives.hpp"

#include <set>

#include "passes/autodiff/transpose.hpp"
#include "passes/batching/vmap.hpp"

namespace hyperion::passes {
namespace {

void collect_symbols(const ir::Function& function, std::set<std::string>& names) {
  for (std::uint32_t k = 0; k < function.op_slots(); ++k) {
    for (const auto& [unused, value] : function.op(ir::OpId{k}).attributes) {
      if (const auto* symbol = std::get_if<ir::SymbolReference>(&value)) names.insert(symbol->name);
    }
  }
}

}  // namespace

ir::Function& Derivatives::jvp(const ir::Function& f, const Selection& active) {
  const Key key{"jvp", f.name, active};
  if (const auto found = derived_.find(key); found != derived_.end()) return *found->second;
  ir::Function& function = write_jvp(f, active, module_.unique_name(f.name + "_jvp"));
  derived_.emplace(key, &function);
  return function;
}

ir::Function& Derivatives::transpose(const ir::Function& f, const Selection& linear) {
  const Key key{"transpose", f.name, linear};
  if (const auto found = derived_.find(key); found != derived_.end()) return *found->second;
  ir::Function& function = write_transpose(f, linear, module_.unique_name(f.name + "_transpose"));
  derived_.emplace(key, &function);
  return function;
}

std::vector<bool> Derivatives::linear_results_of(const ir::Function& f, const std::vector<bool>& linear) {
  const Selection chosen = linear_results(f, linear);
  std::vector<bool> claims;
  for (std::size_t k = 0; k < chosen.size(); ++k) claims.push_back(chosen[k]);
  return claims;
}

const ir::Function& Derivatives::vmap_of(const ir::Function& f, const std::vector<bool>& batched, Dim size) {
  const Key key{"vmap " + size.text(), f.name, batched};
  if (const auto found = derived_.find(key); found != derived_.end()) return *found->second;
  ir::Function& function = vmap(module_, f, batched, size, module_.unique_name(f.name + "_vmap"));
  derived_.emplace(key, &function);
  return function;
}

const ir::Function& Derivatives::add(std::unique_ptr<ir::Function> function) {
  function->name = module_.unique_name(function->name);
  ir::Function& added = module_.add(std::move(function));
  derived_.emplace(Key{"rule", added.name, {}}, &added);
  return added;
}

Derivatives::~Derivatives() {
  // A derived function may be called by another one only, hence the repetition.
  for (bool erased = true; erased;) {
    erased = false;
    std::set<std::string> called;
    for (const auto& function : module_.functions()) collect_symbols(*function, called);
    for (auto it = derived_.begin(); it != derived_.end();) {
      if (called.contains(it->second->name)) {
        ++it;
        continue;
      }
      const std::string name = it->second->name;
      module_.erase(name);
      it = derived_.erase(it);
      erased = true;
    }
  }
}

}  // namespace hyperion::passes

#include "passes/pass.hpp"

#include <map>
#include <memory>
#include <string>

namespace hyperion::passes {

#define HYP_PASS(name) PassDefinition pass_##name();
#include "passes/passes.def"
#undef HYP_PASS

namespace {

struct Registry {
  std::map<std::string, std::unique_ptr<PassDefinition>, std::less<>> by_name;
  std::vector<const PassDefinition*> sorted;

  Registry() {
#define HYP_PASS(name) add(pass_##name());
#include "passes/passes.def"
#undef HYP_PASS
  }

  bool add(PassDefinition definition) {
    const std::string name(definition.name);
    auto owned = std::make_unique<PassDefinition>(std::move(definition));
    if (!by_name.try_emplace(name, std::move(owned)).second) return false;
    sorted.clear();
    for (const auto& [unused, pass] : by_name) sorted.push_back(pass.get());
    return true;
  }
};

Registry& registry() {
  static Registry* instance = new Registry;
  return *instance;
}

}  // namespace

const ir::AttributeSpec* PassDefinition::option(std::string_view option_name) const {
  for (const ir::AttributeSpec& spec : options) {
    if (spec.name == option_name) return &spec;
  }
  return nullptr;
}

ir::Attributes PassDefinition::default_options() const {
  ir::Attributes values;
  for (const ir::AttributeSpec& spec : options) {
    HYP_CHECK(spec.default_value.has_value(), "a pass option has no default");
    values.set(spec.name, *spec.default_value);
  }
  return values;
}

const PassDefinition* find_pass(std::string_view name) {
  const auto found = registry().by_name.find(name);
  return found == registry().by_name.end() ? nullptr : found->second.get();
}

std::span<const PassDefinition* const> all_passes() { return registry().sorted; }

bool register_pass(PassDefinition definition) { return registry().add(std::move(definition)); }

}  // namespace hyperion::passes

// pass.hpp: what a pass is: a name, documented options, and a function from module to module.
//
// A pass reads its options from each use in a pipeline (`canonicalize{policy=fast}`), never from when it was
// registered. It keeps no state between runs, uses no globals, changes functions only through Rewriter
// (passes/rewriter.hpp) or adds new ones, and says truthfully whether it changed anything. It knows nothing of timing,
// printing, verifying or bisection: that is instrumentation (passes/pass_manager.hpp).
//
// passes/passes.def lists the built-in passes; register_pass() adds a plugin's.
//
// Thread safety: the registry may be read by any thread; register_pass() must not run beside readers.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "ir/module.hpp"
#include "ir/support/diagnostics.hpp"
#include "ir/support/result.hpp"

namespace hyperion::passes {

class RewriteListener;  // passes/rewriter.hpp

enum class Changed : bool { no, yes };
constexpr Changed operator|(Changed a, Changed b) { return a == Changed::yes ? a : b; }
constexpr Changed& operator|=(Changed& a, Changed b) { return a = a | b; }
constexpr Changed changed_if(bool condition) { return condition ? Changed::yes : Changed::no; }

// What a running pass is given besides the module. Remarks ("done", "not done, because") go to `diagnostics`.
struct PassContext {
  Diagnostics& diagnostics;
  std::string_view pass = {};           // the name of the running pass
  RewriteListener* listener = nullptr;  // hears every rewrite
};

struct PassDefinition {
  std::string_view name;
  std::string_view doc;  // one sentence
  // boolean, integer, real and text options. Every option has a default.
  std::vector<ir::AttributeSpec> options = {};
  std::function<Result<Changed>(ir::Module&, const ir::Attributes& options, PassContext&)> run;

  const ir::AttributeSpec* option(std::string_view option_name) const;
  ir::Attributes default_options() const;
};

const PassDefinition* find_pass(std::string_view name);    // null: no such pass
std::span<const PassDefinition* const> all_passes();       // sorted by name
// ENSURES: false if the name was taken; the pass is then not added.
bool register_pass(PassDefinition definition);

}  // namespace hyperion::passes

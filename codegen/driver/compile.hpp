// compile.hpp: from a module to something an Executor runs: the one function that tells the default path as a story.
//
//   func ──passes──► func ──fuse──► groups ──lower──► kernels ──emit──► object code
//                      └───────────────plan: launches over one arena──────────────┘
//
// Every stop can be looked at: a Listener is shown the module after each of them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "codegen/driver/target.hpp"
#include "ir/module.hpp"
#include "ir/support/diagnostics.hpp"
#include "ir/support/status.hpp"
#include "passes/fusion/fuse.hpp"
#include "passes/pass_manager.hpp"
#include "runtime/module.hpp"

namespace hyperion::codegen {

class ScheduleTable;

struct DriverOptions {
  Target target = host_target();
  int threads = 1;            // guides schedules; never changes results
  std::string pipeline;       // passes before fusion; empty: the default for the policy
  bool fast = false;          // policy `fast`: rules that hold over the reals may apply; otherwise `strict`
  passes::FuseOptions fusion;
  bool joins_launches = true;  // independent launches become one, where the machine has a form for that
  // Chooses for products on a GPU's tensor cores, and knows afterwards which there were. Null: nothing that was measured on
  // this machine is used, so that the same program gives the same code everywhere.
  ScheduleTable* schedules = nullptr;
};

// What compilation has reached.
enum class Stage { passes, fused, kernels, source, assembly };
// Shown the module at each stage, or text: the source is LLVM IR or CUDA C++. Empty functions are skipped.
struct StageListener {
  std::function<void(Stage, const ir::Module&)> module;
  std::function<void(Stage, const std::string& text)> text;
  // The code generator runs once, so it writes either an object or assembly: then the module returned has no code.
  bool wants_assembly = false;
  // Without it the module returned has plans and no code: for people who read what comes before.
  bool wants_code = true;
  // Told about the passes in front of fusion.
  std::vector<passes::Instrumentation*> instrumentations = {};
};

// Compiles `entry` and what it calls. The module is consumed: it ends as functions of groups and their kernels.
// Errors: invalid_argument with the rendered diagnostics; unimplemented for types that cannot compute yet or symbolic
// dimensions, naming them.
StatusOr<runtime::Module> compile(ir::Module& module, const std::string& entry, const DriverOptions& options = {},
                                  const StageListener& listener = {});

}  // namespace hyperion::codegen

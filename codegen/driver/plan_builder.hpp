// plan_builder.hpp: a func of calls becomes a runtime plan: where every value lives, and what runs in which order.
//
// Results of the func are written straight into its outputs, arguments are read where they are, constants are data of
// the module, reshapes are other names for the same memory; all else shares one arena, packed by lifetime.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/driver/code_generator.hpp"
#include "codegen/lower/emitted_kernel.hpp"
#include "codegen/lower/lower.hpp"
#include "ir/module.hpp"
#include "runtime/module.hpp"

namespace hyperion::codegen {

// One group, compiled.
struct CompiledGroup {
  EmittedKernel emitted;
  std::uint64_t flops = 0;
  std::uint64_t bytes = 0;
  std::vector<std::pair<int, int>> in_place;  // (input, output), as in Lowered
  bool is_alias = false;                      // a reshape: the result is the operand
};

class PlanBuilder {
 public:
  PlanBuilder(const ir::Module& module, const std::map<std::string, CompiledGroup>& groups, CodeGenerator& code,
              bool joins_launches, runtime::Module& out)
      : module_(module), groups_(groups), code_(code), joins_launches_(joins_launches), out_(out) {}

  // Adds the plan of a function that control flow enters, and before it those of the functions it enters itself.
  // `argument_of[k]` is the plan's argument that parameter k is; empty: the same number. Recursion follows the nesting
  // of control flow.
  std::uint32_t add_plan(const std::string& function, const std::vector<std::uint32_t>& argument_of = {});
  // Adds the plan, whose launches may be joined, and the signature under which an Executor finds it.
  void add_entry(const std::string& function);

  const CompiledGroup* group(const std::string& name) const;  // null: not a group but a function with a plan
  std::uint32_t constant(const LiteralPtr& literal);
  std::uint64_t arena_bytes(std::uint32_t plan) const { return out_.plans[plan].arena_bytes; }

 private:
  const ir::Module& module_;
  const std::map<std::string, CompiledGroup>& groups_;
  CodeGenerator& code_;
  const bool joins_launches_;
  runtime::Module& out_;
  std::map<std::pair<std::string, std::vector<std::uint32_t>>, std::uint32_t> plans_;
  std::map<Hash128, std::uint32_t> constants_;
};

}  // namespace hyperion::codegen

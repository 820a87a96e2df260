// code_generator.hpp: what compile() asks of a kind of machine: how kernels should be shaped for it, and their code.
//
// One object per compilation, used by one thread. Adding a kind of machine is one class here, one alternative of Target.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "codegen/driver/target.hpp"
#include "codegen/lower/emitted_kernel.hpp"
#include "codegen/lower/lower.hpp"
#include "ir/module.hpp"
#include "ir/support/status.hpp"

namespace hyperion::codegen {

class ScheduleTable;

class CodeGenerator {
 public:
  virtual ~CodeGenerator() = default;

  virtual LoweringTarget lowering() const = 0;
  // Generates code for `kernel`, which verify() accepts, under its own name.
  virtual StatusOr<EmittedKernel> emit(const ir::Function& kernel, const Lowered& lowered) = 0;

  // ---- launches that are done as one (join_launches.hpp)

  virtual bool joins_launches() const { return false; }
  // Whether one kernel may do the work of launches of these, independent of one another.
  virtual bool may_join(std::span<const std::string> /*symbols*/) const { return false; }
  // A kernel that does the work of all, each symbol's launches behind one another. Its buffers are theirs, in that order.
  // REQUIRES: may_join(symbols), and equal ones stand behind one another.
  virtual std::string join(std::span<const std::string> symbols);
  // Kernels that no plan launches by themselves are left out from here on.
  virtual void keep_launched(const std::set<std::string>& /*symbols*/) {}

  virtual std::string text() const = 0;  // what people read: LLVM IR, or CUDA C++
  // REQUIRES: one of these is called, once.
  virtual StatusOr<std::vector<ObjectBytes>> compile() = 0;
  virtual StatusOr<std::string> assembly() = 0;
};

struct GeneratorOptions {
  std::string name;       // of the module
  int threads = 1;        // guides schedules; never changes results
  bool fast = false;      // policy `fast`
  bool is_whole = false;  // one piece of text for everything, for people who read it
  ScheduleTable* schedules = nullptr;  // of products on a GPU; null: what ships
};
std::unique_ptr<CodeGenerator> make_code_generator(const Target& target, const GeneratorOptions& options);

}  // namespace hyperion::codegen

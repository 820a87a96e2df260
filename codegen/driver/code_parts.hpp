// code_parts.hpp: the kernels of a program, as several LLVM modules that compile at the same time.
//
// Generating machine code is nearly all of a compilation, and LLVM works on one module by one thread. So kernels are
// dealt out to parts of bounded size. What goes where depends on the kernels alone, never on the machine: equal programs
// give equal objects.
//
// Contractions stand apart: they are written as the vector code they are to become, so the passes that other kernels
// need only cost time there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codegen/driver/code_generator.hpp"
#include "codegen/llvm/jit.hpp"
#include "ir/module.hpp"

namespace hyperion::codegen {

class CodeParts final : public CodeGenerator {
 public:
  CodeParts(CpuTarget target, GeneratorOptions options);

  LoweringTarget lowering() const override;
  StatusOr<EmittedKernel> emit(const ir::Function& kernel, const Lowered& lowered) override;
  std::string text() const override;  // LLVM IR
  StatusOr<std::vector<ObjectBytes>> compile() override;
  StatusOr<std::string> assembly() override;

 private:
  // Where to put the code of this kernel.
  IrModule& part_for(const ir::Function& kernel);
  struct Part {
    std::unique_ptr<IrModule> module;
    CompileOptions options;
  };
  Part make_part(const CompileOptions& options) const;

  CpuTarget target_;
  GeneratorOptions options_;
  std::vector<Part> parts_;
  // The part of each kind that is being filled, or none.
  int open_contractions_ = -1, open_others_ = -1;
};

}  // namespace hyperion::codegen

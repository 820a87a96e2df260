// llvm_internal.hpp: the LLVM side of target.hpp and jit.hpp, for sources in codegen/llvm only.
#pragma once

#include <memory>

#include "codegen/llvm/jit.hpp"
#include "codegen/llvm/target.hpp"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace hyperion::codegen {

// Makes LLVM's x86-64 and AArch64 back ends known; once per process, thread safe.
void initialize_llvm();

// A TargetMachine is not thread safe: one for each compilation.
StatusOr<std::unique_ptr<llvm::TargetMachine>> make_target_machine(const CpuTarget& target);

struct IrModule::Impl {
  llvm::LLVMContext context;
  llvm::Module module;
  CpuTarget target;

  Impl(const std::string& name, const CpuTarget& t) : module(name, context), target(t) {}
};

// Sets what every generated function needs: the target's CPU and features, no unwind tables, no red
// zone surprises.
void set_function_attributes(llvm::Function& function, const CpuTarget& target);

// The LLVM type that holds one element of `dtype` in memory (bool: i8).
llvm::Type* element_type(llvm::LLVMContext& context, DType dtype);

}  // namespace hyperion::codegen

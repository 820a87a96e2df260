#include "codegen/llvm/jit.hpp"

#include <gtest/gtest.h>

#include "codegen/llvm/llvm_internal.hpp"

namespace hyperion::codegen {
namespace {

// define float @triple(float): x + x + x, through a call to an external when `external` is named.
void emit_twice(IrModule& module, const char* external) {
  llvm::LLVMContext& context = module.impl().context;
  llvm::Type* f32 = llvm::Type::getFloatTy(context);
  auto* type = llvm::FunctionType::get(f32, {f32}, false);
  auto* function =
      llvm::Function::Create(type, llvm::Function::ExternalLinkage, "twice", module.impl().module);
  set_function_attributes(*function, module.target());
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "entry", function));
  llvm::Value* x = function->getArg(0);
  if (external != nullptr) {
    x = builder.CreateCall(module.impl().module.getOrInsertFunction(external, type), {x});
  }
  builder.CreateRet(builder.CreateFAdd(x, x));
}

float add_one(float x) { return x + 1; }

TEST(Jit, ObjectsLoadAndRun) {
  IrModule module("plain", host_target());
  emit_twice(module, nullptr);
  auto object = compile_object(module, {.tidy_scalar_code = true});
  ASSERT_TRUE(object) << object.error().text();
  auto code = load_object(*object);
  ASSERT_TRUE(code) << code.error().text();
  auto twice = code->function<float(float)>("twice");
  ASSERT_TRUE(twice) << twice.error().text();
  EXPECT_EQ((*twice)(21), 42);
  EXPECT_EQ(code->address("thrice").error().code, Code::not_found);
}

TEST(Jit, TwoObjectsMayDefineTheSameSymbol) {
  IrModule plain("plain", host_target());
  emit_twice(plain, nullptr);
  IrModule calling("calling", host_target());
  emit_twice(calling, "hyp_test_add_one");
  auto first = load_object(*compile_object(plain));
  const ExternalSymbol externals[] = {{"hyp_test_add_one", reinterpret_cast<void*>(&add_one)}};
  auto second = load_object(*compile_object(calling), externals);
  ASSERT_TRUE(first && second);
  EXPECT_EQ((*first->function<float(float)>("twice"))(20), 40);
  EXPECT_EQ((*second->function<float(float)>("twice"))(20), 42);
}

TEST(Jit, TornObjectIsAnError) {
  IrModule module("plain", host_target());
  emit_twice(module, nullptr);
  auto object = compile_object(module);
  ASSERT_TRUE(object);
  object->resize(object->size() / 3);
  auto code = load_object(*object);
  EXPECT_TRUE(!code || !code->address("twice"));
}

TEST(Jit, InvalidIrIsReportedNotCompiled) {
  IrModule module("broken", host_target());
  emit_twice(module, nullptr);
  module.impl().module.getFunction("twice")->getEntryBlock().getTerminator()->eraseFromParent();
  auto object = compile_object(module);
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().code, Code::internal);
}

TEST(Target, NamedTargets) {
  EXPECT_EQ(named_target("x86-64-v4")->lanes(DType::f32), 16);
  EXPECT_EQ(named_target("x86-64-v3")->lanes(DType::f64), 4);
  EXPECT_EQ(named_target("aarch64")->lanes(DType::bf16), 4);
  EXPECT_EQ(named_target("pentium").error().code, Code::invalid_argument);
  for (std::string_view name : target_names()) {
    EXPECT_TRUE(make_target_machine(*named_target(name))) << name;
  }
}

}  // namespace
}  // namespace hyperion::codegen

#include "codegen/llvm/code_loader.hpp"

#include "codegen/llvm/jit.hpp"

namespace hyperion::codegen {
namespace {

class JitCode : public runtime::LoadedCode {
 public:
  explicit JitCode(codegen::LoadedCode code) : code_(std::move(code)) {}

  runtime::KernelFunction* symbol(const std::string& name) override {
    const StatusOr<runtime::KernelFunction*> found = code_.function<runtime::KernelFunction>(name);
    return found ? *found : nullptr;
  }

 private:
  codegen::LoadedCode code_;
};

class Loader : public runtime::CodeLoader {
 public:
  StatusOr<std::unique_ptr<runtime::LoadedCode>> load(
      std::span<const std::span<const std::byte>> objects) override {
    HYP_TRY(codegen::LoadedCode code, load_objects(objects));
    return std::make_unique<JitCode>(std::move(code));
  }
};

}  // namespace

std::shared_ptr<runtime::CodeLoader> llvm_code_loader() { return std::make_shared<Loader>(); }

}  // namespace hyperion::codegen

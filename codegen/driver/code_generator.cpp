#include "codegen/driver/code_generator.hpp"

#include "codegen/cuda/generator.hpp"
#include "codegen/driver/code_parts.hpp"
#include "ir/support/check.hpp"

namespace hyperion::codegen {
namespace {

struct Make {
  const GeneratorOptions& options;
  std::unique_ptr<CodeGenerator> operator()(const CpuTarget& target) const { return std::make_unique<CodeParts>(target, options); }
  std::unique_ptr<CodeGenerator> operator()(const CudaTarget& target) const { return make_cuda_generator(target, options); }
};

}  // namespace

std::string CodeGenerator::join(std::span<const std::string>) {
  HYP_CHECK(false, "this code generator joins no launches");
  return {};
}

std::unique_ptr<CodeGenerator> make_code_generator(const Target& target, const GeneratorOptions& options) {
  return std::visit(Make{options}, target);
}

}  // namespace hyperion::codegen

#include "tests/support/sample_program.hpp"

#include "ir/builder.hpp"

namespace hyperion::testing_support {

SampleProgram::SampleProgram(const ir::OpDefinition& op, const std::vector<OpSample>& samples) {
  for (const OpSample& sample : samples) {
    if (sample.module != nullptr && module_ == nullptr) module_ = sample.module->clone();
  }
  if (module_ == nullptr) module_ = std::make_unique<ir::Module>("ops");
  ir::Builder builder(module_->add("samples"), module_.get());
  std::vector<ir::Value> results;
  for (std::size_t k = 0; k < samples.size(); ++k) {
    std::vector<ir::Value> operands;
    for (const LiteralPtr& operand : samples[k].operands) {
      operands.push_back(builder.parameter(operand->type()));
      arguments_.push_back(operand);
    }
    for (ir::Value result : builder.apply_all(op.name, operands, samples[k].attributes)) {
      results.push_back(result);
      owners_.push_back(k);
    }
  }
  builder.return_values(results);
}

}  // namespace hyperion::testing_support

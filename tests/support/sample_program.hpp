// sample_program.hpp: all samples of an op as one function, so that they are compiled together.
#pragma once

#include <memory>
#include <vector>

#include "tests/support/op_samples.hpp"

namespace hyperion::testing_support {

class SampleProgram {
 public:
  // The function is named "samples". Of the samples, at most one brings a module of functions that it calls.
  SampleProgram(const ir::OpDefinition& op, const std::vector<OpSample>& samples);

  const ir::Module& module() const { return *module_; }
  const ir::Function& function() const { return *module_->find("samples"); }
  // The operands of all samples, and for each result the sample that it belongs to.
  const std::vector<LiteralPtr>& arguments() const { return arguments_; }
  const std::vector<std::size_t>& owners() const { return owners_; }

 private:
  std::unique_ptr<ir::Module> module_;
  std::vector<LiteralPtr> arguments_;
  std::vector<std::size_t> owners_;
};

}  // namespace hyperion::testing_support

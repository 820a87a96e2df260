#include "ir/block_signature.hpp"

namespace hyperion::ir {

Type yielded_type(const Function& kernel, BlockId block) {
  const OpId last = kernel.block(block).last;
  if (!last.valid() || !kernel.op(last).is("yield") || kernel.op(last).operands.size() != 1) return {};
  return kernel.type(kernel.op(last).operands[0]);
}

bool block_takes(const Function& kernel, BlockId block, std::span<const Type> types) {
  const std::vector<ValueId>& arguments = kernel.block(block).arguments;
  if (arguments.size() != types.size()) return false;
  for (std::size_t k = 0; k < types.size(); ++k) {
    if (kernel.type(arguments[k]) != types[k]) return false;
  }
  return true;
}

}  // namespace hyperion::ir

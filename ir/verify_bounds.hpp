// verify_bounds.hpp: accesses of a kernel that leave their buffer. Internal to the verifier.
//
// Offsets are followed through constants and `affine` to the indices of enclosing loops, as sums of coefficient * index,
// so that an index that occurs twice counts once. Where all of it is known (loops with constant bounds, no mask) the
// smallest and largest element touched are exact, and must lie in the buffer. What is computed at run time, masked, or in
// the body of a contraction, whose lanes mask themselves, is not judged.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ir/module.hpp"

namespace hyperion::ir {

// Each offending op with what is wrong. REQUIRES: the kernel is verified otherwise.
std::vector<std::pair<OpId, std::string>> accesses_out_of_bounds(const Function& kernel);

}  // namespace hyperion::ir

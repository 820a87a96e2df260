// compare.hpp: how far two results of one function are apart.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "ir/literal.hpp"

namespace hyperion::tools {

struct Difference {
  double error = 0;  // the largest, relative to the size of the tensor's elements
  bool same_bits = true;
  bool differs = false;  // beyond the tolerance
  std::string where;     // "element [3, 7] of result 0 was 0.25 and became 0.28125"
};

// A NaN equals a NaN; everything else is compared by |a - b| <= rtol * max(1, |a|), where a 16- or
// 8-bit float gets the rounding of its own format added: no rewrite can be closer than that.
// Integers and bool must be equal.
Difference compare(std::span<const LiteralPtr> before, std::span<const LiteralPtr> after,
                   double rtol);

}  // namespace hyperion::tools

// compare.hpp: how far two results of one function are apart.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "ir/literal.hpp"
#include "passes/simplify/rule.hpp"

namespace hyperion::tools {

struct Difference {
  double error = 0;       // the largest, relative to the size of the elements
  bool same_bits = true;  // all NaNs count as one value
  bool differs = false;   // beyond what the sense allows
  std::string where;      // "element [3, 7] of result 0 was 0.25 and became 0.28125"
};

// In the sense of rules (passes/simplify/rule.hpp): B allows no bit to change, Z the sign of a
// zero, and R, over the reals, |a - b| <= rtol * max(1, |a|), where a 16- or 8-bit float gets the
// rounding of its own format added: no rewrite can be closer than that. A NaN equals a NaN;
// integers and bool must be equal in every sense.
Difference compare(std::span<const LiteralPtr> before, std::span<const LiteralPtr> after,
                   passes::Tag sense, double rtol);

}  // namespace hyperion::tools

// element_text.hpp: one element as text, and back, exactly.
//
//   bool      true, false
//   integers  decimal
//   floats    the shortest decimal text that reads back as the same bits, always with a point, an
//   exponent or a word:
//             1.0, 1e-05, inf, -inf; a quiet positive NaN is nan, any other NaN nan(0x7fc00001)
//             with all its bits
//   complex   (real, imaginary)
//
// 16- and 8-bit floats read as f32 text rounded once more; the printed text accounts for that.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "ir/dtype.hpp"

namespace hyperion::ir {

// `bytes` holds one element of `dtype`.
std::string element_text(DType dtype, const std::byte* bytes);

// False, with `bytes` unspecified, if `text` is not an element of `dtype`. Whole numbers pass for
// floats.
bool parse_element(DType dtype, std::string_view text, std::byte* bytes);

}  // namespace hyperion::ir

// print.hpp: tensors as text, as NumPy lays them out.
//
//   [[ 1.   2.5]          numbers of one tensor share their digits and width; the fewest digits, at most four, that show
//    [-3.   0. ]]         each to that precision; very large or small ones switch all to scientific notation
//   tensor([1 2 3], i64)  the type follows when it is not f32
//
// More than 1000 elements are shortened: three at each end of every axis.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "ir/type.hpp"

namespace hyperion::frontend {

std::string print_tensor(Type type, std::span<const std::byte> bytes);

}  // namespace hyperion::frontend

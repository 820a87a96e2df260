// emit_cpp.hpp: kernels as C++ that people can read and any C++20 compiler takes.
//
// The translation is for eyes and for porting, not for speed: a vector is an array of lanes and a
// loop over it, a contraction is the plain loop nest of its definition, without tiles, packing or
// threads. It computes the same bits as the kernel, if it is compiled with -ffp-contract=off.
//
//   extern "C" void row_sums(const float* x, float* y);      one function a kernel, one
//                                                             pointer a parameter, in order
//
// Small floats (f16, bf16, f8e4m3, f8e5m2) are structs of their bits, defined in front of the
// kernels.
//
// Thread safety: all functions.
#pragma once

#include <string>

#include "ir/module.hpp"
#include "ir/support/status.hpp"

namespace hyperion::codegen {

// A translation unit with every kernel of the module. Fails with unimplemented for complex elements,
// naming the type.
StatusOr<std::string> emit_cpp(const ir::Module& module);

}  // namespace hyperion::codegen

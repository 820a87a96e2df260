// ceilings.hpp: the most that a device can do, measured by kernels of our own.
//
//   copy          y = -x over arrays larger than any cache: bytes read and written
//   vector        fused multiply-adds on f32 elements, many chains of them and hardly any memory
//   tensor cores  a large product of matrices: the best that is known here, not the most the hardware promises
//
// The programs are compiled like any other and serve every kind of device. It takes a few tenths of a second.
#pragma once

#include <set>

#include "codegen/driver/run.hpp"
#include "runtime/roofline.hpp"

namespace hyperion::codegen {

// Copy and vector, and those of `units` that the device has. What runs is recorded by the site's profiler like all else.
StatusOr<runtime::Ceilings> measure_ceilings(const RunSite& site, const std::set<runtime::ArithmeticUnit>& units = {});

}  // namespace hyperion::codegen

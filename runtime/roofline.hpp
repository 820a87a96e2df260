// roofline.hpp: how close kernels come to what their device can do.
//
// A kernel moves bytes (what it reads, once, and what it writes) and does operations; both counts
// come from its definition, when it is compiled (Launch in plan.hpp). Divided by its time they are
// speeds, and a device has a ceiling for each: the speed of a copy, and that of each of its
// arithmetic units. The ceilings are measured on the device itself (codegen/driver/ceilings.hpp). A
// kernel near either is as fast as it can be with these counts; one that is far from both is too
// small to fill the device, or slow.
//
// More than 100 % of a copy is possible: what is read from a cache does not come from memory.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/profiler.hpp"

namespace hyperion::runtime {

// "fma", "tf32", "16-bit": as reports call them.
std::string_view unit_name(ArithmeticUnit unit);

struct Ceilings {
  std::string device;           // "cuda:0"
  double bytes_per_second = 0;  // of a copy, read and written; 0: not measured
  std::array<double, kArithmeticUnits> flops_per_second = {};  // by unit; 0: not measured

  double of(ArithmeticUnit unit) const { return flops_per_second[static_cast<std::size_t>(unit)]; }
};

// What records of a label achieved. Empty where a count, a time or a ceiling is unknown.
struct Achieved {
  std::optional<double> bytes_per_second;
  std::optional<double> flops_per_second;
  std::optional<double> share_of_copy;  // 1: as fast as the ceiling
  std::optional<double> share_of_unit;
};
Achieved achieved(const LabelInfo& label, double seconds_each, const Ceilings& ceilings);

// A table of the totals of one category ("" for all), longest first: times, megabytes and
// megaflops of one record, speeds, and their shares of the ceilings. At most `rows` lines and a
// line for the rest; then the ceilings that were measured.
std::string roofline_table(const std::vector<LabelTotal>& totals, std::string_view category,
                           const Ceilings& ceilings, std::size_t rows = 20);

}  // namespace hyperion::runtime

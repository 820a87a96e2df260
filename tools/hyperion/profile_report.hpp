// profile_report.hpp: what `--profile FILE` makes of a run: a trace, and a table of the kernels
// that took longest, with their speeds beside what the device can do.
#pragma once

#include <string>

namespace hyperion::tools {

// REQUIRES: the profiler of the frontend's instance is capturing. Ends the capture; measures the
// ceilings of the default device, which takes a few tenths of a second.
void report_profile(const std::string& path);

}  // namespace hyperion::tools

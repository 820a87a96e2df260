#include "tools/hyperion/profile_report.hpp"

#include <cstdio>
#include <set>

#include "codegen/driver/ceilings.hpp"
#include "frontend/device.hpp"
#include "frontend/engine.hpp"
#include "frontend/error.hpp"
#include "ir/support/format.hpp"
#include "runtime/trace_writer.hpp"
#include "tools/hyperion/report.hpp"

namespace hyperion::tools {
namespace {

constexpr std::size_t kShownKernels = 12;

}  // namespace

void report_profile(const std::string& path) {
  const auto instance = frontend::instance();
  const runtime::Capture capture = instance->profiler().stop_capture();
  // Taken before the ceilings are measured, whose kernels would be among them.
  const std::vector<runtime::LabelTotal> totals = instance->profiler().totals();
  std::set<runtime::ArithmeticUnit> units;
  for (const runtime::LabelTotal& total : totals) units.insert(total.label.unit);
  const runtime::Device device = value_or_throw(frontend::runtime_device(default_device()));
  const StatusOr<runtime::Ceilings> measured = codegen::measure_ceilings({instance, device}, units);
  const runtime::Ceilings ceilings = measured ? *measured : runtime::Ceilings{};
  value_or_throw(runtime::write_perfetto_trace(path, capture, ceilings));
  std::puts(profile_summary(path, capture).c_str());
  std::string table = runtime::roofline_table(totals, "launch", ceilings, kShownKernels);
  if (!measured) table += format("ceilings not measured: {}\n", measured.error().text());
  std::fputs(("\n" + table).c_str(), stdout);
}

}  // namespace hyperion::tools

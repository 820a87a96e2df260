// tune: measures how products run on the tensor cores of a GPU.
#include <charconv>
#include <cstdio>

#include "codegen/driver/target_of.hpp"
#include "codegen/driver/tune.hpp"
#include "frontend/error.hpp"
#include "ir/support/format.hpp"
#include "tools/hyperion/commands.hpp"

namespace hyperion::tools {
namespace {

[[noreturn]] void refuse(const std::string& why) { throw std::runtime_error(why); }

template <class T>
T need(StatusOr<T> value) {
  if (!value) refuse(value.error().text());
  return *std::move(value);
}

// "4096x4096x1024" is rows, columns, depth.
std::vector<std::int64_t> parse_shape(const std::string& text) {
  std::vector<std::int64_t> sizes;
  const char *at = text.data(), *end = text.data() + text.size();
  while (at < end) {
    std::int64_t size = 0;
    const auto [next, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size < 1) break;
    sizes.push_back(size);
    at = next + 1;
    if (next < end && *next != 'x') break;
  }
  if (sizes.size() == 1) sizes.assign(3, sizes[0]);
  if (sizes.size() != 3 || at != end + 1) refuse(format("'{}' is no shape: give ROWSxCOLUMNSxDEPTH, as 4096x4096x1024, or one number for a cube", text));
  return sizes;
}

}  // namespace

void tune_products(const TuneCommandOptions& options) {
  const codegen::RunSite site = need(codegen::RunSite::open(options.device));
  const codegen::Target target = need(codegen::target_of(site.device));
  if (!std::holds_alternative<codegen::CudaTarget>(target)) refuse(format("{} has nothing to tune: its schedules follow from its caches", options.device));
  codegen::CudaTarget cuda = std::get<codegen::CudaTarget>(target);
  const std::optional<DType> dtype = parse_dtype(options.dtype);
  if (!dtype) refuse(format("'{}' is no element type", options.dtype));
  cuda.tf32 = *dtype == DType::f32;
  for (const std::string& shape : options.shapes) {
    const std::vector<std::int64_t> sizes = parse_shape(shape);
    for (const std::string& layout : options.layouts) {
      codegen::TensorProblem problem = codegen::dense_problem(*dtype, layout, sizes[0], sizes[1], sizes[2]);
      problem.may_round = cuda.tf32;
      const double flops = 2.0 * static_cast<double>(sizes[0]) * static_cast<double>(sizes[1]) * static_cast<double>(sizes[2]);
      std::printf("%s %s %s\n", options.dtype.c_str(), layout.c_str(), shape.c_str());
      const auto measured = need(codegen::tune(problem, cuda, site, {.candidates = options.candidates, .seconds = options.seconds}));
      for (const codegen::MeasuredSchedule& one : measured) {
        std::printf("  %9.2f us  %6.1f TFLOP/s  %s\n", 1e6 * one.seconds, flops / one.seconds / 1e12, one.schedule.text().c_str());
      }
      std::fflush(stdout);
    }
  }
}

}  // namespace hyperion::tools

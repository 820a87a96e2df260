#include "runtime/roofline.hpp"

#include <algorithm>

#include "ir/support/format.hpp"

namespace hyperion::runtime {
namespace {

constexpr double kGiga = 1e9;
constexpr double kMega = 1e6;

std::string number(std::optional<double> value, double unit, int digits) {
  return value ? format("{:.{}f}", *value / unit, digits) : "-";
}

std::string counted(std::uint64_t count) {
  return count == 0 ? "-" : format("{:.3f}", static_cast<double>(count) / kMega);
}

std::string percent(std::optional<double> share) {
  return share ? format("{:.1f}%", 100 * *share) : "-";
}

std::string row(const LabelTotal& total, double share_of_time, const Ceilings& ceilings) {
  const double seconds_each = total.seconds / static_cast<double>(total.count);
  const Achieved speed = achieved(total.label, seconds_each, ceilings);
  const std::string of_unit = speed.share_of_unit ? format("{} {}", percent(speed.share_of_unit),
                                                           unit_name(total.label.unit))
                                                  : "-";
  return format("{:>10.3f} {:>6.1f} {:>9} {:>10.3f} {:>9} {:>10} {:>8} {:>9} {:>8} {:>13}  {}{}\n",
                1e3 * total.seconds, 100 * share_of_time, total.count, 1e6 * seconds_each,
                counted(total.label.bytes), counted(total.label.flops),
                number(speed.bytes_per_second, kGiga, 1), number(speed.flops_per_second, kGiga, 1),
                percent(speed.share_of_copy), of_unit, total.label.name,
                total.label.location.empty() ? "" : "  " + total.label.location);
}

std::string ceilings_line(const Ceilings& ceilings) {
  std::string list;
  if (ceilings.bytes_per_second > 0) {
    list += format("copy {:.1f} GB/s", ceilings.bytes_per_second / kGiga);
  }
  for (std::size_t i = 0; i < kArithmeticUnits; ++i) {
    if (ceilings.flops_per_second[i] <= 0) continue;
    list += format("{}{} {:.1f} GFLOP/s", list.empty() ? "" : ", ",
                   unit_name(static_cast<ArithmeticUnit>(i)), ceilings.flops_per_second[i] / kGiga);
  }
  return list.empty() ? "" : format("ceilings of {}, measured: {}\n", ceilings.device, list);
}

}  // namespace

std::string_view unit_name(ArithmeticUnit unit) {
  static constexpr std::string_view kNames[kArithmeticUnits] = {"fma", "tf32", "16-bit"};
  return kNames[static_cast<std::size_t>(unit)];
}

Achieved achieved(const LabelInfo& label, double seconds_each, const Ceilings& ceilings) {
  Achieved out;
  if (seconds_each <= 0) return out;
  const double of_unit = ceilings.of(label.unit);
  if (label.bytes != 0) {
    out.bytes_per_second = static_cast<double>(label.bytes) / seconds_each;
    if (ceilings.bytes_per_second > 0) {
      out.share_of_copy = *out.bytes_per_second / ceilings.bytes_per_second;
    }
  }
  if (label.flops != 0) {
    out.flops_per_second = static_cast<double>(label.flops) / seconds_each;
    if (of_unit > 0) out.share_of_unit = *out.flops_per_second / of_unit;
  }
  return out;
}

std::string roofline_table(const std::vector<LabelTotal>& totals, std::string_view category,
                           const Ceilings& ceilings, std::size_t rows) {
  std::vector<const LabelTotal*> chosen;
  double all = 0;
  for (const LabelTotal& total : totals) {
    if (!category.empty() && total.label.category != category) continue;
    chosen.push_back(&total);
    all += total.seconds;
  }
  const auto share = [&](double seconds) { return all > 0 ? seconds / all : 0.0; };
  std::string text = format("{:>10} {:>6} {:>9} {:>10} {:>9} {:>10} {:>8} {:>9} {:>8} {:>13}  {}\n",
                            "total ms", "%", "count", "mean us", "MB each", "MFLOP each", "GB/s",
                            "GFLOP/s", "of copy", "of arithmetic", "kernel");
  double rest = 0;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (i < rows) {
      text += row(*chosen[i], share(chosen[i]->seconds), ceilings);
    } else {
      rest += chosen[i]->seconds;
    }
  }
  if (chosen.size() > rows) {
    text += format("{:>10.3f} {:>6.1f} {:>9} more\n", 1e3 * rest, 100 * share(rest),
                   chosen.size() - rows);
  }
  return text + ceilings_line(ceilings);
}

}  // namespace hyperion::runtime

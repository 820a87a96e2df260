#include "frontend/print.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ir/literal.hpp"
#include "ir/support/format.hpp"

namespace hyperion::frontend {
namespace {

constexpr std::int64_t kShortenAbove = 1000;  // elements, as NumPy's threshold
constexpr std::int64_t kEdge = 3;             // elements shown at each end of a shortened axis
constexpr int kPrecision = 4;                 // digits behind the point

class Printer {
 public:
  Printer(Type type, std::span<const std::byte> bytes)
      : dtype_(type.dtype()),
        bytes_(bytes),
        sizes_(type.sizes()),
        strides_(type.strides()),
        is_short_(type.element_count() > kShortenAbove) {}

  std::string run() {
    collect(0, 0);
    choose_format();
    if (sizes_.empty()) return element(0);
    std::string out;
    rows(0, 0, out);
    return out;
  }

 private:
  double real(std::int64_t at) const {
    return element_to_double(dtype_, bytes_.data() + static_cast<std::size_t>(at) * byte_size(dtype_));
  }

  // Calls `visit(index)` for the shown indices of an axis, and `gap()` between its ends when it is shortened. Depth of
  // the walk is the rank, at most 8.
  template <class Visit, class Gap>
  void shown(std::size_t axis, Visit visit, Gap gap) const {
    const std::int64_t size = sizes_[axis];
    const bool cut = is_short_ && size > 2 * kEdge;
    for (std::int64_t i = 0; i < size; ++i) {
      if (cut && i == kEdge) {
        gap();
        i = size - kEdge;
      }
      visit(i);
    }
  }

  void collect(std::size_t axis, std::int64_t at) {
    if (axis == sizes_.size()) {
      shown_.push_back(at);
      return;
    }
    shown(axis, [&](std::int64_t i) { collect(axis + 1, at + i * strides_[axis]); }, [] {});
  }

  void choose_format() {
    if (is_floating(dtype_)) choose_float_format();
    for (std::int64_t at : shown_) width_ = std::max(width_, element(at).size());
  }

  void choose_float_format() {
    double largest = 0, smallest = HUGE_VAL;
    for (std::int64_t at : shown_) {
      const double magnitude = std::fabs(real(at));
      if (!std::isfinite(magnitude) || magnitude == 0) continue;
      largest = std::max(largest, magnitude);
      smallest = std::min(smallest, magnitude);
    }
    is_scientific_ = largest >= 1e8 || (smallest < 1e-4 && smallest != HUGE_VAL) ||
                     (smallest != HUGE_VAL && largest / smallest > 1e3 * 1e5);
    for (std::int64_t at : shown_) digits_ = std::max(digits_, digits_needed(real(at)));
  }

  // The fewest digits behind the point that show the number to kPrecision digits.
  int digits_needed(double value) const {
    if (!std::isfinite(value)) return 0;
    std::string text = is_scientific_ ? format("{:.{}e}", value, kPrecision) : format("{:.{}f}", value, kPrecision);
    text = text.substr(0, text.find('e'));
    while (text.back() == '0') text.pop_back();
    return static_cast<int>(text.size() - text.find('.')) - 1;
  }

  std::string element(std::int64_t at) const {
    const std::byte* bytes = bytes_.data() + static_cast<std::size_t>(at) * byte_size(dtype_);
    if (is_boolean(dtype_)) return element_to_integer(dtype_, bytes) != 0 ? "true" : "false";
    if (dtype_ == DType::u64) return format("{}", static_cast<std::uint64_t>(element_to_integer(dtype_, bytes)));
    if (is_integer(dtype_)) return format("{}", element_to_integer(dtype_, bytes));
    const double value = real(at);
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    if (is_scientific_) return format("{:.{}e}", value, digits_);
    // A whole number keeps its point ("2."), padded to the digits of its neighbours.
    std::string text = format("{:.{}f}", value, digits_);
    if (digits_ == 0) return text + ".";
    std::size_t zeros = 0;
    while (text[text.size() - 1 - zeros] == '0') ++zeros;
    return text.replace(text.size() - zeros, zeros, zeros, ' ');
  }

  void rows(std::size_t axis, std::int64_t at, std::string& out) const {
    const bool is_last = axis + 1 == sizes_.size();
    const std::string separator =
        is_last ? " " : std::string(sizes_.size() - 1 - axis, '\n') + std::string(axis + 1, ' ');
    bool first = true;
    const auto separate = [&] {
      if (!first) out += separator;
      first = false;
    };
    out += '[';
    shown(
        axis,
        [&](std::int64_t i) {
          separate();
          const std::int64_t position = at + i * strides_[axis];
          if (is_last) {
            out += format("{:>{}}", element(position), width_);
          } else {
            rows(axis + 1, position, out);
          }
        },
        [&] {
          separate();
          out += "...";
        });
    out += ']';
  }

  const DType dtype_;
  const std::span<const std::byte> bytes_;
  const std::vector<std::int64_t> sizes_, strides_;
  const bool is_short_;
  std::vector<std::int64_t> shown_;
  bool is_scientific_ = false;
  int digits_ = 0;
  std::size_t width_ = 0;
};

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

std::string print_tensor(Type type, std::span<const std::byte> bytes) {
  std::string body = Printer(type, bytes).run();
  if (type.rank() == 0) body = trimmed(std::move(body));
  if (type.dtype() == DType::f32) return body;
  // Rows align below the opening bracket.
  std::string out = "tensor(";
  for (std::size_t k = 0; k < body.size(); ++k) {
    out += body[k];
    if (body[k] == '\n' && body[k + 1] != '\n') out += "       ";
  }
  return out + ", " + std::string(dtype_name(type.dtype())) + ")";
}

}  // namespace hyperion::frontend

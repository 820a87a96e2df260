#include "codegen/cuda/convolution_problem.hpp"

#include <algorithm>

#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

using ir::Integers;

// The attributes by name (ir/ops/convolve.cpp has their order).
struct Axis {
  std::int64_t output, kernel, input, stride, dilation, input_dilation, padding, lhs, rhs;

  explicit Axis(const Integers& list)
      : output(list[0]),
        kernel(list[1]),
        input(list[2]),
        stride(list[3]),
        dilation(list[4]),
        input_dilation(list[5]),
        padding(list[6]),
        lhs(list[7]),
        rhs(list[8]) {}

  bool has_missing_elements() const {
    const std::int64_t last = (output - 1) * stride + (kernel - 1) * dilation - padding;
    return padding > 0 || input_dilation != 1 || last >= input;
  }
  bool is_plain() const { return kernel == 1 && stride == 1 && padding == 0 && output == input; }
  TensorImage::Axis windows() const {
    return {.output = output,
            .kernel = kernel,
            .input = input,
            .stride = stride,
            .dilation = dilation,
            .padding = padding,
            .lhs = lhs,
            .rhs = rhs};
  }
};

struct Convolution {
  explicit Convolution(const ir::Attributes& a)
      : batch(a.integers("extents")[0]),
        groups(a.integers("extents")[1]),
        in_channels(a.integers("extents")[2]),
        out_channels(a.integers("extents")[3]),
        height(a.integers("height")),
        width(a.integers("width")),
        lhs(a.integers("lhs")),
        rhs(a.integers("rhs")) {}

  std::int64_t batch, groups, in_channels, out_channels;
  Axis height, width;
  const Integers &lhs, &rhs;
};

}  // namespace

ProductSizes convolution_sizes(const ir::Attributes& convolve) {
  const Convolution c(convolve);
  return {.batches = c.groups,
          .rows = c.batch * c.height.output * c.width.output,
          .columns = c.out_channels,
          .depth = c.height.kernel * c.width.kernel * c.in_channels};
}

bool has_missing_elements(const ir::Attributes& convolve) {
  const Convolution c(convolve);
  return c.height.has_missing_elements() || c.width.has_missing_elements();
}

std::optional<TensorProblem> convolution_problem(const ir::Attributes& convolve) {
  const Convolution c(convolve);
  const Axis &h = c.height, &w = c.width;
  if (c.groups != 1 || h.input_dilation != 1 || w.input_dilation != 1 || c.lhs[3] != 0) return std::nullopt;
  // Where the kernel begins in memory: a gradient walks it from its end, in both axes or, if one is short, in one.
  const auto back = [](const Axis& axis) { return axis.rhs < 0 ? (axis.kernel - 1) * axis.rhs : 0; };
  if (c.rhs[3] + back(h) + back(w) != 0) return std::nullopt;
  const ProductSizes sizes = convolution_sizes(convolve);
  TensorProblem out{.rows = sizes.rows,
                    .columns = sizes.columns,
                    .depth = sizes.depth,
                    .lhs = {.free = w.lhs, .depth = c.lhs[2]},
                    .rhs = {.free = c.rhs[2], .depth = c.rhs[1]}};
  const bool is_dense = (h.output == 1 || h.lhs == w.output * w.lhs) && (c.batch == 1 || c.lhs[0] == h.output * h.lhs);
  if (h.is_plain() && w.is_plain() && is_dense) return out;
  out.image = {.height = h.windows(), .width = w.windows(), .channels = c.in_channels, .image = c.lhs[0]};
  return out;
}

std::string convolution_text(const ir::Attributes& convolve, const std::string& sum_type, const std::string& lhs_type,
                             const std::string& rhs_type) {
  const Convolution p(convolve);
  const auto [batches, rows, columns, depth] = convolution_sizes(convolve);
  const Axis &h = p.height, &w = p.width;
  const std::int64_t channels = std::max<std::int64_t>(p.in_channels, 1);
  const auto source = [](const Axis& a, const char* o, const char* t) {
    return format("source<{}, {}, {}, {}, {}>({}, {})", a.input, a.stride, a.dilation, a.input_dilation, a.padding, o, t);
  };
  std::string out = format("struct Problem {{\n  using Sum = {};\n  static constexpr int kDepth = {};\n", sum_type, depth);
  out += format("  static constexpr bool kLhsAlongDepth = {}, kRhsAlongDepth = {}, kHasHoles = {};\n",
                p.lhs[2] == 1 && p.in_channels > 1, p.rhs[1] == 1 && p.in_channels > 1 && p.rhs[2] != 1,
                has_missing_elements(convolve));
  out += format("  const {}* lhs_buffer;\n  const {}* rhs_buffer;\n  int group;\n", lhs_type, rhs_type);
  // Where element (row, k) of the left factor lies; -1: in the padding, or between dilated elements.
  out += "  std::int64_t place(int row, int k) const {\n";
  out += format("    const int n = row / {}, oh = row / {} % {}, ow = row % {};\n", h.output * w.output, w.output,
                h.output, w.output);
  out += format("    const int th = k / {}, tw = k / {} % {}, c = k % {};\n", w.kernel * channels, channels, w.kernel,
                channels);
  out += format("    const int ih = {}, iw = {};\n    if (ih < 0 || iw < 0) return -1;\n", source(h, "oh", "th"),
                source(w, "ow", "tw"));
  out += format(
      "    return std::int64_t(n) * {} + std::int64_t(group) * {} + ih * {}ll + iw * {}ll + c * {}ll + {};\n  }}\n",
      p.lhs[0], p.lhs[1], h.lhs, w.lhs, p.lhs[2], p.lhs[3]);
  out += format("  bool has(int row, int k) const {{ return row < {} && place(row, k) >= 0; }}\n", rows);
  out += format(
      "  Sum lhs(int row, int k) const {{\n    if (row >= {}) return Sum(0);\n    const std::int64_t at = place(row, "
      "k);\n",
      rows);
  out += "    return at < 0 ? Sum(0) : Sum(lhs_buffer[at]);\n  }\n";
  out += format("  Sum rhs(int k, int column) const {{\n    if (column >= {}) return Sum(0);\n", columns);
  out += format("    const int th = k / {}, tw = k / {} % {}, c = k % {};\n", w.kernel * channels, channels, w.kernel,
                channels);
  out += format(
      "    return Sum(rhs_buffer[std::int64_t(group) * {} + th * {}ll + tw * {}ll + c * {}ll + column * {}ll + "
      "{}]);\n  }}\n}};\n",
      p.rhs[0], h.rhs, w.rhs, p.rhs[1], p.rhs[2], p.rhs[3]);
  return out;
}

}  // namespace hyperion::codegen

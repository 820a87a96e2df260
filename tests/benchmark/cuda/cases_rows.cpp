// Normalisations of rows with their gradients: a training step's, given the gradient of the result. `work` counts each
// matrix once: x and its result, the result's gradient and that of x.
#include <cmath>
#include <functional>

#include "frontend/hyperion.hpp"
#include "frontend/nn/layers.hpp"
#include "ir/support/format.hpp"
#include "tests/benchmark/cuda/cases.hpp"

namespace hyperion::benchmark {
namespace {

struct Rows {
  DType dtype;
  std::int64_t rows, columns;
};

// What a row's results depend on: inputs x, dy, then weight (and bias).
struct RowOf {
  const HostElement& at;
  std::int64_t row, columns;
  double x(std::int64_t k) const { return at(0, row * columns + k); }
  double dy(std::int64_t k) const { return at(1, row * columns + k); }
  double weight(std::int64_t k) const { return at(2, k); }
  double bias(std::int64_t k) const { return at(3, k); }
  double sum(const std::function<double(std::int64_t)>& term) const {
    double total = 0;
    for (std::int64_t k = 0; k < columns; ++k) total += term(k);
    return total;
  }
};
struct ValueAndSlope {
  double y, dx;
};
using Formula = ValueAndSlope (*)(const RowOf& row, std::int64_t column);

Case with_gradient(std::string name, Rows size, int vectors, GpuProgram program, Formula formula) {
  Case c{.suite = "rows",
         .name = std::move(name),
         .shape = format("{}x{}", size.rows, size.columns),
         .dtype = std::string(dtype_name(size.dtype)),
         .unit = "TB/s",
         .work = 4.0 * static_cast<double>(size.rows * size.columns) * static_cast<double>(byte_size(size.dtype))};
  c.inputs.assign(2, {{size.rows, size.columns}, size.dtype});
  for (int k = 0; k < vectors; ++k) c.inputs.push_back({{size.columns}, size.dtype});
  c.program = std::move(program);
  // Gradients of the vectors are sums over all rows: not checked here, element by element, but by the tests of layers.
  c.reference = [=, at = host_elements(c.inputs)](int output, std::int64_t i) -> std::optional<Expected> {
    if (output > 1) return std::nullopt;
    const RowOf row{at, i / size.columns, size.columns};
    const ValueAndSlope exact = formula(row, i % size.columns);
    const double value = output == 0 ? exact.y : exact.dx;
    // Of softmax all results are small: relative to what a row's share is.
    const double scale = vectors == 0 ? 1.0 / static_cast<double>(size.columns) : 0.2;
    return Expected{value, 2 * rounding(size.dtype) * (std::fabs(value) + scale)};
  };
  return c;
}

ValueAndSlope softmax(const RowOf& r, std::int64_t j) {
  const double total = r.sum([&](std::int64_t k) { return std::exp(r.x(k)); });
  const auto y = [&](std::int64_t k) { return std::exp(r.x(k)) / total; };
  return {y(j), y(j) * (r.dy(j) - r.sum([&](std::int64_t k) { return y(k) * r.dy(k); }))};
}

// (x - mean) / sqrt(mean square of that + epsilon), with or without a mean: layer_norm and rms_norm.
ValueAndSlope normalized(const RowOf& r, std::int64_t j, bool is_centred, double epsilon) {
  const auto count = static_cast<double>(r.columns);
  const double mean = is_centred ? r.sum([&](std::int64_t k) { return r.x(k); }) / count : 0;
  const double variance = r.sum([&](std::int64_t k) { return std::pow(r.x(k) - mean, 2); }) / count;
  const double scale = 1 / std::sqrt(variance + epsilon);
  const auto z = [&](std::int64_t k) { return (r.x(k) - mean) * scale; };
  const auto g = [&](std::int64_t k) { return r.dy(k) * r.weight(k); };
  const double mean_g = is_centred ? r.sum(g) / count : 0;
  const double mean_gz = r.sum([&](std::int64_t k) { return g(k) * z(k); }) / count;
  return {z(j) * r.weight(j) + (is_centred ? r.bias(j) : 0), scale * (g(j) - mean_g - z(j) * mean_gz)};
}

void add_rows(std::vector<Case>& cases, Rows size) {
  cases.push_back(with_gradient(
      "softmax, with gradient", size, 0,
      [](const std::vector<Tensor>& t) {
        const auto [y, pullback] = vjp([](const Tensor& x) { return nn::softmax(x); }, std::tuple(t[0]));
        return std::vector<Tensor>{y, std::get<0>(pullback(t[1]))};
      },
      softmax));
  cases.push_back(with_gradient(
      "layer_norm, with gradients", size, 2,
      [](const std::vector<Tensor>& t) {
        const auto norm = [](const Tensor& x, const Tensor& w, const Tensor& b) { return nn::LayerNorm{w, b}(x); };
        const auto [y, pullback] = vjp(norm, std::tuple(t[0], t[2], t[3]));
        const auto [dx, dw, db] = pullback(t[1]);
        return std::vector<Tensor>{y, dx, dw, db};
      },
      [](const RowOf& row, std::int64_t j) { return normalized(row, j, true, 1e-5); }));
  cases.push_back(with_gradient(
      "rms_norm, with gradients", size, 1,
      [](const std::vector<Tensor>& t) {
        const auto norm = [](const Tensor& x, const Tensor& w) { return nn::RMSNorm{w}(x); };
        const auto [y, pullback] = vjp(norm, std::tuple(t[0], t[2]));
        const auto [dx, dw] = pullback(t[1]);
        return std::vector<Tensor>{y, dx, dw};
      },
      [](const RowOf& row, std::int64_t j) { return normalized(row, j, false, 1e-6); }));
}

}  // namespace

std::vector<Case> row_cases(Scale scale) {
  std::vector<Case> cases;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const std::int64_t columns : {768, 4096}) add_rows(cases, {dtype, scale(16384), scale(columns)});
  }
  return cases;
}

}  // namespace hyperion::benchmark

// What memory bounds. `work` counts each tensor that must be read or written once.
#include <algorithm>
#include <cmath>

#include "frontend/hyperion.hpp"
#include "frontend/nn/layers.hpp"
#include "tests/benchmark/cuda/cases.hpp"

namespace hyperion::benchmark {
namespace {

constexpr std::int64_t kRows = 32768, kColumns = 8192;

// Builds the cases of one dtype; the first `matrices` inputs are [rows, columns], further ones [columns].
class MemoryCases {
 public:
  MemoryCases(std::vector<Case>& cases, DType dtype, std::int64_t rows, std::int64_t columns)
      : cases_(cases), dtype_(dtype), rows_(rows), columns_(columns) {}

  void add_all() {
    const double eps = rounding(dtype_);
    const std::int64_t columns = columns_, rows = rows_;
    add("add", 3, {2, 0}, [](const auto& t) { return t[0] + t[1]; },
        [eps](const HostElement& at, std::int64_t i) {
          return near(at(0, i) + at(1, i), eps * (std::fabs(at(0, i)) + std::fabs(at(1, i))));
        });
    add("gelu(x*w+b)*y+x", 3, {2, 2},
        [](const auto& t) { return nn::gelu(t[0] * t[2] + t[3]) * t[1] + t[0]; },
        [eps, columns](const HostElement& at, std::int64_t i) {
          const double x = at(0, i), y = at(1, i), w = at(2, i % columns), b = at(3, i % columns);
          const double sum = x * w + b, gelu = 0.5 * sum * (1 + std::erf(sum / std::sqrt(2.0)));
          return near(gelu * y + x, 2 * eps * ((std::fabs(x * w) + std::fabs(b)) * std::fabs(y) + std::fabs(x)));
        });
    add("softmax", 2, {1, 0}, [](const auto& t) { return nn::softmax(t[0]); },
        [eps, columns](const HostElement& at, std::int64_t i) {
          double sum = 0;
          for (std::int64_t k = 0; k < columns; ++k) sum += std::exp(at(0, i - i % columns + k));
          const double value = std::exp(at(0, i)) / sum;
          return near(value, 4 * eps * value);
        });
    add("layer_norm", 2, {1, 2}, [](const auto& t) { return nn::LayerNorm{t[1], t[2]}(t[0]); },
        [eps, columns](const HostElement& at, std::int64_t i) {
          const std::int64_t row = i - i % columns;
          double sum = 0, squares = 0;
          for (std::int64_t k = 0; k < columns; ++k) sum += at(0, row + k);
          const double mean = sum / static_cast<double>(columns);
          for (std::int64_t k = 0; k < columns; ++k) squares += std::pow(at(0, row + k) - mean, 2);
          const double normal = (at(0, i) - mean) / std::sqrt(squares / static_cast<double>(columns) + 1e-5);
          const double w = at(1, i % columns), b = at(2, i % columns);
          return near(normal * w + b, 2 * eps * (std::fabs(normal * w) + std::fabs(b) + 0.1));
        });
    add("rms_norm(x+y)", 3, {2, 1}, [](const auto& t) { return nn::RMSNorm{t[2]}(t[0] + t[1]); },
        [eps, columns](const HostElement& at, std::int64_t i) {
          const std::int64_t row = i - i % columns;
          double squares = 0;
          for (std::int64_t k = 0; k < columns; ++k) squares += std::pow(at(0, row + k) + at(1, row + k), 2);
          const double scale = at(2, i % columns) / std::sqrt(squares / static_cast<double>(columns) + 1e-6);
          return near((at(0, i) + at(1, i)) * scale,
                      2 * eps * (std::fabs(at(0, i)) + std::fabs(at(1, i))) * std::fabs(scale));
        });
    add("sum rows", 1, {1, 0}, [](const auto& t) { return sum(t[0], {-1}); },
        [eps, columns](const HostElement& at, std::int64_t i) {
          return sum_of(columns, eps, [&](std::int64_t k) { return at(0, i * columns + k); });
        });
    add("sum columns", 1, {1, 0}, [](const auto& t) { return sum(t[0], {0}); },
        [eps, columns, rows](const HostElement& at, std::int64_t j) {
          return sum_of(rows, eps, [&](std::int64_t k) { return at(0, k * columns + j); });
        });
    add("sum all", 1, {1, 0}, [](const auto& t) { return sum(t[0]); },
        [eps, columns, rows](const HostElement& at, std::int64_t) {
          return sum_of(rows * columns, eps, [&](std::int64_t k) { return at(0, k); });
        });
    add("argmax rows", 1, {1, 0}, [](const auto& t) { return argmax(t[0], -1); },
        [columns](const HostElement& at, std::int64_t i) {
          std::int64_t best = 0;
          for (std::int64_t k = 1; k < columns; ++k) {
            if (at(0, i * columns + k) > at(0, i * columns + best)) best = k;
          }
          return near(static_cast<double>(best), 0);
        });
    add("transpose", 2, {1, 0}, [](const auto& t) { return t[0].transpose(); },
        [columns, rows](const HostElement& at, std::int64_t i) {
          return near(at(0, i % rows * columns + i / rows), 0);
        });
  }

 private:
  struct Counts {
    int matrices, vectors;
  };

  static Expected near(double value, double tolerance) { return {value, tolerance}; }

  // Sums of 16-bit numbers are carried in f32; the error grows slowly with what is added up.
  template <class F>
  static Expected sum_of(std::int64_t count, double eps, F element) {
    double sum = 0, magnitude = 0;
    for (std::int64_t k = 0; k < count; ++k) sum += element(k), magnitude += std::fabs(element(k));
    return {sum, eps * std::fabs(sum) + 1e-6 * magnitude};
  }

  template <class Program, class Formula>
  void add(std::string name, double streams, Counts counts, Program program, Formula formula) {
    Case c{.suite = "memory",
           .name = std::move(name),
           .shape = std::to_string(rows_) + "x" + std::to_string(columns_),
           .dtype = std::string(dtype_name(dtype_)),
           .unit = "TB/s",
           .work = streams * static_cast<double>(rows_ * columns_) * static_cast<double>(byte_size(dtype_))};
    for (int k = 0; k < counts.matrices; ++k) c.inputs.push_back({{rows_, columns_}, dtype_});
    for (int k = 0; k < counts.vectors; ++k) c.inputs.push_back({{columns_}, dtype_});
    c.program = [program](const std::vector<Tensor>& t) { return std::vector<Tensor>{program(t)}; };
    c.reference = [formula, at = host_elements(c.inputs)](int, std::int64_t i) { return formula(at, i); };
    cases_.push_back(std::move(c));
  }

  std::vector<Case>& cases_;
  DType dtype_;
  std::int64_t rows_, columns_;
};

}  // namespace

std::vector<Case> memory_cases(Scale scale) {
  std::vector<Case> cases;
  for (const DType dtype : {DType::f32, DType::bf16}) MemoryCases(cases, dtype, scale(kRows), scale(kColumns)).add_all();
  // Rows as short as those of small models, where what a launch costs shows.
  for (const DType dtype : {DType::f32, DType::bf16}) MemoryCases(cases, dtype, scale(16384), scale(768)).add_all();
  return cases;
}

}  // namespace hyperion::benchmark

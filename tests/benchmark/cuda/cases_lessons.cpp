// What docs/gpu-memory.md, docs/gpu-matmul.md and docs/cuda-graphs.md measure: the compiler's own kernels, with one
// thing changed from row to row.
#include <algorithm>
#include <cmath>

#include "frontend/hyperion.hpp"
#include "ir/support/format.hpp"
#include "tests/benchmark/cuda/cases.hpp"

namespace hyperion::benchmark {
namespace {

Case lesson(std::string name, std::string shape, DType dtype, std::string unit, double work) {
  return {.suite = "lessons",
          .name = std::move(name),
          .shape = std::move(shape),
          .dtype = std::string(dtype_name(dtype)),
          .unit = std::move(unit),
          .work = work,
          .has_peers = false};
}

// ---- where bytes come from: an array that is read from its first row to its last, again and again

Case rows_again(std::int64_t rows, std::int64_t passes) {
  constexpr std::int64_t kColumns = 8192;  // 32 KiB, which a team keeps in its registers
  const double bytes = 4.0 * static_cast<double>(rows * kColumns);
  Case c = lesson("rows summed, again and again", format("{} KiB", rows * kColumns * 4 >> 10), DType::f32, "TB/s",
                  bytes * static_cast<double>(passes));
  c.inputs = {{{rows, kColumns}}, {{passes}}};
  c.program = [](const auto& t) {
    return std::vector<Tensor>{sum(t[0][{NewAxis, All, All}] * t[1][{All, NewAxis, NewAxis}], {-1})};
  };
  c.reference = [rows, at = host_elements(c.inputs)](int, std::int64_t i) {
    double sum = 0, magnitude = 0;
    for (std::int64_t k = 0; k < kColumns; ++k) {
      const double term = at(0, i % rows * kColumns + k) * at(1, i / rows);
      sum += term, magnitude += std::fabs(term);
    }
    return Expected{sum, 1e-6 * magnitude + 1e-5 * std::fabs(sum)};
  };
  return c;
}

// ---- coalescing: neighbouring threads read elements `step` apart

Case every_nth(std::int64_t elements, std::int64_t step) {
  Case c = lesson("-x[::s]", format("s = {}", step), DType::f32, "TB/s", 8.0 * static_cast<double>(elements));
  c.inputs = {{{elements * step}}};
  c.program = [step](const auto& t) { return std::vector<Tensor>{-t[0][{Slice({}, {}, step)}]}; };
  c.reference = [step, at = host_elements(c.inputs)](int, std::int64_t i) { return Expected{-at(0, i * step), 0}; };
  return c;
}

// ---- bank conflicts: the square that a transposition keeps in shared memory, its lines `line` elements apart

Case transpose_with(std::int64_t side, int line) {
  Case c = lesson("transpose", format("lines of {} in shared memory", line), DType::f32, "TB/s",
                  8.0 * static_cast<double>(side * side));
  c.inputs = {{{side, side}}};
  c.program = [](const auto& t) { return std::vector<Tensor>{t[0].transpose()}; };
  c.reference = [side, at = host_elements(c.inputs)](int, std::int64_t i) {
    return Expected{at(0, i % side * side + i / side), 0};
  };
  c.clock = Clock::wall;  // from the second-level cache, or memory hides what the chip does
  constexpr int kAsPrinted = 33;
  if (line != kAsPrinted) {
    c.how.edit = [line, printed = format("[32][{}];", kAsPrinted)](std::string& source) {
      const std::size_t at = source.rfind(printed);
      if (at != std::string::npos) source.replace(at, printed.size(), format("[32][{}];", line));
    };
  }
  return c;
}

// ---- a product, from the plainest kernel to the one that is chosen

class ProductSteps {
 public:
  ProductSteps(std::vector<Case>& cases, std::int64_t side) : cases_(cases), side_(side) {}

  void add_all() {
    add("step 1: a sum a thread, lines across", DType::f32, false,
        [](const Tensor& x, const Tensor& w) { return sum(x[{All, NewAxis, All}] * w[{NewAxis, All, All}], {-1}); });
    add("step 2: a sum a thread, lines along", DType::f32, true,
        [](const Tensor& x, const Tensor& w) { return sum(x[{All, All, NewAxis}] * w[{NewAxis, All, All}], {1}); });
    add("step 3: tiles, 8 x 8 sums a thread", DType::f32, true,
        [](const Tensor& x, const Tensor& w) { return matmul(x, w); });
    using Schedule = codegen::TensorSchedule;
    constexpr auto kMma = codegen::TensorEngine::mma;
    add_tensor(
        "step 4: mma.sync, 64x64, 2 stages",
        Schedule{
            .engine = kMma, .rows = 64, .columns = 64, .stages = 2, .warp_rows = 32, .warp_columns = 32, .blocks = 3});
    add_tensor(
        "step 5: mma.sync, 64x64, 5 stages",
        Schedule{
            .engine = kMma, .rows = 64, .columns = 64, .stages = 5, .warp_rows = 32, .warp_columns = 32, .blocks = 3});
    add_tensor("step 6: mma.sync, 128x128, 5 stages", Schedule{.engine = kMma, .rows = 128, .columns = 128, .stages = 5});
    add_tensor("step 7: wgmma, 128x128, 2 stages", Schedule{.rows = 128, .columns = 128, .stages = 2, .group = 1});
    add_tensor("step 8: wgmma, 128x128, 6 stages", Schedule{.rows = 128, .columns = 128, .stages = 6, .group = 1});
    add_tensor("step 9: wgmma, 128x256, 4 stages", Schedule{.rows = 128, .columns = 256, .stages = 4, .group = 1});
    add_tensor("step 10: ... tiles walked in groups of 8", Schedule{.rows = 128, .columns = 256, .stages = 4, .group = 8});
    add_tensor("step 11: ... two blocks share loads",
               Schedule{.rows = 128, .columns = 256, .stages = 4, .group = 8, .cluster = 2});
    add_tensor("step 12: as chosen", std::nullopt);
  }

 private:
  using Product = Tensor (*)(const Tensor&, const Tensor&);

  Case& add(const std::string& name, DType dtype, bool is_row_major, Product product) {
    const auto side = static_cast<double>(side_);
    Case c = lesson(name, format("{0}x{0}x{0}", side_), dtype, "TFLOP/s", 2 * side * side * side);
    c.inputs = {{{side_, side_}, dtype}, {{side_, side_}, dtype}};
    c.program = [product](const auto& t) { return std::vector<Tensor>{product(t[0], t[1])}; };
    c.reference = [=, side = side_, at = host_elements(c.inputs)](int, std::int64_t index) {
      double sum = 0, magnitude = 0;
      for (std::int64_t k = 0; k < side; ++k) {
        const double rhs = at(1, is_row_major ? k * side + index % side : index % side * side + k);
        const double term = at(0, index / side * side + k) * rhs;
        sum += term, magnitude += std::fabs(term);
      }
      return Expected{sum, rounding(dtype) * std::fabs(sum) + 4e-6 * magnitude};
    };
    return cases_.emplace_back(std::move(c));
  }

  void add_tensor(const std::string& name, std::optional<codegen::TensorSchedule> schedule) {
    add(name, DType::bf16, false, [](const Tensor& x, const Tensor& w) {
      return matmul(x, w.transpose());
    }).how.schedule = std::move(schedule);
  }

  std::vector<Case>& cases_;
  const std::int64_t side_;
};

// ---- graphs: a plan of many small kernels, launched one by one and as one

Case small_kernels(int count, bool keeps_moving) {
  Case c = lesson(keeps_moving ? "kernels, launched one by one" : "kernels, as a graph", std::to_string(count),
                  DType::f32, "us", 0);
  c.clock = Clock::wall;
  c.keeps_moving = keeps_moving;
  c.how.joins_launches = false;  // they are independent of one another
  for (int k = 0; k < count; ++k) c.inputs.push_back({{64, 128 + 32 * (k % 25)}});
  c.program = [](const auto& t) {
    std::vector<Tensor> results;
    for (const Tensor& x : t) results.push_back(nn::softmax(x));
    return results;
  };
  return c;
}

}  // namespace

std::vector<Case> lesson_cases(Scale scale) {
  std::vector<Case> cases;
  for (const std::int64_t rows : {1, 4, 32, 256, 1024, 1536, 2048, 4096, 32768}) {
    cases.push_back(rows_again(rows, std::max<std::int64_t>(scale(1 << 17) / rows, 1)));
  }
  for (const std::int64_t step : {1, 2, 4, 8, 16, 32}) cases.push_back(every_nth(scale(std::int64_t{1} << 25), step));
  for (const int line : {33, 34, 36, 40, 32}) cases.push_back(transpose_with(scale(2048), line));
  ProductSteps(cases, scale(4096)).add_all();
  for (const int count : {1, 25, 100}) {
    for (const bool keeps_moving : {true, false}) cases.push_back(small_kernels(count, keeps_moving));
  }
  return cases;
}

}  // namespace hyperion::benchmark

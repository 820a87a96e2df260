#include "codegen/llvm/contraction.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "codegen/llvm/contraction_testing.hpp"
#include "codegen/llvm/llvm_internal.hpp"
#include "ir/support/float_formats.hpp"

namespace hyperion::codegen {
namespace {

// Storage of one operand, reached by its strides, with guard elements around it that must never be
// touched or used.
template <class T>
struct Tensor {
  std::vector<T> data;

  explicit Tensor(std::size_t size) : data(size) {}
  void fill(std::mt19937& random) {
    // Magnitudes vary widely, so that another order of summation shows.
    for (T& x : data) {
      x = static_cast<T>(std::ldexp(static_cast<double>(random() % 4001) - 2000.0,
                                    static_cast<int>(random() % 12) - 14));
    }
  }
};

template <class T>
std::int64_t extent_of(const ContractionSpec& spec, const std::vector<std::int64_t>& batch,
                       std::int64_t a, std::int64_t sa, std::int64_t b, std::int64_t sb) {
  std::int64_t last = (a - 1) * sa + (b - 1) * sb;
  for (std::size_t d = 0; d < batch.size(); ++d) last += (spec.batch[d] - 1) * batch[d];
  return last + 1;
}

std::int64_t batch_offset(const ContractionSpec& spec, const std::vector<std::int64_t>& strides,
                          std::int64_t index) {
  std::int64_t offset = 0;
  for (std::size_t d = spec.batch.size(); d-- > 0;) {
    offset += index % spec.batch[d] * strides[d];
    index /= spec.batch[d];
  }
  return offset;
}

template <class T>
void reference(const ContractionSpec& spec, const T* lhs, const T* rhs, T* out) {
  std::int64_t batches = 1;
  for (std::int64_t extent : spec.batch) batches *= extent;
  for (std::int64_t b = 0; b < batches; ++b) {
    const T* l = lhs + batch_offset(spec, spec.lhs.batch, b);
    const T* r = rhs + batch_offset(spec, spec.rhs.batch, b);
    T* o = out + batch_offset(spec, spec.outputs[0].batch, b);
    for (std::int64_t i = 0; i < spec.rows; ++i) {
      for (std::int64_t j = 0; j < spec.columns; ++j) {
        T& where = o[i * spec.outputs[0].row + j * spec.outputs[0].column];
        T acc = spec.accumulate ? where : T(0);
        for (std::int64_t k = 0; k < spec.depth; ++k) {
          acc = std::fma(l[i * spec.lhs.free + k * spec.lhs.depth],
                         r[k * spec.rhs.depth + j * spec.rhs.free], acc);
        }
        where = acc;
      }
    }
  }
}

template <class T>
void expect_exact(const ContractionSpec& spec, const ContractionSchedule& schedule,
                  const CpuTarget& target, unsigned seed) {
  std::mt19937 random(seed);
  const auto size = [&](const std::vector<std::int64_t>& batch, std::int64_t a, std::int64_t sa,
                        std::int64_t b, std::int64_t sb) {
    return static_cast<std::size_t>(
        std::max<std::int64_t>(extent_of<T>(spec, batch, a, sa, b, sb), 0));
  };
  Tensor<T> lhs(size(spec.lhs.batch, spec.rows, spec.lhs.free, spec.depth, spec.lhs.depth));
  Tensor<T> rhs(size(spec.rhs.batch, spec.columns, spec.rhs.free, spec.depth, spec.rhs.depth));
  Tensor<T> out(size(spec.outputs[0].batch, spec.rows, spec.outputs[0].row, spec.columns,
                     spec.outputs[0].column));
  lhs.fill(random), rhs.fill(random), out.fill(random);
  Tensor<T> expected = out;
  auto compiled = compile_contraction(spec, {}, schedule, target);
  ASSERT_TRUE(compiled) << compiled.error().text();
  reference(spec, lhs.data.data(), rhs.data.data(), expected.data.data());
  compiled->run_backwards({lhs.data.data(), rhs.data.data(), out.data.data()}, 1 + seed % 3);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < out.data.size(); ++i) {
    if (std::memcmp(&out.data[i], &expected.data[i], sizeof(T)) == 0) continue;
    if (++wrong > 3) continue;
    ADD_FAILURE() << "element " << i << ": " << out.data[i] << ", expected " << expected.data[i];
  }
  EXPECT_EQ(wrong, 0u) << spec.rows << "x" << spec.columns << "x" << spec.depth << " strides lhs "
                       << spec.lhs.free << "," << spec.lhs.depth << " rhs " << spec.rhs.free << ","
                       << spec.rhs.depth << ": " << compiled->plan().schedule.text();
}

ContractionSchedule random_schedule(std::mt19937& random, const CpuTarget& target,
                                    std::int64_t depth) {
  ContractionSchedule s;
  s.tile_vectors = 1 + static_cast<int>(random() % (target.vector_registers == 16 ? 2 : 4));
  const int most = (target.vector_registers - 2 - s.tile_vectors) / s.tile_vectors;
  s.tile_rows = 1 + static_cast<int>(random() % static_cast<unsigned>(std::min(most, 14)));
  s.unroll = 1 << random() % 3;
  s.depth_block = random() % 2 ? 0 : 1 + static_cast<std::int64_t>(random() % (depth + 2));
  s.block_row_tiles = 1 + static_cast<std::int64_t>(random() % 5);
  s.block_strips = 1 + static_cast<std::int64_t>(random() % 4);
  s.lhs = static_cast<LhsPacking>(random() % 2);
  s.rhs = static_cast<RhsPacking>(random() % 3);
  return s;
}

std::int64_t random_extent(std::mt19937& random) {
  static constexpr std::int64_t kOdd[] = {1, 1, 2, 3, 7, 15, 16, 17, 31, 33, 48, 65};
  return kOdd[random() % std::size(kOdd)];
}

class Contraction : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    target_ = *named_target(GetParam());
    if (!runs_here(target_)) GTEST_SKIP() << "this CPU cannot run " << GetParam();
  }
  CpuTarget target_;
};

TEST_P(Contraction, AnyShapeLayoutAndScheduleIsExact) {
  std::mt19937 random(1);
  for (unsigned seed = 0; seed < 60; ++seed) {
    const std::int64_t m = random_extent(random), n = random_extent(random);
    const std::int64_t k = random_extent(random);
    ContractionSpec spec = matmul_spec(DType::f32, m, n, k, random() % 2, random() % 2);
    spec.accumulate = random() % 4 == 0;
    spec.output_may_hold_partials = random() % 2;
    expect_exact<float>(spec, random_schedule(random, target_, k), target_, seed);
  }
}

TEST_P(Contraction, DoubleIsExact) {
  std::mt19937 random(2);
  for (unsigned seed = 0; seed < 10; ++seed) {
    const std::int64_t m = random_extent(random), n = random_extent(random);
    const std::int64_t k = random_extent(random);
    const ContractionSpec spec = matmul_spec(DType::f64, m, n, k, random() % 2, random() % 2);
    expect_exact<double>(spec, random_schedule(random, target_, k), target_, seed);
  }
}

TEST_P(Contraction, StridedAndBatched) {
  std::mt19937 random(3);
  for (unsigned seed = 0; seed < 12; ++seed) {
    ContractionSpec spec;
    spec.batch = {2, 3};
    spec.rows = 1 + static_cast<std::int64_t>(random() % 20);
    spec.columns = 1 + static_cast<std::int64_t>(random() % 40);
    spec.depth = 1 + static_cast<std::int64_t>(random() % 20);
    // [rows, batch 1, depth * 2], [batch 0, depth, columns * 3], [batch, columns, rows]
    spec.lhs = {0, DType::f32, 3 * 2 * spec.depth, 2, {0, 2 * spec.depth}, 0};
    spec.rhs = {1, DType::f32, 3, 3 * spec.columns, {3 * spec.columns * spec.depth, 0}, 0};
    if (seed % 3 == 0) spec.rhs.batch = {0, 0};
    spec.outputs = {
        {2, DType::f32, 1, spec.rows, {3 * spec.rows * spec.columns, spec.rows * spec.columns}, 0}};
    expect_exact<float>(spec, random_schedule(random, target_, spec.depth), target_, seed);
  }
}

TEST_P(Contraction, EmptyExtents) {
  for (auto [m, n, k] : {std::array{0, 5, 3}, std::array{5, 0, 3}, std::array{5, 3, 0},
                         std::array{0, 0, 0}, std::array{1, 1, 0}}) {
    for (int packing = 0; packing < 3; ++packing) {
      ContractionSchedule s;
      s.rhs = static_cast<RhsPacking>(packing);
      s.lhs = static_cast<LhsPacking>(packing % 2);
      expect_exact<float>(matmul_spec(DType::f32, m, n, k), s, target_, 0);
    }
  }
}

TEST_P(Contraction, ChosenSchedulesAreExact) {
  std::mt19937 random(4);
  for (auto [m, n, k] : {std::array{128, 10, 100}, std::array{1, 200, 300}, std::array{200, 1, 64},
                         std::array{37, 129, 600}, std::array{150, 150, 9}}) {
    for (int layout = 0; layout < 4; ++layout) {
      const ContractionSpec spec = matmul_spec(DType::f32, m, n, k, layout & 1, layout & 2);
      expect_exact<float>(spec, choose_schedule(spec, {}, target_, 2), target_, 1);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Contraction, testing::Values("host", "x86-64-v3"),
                         [](const auto& info) { return info.index == 0 ? "host" : "avx2"; });

}  // namespace
}  // namespace hyperion::codegen

// Random programs through random strict pipelines: the same bits before and after; and their derivatives against
// differences. HYPERION_RANDOM_PROGRAMS sets how many (1,000 unless told).
#include <gtest/gtest.h>

#include <cmath>

#include "ir/text/print.hpp"
#include "passes/autodiff/jvp.hpp"
#include "passes/autodiff/vjp.hpp"
#include "passes/pipelines.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/random_program.hpp"

namespace hyperion::passes {
namespace {

using testing_support::program_count;
using testing_support::random_arguments;
using testing_support::RandomProgram;

// Same bits, all NaNs being one.
bool same_bits(const LiteralPtr& a, const LiteralPtr& b) {
  if (a->type() != b->type()) return false;
  const std::vector<std::byte> x = a->dense_bytes(), y = b->dense_bytes();
  const DType dtype = a->type().dtype();
  const std::size_t size = byte_size(dtype);
  for (std::size_t at = 0; at < x.size(); at += size) {
    if (std::memcmp(x.data() + at, y.data() + at, size) == 0) continue;
    if (!is_floating(dtype)) return false;
    if (!std::isnan(element_to_double(dtype, x.data() + at)) || !std::isnan(element_to_double(dtype, y.data() + at))) {
      return false;
    }
  }
  return true;
}

Pipeline random_pipeline(std::mt19937_64& random) {
  if (random() % 3 == 0) return strict_pipeline();
  static const char* const names[] = {"canonicalize", "cse", "dce", "fold", "layout", "expand"};
  Pipeline pipeline;
  for (int k = 0; k < 4; ++k) pipeline.add(names[random() % 6]);
  return pipeline;
}

TEST(RandomPrograms, KeepEveryBitThroughStrictPipelines) {
  for (int seed = 1; seed <= program_count(); ++seed) {
    std::mt19937_64 random(static_cast<std::uint64_t>(seed));
    ir::Module module;
    RandomProgram(module, "f", random());
    const std::string text = ir::print(module);
    const auto arguments = random_arguments(*module.find("f"), random(), -2, 2);
    const auto before = testing_support::run(module, "f", arguments);
    const Pipeline pipeline = random_pipeline(random);
    Diagnostics diagnostics;
    ASSERT_TRUE(run(pipeline, module, diagnostics, {.verify_each = true}).has_value())
        << "seed " << seed << "\n" << pipeline.text() << "\n" << diagnostics.render() << text;
    const auto after = testing_support::run(module, "f", arguments);
    for (std::size_t k = 0; k < before.size(); ++k) {
      ASSERT_TRUE(same_bits(before[k], after[k])) << "seed " << seed << ", result " << k << "\n" << pipeline.text() << "\n"
                                                  << text << ir::print(module);
    }
  }
}

double inner_product(const LiteralPtr& a, const LiteralPtr& b) {
  const std::vector<std::byte> x = a->dense_bytes(), y = b->dense_bytes();
  double sum = 0;
  for (std::size_t at = 0; at < x.size(); at += 8) {
    sum += element_to_double(DType::f64, x.data() + at) * element_to_double(DType::f64, y.data() + at);
  }
  return sum;
}

// <y, f'(x) d> is <f'(x)ᵀ y, d>, after optimization too.
TEST(RandomPrograms, ForwardAndReverseModeAgree) {
  int compared = 0;
  for (int seed = 1; seed <= program_count() / 4; ++seed) {
    ir::Module module;
    RandomProgram(module, "f", static_cast<std::uint64_t>(seed), {.ops = 12, .dtypes = {DType::f64}, .smooth_only = true});
    const ir::Function& f = *module.find("f");
    const std::size_t parameters = f.parameters().size(), results = f.results().size();
    jvp(module, f, std::vector<bool>(parameters, true), "forward");
    vjp(module, f, std::vector<bool>(parameters, true), "reverse");
    Diagnostics diagnostics;
    ASSERT_TRUE(run(strict_pipeline(), module, diagnostics, {.verify_each = true}).has_value()) << diagnostics.render();
    const auto forward = random_arguments(*module.find("forward"), static_cast<std::uint64_t>(seed));
    auto reverse = random_arguments(*module.find("reverse"), static_cast<std::uint64_t>(seed) + 7);
    std::copy(forward.begin(), forward.begin() + static_cast<std::ptrdiff_t>(parameters), reverse.begin());
    const auto tangents = testing_support::run(module, "forward", forward);
    const auto cotangents = testing_support::run(module, "reverse", reverse);
    double one = 0, other = 0, scale = 1;
    for (std::size_t k = 0; k < results; ++k) {
      one += inner_product(tangents[results + k], reverse[parameters + k]);
      scale += std::sqrt(inner_product(tangents[results + k], tangents[results + k]));
    }
    for (std::size_t k = 0; k < parameters; ++k) {
      other += inner_product(cotangents[results + k], forward[parameters + k]);
      scale += std::sqrt(inner_product(cotangents[results + k], cotangents[results + k]));
    }
    if (!std::isfinite(scale)) continue;  // exp of exp of exp
    ++compared;
    ASSERT_NEAR(one / scale, other / scale, 1e-11) << "seed " << seed << "\n" << ir::print(module);
  }
  EXPECT_GT(compared, program_count() / 8);
}

}  // namespace
}  // namespace hyperion::passes

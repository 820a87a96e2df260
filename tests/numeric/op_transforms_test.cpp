// Every op's derivative, transpose and batching rule, on samples, through the interpreter.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "passes/autodiff/jvp.hpp"
#include "passes/autodiff/vjp.hpp"
#include "passes/batching/vmap.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/op_sampler.hpp"

namespace hyperion::testing_support {
namespace {

using ir::Function;
using ir::Module;
using ir::OpDefinition;

bool all_finite(std::span<const LiteralPtr> tensors) {
  for (const LiteralPtr& tensor : tensors) {
    for (double number : numbers(tensor)) {
      if (!std::isfinite(number)) return false;
    }
  }
  return true;
}

std::vector<bool> floating_operands(const OpSample& sample) {
  std::vector<bool> mask;
  for (const LiteralPtr& operand : sample.operands)
    mask.push_back(is_floating(operand->type().dtype()));
  return mask;
}

// A direction: a random tensor for each operand in the mask.
std::vector<LiteralPtr> directions(std::span<const LiteralPtr> arguments,
                                   const std::vector<bool>& mask, Random& random) {
  std::vector<LiteralPtr> tangents;
  for (std::size_t k = 0; k < mask.size(); ++k) {
    if (mask[k])
      tangents.push_back(
          random_literal(arguments[k]->type(), Values::ordinary, random.bits(), -1, 1));
  }
  return tangents;
}

std::vector<LiteralPtr> floating_only(std::span<const LiteralPtr> tensors) {
  std::vector<LiteralPtr> floating;
  for (const LiteralPtr& tensor : tensors) {
    if (is_floating(tensor->type().dtype())) floating.push_back(tensor);
  }
  return floating;
}

std::vector<LiteralPtr> shifted(std::span<const LiteralPtr> arguments,
                                const std::vector<bool>& mask, std::span<const LiteralPtr> tangents,
                                double step) {
  std::vector<LiteralPtr> moved(arguments.begin(), arguments.end());
  std::size_t next = 0;
  for (std::size_t k = 0; k < mask.size(); ++k) {
    if (!mask[k]) continue;
    std::vector<double> x = numbers(moved[k]);
    const std::vector<double> direction = numbers(tangents[next++]);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += step * direction[i];
    moved[k] = literal_of(moved[k]->type(), x);
  }
  return moved;
}

// Differentiable samples of an op: f64, smooth, with all floating operands moving.
std::vector<OpSample> smooth_samples(const OpDefinition& op, std::uint64_t seed) {
  return op_samples(op, {.dtype = DType::f64, .values = Values::smooth, .seed = seed, .count = 40});
}

// Its derivative is zero by decree, or nobody asks for it.
bool is_exempt(const OpDefinition& op) {
  return op.name == "stop_gradient" || op.name == "bitcast";
}

TEST(OpSamples, EveryOpHasSome) {
  for (const OpDefinition* op : sampled_ops()) {
    std::size_t count = 0;
    for (DType dtype : {DType::f64, DType::f32, DType::i32, DType::u32, DType::bool_}) {
      count += op_samples(*op, {.dtype = dtype}).size();
    }
    EXPECT_GE(count, 8u) << op->name;
  }
}

TEST(OpSamples, AreTheSameForTheSameSeed) {
  const OpDefinition& op = ir::op("dot");
  const std::vector<OpSample> a = op_samples(op), b = op_samples(op),
                              c = op_samples(op, {.seed = 2});
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t k = 0; k < a.size(); ++k) {
    EXPECT_EQ(a[k].text(), b[k].text());
    EXPECT_EQ(*a[k].operands[0], *b[k].operands[0]);
  }
  EXPECT_NE(a[0].text() + a[1].text(), c[0].text() + c[1].text());
}

// A function's jvp against central differences, in the direction of random tangents for the
// arguments in the mask.
void expect_derivative(Module& module, const Function& f, std::span<const LiteralPtr> arguments,
                       const std::vector<bool>& mask, Random& random) {
  const Function& derivative = passes::jvp(module, f, mask, module.unique_name("derivative"));
  const std::vector<LiteralPtr> tangents = directions(arguments, mask, random);
  std::vector<LiteralPtr> both(arguments.begin(), arguments.end());
  both.insert(both.end(), tangents.begin(), tangents.end());
  const std::vector<LiteralPtr> dual = evaluate(module, derivative, both);
  const std::span<const LiteralPtr> derived = std::span(dual).subspan(f.result_types().size());
  constexpr double kStep = 1e-6;
  const auto ahead = floating_only(evaluate(module, f, shifted(arguments, mask, tangents, kStep)));
  const auto behind =
      floating_only(evaluate(module, f, shifted(arguments, mask, tangents, -kStep)));
  ASSERT_EQ(derived.size(), ahead.size());
  for (std::size_t r = 0; r < derived.size(); ++r) {
    if (derived[r]->type().dtype() != DType::f64) continue;  // too coarse for differences
    const std::vector<double> exact = numbers(derived[r]), high = numbers(ahead[r]),
                              low = numbers(behind[r]);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      const double estimate = (high[i] - low[i]) / (2 * kStep);
      const double size = std::max({1.0, std::abs(exact[i]), std::abs(high[i])});
      ASSERT_NEAR(exact[i], estimate, 2e-6 * size) << "result " << r << ", element " << i;
    }
  }
}

TEST(OpTransforms, JvpIsTheDerivative) {
  for (const OpDefinition* op : sampled_ops()) {
    if (is_exempt(*op)) continue;
    Random random(11);
    for (const OpSample& sample : smooth_samples(*op, 3)) {
      const std::vector<bool> mask = floating_operands(sample);
      if (std::ranges::find(mask, true) == mask.end() || !all_finite(evaluate(sample))) continue;
      SCOPED_TRACE(sample.text());
      const std::unique_ptr<Module> module = function_of(sample);
      ASSERT_NO_FATAL_FAILURE(
          expect_derivative(*module, *module->find("sample"), sample.operands, mask, random));
    }
  }
}

// Forward over reverse: the derivative of the gradient, for ops that have one almost everywhere.
TEST(OpTransforms, TheGradientHasTheRightDerivative) {
  for (const OpDefinition* op : sampled_ops()) {
    if (is_exempt(*op) || !op->is_smooth || op->name == "while") continue;
    Random random(14);
    for (const OpSample& sample :
         op_samples(*op, {.dtype = DType::f64, .values = Values::smooth, .seed = 6, .count = 10})) {
      std::vector<bool> mask = floating_operands(sample);
      const std::vector<LiteralPtr> primals = floating_only(evaluate(sample));
      if (std::ranges::find(mask, true) == mask.end() || primals.empty() || !all_finite(primals))
        continue;
      SCOPED_TRACE(sample.text());
      const std::unique_ptr<Module> module = function_of(sample);
      const Function& gradient = passes::vjp(*module, *module->find("sample"), mask, "gradient");
      std::vector<LiteralPtr> arguments = sample.operands;
      for (const LiteralPtr& primal : primals) {
        arguments.push_back(random_literal(primal->type(), Values::ordinary, random.bits(), -1, 1));
      }
      mask.resize(arguments.size(), false);
      ASSERT_NO_FATAL_FAILURE(expect_derivative(*module, gradient, arguments, mask, random));
    }
  }
}

// <y, f'(x) dx> = <f'(x)^T y, dx>: every transpose rule, together with those its jvp is made of.
TEST(OpTransforms, VjpIsTheTransposeOfJvp) {
  for (const OpDefinition* op : sampled_ops()) {
    if (op->name == "while") continue;  // has no reverse mode
    Random random(12);
    for (const OpSample& sample : smooth_samples(*op, 4)) {
      std::vector<bool> mask = floating_operands(sample);
      for (std::size_t k = 0; k < mask.size(); ++k) mask[k] = mask[k] && random.chance(75);
      if (std::ranges::find(mask, true) == mask.end()) continue;
      const std::vector<LiteralPtr> primals = floating_only(evaluate(sample));
      if (primals.empty() || !all_finite(primals)) continue;
      SCOPED_TRACE(sample.text());
      const std::unique_ptr<Module> module = function_of(sample);
      const Function& f = *module->find("sample");
      const Function& forward = passes::jvp(*module, f, mask, "forward");
      const Function& reverse = passes::vjp(*module, f, mask, "reverse");
      const std::vector<LiteralPtr> tangents = directions(sample.operands, mask, random);
      std::vector<LiteralPtr> arguments = sample.operands;
      arguments.insert(arguments.end(), tangents.begin(), tangents.end());
      const std::vector<LiteralPtr> dual = evaluate(*module, forward, arguments);
      std::vector<LiteralPtr> cotangents;
      for (const LiteralPtr& primal : primals)
        cotangents.push_back(
            random_literal(primal->type(), Values::ordinary, random.bits(), -1, 1));
      arguments = sample.operands;
      arguments.insert(arguments.end(), cotangents.begin(), cotangents.end());
      const std::vector<LiteralPtr> back = evaluate(*module, reverse, arguments);
      const double left = inner_product(cotangents, std::span(dual).subspan(sample.results.size()));
      const double right = inner_product(tangents, std::span(back).subspan(sample.results.size()));
      ASSERT_NEAR(left, right, 1e-9 * std::max(1.0, std::abs(left)));
    }
  }
}

// vmap against a loop over the slices, to the bit.
TEST(OpTransforms, BatchingIsALoop) {
  for (const OpDefinition* op : sampled_ops()) {
    Random random(13);
    for (DType dtype : {DType::f32, DType::i32, DType::u32, DType::bool_}) {
      for (const OpSample& sample :
           op_samples(*op, {.dtype = dtype, .seed = 5, .count = dtype == DType::f32 ? 40 : 10})) {
        if (sample.operands.empty()) continue;
        const std::int64_t size = random.between(1, 3);
        std::vector<bool> batched;
        for (std::size_t k = 0; k < sample.operands.size(); ++k)
          batched.push_back(random.chance(60));
        batched[static_cast<std::size_t>(random.below(std::ssize(batched)))] = true;
        SCOPED_TRACE(sample.text());
        // Slice 0 is the sample itself; the others are samples of the same types: other elements,
        // cyclically.
        std::vector<std::vector<LiteralPtr>> slices(static_cast<std::size_t>(size),
                                                    sample.operands);
        std::vector<LiteralPtr> arguments = sample.operands;
        for (std::size_t k = 0; k < batched.size(); ++k) {
          if (!batched[k]) continue;
          std::vector<LiteralPtr> parts;
          for (auto& slice : slices) {
            std::vector<double> elements = numbers(sample.operands[k]);
            if (!elements.empty())
              std::ranges::rotate(elements, elements.begin() + random.below(std::ssize(elements)));
            if (elements.size() == 1 && is_integer(sample.operands[k]->type().dtype()))
              elements[0] += static_cast<double>(random.below(2));
            slice[k] = literal_of(sample.operands[k]->type(), elements);
            parts.push_back(slice[k]);
          }
          arguments[k] = stack(parts);
        }
        const std::unique_ptr<Module> module = function_of(sample);
        const Function& f = *module->find("sample");
        const Function& mapped = passes::vmap(*module, f, batched, size, "mapped");
        const std::vector<LiteralPtr> all = evaluate(*module, mapped, arguments);
        for (std::int64_t k = 0; k < size; ++k) {
          const std::vector<LiteralPtr> expected =
              evaluate(*module, f, slices[static_cast<std::size_t>(k)]);
          for (std::size_t r = 0; r < expected.size(); ++r) {
            ASSERT_EQ(difference(slice_of(all[r], k), expected[r]), "")
                << "result " << r << ", slice " << k;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace hyperion::testing_support

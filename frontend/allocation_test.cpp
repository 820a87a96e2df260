// How often a steady training step asks the heap for memory.
#include <gtest/gtest.h>

#include "frontend/hyperion.hpp"
#include "tests/support/allocations.hpp"

namespace hyperion {
namespace {

TEST(Allocations, OfASteadyStep) {
  const frontend::ScopedEngine engine({.kind = frontend::EngineKind::compiled, .use_disk_cache = false});
  const auto [k1, k2, k3] = random::split<3>(random::key(4));
  auto net = nn::sequential(nn::Linear::create(k1, 64, 128), nn::Relu{}, nn::Linear::create(k2, 128, 10));
  const Tensor x = random::normal(k3, {128, 64}).eval(), y = zeros({128}, DType::i32).eval();
  const optim::SGD rule{.momentum = 0.9};
  auto state = optim::start(rule, net, 0.01);
  const auto step = jit(
      [&](const auto& n, const auto& s, const Tensor& images, const Tensor& labels) {
        const auto loss = [&](const auto& inner) { return nn::cross_entropy(inner(images), labels); };
        return optim::update(rule, n, value_and_grad(loss)(n).gradient, s);
      },
      {.donate = {0, 1}});
  const auto run = [&] { std::tie(net, state) = step(std::exchange(net, {}), std::exchange(state, {}), x, y); };
  for (int k = 0; k < 3; ++k) run();

  // Handles and the nodes behind them are made anew for each step's results, the same number each time. What is
  // computed takes no memory at all: the largest piece is smaller than the smallest activation, f32[128, 10], all of them
  // together are smaller than one of the others, f32[128, 128], and the device asks the system for nothing.
  constexpr std::uint64_t kSmallestActivation = 128 * 10 * 4, kActivation = 128 * 128 * 4;
  std::uint64_t usual = 0;
  for (int k = 0; k < 10; ++k) {
    const std::uint64_t of_device = frontend::runtime_device(default_device())->memory().allocations;
    testing_support::start_counting_allocations();
    run();
    const testing_support::Allocations made = testing_support::allocations_since_start();
    EXPECT_LT(made.largest, kSmallestActivation);
    EXPECT_LT(made.bytes, kActivation);
    EXPECT_EQ(frontend::runtime_device(default_device())->memory().allocations, of_device);
    if (k > 0) {
      EXPECT_EQ(made.count, usual) << "step " << k;
    }
    usual = made.count;
  }
}

}  // namespace
}  // namespace hyperion

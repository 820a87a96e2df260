// How often a steady training step asks the heap for memory. This file replaces operator new for the
// whole test program, to count.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#include "frontend/hyperion.hpp"

namespace {

std::atomic<std::uint64_t> allocation_count{0}, allocated_bytes{0}, largest_allocation{0};

void* counted(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
  allocation_count.fetch_add(1, std::memory_order_relaxed);
  allocated_bytes.fetch_add(size, std::memory_order_relaxed);
  std::uint64_t largest = largest_allocation.load();
  while (size > largest && !largest_allocation.compare_exchange_weak(largest, size)) {
  }
  void* memory = nullptr;
  if (posix_memalign(&memory, std::max(alignment, sizeof(void*)), size) != 0) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new(std::size_t size, std::align_val_t alignment) { return counted(size, static_cast<std::size_t>(alignment)); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

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
    const std::uint64_t count = allocation_count, bytes = allocated_bytes;
    const std::uint64_t of_device = frontend::runtime_device(default_device())->memory().allocations;
    largest_allocation = 0;
    run();
    const std::uint64_t made = allocation_count - count;
    EXPECT_LT(largest_allocation, kSmallestActivation);
    EXPECT_LT(allocated_bytes - bytes, kActivation);
    EXPECT_EQ(frontend::runtime_device(default_device())->memory().allocations, of_device);
    if (k > 0) {
      EXPECT_EQ(made, usual) << "step " << k;
    }
    usual = made;
  }
}

}  // namespace
}  // namespace hyperion

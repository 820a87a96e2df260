// prelude_async.hpp: the instructions of sm_90a behind an AsyncProgram, one function each, and the place of a thread in
// it.
#pragma once

#include <string_view>

namespace hyperion::codegen {

// What every ring of stages needs, on sm_80 as well.
inline constexpr std::string_view kCudaRingPrelude = R"prelude(
// ---- a ring of stages in shared memory -------------------------------------------------------------------------

// A role's place in the ring of stages; the phase flips with every round.
template <int kStages>
struct Cursor {
  unsigned stage = 0, phase = 0;
  void advance() {
    if (++stage == kStages) stage = 0, phase ^= 1;
  }
  void skip(unsigned count) {
    const unsigned to = stage + count;
    phase ^= to / kStages & 1;
    stage = to % kStages;
  }
  // Of the stage `lag` behind.
  unsigned behind(unsigned lag) const { return (stage + kStages - lag) % kStages; }
};
)prelude";

inline constexpr std::string_view kCudaAsyncPrelude = R"prelude(
// ---- asynchronous copies and products (sm_90a) -----------------------------------------------------------------

struct alignas(64) TensorMap {
  unsigned long long words[16];
};

inline bool is_elected() {
  unsigned elected;
  asm volatile("{ .reg .pred p; elect.sync _|p, 0xffffffff; selp.u32 %0, 1, 0, p; }" : "=r"(elected));
  return elected != 0;
}
template <int kRegisters>
void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

inline void make_barrier(unsigned barrier, unsigned arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals));
}
inline void publish_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
inline void wait(unsigned barrier, unsigned phase) {
  asm volatile(
      "{ .reg .pred p;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n"
      "@p bra done;\n bra again;\n done: }" ::"r"(barrier), "r"(phase) : "memory");
}
inline void expect(unsigned barrier, unsigned bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
inline void arrive(unsigned barrier) { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory"); }
// What is given back was read by products that have been waited for: there is nothing to publish, so the scope is the
// block's. A release to the cluster would stall the warp until all its stores are seen: half the speed (docs/performance).
inline void arrive_at(unsigned barrier, unsigned block) {
  asm volatile(
      "{ .reg .b32 remote; mapa.shared::cluster.u32 remote, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [remote]; }" ::"r"(barrier), "r"(block) : "memory");
}
// Consumers' turns: named barriers, numbered from 1 (0 is __syncthreads').
inline void turn_wait(int consumer) { asm volatile("bar.sync %0, 256;" ::"r"(1 + consumer) : "memory"); }
inline void turn_pass(int consumer) { asm volatile("bar.arrive %0, 256;" ::"r"(1 + consumer) : "memory"); }

inline void prefetch(const TensorMap& map) { asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory"); }
inline void load_tile(unsigned to, const TensorMap& map, unsigned barrier, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(to),
               "l"(&map), "r"(barrier), "r"(x), "r"(y) : "memory");
}
inline void load_tile(unsigned to, const TensorMap& map, unsigned barrier, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(to),
               "l"(&map), "r"(barrier), "r"(x), "r"(y), "r"(z) : "memory");
}
inline void load_tile(unsigned to, const TensorMap& map, unsigned barrier, int x, int y, int z, int w) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(to),
               "l"(&map), "r"(barrier), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}
// Channels from `channel` on of one pixel of each of many windows: of the one that begins at (x, y) of that image, and of those
// after it. `across` and `down` say which pixel.
inline void load_pixels(unsigned to, const TensorMap& map, unsigned barrier, int channel, int x, int y, int image, int across, int down) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(to),
               "l"(&map), "r"(barrier), "r"(channel), "r"(x), "r"(y), "r"(image), "h"(static_cast<unsigned short>(across)),
               "h"(static_cast<unsigned short>(down)) : "memory");
}
// Into the same place of every block of the cluster whose bit is set.
inline void load_tile_for(unsigned short blocks, unsigned to, const TensorMap& map, unsigned barrier, int x, int y) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;" ::"r"(to),
      "l"(&map), "r"(barrier), "r"(x), "r"(y), "h"(blocks) : "memory");
}
inline void load_tile_for(unsigned short blocks, unsigned to, const TensorMap& map, unsigned barrier, int x, int y, int z) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%3, %4, %5}], [%2], %6;" ::"r"(to),
      "l"(&map), "r"(barrier), "r"(x), "r"(y), "r"(z), "h"(blocks) : "memory");
}
inline void load_tile_for(unsigned short blocks, unsigned to, const TensorMap& map, unsigned barrier, int x, int y, int z, int w) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], [%1, {%3, %4, %5, %6}], [%2], %7;" ::"r"(to),
      "l"(&map), "r"(barrier), "r"(x), "r"(y), "r"(z), "r"(w), "h"(blocks) : "memory");
}

// Results: fragments of 16 rows and columns into a swizzled tile, made visible to the accelerator, and stored by it from
// there. The thread that asked for stores is the one that waits until they have read their memory.
inline void store_matrices(unsigned to, const unsigned (&words)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(words[0]), "r"(words[1]),
               "r"(words[2]), "r"(words[3]) : "memory");
}
template <class E>
unsigned pair_of(const E (&elements)[2]) {
  return elements[0].bits | static_cast<unsigned>(elements[1].bits) << 16;
}
template <class E>
unsigned rounded_pair(const float (&sums)[2]);
template <>
inline unsigned rounded_pair<BF16>(const float (&sums)[2]) {
  unsigned word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(sums[1]), "f"(sums[0]));
  return word;
}
template <>
inline unsigned rounded_pair<F16>(const float (&sums)[2]) {
  unsigned word;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(sums[1]), "f"(sums[0]));
  return word;
}
inline void publish_to_stores() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
inline void store_tile(const TensorMap& map, unsigned from, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%2, %3}], [%1];" ::"l"(&map), "r"(from),
               "r"(x), "r"(y) : "memory");
}
inline void store_tile(const TensorMap& map, unsigned from, int x, int y, int z) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(&map), "r"(from),
               "r"(x), "r"(y), "r"(z) : "memory");
}
inline void stores_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }
template <int kPending>
void stores_wait() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(kPending) : "memory");
}

// A tile as the tensor cores read it: rows of 128 bytes, swizzled. `leading`: bytes between neighbouring blocks of 64
// elements along rows or columns, where those, not depth, lie together in memory.
inline unsigned long long describe_tile(unsigned address, unsigned leading) {
  return static_cast<unsigned long long>((address & 0x3ffffu) >> 4) | static_cast<unsigned long long>(leading >> 4) << 16 |
         static_cast<unsigned long long>(1024 >> 4) << 32 | 1ull << 62;
}
inline void products_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
inline void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kPending>
void products_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}
)prelude";

}  // namespace hyperion::codegen

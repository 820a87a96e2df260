// prelude_dense.hpp: products of matrices on the processors' own arithmetic units. Like prelude_contraction.hpp, for
// factors whose every element exists and lies at row * stride + k * stride: what is brought, and when, is then known
// before.
#pragma once

#include <string_view>

namespace hyperion::codegen {

inline constexpr std::string_view kCudaDensePrelude = R"prelude(
// ---- dense products on FMA units -------------------------------------------------------------------------------

template <class A, class B>
constexpr bool is_same = false;
template <class A>
constexpr bool is_same<A, A> = true;

// One factor: T elements, `kFreeStride` apart along the result's rows or columns and `kDepthStride` along depth; those from
// `kExtent` on do not exist. `kAligned`: lines that run along the result begin at multiples of 16 bytes.
template <class T_, std::int64_t kFreeStride_, std::int64_t kDepthStride_, int kExtent_, bool kAligned_>
struct Factor {
  using T = T_;
  static constexpr std::int64_t kFreeStride = kFreeStride_, kDepthStride = kDepthStride_;
  static constexpr int kExtent = kExtent_;
  static constexpr bool kAligned = kAligned_;
  const T* elements;
};

// How a thread brings its elements of a factor's tile, kDepth x kFree, to shared memory, where lines are kLine elements apart:
// neighbours in memory by neighbouring threads. Steps are brought in order, from the first on. All distances between a thread's
// elements are constants: what is left to compute in a step is where it begins.
template <class Factor, class Sum, int kFree, int kLine, int kDepth, int kThreads>
struct Feed {
  using T = typename Factor::T;
  static constexpr bool kIsAsync = kHasAsyncCopies && is_same<T, Sum> && sizeof(Sum) >= 4;
  static constexpr bool kAlongDepth = Factor::kDepthStride == 1 && Factor::kFreeStride != 1;
  static constexpr int kChunk = kIsAsync && !kAlongDepth && Factor::kFreeStride == 1 && Factor::kAligned ? 16 / sizeof(Sum) : 1;
  static constexpr int kAcross = kFree / kChunk, kEach = kAcross * kDepth / kThreads, kBytes = kChunk * static_cast<int>(sizeof(T));
  static_assert(kEach > 0 && (kAlongDepth ? kThreads % kDepth == 0 : kThreads % kAcross == 0 || kAcross % kThreads == 0));

  // From the thread's first element to element i.
  static constexpr int deeper(int i) { return kAlongDepth ? 0 : i * kThreads / kAcross; }
  static constexpr int aside(int i) { return kAlongDepth ? i * kThreads / kDepth : i * kThreads % kAcross * kChunk; }

  const T* from;
  int k, place;  // of the first element: in depth, and in a stage of shared memory
  int exists[kEach];  // bytes of each that are within the factor
  bool all_exist;     // whatever thread asks
  T next[kEach];

  Feed(const Factor& factor, int first_free, int begin, int thread) {
    k = kAlongDepth ? thread % kDepth : thread / kAcross;
    const int free = kAlongDepth ? thread / kDepth : thread % kAcross * kChunk;
    from = factor.elements + (first_free + free) * Factor::kFreeStride + (begin + k) * Factor::kDepthStride;
    place = k * kLine + free;
    HYP_EACH(i, kEach) exists[i] = min(max(Factor::kExtent - first_free - free - aside(i), 0), kChunk) * static_cast<int>(sizeof(T));
    all_exist = first_free + kFree <= Factor::kExtent;
  }
  // Begins to bring the next step, of which `count` elements of depth exist.
  void start(Sum* stage, int count) {
    if (all_exist && count >= kDepth) bring<true>(stage, count);
    else bring<false>(stage, count);
    from += kDepth * Factor::kDepthStride;
  }
  template <bool kAll>
  void bring(Sum* stage, int count) {
    unsigned to = 0;
    if constexpr (kIsAsync) to = shared_address(stage + place);
    HYP_EACH(i, kEach) {
      const bool is_there = kAll || (k + deeper(i) < count && exists[i] > 0);
      const T* const source = from + (aside(i) * Factor::kFreeStride + deeper(i) * Factor::kDepthStride);
      if constexpr (kIsAsync) {
        copy_async<kBytes>(to + (deeper(i) * kLine + aside(i)) * static_cast<int>(sizeof(T)), is_there ? source : from, kAll ? kBytes : is_there ? exists[i] : 0);
      } else {
        next[i] = is_there ? *source : T(0);
      }
    }
  }
  // What copies do not do by themselves.
  void finish(Sum* stage) {
    if constexpr (!kIsAsync) HYP_EACH(i, kEach) stage[place + deeper(i) * kLine + aside(i)] = Sum(next[i]);
  }
};

// As contract_fma, of which a tile's shape and what `finish` and kParts mean are taken.
template <class Sum, class Lhs, class Rhs, class Tile, int kParts, class Finish>
void contract_dense(const Lhs& lhs_factor, const Rhs& rhs_factor, int first_row, int first_column, int begin, int end, Finish finish) {
  constexpr int kPad = 4;
  using LhsFeed = Feed<Lhs, Sum, Tile::kRows, Tile::kRows + kPad, Tile::kDepth, Tile::kThreads>;
  using RhsFeed = Feed<Rhs, Sum, Tile::kColumns, Tile::kColumns + kPad, Tile::kDepth, Tile::kThreads>;
  constexpr int kStageBytes = Tile::kDepth * (Tile::kRows + Tile::kColumns + 2 * kPad) * static_cast<int>(sizeof(Sum));
  constexpr int kStages = LhsFeed::kIsAsync && RhsFeed::kIsAsync ? (4 * kStageBytes <= 49152 ? 4 : 3) : 2;
  constexpr int kAhead = LhsFeed::kIsAsync && RhsFeed::kIsAsync ? kStages - 1 : 1;
  struct Factors {
    alignas(16) Sum lhs[kStages][Tile::kDepth][Tile::kRows + kPad];
    alignas(16) Sum rhs[kStages][Tile::kDepth][Tile::kColumns + kPad];
  };
  __shared__ union Memory {
    Factors factors;
    Partials<Sum, Tile, kParts> partials;
  } memory;
  const int thread = static_cast<int>(threadIdx.x), tx = thread % 16, ty = thread / 16;
  TileSums<Sum, Tile> sums;
  HYP_EACH(g, Tile::kRowGroups) HYP_EACH(r, 4) HYP_EACH(h, Tile::kColumnGroups) HYP_EACH(l, Tile::kLanes) sums.at[g][r][h][l] = 0;
  LhsFeed lhs(lhs_factor, first_row, begin, thread);
  RhsFeed rhs(rhs_factor, first_column, begin, thread);
  const int steps = (end - begin + Tile::kDepth - 1) / Tile::kDepth;
  const auto start = [&](int step) {
    const int count = end - begin - step * Tile::kDepth;
    lhs.start(&memory.factors.lhs[step % kStages][0][0], count);
    rhs.start(&memory.factors.rhs[step % kStages][0][0], count);
  };
  const auto finish_start = [&](int step) {
    lhs.finish(&memory.factors.lhs[step % kStages][0][0]);
    rhs.finish(&memory.factors.rhs[step % kStages][0][0]);
  };
  const auto multiply = [&](int stage, int k) {
    Sum a[Tile::kRowGroups][4], b[Tile::kColumnGroups][Tile::kLanes];
    HYP_EACH(g, Tile::kRowGroups) HYP_EACH(r, 4) a[g][r] = memory.factors.lhs[stage][k][g * 64 + ty * 4 + r];
    HYP_EACH(h, Tile::kColumnGroups) HYP_EACH(l, Tile::kLanes) b[h][l] = memory.factors.rhs[stage][k][h * 16 * Tile::kLanes + tx * Tile::kLanes + l];
    HYP_EACH(g, Tile::kRowGroups) HYP_EACH(r, 4) HYP_EACH(h, Tile::kColumnGroups) HYP_EACH(l, Tile::kLanes)
      sums.at[g][r][h][l] = fma(a[g][r], b[h][l], sums.at[g][r][h][l]);
  };
  HYP_EACH(step, kAhead) {
    if (step < steps) {
      start(step);
      finish_start(step);
    }
    copies_commit();
  }
  for (int step = 0; step < steps; ++step) {
    copies_wait<kAhead - 1>();
    __syncthreads();  // this step's factors are there, and those of the one before are no longer needed
    const int coming = step + kAhead;
    if (coming < steps) start(coming);
    copies_commit();
    const int stage = step % kStages, count = end - begin - step * Tile::kDepth;
    if (count >= Tile::kDepth) {
#pragma unroll 8
      for (int k = 0; k < Tile::kDepth; ++k) multiply(stage, k);
    } else {
      // Beyond the end nothing is added: not even zero, which would turn -0 into 0.
      for (int k = 0; k < count; ++k) multiply(stage, k);
    }
    if (coming < steps) finish_start(coming);
  }
  copies_wait<0>();
  finish_tile<Tile, kParts>(sums, memory.partials, first_row, first_column, finish);
}
)prelude";

}  // namespace hyperion::codegen

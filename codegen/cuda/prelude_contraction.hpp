// prelude_contraction.hpp: the loop nests behind `contract` and `convolve` on the processors' own arithmetic units.
// What is summed comes as a description, what happens to the sums as a function.
#pragma once

#include <string_view>

namespace hyperion::codegen {

inline constexpr std::string_view kCudaContractionPrelude = R"prelude(
// ---- contractions on FMA units ---------------------------------------------------------------------------------

// How a block shares out its part of the result: kRows x kColumns elements, of which each thread sums kRowGroups x
// kColumnGroups squares of 4 rows and L columns. Depth is walked in steps of kDepth, through shared memory.
template <int kRowGroups_, int kColumnGroups_, int kDepth_, int kLanes_>
struct FmaTile {
  static constexpr int kRowGroups = kRowGroups_, kColumnGroups = kColumnGroups_, kDepth = kDepth_, kLanes = kLanes_;
  static constexpr int kThreads = 256;  // 16 x 16
  static constexpr int kRows = 64 * kRowGroups, kColumns = 16 * kLanes * kColumnGroups;
};

template <class Sum>
bool is_finite(Sum x) {
  return x - x == 0;
}

// What a thread sums, and what a block's threads have summed.
template <class Sum, class Tile>
struct TileSums {
  Sum at[Tile::kRowGroups][4][Tile::kColumnGroups][Tile::kLanes];
};
template <class Sum, class Tile, int kParts>
struct Partials {
  alignas(16) Sum at[kParts > 1 ? Tile::kRows : 1][Tile::kColumns];
};

// `finish(sums, row, column)` is called by each thread for each of its vectors of kLanes sums. With kParts > 1 that many blocks
// of a cluster have summed parts of depth each; each finishes its share of the tile, adding up what all of them left in shared
// memory, from the first part on. `partials` may lie where the factors were.
template <class Tile, int kParts, class Sum, class Finish>
void finish_tile(const TileSums<Sum, Tile>& sums, Partials<Sum, Tile, kParts>& partials, int first_row, int first_column, Finish finish) {
  const int thread = static_cast<int>(threadIdx.x), tx = thread % 16, ty = thread / 16;
  if constexpr (kParts == 1) {
    HYP_EACH(g, Tile::kRowGroups) HYP_EACH(r, 4) HYP_EACH(h, Tile::kColumnGroups) {
      finish(sums.at[g][r][h], first_row + g * 64 + ty * 4 + r, first_column + h * 16 * Tile::kLanes + tx * Tile::kLanes);
    }
  } else {
    __syncthreads();  // the last factors have been read
    HYP_EACH(g, Tile::kRowGroups) HYP_EACH(r, 4) HYP_EACH(h, Tile::kColumnGroups) HYP_EACH(l, Tile::kLanes) {
      partials.at[g * 64 + ty * 4 + r][h * 16 * Tile::kLanes + tx * Tile::kLanes + l] = sums.at[g][r][h][l];
    }
    cluster_barrier();
    constexpr int kAcross = Tile::kColumns / Tile::kLanes, kVectors = Tile::kRows * kAcross, kEach = kVectors / kParts;
    const int rank = static_cast<int>(rank_in_cluster());
    for (int v = thread; v < kEach; v += Tile::kThreads) {
      const int row = (rank * kEach + v) / kAcross, column = (rank * kEach + v) % kAcross * Tile::kLanes;
      Sum total[Tile::kLanes];
      HYP_EACH(l, Tile::kLanes) total[l] = 0;
      HYP_EACH(part, kParts) {
        const auto* const from = of_block(reinterpret_cast<const Chunk<Sum, Tile::kLanes>*>(&partials.at[row][column]), part);
        const Chunk<Sum, Tile::kLanes> sums_of_part = *from;
        HYP_EACH(l, Tile::kLanes) total[l] = total[l] + sums_of_part.at[l];
      }
      finish(total, first_row + row, first_column + column);
    }
    cluster_leave();  // before that, others still read what is here
  }
}

// Problem: Sum, kDepth, and for a block at (row, column)
//   lhs(buffer, row, k), rhs(buffer, k, column)   the factors; zero where row or column is beyond the end, k is not
//   kLhsAlongDepth, kRhsAlongDepth                whether neighbours in memory are neighbours in depth
//   kHasHoles, has(row, k)                        whether elements of lhs may be missing; those are read as zero
// A missing element adds nothing. Zero times a finite number adds nothing either; where a tile of rhs has others, missing
// elements are left out one by one.
// Depth runs from `begin` to `end`; finish_tile says what becomes of the sums.
template <class Problem, class Tile, int kParts, class Finish>
void contract_fma(const Problem& problem, int first_row, int first_column, int begin, int end, Finish finish) {
  using Sum = typename Problem::Sum;
  constexpr int kPad = 4;
  struct Factors {
    alignas(16) Sum lhs[2][Tile::kDepth][Tile::kRows + kPad];
    alignas(16) Sum rhs[2][Tile::kDepth][Tile::kColumns + kPad];
  };
  // Never both at once.
  __shared__ union Memory {
    Factors factors;
    Partials<Sum, Tile, kParts> partials;
  } memory;
  auto& lhs = memory.factors.lhs;
  auto& rhs = memory.factors.rhs;
  constexpr int kLhsEach = Tile::kRows * Tile::kDepth / Tile::kThreads, kRhsEach = Tile::kColumns * Tile::kDepth / Tile::kThreads;
  const int thread = static_cast<int>(threadIdx.x), tx = thread % 16, ty = thread / 16;
  TileSums<Sum, Tile> sums;
  HYP_EACH(g, Tile::kRowGroups) HYP_EACH(r, 4) HYP_EACH(h, Tile::kColumnGroups) HYP_EACH(l, Tile::kLanes) sums.at[g][r][h][l] = 0;

  // Element number i of a tile that this thread moves: neighbours in memory go to neighbouring threads.
  const auto lhs_place = [&](int i, int& k, int& row) {
    const int e = i * Tile::kThreads + thread;
    if constexpr (Problem::kLhsAlongDepth) k = e % Tile::kDepth, row = e / Tile::kDepth;
    else row = e % Tile::kRows, k = e / Tile::kRows;
  };
  const auto rhs_place = [&](int i, int& k, int& column) {
    const int e = i * Tile::kThreads + thread;
    if constexpr (Problem::kRhsAlongDepth) k = e % Tile::kDepth, column = e / Tile::kDepth;
    else column = e % Tile::kColumns, k = e / Tile::kColumns;
  };
  Sum next_lhs[kLhsEach], next_rhs[kRhsEach];
  const auto fetch = [&](int from) {
    HYP_EACH(i, kLhsEach) {
      int k, row;
      lhs_place(i, k, row);
      next_lhs[i] = from + k < end ? problem.lhs(first_row + row, from + k) : Sum(0);
    }
    HYP_EACH(i, kRhsEach) {
      int k, column;
      rhs_place(i, k, column);
      next_rhs[i] = from + k < end ? problem.rhs(from + k, first_column + column) : Sum(0);
    }
  };
  const auto keep = [&](int stage) {
    HYP_EACH(i, kLhsEach) {
      int k, row;
      lhs_place(i, k, row);
      lhs[stage][k][row] = next_lhs[i];
    }
    HYP_EACH(i, kRhsEach) {
      int k, column;
      rhs_place(i, k, column);
      rhs[stage][k][column] = next_rhs[i];
    }
  };
  // Whether a number of the tile is not finite; that is known when all threads have kept theirs.
  const auto wait = [&] {
    bool is_odd = false;
    if constexpr (Problem::kHasHoles) {
      HYP_EACH(i, kRhsEach) is_odd |= !is_finite(next_rhs[i]);
      return __syncthreads_or(is_odd) != 0;
    } else {
      __syncthreads();
      return false;
    }
  };
  const auto multiply_present = [&](int stage, int from, int k) {
    if constexpr (Problem::kHasHoles) {
      HYP_EACH(g, Tile::kRowGroups) HYP_EACH(r, 4) {
        const int row = g * 64 + ty * 4 + r;
        if (!problem.has(first_row + row, from + k)) continue;
        HYP_EACH(h, Tile::kColumnGroups) HYP_EACH(l, Tile::kLanes) {
          sums.at[g][r][h][l] = fma(lhs[stage][k][row], rhs[stage][k][h * 16 * Tile::kLanes + tx * Tile::kLanes + l], sums.at[g][r][h][l]);
        }
      }
    }
  };
  const auto multiply = [&](int stage, int k) {
    Sum a[Tile::kRowGroups][4], b[Tile::kColumnGroups][Tile::kLanes];
    HYP_EACH(g, Tile::kRowGroups) HYP_EACH(r, 4) a[g][r] = lhs[stage][k][g * 64 + ty * 4 + r];
    HYP_EACH(h, Tile::kColumnGroups) HYP_EACH(l, Tile::kLanes) b[h][l] = rhs[stage][k][h * 16 * Tile::kLanes + tx * Tile::kLanes + l];
    HYP_EACH(g, Tile::kRowGroups) HYP_EACH(r, 4) HYP_EACH(h, Tile::kColumnGroups) HYP_EACH(l, Tile::kLanes)
      sums.at[g][r][h][l] = fma(a[g][r], b[h][l], sums.at[g][r][h][l]);
  };

  if (begin < end) {
    fetch(begin);
    keep(0);
    bool is_odd = wait();
    int stage = 0;
    for (int from = begin; from < end; from += Tile::kDepth) {
      const bool has_more = from + Tile::kDepth < end;
      if (has_more) fetch(from + Tile::kDepth);
      if (is_odd) {
        const int count = min(Tile::kDepth, end - from);
        for (int k = 0; k < count; ++k) multiply_present(stage, from, k);
      } else if (from + Tile::kDepth <= end) {
        // Written out eight times: more takes longer to compile and runs no faster.
#pragma unroll 8
        for (int k = 0; k < Tile::kDepth; ++k) multiply(stage, k);
      } else {
        // Beyond the end nothing is added: not even zero, which would turn -0 into 0.
        for (int k = 0; k < end - from; ++k) multiply(stage, k);
      }
      if (has_more) {
        keep(stage ^ 1);
        is_odd = wait();
      }
      stage ^= 1;
    }
  }
  finish_tile<Tile, kParts>(sums, memory.partials, first_row, first_column, finish);
}
)prelude";

}  // namespace hyperion::codegen

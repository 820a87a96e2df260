// prelude_scatter.hpp: lines of a tensor that collect their updates, in the order of the updates. Behind
// prelude_sort.hpp, in files with such a kernel.
//
// A block owns some lines. It reads all indices, keeps those that are its lines' in order, and sorts them by line; then
// each thread takes a piece of a line through all of the line's updates, in registers. Atomics fill a set of bits and a
// list whose order nothing depends on; no sum is one.
//
// Why every block reads every index: they are few beside the lines, lie in the second-level cache, and stay in order; a
// table of who belongs where would be a second kernel, and memory to clear. And why sort: so that an update is looked for
// by its line's threads alone.
#pragma once

#include <string_view>

namespace hyperion::codegen {

// Each thread finds eight updates at once: 4096 of a block, numbered by the 12 bits of kPlaceBits below.
inline constexpr int kMostUpdateThreads = 512;

inline constexpr std::string_view kCudaScatterPrelude = R"prelude(
// ---- lines that collect their updates ---------------------------------------------------------------------------

// A key is a line's number within the block, and the place where its update was found. No two are equal, so sorting
// keeps the order of a line's updates whichever way it is done.
constexpr int kPlaceBits = 12;
constexpr unsigned kPlaces = (1u << kPlaceBits) - 1;
inline int line_of(unsigned key) { return static_cast<int>(key >> kPlaceBits); }

// Into the second-level cache.
inline void prefetch_line(const void* from) { asm volatile("prefetch.global.L2 [%0];" ::"l"(from)); }

// The lines of block number `block` of kBlocks: groups of kGroup neighbouring lines are dealt out by turns, so that lines
// which many updates are for, often the first ones, meet in no one block.
template <int kLength, int kBlocks, int kGroup>
struct OwnLines {
  static constexpr int kRows = kLength;
  static constexpr int kGroups = (kLength + kGroup - 1) / kGroup, kMost = (kGroups + kBlocks - 1) / kBlocks * kGroup;
  int block;

  // Number of a row among these lines; -1: it is another block's.
  int line_of_row(std::int64_t row) const {
    if (row < 0 || row >= kLength) return -1;
    const int at = static_cast<int>(row), group = at / kGroup;
    return group % kBlocks == block ? group / kBlocks * kGroup + at % kGroup : -1;
  }
  int row_of_line(int line) const { return (line / kGroup * kBlocks + block) * kGroup + line % kGroup; }
};

template <int T, int kLines>
struct FoundUpdates {
  static constexpr int kEach = 8, kMost = T * kEach;
  static_assert(kMost <= 1 << kPlaceBits && kLines <= 1 << (32 - kPlaceBits));
  unsigned keys[kMost];
  int positions[kMost];
  unsigned short firsts[kMost];  // among the sorted keys, those at which a line begins
  int first_count;
  unsigned updated[(kLines + 31) / 32];  // a bit for each line
  int totals[2][T / 32];
};

// Goes on from position `at` while what is found has room; at least a step. Returns how many were found.
template <int T, class Lines, class Index>
int find_updates(FoundUpdates<T, Lines::kMost>& found, int& at, int positions, Lines lines, Index index) {
  constexpr int kEach = FoundUpdates<T, Lines::kMost>::kEach;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  int count = 0;
  for (int step = 0; at < positions; ++step, at += T * kEach) {
    const int begin = at + warp * 32 * kEach + lane;
    std::int64_t row[kEach];
    HYP_EACH(i, kEach) row[i] = begin + 32 * i < positions ? index(begin + 32 * i) : -1;
    int line[kEach];
    unsigned hits[kEach];
    int total = 0;
    HYP_EACH(i, kEach) {
      line[i] = lines.line_of_row(row[i]);
      hits[i] = __ballot_sync(~0u, line[i] >= 0);
      total += __popc(hits[i]);
    }
    // By turns in two places: who writes to one has seen all others leave it, at the barrier of the step between.
    if (lane == 0) found.totals[step % 2][warp] = total;
    __syncthreads();
    int place = count, all = 0;
    HYP_EACH(w, T / 32) {
      const int of_warp = found.totals[step % 2][w];
      place += w < warp ? of_warp : 0;
      all += of_warp;
    }
    if (count + all > T * kEach) break;
    HYP_EACH(i, kEach) {
      if (line[i] >= 0) {
        const int mine = place + __popc(hits[i] & ((1u << lane) - 1));
        found.keys[mine] = static_cast<unsigned>(line[i]) << kPlaceBits | static_cast<unsigned>(mine);
        found.positions[mine] = begin + 32 * i;
        atomicOr(&found.updated[line[i] / 32], 1u << line[i] % 32);
      }
      place += __popc(hits[i]);
    }
    count += all;
  }
  return count;
}

// The lines that a block has of `output`, whose first line is number 0. kLastOnly: an update does not look at what was
// there before. `prefetch` asks for what an update reads.
template <int T, int kVectors, int C, bool kLastOnly, class E, class Lines, class Index, class Element, class Prefetch,
          class Update, class Combine>
void scatter_lines(E* output, int positions, Lines lines, FoundUpdates<T, Lines::kMost>& found, Index index,
                   Element element, Prefetch prefetch, Update update, Combine combine) {
  const int thread = static_cast<int>(threadIdx.x);
  const auto place = [&](int line, int column) {
    return output + (std::int64_t(lines.row_of_line(line)) * (kVectors * C) + column);
  };
  for (int w = thread; w < (Lines::kMost + 31) / 32; w += T) found.updated[w] = 0;
  __syncthreads();
  int at = 0;
  do {
    const bool is_first = at == 0;
    if (thread == 0) found.first_count = 0;
    const int count = find_updates(found, at, positions, lines, index);
    sort_keys<T>(found.keys, count, ~0u);
    for (int k = thread; k < count; k += T) {
      if (k == 0 || line_of(found.keys[k]) != line_of(found.keys[k - 1]))
        found.firsts[atomicAdd(&found.first_count, 1)] = static_cast<unsigned short>(k);
    }
    // A line's updates are read one after another; all are under way to the second-level cache by then.
    constexpr int kPieces = (kVectors * C * static_cast<int>(sizeof(E)) + 127) / 128;
    for (int item = thread; item < count * kPieces; item += T)
      prefetch(found.positions[item / kPieces], item % kPieces * (128 / static_cast<int>(sizeof(E))));
    __syncthreads();
    for (int item = thread; item < found.first_count * kVectors; item += T) {
      const int begin = found.firsts[item / kVectors], column = item % kVectors * C, line = line_of(found.keys[begin]);
      int end = begin + 1, beyond = count;
      while (end < beyond) {
        const int middle = (end + beyond) / 2;
        if (line_of(found.keys[middle]) == line) end = middle + 1;
        else beyond = middle;
      }
      E* const to = place(line, column);
      E state[C];
      if (is_first) element(lines.row_of_line(line), column, state);
      else load_chunk<C>(state, to);
      // So many reads are under way at once: nothing else hides how far memory is.
      constexpr int kAhead = 8;
      int k = kLastOnly ? end - 1 : begin;
      for (; k + kAhead <= end; k += kAhead) {
        E read[kAhead][C];
        HYP_EACH(j, kAhead) update(found.positions[found.keys[k + j] & kPlaces], column, read[j]);
        HYP_EACH(j, kAhead) combine(state, read[j]);
      }
      for (; k < end; ++k) {
        E read[C];
        update(found.positions[found.keys[k] & kPlaces], column, read);
        combine(state, read);
      }
      store_chunk<C>(state, to);
    }
    if (is_first) {
      for (int item = thread; item < Lines::kMost * kVectors; item += T) {
        const int line = item / kVectors, column = item % kVectors * C;
        if ((found.updated[line / 32] >> line % 32 & 1) != 0) continue;
        if (lines.row_of_line(line) >= Lines::kRows) continue;
        E state[C];
        element(lines.row_of_line(line), column, state);
        store_chunk<C>(state, place(line, column));
      }
    }
    // Keys and lines are next written and read by others.
    __syncthreads();
  } while (at < positions);
}
)prelude";

}  // namespace hyperion::codegen

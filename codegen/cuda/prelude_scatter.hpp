// prelude_scatter.hpp: lines of a tensor that collect their updates, in the order of the updates. Behind
// prelude_launch.hpp, in files with such a kernel.
//
// A block owns neighbouring lines. It reads all indices, keeps those that are its lines' in order, and sorts them by line;
// then each thread takes a piece of a line through all of the line's updates, in a register. Integer atomics that a set of
// bits or a sum comes out of are the only ones: results do not depend on which thread comes first.
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

template <int T, int kLines>
struct FoundUpdates {
  static constexpr int kEach = 8, kMost = T * kEach;
  static_assert(kMost <= 1 << kPlaceBits && kLines <= 1 << (32 - kPlaceBits));
  unsigned keys[kMost];
  int positions[kMost];
  unsigned updated[(kLines + 31) / 32];  // a bit for each line
  int totals[2][T / 32];
};

// Goes on from position `at` while what is found has room; at least a step. Returns how many were found.
template <int T, int kLines, class Index>
int find_updates(FoundUpdates<T, kLines>& found, int& at, int positions, std::int64_t first, int lines, Index index) {
  constexpr int kEach = FoundUpdates<T, kLines>::kEach;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  int count = 0;
  for (int step = 0; at < positions; ++step, at += T * kEach) {
    const int begin = at + warp * 32 * kEach + lane;
    int line[kEach];
    HYP_EACH(i, kEach) {
      const int position = begin + 32 * i;
      const std::int64_t from_first = position < positions ? index(position) - first : -1;
      line[i] = from_first >= 0 && from_first < lines ? static_cast<int>(from_first) : -1;
    }
    unsigned hits[kEach];
    int total = 0;
    HYP_EACH(i, kEach) {
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
    if (count + all > FoundUpdates<T, kLines>::kMost) break;
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

// Ascending, by a network of comparisons; behind the last key there is room up to the next power of two.
template <int T>
void sort_keys(unsigned* keys, int count) {
  const int thread = static_cast<int>(threadIdx.x);
  int size = 1;
  while (size < count) size *= 2;
  for (int k = count + thread; k < size; k += T) keys[k] = ~0u;
  __syncthreads();
  for (int sorted = 2; sorted <= size; sorted *= 2) {
    for (int distance = sorted / 2; distance > 0; distance /= 2) {
      for (int pair = thread; pair < size / 2; pair += T) {
        const int low = (pair & ~(distance - 1)) * 2 + (pair & (distance - 1)), high = low + distance;
        const unsigned a = keys[low], b = keys[high];
        if ((a > b) == ((low & sorted) == 0)) keys[low] = b, keys[high] = a;
      }
      __syncthreads();
    }
  }
}

// Lines [first, first + lines) of `output`, whose first line is number 0. kLastOnly: an update does not look at what
// was there before.
template <int T, int kLines, int kVectors, int C, bool kLastOnly, class E, class Index, class Element, class Update>
void scatter_lines(E* output, int first, int lines, int positions, FoundUpdates<T, kLines>& found, Index index,
                   Element element, Update update) {
  const int thread = static_cast<int>(threadIdx.x);
  for (int w = thread; w < (kLines + 31) / 32; w += T) found.updated[w] = 0;
  __syncthreads();
  int at = 0;
  do {
    const bool is_first = at == 0;
    const int count = find_updates(found, at, positions, first, lines, index);
    sort_keys<T>(found.keys, count);
    for (int item = thread; item < count * kVectors; item += T) {
      // The thread at a line's first update sees to all of them.
      const int begin = item / kVectors, column = item % kVectors * C, line = line_of(found.keys[begin]);
      if (begin > 0 && line_of(found.keys[begin - 1]) == line) continue;
      int end = begin + 1, beyond = count;
      while (end < beyond) {
        const int middle = (end + beyond) / 2;
        if (line_of(found.keys[middle]) == line) end = middle + 1;
        else beyond = middle;
      }
      E* const to = output + (std::int64_t(first + line) * kVectors * C + column);
      E state[C];
      if (is_first) element(first + line, column, state);
      else load_chunk<C>(state, to);
#pragma unroll 8
      for (int k = kLastOnly ? end - 1 : begin; k < end; ++k)
        update(found.positions[found.keys[k] & kPlaces], column, state);
      store_chunk<C>(state, to);
    }
    if (is_first) {
      for (int item = thread; item < lines * kVectors; item += T) {
        const int line = item / kVectors, column = item % kVectors * C;
        if ((found.updated[line / 32] >> line % 32 & 1) != 0) continue;
        E state[C];
        element(first + line, column, state);
        store_chunk<C>(state, output + (std::int64_t(first + line) * kVectors * C + column));
      }
    }
    // Keys and lines are next written and read by others.
    __syncthreads();
  } while (at < positions);
}
)prelude";

}  // namespace hyperion::codegen

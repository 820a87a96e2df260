// prelude_sort.hpp: keys in order, and lines by their elements' keys. Behind prelude_launch.hpp, in files with such a kernel.
//
// An entry is an element's key and its position, so no two are equal: whichever way they are sorted, equal elements keep their
// order. A block sorts what fits into its shared memory by a network of comparisons. Longer lines are cut into such parts, and
// kernels of their own merge runs of parts: each entry looks up how many of the other run stand before it, which is how far it moves.
#pragma once

#include <string_view>

namespace hyperion::codegen {

// Bytes of entries that a block sorts: within the 48 KiB that need no asking for.
inline constexpr int kSortedBytes = 32 << 10;

inline constexpr std::string_view kCudaSortPrelude = R"prelude(
// ---- keys in order ----------------------------------------------------------------------------------------------

// Ascending. `beyond` is no less than any key; behind the last there is room up to the next power of two.
template <int T, class Key>
void sort_keys(Key* keys, int count, Key beyond) {
  const int thread = static_cast<int>(threadIdx.x);
  int size = 1;
  while (size < count) size *= 2;
  for (int k = count + thread; k < size; k += T) keys[k] = beyond;
  __syncthreads();
  for (int sorted = 2; sorted <= size; sorted *= 2) {
    for (int distance = sorted / 2; distance > 0; distance /= 2) {
      for (int pair = thread; pair < size / 2; pair += T) {
        const int low = (pair & ~(distance - 1)) * 2 + (pair & (distance - 1)), high = low + distance;
        const Key a = keys[low], b = keys[high];
        if ((b < a) == ((low & sorted) == 0)) keys[low] = b, keys[high] = a;
      }
      __syncthreads();
    }
  }
}

// ---- elements as keys -------------------------------------------------------------------------------------------

// Unsigned integers in the order of the elements: zeros are equal, NaNs are equal and greater than every number.
inline unsigned key_of(float x) {
  const unsigned bits = x == 0 ? 0u : __float_as_uint(x);
  return x != x ? ~0u : bits >> 31 != 0 ? ~bits : bits | 1u << 31;
}
inline unsigned long long key_of(double x) {
  const auto bits = x == 0 ? 0ull : std::bit_cast<unsigned long long>(x);
  return x != x ? ~0ull : bits >> 63 != 0 ? ~bits : bits | 1ull << 63;
}
template <class E>
auto key_of(E x) {
  if constexpr (is_small_float<E>) return key_of(static_cast<float>(x));
  else if constexpr (sizeof(E) == 8) return static_cast<unsigned long long>(x) ^ (is_signed<E> ? 1ull << 63 : 0);
  else return static_cast<unsigned>(x) ^ (is_signed<E> ? 1u << 31 : 0);
}

// Key before position.
struct WideEntry {
  unsigned long long key;
  unsigned position;
};
inline bool operator<(const WideEntry& a, const WideEntry& b) {
  return a.key < b.key || (a.key == b.key && a.position < b.position);
}
inline unsigned long long entry_of(unsigned key, int position) {
  return static_cast<unsigned long long>(key) << 32 | static_cast<unsigned>(position);
}
inline WideEntry entry_of(unsigned long long key, int position) { return {key, static_cast<unsigned>(position)}; }
inline int position_of(unsigned long long entry) { return static_cast<int>(entry & 0xffffffffu); }
inline int position_of(const WideEntry& entry) { return static_cast<int>(entry.position); }

// ---- lines in order ---------------------------------------------------------------------------------------------

// The part of a line that begins at `begin`, in shared memory.
template <int T, bool kDescending, class Entry, class Element>
void sort_part(Entry* entries, int begin, int count, Element element) {
  for (int k = static_cast<int>(threadIdx.x); k < count; k += T) {
    const auto key = key_of(element(begin + k));
    entries[k] = entry_of(kDescending ? ~key : key, begin + k);
  }
  decltype(key_of(element(0))) largest = 0;
  sort_keys<T>(entries, count, entry_of(~largest, -1));
}

// Where entry number k of a line, whose runs of kWidth are in order, stands when pairs of runs are merged.
template <int kLength, int kWidth, class Entry>
int merged_place(const Entry* line, int k) {
  const int run = k / kWidth * kWidth, pair = run / (2 * kWidth) * (2 * kWidth);
  const int other = run == pair ? pair + kWidth : pair;
  const Entry mine = line[k];
  int low = min(other, kLength), high = min(other + kWidth, kLength);
  const int first = low;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (line[middle] < mine) low = middle + 1;
    else high = middle;
  }
  return pair + (k - run) + (low - first);
}
)prelude";

}  // namespace hyperion::codegen

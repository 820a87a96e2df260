// prelude_mma.hpp: the instructions of sm_80 and later behind an AsyncProgram whose threads are all alike: copies by
// cp.async, products by mma.sync; and how a tile lies in shared memory between the two.
#pragma once

#include <string_view>

namespace hyperion::codegen {

inline constexpr std::string_view kCudaMmaInstructions = R"prelude(
// ---- products by mma.sync (sm_80 and later) --------------------------------------------------------------------

inline void write_chunk(unsigned to, const unsigned (&words)[4]) {
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};"
               ::"r"(to), "r"(words[0]), "r"(words[1]), "r"(words[2]), "r"(words[3]) : "memory");
}

// Four matrices of 8 lines of 16 bytes; lane l says where line l % 8 of matrix l / 8 begins, and receives of each matrix
// word l % 4 of line l / 4.
inline void read_matrices(unsigned (&to)[4], unsigned from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(from) : "memory");
}
// The same of the matrices of 8 x 8 elements of 16 bits, transposed.
inline void read_transposed(unsigned (&to)[4], unsigned from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(from) : "memory");
}
inline unsigned read_word(unsigned from) {
  unsigned word;
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(word) : "r"(from) : "memory");
  return word;
}
// To nearest: the product itself would cut off what tf32 has no room for.
inline unsigned as_tf32(unsigned word) {
  unsigned rounded;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(__uint_as_float(word)));
  return rounded;
}

// 16 rows times 8 columns, of 32 bytes of depth.
template <class Element>
void multiply_fragments(float* sums, const unsigned (&a)[4], unsigned b0, unsigned b1);
#define HYP_MULTIPLY(Element, shape, type)                                                                         \
  template <>                                                                                                      \
  inline void multiply_fragments<Element>(float* sums, const unsigned (&a)[4], unsigned b0, unsigned b1) {         \
    asm volatile("mma.sync.aligned." shape ".row.col.f32." type "." type ".f32 "                                   \
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                                 \
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])                                      \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));                                  \
  }
HYP_MULTIPLY(F16, "m16n8k16", "f16")
HYP_MULTIPLY(BF16, "m16n8k16", "bf16")
HYP_MULTIPLY(float, "m16n8k8", "tf32")
#undef HYP_MULTIPLY
)prelude";

inline constexpr std::string_view kCudaMmaPrelude = R"prelude(
// An operand's part of a stage: lines of what lies together in memory, in chunks of 16 bytes. Chunks of a line are
// exchanged, by the line's number, so that what a warp reads at once lies in different banks: eight lines of a matrix; of
// 32-bit elements along rows or columns, four lines of eight elements.
template <class Element_, bool kIsAlongDepth_, int kExtent_, int kDepth_>
struct OperandTile {
  using Element = Element_;
  static constexpr bool kIsAlongDepth = kIsAlongDepth_;
  static constexpr int kExtent = kExtent_, kDepth = kDepth_, kElementBytes = sizeof(Element);
  static constexpr int kLines = kIsAlongDepth ? kExtent : kDepth;
  static constexpr int kLineBytes = (kIsAlongDepth ? kDepth : kExtent) * kElementBytes, kChunks = kLineBytes / 16;
  static_assert(kLineBytes >= (kIsAlongDepth ? 64 : 128));

  static unsigned exchange(unsigned line) {
    if constexpr (kIsAlongDepth) return kLineBytes >= 128 ? line % 8 : line / 2 % 4;
    else return kElementBytes == 4 ? line % 4 * 2 : line % 8;
  }
  static unsigned place(unsigned line, unsigned chunk) { return line * kLineBytes + ((chunk ^ exchange(line)) << 4); }
};

// Brings tiles of an operand of kFree x kWholeDepth elements, each thread its chunks; what lies outside is zero. kWidth:
// bytes that may be read at once, since every line begins at a multiple of them.
template <class Tile, int kThreads, int kWidth, int kFree, int kWholeDepth, long long kStride>
struct TileSource {
  using Element = typename Tile::Element;
  static constexpr int kElementBytes = Tile::kElementBytes, kElements = 16 / kElementBytes;
  static constexpr int kEach = Tile::kLines * Tile::kChunks / kThreads, kLinesApart = kThreads / Tile::kChunks;
  static constexpr bool kEndsInTile = kFree % Tile::kExtent != 0, kEndsInStep = kWholeDepth % Tile::kDepth != 0;
  static_assert(kEach * kLinesApart == Tile::kLines);
  struct Held {
    unsigned words[kEach][4];
  };

  const unsigned char* from;  // this thread's first chunk of step 0
  int first, line, chunk;

  TileSource(const Element* operand, int first_, int thread)
      : first(first_), line(thread / Tile::kChunks), chunk(thread % Tile::kChunks) {
    const int free = first + (Tile::kIsAlongDepth ? line : chunk * kElements);
    const int depth = Tile::kIsAlongDepth ? chunk * kElements : line;
    from = reinterpret_cast<const unsigned char*>(operand + free * (Tile::kIsAlongDepth ? kStride : 1) +
                                                  depth * (Tile::kIsAlongDepth ? 1 : kStride));
  }
  const unsigned char* at(int step, int i) const {
    return from + step * ((Tile::kIsAlongDepth ? 1 : kStride) * Tile::kDepth * kElementBytes) +
           i * (kLinesApart * kStride * kElementBytes);
  }
  // Bytes of chunk i that are the operand's.
  int present(int step, int i) const {
    const int across = line + i * kLinesApart, along = chunk * kElements;
    const int free = first + (Tile::kIsAlongDepth ? across : along);
    const int depth = step * Tile::kDepth + (Tile::kIsAlongDepth ? along : across);
    constexpr bool kLinesEnd = Tile::kIsAlongDepth ? kEndsInTile : kEndsInStep;
    constexpr bool kElementsEnd = Tile::kIsAlongDepth ? kEndsInStep : kEndsInTile;
    int count = kElements;
    if constexpr (kElementsEnd) count = min(max(Tile::kIsAlongDepth ? kWholeDepth - depth : kFree - free, 0), kElements);
    if constexpr (kLinesEnd) count = (Tile::kIsAlongDepth ? free < kFree : depth < kWholeDepth) ? count : 0;
    return count * kElementBytes;
  }
  unsigned place(int i) const { return Tile::place(line + i * kLinesApart, chunk); }

  void copy(unsigned tile, int step) const {
    HYP_EACH(i, kEach) {
      const int bytes = present(step, i);
      HYP_EACH(j, 16 / kWidth) {
        copy_async<kWidth>(tile + place(i) + j * kWidth, at(step, i) + j * kWidth, min(max(bytes - j * kWidth, 0), kWidth));
      }
    }
  }
  // Where lines begin at any element, they come through registers.
  void fetch(Held& held, int step) const {
    HYP_EACH(i, kEach) {
      const int count = present(step, i) / 2;
      const auto* const elements = reinterpret_cast<const unsigned short*>(at(step, i));
      if (count == 8) {
        fetch_whole(held.words[i], elements);
      } else {
        HYP_EACH(w, 4) {
          const unsigned low = 2 * w < count ? elements[2 * w] : 0, high = 2 * w + 1 < count ? elements[2 * w + 1] : 0;
          held.words[i][w] = low | high << 16;
        }
      }
    }
  }
  // Words that begin at multiples of 4 bytes, shifted where the elements do not: five reads for eight. Besides them only the
  // element before is read.
  static void fetch_whole(unsigned (&to)[4], const unsigned short* elements) {
    const unsigned odd = reinterpret_cast<unsigned long long>(elements) / 2 % 2;
    const auto* const words = reinterpret_cast<const unsigned*>(elements - odd);
    const unsigned read[5] = {words[0], words[1], words[2], words[3], elements[7]};
    HYP_EACH(w, 4) to[w] = __funnelshift_r(read[w], read[w + 1], 16 * odd);
  }
  void keep(const Held& held, unsigned tile) const {
    HYP_EACH(i, kEach) write_chunk(tile + place(i), held.words[i]);
  }
};

// Reads fragments of 32 bytes of depth: of 16 rows of lhs, or of two times 8 columns of rhs.
template <class Tile, bool kIsLhs>
struct FragmentReader {
  static constexpr bool kIsFloat = Tile::kElementBytes == 4;
  unsigned line, chunk;  // that this lane names, of the first block's first step
  int free, lane;

  FragmentReader(int first, int lane_) : free(first), lane(lane_) {
    // Which of the four matrices lie beyond the first eight elements of the free axis, and of depth.
    const unsigned matrix = lane / 8;
    const unsigned upper_free = kIsLhs ? matrix % 2 : matrix / 2, upper_depth = kIsLhs ? matrix / 2 : matrix % 2;
    if constexpr (Tile::kIsAlongDepth) line = first + upper_free * 8 + lane % 8, chunk = upper_depth;
    else line = upper_depth * 8 + lane % 8, chunk = first / 8 + upper_free;
  }
  void read(unsigned (&to)[4], unsigned tile, int step, int block) const {
    if constexpr (Tile::kIsAlongDepth) {
      // A step is two chunks; exchanging comes to the same before and after.
      read_matrices(to, tile + (Tile::place(line, chunk) ^ (step * 32)) + block * 16 * Tile::kLineBytes);
    } else if constexpr (!kIsFloat) {
      read_transposed(to, tile + Tile::place(line, chunk + 2 * block) + step * 16 * Tile::kLineBytes);
    } else {
      HYP_EACH(r, 4) {
        const unsigned upper_free = kIsLhs ? r % 2 : r / 2, upper_depth = kIsLhs ? r / 2 : r % 2;
        const unsigned at = free + block * 16 + upper_free * 8 + lane / 4;
        to[r] = read_word(tile + Tile::place(upper_depth * 4 + lane % 4, at / 4) + at % 4 * 4 + step * 8 * Tile::kLineBytes);
      }
    }
    if constexpr (kIsFloat) {
      HYP_EACH(r, 4) to[r] = as_tf32(to[r]);
    }
  }
};

// A warp's share of a stage. Fragments of the next step are read while those of this one are multiplied.
template <int kRows, int kColumns, class Lhs, class Rhs>
void multiply_stage(float (&sums)[kRows / 16][kColumns / 2], const FragmentReader<Lhs, true>& lhs, unsigned lhs_tile,
                    const FragmentReader<Rhs, false>& rhs, unsigned rhs_tile) {
  constexpr int kSteps = Lhs::kDepth * Lhs::kElementBytes / 32;
  unsigned a[2][kRows / 16][4], b[2][kColumns / 16][4];
  const auto read = [&](int step) {
    HYP_EACH(block, kRows / 16) lhs.read(a[step % 2][block], lhs_tile, step, block);
    HYP_EACH(block, kColumns / 16) rhs.read(b[step % 2][block], rhs_tile, step, block);
  };
  read(0);
  HYP_EACH(step, kSteps) {
    if (step + 1 < kSteps) read(step + 1);
    HYP_EACH(row, kRows / 16) HYP_EACH(column, kColumns / 8) {
      const auto& pair = b[step % 2][column / 2];
      const unsigned first = pair[column % 2 * 2], second = pair[column % 2 * 2 + 1];
      multiply_fragments<typename Lhs::Element>(&sums[row][column * 4], a[step % 2][row], first, second);
    }
  }
}
)prelude";

}  // namespace hyperion::codegen

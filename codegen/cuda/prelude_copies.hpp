// prelude_copies.hpp: copies into shared memory that run by themselves. For products of every kind.
#pragma once

#include <string_view>

namespace hyperion::codegen {

inline constexpr std::string_view kCudaCopiesPrelude = R"prelude(
// ---- copies into shared memory by cp.async (sm_80 and later) ---------------------------------------------------

// Addresses in shared memory have 32 bits. Taken once, through assembly: the compiler would carry 64.
inline unsigned shared_address(const void* pointer) {
  unsigned address;
  asm("{ .reg .u64 t; cvta.to.shared.u64 t, %1; cvt.u32.u64 %0, t; }" : "=r"(address) : "l"(pointer));
  return address;
}

#if __CUDA_ARCH__ >= 800
constexpr bool kHasAsyncCopies = true;
// `bytes` of kWidth, and zeros behind them. Copies of less than 16 bytes go through the first-level cache: they have no
// other form.
template <int kWidth>
void copy_async(unsigned to, const void* from, int bytes) {
  if constexpr (kWidth == 16) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %3, %2;" ::"r"(to), "l"(from), "r"(bytes), "n"(kWidth) : "memory");
  }
}
inline void copies_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kPending>
void copies_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}
#else
constexpr bool kHasAsyncCopies = false;
template <int kWidth>
void copy_async(unsigned, const void*, int) {}
inline void copies_commit() {}
template <int kPending>
void copies_wait() {}
#endif
)prelude";

}  // namespace hyperion::codegen

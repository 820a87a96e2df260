// prelude_launch.hpp: how kernels of a plan follow one another, and how blocks of a kernel meet. Behind prelude.hpp in
// every generated file.
#pragma once

#include <string_view>

namespace hyperion::codegen {

inline constexpr std::string_view kCudaLaunchPrelude = R"prelude(
// ---- from kernel to kernel --------------------------------------------------------------------------------------

// A kernel's first words. Where its launch may overlap the kernel before (runtime/cuda/kernel.hpp), its blocks come to stand on
// processors that are free while that one ends, and wait here until all of its writes are seen; then the next may do the same.
inline void after_previous() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// The buffers of a kernel that does the work of several launches.
template <int kCount>
struct Addresses {
  void* at[kCount];
};

// ---- clusters: blocks that run together and see each other's shared memory; sm_90 and later --------------------

inline unsigned rank_in_cluster() {
  unsigned rank;
  asm volatile("mov.u32 %0, %cluster_ctarank;" : "=r"(rank));
  return rank;
}
inline void cluster_barrier() {
  asm volatile("barrier.cluster.arrive.release.aligned;\n barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
// Nobody leaves before all have come; nothing that was written is made visible, which would take as long as a small kernel.
inline void cluster_leave() {
  asm volatile("barrier.cluster.arrive.relaxed.aligned;\n barrier.cluster.wait.aligned;" ::: "memory");
}
// The same variable in the shared memory of another block of the cluster.
template <class T>
const T* of_block(const T* here, unsigned rank) {
  const T* there;
  asm("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(here), "r"(rank));
  return there;
}
)prelude";

}  // namespace hyperion::codegen

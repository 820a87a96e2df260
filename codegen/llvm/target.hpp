// target.hpp: which CPU code is generated for, as a plain record.
//
// Everything that a schedule or an emitter may ask about the machine is here; nothing of LLVM is.
// Two targets with equal `key()` get identical object code from identical input, so the key belongs
// into every compile-cache key.
//
// Named targets, for cross emission and tests: "x86-64-v3" (AVX2), "x86-64-v4" (AVX-512), "aarch64"
// (any ARMv8), "neoverse-n1", "neoverse-v1". A target without fused multiply-add is refused: every
// definition that says `fma` would become a library call per element.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ir/dtype.hpp"
#include "ir/support/status.hpp"

namespace hyperion::codegen {

enum class Architecture : std::uint8_t { x86_64, aarch64 };

struct CpuTarget {
  Architecture architecture = Architecture::x86_64;
  std::string triple;    // "x86_64-unknown-linux-gnu"
  std::string cpu;       // LLVM's name: "znver4"
  std::string features;  // "+avx2,-amx-tile,...", sorted
  int vector_bits = 128;
  int vector_registers = 16;
  bool has_fma = false;
  // Cache sizes in bytes as seen by one core. Cross targets get the sizes of a common machine of
  // their kind.
  std::int64_t l1_bytes = 32 << 10;
  std::int64_t l2_bytes = 1 << 20;
  std::int64_t l3_bytes = 32 << 20;

  // Elements of `dtype` in one vector register: 16 for f32 under AVX-512. Types of 16 bits and
  // fewer compute in f32, so they have as many lanes as f32.
  int lanes(DType dtype) const;
  bool has_masks() const { return vector_bits == 512; }  // AVX-512 opmasks
  std::string key() const;
};

// The machine this process runs on: real features, not those of the CPU's name (a virtual machine
// may lack some). Detected once. Thread safe.
const CpuTarget& host_target();

StatusOr<CpuTarget> named_target(std::string_view name);
std::vector<std::string_view> target_names();

// True if code for `target` can run in this process.
bool runs_here(const CpuTarget& target);

}  // namespace hyperion::codegen

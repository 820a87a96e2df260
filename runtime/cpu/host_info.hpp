// host_info.hpp: what this machine is, read once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hyperion::runtime {

struct HostInfo {
  std::string name;                   // "Intel(R) Xeon(R) Platinum 8481C"
  std::vector<std::string> features;  // as the kernel lists them: "avx2", "avx512f", ...
  int cores = 1;                      // that this process may run on
  std::uint64_t memory_bytes = 0;
  // Of one core; 0 when unknown.
  std::uint64_t l1_bytes = 0;
  std::uint64_t l2_bytes = 0;
  std::uint64_t l3_bytes = 0;
};

const HostInfo& host_info();

}  // namespace hyperion::runtime

// nvrtc.hpp: NVIDIA's run-time compiler, libnvrtc.so, opened at run time.
//
// Looked for in this order: the file that HYPERION_NVRTC names (then nothing else), a copy that is
// in the process already, the loader's path, nvidia_library_folders(). Version 13 before 12. Its
// builtins library is opened first, from the same folder, because the compiler itself asks only the
// loader's path for it.
//
// An abstract interface like Driver, for the same reason. Thread safety: all functions; programs
// are compiled in parallel without a common lock.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ir/support/status.hpp"
#include "runtime/cuda/abi.hpp"

namespace hyperion::runtime::cuda {

class Nvrtc {
 public:
  virtual ~Nvrtc() = default;

  // no_nvrtc, naming where it looked, or old_nvrtc with the versions.
  static StatusOr<std::shared_ptr<Nvrtc>> load();
  // One file, or a bare name for the loader.
  static StatusOr<std::shared_ptr<Nvrtc>> load_from(const std::string& library);
  using Symbols = std::function<void*(const char* name)>;
  static StatusOr<std::shared_ptr<Nvrtc>> from_symbols(const Symbols& symbols, std::string name);

  // 13000 for 13.0, as a driver's; part of the key under which compiled code is cached.
  virtual int version() const = 0;
  virtual std::string result_text(nvrtcResult result) const = 0;

#define HYP_NVRTC_ENTRY(name, parameters, arguments) virtual nvrtcResult name parameters = 0;
#include "runtime/cuda/nvrtc.def"
#undef HYP_NVRTC_ENTRY
};

}  // namespace hyperion::runtime::cuda

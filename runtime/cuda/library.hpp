// library.hpp: a shared library opened at run time, and where to look for one.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ir/support/status.hpp"

namespace hyperion::runtime::cuda {

// An open library is never closed: driver and compiler keep threads and exit handlers of their own.
class SharedLibrary {
 public:
  // A path, or a bare name for the loader's search. A copy that is in the process already wins over
  // opening another. The error is the loader's own sentence.
  static StatusOr<SharedLibrary> open(const std::string& name);

  void* symbol(const char* name) const;  // null when absent
  const std::string& path() const { return path_; }

 private:
  SharedLibrary(void* handle, std::string path) : handle_(handle), path_(std::move(path)) {}

  void* handle_;
  std::string path_;  // of the file that was opened, as the loader found it
};

// Folders in which toolkits and Python packages put NVIDIA's libraries, in the order to try; only
// those that exist: $CUDA_HOME, $CUDA_PATH, /usr/local/cuda*, then site-packages/nvidia of the
// active virtual environment, the user and the system.
std::vector<std::string> nvidia_library_folders();

}  // namespace hyperion::runtime::cuda

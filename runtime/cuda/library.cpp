#include "runtime/cuda/library.hpp"

#include <dlfcn.h>
#include <glob.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

namespace hyperion::runtime::cuda {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string path_of(void* handle, const std::string& name) {
  link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) return name;
  return map->l_name[0] == '\0' ? name : std::string(map->l_name);
}

void append_matches(const std::string& pattern, std::vector<std::string>& found) {
  glob_t matches = {};
  if (glob(pattern.c_str(), 0, nullptr, &matches) == 0) {
    // Newest last in the alphabet, first in the list.
    for (std::size_t i = matches.gl_pathc; i-- > 0;) found.emplace_back(matches.gl_pathv[i]);
  }
  globfree(&matches);
}

}  // namespace

StatusOr<SharedLibrary> SharedLibrary::open(const std::string& name) {
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  if (handle == nullptr) handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = dlerror();
    return error_status(Code::not_found, why == nullptr ? name + ": not found" : why);
  }
  return SharedLibrary(handle, path_of(handle, name));
}

void* SharedLibrary::symbol(const char* name) const { return dlsym(handle_, name); }

std::vector<std::string> nvidia_library_folders() {
  std::vector<std::string> folders;
  for (const char* name : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const std::string home = variable(name); !home.empty()) {
      append_matches(home + "/lib64", folders);
    }
  }
  append_matches("/usr/local/cuda/lib64", folders);
  append_matches("/usr/local/cuda-*/lib64", folders);
  // Python's wheels: CUDA 13 shares one folder, CUDA 12 has one for each library.
  std::vector<std::string> roots;
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const std::string root = variable(name); !root.empty()) roots.push_back(root);
  }
  if (const std::string home = variable("HOME"); !home.empty()) roots.push_back(home + "/.local");
  roots.insert(roots.end(), {"/usr/local", "/usr"});
  for (const std::string& root : roots) {
    for (const char* packages : {"/lib/python3*/site-packages", "/lib/python3*/dist-packages"}) {
      append_matches(root + packages + "/nvidia/cu13/lib", folders);
      append_matches(root + packages + "/nvidia/cuda_nvrtc/lib", folders);
    }
  }
  std::vector<std::string> unique;
  for (std::string& folder : folders) {
    if (std::ranges::find(unique, folder) == unique.end()) unique.push_back(std::move(folder));
  }
  return unique;
}

}  // namespace hyperion::runtime::cuda

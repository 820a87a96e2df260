#include "runtime/cuda/nvrtc.hpp"

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "ir/support/format.hpp"
#include "ir/support/log.hpp"
#include "runtime/cuda/library.hpp"
#include "runtime/cuda/problem.hpp"

namespace hyperion::runtime::cuda {
namespace {

namespace fs = std::filesystem;

constexpr int kOldestMajor = 12;
constexpr const char* kNames[] = {"libnvrtc.so.13", "libnvrtc.so.12"};

class LoadedNvrtc final : public Nvrtc {
 public:
  LoadedNvrtc(int major, int minor) : version_(1000 * major + 10 * minor) {}

  const char* find_all(const Symbols& symbols) {
    const auto look_up = [&](const char* name, auto& pointer) {
      pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(symbols(name));
      return pointer != nullptr;
    };
    if (!look_up("nvrtcGetErrorString", text_)) return "nvrtcGetErrorString";
#define HYP_NVRTC_ENTRY(name, parameters, arguments) \
  if (!look_up(#name, name##_)) return #name;
#include "runtime/cuda/nvrtc.def"
#undef HYP_NVRTC_ENTRY
    return nullptr;
  }

  int version() const override { return version_; }
  std::string result_text(nvrtcResult result) const override { return text_(result); }

#define HYP_NVRTC_ENTRY(name, parameters, arguments) \
  nvrtcResult name parameters override { return name##_ arguments; }
#include "runtime/cuda/nvrtc.def"
#undef HYP_NVRTC_ENTRY

 private:
  const int version_;
  const char* (*text_)(nvrtcResult) = nullptr;
#define HYP_NVRTC_ENTRY(name, parameters, arguments) nvrtcResult(*name##_) parameters = nullptr;
#include "runtime/cuda/nvrtc.def"
#undef HYP_NVRTC_ENTRY
};

// Opens the builtins library that lies beside a compiler, so that the compiler finds it by name.
// When there is none, compiling says so.
void open_builtins(const fs::path& compiler) {
  std::error_code error;
  const std::string name = compiler.filename().string();  // libnvrtc.so.13, or .so.13.0.88
  const std::size_t suffix = name.find(".so.");
  if (!compiler.has_parent_path() || suffix == std::string::npos) return;
  const std::string prefix =
      "libnvrtc-builtins" + name.substr(0, name.find('.', suffix + 4)).substr(suffix) + ".";
  for (const auto& entry : fs::directory_iterator(compiler.parent_path(), error)) {
    if (!entry.path().filename().string().starts_with(prefix)) continue;
    if (SharedLibrary::open(entry.path().string())) return;
  }
}

}  // namespace

StatusOr<std::shared_ptr<Nvrtc>> Nvrtc::load() {
  if (const char* chosen = std::getenv("HYPERION_NVRTC"); chosen != nullptr && *chosen != '\0') {
    return load_from(chosen);
  }
  std::vector<std::string> candidates(std::begin(kNames), std::end(kNames));
  const std::vector<std::string> folders = nvidia_library_folders();
  for (const char* name : kNames) {
    for (const std::string& folder : folders) {
      if (const std::string path = folder + "/" + name; fs::exists(path)) {
        candidates.push_back(path);
      }
    }
  }
  std::optional<Status> unusable;
  for (const std::string& candidate : candidates) {
    StatusOr<std::shared_ptr<Nvrtc>> loaded = load_from(candidate);
    if (loaded) return loaded;
    if (!is_problem(loaded.error(), Problem::no_nvrtc)) unusable = std::move(loaded).error();
  }
  if (unusable) return std::unexpected(*std::move(unusable));
  return problem_error(Problem::no_nvrtc,
                       format("neither libnvrtc.so.13 nor .12 is on the loader's path{}{}",
                              folders.empty() ? "" : " or in ", fmt::join(folders, ", ")));
}

StatusOr<std::shared_ptr<Nvrtc>> Nvrtc::load_from(const std::string& library) {
  StatusOr<SharedLibrary> opened = SharedLibrary::open(library);
  if (!opened) return problem_error(Problem::no_nvrtc, std::move(opened).error().message);
  std::error_code error;
  open_builtins(fs::weakly_canonical(opened->path(), error));
  HYP_LOG("runtime.cuda", info, format("NVRTC from {}", opened->path()));
  return from_symbols([&](const char* name) { return opened->symbol(name); }, opened->path());
}

StatusOr<std::shared_ptr<Nvrtc>> Nvrtc::from_symbols(const Symbols& symbols, std::string name) {
  const auto get_version = reinterpret_cast<nvrtcResult (*)(int*, int*)>(symbols("nvrtcVersion"));
  int major = 0;
  int minor = 0;
  if (get_version == nullptr || get_version(&major, &minor) != NVRTC_SUCCESS) {
    return problem_error(Problem::no_nvrtc, "the library is no NVRTC", std::move(name));
  }
  if (major < kOldestMajor) {
    return problem_error(Problem::old_nvrtc,
                         format("NVRTC is {}.{}, Hyperion needs {}.0", major, minor, kOldestMajor),
                         std::move(name));
  }
  auto nvrtc = std::make_shared<LoadedNvrtc>(major, minor);
  if (const char* missing = nvrtc->find_all(symbols)) {
    return problem_error(Problem::old_nvrtc, format("NVRTC {}.{} lacks {}", major, minor, missing),
                         std::move(name));
  }
  return std::static_pointer_cast<Nvrtc>(std::move(nvrtc));
}

}  // namespace hyperion::runtime::cuda

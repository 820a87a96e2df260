#include "runtime/cuda/driver.hpp"

#include <utility>

#include "ir/support/format.hpp"
#include "ir/support/log.hpp"
#include "runtime/cuda/library.hpp"
#include "runtime/cuda/problem.hpp"

namespace hyperion::runtime::cuda {
namespace {

using GetProcAddress = CUresult (*)(const char* name, void** function, int version,
                                    std::uint64_t flags, CUdriverProcAddressQueryResult* found);

// Forwards each virtual function to a pointer that was found by name.
class LoadedDriver final : public Driver {
 public:
  LoadedDriver(int version, std::shared_ptr<void> owner)
      : version_(version), owner_(std::move(owner)) {}

  // The first name that is missing; null when all are there.
  const char* find_all(GetProcAddress find) {
    const auto look_up = [&](const char* name, auto& pointer) {
      void* function = nullptr;
      auto found = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
      const CUresult result = find(name, &function, kRequiredCuda, 0, &found);
      if (result != CUDA_SUCCESS || found != CU_GET_PROC_ADDRESS_SUCCESS) return false;
      pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(function);
      return pointer != nullptr;
    };
#define HYP_CUDA_ENTRY(name, parameters, arguments) \
  if (!look_up(#name, name##_)) return #name;
#include "runtime/cuda/driver.def"
#undef HYP_CUDA_ENTRY
    return nullptr;
  }

  int version() const override { return version_; }

#define HYP_CUDA_ENTRY(name, parameters, arguments) \
  CUresult name parameters override { return name##_ arguments; }
#include "runtime/cuda/driver.def"
#undef HYP_CUDA_ENTRY

 private:
  const int version_;
  const std::shared_ptr<void> owner_;
#define HYP_CUDA_ENTRY(name, parameters, arguments) CUresult(*name##_) parameters = nullptr;
#include "runtime/cuda/driver.def"
#undef HYP_CUDA_ENTRY
};

}  // namespace

StatusOr<std::shared_ptr<Driver>> Driver::load(const std::string& library) {
  StatusOr<SharedLibrary> opened = SharedLibrary::open(library);
  if (!opened) {
    return problem_error(Problem::no_driver, format("{} ({})", info(Problem::no_driver).summary,
                                                    opened.error().message));
  }
  auto owner = std::make_shared<SharedLibrary>(*std::move(opened));
  HYP_LOG("runtime.cuda", info, format("driver from {}", owner->path()));
  return from_symbols([owner](const char* name) { return owner->symbol(name); }, owner->path(),
                      owner);
}

StatusOr<std::shared_ptr<Driver>> Driver::from_symbols(const Symbols& symbols, std::string name,
                                                       std::shared_ptr<void> owner) {
  const auto get_version = reinterpret_cast<CUresult (*)(int*)>(symbols("cuDriverGetVersion"));
  if (get_version == nullptr) {
    return problem_error(Problem::no_driver, "the library is no NVIDIA driver", std::move(name));
  }
  int version = 0;
  if (get_version(&version) == CUDA_ERROR_STUB_LIBRARY) {
    return problem_error(Problem::no_driver, "the library is the toolkit's stub, not the driver",
                         std::move(name));
  }
  const auto too_old = [&](std::string_view why) {
    return problem_error(Problem::old_driver,
                         format("the driver speaks CUDA {}, Hyperion needs {}{}",
                                version_text(version), version_text(kRequiredCuda), why),
                         name);
  };
  if (version < kRequiredCuda) return too_old("");
  // Its form with five parameters is named _v2.
  const auto find = reinterpret_cast<GetProcAddress>(symbols("cuGetProcAddress_v2"));
  if (find == nullptr) return too_old(": cuGetProcAddress_v2 is missing");
  auto driver = std::make_shared<LoadedDriver>(version, std::move(owner));
  if (const char* missing = driver->find_all(find)) {
    return too_old(format(": {} is missing", missing));
  }
  return std::static_pointer_cast<Driver>(std::move(driver));
}

std::string version_text(int version) {
  return format("{}.{}", version / 1000, version % 1000 / 10);
}

std::string describe(Driver& driver, CUresult result) {
  const char* name = nullptr;
  const char* text = nullptr;
  if (driver.cuGetErrorName(result, &name) != CUDA_SUCCESS || name == nullptr) name = "unknown";
  if (driver.cuGetErrorString(result, &text) != CUDA_SUCCESS || text == nullptr) text = "no text";
  return format("{} ({}): {}", name, static_cast<int>(result), text);
}

StatusOr<> check(Driver& driver, CUresult result, std::string_view call) {
  if (result == CUDA_SUCCESS) [[likely]]
    return {};
  return problem_error(Problem::call, format("{}: {}", call, describe(driver, result)));
}

void log_failure(Driver& driver, CUresult result, std::string_view call) noexcept {
  // Shutting down is no failure: at exit the driver may be gone before the last handle.
  if (result == CUDA_SUCCESS || result == CUDA_ERROR_DEINITIALIZED) return;
  HYP_LOG("runtime.cuda", warn, format("{}: {}", call, describe(driver, result)));
}

bool is_fatal(CUresult result) {
  switch (result) {
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_CONTAINED:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_UNKNOWN:
      return true;
    default:
      return false;
  }
}

}  // namespace hyperion::runtime::cuda

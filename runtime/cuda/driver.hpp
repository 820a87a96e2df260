// driver.hpp: NVIDIA's driver, libcuda.so.1, opened at run time.
//
// Hyperion links nothing of CUDA: a machine without a GPU runs the same binary. Driver is an
// abstract interface with one virtual function for each line of driver.def, so that tests put a
// fake in its place (tests/support/fake_driver.hpp) which records calls and fails the nth of them.
//
// load() asks cuGetProcAddress for the interfaces of CUDA 12.0, by number: plain dlsym would give
// each function in its oldest form, and asking for the newest would give forms that these
// declarations do not have.
//
// Results are numbers; check() turns them into a Status that names the call, the number's name and
// the driver's own words. Thread safety: all functions, as the driver's own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "ir/support/status.hpp"
#include "runtime/cuda/abi.hpp"

namespace hyperion::runtime::cuda {

inline constexpr int kRequiredCuda = 12000;  // the interface asked for; drivers from 525 on have it

class Driver {
 public:
  virtual ~Driver() = default;

  // no_driver, or old_driver with the versions.
  static StatusOr<std::shared_ptr<Driver>> load(const std::string& library = "libcuda.so.1");
  // The same over any table of symbols: null for a name that it lacks. `name` appears in errors;
  // `owner` keeps the symbols alive.
  using Symbols = std::function<void*(const char* name)>;
  static StatusOr<std::shared_ptr<Driver>> from_symbols(const Symbols& symbols, std::string name,
                                                        std::shared_ptr<void> owner = nullptr);

  // The newest CUDA that the driver speaks: 13000 for 13.0.
  virtual int version() const = 0;

#define HYP_CUDA_ENTRY(name, parameters, arguments) virtual CUresult name parameters = 0;
#include "runtime/cuda/driver.def"
#undef HYP_CUDA_ENTRY
};

// "CUDA_ERROR_OUT_OF_MEMORY (2): out of memory"
std::string describe(Driver& driver, CUresult result);
// "13.0"
std::string version_text(int version);

// A call that failed, as cuda.call: "cuMemCreate: CUDA_ERROR_OUT_OF_MEMORY (2): out of memory".
StatusOr<> check(Driver& driver, CUresult result, std::string_view call);
// Where nobody could handle a failure, such as in destructors: logs it.
void log_failure(Driver& driver, CUresult result, std::string_view call) noexcept;

// Results after which every further call on the context fails.
bool is_fatal(CUresult result);

}  // namespace hyperion::runtime::cuda

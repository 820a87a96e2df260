#include "runtime/cuda/driver.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "ir/support/format.hpp"
#include "runtime/cuda/context.hpp"
#include "runtime/cuda/nvrtc.hpp"
#include "runtime/cuda/problem.hpp"
#include "tests/support/fake_cuda.hpp"
#include "tests/support/source_path.hpp"

namespace hyperion::runtime::cuda {
namespace {

using testing_support::FakeDriver;
using testing_support::source_path;

// Symbols of a library that is no real driver.
int g_version = 13000;
std::string g_missing;

CUresult get_version(int* version) {
  *version = g_version;
  return CUDA_SUCCESS;
}
CUresult any_function() { return CUDA_SUCCESS; }
CUresult get_proc_address(const char* name, void** function, int, std::uint64_t,
                          CUdriverProcAddressQueryResult* found) {
  *found =
      name == g_missing ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT : CU_GET_PROC_ADDRESS_SUCCESS;
  *function = reinterpret_cast<void*>(&any_function);
  return CUDA_SUCCESS;
}

StatusOr<std::shared_ptr<Driver>> load_driver(int version, std::string missing = {}) {
  g_version = version;
  g_missing = std::move(missing);
  return Driver::from_symbols(
      [](const char* name) {
        const std::map<std::string, void*> symbols = {
            {"cuDriverGetVersion", reinterpret_cast<void*>(&get_version)},
            {"cuGetProcAddress_v2", reinterpret_cast<void*>(&get_proc_address)}};
        const auto found = symbols.find(name);
        return found == symbols.end() || name == g_missing ? nullptr : found->second;
      },
      "libcuda.so.1");
}

std::string text(const auto& result) { return result ? "" : result.error().text(); }

TEST(CudaDriver, AMissingLibraryIsOneSentence) {
  const auto driver = Driver::load("libcuda-of-another-world.so.1");
  ASSERT_FALSE(driver);
  EXPECT_TRUE(is_problem(driver.error(), Problem::no_driver));
  EXPECT_EQ(driver.error().code, Code::unavailable);
  EXPECT_EQ(text(driver),
            "unavailable: the NVIDIA driver is not installed (libcuda-of-another-world.so.1: cannot "
            "open shared object file: No such file or directory) [cuda.no_driver]; install the driver "
            "of the GPU (it provides libcuda.so.1), or run on the CPU");
}

TEST(CudaDriver, AnotherLibraryIsNoDriver) {
  const auto driver = Driver::load("libc.so.6");
  ASSERT_FALSE(driver);
  EXPECT_TRUE(is_problem(driver.error(), Problem::no_driver)) << text(driver);
}

TEST(CudaDriver, AnOldOneNamesBothVersions) {
  const auto driver = load_driver(11040);
  ASSERT_FALSE(driver);
  EXPECT_EQ(text(driver),
            "incompatible: libcuda.so.1: the driver speaks CUDA 11.4, Hyperion needs 12.0 "
            "[cuda.old_driver]; update the driver to 525 or later, which speaks CUDA 12.0");
}

TEST(CudaDriver, EveryEntryIsNeeded) {
  for (const char* name : {"cuGetProcAddress_v2", "cuInit", "cuLaunchKernelEx", "cuGraphDestroy"}) {
    const auto driver = load_driver(12000, name);
    ASSERT_FALSE(driver) << name;
    EXPECT_TRUE(is_problem(driver.error(), Problem::old_driver));
    EXPECT_NE(text(driver).find(std::string(name) + " is missing"), std::string::npos);
  }
  const auto driver = load_driver(12000);
  ASSERT_TRUE(driver) << text(driver);
  EXPECT_EQ((*driver)->cuInit(0), CUDA_SUCCESS);
}

TEST(CudaDriver, AFailedCallIsNamed) {
  FakeDriver driver;
  EXPECT_TRUE(check(driver, CUDA_SUCCESS, "cuInit"));
  EXPECT_EQ(text(check(driver, CUDA_ERROR_OUT_OF_MEMORY, "cuMemCreate")),
            "internal: cuMemCreate: CUDA_ERROR_OUT_OF_MEMORY (2): the driver's words [cuda.call]; "
            "see the driver's message; dmesg may say more");
}

TEST(CudaProblems, HaveDistinctIdsAndAdvice) {
  std::set<std::string_view> ids;
  for (const ProblemInfo& problem : all_problems()) {
    EXPECT_TRUE(ids.insert(problem.id).second) << problem.id;
    EXPECT_FALSE(problem.summary.empty() || problem.advice.empty()) << problem.id;
    EXPECT_EQ(info(problem.problem).id, problem.id);
    const Status status = problem_status(problem.problem, "");
    EXPECT_TRUE(is_problem(status, problem.problem));
    EXPECT_EQ(status.code, problem.code);
  }
}

// By its name in code, or by the end of its message.
TEST(CudaProblems, EachIsRaisedByATest) {
  std::string tests;
  for (const char* name : {"driver", "memory", "kernel", "compiler", "device"}) {
    std::ifstream file(source_path(format("runtime/cuda/{}_test.cpp", name)));
    tests.append(std::istreambuf_iterator<char>(file), {});
  }
  if (tests.empty()) GTEST_SKIP() << "the sources are not here";
  for (const ProblemInfo& problem : all_problems()) {
    const std::string name(problem.id.substr(problem.id.find('.') + 1));
    EXPECT_TRUE(tests.find("Problem::" + name + ")") != std::string::npos ||
                tests.find("[cuda." + name + "]") != std::string::npos)
        << problem.id;
  }
}

TEST(CudaContext, NoDeviceIsOneSentence) {
  const auto driver = std::make_shared<FakeDriver>();
  driver->device_count = 0;
  EXPECT_TRUE(is_problem(list_devices(*driver).error(), Problem::no_device));
  EXPECT_EQ(text(Context::create(driver, 0)),
            "unavailable: the driver shows no GPU [cuda.no_device]; check nvidia-smi and "
            "CUDA_VISIBLE_DEVICES, or run on the CPU");
}

TEST(CudaContext, AnOrdinalBeyondTheLastSaysWhichThereAre) {
  const auto driver = std::make_shared<FakeDriver>();
  driver->device_count = 2;
  const auto context = Context::create(driver, 2);
  ASSERT_FALSE(context);
  EXPECT_NE(text(context).find("there is no cuda:2, only cuda:0 to cuda:1"), std::string::npos);
}

TEST(CudaContext, OldDevicesAreRefused) {
  const auto driver = std::make_shared<FakeDriver>();
  driver->compute_major = 6;
  EXPECT_NE(text(Context::create(driver, 0))
                .find("Fake GPU has compute capability 6.0, Hyperion needs 7.5 [cuda.old_device]"),
            std::string::npos);
  driver->compute_major = 9;
  driver->maps_memory = false;
  EXPECT_NE(text(Context::create(driver, 0)).find("cannot map memory"), std::string::npos);
  EXPECT_EQ(driver->leaks(), "");
}

TEST(CudaContext, DescribesTheDevice) {
  const auto driver = std::make_shared<FakeDriver>();
  const auto devices = list_devices(*driver);
  ASSERT_TRUE(devices);
  ASSERT_EQ(devices->size(), 1u);
  EXPECT_EQ(devices->front().name, "Fake GPU");
  EXPECT_EQ(devices->front().architecture(), "sm_90a");
  EXPECT_EQ(devices->front().block_shared_bytes, 232448);
  driver->compute_major = 8;
  EXPECT_EQ(list_devices(*driver)->front().architecture(), "sm_80");
}

TEST(CudaContext, LeavesTheThreadAsItWas) {
  const auto driver = std::make_shared<FakeDriver>();
  {
    const auto context = Context::create(driver, 0);
    ASSERT_TRUE(context);
    {
      const auto outer = (*context)->enter();
      const auto inner = (*context)->enter();
      ASSERT_TRUE(outer && inner);
      EXPECT_EQ(driver->count("cuCtxPushCurrent"), 1u);
    }
    EXPECT_EQ(driver->count("cuCtxPopCurrent"), 1u);
  }
  EXPECT_EQ(driver->leaks(), "");
}

TEST(CudaNvrtc, AMissingOrOldOneIsOneSentence) {
  setenv("HYPERION_NVRTC", "/nowhere/libnvrtc.so.13", 1);
  const auto missing = Nvrtc::load();
  unsetenv("HYPERION_NVRTC");
  ASSERT_FALSE(missing);
  EXPECT_TRUE(is_problem(missing.error(), Problem::no_nvrtc));
  EXPECT_NE(text(missing).find("/nowhere/libnvrtc.so.13: cannot open"), std::string::npos);

  static int major = 11;
  const auto version = +[](int* to_major, int* to_minor) {
    *to_major = major;
    *to_minor = 8;
    return NVRTC_SUCCESS;
  };
  const auto symbols = [&](const char* name) -> void* {
    return std::string(name) == "nvrtcVersion" ? reinterpret_cast<void*>(version) : nullptr;
  };
  const auto old = Nvrtc::from_symbols(symbols, "libnvrtc.so.11");
  ASSERT_FALSE(old);
  EXPECT_TRUE(is_problem(old.error(), Problem::old_nvrtc));
  EXPECT_NE(text(old).find("NVRTC is 11.8, Hyperion needs 12.0"), std::string::npos);
  major = 12;
  EXPECT_NE(text(Nvrtc::from_symbols(symbols, "libnvrtc.so.12")).find("12.8 lacks nvrtc"),
            std::string::npos);
  EXPECT_TRUE(is_problem(Nvrtc::load_from("libc.so.6").error(), Problem::no_nvrtc));
}

}  // namespace
}  // namespace hyperion::runtime::cuda

// fake_cuda.hpp: a GPU made of host memory, for tests of runtime/cuda.
//
// FakeDriver does what a driver does, at once and on the host: mapped memory is ordinary memory at
// the reserved address, kernels are C++ functions found by name, captured work is kept and
// replayed. It counts what is alive, so a test can ask for leaks, records the name of every call,
// and fails the nth call (of any name, or of one) with any result. Device memory is limited, so it
// runs out for real.
//
// FakeNvrtc "compiles" a source to a list of the names of its extern "C" kernels.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "runtime/cuda/driver.hpp"
#include "runtime/cuda/nvrtc.hpp"

namespace hyperion::testing_support {

namespace cuda = runtime::cuda;

inline constexpr std::uint64_t kFakePage = std::uint64_t{2} << 20;

struct FakeKernel {
  std::vector<std::size_t> parameter_bytes;
  std::function<void(const cuda::CUlaunchConfig& config, void** parameters)> body;
  double milliseconds = 1;  // that events around it are apart
};

class FakeDriver final : public cuda::Driver {
 public:
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;
  int device_count = 1;
  int compute_major = 9;
  int driver_version = 13000;
  bool maps_memory = true;
  std::map<std::string, FakeKernel> kernels;  // by name
  std::string faulty_kernel;                  // running it loses the device
  unsigned most_threads = 1024;

  std::vector<std::string> calls;
  // The nth call from now (1 = the next) whose name is `name` gives `result`, once. Empty: any call
  // but those that give something back, whose failure nobody could handle.
  void fail(std::uint64_t nth, cuda::CUresult result, std::string name = {}) {
    fail_in_ = nth;
    fail_result_ = result;
    fail_name_ = std::move(name);
    failed_call_.clear();
  }
  // The call that was made to fail since; empty when none was.
  const std::string& failed_call() const { return failed_call_; }
  // A loader's thread may be calling meanwhile.
  std::size_t count(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count(calls, name));
  }
  // Objects that were made and not given back, as "2 streams, 1 event"; empty when there are none.
  std::string leaks() const {
    std::string text;
    for (const auto& [kind, live] : live_) {
      if (live != 0) text += (text.empty() ? "" : ", ") + std::to_string(live) + " " + kind;
    }
    return text;
  }
  std::uint64_t memory_used() const { return used_; }

  int version() const override { return driver_version; }

#define HYP_CUDA_ENTRY(name, parameters, arguments)                                    \
  cuda::CUresult name parameters override {                                            \
    const std::lock_guard lock(mutex_);                                                \
    if (const auto injected = begin(#name); injected != CUDA_SUCCESS) return injected; \
    return on_##name arguments;                                                        \
  }
  // The parameters are spelled with names of runtime::cuda.
  using CUresult = cuda::CUresult;
  using CUdevice = cuda::CUdevice;
  using CUdeviceptr = cuda::CUdeviceptr;
  using CUcontext = cuda::CUcontext;
  using CUstream = cuda::CUstream;
  using CUevent = cuda::CUevent;
  using CUlibrary = cuda::CUlibrary;
  using CUkernel = cuda::CUkernel;
  using CUfunction = cuda::CUfunction;
  using CUgraph = cuda::CUgraph;
  using CUgraphNode = cuda::CUgraphNode;
  using CUgraphExec = cuda::CUgraphExec;
  using CUmemGenericAllocationHandle = cuda::CUmemGenericAllocationHandle;
  using CUdevice_attribute = cuda::CUdevice_attribute;
  using CUfunction_attribute = cuda::CUfunction_attribute;
  using CUmemAllocationProp = cuda::CUmemAllocationProp;
  using CUmemAllocationGranularity_flags = cuda::CUmemAllocationGranularity_flags;
  using CUmemAccessDesc = cuda::CUmemAccessDesc;
  using CUlaunchConfig = cuda::CUlaunchConfig;
  using CUstreamCaptureMode = cuda::CUstreamCaptureMode;
  using CUgraphExecUpdateResultInfo = cuda::CUgraphExecUpdateResultInfo;
  using CUtensorMap = cuda::CUtensorMap;
  using CUtensorMapDataType = cuda::CUtensorMapDataType;
  using CUtensorMapInterleave = cuda::CUtensorMapInterleave;
  using CUtensorMapSwizzle = cuda::CUtensorMapSwizzle;
  using CUtensorMapL2promotion = cuda::CUtensorMapL2promotion;
  using CUtensorMapFloatOOBfill = cuda::CUtensorMapFloatOOBfill;
  static constexpr auto CUDA_SUCCESS = cuda::CUDA_SUCCESS;
#include "runtime/cuda/driver.def"
#undef HYP_CUDA_ENTRY

 private:
  mutable std::recursive_mutex mutex_;  // a kernel may call the driver

  using Work = std::function<void()>;
  using Graph = std::vector<Work>;
  struct Stream {
    bool capturing = false;
    Graph captured;
  };
  struct Library {
    std::map<std::string, FakeKernel*> kernels;
  };
  struct Function {
    std::string name;
    FakeKernel* kernel;
  };

  CUresult begin(const char* name) {
    calls.emplace_back(name);
    const std::string_view called = name;
    // Naming an error must work after every error.
    if (called.starts_with("cuGetError") || fail_in_ == 0) return CUDA_SUCCESS;
    const bool is_meant = fail_name_.empty() ? !gives_back(called) : fail_name_ == called;
    if (is_meant && --fail_in_ == 0) {
      failed_call_ = name;
      return fail_result_;
    }
    return CUDA_SUCCESS;
  }
  static bool gives_back(std::string_view call) {
    return std::ranges::any_of(std::initializer_list<std::string_view>{"Destroy", "Release", "Free",
                                                                       "Unload", "Unmap", "Pop"},
                               [&](std::string_view word) { return call.find(word) != call.npos; });
  }
  template <class Handle, class T>
  Handle make(T* object, const char* kind) {
    ++live_[kind];
    return reinterpret_cast<Handle>(object);
  }
  template <class T, class Handle>
  CUresult destroy(Handle handle, const char* kind) {
    --live_[kind];
    delete reinterpret_cast<T*>(handle);
    return CUDA_SUCCESS;
  }
  // Runs now, or when the graph that the stream is captured into runs.
  CUresult submit(CUstream handle, Work work) {
    auto* stream = reinterpret_cast<Stream*>(handle);
    if (stream->capturing) {
      stream->captured.push_back(std::move(work));
    } else if (sticky_ == CUDA_SUCCESS) {
      work();
    }
    return CUDA_SUCCESS;
  }
  static double& milliseconds_at(CUevent event) { return *reinterpret_cast<double*>(event); }
  static std::byte* host(CUdeviceptr address) { return reinterpret_cast<std::byte*>(address); }

  CUresult on_cuInit(unsigned) {
    return device_count == 0 ? cuda::CUDA_ERROR_NO_DEVICE : CUDA_SUCCESS;
  }
  CUresult on_cuGetErrorName(CUresult result, const char** name) {
    *name = result == cuda::CUDA_ERROR_OUT_OF_MEMORY     ? "CUDA_ERROR_OUT_OF_MEMORY"
            : result == cuda::CUDA_ERROR_ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                                                         : "CUDA_ERROR_OF_THE_TEST";
    return CUDA_SUCCESS;
  }
  CUresult on_cuGetErrorString(CUresult, const char** text) {
    *text = "the driver's words";
    return CUDA_SUCCESS;
  }
  CUresult on_cuDeviceGetCount(int* count) { return *count = device_count, CUDA_SUCCESS; }
  CUresult on_cuDeviceGet(CUdevice* device, int ordinal) { return *device = ordinal, CUDA_SUCCESS; }
  CUresult on_cuDeviceGetName(char* name, int length, CUdevice) {
    std::strncpy(name, "Fake GPU", static_cast<std::size_t>(length));
    return CUDA_SUCCESS;
  }
  CUresult on_cuDeviceGetPCIBusId(char* text, int length, CUdevice) {
    std::strncpy(text, "0000:01:00.0", static_cast<std::size_t>(length));
    return CUDA_SUCCESS;
  }
  CUresult on_cuDeviceTotalMem(std::size_t* bytes, CUdevice) {
    return *bytes = memory_bytes, CUDA_SUCCESS;
  }
  CUresult on_cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
    switch (attribute) {
      case cuda::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *value = compute_major;
        break;
      case cuda::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
        *value = 0;
        break;
      case cuda::CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED:
        *value = maps_memory ? 1 : 0;
        break;
      case cuda::CU_DEVICE_ATTRIBUTE_WARP_SIZE:
        *value = 32;
        break;
      case cuda::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
        *value = 232448;
        break;
      default:
        *value = 1024;
    }
    return CUDA_SUCCESS;
  }

  CUresult on_cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice) {
    ++live_["contexts"];
    *context = reinterpret_cast<CUcontext>(this);
    return CUDA_SUCCESS;
  }
  CUresult on_cuDevicePrimaryCtxRelease(CUdevice) { return --live_["contexts"], CUDA_SUCCESS; }
  CUresult on_cuCtxGetCurrent(CUcontext* context) {
    *context = live_["pushed contexts"] > 0 ? reinterpret_cast<CUcontext>(this) : nullptr;
    return CUDA_SUCCESS;
  }
  CUresult on_cuCtxPushCurrent(CUcontext) { return ++live_["pushed contexts"], CUDA_SUCCESS; }
  CUresult on_cuCtxPopCurrent(CUcontext*) { return --live_["pushed contexts"], CUDA_SUCCESS; }
  CUresult on_cuCtxSynchronize() { return sticky_; }
  CUresult on_cuMemGetInfo(std::size_t* free, std::size_t* total) {
    *free = memory_bytes - used_;
    *total = memory_bytes;
    return CUDA_SUCCESS;
  }

  CUresult on_cuMemGetAllocationGranularity(std::size_t* bytes, const CUmemAllocationProp*,
                                            CUmemAllocationGranularity_flags) {
    return *bytes = kFakePage, CUDA_SUCCESS;
  }
  CUresult on_cuMemAddressReserve(CUdeviceptr* address, std::size_t bytes, std::size_t, CUdeviceptr,
                                  unsigned long long) {
    void* range =
        mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) return cuda::CUDA_ERROR_OUT_OF_MEMORY;
    ++live_["reserved ranges"];
    *address = reinterpret_cast<CUdeviceptr>(range);
    return CUDA_SUCCESS;
  }
  CUresult on_cuMemAddressFree(CUdeviceptr address, std::size_t bytes) {
    --live_["reserved ranges"];
    munmap(host(address), bytes);
    return CUDA_SUCCESS;
  }
  // A handle is its size; memory counts from its making until handle and mapping are both gone.
  CUresult on_cuMemCreate(CUmemGenericAllocationHandle* handle, std::size_t bytes,
                          const CUmemAllocationProp*, unsigned long long) {
    if (used_ + bytes > memory_bytes) return cuda::CUDA_ERROR_OUT_OF_MEMORY;
    ++live_["memory handles"];
    used_ += bytes;
    *handle = bytes;
    return CUDA_SUCCESS;
  }
  CUresult on_cuMemRelease(CUmemGenericAllocationHandle handle) {
    --live_["memory handles"];
    if (!last_handle_is_mapped_) used_ -= handle;
    last_handle_is_mapped_ = false;
    return CUDA_SUCCESS;
  }
  CUresult on_cuMemMap(CUdeviceptr, std::size_t bytes, std::size_t, CUmemGenericAllocationHandle,
                       unsigned long long) {
    live_["mapped bytes"] += static_cast<std::int64_t>(bytes);
    last_handle_is_mapped_ = true;
    return CUDA_SUCCESS;
  }
  CUresult on_cuMemUnmap(CUdeviceptr address, std::size_t bytes) {
    live_["mapped bytes"] -= static_cast<std::int64_t>(bytes);
    used_ -= bytes;
    madvise(host(address), bytes, MADV_DONTNEED);
    mprotect(host(address), bytes, PROT_NONE);
    return CUDA_SUCCESS;
  }
  CUresult on_cuMemSetAccess(CUdeviceptr address, std::size_t bytes, const CUmemAccessDesc*,
                             std::size_t) {
    mprotect(host(address), bytes, PROT_READ | PROT_WRITE);
    return CUDA_SUCCESS;
  }

  CUresult on_cuMemHostAlloc(void** data, std::size_t bytes, unsigned) {
    ++live_["pinned blocks"];
    *data = ::operator new(bytes);
    return CUDA_SUCCESS;
  }
  CUresult on_cuMemFreeHost(void* data) {
    --live_["pinned blocks"];
    ::operator delete(data);
    return CUDA_SUCCESS;
  }
  CUresult on_cuMemcpyHtoDAsync(CUdeviceptr to, const void* from, std::size_t bytes,
                                CUstream stream) {
    return submit(stream, [=] { std::memcpy(host(to), from, bytes); });
  }
  CUresult on_cuMemcpyDtoHAsync(void* to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
    return submit(stream, [=] { std::memcpy(to, host(from), bytes); });
  }
  CUresult on_cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, std::size_t bytes,
                                CUstream stream) {
    return submit(stream, [=] { std::memmove(host(to), host(from), bytes); });
  }
  CUresult on_cuMemsetD8Async(CUdeviceptr to, unsigned char value, std::size_t count,
                              CUstream stream) {
    return submit(stream, [=] { std::memset(host(to), value, count); });
  }

  CUresult on_cuStreamCreateWithPriority(CUstream* stream, unsigned, int) {
    return *stream = make<CUstream>(new Stream, "streams"), CUDA_SUCCESS;
  }
  CUresult on_cuStreamDestroy(CUstream stream) { return destroy<Stream>(stream, "streams"); }
  CUresult on_cuStreamSynchronize(CUstream) { return sticky_; }
  CUresult on_cuStreamQuery(CUstream) { return sticky_; }
  CUresult on_cuStreamWaitEvent(CUstream, CUevent, unsigned) { return sticky_; }
  CUresult on_cuEventCreate(CUevent* event, unsigned) {
    return *event = make<CUevent>(new double(0), "events"), CUDA_SUCCESS;
  }
  CUresult on_cuEventDestroy(CUevent event) { return destroy<double>(event, "events"); }
  // Captured, it only orders; in a graph is what cuEventRecordWithFlags puts there.
  CUresult on_cuEventRecord(CUevent event, CUstream stream) {
    if (!reinterpret_cast<Stream*>(stream)->capturing) milliseconds_at(event) = milliseconds_;
    return sticky_;
  }
  CUresult on_cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned flags) {
    const bool is_node = flags == cuda::CU_EVENT_RECORD_EXTERNAL;
    if (is_node != reinterpret_cast<Stream*>(stream)->capturing) {
      return cuda::CUDA_ERROR_INVALID_VALUE;
    }
    return submit(stream, [this, event] { milliseconds_at(event) = milliseconds_; });
  }
  CUresult on_cuEventQuery(CUevent) { return sticky_; }
  CUresult on_cuEventSynchronize(CUevent) { return sticky_; }
  CUresult on_cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end) {
    *milliseconds = static_cast<float>(milliseconds_at(end) - milliseconds_at(start));
    return CUDA_SUCCESS;
  }

  CUresult on_cuLibraryLoadData(CUlibrary* library, const void* code, int*, void**, unsigned, int*,
                                void**, unsigned) {
    const auto* text = static_cast<const char*>(code);
    if (std::strncmp(text, "FAKE", 4) != 0) return cuda::CUDA_ERROR_INVALID_IMAGE;
    auto loaded = std::make_unique<Library>();
    const std::string names = text + 4;
    for (auto& [name, kernel] : kernels) {
      if (names.find(" " + name + " ") != std::string::npos) loaded->kernels[name] = &kernel;
    }
    *library = make<CUlibrary>(loaded.release(), "libraries");
    return CUDA_SUCCESS;
  }
  CUresult on_cuLibraryUnload(CUlibrary library) { return destroy<Library>(library, "libraries"); }
  CUresult on_cuLibraryGetKernel(CUkernel* kernel, CUlibrary library, const char* name) {
    auto& known = reinterpret_cast<Library*>(library)->kernels;
    const auto found = known.find(name);
    if (found == known.end()) return cuda::CUDA_ERROR_NOT_FOUND;
    functions_.push_back(std::make_unique<Function>(Function{name, found->second}));
    *kernel = reinterpret_cast<CUkernel>(functions_.back().get());
    return CUDA_SUCCESS;
  }
  CUresult on_cuKernelGetFunction(CUfunction* function, CUkernel kernel) {
    return *function = reinterpret_cast<CUfunction>(kernel), CUDA_SUCCESS;
  }
  CUresult on_cuFuncGetAttribute(int* value, CUfunction_attribute, CUfunction) {
    return *value = 16, CUDA_SUCCESS;
  }
  CUresult on_cuFuncSetAttribute(CUfunction, CUfunction_attribute, int value) {
    return value > 232448 ? cuda::CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  }
  CUresult on_cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction handle, void** parameters,
                               void**) {
    if (config->blockDimX * config->blockDimY * config->blockDimZ > most_threads) {
      return cuda::CUDA_ERROR_INVALID_VALUE;
    }
    const auto* function = reinterpret_cast<Function*>(handle);
    auto values = std::make_shared<std::vector<std::vector<std::byte>>>();
    for (std::size_t i = 0; i < function->kernel->parameter_bytes.size(); ++i) {
      const auto* data = static_cast<const std::byte*>(parameters[i]);
      values->emplace_back(data, data + function->kernel->parameter_bytes[i]);
    }
    return submit(config->hStream, [this, function, values, shape = *config] {
      if (function->name == faulty_kernel) {
        sticky_ = cuda::CUDA_ERROR_ILLEGAL_ADDRESS;
        return;
      }
      std::vector<void*> pointers;
      for (auto& value : *values) pointers.push_back(value.data());
      function->kernel->body(shape, pointers.data());
      milliseconds_ += function->kernel->milliseconds;
    });
  }
  CUresult on_cuTensorMapEncodeTiled(CUtensorMap*, CUtensorMapDataType, std::uint32_t, void*,
                                     const std::uint64_t*, const std::uint64_t*,
                                     const std::uint32_t*, const std::uint32_t*,
                                     CUtensorMapInterleave, CUtensorMapSwizzle,
                                     CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
    return CUDA_SUCCESS;
  }

  CUresult on_cuTensorMapEncodeIm2col(CUtensorMap*, CUtensorMapDataType, std::uint32_t, void*,
                                      const std::uint64_t*, const std::uint64_t*, const int*,
                                      const int*, std::uint32_t, std::uint32_t,
                                      const std::uint32_t*, CUtensorMapInterleave,
                                      CUtensorMapSwizzle, CUtensorMapL2promotion,
                                      CUtensorMapFloatOOBfill) {
    return CUDA_SUCCESS;
  }

  CUresult on_cuStreamBeginCapture(CUstream stream, CUstreamCaptureMode) {
    reinterpret_cast<Stream*>(stream)->capturing = true;
    return CUDA_SUCCESS;
  }
  CUresult on_cuStreamEndCapture(CUstream handle, CUgraph* graph) {
    auto* stream = reinterpret_cast<Stream*>(handle);
    stream->capturing = false;
    *graph = make<CUgraph>(new Graph(std::move(stream->captured)), "graphs");
    return CUDA_SUCCESS;
  }
  CUresult on_cuGraphGetNodes(CUgraph graph, CUgraphNode*, std::size_t* count) {
    return *count = reinterpret_cast<Graph*>(graph)->size(), CUDA_SUCCESS;
  }
  CUresult on_cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph graph,
                                          unsigned long long) {
    *executable =
        make<CUgraphExec>(new Graph(*reinterpret_cast<Graph*>(graph)), "executable graphs");
    return CUDA_SUCCESS;
  }
  CUresult on_cuGraphExecUpdate(CUgraphExec executable, CUgraph graph,
                                CUgraphExecUpdateResultInfo*) {
    auto* from = reinterpret_cast<Graph*>(graph);
    auto* to = reinterpret_cast<Graph*>(executable);
    if (from->size() != to->size()) return cuda::CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
    *to = *from;
    return CUDA_SUCCESS;
  }
  CUresult on_cuGraphLaunch(CUgraphExec executable, CUstream stream) {
    return submit(stream, [this, executable] {
      for (const Work& work : *reinterpret_cast<Graph*>(executable)) {
        if (sticky_ == CUDA_SUCCESS) work();
      }
    });
  }
  CUresult on_cuGraphExecDestroy(CUgraphExec executable) {
    return destroy<Graph>(executable, "executable graphs");
  }
  CUresult on_cuGraphDestroy(CUgraph graph) { return destroy<Graph>(graph, "graphs"); }

  std::uint64_t fail_in_ = 0;
  CUresult fail_result_ = CUDA_SUCCESS;
  std::string fail_name_;
  std::string failed_call_;
  CUresult sticky_ = CUDA_SUCCESS;
  double milliseconds_ = 0;  // the device's clock: kernels take time, nothing else does
  std::uint64_t used_ = 0;
  bool last_handle_is_mapped_ = false;
  std::map<std::string, std::int64_t> live_;
  std::vector<std::unique_ptr<Function>> functions_;
};

class FakeNvrtc final : public cuda::Nvrtc {
 public:
  int nvrtc_version = 13000;
  cuda::nvrtcResult compile_result = cuda::NVRTC_SUCCESS;
  std::string log;
  std::vector<std::string> options;  // of the last compilation
  std::atomic<int> compilations = 0;

  int version() const override { return nvrtc_version; }
  std::string result_text(cuda::nvrtcResult result) const override {
    return "NVRTC result " + std::to_string(static_cast<int>(result));
  }

  cuda::nvrtcResult nvrtcCreateProgram(cuda::nvrtcProgram* program, const char* source, const char*,
                                       int, const char* const*, const char* const*) override {
    *program = reinterpret_cast<cuda::nvrtcProgram>(new std::string(source));
    return cuda::NVRTC_SUCCESS;
  }
  cuda::nvrtcResult nvrtcDestroyProgram(cuda::nvrtcProgram* program) override {
    delete reinterpret_cast<std::string*>(*program);
    return cuda::NVRTC_SUCCESS;
  }
  cuda::nvrtcResult nvrtcCompileProgram(cuda::nvrtcProgram, int count,
                                        const char* const* given) override {
    ++compilations;
    std::lock_guard lock(mutex_);
    options.assign(given, given + count);
    return compile_result;
  }
  cuda::nvrtcResult nvrtcGetProgramLogSize(cuda::nvrtcProgram, std::size_t* bytes) override {
    *bytes = log.size() + 1;
    return cuda::NVRTC_SUCCESS;
  }
  cuda::nvrtcResult nvrtcGetProgramLog(cuda::nvrtcProgram, char* to) override {
    std::memcpy(to, log.c_str(), log.size() + 1);
    return cuda::NVRTC_SUCCESS;
  }
  cuda::nvrtcResult nvrtcGetCUBINSize(cuda::nvrtcProgram program, std::size_t* bytes) override {
    *bytes = cubin(program).size() + 1;
    return cuda::NVRTC_SUCCESS;
  }
  cuda::nvrtcResult nvrtcGetCUBIN(cuda::nvrtcProgram program, char* to) override {
    const std::string bytes = cubin(program);
    std::memcpy(to, bytes.c_str(), bytes.size() + 1);
    return cuda::NVRTC_SUCCESS;
  }
  cuda::nvrtcResult nvrtcGetNumSupportedArchs(int* count) override {
    *count = 3;
    return cuda::NVRTC_SUCCESS;
  }
  cuda::nvrtcResult nvrtcGetSupportedArchs(int* architectures) override {
    for (const int one : {75, 80, 90}) *architectures++ = one;
    return cuda::NVRTC_SUCCESS;
  }

 private:
  static std::string cubin(cuda::nvrtcProgram program) {
    const std::string& source = *reinterpret_cast<std::string*>(program);
    static const std::regex kernel(R"re(extern "C" __global__ void (\w+))re");
    std::string names = "FAKE ";
    for (std::sregex_iterator it(source.begin(), source.end(), kernel), end; it != end; ++it) {
      names += (*it)[1].str() + " ";
    }
    return names;
  }

  std::mutex mutex_;  // guards options: programs are compiled in parallel
};

}  // namespace hyperion::testing_support

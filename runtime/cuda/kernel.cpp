#include "runtime/cuda/kernel.hpp"

#include <utility>

#include "ir/support/check.hpp"
#include "ir/support/format.hpp"
#include "runtime/cuda/problem.hpp"

namespace hyperion::runtime::cuda {
namespace {

// Parameters of real kernels are a few pointers and sizes; the driver's own limit is 4 KiB.
constexpr std::size_t kMostParameters = 256;

std::string text(const Dim3& dims) { return format("({}, {}, {})", dims.x, dims.y, dims.z); }

}  // namespace

Arguments& Arguments::add_bytes(std::span<const std::byte> bytes, std::size_t alignment) {
  const std::size_t offset = (storage_.size() + alignment - 1) / alignment * alignment;
  storage_.resize(offset + bytes.size());
  std::memcpy(storage_.data() + offset, bytes.data(), bytes.size());
  offsets_.push_back(offset);
  HYP_CHECK(offsets_.size() <= kMostParameters, "a kernel has at most 256 parameters");
  return *this;
}

// ---- Code ----

StatusOr<std::shared_ptr<KernelLibrary>> KernelLibrary::load(std::shared_ptr<Context> context,
                                                             std::span<const std::byte> cubin) {
  HYP_TRY(const auto current, context->enter());
  Driver& driver = context->driver();
  CUlibrary library = nullptr;
  const CUresult result =
      driver.cuLibraryLoadData(&library, cubin.data(), nullptr, nullptr, 0, nullptr, nullptr, 0);
  if (result == CUDA_ERROR_INVALID_IMAGE || result == CUDA_ERROR_NO_BINARY_FOR_GPU ||
      result == CUDA_ERROR_INVALID_SOURCE) {
    return problem_error(Problem::bad_code,
                         format("{} bytes of code for {}: {}", cubin.size(),
                                context->properties().architecture(), describe(driver, result)),
                         context->name());
  }
  if (result == CUDA_ERROR_OUT_OF_MEMORY) {
    return std::unexpected(context->out_of_memory(cubin.size(), "code"));
  }
  HYP_TRY_VOID(context->check(result, "cuLibraryLoadData"));
  return std::shared_ptr<KernelLibrary>(new KernelLibrary(std::move(context), library));
}

KernelLibrary::~KernelLibrary() {
  const auto current = context_->enter_to_release();
  Driver& driver = context_->driver();
  log_failure(driver, driver.cuLibraryUnload(library_), "cuLibraryUnload");
}

StatusOr<std::shared_ptr<Kernel>> KernelLibrary::kernel(const std::string& name,
                                                        std::string source) {
  HYP_TRY(const auto current, context_->enter());
  Driver& driver = context_->driver();
  const std::string where = format("kernel '{}'", name);
  CUkernel kernel = nullptr;
  const CUresult found = driver.cuLibraryGetKernel(&kernel, library_, name.c_str());
  if (found == CUDA_ERROR_NOT_FOUND) {
    return problem_error(Problem::no_kernel, format("no kernel '{}' in the code", name),
                         std::move(source));
  }
  HYP_TRY_VOID(context_->check(found, "cuLibraryGetKernel", where));
  CUfunction function = nullptr;
  // Here the code reaches the device, so this is where memory may run out.
  const CUresult loaded = driver.cuKernelGetFunction(&function, kernel);
  if (loaded == CUDA_ERROR_OUT_OF_MEMORY) {
    return std::unexpected(context_->out_of_memory(0, "the code of " + where));
  }
  if (loaded == CUDA_ERROR_NO_BINARY_FOR_GPU || loaded == CUDA_ERROR_INVALID_IMAGE) {
    return problem_error(Problem::bad_code, describe(driver, loaded), where);
  }
  HYP_TRY_VOID(context_->check(loaded, "cuKernelGetFunction", where));
  KernelAttributes attributes;
  const std::pair<CUfunction_attribute, int*> wanted[] = {
      {CU_FUNC_ATTRIBUTE_NUM_REGS, &attributes.registers},
      {CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, &attributes.local_bytes},
      {CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, &attributes.static_shared_bytes},
      {CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &attributes.most_threads},
  };
  for (const auto& [attribute, value] : wanted) {
    HYP_TRY_VOID(context_->check(driver.cuFuncGetAttribute(value, attribute, function),
                                 "cuFuncGetAttribute", where));
  }
  return std::shared_ptr<Kernel>(
      new Kernel(shared_from_this(), function, {name, std::move(source)}, attributes));
}

// ---- Launching ----

Kernel::Kernel(std::shared_ptr<KernelLibrary> code, CUfunction function, KernelOrigin origin,
               KernelAttributes attributes)
    : code_(std::move(code)),
      function_(function),
      origin_(std::make_shared<const KernelOrigin>(std::move(origin))),
      attributes_(attributes) {}

StatusOr<> Kernel::allow_shared(unsigned bytes) const {
  if (bytes <= allowed_shared_bytes_.load(std::memory_order_relaxed)) return {};
  Driver& driver = code_->context()->driver();
  const CUresult result = driver.cuFuncSetAttribute(
      function_, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, static_cast<int>(bytes));
  if (result == CUDA_ERROR_INVALID_VALUE) {
    return refused(result, {.shared_bytes = bytes});
  }
  HYP_TRY_VOID(code_->context()->check(result, "cuFuncSetAttribute"));
  allowed_shared_bytes_.store(bytes, std::memory_order_relaxed);
  return {};
}

StatusOr<> Kernel::refused(CUresult result, const LaunchShape& shape) const {
  const DeviceProperties& device = code_->context()->properties();
  const std::string where = origin_->source.empty()
                                ? format("kernel '{}'", origin_->kernel)
                                : format("kernel '{}' ({})", origin_->kernel, origin_->source);
  return problem_error(
      Problem::launch,
      format("grid {}, block {}, cluster {}, {} bytes of shared memory: {}; the kernel has {} "
             "registers and {} bytes of static shared memory, {} allows {} threads and {} bytes",
             text(shape.grid), text(shape.block), text(shape.cluster), shape.shared_bytes,
             describe(code_->context()->driver(), result), attributes_.registers,
             attributes_.static_shared_bytes, device.name, attributes_.most_threads,
             device.block_shared_bytes),
      where);
}

StatusOr<> launch(Stream& stream, const Kernel& kernel, const LaunchShape& shape,
                  const Arguments& arguments) {
  HYP_TRY(const auto current, stream.context()->enter());
  HYP_TRY_VOID(kernel.allow_shared(shape.shared_bytes));
  CUlaunchAttribute attributes[2];
  unsigned attribute_count = 0;
  if (shape.cluster != Dim3()) {
    CUlaunchAttribute& attribute = attributes[attribute_count++];
    attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    attribute.value.clusterDim = {shape.cluster.x, shape.cluster.y, shape.cluster.z};
  }
  if (shape.overlaps_previous) {
    CUlaunchAttribute& attribute = attributes[attribute_count++];
    attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attribute.value.programmaticStreamSerializationAllowed = 1;
  }
  const CUlaunchConfig config = {
      .gridDimX = shape.grid.x,
      .gridDimY = shape.grid.y,
      .gridDimZ = shape.grid.z,
      .blockDimX = shape.block.x,
      .blockDimY = shape.block.y,
      .blockDimZ = shape.block.z,
      .sharedMemBytes = shape.shared_bytes,
      .hStream = stream.handle(),
      .attrs = attributes,
      .numAttrs = attribute_count,
  };
  void* pointers[kMostParameters];
  for (std::size_t i = 0; i < arguments.count(); ++i) {
    pointers[i] = const_cast<std::byte*>(arguments.data(i));  // the driver only reads
  }
  stream.note(kernel.origin_);
  const CUresult result =
      stream.context()->driver().cuLaunchKernelEx(&config, kernel.function_, pointers, nullptr);
  if (result == CUDA_SUCCESS) [[likely]]
    return {};
  if (is_fatal(result)) return stream.check(result, "cuLaunchKernelEx");
  return kernel.refused(result, shape);
}

}  // namespace hyperion::runtime::cuda

#include "runtime/cuda/code.hpp"

#include <algorithm>
#include <utility>

#include "ir/support/check.hpp"
#include "ir/support/format.hpp"
#include "runtime/cuda/queue.hpp"
#include "runtime/cuda/object.hpp"
#include "runtime/cuda/problem.hpp"

namespace hyperion::runtime::cuda {
namespace {

std::uint32_t buffer_of(const Parameter& parameter) {
  if (const auto* buffer = std::get_if<BufferParameter>(&parameter)) return buffer->buffer;
  if (const auto* map = std::get_if<TensorMapParameter>(&parameter)) return map->buffer;
  return 0;
}

StatusOr<CUtensorMap> encode(Context& context, const TensorMapParameter& wanted,
                             CUdeviceptr address) {
  CUtensorMap map = {};
  const std::vector<std::uint32_t> element_strides(wanted.dims.size(), 1);
  HYP_TRY_VOID(context.check(
      context.driver().cuTensorMapEncodeTiled(
          &map, wanted.type, static_cast<std::uint32_t>(wanted.dims.size()),
          reinterpret_cast<void*>(address + wanted.offset), wanted.dims.data(),
          wanted.byte_strides.data(), wanted.box.data(), element_strides.data(),
          CU_TENSOR_MAP_INTERLEAVE_NONE, wanted.swizzle, wanted.promotion,
          CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
      "cuTensorMapEncodeTiled"));
  return map;
}

// The arguments are filled in once; later runs replace what changed.
class CudaKernel final : public LoadedKernel {
 public:
  CudaKernel(std::shared_ptr<Context> context, CudaQueue& queue, std::shared_ptr<Kernel> kernel,
             const KernelEntry& entry)
      : context_(std::move(context)), queue_(queue), kernel_(std::move(kernel)), entry_(entry) {
    for (const Parameter& parameter : entry_.parameters) {
      if (const auto* constant = std::get_if<ConstantParameter>(&parameter)) {
        arguments_.add_bytes(constant->bytes, constant->bytes.size());
      } else if (std::holds_alternative<BufferParameter>(parameter)) {
        arguments_.add(CUdeviceptr{0});
      } else {
        arguments_.add(CUtensorMap{});
      }
    }
    addresses_.resize(entry_.parameters.size());
  }

  StatusOr<> run(std::span<void* const> buffers, LaunchContext&) override {
    for (std::size_t i = 0; i < entry_.parameters.size(); ++i) {
      const Parameter& parameter = entry_.parameters[i];
      if (std::holds_alternative<ConstantParameter>(parameter)) continue;
      const auto address = reinterpret_cast<CUdeviceptr>(buffers[buffer_of(parameter)]);
      if (addresses_[i] == address) continue;
      if (const auto* map = std::get_if<TensorMapParameter>(&parameter)) {
        HYP_TRY(const CUtensorMap encoded, encode(*context_, *map, address));
        arguments_.set(i, encoded);
      } else {
        arguments_.set(i, address);
      }
      addresses_[i] = address;
    }
    return queue_.launch(kernel_, entry_.shape, arguments_);
  }

 private:
  const std::shared_ptr<Context> context_;
  CudaQueue& queue_;
  const std::shared_ptr<Kernel> kernel_;
  const KernelEntry entry_;
  Arguments arguments_;
  std::vector<CUdeviceptr> addresses_;  // that the arguments hold; 0: none yet
};

class CudaCode final : public LoadedCode {
 public:
  CudaCode(std::shared_ptr<KernelLibrary> library, std::vector<KernelEntry> kernels)
      : library_(std::move(library)), kernels_(std::move(kernels)) {}

  KernelFunction* symbol(const std::string&) override { return nullptr; }

  StatusOr<std::unique_ptr<LoadedKernel>> bind(const Launch& launch, DeviceQueue& queue,
                                               Profiler&) override {
    const auto entry = std::ranges::find(kernels_, launch.kernel, &KernelEntry::name);
    if (entry == kernels_.end()) return nullptr;
    for (const Parameter& parameter : entry->parameters) {
      if (buffer_of(parameter) < std::max<std::size_t>(launch.buffers.size(), 1)) continue;
      return error_status(Code::data_loss,
                          format("kernel '{}' wants buffer {}, its launch has {}", entry->name,
                                 buffer_of(parameter), launch.buffers.size()),
                          launch.location);
    }
    auto* const own = dynamic_cast<CudaQueue*>(&queue);
    HYP_CHECK(own != nullptr, "code for GPUs is bound to a queue of a GPU");
    std::string source = launch.label.empty() || launch.label == launch.kernel
                             ? launch.location
                             : format("{}{}{}", launch.label, launch.location.empty() ? "" : " at ",
                                      launch.location);
    HYP_TRY(auto kernel, library_->kernel(entry->name, std::move(source)));
    return std::make_unique<CudaKernel>(library_->context(), *own, std::move(kernel), *entry);
  }

 private:
  const std::shared_ptr<KernelLibrary> library_;
  const std::vector<KernelEntry> kernels_;
};

class CudaCodeLoader final : public CodeLoader {
 public:
  explicit CudaCodeLoader(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  StatusOr<std::unique_ptr<LoadedCode>> load(std::span<const std::byte> bytes) override {
    HYP_TRY(DeviceObject object, DeviceObject::parse(bytes));
    const std::string& own = context_->properties().architecture();
    if (object.architecture != own) {
      return problem_error(
          Problem::bad_code,
          format("the code is for {}, {} is {}", object.architecture, context_->name(), own));
    }
    HYP_TRY(auto library, KernelLibrary::load(context_, object.cubin));
    return std::make_unique<CudaCode>(std::move(library), std::move(object.kernels));
  }

 private:
  const std::shared_ptr<Context> context_;
};

}  // namespace

std::unique_ptr<CodeLoader> make_code_loader(std::shared_ptr<Context> context) {
  return std::make_unique<CudaCodeLoader>(std::move(context));
}

}  // namespace hyperion::runtime::cuda

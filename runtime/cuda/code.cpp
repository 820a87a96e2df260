#include "runtime/cuda/code.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_map>
#include <utility>

#include "ir/support/check.hpp"
#include "ir/support/format.hpp"
#include "runtime/cuda/object.hpp"
#include "runtime/cuda/problem.hpp"
#include "runtime/cuda/queue.hpp"

namespace hyperion::runtime::cuda {
namespace {

// None for a constant.
std::span<const std::uint32_t> buffers_of(const Parameter& parameter) {
  if (const auto* buffer = std::get_if<BufferParameter>(&parameter)) return {&buffer->buffer, 1};
  if (const auto* map = std::get_if<TensorMapParameter>(&parameter)) return {&map->buffer, 1};
  if (const auto* list = std::get_if<BufferListParameter>(&parameter)) return list->buffers;
  return {};
}

StatusOr<CUtensorMap> encode(Context& context, const TensorMapParameter& wanted,
                             CUdeviceptr address) {
  HYP_TRY(const auto current, context.enter());
  CUtensorMap map = {};
  std::vector<std::uint32_t> element_strides(wanted.dims.size(), 1);
  const auto rank = static_cast<std::uint32_t>(wanted.dims.size());
  auto* const begin = reinterpret_cast<void*>(address + wanted.offset);
  const WindowWalk& windows = wanted.windows;
  if (windows.steps.empty()) {
    HYP_TRY_VOID(context.check(
        context.driver().cuTensorMapEncodeTiled(
            &map, wanted.type, rank, begin, wanted.dims.data(), wanted.byte_strides.data(),
            wanted.box.data(), element_strides.data(), CU_TENSOR_MAP_INTERLEAVE_NONE,
            wanted.swizzle, wanted.promotion, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
        "cuTensorMapEncodeTiled"));
    return map;
  }
  std::ranges::copy(windows.steps, element_strides.begin() + 1);
  HYP_TRY_VOID(context.check(
      context.driver().cuTensorMapEncodeIm2col(
          &map, wanted.type, rank, begin, wanted.dims.data(), wanted.byte_strides.data(),
          windows.first.data(), windows.last.data(), wanted.box[0], wanted.box[1],
          element_strides.data(), CU_TENSOR_MAP_INTERLEAVE_NONE, wanted.swizzle, wanted.promotion,
          CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
      "cuTensorMapEncodeIm2col"));
  return map;
}

// The arguments are filled in once; later runs replace what changed.
class CudaKernel final : public LoadedKernel {
 public:
  CudaKernel(std::shared_ptr<Context> context, CudaQueue& queue, std::shared_ptr<Kernel> kernel,
             const KernelEntry& entry, ProfileLabel& label)
      : context_(std::move(context)),
        queue_(queue),
        kernel_(std::move(kernel)),
        entry_(entry),
        label_(label) {
    for (const Parameter& parameter : entry_.parameters) {
      if (const auto* constant = std::get_if<ConstantParameter>(&parameter)) {
        arguments_.add_bytes(constant->bytes, constant->bytes.size());
      } else if (std::holds_alternative<BufferParameter>(parameter)) {
        arguments_.add(CUdeviceptr{0});
      } else if (const auto* list = std::get_if<BufferListParameter>(&parameter)) {
        const std::vector<CUdeviceptr> none(list->buffers.size());
        arguments_.add_bytes(std::as_bytes(std::span(none)), alignof(CUdeviceptr));
      } else {
        arguments_.add(CUtensorMap{});
      }
    }
    addresses_.resize(entry_.parameters.size());
  }

  StatusOr<> run(std::span<void* const> buffers, LaunchContext&) override {
    for (std::size_t i = 0; i < entry_.parameters.size(); ++i) {
      const Parameter& parameter = entry_.parameters[i];
      const std::span<const std::uint32_t> own = buffers_of(parameter);
      if (own.empty()) continue;
      if (std::holds_alternative<BufferListParameter>(parameter)) {
        for (std::size_t k = 0; k < own.size(); ++k) {
          const auto address = reinterpret_cast<CUdeviceptr>(buffers[own[k]]);
          std::memcpy(arguments_.data(i) + k * sizeof address, &address, sizeof address);
        }
        continue;
      }
      const auto address = reinterpret_cast<CUdeviceptr>(buffers[own[0]]);
      if (addresses_[i] == address) continue;
      if (const auto* map = std::get_if<TensorMapParameter>(&parameter)) {
        HYP_TRY(const CUtensorMap encoded, encode(*context_, *map, address));
        arguments_.set(i, encoded);
      } else {
        arguments_.set(i, address);
      }
      addresses_[i] = address;
    }
    return queue_.launch(kernel_, entry_.shape, arguments_, label_);
  }

 private:
  const std::shared_ptr<Context> context_;
  CudaQueue& queue_;
  const std::shared_ptr<Kernel> kernel_;
  const KernelEntry entry_;
  ProfileLabel& label_;
  Arguments arguments_;
  std::vector<CUdeviceptr> addresses_;  // that the arguments hold; 0: none yet
};

// What a launch's kernel is, for errors: "gelu at train.cpp:41:12".
std::string source_of(const Launch& launch) {
  if (launch.label.empty() || launch.label == launch.kernel) return launch.location;
  return launch.location.empty() ? launch.label : format("{} at {}", launch.label, launch.location);
}

StatusOr<> check_buffers(const KernelEntry& entry, const Launch& launch) {
  for (const Parameter& parameter : entry.parameters) {
    for (const std::uint32_t buffer : buffers_of(parameter)) {
      if (buffer < launch.buffers.size()) continue;
      return error_status(Code::data_loss,
                          format("kernel '{}' wants buffer {}, its launch has {}", entry.name, buffer,
                                 launch.buffers.size()),
                          launch.location);
    }
  }
  return {};
}

class CudaCode final : public LoadedCode {
 public:
  void add(std::shared_ptr<KernelLibrary> library, std::vector<KernelEntry> kernels) {
    for (KernelEntry& entry : kernels) {
      std::string name = entry.name;
      kernels_.emplace(std::move(name), Found{library, std::move(entry)});
    }
  }

  KernelFunction* symbol(const std::string&) override { return nullptr; }

  StatusOr<std::unique_ptr<LoadedKernel>> bind(const Launch& launch, DeviceQueue& queue,
                                               Profiler& profiler) override {
    const auto found = kernels_.find(launch.kernel);
    if (found == kernels_.end()) return nullptr;
    const auto& [library, entry] = found->second;
    HYP_TRY_VOID(check_buffers(entry, launch));
    auto* const own = dynamic_cast<CudaQueue*>(&queue);
    HYP_CHECK(own != nullptr, "code for GPUs is bound to a queue of a GPU");
    HYP_TRY(auto kernel, library->kernel(entry.name, source_of(launch)));
    return std::make_unique<CudaKernel>(library->context(), *own, std::move(kernel), entry,
                                        label_of(launch, profiler));
  }

 private:
  struct Found {
    std::shared_ptr<KernelLibrary> library;
    KernelEntry entry;
  };
  std::unordered_map<std::string, Found> kernels_;
};

class CudaCodeLoader final : public CodeLoader {
 public:
  explicit CudaCodeLoader(std::shared_ptr<Context> context) : context_(std::move(context)) {}

  StatusOr<std::unique_ptr<LoadedCode>> load(
      std::span<const std::span<const std::byte>> objects) override {
    auto code = std::make_unique<CudaCode>();
    const std::string own = context_->properties().architecture();
    for (const std::span<const std::byte> bytes : objects) {
      HYP_TRY(DeviceObject object, DeviceObject::parse(bytes));
      if (object.architecture != own) {
        return problem_error(Problem::bad_code, format("the code is for {}, {} is {}",
                                                       object.architecture, context_->name(), own));
      }
      HYP_TRY(auto library, KernelLibrary::load(context_, object.cubin));
      code->add(std::move(library), std::move(object.kernels));
    }
    return code;
  }

 private:
  const std::shared_ptr<Context> context_;
};

}  // namespace

std::unique_ptr<CodeLoader> make_code_loader(std::shared_ptr<Context> context) {
  return std::make_unique<CudaCodeLoader>(std::move(context));
}

}  // namespace hyperion::runtime::cuda

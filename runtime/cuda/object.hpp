// object.hpp: the object code of a module for GPUs: a cubin, and for each kernel how it is
// launched.
//
// Code generation writes one of these into Module::objects; each Launch of a plan names a kernel of
// it. A Launch has only buffers; the rest of what a kernel needs is fixed when it is generated and
// stands here: the shape of the launch, and the list of its parameters, each one
//
//   a buffer     the address of the launch's nth buffer
//   a constant   bytes, such as a size or a factor
//   buffers      the addresses of many of the launch's buffers, an array
//   a tensor map how the tensor memory accelerator walks the nth buffer; encoded when first
//                launched with that address
//
// Bytes: "HYPCUDA2", then the fields in order, little-endian, lists behind their length. What is
// damaged is data_loss, never a crash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/cuda/abi.hpp"
#include "runtime/cuda/kernel.hpp"

namespace hyperion::runtime::cuda {

struct BufferParameter {
  std::uint32_t buffer = 0;
  friend bool operator==(const BufferParameter&, const BufferParameter&) = default;
};

struct ConstantParameter {
  std::vector<std::byte> bytes;  // at most 8
  friend bool operator==(const ConstantParameter&, const ConstantParameter&) = default;

  template <class T>
  static ConstantParameter of(const T& value) {
    const auto bytes = std::as_bytes(std::span(&value, 1));
    return {{bytes.begin(), bytes.end()}};
  }
};

// How windows slide over an image: where the first of them begins, and by how much the last begins after the image's last
// pixel (a negative number, if it fits into it); and how far they are apart. All from the innermost spatial dimension on.
struct WindowWalk {
  std::vector<std::int32_t> first, last;
  std::vector<std::uint32_t> steps;
  friend bool operator==(const WindowWalk&, const WindowWalk&) = default;
};

// Dimensions from the innermost, which is dense.
struct TensorMapParameter {
  std::uint32_t buffer = 0;
  std::uint64_t offset = 0;  // in bytes
  CUtensorMapDataType type = CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_128B;
  CUtensorMapL2promotion promotion = CU_TENSOR_MAP_L2_PROMOTION_L2_256B;
  std::vector<std::uint64_t> dims;          // in elements, at most 5
  std::vector<std::uint64_t> byte_strides;  // of dims 1 and up: one less than dims
  std::vector<std::uint32_t> box;           // in elements, as many as dims
  // With steps, dims are channels, one to three spatial ones, and images; a load brings the same pixel of many windows
  // (im2col), and the box is how many channels and how many windows.
  WindowWalk windows;
  friend bool operator==(const TensorMapParameter&, const TensorMapParameter&) = default;
};

// The addresses of many buffers as one array: what a kernel that does many launches' work indexes.
struct BufferListParameter {
  std::vector<std::uint32_t> buffers;
  friend bool operator==(const BufferListParameter&, const BufferListParameter&) = default;
};
inline constexpr std::size_t kMostListedBuffers = 4000;  // of 32,764 bytes of parameters that a kernel may have

using Parameter = std::variant<BufferParameter, ConstantParameter, TensorMapParameter, BufferListParameter>;

struct KernelEntry {
  std::string name;
  LaunchShape shape;
  std::vector<Parameter> parameters;
  friend bool operator==(const KernelEntry&, const KernelEntry&) = default;
};

struct DeviceObject {
  std::string architecture;  // "sm_90a"
  std::vector<KernelEntry> kernels;
  std::vector<std::byte> cubin;
  friend bool operator==(const DeviceObject&, const DeviceObject&) = default;

  std::vector<std::byte> serialize() const;
  static StatusOr<DeviceObject> parse(std::span<const std::byte> bytes);
};

}  // namespace hyperion::runtime::cuda

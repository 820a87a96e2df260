#include "runtime/cuda/object.hpp"

#include <cstring>
#include <type_traits>
#include <utility>

#include "ir/support/format.hpp"

namespace hyperion::runtime::cuda {
namespace {

constexpr std::string_view kMagic = "HYPCUDA2";
constexpr std::size_t kMostDims = 5;            // of a tensor map
constexpr std::size_t kMostConstantBytes = 8;   // a double or a pointer
constexpr std::uint64_t kMostItems = 1u << 20;  // of any list but the cubin: far above real ones

// One description of the fields serves both directions: Writer appends them, Reader fills them in.
class Writer {
 public:
  void value(const auto& item) {
    const auto bytes = std::as_bytes(std::span(&item, 1));
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  void raw(const auto& list) {
    value(static_cast<std::uint64_t>(list.size()));
    const auto bytes = std::as_bytes(std::span(list.data(), list.size()));
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  template <class T, class Each>
  void list(const std::vector<T>& items, Each each) {
    value(static_cast<std::uint64_t>(items.size()));
    for (const T& item : items) each(*this, item);
  }
  bool ok() const { return true; }

  std::vector<std::byte> out;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : left_(bytes) {}

  void value(auto& item) {
    if (left_.size() < sizeof item) return fail();
    std::memcpy(&item, left_.data(), sizeof item);
    left_ = left_.subspan(sizeof item);
  }
  template <class List>
  void raw(List& list) {
    using T = typename List::value_type;
    std::uint64_t count = 0;
    value(count);
    if (count > left_.size() / sizeof(T)) return fail();
    list.resize(count);
    if (count != 0) std::memcpy(list.data(), left_.data(), count * sizeof(T));
    left_ = left_.subspan(count * sizeof(T));
  }
  template <class T, class Each>
  void list(std::vector<T>& items, Each each) {
    std::uint64_t count = 0;
    value(count);
    if (count > kMostItems) return fail();
    for (std::uint64_t i = 0; i < count && ok_; ++i) each(*this, items.emplace_back());
  }
  void fail() {
    ok_ = false;
    left_ = {};
  }
  bool ok() const { return ok_; }
  bool at_end() const { return left_.empty(); }

 private:
  std::span<const std::byte> left_;
  bool ok_ = true;
};

void dim_fields(auto& archive, auto& dims) {
  archive.value(dims.x);
  archive.value(dims.y);
  archive.value(dims.z);
}

// T is one of the parameters, const when written.
template <class Archive, class T>
void fields(Archive& archive, T& parameter) {
  using Kind = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Kind, ConstantParameter>) {
    archive.raw(parameter.bytes);
  } else if constexpr (std::is_same_v<Kind, BufferListParameter>) {
    archive.raw(parameter.buffers);
  } else {
    archive.value(parameter.buffer);
  }
  if constexpr (std::is_same_v<Kind, TensorMapParameter>) {
    archive.value(parameter.offset);
    archive.value(parameter.type);
    archive.value(parameter.swizzle);
    archive.value(parameter.promotion);
    archive.raw(parameter.dims);
    archive.raw(parameter.byte_strides);
    archive.raw(parameter.box);
    archive.raw(parameter.windows.first);
    archive.raw(parameter.windows.last);
    archive.raw(parameter.windows.steps);
  }
}

void parameter_fields(Writer& writer, const Parameter& parameter) {
  writer.value(static_cast<std::uint8_t>(parameter.index()));
  std::visit([&](const auto& one) { fields(writer, one); }, parameter);
}
void parameter_fields(Reader& reader, Parameter& parameter) {
  std::uint8_t kind = 0;
  reader.value(kind);
  if (kind == 1) {
    parameter = ConstantParameter();
  } else if (kind == 2) {
    parameter = TensorMapParameter();
  } else if (kind == 3) {
    parameter = BufferListParameter();
  } else if (kind != 0) {
    return reader.fail();
  }
  std::visit([&](auto& one) { fields(reader, one); }, parameter);
}

void kernel_fields(auto& archive, auto& kernel) {
  archive.raw(kernel.name);
  dim_fields(archive, kernel.shape.grid);
  dim_fields(archive, kernel.shape.block);
  dim_fields(archive, kernel.shape.cluster);
  archive.value(kernel.shape.shared_bytes);
  auto overlaps = static_cast<std::uint8_t>(kernel.shape.overlaps_previous);
  archive.value(overlaps);
  if constexpr (requires { archive.at_end(); }) {
    if (overlaps > 1) archive.fail();
    kernel.shape.overlaps_previous = overlaps == 1;
  }
  archive.list(kernel.parameters,
               [](auto& inner, auto& parameter) { parameter_fields(inner, parameter); });
}

void object_fields(auto& archive, auto& object) {
  archive.raw(object.architecture);
  archive.list(object.kernels, [](auto& inner, auto& kernel) { kernel_fields(inner, kernel); });
  archive.raw(object.cubin);
}

bool is_well_formed(const TensorMapParameter& map) {
  const std::size_t rank = map.dims.size(), spatial = map.windows.steps.size();
  if (map.windows.first.size() != spatial || map.windows.last.size() != spatial) return false;
  return rank >= 1 && rank <= kMostDims && map.byte_strides.size() + 1 == rank &&
         (spatial == 0 ? map.box.size() == rank : map.box.size() == 2 && rank == spatial + 2);
}

bool is_well_formed(const Parameter& parameter) {
  if (const auto* constant = std::get_if<ConstantParameter>(&parameter)) {
    return !constant->bytes.empty() && constant->bytes.size() <= kMostConstantBytes;
  }
  if (const auto* map = std::get_if<TensorMapParameter>(&parameter)) return is_well_formed(*map);
  if (const auto* list = std::get_if<BufferListParameter>(&parameter)) {
    return !list->buffers.empty() && list->buffers.size() <= kMostListedBuffers;
  }
  return true;
}

}  // namespace

std::vector<std::byte> DeviceObject::serialize() const {
  Writer writer;
  for (const char c : kMagic) writer.value(c);
  object_fields(writer, *this);
  return std::move(writer.out);
}

StatusOr<DeviceObject> DeviceObject::parse(std::span<const std::byte> bytes) {
  if (bytes.size() < kMagic.size() ||
      std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    return error_status(Code::incompatible, "the object holds no code for GPUs", {},
                        "compile the module for this device");
  }
  DeviceObject object;
  Reader reader(bytes.subspan(kMagic.size()));
  object_fields(reader, object);
  bool is_good = reader.ok() && reader.at_end();
  for (const KernelEntry& kernel : object.kernels) {
    for (const Parameter& parameter : kernel.parameters) {
      is_good = is_good && is_well_formed(parameter);
    }
  }
  if (!is_good) return error_status(Code::data_loss, "the object code for GPUs is damaged");
  return object;
}

}  // namespace hyperion::runtime::cuda

#include "frontend/tensor.hpp"

#include <ostream>

#include "frontend/error.hpp"
#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/recording.hpp"
#include "frontend/ops/shape.hpp"
#include "frontend/print.hpp"
#include "ir/support/format.hpp"

namespace hyperion {
namespace {

// One element as `cast` converts it.
template <class T>
T element_as(DType dtype, const std::byte* bytes) {
  if constexpr (std::same_as<T, bool>) {
    return element_to_double(dtype, bytes) != 0;
  } else if constexpr (std::floating_point<T>) {
    return is_integer(dtype) && dtype != DType::u64 ? static_cast<T>(element_to_integer(dtype, bytes))
                                                    : static_cast<T>(element_to_double(dtype, bytes));
  } else {
    if (is_integer(dtype) || is_boolean(dtype)) return static_cast<T>(element_to_integer(dtype, bytes));
    std::byte converted[8];
    element_from_double(dtype_of<T>(), element_to_double(dtype, bytes), converted);
    return static_cast<T>(element_to_integer(dtype_of<T>(), converted));
  }
}

frontend::Array on_host(const frontend::Array& array, std::source_location where) {
  auto here = frontend::on_host(array);
  if (!here) frontend::raise(frontend::user_line(where), here.error());
  return *std::move(here);
}

std::span<const std::byte> readable(const frontend::Array& array, std::source_location where) {
  auto bytes = array.host_bytes();
  if (!bytes) frontend::raise(frontend::user_line(where), bytes.error());
  return *bytes;
}

// `read` of the elements, wherever they are.
template <class Read>
auto read_elements(const Tensor& tensor, std::source_location where, Read read) {
  const frontend::Array& value = *tensor.eval(where).ref().value();
  if (value.buffer().device().is_host()) return read(readable(value, where));
  const frontend::Array copy = on_host(value, where);
  return read(readable(copy, where));
}

void require_real(Type type, std::source_location where) {
  if (!is_complex(type.dtype())) return;
  frontend::raise(frontend::user_line(where), "tensor.complex",
                  format("elements of {} cannot be read as one number each", type.text()), "read them with bytes()");
}

}  // namespace

Type Tensor::type(std::source_location where) const {
  if (!ref_) {
    frontend::raise(frontend::user_line(where), "tensor.empty", "an empty tensor has no type",
                    "a default-constructed Tensor holds nothing; assign to it first");
  }
  return ref_.type();
}

std::int64_t Tensor::dim(int axis, std::source_location where) const {
  const int at = frontend::normalize_axis("dim", axis, rank(where), frontend::user_line(where));
  return type().dim(at).value();
}

const Tensor& Tensor::eval(std::source_location where) const {
  if (!is_evaluated()) frontend::evaluate({&ref_, 1}, frontend::user_line(where));
  return *this;
}

Device Tensor::device(std::source_location where) const {
  static_cast<void>(type(where));  // raises for an empty tensor
  return ref_->device;
}

std::span<const std::byte> Tensor::bytes(std::source_location where) const {
  eval(where);
  const frontend::Array& value = *ref_.value();
  if (value.buffer().device().is_host()) return readable(value, where);
  std::lock_guard lock(frontend::graph_mutex());
  std::unique_ptr<std::vector<frontend::Array>>& copies = ref_->host_values;
  if (!copies) copies = std::make_unique<std::vector<frontend::Array>>(ref_->types.size());
  frontend::Array& copy = (*copies)[ref_.result()];
  // What was donated since is as lost here as anywhere.
  if (!copy || value.buffer().spent()) copy = on_host(value, where);
  return readable(copy, where);
}

template <class T>
T Tensor::item(std::source_location where) const {
  if (size(where) != 1) {
    frontend::raise(frontend::user_line(where), "tensor.item",
                    format("item: needs exactly one element, got {}", type().text()),
                    "read many elements with to_vector<T>()");
  }
  require_real(type(), where);
  return read_elements(*this, where,
                       [&](std::span<const std::byte> bytes) { return element_as<T>(dtype(), bytes.data()); });
}

template <class T>
std::vector<T> Tensor::to_vector(std::source_location where) const {
  require_real(this->type(where), where);
  const DType type = dtype();
  const std::size_t step = byte_size(type);
  return read_elements(*this, where, [&](std::span<const std::byte> all) {
    std::vector<T> out;
    out.reserve(all.size() / step);
    for (std::size_t at = 0; at < all.size(); at += step) out.push_back(element_as<T>(type, all.data() + at));
    return out;
  });
}

#define HYP_READ(T)                                               \
  template T Tensor::item<T>(std::source_location) const;         \
  template std::vector<T> Tensor::to_vector<T>(std::source_location) const;
HYP_READ(float)
HYP_READ(double)
HYP_READ(std::int64_t)
HYP_READ(std::int32_t)
HYP_READ(std::int16_t)
HYP_READ(std::int8_t)
HYP_READ(std::uint64_t)
HYP_READ(std::uint32_t)
HYP_READ(std::uint16_t)
HYP_READ(std::uint8_t)
HYP_READ(bool)
#undef HYP_READ

std::string Tensor::text(std::source_location where) const {
  const Type shown = type(where);
  return read_elements(*this, where,
                       [&](std::span<const std::byte> bytes) { return frontend::print_tensor(shown, bytes); });
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) { return out << tensor.text(); }

Tensor Tensor::to(DType dtype, std::source_location where) const { return cast(Operand(*this, where), dtype); }

Tensor Tensor::to(Device target, std::source_location where) const {
  const Device source = device(where);
  if (source == target) return *this;
  const Location place = frontend::user_line(where);
  if (ref_->is_traced) {
    frontend::raise(place, "trace.device",
                    format("to: a tensor of a function being traced is on {} and cannot move to {}", source.name(),
                           target.name()),
                    "move the function's arguments before the call, or its results after it");
  }
  eval(where);
  auto copy = frontend::copy_to(target, *ref_.value());
  if (!copy) frontend::raise(place, copy.error());
  return Tensor(frontend::data_node(*std::move(copy), type(), target));
}

Tensor Tensor::reshape(Shape shape, std::source_location where) const {
  return hyperion::reshape(Operand(*this, where), std::move(shape));
}
Tensor Tensor::transpose(Axes axes, std::source_location where) const {
  return hyperion::transpose(Operand(*this, where), std::move(axes));
}
Tensor Tensor::flatten(int start, int end, std::source_location where) const {
  return hyperion::flatten(Operand(*this, where), start, end);
}

}  // namespace hyperion

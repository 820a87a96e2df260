#include "frontend/ops/creation.hpp"

#include <cmath>

#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/recording.hpp"
#include "frontend/ops/shape.hpp"
#include "ir/support/format.hpp"

namespace hyperion {
namespace {

Type type_of(DType dtype, const Shape& shape, Location where) {
  for (std::int64_t size : shape) {
    if (size < 0) frontend::raise(where, "tensor.shape", format("a tensor cannot have size {}", size));
  }
  if (shape.size() > kMaxRank) {
    frontend::raise(where, "tensor.shape", format("rank {} is above the limit of {}", shape.size(), kMaxRank));
  }
  return Type(dtype, std::vector<Dim>(shape.begin(), shape.end()));
}

Tensor iota(Type type, int axis, Location where) {
  static const ir::OpDefinition& op = ir::op("iota");
  ir::Attributes attributes;
  attributes.set("shape", ir::Dims(type.dims().begin(), type.dims().end()));
  attributes.set("dtype", type.dtype());
  attributes.set("axis", std::int64_t{axis});
  return frontend::apply(op, {}, std::move(attributes), where);
}

// j - i of each element of the last two axes of x.
Tensor diagonal_offset(const Tensor& x, std::string_view op, const Operand& operand) {
  if (x.rank() < 2) {
    frontend::raise(operand.location(), "tensor.axis", format("{}: needs two axes, got {}", op, x.type().text()));
  }
  const Shape shape = x.shape();
  const Type square(DType::i64, {Dim(shape[shape.size() - 2]), Dim(shape.back())});
  return iota(square, 1, operand.location()) - iota(square, 0, operand.location());
}

}  // namespace

Tensor full(Shape shape, double value, DType dtype, Where where) {
  const Location place = frontend::user_line(where);
  return Tensor(frontend::splat(type_of(dtype, shape, place), value, place));
}

Tensor zeros(Shape shape, DType dtype, Where where) { return full(std::move(shape), 0, dtype, where); }
Tensor ones(Shape shape, DType dtype, Where where) { return full(std::move(shape), 1, dtype, where); }

Tensor full_like(Operand x, double value) {
  const Tensor like = frontend::tensor_of("full_like", x);
  const ScopedDevice there(like.device());
  return Tensor(frontend::splat(like.type(), value, x.location()));
}
Tensor zeros_like(Operand x) { return full_like(x, 0); }
Tensor ones_like(Operand x) { return full_like(x, 1); }

Tensor arange(std::int64_t stop, DType dtype, Where where) {
  const Location place = frontend::user_line(where);
  return iota(type_of(dtype, {std::max<std::int64_t>(stop, 0)}, place), 0, place);
}

Tensor arange(double start, double stop, double step, DType dtype, Where where) {
  const frontend::UserLine line(where);
  const Location place = frontend::user_line(where);
  if (step == 0 || !std::isfinite((stop - start) / step)) {
    frontend::raise(place, "tensor.range", format("arange: no range from {} to {} in steps of {}", start, stop, step));
  }
  const double count = std::max(0.0, std::ceil((stop - start) / step));
  const Type type = type_of(dtype, {static_cast<std::int64_t>(count)}, place);
  const Tensor steps = Tensor(frontend::splat(type, step, place));
  const Tensor starts = Tensor(frontend::splat(type, start, place));
  return iota(type, 0, place) * steps + starts;
}

Tensor linspace(double start, double stop, std::int64_t count, DType dtype, Where place) {
  const frontend::UserLine line(place);
  const Location location = frontend::user_line(place);
  if (count < 1 || !is_floating(dtype)) {
    frontend::raise(location, "tensor.range", format("linspace: {} numbers of type {}", count, dtype_name(dtype)));
  }
  const Type type = type_of(dtype, {count}, location);
  if (count == 1) return Tensor(frontend::splat(type, start, location));
  const double step = (stop - start) / static_cast<double>(count - 1);
  const Tensor value = iota(type, 0, location) * step + start;
  // The last number is `stop` itself, not the sum of roundings.
  return where(arange(count) == count - 1, stop, value);
}

Tensor eye(std::int64_t size, DType dtype, Where where) {
  const frontend::UserLine line(where);
  const Location place = frontend::user_line(where);
  const Type square = type_of(DType::i64, {size, size}, place);
  return cast(iota(square, 0, place) == iota(square, 1, place), dtype);
}

Tensor one_hot(Operand x, std::int64_t classes, DType dtype) {
  const frontend::UserLine line(x.where());
  const Tensor index = frontend::tensor_of("one_hot", x);
  Shape shape = index.shape();
  shape.push_back(classes);
  const Tensor all = iota(type_of(index.dtype(), shape, x.location()), index.rank(), x.location());
  return cast(unsqueeze(index, {-1}) == all, dtype);
}

Tensor tril(Operand x, std::int64_t diagonal) {
  const frontend::UserLine line(x.where());
  const Tensor t = frontend::tensor_of("tril", x);
  return where(diagonal_offset(t, "tril", x) <= diagonal, t, zeros_like(t));
}

Tensor triu(Operand x, std::int64_t diagonal) {
  const frontend::UserLine line(x.where());
  const Tensor t = frontend::tensor_of("triu", x);
  return where(diagonal_offset(t, "triu", x) >= diagonal, t, zeros_like(t));
}

Tensor from_bytes(DType dtype, Shape shape, std::span<const std::byte> bytes, Where where) {
  const Location place = frontend::user_line(where);
  const Type type = type_of(dtype, shape, place);
  if (type.bytes() != bytes.size()) {
    frontend::raise(place, "tensor.shape",
                    format("{} needs {} elements, got {}", type.text(), type.element_count(),
                           bytes.size() / byte_size(dtype)));
  }
  const Device device = default_device();
  auto array = frontend::make_array(type, bytes, device);
  if (!array) frontend::raise(place, array.error());
  return Tensor(frontend::data_node(*std::move(array), type, device));
}

template <class T>
Tensor from_span(std::span<const T> values, Shape shape, Where where) {
  return from_bytes(dtype_of<T>(), std::move(shape), std::as_bytes(values), where);
}

template <class T>
Tensor from_vector(const std::vector<T>& values, Shape shape, Where where) {
  if constexpr (std::same_as<T, bool>) {
    const std::vector<std::uint8_t> bytes(values.begin(), values.end());
    return from_bytes(DType::bool_, std::move(shape), std::as_bytes(std::span(bytes)), where);
  } else {
    return from_span(std::span<const T>(values), std::move(shape), where);
  }
}

#define HYP_FROM(T)                                                    \
  template Tensor from_vector<T>(const std::vector<T>&, Shape, Where); \
  template Tensor from_span<T>(std::span<const T>, Shape, Where);
HYP_FROM(float)
HYP_FROM(double)
HYP_FROM(std::int64_t)
HYP_FROM(std::int32_t)
HYP_FROM(std::int16_t)
HYP_FROM(std::int8_t)
HYP_FROM(std::uint64_t)
HYP_FROM(std::uint32_t)
HYP_FROM(std::uint16_t)
HYP_FROM(std::uint8_t)
#undef HYP_FROM
template Tensor from_vector<bool>(const std::vector<bool>&, Shape, Where);

Tensor from_host(const data::HostArray& array, Where where) {
  return from_bytes(array.dtype, array.dims, array.bytes, where);
}

Tensor frontend::from_numbers(std::span<const double> values, Shape shape, DType dtype, Where where) {
  std::vector<std::byte> bytes(values.size() * byte_size(dtype));
  for (std::size_t k = 0; k < values.size(); ++k) {
    element_from_double(dtype, values[k], bytes.data() + k * byte_size(dtype));
  }
  return from_bytes(dtype, std::move(shape), bytes, where);
}

}  // namespace hyperion

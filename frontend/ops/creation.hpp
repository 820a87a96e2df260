// creation.hpp: tensors from nothing and tensors from data.
//
// What is computed from numbers in the program (zeros, full, arange, ...) becomes part of the recorded program; what is
// copied from memory (tensor, from_vector, from_host) is data, and changing it compiles nothing. Whole numbers make i64,
// reals f32, unless a type is named.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "frontend/data/host_array.hpp"
#include "frontend/tensor.hpp"

namespace hyperion {

using Where = std::source_location;

Tensor zeros(Shape shape, DType dtype = DType::f32, Where where = Where::current());
Tensor ones(Shape shape, DType dtype = DType::f32, Where where = Where::current());
Tensor full(Shape shape, double value, DType dtype = DType::f32, Where where = Where::current());
Tensor zeros_like(Operand x);
Tensor ones_like(Operand x);
Tensor full_like(Operand x, double value);
// start, start + step, ... below stop (above it when step is negative).
Tensor arange(std::int64_t stop, DType dtype = DType::i64, Where where = Where::current());
Tensor arange(double start, double stop, double step = 1, DType dtype = DType::f32, Where where = Where::current());
// `count` numbers from start to stop, both included.
Tensor linspace(double start, double stop, std::int64_t count, DType dtype = DType::f32, Where where = Where::current());
Tensor eye(std::int64_t size, DType dtype = DType::f32, Where where = Where::current());
// 1 at [i, ..., k] where x[i, ...] = k, else 0.
Tensor one_hot(Operand x, std::int64_t classes, DType dtype = DType::f32);
// Keeps x[..., i, j] where j - i <= diagonal (tril) or >= diagonal (triu), zero elsewhere.
Tensor tril(Operand x, std::int64_t diagonal = 0);
Tensor triu(Operand x, std::int64_t diagonal = 0);

// Copies `values` in row-major order. The element type is T's.
template <class T>
Tensor from_vector(const std::vector<T>& values, Shape shape, Where where = Where::current());
template <class T>
Tensor from_span(std::span<const T> values, Shape shape, Where where = Where::current());
Tensor from_bytes(DType dtype, Shape shape, std::span<const std::byte> bytes, Where where = Where::current());
Tensor from_host(const data::HostArray& array, Where where = Where::current());

namespace frontend {
template <class T>
concept Element = std::integral<T> || std::floating_point<T>;
// The type of written-out numbers: reals f32, whole numbers i64, bool.
template <Element T>
constexpr DType written_dtype() {
  return std::same_as<T, bool> ? DType::bool_ : std::integral<T> ? DType::i64 : DType::f32;
}
Tensor from_numbers(std::span<const double> values, Shape shape, DType dtype, Where where);
}  // namespace frontend

// tensor(1.5), tensor({1, 2, 3}), tensor({{1.0, 2.0}, {3.0, 4.0}}); rows must have equal lengths.
template <frontend::Element T>
Tensor tensor(T value, DType dtype = frontend::written_dtype<T>(), Where where = Where::current()) {
  const double number = static_cast<double>(value);
  return frontend::from_numbers({&number, 1}, {}, dtype, where);
}
template <frontend::Element T>
Tensor tensor(std::initializer_list<T> row, DType dtype = frontend::written_dtype<T>(), Where where = Where::current()) {
  const std::vector<double> values(row.begin(), row.end());
  return frontend::from_numbers(values, {static_cast<std::int64_t>(row.size())}, dtype, where);
}
template <frontend::Element T>
Tensor tensor(std::initializer_list<std::initializer_list<T>> rows, DType dtype = frontend::written_dtype<T>(),
              Where where = Where::current()) {
  std::vector<double> values;
  for (const auto& row : rows) values.insert(values.end(), row.begin(), row.end());
  const std::size_t width = rows.size() == 0 ? 0 : rows.begin()->size();
  return frontend::from_numbers(values, {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(width)},
                                dtype, where);
}
template <frontend::Element T>
Tensor tensor(std::initializer_list<std::initializer_list<std::initializer_list<T>>> planes,
              DType dtype = frontend::written_dtype<T>(), Where where = Where::current()) {
  std::vector<double> values;
  Shape shape{static_cast<std::int64_t>(planes.size()), 0, 0};
  for (const auto& plane : planes) {
    shape[1] = static_cast<std::int64_t>(plane.size());
    for (const auto& row : plane) {
      shape[2] = static_cast<std::int64_t>(row.size());
      values.insert(values.end(), row.begin(), row.end());
    }
  }
  return frontend::from_numbers(values, std::move(shape), dtype, where);
}

}  // namespace hyperion

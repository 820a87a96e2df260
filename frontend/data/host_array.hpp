// host_array.hpp: numbers in plain memory, as files hold them, before they become tensors.
//
// Readers return a HostArray so that they need nothing but the standard library and the element
// types. It is a value: copying copies the bytes. Elements are little-endian and row-major
// (ir/dtype.hpp); a rank-0 array holds one element; a dimension of 0 makes an empty one.
//
// Invariant: bytes.size() == element_count() * byte_size(dtype). Every reader in this folder
// establishes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "ir/dtype.hpp"
#include "ir/support/check.hpp"

namespace hyperion::data {

struct HostArray {
  DType dtype = DType::u8;
  std::vector<std::int64_t> dims;
  std::vector<std::byte> bytes;

  std::int64_t rank() const { return static_cast<std::int64_t>(dims.size()); }

  std::int64_t element_count() const {
    std::int64_t count = 1;
    for (std::int64_t dim : dims) count *= dim;
    return count;
  }

  // The elements in row-major order. REQUIRES: T is the C++ type of `dtype`, or any one-byte type
  // for bool.
  template <class T>
  std::span<const T> as() const {
    check_type<T>();
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <class T>
  std::span<T> as() {
    check_type<T>();
    return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  // A zero-filled array. REQUIRES: every dimension is at least 0 and the size fits in memory.
  static HostArray zeros(DType dtype, std::vector<std::int64_t> dims) {
    HostArray array{dtype, std::move(dims), {}};
    array.bytes.resize(static_cast<std::size_t>(array.element_count()) * byte_size(dtype));
    return array;
  }

  // REQUIRES: values.size() is the product of `dims`.
  template <class T>
  static HostArray from(std::span<const T> values, std::vector<std::int64_t> dims) {
    HostArray array = zeros(dtype_of<T>(), std::move(dims));
    HYP_CHECK(array.bytes.size() == values.size_bytes(), "values do not fill the dimensions");
    if (!values.empty()) std::memcpy(array.bytes.data(), values.data(), values.size_bytes());
    return array;
  }

  friend bool operator==(const HostArray&, const HostArray&) = default;

 private:
  template <class T>
  void check_type() const {
    HYP_CHECK(dtype == dtype_of<T>() || (is_boolean(dtype) && sizeof(T) == 1),
              "HostArray read as another element type");
  }
};

}  // namespace hyperion::data

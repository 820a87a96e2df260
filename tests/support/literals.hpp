// literals.hpp: tensors in and out of tests: tensor<float>({2, 2}, {1, 2, 3, 4}) and elements<float>(literal).
#pragma once

#include <cstring>
#include <vector>

#include "ir/literal.hpp"

namespace hyperion::testing_support {

// T is not bool: std::vector<bool> has no bytes. Use a literal of std::uint8_t and its type instead.
template <class T>
LiteralPtr tensor(const std::vector<Dim>& dims, const std::vector<T>& elements) {
  return Literal::make(Type(dtype_of<T>(), dims), std::as_bytes(std::span(elements)));
}

// The same for dtypes without a C++ type: elements are given as bits.
template <class T>
LiteralPtr tensor_of_bits(DType dtype, const std::vector<Dim>& dims, const std::vector<T>& bits) {
  return Literal::make(Type(dtype, dims), std::as_bytes(std::span(bits)));
}

template <class T>
std::vector<T> elements(const LiteralPtr& literal) {
  const std::vector<std::byte> bytes = literal->dense_bytes();
  std::vector<T> out(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

}  // namespace hyperion::testing_support

// scan_parts.hpp: the parts of a scan's operands and results, for its rules.
//
//   operands: constants, carries, sequences        body: (constants, carries, elements) -> (carries, outputs)
//   results:  carries, stacked outputs
#pragma once

#include "ir/ops/callees.hpp"

namespace hyperion::ir::ops {

struct ScanParts {
  std::size_t constants, carries, sequences;
  std::int64_t length;

  ScanParts(const Attributes& attributes, std::size_t operand_count)
      : constants(at(attributes.integer("constants"))),
        carries(at(attributes.integer("carries"))),
        sequences(operand_count - constants - carries),
        length(attributes.integer("length")) {}

  std::size_t first_sequence() const { return constants + carries; }
  template <class T>
  std::vector<T> constants_of(const std::vector<T>& operands) const { return cut(operands, 0, constants); }
  template <class T>
  std::vector<T> carries_of(const std::vector<T>& operands) const { return cut(operands, constants, first_sequence()); }
  template <class T>
  std::vector<T> sequences_of(const std::vector<T>& operands) const { return cut(operands, first_sequence(), operands.size()); }

  // The type of one element of a sequence.
  static Type element(Type sequence) { return sequence.with_dims(sequence.dims().subspan(1)); }

 private:
  template <class T>
  static std::vector<T> cut(const std::vector<T>& list, std::size_t begin, std::size_t end) {
    return {list.begin() + static_cast<std::ptrdiff_t>(begin), list.begin() + static_cast<std::ptrdiff_t>(end)};
  }
};

// A scan being put together: parts in any order, applied in the right one.
struct ScanBuilder {
  std::vector<Value> constants, carries, sequences;

  std::vector<Type> parameters() const;  // of its body
  std::vector<Value> apply(Builder& b, const Function& body, std::int64_t length, bool reverse) const;
};

std::vector<Value> jvp_scan(JvpContext& c);              // scan_derivatives.cpp
std::vector<Value> transpose_scan(TransposeContext& c);
std::vector<Value> batch_scan(BatchContext& c);

}  // namespace hyperion::ir::ops

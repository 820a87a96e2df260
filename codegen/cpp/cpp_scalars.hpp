// cpp_scalars.hpp: types, literals and scalar functions as C++ text. Internal to the C++
// translation.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ir/module.hpp"

namespace hyperion::codegen {

bool has_cpp_type(DType dtype);
std::string cpp_type(DType dtype);
std::string cpp_type(Type type);  // Lanes<float, 16> for rank 1
// `bytes` holds one element.
std::string cpp_literal(DType dtype, const std::byte* bytes);
// A primitive applied to the texts `a`. Float arithmetic is written with operators; everything else
// calls a function of the prelude, of the primitive's name. `argument` is the type of the last
// argument.
std::string cpp_primitive(ir::Primitive primitive, DType result, DType argument,
                          const std::vector<std::string>& a, std::int64_t immediate);

// The scalar functions that kernels call, each a function of its own in front of them.
class CppScalarFunctions {
 public:
  // The text that applies `op` to scalars.
  std::string apply(const ir::Op& op, const std::vector<DType>& dtypes, DType result,
                    const std::vector<std::string>& a);
  // Takes over those of others that it lacks.
  void add(const CppScalarFunctions& others);
  std::string text() const;  // in the order of their first use

 private:
  std::set<std::string> known_;
  std::vector<std::pair<std::string, std::string>> functions_;  // names and texts
};

}  // namespace hyperion::codegen

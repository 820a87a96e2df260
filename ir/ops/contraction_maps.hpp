// contraction_maps.hpp: what `contract` and `convolve` share: the attributes that give their operands a map, and their
// type rule.
#pragma once

#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {

inline AttributeSpec lhs_map_attribute() {
  return {"lhs_map", AttributeKind::text, "what lanes of the map of lhs run along: row or depth; empty: no map",
          AttributeValue(std::string())};
}
inline AttributeSpec rhs_map_attribute() {
  return {"rhs_map", AttributeKind::text, "what lanes of the map of rhs run along: column or depth; empty: no map",
          AttributeValue(std::string())};
}

inline std::vector<ConstraintSpec> contraction_constraints() {
  return {{"c1", "(C1) operands without a map have the same element type"},
          {"c2", "(C2) lhs_map is row or depth, rhs_map is column or depth, or empty"}};
}

inline InferResult infer_contraction(const InferContext& c) {
  const std::string &lhs = c.attributes.text("lhs_map"), &rhs = c.attributes.text("rhs_map");
  if (!lhs.empty() && lhs != "row" && lhs != "depth") return c.fail("c2", "lhs_map is neither row nor depth", {0});
  if (!rhs.empty() && rhs != "column" && rhs != "depth") {
    return c.fail("c2", "rhs_map is neither column nor depth", {1});
  }
  const bool maps = !lhs.empty() || !rhs.empty();
  if (!maps && c.operands[0].dtype() != c.operands[1].dtype()) return c.fail("c1", "element types differ", {0, 1});
  return std::vector<Type>{};
}

}  // namespace hyperion::ir::ops

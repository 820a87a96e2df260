// A packed operand is copied anyway, in an order that the micro-kernel likes; a map on the way costs its arithmetic and
// saves writing and reading the operand. The rule below is what tests/benchmark/prologue_benchmark.cpp measures not to
// lose (decision 14):
//   rhs is packed once for each element, so any map may join.
//   lhs is mostly read where it lies: packing it is worth the trip to memory that it saves if few columns, or few rows,
//   are multiplied. Blocks of columns pack it again, and one vector at a time hides no latency, so nothing dear joins.
//   Contractions that have no packed kernel read an operand for every sum and take no map at all.
#include "passes/fusion/prologue.hpp"

#include <algorithm>

#include "ir/ops/convolution.hpp"

namespace hyperion::passes {
namespace {

using ir::Function;
using ir::Op;
using ir::OpId;
using ir::ValueId;
using ir::ops::Convolution;
using ir::ops::ConvTensor;

// Ops in one map: each is in the code of every kind of packing once.
constexpr std::size_t kLongestMap = 16;
// Products with more columns and more rows than these read lhs too often for a trip to memory to matter.
constexpr std::int64_t kFewColumns = 256;
constexpr std::int64_t kFewColumnsOfConversions = 512;
constexpr std::int64_t kFewRows = 64;
// Output positions in a line from which tiles of a convolution run along the line
// (codegen/llvm/contraction_convolution).
constexpr std::int64_t kPositionsOfATile = 6;

bool is_packed_type(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16;
}

bool is_expensive(const Function& f, std::span<const OpId> map) {
  return std::ranges::any_of(map, [&](OpId id) { return f.op(id).definition->is_expensive; });
}

bool contains(const ir::Integers& axes, std::int64_t axis) { return std::ranges::find(axes, axis) != axes.end(); }

std::int64_t size(Type type, std::int64_t axis) { return type.dim(static_cast<int>(axis)).value(); }

// Axes of an operand of dot that are neither contracted nor of the batch, with how many positions they have.
struct Free {
  int axes = 0;
  std::int64_t positions = 1;
};
Free free_axes(const Function& f, const Op& dot, bool is_lhs) {
  const Type type = f.type(dot.operands[is_lhs ? 0 : 1]);
  const ir::Integers& batch = dot.attributes.integers(is_lhs ? "lhs_batch" : "rhs_batch");
  const ir::Integers& contract = dot.attributes.integers(is_lhs ? "lhs_contract" : "rhs_contract");
  Free out;
  for (std::int64_t axis = 0; axis < type.rank(); ++axis) {
    if (contains(batch, axis) || contains(contract, axis) || size(type, axis) == 1) continue;
    ++out.axes;
    out.positions *= size(type, axis);
  }
  return out;
}

bool pays_in_dot(const Function& f, const Op& dot, bool is_lhs, std::span<const OpId> map) {
  const Type lhs = f.type(dot.operands[0]);
  const auto contracted = std::ranges::count_if(dot.attributes.integers("lhs_contract"),
                                                [&](std::int64_t axis) { return size(lhs, axis) != 1; });
  // More axes are packed as well if they lie one after another, which few do.
  const Free rows = free_axes(f, dot, true), columns = free_axes(f, dot, false);
  if (contracted > 1 || columns.axes > 1) return false;
  if (!is_lhs) return true;
  const bool converts = std::ranges::all_of(map, [&](OpId id) { return f.op(id).is("cast"); });
  const std::int64_t few_columns = converts ? kFewColumnsOfConversions : kFewColumns;
  return !is_expensive(f, map) && (columns.positions <= few_columns || rows.positions <= kFewRows);
}

bool pays_in_convolution(const Function& f, const Op& op, bool is_lhs, std::span<const OpId> map) {
  if (!op.is("conv") && !op.is("conv_input_gradient")) return false;
  const Type result = f.type(op.results[0]);
  const Convolution v(op.attributes, result.rank());
  if (v.spatial > 2) return false;
  if (!is_lhs) return true;  // weights are packed once
  const ConvTensor role = op.is("conv") ? ConvTensor::output : ConvTensor::input;
  const std::int64_t holes = op.is("conv") ? 1 : v.strides.back();
  const std::int64_t width = size(result, v.first_spatial(role) + v.spatial - 1);
  return width / holes >= kPositionsOfATile && !is_expensive(f, map);
}

}  // namespace

bool pays_as_prologue(const Function& f, const Op& contraction, ValueId operand, std::span<const OpId> map) {
  if (!is_packed_type(f.type(operand).dtype()) || map.size() > kLongestMap) return false;
  if (f.type(operand).element_count() == 0) return false;  // nothing to read, not even where an index is known
  const bool is_lhs = contraction.operands[0] == operand;
  // A square of the operand would compute it for either side.
  if (contraction.operands[0] == contraction.operands[1]) return false;
  return contraction.is("dot") ? pays_in_dot(f, contraction, is_lhs, map)
                               : pays_in_convolution(f, contraction, is_lhs, map);
}

}  // namespace hyperion::passes

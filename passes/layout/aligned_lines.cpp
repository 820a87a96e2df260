// aligned_lines: operands of large products whose lines do not begin at multiples of 16 bytes are copied once, padded
// with zeros along what is summed over.
//
// The tensor memory accelerator reads no other lines (CUDA driver API, cuTensorMapEncodeTiled: globalStrides), and
// without it the tensor cores of sm_90 reach a ninth of their speed. Both operands are padded alike, so what is added
// is zero times zero: no infinity meets it.
#include <algorithm>

#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

using ir::Integers;
using ir::Value;

constexpr std::int64_t kLineBytes = 16;

// Measured on an H200, in units of a nanosecond: multiply-adds of unaligned and of aligned lines, bytes that a copy
// moves, and what a launch costs.
constexpr double kUnalignedRate = 33e3, kAlignedRate = 330e3, kCopyRate = 2.5e3, kLaunch = 4e3;

struct Side {
  std::string name;
  Value value;
  std::int64_t depth_axis = 0;
  bool is_turned = false;  // so that depth, which is padded anyway, is the axis whose length must fit
};

std::int64_t extent(const Value& x, std::int64_t axis) {
  return x.type().dims()[static_cast<std::size_t>(axis)].value();
}

bool is_static(const Value& x) {
  return std::ranges::all_of(x.type().dims(), [](const Dim& dim) { return dim.is_static(); });
}

std::int64_t elements(const Value& x) {
  std::int64_t count = 1;
  for (const Dim& dim : x.type().dims()) count *= dim.value();
  return count;
}

bool fits(std::int64_t line, DType dtype) {
  return line * static_cast<std::int64_t>(byte_size(dtype)) % kLineBytes == 0;
}

// Behind each barrier it is a tensor of its own: in the product it would be a view, read as it lay.
Value copied(ir::Builder& b, Side& side, std::int64_t padding, ir::Attributes& attributes) {
  Value x = side.value;
  const std::int64_t last = x.type().rank() - 1;
  if (side.is_turned) {
    Integers permutation;
    for (std::int64_t axis = 0; axis <= last; ++axis) {
      if (axis != side.depth_axis) permutation.push_back(axis);
    }
    permutation.push_back(side.depth_axis);
    Integers batches;
    for (std::int64_t axis : attributes.integers(side.name + "_batch"))
      batches.push_back(std::ranges::find(permutation, axis) - permutation.begin());
    attributes.set(side.name + "_contract", Integers{last});
    attributes.set(side.name + "_batch", batches);
    side.depth_axis = last;
    x = b.apply("barrier", {b.transpose(x, permutation)});
  }
  if (padding == 0) return x;
  const Integers none(static_cast<std::size_t>(last + 1), 0);
  Integers high = none;
  high[static_cast<std::size_t>(side.depth_axis)] = padding;
  const Value padded =
      b.apply("pad", {x, b.zeros(Type::scalar(x.dtype()))}, {{"low", none}, {"high", high}, {"interior", none}});
  return b.apply("barrier", {padded});
}

void align(Rewriter& rewriter, ir::OpId id) {
  const ir::Op op = rewriter.function().op(id);
  if (!op.is("dot")) return;
  ir::Builder b = rewriter.before(id);
  Side sides[2] = {{.name = "lhs", .value = b.wrap(op.operands[0])}, {.name = "rhs", .value = b.wrap(op.operands[1])}};
  const DType dtype = sides[0].value.dtype();
  if ((dtype != DType::bf16 && dtype != DType::f16) || sides[1].value.dtype() != dtype) return;
  bool pads = false, copies = false;
  for (Side& side : sides) {
    const Integers& contract = op.attributes.integers(side.name + "_contract");
    if (contract.size() != 1 || !is_static(side.value)) return;
    side.depth_axis = contract[0];
    const std::int64_t last = side.value.type().rank() - 1, line = extent(side.value, last);
    side.is_turned = side.depth_axis != last && !fits(line, dtype);
    copies |= side.is_turned || !fits(line, dtype);
    pads |= (side.is_turned || side.depth_axis == last) && !fits(extent(side.value, side.depth_axis), dtype);
  }
  if (!copies) return;
  const std::int64_t depth = extent(sides[0].value, sides[0].depth_axis),
                     step = kLineBytes / static_cast<std::int64_t>(byte_size(dtype)),
                     padding = pads ? (step - depth % step) % step : 0;
  double cost = 0, products = static_cast<double>(rewriter.function().type(op.results[0]).element_count()) *
                              static_cast<double>(depth);
  for (const Side& side : sides) {
    const double moved = 2 * static_cast<double>(elements(side.value)) * static_cast<double>(byte_size(dtype));
    for (const bool is_copied : {side.is_turned, padding > 0}) cost += is_copied ? moved / kCopyRate + kLaunch : 0;
  }
  if (products / kUnalignedRate <= products / kAlignedRate + cost) return;
  ir::Attributes attributes = op.attributes;
  const Value lhs = copied(b, sides[0], padding, attributes), rhs = copied(b, sides[1], padding, attributes);
  rewriter.replace(id, {b.apply("dot", {lhs, rhs}, attributes).id}, "align");
}

}  // namespace

PassDefinition pass_aligned_lines() {
  return {.name = "aligned_lines",
          .doc = "Copies operands of large 16-bit products so that their lines begin at multiples of 16 bytes.",
          .run = [](ir::Module& module, const ir::Attributes&, PassContext& context) -> Result<Changed> {
            return rewrite_each_op(module, context, align);
          }};
}

}  // namespace hyperion::passes

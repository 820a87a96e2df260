// aligned_lines: operands of large products whose lines do not begin at multiples of 16 bytes are copied once, padded
// with zeros along what is summed over.
//
// The tensor memory accelerator reads no other lines (CUDA driver API, cuTensorMapEncodeTiled: globalStrides), and
// without it the tensor cores of sm_90 reach a ninth of their speed. Both operands are padded alike, so what is added
// is zero times zero: no infinity meets it.
#include "passes/layout/dot_operand.hpp"
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
  int depth_axis = 0;
  bool is_turned = false;  // so that depth, which is padded anyway, is the axis whose length must fit

  std::int64_t depth() const { return value.dim(depth_axis).value(); }
};

bool fits(std::int64_t line, DType dtype) {
  return line * static_cast<std::int64_t>(byte_size(dtype)) % kLineBytes == 0;
}

Value copied(ir::Builder& b, const Side& side, std::int64_t padding, ir::Attributes& attributes) {
  const Value x = side.is_turned ? depth_last(b, side.value, side.name, attributes) : side.value;
  if (padding == 0) return x;
  const Integers none(static_cast<std::size_t>(x.rank()), 0);
  Integers high = none;
  high[static_cast<std::size_t>(attributes.integers(side.name + "_contract")[0])] = padding;
  const Value padded =
      b.apply("pad", {x, b.zeros(Type::scalar(x.dtype()))}, {{"low", none}, {"high", high}, {"interior", none}});
  return b.apply("barrier", {padded});  // likewise
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
    if (contract.size() != 1 || !side.value.type().is_static()) return;
    side.depth_axis = static_cast<int>(contract[0]);
    const int last = side.value.rank() - 1;
    const std::int64_t line = side.value.dim(last).value();
    side.is_turned = side.depth_axis != last && !fits(line, dtype);
    copies |= side.is_turned || !fits(line, dtype);
    pads |= (side.is_turned || side.depth_axis == last) && !fits(side.depth(), dtype);
  }
  if (!copies) return;
  const std::int64_t depth = sides[0].depth(),
                     step = kLineBytes / static_cast<std::int64_t>(byte_size(dtype)),
                     padding = pads ? (step - depth % step) % step : 0;
  double cost = 0, products = static_cast<double>(rewriter.function().type(op.results[0]).element_count()) *
                              static_cast<double>(depth);
  for (const Side& side : sides) {
    const double moved = 2 * static_cast<double>(side.value.type().bytes());
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

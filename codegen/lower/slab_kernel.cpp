#include "codegen/lower/slab_kernel.hpp"

#include <algorithm>


namespace hyperion::codegen {

using ir::Op;
using ir::OpId;
using ir::TermId;
using ir::Value;
using ir::VariableId;

namespace {

constexpr int kRegistersPerVector = 2;
// Long lines take vectors of so many lanes: several registers, whose chains do not wait for one another, and few passes
// over the axis.
constexpr int kLanesOfLongLines = 64;
// Inner elements of one slab: whole cache lines of every row, and pieces enough for threads to share a wide row.
constexpr std::int64_t kPiece = 128;

}  // namespace

SlabShape SlabShape::of(Type type, std::int64_t axis) {
  SlabShape shape;
  for (int k = 0; k < type.rank(); ++k) {
    const std::int64_t size = type.dim(k).value();
    (k < axis ? shape.outer : k == axis ? shape.length : shape.inner) *= size;
  }
  return shape;
}

SlabWriter::SlabWriter(Lowered& out, const ir::Function& group, const Op& op, const SlabShape& shape,
                       const LoweringTarget& target)
    : out_(out), kernel_(*out.kernel), op_(op), group_(group), shape_(shape),
      composed_(compose(group, Opaque{op, static_cast<int>(group.parameters().size())})),
      writer_(kernel_, composed_.pool, {kernel_.parameters().begin(), kernel_.parameters().end()}),
      result_(kernel_.parameters().back()), outer_(variable(shape.outer)), inner_(variable(shape.inner)) {
  const std::size_t element = std::max<std::size_t>(byte_size(group.type(op.results[0]).dtype()), 4);
  lanes_ = shape.inner >= kLanesOfLongLines ? kLanesOfLongLines
                                            : kRegistersPerVector * target.vector_bytes / static_cast<int>(element);
}

void SlabWriter::write(const std::function<void()>& slab) {
  ir::Builder& b = writer_.builder();
  b.set_location(group_.location);
  const auto number = [&](std::int64_t value) { return writer_.constant_index(value); };
  const std::int64_t piece = std::min(kPiece, shape_.inner), pieces = (shape_.inner + piece - 1) / piece;
  out_.tiles = shape_.outer * pieces;
  const Value tiles = number(out_.tiles);
  const Value tile = writer_.open_loop(number(0), tiles, 1, {}, true);
  writer_.bind(outer_, b.apply("div", {tile, number(pieces)}));
  const auto body = [&](std::span<const Value>) -> std::vector<Value> {
    slab();
    return {};
  };
  if (!has_lanes()) {
    writer_.bind(inner_, number(0));
    slab();
  } else if (pieces == 1) {
    writer_.for_lanes(inner_, number(0), number(shape_.inner), shape_.inner, lanes_, {}, body);
  } else {
    const Value begin = b.apply("mul", {b.apply("rem", {tile, number(pieces)}), number(piece)});
    const Value end = b.apply("min", {b.apply("add", {begin, number(piece)}), number(shape_.inner)});
    if (shape_.inner % piece == 0 && piece % lanes_ == 0) writer_.for_even_lanes(inner_, begin, end, lanes_, body);
    else writer_.for_lanes(inner_, begin, end, std::nullopt, lanes_, {}, body);
  }
  writer_.close_loop();
  b.apply_all("return", {});
}

TermId SlabWriter::operand(std::size_t k, TermId position) {
  return element_at(pool(), composed_.operands[k], indices_at(pool(), position, group_.type(op_.operands[k])));
}

TermId SlabWriter::inner_of(TermId line) {
  return pool().add(pool().scale(line, shape_.inner), pool().index(inner_));
}

Value SlabWriter::place(TermId line) {
  const Value first = writer_.index(pool().scale(line, shape_.inner));
  if (!has_lanes()) return first;
  return builder().apply("affine", {first, writer_.first_lane()}, {{"coefficients", ir::Integers{1, 1}}});
}

Value SlabWriter::load(TermId line) {
  std::vector<Value> operands{builder().wrap(result_), place(line)};
  if (has_lanes() && writer_.lane_mask().valid()) operands.push_back(writer_.lane_mask());
  return builder().apply("load", operands, {{"lanes", std::int64_t{has_lanes() ? lanes_ : 0}}});
}

void SlabWriter::store(Value value, TermId line) {
  std::vector<Value> operands{has_lanes() ? splat(value) : value, builder().wrap(result_), place(line)};
  if (has_lanes() && writer_.lane_mask().valid()) operands.push_back(writer_.lane_mask());
  builder().apply_all("store", operands);
}

void SlabWriter::loop(VariableId variable, Value begin, Value end, std::span<const Value> initial, const Body& body) {
  const Value index = writer_.open_loop(begin, end, 1, initial);
  writer_.bind(variable, index);
  std::vector<Value> carried;
  for (std::size_t k = 0; k < initial.size(); ++k) carried.push_back(writer_.carried(static_cast<int>(k)));
  writer_.close_loop(body(carried));
}

const Op* lone_op(const ir::Function& group, std::string_view name) {
  for (OpId id : group.ops()) {
    const Op& op = group.op(id);
    if (!op.is(name)) continue;
    const bool is_result = group.results().size() == 1 && group.results()[0] == op.results[0];
    return is_result && group.type(op.results[0]).element_count() > 0 ? &op : nullptr;
  }
  return nullptr;
}

}  // namespace hyperion::codegen

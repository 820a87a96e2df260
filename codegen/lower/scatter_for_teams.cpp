#include "codegen/lower/scatter_for_teams.hpp"

#include <array>
#include <numeric>

#include "ir/ops/indexed.hpp"

namespace hyperion::codegen {
namespace {

using ir::TermId;
using ir::TermPool;
using ir::Value;
using ir::ValueId;
using ir::VariableId;

constexpr std::int64_t kMostPositions = std::int64_t{1} << 30;
// The vectors of up to 4096 updates are numbered (kPlaceBits in codegen/cuda/prelude_scatter.hpp).
constexpr std::int64_t kMostVectors = std::int64_t{1} << 18;

// Elements of a line that a thread moves at once: up to 16 bytes.
std::int64_t lanes_of(std::int64_t inner, DType dtype) {
  return std::gcd(inner, std::int64_t{16} / static_cast<std::int64_t>(byte_size(dtype)));
}

class TeamScatterWriter {
 public:
  TeamScatterWriter(Lowered& out, const ir::Function& group, const ir::Op& op, const SlabShape& shape,
                    std::int64_t positions)
      : kernel_(*out.kernel),
        group_(group),
        op_(op),
        shape_(shape),
        positions_(positions),
        lanes_(lanes_of(shape.inner, group.type(op.results[0]).dtype())),
        composed_(compose(group, Opaque{op, static_cast<int>(group.parameters().size())})),
        writer_(kernel_, composed_.pool, {kernel_.parameters().begin(), kernel_.parameters().end()}) {
    const Type x = group.type(op.operands[0]);
    const ir::ops::IndexedAxes axes(op.attributes, group.type(op.operands[1]));
    for (int axis = axes.batch; axis < axes.axis; ++axis) before_ *= x.dim(axis).value();
    out.team = {.threads = 1, .chunk = static_cast<int>(lanes_)};
  }

  void write() {
    ir::Builder& b = writer_.builder();
    b.set_location(group_.location);
    Diagnostics diagnostics;
    const Result<ir::OpId> lines =
        b.try_apply(ir::op("scatter_lines"), std::vector<ValueId>{kernel_.parameters().back()},
                    {{"outer", shape_.outer},
                     {"length", shape_.length},
                     {"inner", shape_.inner},
                     {"positions", positions_},
                     {"lanes", lanes_}},
                    diagnostics);
    HYP_CHECK(lines.has_value(), diagnostics.render());
    lines_ = *lines;
    write_index();
    write_element();
    write_update();
    write_combination();
    b.apply_all("return", {});
  }

 private:
  TermPool& pool() { return composed_.pool; }

  // Opens the next block; returns its first arguments, as terms.
  template <std::size_t kCount>
  std::array<TermId, kCount> open(const std::array<std::pair<const char*, std::int64_t>, kCount>& arguments,
                                  bool has_lanes) {
    const ir::BlockId block = kernel_.add_block(lines_);
    std::array<Value, kCount> given;
    for (std::size_t k = 0; k < kCount; ++k) {
      const std::string name = arguments[k].first + suffix_;
      given[k] = writer_.builder().wrap(kernel_.add_block_argument(block, Type::scalar(DType::i64), name));
    }
    writer_.open_block(lines_, block);
    std::array<TermId, kCount> terms;
    for (std::size_t k = 0; k < kCount; ++k) {
      const VariableId variable = pool().variable(Dim(arguments[k].second));
      if (has_lanes && k + 1 == kCount)
        writer_.bind_lanes(variable, given[k], static_cast<int>(lanes_));
      else
        writer_.bind(variable, given[k]);
      terms[k] = pool().index(variable);
    }
    return terms;
  }

  void close(Value yielded) { writer_.close_block(std::span(&yielded, 1)); }

  Type vector_type() const { return Type(group_.type(op_.results[0]).dtype(), {Dim(lanes_)}); }

  // Element number `inner` of line number `line` of an operand.
  TermId operand(std::size_t k, TermId line, TermId inner) {
    return at(k, pool().add(pool().scale(line, shape_.inner), inner));
  }
  TermId at(std::size_t k, TermId position) {
    return element_at(pool(), composed_.operands[k], indices_at(pool(), position, group_.type(op_.operands[k])));
  }

  void write_index() {
    const auto [outer, position] = open<2>({{{"outer", shape_.outer}, {"position", positions_}}}, false);
    // Outer indices are the batch, then what stands before the axis.
    const TermId batch = pool().divide(outer, before_);
    const TermId chosen = at(1, pool().add(pool().scale(batch, positions_), position));
    close(writer_.builder().cast(writer_.element(chosen), DType::i64));
  }

  void write_element() {
    suffix_ = "_of_element";
    const auto [outer, row, column] =
        open<3>({{{"outer", shape_.outer}, {"row", shape_.length}, {"column", shape_.inner}}}, true);
    const TermId element = operand(0, pool().add(pool().scale(outer, shape_.length), row), column);
    close(writer_.splat(writer_.element(element)));
  }

  void write_update() {
    suffix_ = "_of_update";
    const auto [outer, position, column] =
        open<3>({{{"outer", shape_.outer}, {"position", positions_}, {"column", shape_.inner}}}, true);
    const TermId element = operand(2, pool().add(pool().scale(outer, positions_), position), column);
    close(writer_.splat(writer_.element(element)));
  }

  void write_combination() {
    ir::Builder& b = writer_.builder();
    const ir::BlockId block = kernel_.add_block(lines_);
    const Value state = b.wrap(kernel_.add_block_argument(block, vector_type(), "state"));
    const Value update = b.wrap(kernel_.add_block_argument(block, vector_type(), "update"));
    writer_.open_block(lines_, block);
    const std::string& kind = op_.attributes.text("kind");  // kinds are called as the ops that combine
    close(kind == "set" ? update : b.apply(kind, {state, update}));
  }

  ir::Function& kernel_;
  const ir::Function& group_;
  const ir::Op& op_;
  const SlabShape shape_;
  const std::int64_t positions_;  // of indices, in one batch
  const std::int64_t lanes_;
  Composition composed_;
  KernelWriter writer_;
  std::int64_t before_ = 1;
  ir::OpId lines_;
  std::string suffix_;  // of the names of a block's arguments: names are unique within the kernel
};

}  // namespace

std::optional<Lowered> scatter_for_teams(const ir::Function& group, const ir::Op& op, const SlabShape& shape) {
  const Type updates = group.type(op.operands[2]);
  const std::int64_t positions = updates.element_count() / (shape.outer * shape.inner);
  const std::int64_t vectors = shape.inner / lanes_of(shape.inner, updates.dtype());
  const bool fits = positions <= kMostPositions && vectors <= kMostVectors && shape.length <= kMostPositions &&
                    shape.outer <= kMostPositions;
  if (!fits) return std::nullopt;
  Lowered out = begin_anchored_kernel(group);
  out.flops = static_cast<std::uint64_t>(updates.element_count());
  TeamScatterWriter(out, group, op, shape, positions).write();
  return out;
}

}  // namespace hyperion::codegen

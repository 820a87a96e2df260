// arg_sort by merging: its definition, which lets every element count those before it, would take cubic time.
//
// On vectors of a CPU a tile is a line. Its elements and their positions lie in scratch memory twice, and runs of 1, 2,
// 4, ... are merged from one half into the other. A step of a merge chooses by selects, not branches: which run is next
// is anybody's guess. Of equals the left run's is taken, so they keep their order. For teams it is one `sort_lines`.
#include <array>
#include <bit>

#include "codegen/lower/lower_anchor.hpp"
#include "codegen/lower/slab_kernel.hpp"

namespace hyperion::codegen {
namespace {

using ir::TermId;
using ir::Value;
using ir::ValueId;
using ir::VariableId;

constexpr std::int64_t kMostElements = std::int64_t{1} << 29;  // teams number twice as many in 32 bits

class SortWriter {
 public:
  SortWriter(Lowered& out, const ir::Function& group, const ir::Op& op, const SlabShape& shape)
      : out_(out),
        kernel_(*out.kernel),
        shape_(shape),
        x_(group.type(op.operands[0])),
        descending_(op.attributes.boolean("descending")),
        composed_(compose(group, Opaque{op, static_cast<int>(group.parameters().size())})),
        writer_(kernel_, composed_.pool, {kernel_.parameters().begin(), kernel_.parameters().end()}),
        b_(writer_.builder()),
        result_(kernel_.parameters().back()),
        outer_(variable(shape.outer)),
        position_(variable(shape.length)),
        column_(variable(shape.inner)) {
    b_.set_location(group.location);
  }

  void write_for_teams() {
    Diagnostics diagnostics;
    const auto lines = b_.try_apply(
        ir::op("sort_lines"), std::vector<ValueId>{result_},
        {{"outer", shape_.outer}, {"length", shape_.length}, {"inner", shape_.inner}, {"descending", descending_}},
        diagnostics);
    HYP_CHECK(lines.has_value(), diagnostics.render());
    const ir::BlockId block = kernel_.add_block(*lines);
    std::array<Value, 3> given;
    static constexpr std::array kNames = {"outer", "position", "column"};
    for (std::size_t k = 0; k < given.size(); ++k)
      given[k] = b_.wrap(kernel_.add_block_argument(block, Type::scalar(DType::i64), kNames[k]));
    writer_.open_block(*lines, block);
    bind(given[0], given[1], given[2]);
    const Value element = writer_.element(element_here());
    writer_.close_block(std::span(&element, 1));
    b_.apply_all("return", {});
  }

  void write_lines() {
    out_.tiles = shape_.outer * shape_.inner;
    const Value tile = writer_.open_loop(number(0), number(out_.tiles), 1, {}, true);
    const Value outer = apply("div", tile, number(shape_.inner)), column = apply("rem", tile, number(shape_.inner));
    elements_ = scratch(x_.dtype());
    positions_ = scratch(b_.wrap(result_).dtype());
    in_loop(length(), [&](Value position) {
      bind(outer, position, column);
      store(writer_.element(element_here()), elements_, position);
      store(b_.cast(position, positions_.dtype()), positions_, position);
    });
    const int passes = std::bit_width(static_cast<std::uint64_t>(shape_.length - 1));
    if (passes > 0) in_loop(number(passes), [&](Value pass) { merge_runs(apply("shl", number(1), pass), half(pass)); });
    in_loop(length(), [&](Value position) {
      const Value from = apply("add", half(number(passes)), position);
      const Value line = apply("add", apply("mul", outer, length()), position);
      store(load(positions_, from), b_.wrap(result_), apply("add", apply("mul", line, number(shape_.inner)), column));
    });
    writer_.close_loop();
    b_.apply_all("return", {});
  }

 private:
  VariableId variable(std::int64_t extent) { return composed_.pool.variable(Dim(extent)); }
  Value number(std::int64_t value) { return writer_.constant_index(value); }
  Value length() { return number(shape_.length); }
  Value apply(std::string_view op, Value a, Value b) { return b_.apply(op, {a, b}); }
  Value scratch(DType dtype) { return b_.apply("scratch", {}, {{"dtype", dtype}, {"size", 2 * shape_.length}}); }
  Value load(Value from, Value at) { return b_.apply("load", {from, at}, {{"lanes", std::int64_t{0}}}); }
  void store(Value value, Value to, Value at) { b_.apply_all("store", std::vector{value, to, at}); }
  // Where the half begins that a pass merges from: the first and the second by turns.
  Value half(Value pass) { return apply("mul", apply("and", pass, number(1)), length()); }

  void bind(Value outer, Value position, Value column) {
    writer_.bind(outer_, outer);
    writer_.bind(position_, position);
    writer_.bind(column_, column);
  }

  TermId element_here() {
    ir::TermPool& pool = composed_.pool;
    const TermId line = pool.add(pool.scale(pool.index(outer_), shape_.length), pool.index(position_));
    const TermId at = pool.add(pool.scale(line, shape_.inner), pool.index(column_));
    return element_at(pool, composed_.operands[0], indices_at(pool, at, x_));
  }

  template <class Body>
  void in_loop(Value end, const Body& body) {
    body(writer_.open_loop(number(0), end, 1));
    writer_.close_loop();
  }

  // Runs of `width` elements, which begin at multiples of it behind `from`, become runs of twice that in the other
  // half.
  void merge_runs(Value width, Value from) {
    const Value to = apply("sub", length(), from), both = apply("shl", width, number(1));
    const std::array first{number(0), number(0)};
    const Value place = writer_.open_loop(number(0), length(), 1, first);
    const Value behind = apply("and", place, apply("sub", both, number(1)));  // the first element of the two runs
    const Value begin = apply("sub", place, behind);
    const Value middle = apply("min", apply("add", begin, width), length());
    const Value end = apply("min", apply("add", begin, both), length());
    const Value starts = b_.compare(behind, number(0), "eq");
    const Value left = b_.select(starts, begin, writer_.carried(0));
    const Value right = b_.select(starts, middle, writer_.carried(1));
    const auto element = [&](Value at) {
      return load(elements_, apply("add", from, apply("min", at, number(shape_.length - 1))));
    };
    const Value a = element(left), b = element(right);
    const Value takes_right =
        apply("and", b_.compare(right, end, "lt"), apply("or", b_.compare(left, middle, "ge"), precedes(b, a)));
    const Value at = apply("add", to, place), taken = apply("add", from, b_.select(takes_right, right, left));
    store(b_.select(takes_right, b, a), elements_, at);
    store(load(positions_, taken), positions_, at);
    const Value step = b_.cast(takes_right, DType::i64);
    const std::array next{apply("add", left, apply("sub", number(1), step)), apply("add", right, step)};
    writer_.close_loop(next);
  }

  // As arg_sort says: NaN is greater than every number.
  Value precedes(Value a, Value b) {
    if (descending_) std::swap(a, b);
    const Value is_less = b_.compare(a, b, "lt");
    if (!is_floating(x_.dtype())) return is_less;
    const Value only_b_is_nan = apply("and", b_.compare(b, b, "ne"), b_.compare(a, a, "eq"));
    return apply("or", is_less, only_b_is_nan);
  }

  Lowered& out_;
  ir::Function& kernel_;
  const SlabShape shape_;
  const Type x_;
  const bool descending_;
  Composition composed_;
  KernelWriter writer_;
  ir::Builder& b_;
  ValueId result_;
  VariableId outer_, position_, column_;
  Value elements_, positions_;  // two halves of a line each
};

}  // namespace

std::optional<Lowered> lower_sort(const ir::Function& group, const LoweringTarget& target) {
  const ir::Op* const op = lone_op(group, "arg_sort");
  if (op == nullptr) return std::nullopt;
  const Type type = group.type(op->results[0]);
  if (target.has_teams && type.element_count() > kMostElements) return std::nullopt;
  const SlabShape shape = SlabShape::of(type, op->attributes.integer("axis"));
  Lowered out = begin_anchored_kernel(group);
  const auto passes = static_cast<std::uint64_t>(std::bit_width(static_cast<std::uint64_t>(shape.length - 1)));
  out.flops = static_cast<std::uint64_t>(type.element_count()) * passes;  // comparisons
  SortWriter writer(out, group, *op, shape);
  if (target.has_teams)
    writer.write_for_teams();
  else
    writer.write_lines();
  return out;
}

}  // namespace hyperion::codegen

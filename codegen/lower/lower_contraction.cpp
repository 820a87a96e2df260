// dot, with maps that compute its operands and an elementwise epilogue, becomes one `contract`.
//
// The operands' axes are grouped into batch, rows, columns and depth. Axes of a group that lie one after another in
// memory count as one; free axes that do not are batch axes of a factor that is the same for the other operand (stride
// 0). Depth that has no single stride in both operands is left to the general lowering.
#include <algorithm>

#include "codegen/lower/anchored_kernel.hpp"
#include "codegen/lower/lower_anchor.hpp"

namespace hyperion::codegen {
namespace {

using ir::Integers;
using ir::Op;
using ir::OpId;
using ir::TermId;
using ir::TermPool;
using ir::ValueId;

// Axes that iterate together: extent and the stride in each operand (0 where it is absent).
struct Axis {
  std::int64_t size = 1;
  std::int64_t lhs = 0;
  std::int64_t rhs = 0;
};

// Joins neighbours that are one stride apart in both operands.
std::vector<Axis> joined(std::vector<Axis> axes) {
  std::erase_if(axes, [](const Axis& axis) { return axis.size == 1; });
  for (std::size_t k = axes.size(); k-- > 1;) {
    Axis& outer = axes[k - 1];
    const Axis inner = axes[k];
    if (outer.lhs == inner.lhs * inner.size && outer.rhs == inner.rhs * inner.size) {
      outer = {outer.size * inner.size, inner.lhs, inner.rhs};
      axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(k));
    }
  }
  return axes;
}

std::int64_t product(const std::vector<Axis>& axes) {
  std::int64_t size = 1;
  for (const Axis& axis : axes) size *= axis.size;
  return size;
}

// How the result's axes are iterated: result axes in order, cut into batch, rows and columns.
struct Layout {
  std::vector<Axis> batch;  // of the contraction, outermost first
  Axis rows, columns, depth;
};

class Reader {
 public:
  Reader(const ir::Function& group, const Op& dot) : group_(group), dot_(dot) {}

  std::optional<Layout> read() const {
    const std::vector<Axis> depth = joined(paired("lhs_contract", "rhs_contract"));
    if (depth.size() > 1) return std::nullopt;
    Layout out;
    out.batch = paired("lhs_batch", "rhs_batch");
    std::vector<Axis> rows = joined(free_axes(true)), columns = joined(free_axes(false));
    // The innermost group of each side stays; what lies before it multiplies the batch.
    if (columns.size() > 1) return std::nullopt;
    for (std::size_t k = 0; k + 1 < rows.size(); ++k) out.batch.push_back(rows[k]);
    if (!rows.empty()) out.rows = rows.back();
    if (!columns.empty()) out.columns = columns.back();
    if (!depth.empty()) out.depth = depth.back();
    out.batch = joined(out.batch);
    return out;
  }

 private:
  Type type(int k) const { return group_.type(dot_.operands[static_cast<std::size_t>(k)]); }
  std::int64_t stride(int k, std::int64_t axis) const { return type(k).strides()[static_cast<std::size_t>(axis)]; }

  std::vector<Axis> paired(std::string_view lhs, std::string_view rhs) const {
    std::vector<Axis> out;
    const Integers &a = dot_.attributes.integers(lhs), &b = dot_.attributes.integers(rhs);
    for (std::size_t k = 0; k < a.size(); ++k) {
      out.push_back({type(0).dim(static_cast<int>(a[k])).value(), stride(0, a[k]), stride(1, b[k])});
    }
    return out;
  }

  std::vector<Axis> free_axes(bool left) const {
    const int k = left ? 0 : 1;
    const Integers& batch = dot_.attributes.integers(left ? "lhs_batch" : "rhs_batch");
    const Integers& contract = dot_.attributes.integers(left ? "lhs_contract" : "rhs_contract");
    std::vector<Axis> out;
    for (std::int64_t axis = 0; axis < type(k).rank(); ++axis) {
      if (std::ranges::find(batch, axis) != batch.end() || std::ranges::find(contract, axis) != contract.end()) continue;
      const std::int64_t size = type(k).dim(static_cast<int>(axis)).value();
      out.push_back(left ? Axis{size, stride(k, axis), 0} : Axis{size, 0, stride(k, axis)});
    }
    return out;
  }

  const ir::Function& group_;
  const Op& dot_;
};

ir::Attributes contract_attributes(const Layout& layout, int lanes) {
  Integers sizes, lhs, rhs;
  for (const Axis& axis : layout.batch) {
    sizes.push_back(axis.size);
    lhs.push_back(axis.lhs);
    rhs.push_back(axis.rhs);
  }
  return {{"batch", sizes},
          {"rows", layout.rows.size},
          {"columns", layout.columns.size},
          {"depth", layout.depth.size},
          {"lhs_batch", lhs},
          {"rhs_batch", rhs},
          {"lhs_row", layout.rows.lhs},
          {"lhs_depth", layout.depth.lhs},
          {"rhs_depth", layout.depth.rhs},
          {"rhs_column", layout.columns.rhs},
          {"lanes", std::int64_t{lanes}}};
}

// Where an element of an operand lies, from the digits of the batch and from the two indices after it. Batch axes that the
// operand does not have count for nothing.
TermId offset_in(TermPool& pool, const Layout& layout, std::int64_t Axis::*stride, TermId batch, TermId first,
                 std::int64_t first_stride, TermId second, std::int64_t second_stride) {
  TermId sum = pool.add(pool.scale(first, first_stride), pool.scale(second, second_stride));
  std::vector<std::int64_t> sizes;
  for (const Axis& axis : layout.batch) sizes.push_back(axis.size);
  const std::vector<TermId> indices = digits(pool, batch, sizes);
  for (std::size_t k = 0; k < indices.size(); ++k) {
    if (layout.batch[k].*stride != 0) sum = pool.add(sum, pool.scale(indices[k], layout.batch[k].*stride));
  }
  return sum;
}

// Lanes of lhs and rhs run along depth where its elements are adjacent; else along rows and columns.
FactorPlan lhs_plan(const Layout& layout, Type type) {
  return {.place = {.extents = {product(layout.batch), layout.rows.size, layout.depth.size},
                    .indices = [&layout, type](TermPool& pool, const std::array<TermId, 3>& at) {
                      return indices_at(pool, offset_in(pool, layout, &Axis::lhs, at[0], at[1], layout.rows.lhs, at[2],
                                                        layout.depth.lhs), type);
                    }},
          .lanes_along = layout.depth.lhs == 1 || layout.rows.lhs != 1 ? std::size_t{2} : std::size_t{1}};
}

FactorPlan rhs_plan(const Layout& layout, Type type) {
  return {.place = {.extents = {product(layout.batch), layout.depth.size, layout.columns.size},
                    .indices = [&layout, type](TermPool& pool, const std::array<TermId, 3>& at) {
                      return indices_at(pool, offset_in(pool, layout, &Axis::rhs, at[0], at[1], layout.depth.rhs, at[2],
                                                        layout.columns.rhs), type);
                    }},
          .lanes_along = layout.depth.rhs == 1 && layout.columns.rhs != 1 ? std::size_t{1} : std::size_t{2}};
}

Lowered lower_dot(const ir::Function& group, const Op& dot, const Layout& layout, const LoweringTarget& target) {
  const Type type = group.type(dot.results[0]);
  const DType sum = accumulation_dtype(type.dtype());
  const int lanes = target.vector_bytes / static_cast<int>(byte_size(sum));
  Lowered out = begin_anchored_kernel(group);
  const std::int64_t batch = product(layout.batch), rows = layout.rows.size, columns = layout.columns.size;
  const AnchorPlan plan{
      .group = group,
      .anchor = dot,
      .lanes = lanes,
      // The result is row-major over (batch, rows, columns) by construction, whatever its own axes are.
      .result = {.extents = {batch, rows, columns},
                 .indices = [&](TermPool& pool, const std::array<TermId, 3>& at) {
                   const TermId line = pool.add(pool.scale(at[0], rows), at[1]);
                   return indices_at(pool, pool.add(pool.scale(line, columns), at[2]), type);
                 }},
      .factors = {lhs_plan(layout, group.type(dot.operands[0])), rhs_plan(layout, group.type(dot.operands[1]))}};
  write_anchored_kernel(out, plan, "contract", contract_attributes(layout, lanes));
  out.flops += 2 * static_cast<std::uint64_t>(batch * rows * columns) * static_cast<std::uint64_t>(layout.depth.size);
  return out;
}

}  // namespace

std::optional<Lowered> lower_contraction(const ir::Function& group, const LoweringTarget& target) {
  for (OpId id : group.ops()) {
    const Op& op = group.op(id);
    if (!op.is("dot")) continue;
    if (!has_packed_kernel(group.type(op.operands[0]).dtype())) return std::nullopt;
    if (group.type(op.results[0]).element_count() == 0) return std::nullopt;  // nothing to sum
    const std::optional<Layout> layout = Reader(group, op).read();
    if (!layout) return std::nullopt;
    return lower_dot(group, op, *layout, target);
  }
  return std::nullopt;
}

}  // namespace hyperion::codegen

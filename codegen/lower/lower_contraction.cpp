// dot with an elementwise epilogue becomes one `contract`.
//
// The operands' axes are grouped into batch, rows, columns and depth. Axes of a group that lie one after another in
// memory count as one; free axes that do not are batch axes of a factor that is the same for the other operand (stride
// 0). Depth that has no single stride in both operands is left to the general lowering.
#include <algorithm>
#include <map>

#include "codegen/lower/compose.hpp"
#include "codegen/lower/kernel_writer.hpp"
#include "codegen/lower/lower_anchor.hpp"

namespace hyperion::codegen {
namespace {

using ir::Integers;
using ir::Op;
using ir::OpId;
using ir::TermId;
using ir::TermPool;
using ir::Value;
using ir::ValueId;
using ir::VariableId;

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
  std::int64_t batch_size = 1, row_size = 1, column_size = 1;
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
    out.batch_size = product(out.batch);
    out.row_size = out.rows.size;
    out.column_size = out.columns.size;
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

class ContractionLowering {
 public:
  ContractionLowering(const ir::Function& group, const Op& dot, Layout layout, const LoweringTarget& target)
      : group_(group), dot_(dot), layout_(std::move(layout)), target_(target) {}

  Lowered run() {
    const auto inputs = static_cast<int>(group_.parameters().size());
    Composition composed = compose(group_, Opaque{dot_.results[0], inputs});
    Lowered out;
    out.kernel = std::make_unique<ir::Function>(group_.name + "_kernel", ir::FunctionKind::kernel);
    ir::Function& kernel = *out.kernel;
    std::vector<ValueId> buffers, results;
    for (Type type : composed.inputs) buffers.push_back(kernel.add_parameter(type));
    for (Type type : composed.output_types) {
      results.push_back(kernel.add_parameter(type, {}, {}, ir::ParameterRole::out));
      out.bytes += type.bytes();
    }
    for (Type type : composed.inputs) out.bytes += type.bytes();
    KernelWriter writer(kernel, composed.pool, buffers);
    writer.builder().set_location(group_.location);
    write(writer, composed, results);
    writer.builder().apply_all("return", {});
    out.flops = 2 * static_cast<std::uint64_t>(layout_.batch_size * layout_.row_size * layout_.column_size) *
                static_cast<std::uint64_t>(layout_.depth.size);
    return out;
  }

 private:
  ir::Attributes attributes(int lanes) const {
    Integers sizes, lhs, rhs;
    for (const Axis& axis : layout_.batch) {
      sizes.push_back(axis.size);
      lhs.push_back(axis.lhs);
      rhs.push_back(axis.rhs);
    }
    return {{"batch", sizes},
            {"rows", layout_.row_size},
            {"columns", layout_.column_size},
            {"depth", layout_.depth.size},
            {"lhs_batch", lhs},
            {"rhs_batch", rhs},
            {"lhs_row", layout_.rows.lhs},
            {"lhs_depth", layout_.depth.lhs},
            {"rhs_depth", layout_.depth.rhs},
            {"rhs_column", layout_.columns.rhs},
            {"lanes", std::int64_t{lanes}}};
  }

  void write(KernelWriter& writer, Composition& composed, const std::vector<ValueId>& results) {
    ir::Builder& b = writer.builder();
    ir::Function& kernel = b.function();
    const DType sum = accumulation_dtype(group_.type(dot_.operands[0]).dtype());
    const int lanes = target_.vector_bytes / static_cast<int>(byte_size(sum));
    const auto buffer = [&](int k) {
      return kernel.parameters()[group_.value(dot_.operands[static_cast<std::size_t>(k)]).result_index];
    };
    Diagnostics diagnostics;
    const Result<OpId> contract = b.try_apply(ir::op("contract"), {buffer(0), buffer(1)}, attributes(lanes), diagnostics);
    HYP_CHECK(contract.has_value(), diagnostics.render());
    const ir::BlockId body = kernel.add_block(*contract);
    const Value accumulator = b.wrap(kernel.add_block_argument(body, Type(sum, {Dim(lanes)}), "sum"));
    const Value batch = b.wrap(kernel.add_block_argument(body, Type::scalar(DType::i64), "batch"));
    const Value row = b.wrap(kernel.add_block_argument(body, Type::scalar(DType::i64), "row"));
    const Value column = b.wrap(kernel.add_block_argument(body, Type::scalar(DType::i64), "column"));
    writer.open_block(*contract, body);
    TermPool& pool = composed.pool;
    const VariableId at_batch = pool.variable(Dim(layout_.batch_size));
    const VariableId at_row = pool.variable(Dim(layout_.row_size));
    const VariableId at_column = pool.variable(Dim(layout_.column_size));
    writer.bind(at_batch, batch);
    writer.bind(at_row, row);
    writer.bind_lanes(at_column, column, lanes);
    // The result of dot is row-major over (batch, rows, columns) by construction, whatever its own axes are.
    const TermId position = pool.add(
        pool.scale(pool.add(pool.scale(pool.index(at_batch), layout_.row_size), pool.index(at_row)), layout_.column_size),
        pool.index(at_column));
    const DType dtype = group_.type(dot_.results[0]).dtype();
    const Value narrowed = b.cast(accumulator, dtype);
    std::vector<TermId> bodies, offsets;
    for (std::size_t k = 0; k < results.size(); ++k) {
      bodies.push_back(at_position(composed, composed.outputs[k], position));
      offsets.push_back(position);
    }
    writer.define_access(static_cast<int>(composed.inputs.size()), narrowed);
    for (TermId term : bodies) writer.element(term);
    for (std::size_t k = 0; k < results.size(); ++k) writer.store(bodies[k], results[k], offsets[k]);
    writer.close_block();
  }

  // The output's element at a row-major position: each of its indices is a digit of the position.
  TermId at_position(Composition& composed, const ir::Lambda& output, TermId position) {
    TermPool& pool = composed.pool;
    std::map<VariableId, TermId> replacement;
    TermId rest = position;
    for (std::size_t k = output.variables.size(); k-- > 0;) {
      const std::int64_t size = std::max<std::int64_t>(pool.extent(output.variables[k]).value(), 1);
      replacement[output.variables[k]] = k == 0 ? rest : pool.modulo(rest, size);
      rest = pool.divide(rest, size);
    }
    return pool.substitute(output.body, {.variable = [&](VariableId v) -> std::optional<TermId> {
                                           const auto found = replacement.find(v);
                                           if (found == replacement.end()) return std::nullopt;
                                           return found->second;
                                         },
                                         .access = {}});
  }

  const ir::Function& group_;
  const Op& dot_;
  const Layout layout_;
  const LoweringTarget& target_;
};

// Integers have no packed kernels: their sums are exact in any order, and the general loops vectorize over columns.
bool has_packed_kernel(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16;
}

}  // namespace

std::optional<Lowered> lower_contraction(const ir::Function& group, const LoweringTarget& target) {
  for (OpId id : group.ops()) {
    const Op& op = group.op(id);
    if (!op.is("dot")) continue;
    for (ValueId operand : op.operands) {
      if (group.producer(operand) != nullptr) return std::nullopt;
    }
    if (!has_packed_kernel(group.type(op.operands[0]).dtype())) return std::nullopt;
    const std::optional<Layout> layout = Reader(group, op).read();
    if (!layout) return std::nullopt;
    return ContractionLowering(group, op, *layout, target).run();
  }
  return std::nullopt;
}

}  // namespace hyperion::codegen

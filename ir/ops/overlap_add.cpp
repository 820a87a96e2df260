// overlap_add.cpp: windows added back to where they stand; the transpose of sliding_window.
//
//   out[..., j_a, ...] = sum[w...] x[..., (j_a - w_a * dilation) / stride, ..., w...]
//
// over the w for which the division is exact and the window exists, in row-major order of w, in the accumulation dtype
// (f32 for 16- and 8-bit floats), rounded once at the end.
#include <algorithm>

#include "ir/ops/windows.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

InferResult infer_overlap_add(const InferContext& c) {
  const Type x = c.operands[0];
  const Windows w(c.attributes);
  const Dims& shape = c.attributes.dims("shape");
  const int rank = x.rank() - static_cast<int>(w.count());
  HYP_TRY_VOID(check_windows(c, std::max(rank, 0)));
  if (shape.size() != w.count() || !is_shape(shape)) {
    return c.fail("c6", format("shape {} for {} axes", text(AttributeValue(shape)), w.count()));
  }
  if (!numeric_dtype(x.dtype())) return c.fail("c8", format("sums of {} are not defined", dtype_name(x.dtype())), {0});
  Dims dims(x.dims().begin(), x.dims().begin() + rank);
  for (std::size_t k = 0; k < w.count(); ++k) dims[at(w.axes[k])] = shape[k];
  HYP_TRY(const Dims expected, windowed_dims(c, dims));
  if (!std::ranges::equal(expected, x.dims())) {
    return c.fail("c7", format("windows are {}, but those on {} are {}", x.text(), x.with_dims(dims).text(),
                               x.with_dims(expected).text()),
                  {0});
  }
  return std::vector{x.with_dims(dims)};
}

std::vector<Lambda> define_overlap_add(const DefineContext& c) {
  TermPool& pool = c.pool;
  const Windows w(c.attributes);
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  std::vector<TermId> source = index_terms(pool, variables);
  Dims extents(w.sizes.begin(), w.sizes.end());
  const std::vector<VariableId> within = pool.variables(extents);
  TermId exists = pool.truth(true);
  for (std::size_t k = 0; k < w.count(); ++k) {
    TermId& coordinate = source[at(w.axes[k])];
    const TermId start = pool.subtract(coordinate, pool.scale(pool.index(within[k]), w.dilations[k]));
    coordinate = pool.divide(start, w.strides[k]);
    const TermId inside = pool.in_range(coordinate, c.operands[0].dim(static_cast<int>(w.axes[k])));
    exists = pool.both(exists, pool.both(pool.divides(w.strides[k], start), inside));
  }
  for (VariableId variable : within) source.push_back(pool.index(variable));
  const DType carried = accumulation_dtype(c.results[0].dtype());
  const TermId element = cast(Scalar{&pool, c.access(0, std::move(source))}, carried).id;
  const TermId zero = pool.literal_integer(carried, 0);
  const TermId sum = pool.reduce(Monoid::sum, Order::ascending, within, pool.choose(exists, element, zero));
  return {{variables, cast(Scalar{&pool, sum}, c.results[0].dtype()).id}};
}

}  // namespace

OpDefinition op_overlap_add() {
  OpDefinition op;
  op.name = "overlap_add";
  op.group = OpGroup::view;
  op.doc = "Adds windows back to where sliding_window reads them; elements that no window reads are zero.";
  op.operands = {{.name = "x", .doc = "windows, as sliding_window gives them", .linear = true}};
  op.attributes = window_attributes();
  op.attributes.push_back({"shape", AttributeKind::dims, "the size of each listed axis in the result", std::nullopt});
  op.constraints = window_constraints();
  op.constraints.push_back({"c6", "(C6) shape has one dimension per listed axis"});
  op.constraints.push_back({"c7", "(C7) the operand has as many windows as stand on the result"});
  op.constraints.push_back({"c8", "(C8) the element type is a number"});
  op.anchor = Anchor::reduction;
  op.infer = infer_overlap_add;
  op.define = define_overlap_add;
  op.linearity = Linearity::jointly;
  op.transpose = [](TransposeContext& c) {
    Attributes attributes = c.attributes;
    attributes.erase("shape");
    return only(c.builder.apply("sliding_window", {c.cotangent()}, std::move(attributes)));
  };
  op.batch = [](BatchContext& c) {
    Attributes attributes = c.attributes;
    attributes.set("axes", incremented(c.attributes.integers("axes")));
    return only(c.builder.apply("overlap_add", {c.operand(0)}, std::move(attributes)));
  };
  op.example = "overlap_add %w {axes = [1], dilations = [1], shape = [9], sizes = [3], strides = [2]}";
  return op;
}

}  // namespace hyperion::ir::ops

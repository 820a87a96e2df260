// sliding_window.cpp: every window of a tensor, as new axes at the end.
//
//   out[..., i_a, ..., w...] = x[..., i_a * stride + w_a * dilation, ...]
//
// Pooling, im2col and stencils are a pad, a sliding_window, and a reduce or dot.
#include "ir/ops/windows.hpp"

namespace hyperion::ir::ops {
namespace {

std::vector<Lambda> define_sliding_window(const DefineContext& c) {
  TermPool& pool = c.pool;
  const Windows w(c.attributes);
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const std::vector<TermId> out = index_terms(pool, variables);
  const std::size_t rank = at(c.operands[0].rank());
  std::vector<TermId> source(out.begin(), out.begin() + c.operands[0].rank());
  for (std::size_t k = 0; k < w.count(); ++k) {
    const std::size_t axis = at(w.axes[k]);
    source[axis] = pool.add(pool.scale(out[axis], w.strides[k]), pool.scale(out[rank + k], w.dilations[k]));
  }
  return {{variables, c.access(0, std::move(source))}};
}

}  // namespace

OpDefinition op_sliding_window() {
  OpDefinition op;
  op.name = "sliding_window";
  op.group = OpGroup::view;
  op.doc = "The windows that stand on `axes`: an axis counts its windows, and new axes at the end count within them.";
  op.operands = {{.name = "x", .doc = "the tensor", .linear = true}};
  op.attributes = window_attributes();
  op.constraints = window_constraints();
  op.infer = [](const InferContext& c) -> InferResult {
    HYP_TRY_VOID(check_windows(c, c.operands[0].rank()));
    HYP_TRY(const Dims dims, windowed_dims(c, dims_of(c.operands[0])));
    return std::vector{c.operands[0].with_dims(dims)};
  };
  op.define = define_sliding_window;
  op.linearity = Linearity::jointly;
  op.transpose = [](TransposeContext& c) {
    Attributes attributes = c.attributes;
    attributes.set("shape", gathered(c.type(0), c.attributes.integers("axes")));
    return only(c.builder.apply("overlap_add", {c.cotangent()}, std::move(attributes)));
  };
  op.batch = [](BatchContext& c) {
    Attributes attributes = c.attributes;
    attributes.set("axes", incremented(c.attributes.integers("axes")));
    return only(c.builder.apply("sliding_window", {c.operand(0)}, std::move(attributes)));
  };
  op.example = "sliding_window %x {axes = [1], dilations = [1], sizes = [3], strides = [2]}";
  return op;
}

}  // namespace hyperion::ir::ops

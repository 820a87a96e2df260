// split_searches: where an extremum stands, as two reductions: the extremum, then the least index of what equals it.
//
//   i = arg_reduce x   becomes   m = reduce x;   i = reduce min select(x == m or x is NaN, iota, last)
//
// The same index, since a NaN is the extremum if there is one. The search for an index is a chain along the axis; these are
// reductions, which a team of threads shares, and which read x once where a row fits its registers.
#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

using ir::Value;

void split_search(Rewriter& rewriter, ir::OpId id) {
  const ir::Op op = rewriter.function().op(id);
  if (!op.is("arg_reduce")) return;
  ir::Builder b = rewriter.before(id);
  const Value x = b.wrap(op.operands[0]);
  const std::int64_t axis = op.attributes.integer("axis"), last = x.type().rank() - 1;
  const std::string order(ir::reduction_order({axis}, x.rank()));
  const auto reduce = [&](Value value, const std::string& kind) {
    return b.apply("reduce", {value}, {{"axes", ir::Integers{axis}}, {"kind", kind}, {"order", order}});
  };
  const ir::Dims dims(x.type().dims().begin(), x.type().dims().end());
  ir::Integers kept;
  for (std::int64_t k = 0; k <= last; ++k) {
    if (k != axis) kept.push_back(k);
  }
  const Value extremum = b.apply("broadcast", {reduce(x, op.attributes.text("kind"))}, {{"shape", dims}, {"dims", kept}});
  Value is_it = b.compare(x, extremum, "eq");
  if (is_floating(x.type().dtype())) is_it = b.apply("or", {is_it, b.compare(x, x, "ne")});
  const DType counted = op.attributes.dtype("dtype");
  const Value index = b.apply("iota", {}, {{"shape", dims}, {"dtype", counted}, {"axis", axis}});
  const Value beyond = b.constant(index.type(), static_cast<double>(dims[static_cast<std::size_t>(axis)].value()));
  rewriter.replace(id, {reduce(b.select(is_it, index, beyond), "min").id}, "split");
}

}  // namespace

PassDefinition pass_split_searches() {
  return {.name = "split_searches",
          .doc = "Writes arg_reduce as two reductions.",
          .run = [](ir::Module& module, const ir::Attributes&, PassContext& context) -> Result<Changed> {
            return rewrite_each_op(module, context, split_search);
          }};
}

}  // namespace hyperion::passes

// split_reductions: a long reduction to few elements becomes two, so that it keeps many processors busy.
//
//   y = reduce x {axes = [0]}         x[8192, 512]
//   becomes   partial = reduce (reshape x to [64, 128, 512]) {axes = [1]};   y = reduce partial {axes = [0]}
//
// The order of the sum changes, so this is for targets that choose it, and the partial results of narrow floats are carried
// in f32. Only a size that divides the axis will do; a prime stays whole.
#include <algorithm>
#include <optional>

#include "passes/rewriter.hpp"

namespace hyperion::passes {
namespace {

using ir::Op;
using ir::OpId;
using ir::Value;

struct Cut {
  std::size_t axis = 0;    // of the operand
  std::int64_t parts = 1;  // it is cut into
};

// How many results one block of threads sums: a row by itself, and as many columns as neighbours in memory are read together.
std::int64_t results_per_block(Type type, const ir::Integers& axes) {
  constexpr std::int64_t kColumns = 128;
  const int last = type.rank() - 1;
  return axes.back() == last ? 1 : std::min(kColumns, type.dim(last).value());
}

std::optional<Cut> find_cut(const Op& op, Type type, std::int64_t processors) {
  // A block reads so many elements in about the time that another launch takes.
  constexpr std::int64_t kFewElements = 65536, kFewestInPart = 8192;
  constexpr std::int64_t kBlocksPerProcessor = 8, kMostParts = 4096;
  if (!type.is_static() || type.element_count() == 0) return std::nullopt;
  const ir::Integers& axes = op.attributes.integers("axes");
  if (axes.empty()) return std::nullopt;
  std::int64_t reduced = 1;
  for (std::int64_t axis : axes) reduced *= type.dim(static_cast<int>(axis)).value();
  const std::int64_t results = type.element_count() / reduced, together = results_per_block(type, axes);
  const std::int64_t blocks = (results + together - 1) / together, elements = reduced * together;
  if (elements <= kFewElements || 2 * blocks > processors * kBlocksPerProcessor) return std::nullopt;
  const std::int64_t most = std::min({(processors * kBlocksPerProcessor + blocks - 1) / blocks, elements / kFewestInPart, kMostParts});
  // The outermost axis that has a divisor of about that size: its parts are whole pieces of memory.
  std::optional<Cut> best;
  for (std::int64_t axis : axes) {
    const std::int64_t size = type.dim(static_cast<int>(axis)).value();
    for (std::int64_t parts = std::min(most, size); parts > 1; --parts) {
      if (size % parts != 0) continue;
      if (!best || parts > 2 * best->parts) best = Cut{static_cast<std::size_t>(axis), parts};
      break;
    }
  }
  return best;
}

void split_reduction(Rewriter& rewriter, OpId id, std::int64_t processors) {
  const Op op = rewriter.function().op(id);
  if (!op.is("reduce")) return;
  const std::optional<Cut> found = find_cut(op, rewriter.function().type(op.operands[0]), processors);
  if (!found) return;
  const Cut cut = *found;
  ir::Builder b = rewriter.before(id);
  const Value whole = b.wrap(op.operands[0]);
  const Type type = whole.type();
  const Value x = b.cast(whole, accumulation_dtype(type.dtype()));
  ir::Dims dims(type.dims().begin(), type.dims().end());
  const std::int64_t size = dims[cut.axis].value();
  dims[cut.axis] = Dim(size / cut.parts);
  dims.insert(dims.begin() + static_cast<std::ptrdiff_t>(cut.axis), Dim(cut.parts));
  // The reduced axes now lie behind the parts; the parts' own place is behind the axes that are kept in front of it.
  ir::Integers inner;
  std::int64_t place = static_cast<std::int64_t>(cut.axis);
  for (std::int64_t axis : op.attributes.integers("axes")) {
    inner.push_back(axis >= static_cast<std::int64_t>(cut.axis) ? axis + 1 : axis);
    if (axis < static_cast<std::int64_t>(cut.axis)) --place;
  }
  ir::Attributes attributes = op.attributes;
  attributes.set("axes", inner);
  const Value partial = b.apply("reduce", {b.reshape(x, dims)}, attributes);
  attributes.set("axes", ir::Integers{place});
  const Value total = b.apply("reduce", {b.apply("barrier", {partial})}, attributes);
  rewriter.replace(id, {b.cast(total, type.dtype()).id}, "split");
}

}  // namespace

PassDefinition pass_split_reductions() {
  return {.name = "split_reductions",
          .doc = "Cuts long reductions to few elements in two steps.",
          .options = {{"processors", ir::AttributeKind::integer, "to keep busy; 0: no reduction is cut", std::int64_t{0}}},
          .run = [](ir::Module& module, const ir::Attributes& options, PassContext& context) -> Result<Changed> {
            const std::int64_t processors = options.integer("processors");
            if (processors == 0) return Changed::no;
            return rewrite_each_op(module, context, [&](Rewriter& rewriter, OpId id) { split_reduction(rewriter, id, processors); });
          }};
}

}  // namespace hyperion::passes

#include "frontend/ops/sorting.hpp"

#include "frontend/ops/indexing.hpp"
#include "frontend/ops/recording.hpp"
#include "frontend/ops/shape.hpp"
#include "frontend/ops/slicing.hpp"
#include "ir/support/format.hpp"

namespace hyperion {
namespace {

using frontend::tensor_of;

struct Line {
  int axis;
  std::int64_t length;
};

Line line_of(std::string_view name, const Tensor& x, int axis, Location where) {
  const int at = frontend::normalize_axis(name, axis, x.rank(), where);
  return {at, x.type().dim(at).value()};
}

Tensor order_of(const Tensor& x, int axis, bool descending, Location where) {
  static const ir::OpDefinition& op = ir::op("arg_sort");
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{axis});
  attributes.set("descending", descending);
  return frontend::apply(op, {x.ref()}, std::move(attributes), where);
}

// Of nothing there is no element to gather.
Tensor taken(const Tensor& x, const Tensor& indices, const Line& line) {
  return line.length == 0 ? x : take_along_axis(x, indices, line.axis);
}

}  // namespace

Tensor sort(Operand operand, int axis, bool descending) {
  const frontend::UserLine user(operand.where());
  const Tensor x = tensor_of("sort", operand);
  const Line line = line_of("sort", x, axis, operand.location());
  return taken(x, order_of(x, line.axis, descending, operand.location()), line);
}

Tensor argsort(Operand operand, int axis, bool descending) {
  const Tensor x = tensor_of("argsort", operand);
  return order_of(x, line_of("argsort", x, axis, operand.location()).axis, descending, operand.location());
}

TopElements top_k(Operand operand, std::int64_t count, int axis, bool largest) {
  const frontend::UserLine user(operand.where());
  const Tensor x = tensor_of("top_k", operand);
  const Line line = line_of("top_k", x, axis, operand.location());
  if (count < 0 || count > line.length) {
    frontend::raise(operand.location(), "tensor.index",
                    format("top_k: {} has no {} elements along axis {}", x.type().text(), count, line.axis));
  }
  const Tensor order = order_of(x, line.axis, largest, operand.location());
  const Tensor first = frontend::slice_axis(order, line.axis, 0, count, operand.location());
  return {taken(x, first, line), first};
}

}  // namespace hyperion

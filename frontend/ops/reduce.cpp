#include "frontend/ops/reduce.hpp"

#include <algorithm>

#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/recording.hpp"
#include "frontend/ops/shape.hpp"
#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion {
namespace {

using frontend::raise;
using frontend::tensor_of;
using frontend::UserLine;

// x with the axes at size 1, or without them.
Tensor finish(const Tensor& reduced, const Tensor& x, const ir::Integers& axes, bool keep_dims, Location where) {
  if (!keep_dims) return reduced;
  std::vector<Dim> dims(x.type().dims().begin(), x.type().dims().end());
  for (std::int64_t axis : axes) dims[static_cast<std::size_t>(axis)] = Dim(1);
  return Tensor(frontend::reshape(reduced.ref(), dims, where));
}

Tensor reduced(std::string_view name, const char* kind, const Operand& operand, const Axes& axes, bool keep_dims) {
  static const ir::OpDefinition& op = ir::op("reduce");
  const Tensor x = tensor_of(name, operand);
  const Location where = operand.location();
  const ir::Integers reduced_axes = frontend::normalize_axes(name, axes, x.rank(), where);
  if (reduced_axes.empty()) return x;
  ir::Attributes attributes;
  attributes.set("axes", reduced_axes);
  attributes.set("kind", std::string(kind));
  attributes.set("order", std::string(ir::reduction_order(reduced_axes, x.rank())));
  return finish(frontend::apply(op, {x.ref()}, std::move(attributes), where), x, reduced_axes, keep_dims, where);
}

double count_of(std::string_view name, const Operand& x, const Axes& axes) {
  const Tensor t = tensor_of(name, x);
  if (!is_floating(t.dtype())) {
    raise(x.location(), "tensor.promotion",
          format("{}: takes a floating tensor, got {}", name, dtype_name(t.dtype())), "convert it with to(DType::f32)");
  }
  double count = 1;
  for (std::int64_t axis : frontend::normalize_axes(name, axes, t.rank(), x.location())) {
    count *= static_cast<double>(t.type().dim(static_cast<int>(axis)).value());
  }
  return count;
}

Tensor arg_reduce(std::string_view name, const char* kind, const Operand& operand, int axis, bool keep_dims) {
  static const ir::OpDefinition& op = ir::op("arg_reduce");
  const Tensor x = tensor_of(name, operand);
  const int at = frontend::normalize_axis(name, axis, x.rank(), operand.location());
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{at});
  attributes.set("kind", std::string(kind));
  const Tensor found = frontend::apply(op, {x.ref()}, std::move(attributes), operand.location());
  return finish(found, x, {at}, keep_dims, operand.location());
}

Tensor cumulative(std::string_view name, const char* kind, const Operand& operand, int axis, bool reverse,
                  bool exclusive) {
  static const ir::OpDefinition& op = ir::op("cumulative");
  const Tensor x = tensor_of(name, operand);
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{frontend::normalize_axis(name, axis, x.rank(), operand.location())});
  attributes.set("exclusive", exclusive);
  attributes.set("kind", std::string(kind));
  attributes.set("reverse", reverse);
  return frontend::apply(op, {x.ref()}, std::move(attributes), operand.location());
}

}  // namespace

Tensor sum(Operand x, Axes axes, bool keep_dims) { return reduced("sum", "sum", x, axes, keep_dims); }
Tensor prod(Operand x, Axes axes, bool keep_dims) { return reduced("prod", "prod", x, axes, keep_dims); }
Tensor max(Operand x, Axes axes, bool keep_dims) { return reduced("max", "max", x, axes, keep_dims); }
Tensor min(Operand x, Axes axes, bool keep_dims) { return reduced("min", "min", x, axes, keep_dims); }
Tensor all(Operand x, Axes axes, bool keep_dims) { return reduced("all", "and", x, axes, keep_dims); }
Tensor any(Operand x, Axes axes, bool keep_dims) { return reduced("any", "or", x, axes, keep_dims); }

Tensor mean(Operand x, Axes axes, bool keep_dims) {
  const UserLine line(x.where());
  const double count = count_of("mean", x, axes);
  return reduced("mean", "sum", x, axes, keep_dims) / count;
}

Tensor var(Operand x, Axes axes, double correction, bool keep_dims) {
  const UserLine line(x.where());
  const double count = count_of("var", x, axes);
  return sum(square(x - mean(x, axes, true)), axes, keep_dims) / (count - correction);
}

Tensor stddev(Operand x, Axes axes, double correction, bool keep_dims) {
  const UserLine line(x.where());
  return sqrt(var(x, axes, correction, keep_dims));
}

Tensor logsumexp(Operand x, Axes axes, bool keep_dims) {
  const UserLine line(x.where());
  const Tensor largest = max(x, axes, true);
  // Rows of minus infinity have no finite largest element to take out.
  const Tensor shift = stop_gradient(where(is_finite(largest), largest, 0.0));
  const Tensor total = log(sum(exp(x - shift), axes, true)) + shift;
  return keep_dims ? total : squeeze(total, axes);
}

Tensor norm(Operand x, Axes axes, bool keep_dims) {
  const UserLine line(x.where());
  return sqrt(sum(square(x), axes, keep_dims));
}

Tensor argmax(Operand x, int axis, bool keep_dims) { return arg_reduce("argmax", "max", x, axis, keep_dims); }
Tensor argmin(Operand x, int axis, bool keep_dims) { return arg_reduce("argmin", "min", x, axis, keep_dims); }

Tensor cumsum(Operand x, int axis, bool reverse, bool exclusive) {
  return cumulative("cumsum", "sum", x, axis, reverse, exclusive);
}
Tensor cumprod(Operand x, int axis, bool reverse, bool exclusive) {
  return cumulative("cumprod", "prod", x, axis, reverse, exclusive);
}
Tensor cummax(Operand x, int axis, bool reverse) { return cumulative("cummax", "max", x, axis, reverse, false); }
Tensor cummin(Operand x, int axis, bool reverse) { return cumulative("cummin", "min", x, axis, reverse, false); }

}  // namespace hyperion

#include "frontend/ops/linalg.hpp"

#include <numeric>

#include "frontend/ops/contraction.hpp"
#include "frontend/ops/shape.hpp"
#include "ir/support/format.hpp"

namespace hyperion {

Tensor frontend::contract(const Tensor& lhs, const Tensor& rhs, DotAxes axes, Location where) {
  static const ir::OpDefinition& op = ir::op("dot");
  ir::Attributes attributes;
  attributes.set("lhs_batch", std::move(axes.lhs_batch));
  attributes.set("lhs_contract", std::move(axes.lhs_contract));
  attributes.set("rhs_batch", std::move(axes.rhs_batch));
  attributes.set("rhs_contract", std::move(axes.rhs_contract));
  return apply(op, {lhs.ref(), rhs.ref()}, std::move(attributes), where);
}

namespace {

using frontend::raise;

struct Pair {
  Tensor x, y;
};

Pair typed(std::string_view op, const Operand& x, const Operand& y, Location where) {
  if (!x.is_tensor() || !y.is_tensor()) {
    raise(where, "tensor.promotion", format("{}: takes two tensors, not a number", op), "multiply with * instead");
  }
  frontend::Matched both = frontend::match_types(op, x, y, where);
  return {Tensor(std::move(both.lhs)), Tensor(std::move(both.rhs))};
}


// Both tensors have a batch: broadcast the batch axes to each other.
Tensor batched(const Tensor& x, const Tensor& y, Location where) {
  const Type batches[] = {Type(x.dtype(), std::vector<Dim>(x.type().dims().begin(), x.type().dims().end() - 2)),
                          Type(y.dtype(), std::vector<Dim>(y.type().dims().begin(), y.type().dims().end() - 2))};
  const std::vector<Dim> batch = frontend::broadcast_dims("matmul", batches, where);
  const auto spread = [&](const Tensor& side) {
    std::vector<Dim> dims = batch;
    dims.push_back(side.type().dim(side.rank() - 2));
    dims.push_back(side.type().dim(side.rank() - 1));
    return Tensor(frontend::broadcast(side.ref(), dims, where));
  };
  ir::Integers axes(batch.size());
  std::iota(axes.begin(), axes.end(), 0);
  const auto rank = static_cast<std::int64_t>(batch.size());
  return frontend::contract(spread(x), spread(y), {axes, axes, {rank + 1}, {rank}}, where);
}

void require_vector(std::string_view op, const Tensor& x, Location where) {
  if (x.rank() != 1) raise(where, "tensor.axis", format("{}: takes vectors, got {}", op, x.type().text()));
}

}  // namespace

Tensor matmul(Operand lhs, Operand rhs) {
  const frontend::UserLine line(lhs.where());
  const Location where = lhs.location();
  const auto [x, y] = typed("matmul", lhs, rhs, where);
  if (x.rank() == 0 || y.rank() == 0) {
    raise(where, "tensor.axis", format("matmul: {} and {} have no axes to contract", x.type().text(), y.type().text()),
          "multiply with * instead");
  }
  const std::int64_t inner_x = x.rank() - 1, inner_y = y.rank() == 1 ? 0 : y.rank() - 2;
  if (x.type().dim(static_cast<int>(inner_x)) != y.type().dim(static_cast<int>(inner_y))) {
    raise(where, "dot.c2",
          format("matmul: contracted dimensions differ: {} and {}, in {} and {}",
                 x.type().dim(static_cast<int>(inner_x)).text(), y.type().dim(static_cast<int>(inner_y)).text(),
                 x.type().text(), y.type().text()));
  }
  // Only one side has a batch: its axes are free axes of the contraction, and nothing is copied.
  if (y.rank() <= 2 || x.rank() == 1) {
    const Tensor out = frontend::contract(x, y, {{}, {}, {inner_x}, {inner_y}}, where);
    return out;
  }
  if (x.rank() == 2 && y.rank() > 2) {
    // Result axes come out as x's row, y's batch, y's column.
    return move_axis(frontend::contract(x, y, {{}, {}, {inner_x}, {inner_y}}, where), 0, -2);
  }
  return batched(x, y, where);
}

Tensor outer(Operand lhs, Operand rhs) {
  const Location where = lhs.location();
  const auto [x, y] = typed("outer", lhs, rhs, where);
  require_vector("outer", x, where);
  require_vector("outer", y, where);
  return frontend::contract(x, y, {}, where);
}

Tensor dot(Operand lhs, Operand rhs) {
  const Location where = lhs.location();
  const auto [x, y] = typed("dot", lhs, rhs, where);
  require_vector("dot", x, where);
  require_vector("dot", y, where);
  return frontend::contract(x, y, {{}, {}, {0}, {0}}, where);
}

Tensor tensordot(Operand lhs, Operand rhs, Axes x_axes, Axes y_axes) {
  const Location where = lhs.location();
  const auto [x, y] = typed("tensordot", lhs, rhs, where);
  frontend::DotAxes axes;
  for (int axis : x_axes) axes.lhs_contract.push_back(frontend::normalize_axis("tensordot", axis, x.rank(), where));
  for (int axis : y_axes) axes.rhs_contract.push_back(frontend::normalize_axis("tensordot", axis, y.rank(), where));
  return frontend::contract(x, y, std::move(axes), where);
}

}  // namespace hyperion

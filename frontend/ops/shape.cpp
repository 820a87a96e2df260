#include "frontend/ops/shape.hpp"

#include <algorithm>
#include <numeric>

#include "frontend/ops/recording.hpp"
#include "frontend/ops/slicing.hpp"
#include "ir/support/format.hpp"

namespace hyperion {
namespace frontend {

int normalize_axis(std::string_view op, int axis, int rank, Location where) {
  if (axis < -rank || axis >= rank) {
    raise(where, "tensor.axis", format("{}: axis {} is outside a tensor of rank {}", op, axis, rank));
  }
  return axis < 0 ? axis + rank : axis;
}

ir::Integers normalize_axes(std::string_view op, const Axes& axes, int rank, Location where) {
  ir::Integers out;
  if (axes.empty()) {
    for (int axis = 0; axis < rank; ++axis) out.push_back(axis);
    return out;
  }
  for (int axis : axes) out.push_back(normalize_axis(op, axis, rank, where));
  std::ranges::sort(out);
  if (std::ranges::adjacent_find(out) != out.end()) {
    raise(where, "tensor.axis", format("{}: axes {} name one axis twice", op, axes));
  }
  return out;
}

Tensor slice(const Tensor& x, ir::Integers starts, ir::Integers limits, ir::Integers strides, Location where) {
  static const ir::OpDefinition& op = ir::op("slice");
  bool is_whole = true;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const auto k = static_cast<std::size_t>(axis);
    is_whole &= starts[k] == 0 && strides[k] == 1 && Dim(limits[k]) == x.type().dim(axis);
  }
  if (is_whole) return x;
  ir::Attributes attributes;
  attributes.set("starts", std::move(starts));
  attributes.set("limits", std::move(limits));
  attributes.set("strides", std::move(strides));
  return apply(op, {x.ref()}, std::move(attributes), where);
}

Tensor slice_axis(const Tensor& x, int axis, std::int64_t start, std::int64_t limit, Location where) {
  ir::Integers starts(static_cast<std::size_t>(x.rank()), 0), limits = x.shape();
  starts[static_cast<std::size_t>(axis)] = start;
  limits[static_cast<std::size_t>(axis)] = limit;
  ir::Integers strides(starts.size(), 1);
  return slice(x, std::move(starts), std::move(limits), std::move(strides), where);
}

Tensor reverse(const Tensor& x, ir::Integers axes, Location where) {
  static const ir::OpDefinition& op = ir::op("reverse");
  if (axes.empty()) return x;
  ir::Attributes attributes;
  attributes.set("axes", std::move(axes));
  return apply(op, {x.ref()}, std::move(attributes), where);
}

Tensor permute(const Tensor& x, ir::Integers permutation, Location where) {
  static const ir::OpDefinition& op = ir::op("transpose");
  if (std::ranges::is_sorted(permutation)) return x;
  ir::Attributes attributes;
  attributes.set("permutation", std::move(permutation));
  return apply(op, {x.ref()}, std::move(attributes), where);
}

}  // namespace frontend

namespace {

using frontend::normalize_axis;
using frontend::raise;
using frontend::tensor_of;

Tensor reshaped(const Tensor& x, const Shape& shape, Location where) {
  const std::vector<Dim> dims(shape.begin(), shape.end());
  return Tensor(frontend::reshape(x.ref(), dims, where));
}

std::string shape_text(const Shape& shape) { return format("[{}]", fmt::join(shape, ", ")); }

// All parts in the type they meet in.
std::vector<Tensor> in_one_type(std::string_view op, std::vector<Tensor> parts, Location where) {
  if (parts.empty()) raise(where, "tensor.parts", format("{}: needs at least one tensor", op));
  for (const Tensor& part : parts) {
    if (part.is_empty()) raise(where, "tensor.empty", format("{}: one of the tensors is empty", op));
  }
  DType dtype = parts[0].dtype();
  for (const Tensor& part : parts) {
    const std::optional<DType> common = promote_types(dtype, part.dtype());
    if (!common) {
      raise(where, "tensor.promotion",
            format("{}: operands have types {} and {}, which do not mix", op, dtype_name(dtype),
                   dtype_name(part.dtype())),
            "convert one of them with to(DType::...)");
    }
    dtype = *common;
  }
  for (Tensor& part : parts) part = Tensor(frontend::cast(part.ref(), dtype, where));
  return parts;
}

}  // namespace

Tensor reshape(Operand operand, Shape shape) {
  const Tensor x = tensor_of("reshape", operand);
  const Location where = operand.location();
  std::int64_t known = 1;
  auto open = shape.end();
  for (auto it = shape.begin(); it != shape.end(); ++it) {
    if (*it == -1 && open == shape.end()) {
      open = it;
    } else if (*it < 0) {
      raise(where, "tensor.reshape", format("reshape: shape {} is not a shape", shape_text(shape)),
            "one size may be -1");
    } else {
      known *= *it;
    }
  }
  const bool fits = open == shape.end() ? known == x.size() : known != 0 && x.size() % known == 0;
  if (!fits) {
    raise(where, "tensor.reshape",
          format("reshape: {} elements of {} do not fit shape {}", x.size(), x.type().text(), shape_text(shape)));
  }
  if (open != shape.end()) *open = x.size() / known;
  return reshaped(x, shape, where);
}

Tensor flatten(Operand operand, int start, int end) {
  const Tensor x = tensor_of("flatten", operand);
  if (x.rank() == 0) return reshaped(x, {1}, operand.location());
  const int first = normalize_axis("flatten", start, x.rank(), operand.location());
  const int last = normalize_axis("flatten", end, x.rank(), operand.location());
  if (last < first) raise(operand.location(), "tensor.axis", format("flatten: axis {} is behind axis {}", start, end));
  Shape shape = x.shape(), out(shape.begin(), shape.begin() + first);
  out.push_back(std::accumulate(shape.begin() + first, shape.begin() + last + 1, std::int64_t{1}, std::multiplies<>()));
  out.insert(out.end(), shape.begin() + last + 1, shape.end());
  return reshaped(x, out, operand.location());
}

Tensor transpose(Operand operand, Axes axes) {
  const Tensor x = tensor_of("transpose", operand);
  if (axes.empty()) {
    for (int axis = x.rank(); axis-- > 0;) axes.push_back(axis);
  }
  if (static_cast<int>(axes.size()) != x.rank()) {
    raise(operand.location(), "tensor.axis",
          format("transpose: {} axes for a tensor of rank {}", axes.size(), x.rank()));
  }
  frontend::normalize_axes("transpose", axes, x.rank(), operand.location());  // each once
  ir::Integers permutation;
  for (int axis : axes) permutation.push_back(axis < 0 ? axis + x.rank() : axis);
  return frontend::permute(x, std::move(permutation), operand.location());
}

Tensor swap_axes(Operand operand, int first, int second) {
  const Tensor x = tensor_of("swap_axes", operand);
  ir::Integers permutation(static_cast<std::size_t>(x.rank()));
  std::iota(permutation.begin(), permutation.end(), 0);
  std::swap(permutation[static_cast<std::size_t>(normalize_axis("swap_axes", first, x.rank(), operand.location()))],
            permutation[static_cast<std::size_t>(normalize_axis("swap_axes", second, x.rank(), operand.location()))]);
  return frontend::permute(x, std::move(permutation), operand.location());
}

Tensor move_axis(Operand operand, int from, int to) {
  const Tensor x = tensor_of("move_axis", operand);
  const int source = normalize_axis("move_axis", from, x.rank(), operand.location());
  const int target = normalize_axis("move_axis", to, x.rank(), operand.location());
  ir::Integers permutation;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (axis != source) permutation.push_back(axis);
  }
  permutation.insert(permutation.begin() + target, source);
  return frontend::permute(x, std::move(permutation), operand.location());
}

Tensor squeeze(Operand operand, Axes axes) {
  const Tensor x = tensor_of("squeeze", operand);
  const Shape shape = x.shape();
  const ir::Integers removed = frontend::normalize_axes("squeeze", axes, x.rank(), operand.location());
  Shape out;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t size = shape[static_cast<std::size_t>(axis)];
    const bool listed = std::ranges::binary_search(removed, axis);
    if (listed && size != 1 && !axes.empty()) {
      raise(operand.location(), "tensor.axis", format("squeeze: axis {} has size {}, not 1", axis, size));
    }
    if (!listed || size != 1) out.push_back(size);
  }
  return reshaped(x, out, operand.location());
}

Tensor unsqueeze(Operand operand, Axes axes) {
  const Tensor x = tensor_of("unsqueeze", operand);
  const int rank = x.rank() + static_cast<int>(axes.size());
  if (axes.empty()) return x;
  const ir::Integers added = frontend::normalize_axes("unsqueeze", axes, rank, operand.location());
  const Shape shape = x.shape();
  Shape out;
  auto next = shape.begin();
  for (int axis = 0; axis < rank; ++axis) out.push_back(std::ranges::binary_search(added, axis) ? 1 : *next++);
  return reshaped(x, out, operand.location());
}

Tensor broadcast_to(Operand operand, Shape shape) {
  const Tensor x = tensor_of("broadcast_to", operand);
  const Type target(x.dtype(), std::vector<Dim>(shape.begin(), shape.end()));
  const Type types[] = {x.type(), target};
  const std::vector<Dim> dims = frontend::broadcast_dims("broadcast_to", types, operand.location());
  if (!std::ranges::equal(dims, target.dims())) {
    raise(operand.location(), "tensor.broadcast",
          format("broadcast_to: {} does not broadcast to shape {}", x.type().text(), shape_text(shape)));
  }
  return Tensor(frontend::broadcast(x.ref(), dims, operand.location()));
}

std::vector<Tensor> broadcast_together(std::vector<Operand> operands) {
  std::vector<Tensor> tensors;
  std::vector<Type> types;
  for (const Operand& operand : operands) {
    tensors.push_back(tensor_of("broadcast_together", operand));
    types.push_back(tensors.back().type());
  }
  if (tensors.empty()) return tensors;
  const Location where = operands[0].location();
  const std::vector<Dim> dims = frontend::broadcast_dims("broadcast_together", types, where);
  for (Tensor& tensor : tensors) tensor = Tensor(frontend::broadcast(tensor.ref(), dims, where));
  return tensors;
}

Tensor flip(Operand operand, Axes axes) {
  const Tensor x = tensor_of("flip", operand);
  return frontend::reverse(x, frontend::normalize_axes("flip", axes, x.rank(), operand.location()),
                           operand.location());
}

Tensor repeat(Operand operand, std::int64_t times, int axis) {
  const Tensor x = tensor_of("repeat", operand);
  const Location where = operand.location();
  if (times < 0) raise(where, "tensor.count", format("repeat: {} is not a number of times", times));
  const int at = normalize_axis("repeat", axis, x.rank(), where);
  Shape shape = x.shape(), spread = shape;
  shape.insert(shape.begin() + at + 1, 1);
  spread.insert(spread.begin() + at + 1, times);
  const frontend::UserLine line(operand.where());
  const Tensor wide = broadcast_to(reshaped(x, shape, where), spread);
  Shape out = x.shape();
  out[static_cast<std::size_t>(at)] *= times;
  return reshaped(wide, out, where);
}

Tensor tile(Operand operand, std::vector<std::int64_t> times) {
  const frontend::UserLine line(operand.where());
  Tensor x = tensor_of("tile", operand);
  const Location where = operand.location();
  Shape shape = x.shape();
  while (shape.size() < times.size()) shape.insert(shape.begin(), 1);
  while (times.size() < shape.size()) times.insert(times.begin(), 1);
  Shape out = shape;
  x = reshaped(x, shape, where);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (times[axis] < 0) raise(where, "tensor.count", format("tile: {} is not a number of times", times[axis]));
    if (times[axis] == 1) continue;
    // Insert the repetition in front of the axis, then merge both.
    Shape column = x.shape();
    column.insert(column.begin() + static_cast<std::ptrdiff_t>(axis), 1);
    Shape wide = column;
    wide[axis] = times[axis];
    const Tensor spread = broadcast_to(reshaped(x, column, where), wide);
    out[axis] *= times[axis];
    x = reshaped(spread, out, where);
  }
  return x;
}

Tensor pad(Operand operand, std::vector<std::int64_t> low, std::vector<std::int64_t> high, double value) {
  static const ir::OpDefinition& op = ir::op("pad");
  const Tensor x = tensor_of("pad", operand);
  const Location where = operand.location();
  ir::Attributes attributes;
  attributes.set("interior", ir::Integers(low.size(), 0));
  attributes.set("low", std::move(low));
  attributes.set("high", std::move(high));
  return frontend::apply(op, {x.ref(), frontend::splat(Type::scalar(x.dtype()), value, where)}, std::move(attributes),
                         where);
}

Tensor concatenate(std::vector<Tensor> parts, int axis, std::source_location place) {
  static const ir::OpDefinition& op = ir::op("concatenate");
  const Location where = frontend::user_line(place);
  parts = in_one_type("concatenate", std::move(parts), where);
  if (parts.size() == 1) return parts[0];
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{normalize_axis("concatenate", axis, parts[0].rank(), where)});
  std::vector<frontend::NodeRef> inputs;
  for (const Tensor& part : parts) inputs.push_back(part.ref());
  return frontend::apply(op, std::move(inputs), std::move(attributes), where);
}

Tensor stack(std::vector<Tensor> parts, int axis, std::source_location place) {
  const Location where = frontend::user_line(place);
  if (parts.empty()) raise(where, "tensor.parts", "stack: needs at least one tensor");
  for (Tensor& part : parts) {
    if (!part.is_empty() && part.shape() != parts[0].shape() && part.rank() == parts[0].rank()) {
      raise(where, "tensor.broadcast",
            format("stack: tensors have shapes {} and {}", parts[0].type().text(), part.type().text()));
    }
    part = unsqueeze(Operand(part, place), {axis});
  }
  return concatenate(std::move(parts), axis, place);
}

std::vector<Tensor> split_sizes(Operand operand, std::vector<std::int64_t> sizes, int axis) {
  const Tensor x = tensor_of("split", operand);
  const Location where = operand.location();
  const int at = normalize_axis("split", axis, x.rank(), where);
  const std::int64_t size = x.shape()[static_cast<std::size_t>(at)];
  std::int64_t start = 0;
  for (std::int64_t part : sizes) start = part < 0 ? size + 1 : start + part;
  if (start != size) {
    raise(where, "tensor.parts", format("split: sizes {} do not add up to {}", shape_text(sizes), size));
  }
  std::vector<Tensor> parts;
  start = 0;
  for (std::int64_t part : sizes) {
    parts.push_back(frontend::slice_axis(x, at, start, start + part, where));
    start += part;
  }
  return parts;
}

std::vector<Tensor> split(Operand operand, std::int64_t parts, int axis) {
  const Tensor x = tensor_of("split", operand);
  const int at = normalize_axis("split", axis, x.rank(), operand.location());
  const std::int64_t size = x.shape()[static_cast<std::size_t>(at)];
  if (parts <= 0 || size % parts != 0) {
    raise(operand.location(), "tensor.parts", format("split: axis {} of size {} has no {} equal parts", axis, size, parts));
  }
  return split_sizes(operand, std::vector<std::int64_t>(static_cast<std::size_t>(parts), size / parts), axis);
}

}  // namespace hyperion

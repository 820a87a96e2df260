#include "frontend/ops/indexing.hpp"

#include <algorithm>

#include "frontend/ops/recording.hpp"
#include "frontend/ops/shape.hpp"
#include "frontend/ops/slicing.hpp"
#include "ir/support/format.hpp"

namespace hyperion {
namespace {

using frontend::raise;
using frontend::tensor_of;

std::string text_of(const Slice& slice) {
  const auto bound = [](const std::optional<std::int64_t>& b) { return b ? std::to_string(*b) : std::string(); };
  return bound(slice.start) + ":" + bound(slice.stop) + ":" + std::to_string(slice.step);
}

// A slice on an axis of known size, going upwards; `is_reversed` when it is to be read backwards.
struct Range {
  std::int64_t start, limit, stride;
  bool is_reversed = false;
};

Range resolve(const Slice& slice, std::int64_t size, int axis, Location where) {
  if (slice.step == 0) raise(where, "tensor.index", format("slice {} has step 0", text_of(slice)));
  const auto bound = [&](std::int64_t value) {
    if (value < -size || value > size) {
      raise(where, "tensor.index",
            format("slice {} is outside axis {}, which has size {}", text_of(slice), axis, size));
    }
    return value < 0 ? value + size : value;
  };
  if (slice.step > 0) {
    const std::int64_t start = slice.start ? bound(*slice.start) : 0;
    const std::int64_t limit = slice.stop ? bound(*slice.stop) : size;
    return {start, std::max(start, limit), slice.step};
  }
  // Backwards from `first` down to, but not including, `before`.
  const std::int64_t first = slice.start ? std::min(bound(*slice.start), size - 1) : size - 1;
  const std::int64_t before = slice.stop ? bound(*slice.stop) : -1;
  const std::int64_t step = -slice.step;
  const std::int64_t count = first > before ? (first - before + step - 1) / step : 0;
  if (count == 0) return {0, 0, step, false};
  const std::int64_t lowest = first - (count - 1) * step;
  return {lowest, first + 1, step, true};
}

// Reads the entries from left to right and collects one slice of all axes, the axes to reverse, and the shape that is
// left.
class Indexing {
 public:
  Indexing(const Tensor& x, std::span<const Index> entries)
      : x_(x), sizes_(x.shape()), where_(entries.empty() ? Location{} : frontend::user_line(entries[0].where())) {
    int named = 0, ellipses = 0;
    for (const Index& entry : entries) {
      ellipses += std::holds_alternative<EllipsisTag>(entry.kind());
      named += !std::holds_alternative<EllipsisTag>(entry.kind()) && !std::holds_alternative<NewAxisTag>(entry.kind());
    }
    if (named > x.rank()) {
      raise(where_, "tensor.index", format("{} indices for {}", named, x.type().text()));
    }
    if (ellipses > 1) raise(where_, "tensor.index", "an index has at most one Ellipsis");
    for (const Index& entry : entries) add(entry, x.rank() - named);
    if (ellipses == 0) whole_axes(x.rank() - named);
  }

  Tensor apply() const {
    Tensor out = frontend::slice(x_, starts_, limits_, strides_, where_);
    out = frontend::reverse(out, reversed_, where_);
    const std::vector<Dim> dims(shape_.begin(), shape_.end());
    out = Tensor(frontend::reshape(out.ref(), dims, where_));
    if (picks_) out = take(Operand(out, picks_->where()), std::get<Tensor>(picks_->kind()), pick_axis_);
    return out;
  }

 private:
  void add(const Index& entry, int unnamed) {
    const Location where = frontend::user_line(entry.where());
    if (std::holds_alternative<EllipsisTag>(entry.kind())) return whole_axes(unnamed);
    if (std::holds_alternative<NewAxisTag>(entry.kind())) return shape_.push_back(1);
    const int axis = static_cast<int>(starts_.size());
    const std::int64_t size = sizes_[starts_.size()];
    if (const auto* slice = std::get_if<Slice>(&entry.kind())) return range(resolve(*slice, size, axis, where));
    if (const auto* position = std::get_if<std::int64_t>(&entry.kind())) {
      if (*position < -size || *position >= size) {
        raise(where, "tensor.index",
              format("index {} is outside axis {}, which has size {}", *position, axis, size));
      }
      const std::int64_t at = *position < 0 ? *position + size : *position;
      range({at, at + 1, 1});
      return shape_.pop_back();
    }
    if (picks_ != nullptr) {
      raise(where, "tensor.index", "an index has at most one tensor", "use take_along_axis, or take twice");
    }
    picks_ = &entry;
    pick_axis_ = static_cast<int>(shape_.size());
    range({0, size, 1});
  }

  void whole_axes(int count) {
    for (int k = 0; k < count; ++k) range({0, sizes_[starts_.size()], 1});
  }

  void range(const Range& r) {
    if (r.is_reversed) reversed_.push_back(static_cast<std::int64_t>(starts_.size()));
    starts_.push_back(r.start);
    limits_.push_back(r.limit);
    strides_.push_back(r.stride);
    shape_.push_back((r.limit - r.start + r.stride - 1) / r.stride);
  }

  const Tensor& x_;
  const Shape sizes_;
  const Location where_;
  ir::Integers starts_, limits_, strides_, reversed_;
  Shape shape_;
  const Index* picks_ = nullptr;
  int pick_axis_ = 0;
};

ir::Attributes indexed(int axis, int batch) {
  ir::Attributes attributes;
  attributes.set("axis", std::int64_t{axis});
  attributes.set("batch", std::int64_t{batch});
  return attributes;
}

void require_indices(std::string_view op, const Tensor& indices, Location where) {
  if (indices.is_empty() || !is_integer(indices.dtype())) {
    raise(where, "tensor.index",
          format("{}: indices are {}, not integers", op, indices.is_empty() ? "empty" : indices.type().text()),
          "a mask is not an index: compute with where() instead");
  }
}

Tensor scattered(const Tensor& x, const Tensor& indices, const Operand& updates, std::string_view kind, int axis,
                 int batch, Location where) {
  static const ir::OpDefinition& op = ir::op("scatter");
  ir::Attributes attributes = indexed(axis, batch);
  attributes.set("kind", std::string(kind));
  // Updates have the shape that gather would give, and x's type.
  Shape slices = x.shape();
  slices.erase(slices.begin() + axis);
  const Shape picks = indices.shape();
  slices.insert(slices.begin() + axis, picks.begin() + batch, picks.end());
  const Type type(x.dtype(), std::vector<Dim>(slices.begin(), slices.end()));
  if (!updates.is_tensor()) {
    return frontend::apply(op, {x.ref(), indices.ref(), frontend::number("scatter", updates, type, where)},
                           std::move(attributes), where);
  }
  const Tensor given = tensor_of("scatter", updates);
  if (given.dtype() != x.dtype()) {
    raise(where, "tensor.promotion",
          format("scatter: updates are {}, the tensor is {}", dtype_name(given.dtype()), dtype_name(x.dtype())),
          "convert one of them with to(DType::...)");
  }
  const Tensor spread = broadcast_to(given, slices);
  return frontend::apply(op, {x.ref(), indices.ref(), spread.ref()}, std::move(attributes), where);
}

// take_along_axis as a gather with all other axes as batch: the axis must come last.
struct Along {
  Tensor x, indices;
  int rank;
};
Along axis_last(std::string_view op, const Operand& operand, const Tensor& indices, int axis) {
  const Location where = operand.location();
  const Tensor x = tensor_of(op, operand);
  require_indices(op, indices, where);
  frontend::normalize_axis(op, axis, x.rank(), where);
  Shape expected = x.shape(), given = indices.shape();
  if (given.size() == expected.size()) {
    const auto at = static_cast<std::size_t>(axis < 0 ? axis + x.rank() : axis);
    expected[at] = given[at];
  }
  if (given != expected) {
    raise(where, "tensor.broadcast",
          format("{}: indices {} and tensor {} differ in another axis than {}", op, indices.type().text(),
                 x.type().text(), axis));
  }
  return {move_axis(x, axis, -1), move_axis(indices, axis, -1), x.rank()};
}

std::vector<frontend::NodeRef> with_starts(std::vector<frontend::NodeRef> inputs, const std::vector<Tensor>& starts) {
  for (const Tensor& start : starts) inputs.push_back(start.ref());
  return inputs;
}

}  // namespace

Tensor Tensor::operator[](Index index) const { return Indexing(*this, {&index, 1}).apply(); }
Tensor Tensor::operator[](std::initializer_list<Index> indices) const {
  return Indexing(*this, {indices.begin(), indices.size()}).apply();
}

Tensor take(Operand operand, const Tensor& indices, int axis) {
  static const ir::OpDefinition& op = ir::op("gather");
  const Tensor x = tensor_of("take", operand);
  require_indices("take", indices, operand.location());
  const int at = frontend::normalize_axis("take", axis, x.rank(), operand.location());
  return frontend::apply(op, {x.ref(), indices.ref()}, indexed(at, 0), operand.location());
}

Tensor take_along_axis(Operand operand, const Tensor& indices, int axis) {
  static const ir::OpDefinition& op = ir::op("gather");
  const frontend::UserLine line(operand.where());
  const Along along = axis_last("take_along_axis", operand, indices, axis);
  const Tensor picked = frontend::apply(op, {along.x.ref(), along.indices.ref()},
                                        indexed(along.rank - 1, along.rank - 1), operand.location());
  return move_axis(picked, -1, axis);
}

Tensor scatter(Operand operand, const Tensor& indices, Operand updates, std::string_view kind, int axis) {
  const frontend::UserLine line(operand.where());
  const Tensor x = tensor_of("scatter", operand);
  require_indices("scatter", indices, operand.location());
  const int at = frontend::normalize_axis("scatter", axis, x.rank(), operand.location());
  return scattered(x, indices, updates, kind, at, 0, operand.location());
}

Tensor scatter_along_axis(Operand operand, const Tensor& indices, Operand updates, std::string_view kind, int axis) {
  const frontend::UserLine line(operand.where());
  const Along along = axis_last("scatter_along_axis", operand, indices, axis);
  Operand last = updates;
  if (updates.is_tensor()) last = move_axis(broadcast_to(updates.tensor(), indices.shape()), axis, -1);
  return move_axis(scattered(along.x, along.indices, last, kind, along.rank - 1, along.rank - 1, operand.location()),
                   -1, axis);
}

Tensor dynamic_slice(Operand operand, std::vector<Tensor> starts, Shape sizes) {
  static const ir::OpDefinition& op = ir::op("dynamic_slice");
  const Tensor x = tensor_of("dynamic_slice", operand);
  ir::Attributes attributes;
  attributes.set("sizes", ir::Dims(sizes.begin(), sizes.end()));
  return frontend::apply(op, with_starts({x.ref()}, starts), std::move(attributes), operand.location());
}

Tensor dynamic_update_slice(Operand operand, const Tensor& update, std::vector<Tensor> starts) {
  static const ir::OpDefinition& op = ir::op("dynamic_update_slice");
  const Tensor x = tensor_of("dynamic_update_slice", operand);
  return frontend::apply(op, with_starts({x.ref(), update.ref()}, starts), {}, operand.location());
}

}  // namespace hyperion

// indexing.hpp: parts of a tensor, by position and by index tensors.
//
//   x[3]                             one position: the axis disappears
//   x[{Slice(0, 10, 2), All, 3}]     every second of the first ten; a whole axis; one position
//   x[{Ellipsis, Slice({}, {}, -1)}] the last axis backwards; Ellipsis stands for all axes not named
//   x[{NewAxis, All}]                a new axis of size 1
//   x[{All, indices}]                an integer tensor picks along its axis (take)
//
// Negative positions count from the end. Positions and bounds outside the axis are errors, unlike in NumPy, which
// shortens such slices silently. Indices *in tensors* cannot be checked when recorded: gathers clamp them to the nearest
// valid one, scatters drop them.
#pragma once

#include <optional>
#include <variant>

#include "frontend/tensor.hpp"

namespace hyperion {

// start, start + step, ... up to but not including stop. An empty bound means the end of the axis that fits the step.
struct Slice {
  std::optional<std::int64_t> start, stop;
  std::int64_t step = 1;

  Slice() = default;
  Slice(std::optional<std::int64_t> from, std::optional<std::int64_t> to, std::int64_t by = 1)
      : start(from), stop(to), step(by) {}
};
struct AllTag {};
struct EllipsisTag {};
struct NewAxisTag {};
inline constexpr AllTag All;
inline constexpr EllipsisTag Ellipsis;
inline constexpr NewAxisTag NewAxis;

// One entry between the brackets.
class Index {
 public:
  using Where = std::source_location;
  using Kind = std::variant<std::int64_t, Slice, EllipsisTag, NewAxisTag, Tensor>;
  template <std::integral T>
  Index(T position, Where where = Where::current())  // NOLINT: converts on purpose
      : kind_(static_cast<std::int64_t>(position)), where_(where) {}
  Index(Slice slice, Where where = Where::current()) : kind_(slice), where_(where) {}       // NOLINT
  Index(AllTag, Where where = Where::current()) : kind_(Slice()), where_(where) {}          // NOLINT
  Index(EllipsisTag tag, Where where = Where::current()) : kind_(tag), where_(where) {}     // NOLINT
  Index(NewAxisTag tag, Where where = Where::current()) : kind_(tag), where_(where) {}      // NOLINT
  Index(Tensor picks, Where where = Where::current()) : kind_(std::move(picks)), where_(where) {}  // NOLINT

  const Kind& kind() const { return kind_; }
  Where where() const { return where_; }

 private:
  Kind kind_;
  Where where_;
};

// The slices of x at `indices` along an axis; the shape of indices replaces the axis.
Tensor take(Operand x, const Tensor& indices, int axis = 0);
// One element of x for each element of indices: out[..., i, ...] = x[..., indices[..., i, ...], ...]. Axes other than
// `axis` agree.
Tensor take_along_axis(Operand x, const Tensor& indices, int axis);
// x with `updates` (shaped as take gives them) combined in at the indices: "set", "add", "mul", "min" or "max".
Tensor scatter(Operand x, const Tensor& indices, Operand updates, std::string_view kind = "set", int axis = 0);
Tensor scatter_along_axis(Operand x, const Tensor& indices, Operand updates, std::string_view kind, int axis);
// A window of fixed size at a computed place; starts are integer scalars, one an axis, clamped so that it fits.
Tensor dynamic_slice(Operand x, std::vector<Tensor> starts, Shape sizes);
Tensor dynamic_update_slice(Operand x, const Tensor& update, std::vector<Tensor> starts);

}  // namespace hyperion

#include "ir/ops/pooling.hpp"

#include <algorithm>

#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

// Images are [N, C, spatial...] or [N, spatial..., C].
Integers spatial_axes(const Attributes& attributes) {
  return counting(attributes.text("layout") == "channels_last" ? 1 : 2, std::ssize(attributes.integers("window")));
}

}  // namespace

std::vector<AttributeSpec> pooling_attributes() {
  return {{"layout", AttributeKind::text, "channels_first or channels_last", AttributeValue(std::string("channels_first"))},
          {"window", AttributeKind::integers, "elements of a window, per spatial axis", std::nullopt},
          {"strides", AttributeKind::integers, "distance of neighbouring windows, per spatial axis", std::nullopt},
          {"padding_low", AttributeKind::integers, "padding before the input, per spatial axis", std::nullopt},
          {"padding_high", AttributeKind::integers, "padding behind the input, per spatial axis", std::nullopt},
          {"dilations", AttributeKind::integers, "distance of neighbouring elements of a window, per spatial axis", std::nullopt}};
}

std::vector<ConstraintSpec> pooling_constraints() {
  return {{"c1", "(C1) x is a tensor of numbers of rank 3 to 5"},
          {"c2", "(C2) window, strides, padding and dilations have one entry per spatial axis"},
          {"c3", "(C3) window, strides and dilations are positive, padding is not negative"},
          {"c4", "(C4) layout is channels_first or channels_last"},
          {"c5", "(C5) a spatial axis of symbolic size has stride 1"}};
}

InferResult infer_pooling(const InferContext& c) {
  const Type x = c.operands[0];
  const Attributes& a = c.attributes;
  if (!numeric_dtype(x.dtype()) || x.rank() < 3 || x.rank() > 5) return c.fail("c1", format("cannot pool {}", x.text()), {0});
  for (std::string_view name : {"window", "strides", "padding_low", "padding_high", "dilations"}) {
    const Integers& list = a.integers(name);
    if (std::ssize(list) != x.rank() - 2) return c.fail("c2", format("{} {} for {} spatial axes", name, text(AttributeValue(list)), x.rank() - 2));
    const std::int64_t least = name.starts_with("padding") ? 0 : 1;
    if (std::ranges::any_of(list, [&](std::int64_t n) { return n < least; })) return c.fail("c3", format("{} {} has an entry below {}", name, text(AttributeValue(list)), least));
  }
  const std::string& layout = a.text("layout");
  if (layout != "channels_first" && layout != "channels_last") return c.fail("c4", format("layout \"{}\" is not channels_first or channels_last", layout));
  Dims dims = dims_of(x);
  const Integers axes = spatial_axes(a);
  for (std::size_t k = 0; k < axes.size(); ++k) {
    Dim& size = dims[at(axes[k])];
    const Dim last = size + Dim(a.integers("padding_low")[k] + a.integers("padding_high")[k] - (a.integers("window")[k] - 1) * a.integers("dilations")[k] - 1);
    const std::int64_t stride = a.integers("strides")[k];
    if (!last.is_static() && stride != 1) return c.fail("c5", format("windows with stride {} on an axis of size {}", stride, size.text()), {0});
    size = !last.is_static() ? last + Dim(1) : Dim(last.value() < 0 ? 0 : last.value() / stride + 1);
  }
  return std::vector{x.with_dims(dims)};
}

namespace {

// Windows that lie side by side, as in most pooling layers: each element is in at most one of them.
bool tiles_input(Value x, const Attributes& a, const Integers& axes) {
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const bool side_by_side = a.integers("strides")[k] == a.integers("window")[k] && a.integers("dilations")[k] == 1;
    const bool padded = a.integers("padding_low")[k] != 0 || a.integers("padding_high")[k] != 0;
    if (!side_by_side || padded || !x.dim(static_cast<int>(axes[k])).is_static()) return false;
  }
  return x.rank() + std::ssize(axes) <= kMaxRank;
}

// Cutting the axes is then a view, and so is its transpose: gradients need no sums over windows.
Value reduce_tiles(Value x, Monoid monoid, const Attributes& a, const Integers& axes) {
  Builder& b = *x.builder;
  Integers limits, window_axes;
  Dims cut;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const auto found = std::ranges::find(axes, axis);
    if (found == axes.end()) {
      limits.push_back(x.dim(axis).is_static() ? x.dim(axis).value() : -1);
      cut.push_back(x.dim(axis));
      continue;
    }
    const std::int64_t window = a.integers("window")[at(found - axes.begin())];
    const std::int64_t count = x.dim(axis).value() / window;
    limits.push_back(count * window);
    window_axes.push_back(std::ssize(cut) + 1);
    cut.insert(cut.end(), {Dim(count), Dim(window)});
  }
  bool whole = true;
  for (int axis = 0; axis < x.rank(); ++axis) whole &= limits[at(axis)] == -1 || Dim(limits[at(axis)]) == x.dim(axis);
  if (!whole) x = b.slice(x, Integers(limits.size(), 0), limits);
  return b.reduce(b.reshape(x, cut), monoid, window_axes);
}

}  // namespace

Value reduce_windows(Value x, Value padding, Monoid monoid, const Attributes& a) {
  Builder& b = *x.builder;
  const Integers axes = spatial_axes(a);
  if (tiles_input(x, a, axes)) return reduce_tiles(x, monoid, a, axes);
  Integers low(at(x.rank()), 0), high = low;
  for (std::size_t k = 0; k < axes.size(); ++k) {
    low[at(axes[k])] = a.integers("padding_low")[k];
    high[at(axes[k])] = a.integers("padding_high")[k];
  }
  const bool padded = low != Integers(low.size(), 0) || high != Integers(high.size(), 0);
  if (padded) x = b.apply("pad", {x, padding}, {{"low", low}, {"high", high}, {"interior", Integers(low.size(), 0)}});
  const Value windows = b.apply("sliding_window", {x}, {{"axes", axes},
                                                        {"sizes", a.integers("window")},
                                                        {"strides", a.integers("strides")},
                                                        {"dilations", a.integers("dilations")}});
  return b.reduce(windows, monoid, counting(windows.rank() - std::ssize(axes), std::ssize(axes)));
}

}  // namespace hyperion::ir::ops

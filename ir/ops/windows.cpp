#include "ir/ops/windows.hpp"

#include <algorithm>

#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

Windows::Windows(const Attributes& attributes)
    : axes(attributes.integers("axes")),
      sizes(attributes.integers("sizes")),
      strides(attributes.integers("strides")),
      dilations(attributes.integers("dilations")) {}

std::optional<Dim> Windows::windows_on(Dim size, std::size_t k) const {
  const std::int64_t reach = (sizes[k] - 1) * dilations[k];  // from the first element read to the last
  if (size.is_static()) {
    return size.value() > reach ? Dim((size.value() - 1 - reach) / strides[k] + 1) : Dim(0);
  }
  if (strides[k] != 1) return std::nullopt;
  return size - Dim(reach);
}

std::vector<AttributeSpec> window_attributes() {
  return {{"axes", AttributeKind::integers, "the axes on which windows stand", std::nullopt},
          {"sizes", AttributeKind::integers, "elements of a window, per listed axis", std::nullopt},
          {"strides", AttributeKind::integers, "distance of neighbouring windows, per listed axis", std::nullopt},
          {"dilations", AttributeKind::integers, "distance of neighbouring elements of a window, per listed axis", std::nullopt}};
}

std::vector<ConstraintSpec> window_constraints() {
  return {{"c1", "(C1) sizes, strides and dilations have one entry per listed axis"},
          {"c2", "(C2) axes are distinct axes of the tensor that windows stand on"},
          {"c3", "(C3) sizes, strides and dilations are positive"},
          {"c4", "(C4) an axis of symbolic size has stride 1"},
          {"c5", "(C5) the windows have rank at most 8"}};
}

Result<> check_windows(const InferContext& c, int rank) {
  const Windows w(c.attributes);
  if (w.sizes.size() != w.count() || w.strides.size() != w.count() || w.dilations.size() != w.count()) {
    return c.fail("c1", format("{} axes, {} sizes, {} strides and {} dilations", w.count(), w.sizes.size(),
                               w.strides.size(), w.dilations.size()));
  }
  if (!distinct_axes(w.axes, rank)) {
    return c.fail("c2", format("{} are not distinct axes of a tensor of rank {}", text(AttributeValue(w.axes)), rank), {0});
  }
  const auto positive = [](std::int64_t number) { return number > 0; };
  if (!std::ranges::all_of(w.sizes, positive) || !std::ranges::all_of(w.strides, positive) ||
      !std::ranges::all_of(w.dilations, positive)) {
    return c.fail("c3", "sizes, strides and dilations are not all positive");
  }
  return {};
}

Result<Dims> windowed_dims(const InferContext& c, const Dims& dims) {
  const Windows w(c.attributes);
  Dims result = dims;
  for (std::size_t k = 0; k < w.count(); ++k) {
    const std::optional<Dim> count = w.windows_on(dims[at(w.axes[k])], k);
    if (!count) return c.fail("c4", format("windows with stride {} on an axis of size {}", w.strides[k], dims[at(w.axes[k])].text()), {0});
    result[at(w.axes[k])] = *count;
    result.push_back(Dim(w.sizes[k]));
  }
  if (result.size() > kMaxRank) return c.fail("c5", format("the windows have rank {}", result.size()), {0});
  return result;
}

}  // namespace hyperion::ir::ops

// What tensor ops mean, against plain loops that know nothing of index notation.
//
// Samples are small whole numbers, so that no order of summation can round: comparisons are exact.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "ir/logic/term_evaluator.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/op_sampler.hpp"

namespace hyperion::testing_support {
namespace {

using ir::Attributes;
using ir::Dims;
using ir::Integers;
using Index = std::vector<std::int64_t>;

// A dense tensor of doubles.
struct Dense {
  Index sizes;
  std::vector<double> elements;

  explicit Dense(Index shape, double fill = 0) : sizes(std::move(shape)) {
    std::int64_t count = 1;
    for (std::int64_t size : sizes) count *= size;
    elements.assign(static_cast<std::size_t>(count), fill);
  }
  explicit Dense(const LiteralPtr& literal)
      : sizes(literal->type().sizes()), elements(numbers(literal)) {}

  std::size_t position(const Index& at) const {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
      EXPECT_TRUE(at[axis] >= 0 && at[axis] < sizes[axis]);
      offset = offset * sizes[axis] + at[axis];
    }
    return static_cast<std::size_t>(offset);
  }
  double& operator[](const Index& at) { return elements[position(at)]; }
  double operator[](const Index& at) const { return elements[position(at)]; }
  bool contains(const Index& at) const {
    for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
      if (at[axis] < 0 || at[axis] >= sizes[axis]) return false;
    }
    return true;
  }
  std::size_t rank() const { return sizes.size(); }
};

// Visits every index of a shape, row-major.
void each_index(const Index& sizes, const std::function<void(const Index&)>& visit) {
  if (std::ranges::find(sizes, 0) != sizes.end()) return;
  Index at(sizes.size(), 0);
  for (;;) {
    visit(at);
    std::size_t axis = sizes.size();
    while (axis > 0 && ++at[axis - 1] == sizes[axis - 1]) at[--axis] = 0;
    if (axis == 0) return;
  }
}

Index part(const Index& list, std::size_t begin, std::size_t end) {
  return {list.begin() + static_cast<std::ptrdiff_t>(begin),
          list.begin() + static_cast<std::ptrdiff_t>(end)};
}
std::size_t number(std::int64_t n) { return static_cast<std::size_t>(n); }
std::size_t attribute(const OpSample& s, std::string_view name) {
  return number(s.attributes.integer(name));
}

// Samples in the numbers -1, 0, 1, 2, so that sums and products are exact in any order. Indices
// stay as they are.
std::vector<OpSample> whole_samples(std::string_view op, DType dtype, int count = 60) {
  std::vector<OpSample> samples =
      op_samples(ir::op(op), {.dtype = dtype, .seed = 21, .count = count});
  const bool has_indices = ir::op(op).group == ir::OpGroup::indexed;
  for (OpSample& sample : samples) {
    for (LiteralPtr& operand : sample.operands) {
      const DType type = operand->type().dtype();
      if (!is_floating(type) && (has_indices || is_boolean(type))) continue;
      std::vector<double> whole = numbers(operand);
      for (double& x : whole)
        x = is_floating(type) ? std::round(x * 0.75 + 0.4) + 0.0 : std::abs(std::fmod(x, 4)) - 1;
      operand = literal_of(operand->type(), whole);
    }
  }
  return samples;
}

using Reference = std::function<void(const OpSample&, const std::vector<Dense>&, Dense&)>;

// Compares every sample's one result with what `reference` writes into zeros of its shape.
void expect_reference(std::string_view op, const Reference& reference,
                      std::vector<DType> dtypes = {DType::f64, DType::i64, DType::f32}) {
  for (DType dtype : dtypes) {
    const std::vector<OpSample> samples = whole_samples(op, dtype);
    EXPECT_FALSE(samples.empty());
    for (const OpSample& sample : samples) {
      SCOPED_TRACE(sample.text());
      std::vector<Dense> operands;
      for (const LiteralPtr& operand : sample.operands) operands.emplace_back(operand);
      Dense expected(sample.results[0].sizes());
      reference(sample, operands, expected);
      ASSERT_EQ(difference(evaluate(sample)[0], literal_of(sample.results[0], expected.elements)),
                "");
    }
  }
}

// ---- views
// ----------------------------------------------------------------------------------------------------

TEST(Definition, Iota) {
  expect_reference("iota", [](const OpSample& s, const std::vector<Dense>&, Dense& out) {
    each_index(out.sizes,
               [&](const Index& at) { out[at] = static_cast<double>(at[attribute(s, "axis")]); });
  });
}

TEST(Definition, Reshape) {
  expect_reference("reshape", [](const OpSample&, const std::vector<Dense>& in, Dense& out) {
    out.elements = in[0].elements;
  });
}

TEST(Definition, Transpose) {
  expect_reference("transpose", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    const Integers& permutation = s.attributes.integers("permutation");
    each_index(in[0].sizes, [&](const Index& from) {
      Index to(from.size());
      for (std::size_t k = 0; k < to.size(); ++k) to[k] = from[number(permutation[k])];
      out[to] = in[0][from];
    });
  });
}

TEST(Definition, Broadcast) {
  expect_reference("broadcast", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    const Integers& dims = s.attributes.integers("dims");
    each_index(out.sizes, [&](const Index& at) {
      Index from;
      for (std::size_t k = 0; k < dims.size(); ++k)
        from.push_back(in[0].sizes[k] == 1 ? 0 : at[number(dims[k])]);
      out[at] = in[0][from];
    });
  });
}

TEST(Definition, Slice) {
  expect_reference("slice", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    // From the operand's side: which elements are kept.
    each_index(in[0].sizes, [&](const Index& from) {
      Index to;
      for (std::size_t k = 0; k < from.size(); ++k) {
        const std::int64_t offset = from[k] - s.attributes.integers("starts")[k],
                           stride = s.attributes.integers("strides")[k];
        if (offset < 0 || offset % stride != 0 || from[k] >= s.attributes.integers("limits")[k])
          return;
        to.push_back(offset / stride);
      }
      out[to] = in[0][from];
    });
  });
}

TEST(Definition, Pad) {
  expect_reference("pad", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    out.elements.assign(out.elements.size(), in[1].elements[0]);
    each_index(in[0].sizes, [&](const Index& from) {
      Index to;
      for (std::size_t k = 0; k < from.size(); ++k) {
        to.push_back(s.attributes.integers("low")[k] +
                     from[k] * (s.attributes.integers("interior")[k] + 1));
      }
      if (out.contains(to)) out[to] = in[0][from];
    });
  });
}

TEST(Definition, Concatenate) {
  expect_reference("concatenate", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    const std::size_t axis = attribute(s, "axis");
    std::int64_t start = 0;
    for (const Dense& piece : in) {
      each_index(piece.sizes, [&](const Index& from) {
        Index to = from;
        to[axis] += start;
        out[to] = piece[from];
      });
      start += piece.sizes[axis];
    }
  });
}

TEST(Definition, Reverse) {
  expect_reference("reverse", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    each_index(out.sizes, [&](const Index& at) {
      Index from = at;
      for (std::int64_t axis : s.attributes.integers("axes"))
        from[number(axis)] = out.sizes[number(axis)] - 1 - at[number(axis)];
      out[at] = in[0][from];
    });
  });
}

// Visits (window element, place in the tensor the windows stand on).
void each_window_element(const OpSample& s, const Dense& windows, std::size_t rank,
                         const std::function<void(const Index&, const Index&)>& visit) {
  const Integers& axes = s.attributes.integers("axes");
  each_index(windows.sizes, [&](const Index& at) {
    Index place = part(at, 0, rank);
    for (std::size_t k = 0; k < axes.size(); ++k) {
      std::int64_t& p = place[number(axes[k])];
      p = p * s.attributes.integers("strides")[k] +
          at[rank + k] * s.attributes.integers("dilations")[k];
    }
    visit(at, place);
  });
}

TEST(Definition, SlidingWindow) {
  expect_reference(
      "sliding_window", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
        each_window_element(s, out, in[0].rank(),
                            [&](const Index& at, const Index& place) { out[at] = in[0][place]; });
      });
}

TEST(Definition, OverlapAdd) {
  expect_reference("overlap_add", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    each_window_element(s, in[0], out.rank(),
                        [&](const Index& at, const Index& place) { out[place] += in[0][at]; });
  });
}

TEST(Definition, StopGradientAndBarrierAreIdentities) {
  for (std::string_view op : {"stop_gradient", "barrier"}) {
    for (const OpSample& sample :
         op_samples(ir::op(op), {.dtype = DType::f16, .values = Values::special, .count = 20})) {
      const std::vector<LiteralPtr> results = evaluate(sample);
      for (std::size_t k = 0; k < results.size(); ++k) EXPECT_EQ(*results[k], *sample.operands[k]);
    }
  }
}

// ---- indexed
// --------------------------------------------------------------------------------------------------

struct SlicePlaces {
  Index index, before_axis, after_axis;  // coordinates in indices, and around the axis in x
};

// Takes coordinates of the slices apart.
SlicePlaces take_apart(const OpSample& s, const Dense& indices, const Index& slice) {
  const std::size_t axis = attribute(s, "axis"), batch = attribute(s, "batch"),
                    count = indices.rank() - batch;
  SlicePlaces places{part(slice, 0, batch), part(slice, 0, axis),
                     part(slice, axis + count, slice.size())};
  for (std::size_t k = axis; k < axis + count; ++k) places.index.push_back(slice[k]);
  return places;
}

Index joined(Index before, std::int64_t middle, const Index& after) {
  before.push_back(middle);
  before.insert(before.end(), after.begin(), after.end());
  return before;
}

TEST(Definition, Gather) {
  expect_reference("gather", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    const std::int64_t size = in[0].sizes[attribute(s, "axis")];
    each_index(out.sizes, [&](const Index& at) {
      const SlicePlaces p = take_apart(s, in[1], at);
      const auto chosen =
          std::clamp<std::int64_t>(static_cast<std::int64_t>(in[1][p.index]), 0, size - 1);
      out[at] = in[0][joined(p.before_axis, chosen, p.after_axis)];
    });
  });
}

TEST(Definition, Scatter) {
  expect_reference("scatter", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    out = in[0];
    const std::string& kind = s.attributes.text("kind");
    each_index(in[2].sizes, [&](const Index& at) {
      const SlicePlaces p = take_apart(s, in[1], at);
      const Index place =
          joined(p.before_axis, static_cast<std::int64_t>(in[1][p.index]), p.after_axis);
      if (!out.contains(place)) return;
      double& x = out[place];
      const double u = in[2][at];
      x = kind == "set"   ? u
          : kind == "add" ? x + u
          : kind == "mul" ? x * u
          : kind == "min" ? std::min(x, u)
                          : std::max(x, u);
    });
  });
}

Index clamped_starts(const std::vector<Dense>& in, std::size_t first, const Index& window) {
  Index starts;
  for (std::size_t k = 0; k < window.size(); ++k) {
    starts.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(in[first + k].elements[0]),
                                              0, in[0].sizes[k] - window[k]));
  }
  return starts;
}

TEST(Definition, DynamicSlice) {
  expect_reference("dynamic_slice", [](const OpSample&, const std::vector<Dense>& in, Dense& out) {
    const Index starts = clamped_starts(in, 1, out.sizes);
    each_index(out.sizes, [&](const Index& at) {
      Index from = at;
      for (std::size_t k = 0; k < at.size(); ++k) from[k] += starts[k];
      out[at] = in[0][from];
    });
  });
}

TEST(Definition, DynamicUpdateSlice) {
  expect_reference("dynamic_update_slice",
                   [](const OpSample&, const std::vector<Dense>& in, Dense& out) {
                     out = in[0];
                     const Index starts = clamped_starts(in, 2, in[1].sizes);
                     each_index(in[1].sizes, [&](const Index& at) {
                       Index to = at;
                       for (std::size_t k = 0; k < at.size(); ++k) to[k] += starts[k];
                       out[to] = in[1][at];
                     });
                   });
}

// ---- reductions
// -----------------------------------------------------------------------------------------------

double combined(const std::string& kind, double a, double b) {
  if (kind == "sum") return a + b;
  if (kind == "prod") return a * b;
  if (kind == "max") return std::max(a, b);
  if (kind == "min") return std::min(a, b);
  const auto x = static_cast<std::int64_t>(a), y = static_cast<std::int64_t>(b);
  return static_cast<double>(kind == "and" ? x & y : x | y);
}

TEST(Definition, Reduce) {
  expect_reference("reduce", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    const std::string& kind = s.attributes.text("kind");
    const std::uint64_t identity = ir::identity_bits(*ir::parse_monoid(kind), s.results[0].dtype());
    out.elements.assign(
        out.elements.size(),
        element_to_double(s.results[0].dtype(), reinterpret_cast<const std::byte*>(&identity)));
    std::vector<bool> met(out.elements.size(), false);
    each_index(in[0].sizes, [&](const Index& from) {
      Index to;
      for (std::size_t axis = 0; axis < from.size(); ++axis) {
        if (std::ranges::find(s.attributes.integers("axes"), static_cast<std::int64_t>(axis)) ==
            s.attributes.integers("axes").end())
          to.push_back(from[axis]);
      }
      double& x = out[to];
      x = met[out.position(to)] ? combined(kind, x, in[0][from]) : in[0][from];
      met[out.position(to)] = true;
    });
  });
}

// Visits every line of x along an axis: its elements, and the index with that axis removed.
void each_line(const Dense& x, std::size_t axis,
               const std::function<void(const Index&, std::vector<double>&)>& visit) {
  Index rest = x.sizes;
  rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(axis));
  each_index(rest, [&](const Index& at) {
    std::vector<double> line;
    for (std::int64_t k = 0; k < x.sizes[axis]; ++k)
      line.push_back(x[joined(part(at, 0, axis), k, part(at, axis, at.size()))]);
    visit(at, line);
  });
}

TEST(Definition, ArgReduce) {
  expect_reference("arg_reduce", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    each_line(in[0], attribute(s, "axis"), [&](const Index& at, std::vector<double>& line) {
      const auto best = s.attributes.text("kind") == "max" ? std::ranges::max_element(line)
                                                           : std::ranges::min_element(line);
      out[at] = static_cast<double>(best - line.begin());
    });
  });
}

TEST(Definition, ArgReduceFindsTheFirstNanAndTheFirstOfEquals) {
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinity = std::numeric_limits<double>::infinity();
  const auto index = [](std::string_view kind, const std::vector<double>& line) {
    OpSample sample{&ir::op("arg_reduce"),
                    {literal_of(Type(DType::f32, {Dim(std::ssize(line))}), line)},
                    {},
                    {},
                    {}};
    sample.attributes = {{"kind", std::string(kind)}, {"axis", std::int64_t{0}}};
    return numbers(evaluate(sample)[0])[0];
  };
  EXPECT_EQ(index("max", {1, nan, 9, nan}), 1);
  EXPECT_EQ(index("min", {1, nan, -9, nan}), 1);
  EXPECT_EQ(index("max", {-infinity, -infinity}), 0);
  EXPECT_EQ(index("max", {0.0, -0.0, 3, 3}), 2);
  EXPECT_EQ(index("min", {0.0, -0.0, 3}), 0);
  EXPECT_EQ(index("min", {infinity, 2, 2}), 1);
}

TEST(Definition, ArgSort) {
  expect_reference("arg_sort", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    const std::size_t axis = attribute(s, "axis");
    each_line(in[0], axis, [&](const Index& at, std::vector<double>& line) {
      std::vector<std::size_t> order(line.size());
      std::iota(order.begin(), order.end(), std::size_t{0});
      const bool descending = s.attributes.boolean("descending");
      std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
        return descending ? line[b] < line[a] : line[a] < line[b];
      });
      for (std::size_t k = 0; k < line.size(); ++k) {
        Index place = at;
        place.insert(place.begin() + static_cast<std::ptrdiff_t>(axis), static_cast<std::int64_t>(k));
        out[place] = static_cast<double>(order[k]);
      }
    });
  });
}

TEST(Definition, ArgSortKeepsEqualsInOrderAndTakesNanForTheGreatest) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const auto sorted = [](bool descending, const std::vector<double>& line) {
    OpSample sample{&ir::op("arg_sort"), {literal_of(Type(DType::f32, {Dim(std::ssize(line))}), line)}, {}, {}, {}};
    sample.attributes = {{"axis", std::int64_t{0}}, {"descending", descending}};
    return numbers(evaluate(sample)[0]);
  };
  const std::vector<double> line = {1, nan, -0.0, infinity, 0.0, -nan, 1, -infinity};
  EXPECT_EQ(sorted(false, line), (std::vector<double>{7, 2, 4, 0, 6, 3, 1, 5}));
  EXPECT_EQ(sorted(true, line), (std::vector<double>{1, 5, 3, 0, 6, 2, 4, 7}));
}

// What the interpreter does at once is what the definition counts out.
TEST(Definition, ArgSortIsEvaluatedAsItIsDefined) {
  const ir::OpDefinition& op = ir::op("arg_sort");
  for (const DType dtype : {DType::f32, DType::bf16, DType::u64, DType::i8, DType::bool_}) {
    for (const Values values : {Values::ordinary, Values::special}) {
      for (const OpSample& sample : op_samples(op, {.dtype = dtype, .values = values, .seed = 3, .count = 8})) {
        SCOPED_TRACE(sample.text());
        ir::TermPool pool;
        const auto lambdas = ir::define(op, {pool, sample.operand_types(), sample.results, sample.attributes});
        const LiteralPtr defined = ir::evaluate_lambda(pool, lambdas[0], sample.results[0], sample.operands);
        EXPECT_EQ(difference(evaluate(sample)[0], defined), "");
      }
    }
  }
}

TEST(Definition, Cumulative) {
  expect_reference("cumulative", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    const std::string& kind = s.attributes.text("kind");
    const std::size_t axis = attribute(s, "axis");
    const std::uint64_t bits = ir::identity_bits(*ir::parse_monoid(kind), s.results[0].dtype());
    const double identity =
        element_to_double(s.results[0].dtype(), reinterpret_cast<const std::byte*>(&bits));
    each_line(in[0], axis, [&](const Index& at, std::vector<double>& line) {
      const bool reverse = s.attributes.boolean("reverse"),
                 exclusive = s.attributes.boolean("exclusive");
      double before = identity;
      for (std::size_t step = 0; step < line.size(); ++step) {
        const std::size_t k = reverse ? line.size() - 1 - step : step;
        const double after = step == 0 ? line[k] : combined(kind, before, line[k]);
        out[joined(part(at, 0, axis), static_cast<std::int64_t>(k), part(at, axis, at.size()))] =
            exclusive ? before : after;
        before = after;
      }
    });
  });
}

// ---- contractions
// ---------------------------------------------------------------------------------------------

TEST(Definition, Dot) {
  expect_reference("dot", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    const Attributes& a = s.attributes;
    const auto is_in = [](const Integers& list, std::size_t axis) {
      return std::ranges::find(list, static_cast<std::int64_t>(axis)) != list.end();
    };
    each_index(in[0].sizes, [&](const Index& left) {
      each_index(in[1].sizes, [&](const Index& right) {
        Index to;
        for (std::size_t k = 0; k < a.integers("lhs_batch").size(); ++k) {
          if (left[number(a.integers("lhs_batch")[k])] != right[number(a.integers("rhs_batch")[k])])
            return;
          to.push_back(left[number(a.integers("lhs_batch")[k])]);
        }
        for (std::size_t k = 0; k < a.integers("lhs_contract").size(); ++k) {
          if (left[number(a.integers("lhs_contract")[k])] !=
              right[number(a.integers("rhs_contract")[k])])
            return;
        }
        for (std::size_t axis = 0; axis < left.size(); ++axis) {
          if (!is_in(a.integers("lhs_batch"), axis) && !is_in(a.integers("lhs_contract"), axis))
            to.push_back(left[axis]);
        }
        for (std::size_t axis = 0; axis < right.size(); ++axis) {
          if (!is_in(a.integers("rhs_batch"), axis) && !is_in(a.integers("rhs_contract"), axis))
            to.push_back(right[axis]);
        }
        out[to] += in[0][left] * in[1][right];
      });
    });
  });
}

// Visits every (input, weight, output) index that the trilinear form of convolution multiplies.
void each_product(const OpSample& s, const Index& input, const Index& weight, const Index& output,
                  const std::function<void(const Index&, const Index&, const Index&)>& visit) {
  const std::size_t spatial = input.size() - 2;
  const std::string layout = s.attributes.text("layout");
  const bool last = layout != "channels_first";
  const std::size_t channel = last ? spatial + 1 : 1, first = last ? 1 : 2;
  // Of weights: [O, I, kernel], [kernel, I, O], [O, kernel, I].
  std::size_t w_out = 0, w_in = 1, w_first = 2;
  if (layout == "channels_last") w_out = spatial + 1, w_in = spatial, w_first = 0;
  if (layout == "channels_innermost") w_in = spatial + 1, w_first = 1;
  const std::int64_t group_outputs = weight[w_out] / s.attributes.integer("groups"),
                     group_inputs = weight[w_in];
  each_index(output, [&](const Index& y) {
    each_index(weight, [&](const Index& w) {
      if (w[w_out] != y[channel]) return;
      Index x = y;
      x[channel] = y[channel] / group_outputs * group_inputs + w[w_in];
      for (std::size_t k = 0; k < spatial; ++k) {
        x[first + k] = y[first + k] * s.attributes.integers("strides")[k] +
                       w[w_first + k] * s.attributes.integers("dilations")[k] -
                       s.attributes.integers("padding_low")[k];
        if (x[first + k] < 0 || x[first + k] >= input[first + k]) return;
      }
      visit(x, w, y);
    });
  });
}

TEST(Definition, Conv) {
  expect_reference("conv", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
    each_product(
        s, in[0].sizes, in[1].sizes, out.sizes,
        [&](const Index& x, const Index& w, const Index& y) { out[y] += in[0][x] * in[1][w]; });
  });
}

TEST(Definition, ConvInputGradient) {
  expect_reference(
      "conv_input_gradient", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
        each_product(
            s, out.sizes, in[1].sizes, in[0].sizes,
            [&](const Index& x, const Index& w, const Index& y) { out[x] += in[0][y] * in[1][w]; });
      });
}

TEST(Definition, ConvWeightGradient) {
  expect_reference(
      "conv_weight_gradient", [](const OpSample& s, const std::vector<Dense>& in, Dense& out) {
        each_product(
            s, in[0].sizes, out.sizes, in[1].sizes,
            [&](const Index& x, const Index& w, const Index& y) { out[w] += in[0][x] * in[1][y]; });
      });
}

// The order is part of the meaning: kernel positions row-major, then input channels; taps outside
// are skipped.
TEST(Definition, ConvIsOneChainInTheStatedOrder) {
  for (const OpSample& sample :
       op_samples(ir::op("conv"), {.dtype = DType::f32, .seed = 8, .count = 30})) {
    if (sample.attributes.text("layout") != "channels_last")
      continue;  // kernel, then input channel: the visiting order
    SCOPED_TRACE(sample.text());
    const Dense x(sample.operands[0]), w(sample.operands[1]);
    Dense out(sample.results[0].sizes());
    each_product(sample, x.sizes, w.sizes, out.sizes,
                 [&](const Index& at_x, const Index& at_w, const Index& at_y) {
                   out[at_y] = std::fma(static_cast<float>(x[at_x]), static_cast<float>(w[at_w]),
                                        static_cast<float>(out[at_y]));
                 });
    ASSERT_EQ(difference(evaluate(sample)[0], literal_of(sample.results[0], out.elements)), "");
  }
}

// ---- random bits
// ----------------------------------------------------------------------------------------------

// Threefry-2x32-20 as its authors write it, on machine integers.
std::pair<std::uint32_t, std::uint32_t> threefry(std::uint32_t k0, std::uint32_t k1,
                                                 std::uint32_t c0, std::uint32_t c1) {
  constexpr int kRotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  const std::uint32_t keys[3] = {k0, k1, k0 ^ k1 ^ 0x1BD11BDAu};
  std::uint32_t x0 = c0 + k0, x1 = c1 + k1;
  for (unsigned round = 0; round < 20; ++round) {
    x0 += x1;
    const int bits = kRotations[round % 8];
    x1 = (x1 << bits | x1 >> (32 - bits)) ^ x0;
    if (round % 4 == 3) {
      const unsigned injection = round / 4 + 1;
      x0 += keys[injection % 3];
      x1 += keys[(injection + 1) % 3] + injection;
    }
  }
  return {x0, x1};
}

// The known answers that are published with Random123 (kat_vectors).
TEST(Definition, ThreefryGivesThePublishedAnswers) {
  EXPECT_EQ(threefry(0, 0, 0, 0), std::pair(0x6b200159u, 0x99ba4efeu));
  EXPECT_EQ(threefry(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu),
            std::pair(0x1cb996fcu, 0xbb002be7u));
  EXPECT_EQ(threefry(0x13198a2eu, 0x03707344u, 0x243f6a88u, 0x85a308d3u),
            std::pair(0xc4923a9cu, 0x483df7a0u));
}

TEST(Definition, RngBits) {
  for (DType dtype : {DType::u32, DType::u64}) {
    for (const OpSample& sample : op_samples(ir::op("rng_bits"), {.dtype = dtype, .count = 40})) {
      SCOPED_TRACE(sample.text());
      const LiteralPtr bits = evaluate(sample)[0];
      const std::vector<double> keys = numbers(sample.operands[0]);
      const std::int64_t streams = std::ssize(keys) / 2, count = bits->type().element_count();
      for (std::int64_t k = 0; k < count; ++k) {
        const std::int64_t stream = k / (count / streams), position = k % (count / streams);
        const auto [low, high] = threefry(static_cast<std::uint32_t>(keys[number(2 * stream)]),
                                          static_cast<std::uint32_t>(keys[number(2 * stream + 1)]),
                                          static_cast<std::uint32_t>(position), 0);
        const auto value =
            static_cast<std::uint64_t>(element_to_integer(dtype, bits->element(k).data()));
        ASSERT_EQ(value, dtype == DType::u32 ? low : low | std::uint64_t{high} << 32);
      }
    }
  }
}

}  // namespace
}  // namespace hyperion::testing_support

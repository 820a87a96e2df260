// random_program.hpp: random funcs of core ops, well typed by construction, the same for the same seed.
//
// Sizes are small, now and then empty or odd and longer than a vector, and ranks up to 4; constants are often the ones
// that rules look for (0, -0, 1, 2). Views come in chains, values are reused, and contractions, convolutions, gathers
// and composites stand between elementwise ops, so that rewriting and fusing have something to do. No op in it observes
// the bits of a NaN.
#pragma once

#include <algorithm>
#include <iterator>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "ir/builder.hpp"

namespace hyperion::testing_support {

struct RandomProgramOptions {
  int ops = 24;
  std::vector<DType> dtypes = {DType::f32, DType::f64, DType::f16, DType::i32, DType::u8};
  bool smooth_only = false;  // only ops whose derivatives exist everywhere
};

class RandomProgram {
 public:
  RandomProgram(ir::Module& module, std::string name, std::uint64_t seed, RandomProgramOptions options = {})
      : options_(std::move(options)), random_(seed), builder_(module.add(std::move(name)), &module) {
    const int parameters = 1 + below(3);
    for (int k = 0; k < parameters; ++k) values_.push_back(builder_.parameter(random_type()));
    for (int k = 0; k < options_.ops; ++k) step();
    std::vector<ir::Value> results;
    const std::size_t count = std::min<std::size_t>(values_.size(), static_cast<std::size_t>(1 + below(3)));
    for (std::size_t k = 0; k < count; ++k) results.push_back(values_[values_.size() - 1 - k]);
    builder_.return_values(results);
  }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<std::uint64_t>(limit)); }
  ir::Value any() { return values_[static_cast<std::size_t>(below(static_cast<int>(values_.size())))]; }
  // Later values are likelier, so that programs are deep.
  ir::Value recent() {
    const int size = static_cast<int>(values_.size());
    return values_[static_cast<std::size_t>(size - 1 - below(std::min(size, 4)))];
  }
  void keep(ir::Value value) { values_.push_back(value); }

  // Mostly 1 to 3; at times nothing at all, or odd and longer than a vector of any element type.
  Dim random_size() {
    static constexpr int kRare[] = {0, 5, 7, 19};
    return Dim(below(8) == 0 ? kRare[below(4)] : 1 + below(3));
  }

  Type random_type() {
    std::vector<Dim> dims;
    for (int axis = below(4); axis > 0; --axis) dims.push_back(random_size());
    return Type(options_.dtypes[static_cast<std::size_t>(below(static_cast<int>(options_.dtypes.size())))], dims);
  }

  // Another value of this type: one there is, a constant, or the value itself.
  ir::Value partner(ir::Value x) {
    std::vector<ir::Value> same;
    for (const ir::Value& value : values_) {
      if (value.type() == x.type()) same.push_back(value);
    }
    if (below(3) == 0) {
      const double numbers[] = {0.0, -0.0, 1.0, 2.0, 0.5, -1.0, 3.0};
      return builder_.constant(x.type(), numbers[below(7)]);
    }
    return same[static_cast<std::size_t>(below(static_cast<int>(same.size())))];
  }

  void step() {
    const ir::Value x = recent();
    switch (below(12)) {
      case 0:
      case 1: return unary(x);
      case 2:
      case 3:
      case 4: return binary(x);
      case 5:
      case 6: return view(x);
      case 7: return choose(x);
      case 8: return convolve(x);
      case 9: return gather(x);
      case 10: return composite(x);
      default: return contract(x);
    }
  }

  void unary(ir::Value x) {
    if (is_boolean(x.dtype())) return keep(ir::unary("not", x));
    if (!is_floating(x.dtype())) return is_signed_integer(x.dtype()) ? keep(-x) : void();
    static const char* const names[] = {"neg", "exp", "abs", "floor", "sqrt"};
    keep(ir::unary(names[below(options_.smooth_only ? 2 : 5)], x));
  }

  void binary(ir::Value x) {
    const ir::Value y = partner(x);
    static const char* const logic[] = {"and", "or", "xor"};
    static const char* const arithmetic[] = {"add", "sub", "mul", "max", "min", "div"};
    const bool left = below(2) != 0;
    const char* name = is_boolean(x.dtype()) ? logic[below(3)] : arithmetic[below(options_.smooth_only ? 3 : 6)];
    keep(builder_.apply(name, {left ? x : y, left ? y : x}));
  }

  void view(ir::Value x) {
    ir::Integers axes(static_cast<std::size_t>(x.rank()));
    std::iota(axes.begin(), axes.end(), 0);
    switch (below(7)) {
      case 0:
      case 1: std::ranges::shuffle(axes, random_); return keep(builder_.transpose(x, axes));
      case 2: return keep(builder_.reshape(x, std::vector{Dim(x.type().element_count())}));
      case 3: {
        if (x.rank() > 3 || x.type().element_count() > kMostElements / 4) return;
        std::vector<Dim> shape(x.type().dims().begin(), x.type().dims().end());
        shape.insert(shape.begin(), Dim(1 + below(3)));
        for (std::int64_t& axis : axes) ++axis;
        return keep(builder_.broadcast(x, shape, axes));
      }
      case 4: return keep(builder_.apply("reverse", {x}, {{"axes", axes}}));
      case 5: {
        ir::Integers starts, limits;
        for (int axis = 0; axis < x.rank(); ++axis) {
          const auto size = static_cast<int>(x.dim(axis).value());
          starts.push_back(below(size + 1));
          limits.push_back(starts.back() + below(size + 1 - static_cast<int>(starts.back())));
        }
        return keep(builder_.slice(x, starts, limits));
      }
      default: {
        if (x.rank() == 0) return;
        const ir::Integers none(axes.size(), 0);
        ir::Integers low = none;
        low[0] = below(2);
        const ir::Value zero = builder_.zeros(Type::scalar(x.dtype()));
        return keep(builder_.apply("pad", {x, zero}, {{"low", low}, {"high", none}, {"interior", none}}));
      }
    }
  }

  void choose(ir::Value x) {
    if (options_.smooth_only) return;
    static const char* const directions[] = {"eq", "ne", "lt", "le", "gt", "ge"};
    const ir::Value y = partner(x);
    const ir::Value predicate = builder_.compare(x, y, directions[below(6)]);
    if (below(4) == 0) return keep(predicate);
    if (below(4) == 0) return keep(builder_.cast(x, random_type().dtype()));
    keep(builder_.select(predicate, below(3) ? x : y, y));
  }

  void contract(ir::Value x) {
    if (is_boolean(x.dtype()) || x.rank() == 0) return;
    if (below(2)) {
      ir::Integers axes;
      for (int axis = 0; axis < x.rank(); ++axis) {
        if (below(2)) axes.push_back(axis);
      }
      const ir::Monoid kinds[] = {ir::Monoid::sum, ir::Monoid::maximum, ir::Monoid::minimum};
      return keep(builder_.reduce(x, options_.smooth_only ? ir::Monoid::sum : kinds[below(3)], axes));
    }
    const ir::Value y = any();
    if (y.dtype() != x.dtype() || y.rank() == 0 || x.rank() + y.rank() > 6 || y.dim(0) != x.dim(x.rank() - 1)) return;
    const std::int64_t shared = std::max<std::int64_t>(y.dim(0).value(), 1);
    if (elements(x) * elements(y) / (shared * shared) > kMostElements) return;
    keep(builder_.apply("dot", {x, y}, {{"lhs_contract", ir::Integers{x.rank() - 1}}, {"rhs_contract", ir::Integers{0}}}));
  }

  // The last two axes as channels and a row, with a kernel that is a parameter of its own. Half of them get a bias and a
  // maximum with 0 right away, as in a network.
  void convolve(ir::Value x) {
    if (is_boolean(x.dtype()) || x.rank() < 2 || elements(x) == 0) return;
    const Dim channels = x.dim(x.rank() - 2), row = x.dim(x.rank() - 1);
    const ir::Value image = builder_.reshape(x, std::vector{Dim(elements(x) / (channels.value() * row.value())), channels, row});
    const Dim filters(1 + below(5)), taps(1 + below(3));
    const ir::Integers one = {1}, none = {0};
    const ir::Value kernel = builder_.parameter(Type(x.dtype(), {filters, channels, taps}));
    const ir::Value y = builder_.apply("conv", {image, kernel},
                                       {{"layout", std::string("channels_first")},
                                        {"strides", ir::Integers{1 + below(2)}},
                                        {"padding_low", ir::Integers{taps.value() - 1}},
                                        {"padding_high", below(2) ? one : none},
                                        {"dilations", one},
                                        {"groups", std::int64_t{1}}});
    if (below(2)) return keep(y);
    const ir::Value bias = builder_.parameter(Type(x.dtype(), {filters}));
    const ir::Value sum = y + builder_.broadcast(bias, y.type().dims(), {1});
    keep(options_.smooth_only ? sum : builder_.apply("max", {sum, builder_.zeros(sum.type())}));
  }

  void gather(ir::Value x) {
    if (x.rank() == 0 || elements(x) == 0) return;
    const int axis = below(x.rank());
    const auto size = static_cast<int>(x.dim(axis).value());
    // Some point past the ends: what they give is stated by the op.
    const ir::Value rows = builder_.apply("iota", {}, {{"shape", ir::Dims{Dim(1 + below(4))}}, {"dtype", DType::i32}, {"axis", std::int64_t{0}}});
    const ir::Value indices = rows * (below(3) - 1) + below(size);
    keep(builder_.apply("gather", {x, indices}, {{"axis", std::int64_t{axis}}, {"batch", std::int64_t{0}}}));
  }

  void composite(ir::Value x) {
    if (!is_floating(x.dtype()) || x.rank() == 0 || elements(x) == 0) return;
    const std::int64_t last = x.rank() - 1;
    switch (below(6)) {
      case 0: return keep(builder_.apply("softmax", {x}, {{"axis", std::int64_t{below(x.rank())}}}));
      case 1: return keep(builder_.apply("log_softmax", {x}, {{"axis", last}}));
      case 2: return keep(builder_.apply("gelu", {x}, {{"approximate", std::string(below(2) ? "none" : "tanh")}}));
      case 3: return keep(ir::unary("silu", x));
      case 4: return keep(builder_.apply("mean", {x}, {{"axes", ir::Integers{last}}}));
      default: {
        const ir::Value scale = builder_.parameter(Type(x.dtype(), {x.dim(x.rank() - 1)}));
        return keep(builder_.apply("rms_norm", {x, scale}, {{"epsilon", 0.5}}));
      }
    }
  }

  // Interpreting a program of such tensors takes milliseconds.
  static constexpr std::int64_t kMostElements = 4096;
  static std::int64_t elements(ir::Value x) { return x.type().element_count(); }

  RandomProgramOptions options_;
  std::mt19937_64 random_;
  ir::Builder builder_;
  std::vector<ir::Value> values_;
};

}  // namespace hyperion::testing_support

// Random maps in front of dot and conv, of either operand and with an epilogue, on ragged shapes and all layouts: computed
// while the operands are packed, they give the interpreter's bits. Many of the maps are not zero at zero, so padding that
// entered a sum, or was mapped, would show.
#include <gtest/gtest.h>

#include "codegen/driver/compile.hpp"
#include "codegen/driver/run.hpp"
#include "ir/builder.hpp"
#include "ir/text/print.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/programs.hpp"

namespace hyperion {
namespace {

using ir::Integers;
using ir::Value;

constexpr int kPrograms = 80;

class Program {
 public:
  explicit Program(std::uint64_t seed) : random_(seed), builder_(module_.add("f"), &module_) {
    static constexpr DType kTypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16};
    dtype_ = kTypes[below(4)];
    const Value sums = below(3) == 0 ? convolution() : below(5) == 0 ? input_gradient() : product();
    const Value result = epilogue(sums);
    builder_.return_values({&result, 1});
  }

  const ir::Module& module() const { return module_; }
  int maps() const { return maps_; }

 private:
  int below(int limit) { return static_cast<int>(random_() % static_cast<std::uint64_t>(limit)); }
  Dim any_size() { return Dim(below(12) == 0 ? 0 : 1 + below(below(3) == 0 ? 70 : 20)); }

  // A tensor of this shape that a contraction reads: a parameter, or computed from some.
  Value factor(const std::vector<Dim>& dims) {
    const Type type(dtype_, dims);
    const int kind = below(8);
    maps_ += kind > 1;
    switch (kind) {
      case 0:
      case 1: return builder_.parameter(type);
      case 2: return cast_from(type);
      case 3: return unary("log", unary("abs", builder_.parameter(type)));
      case 4: return 1.0 / builder_.parameter(type);
      case 5: {
        const int axis = below(type.rank());
        const Value along = builder_.parameter(Type(dtype_, {type.dim(axis)}));
        return unary("relu", cast_from(type) + builder_.broadcast(along, dims, {axis}));
      }
      case 6: {
        const Value x = builder_.parameter(type), y = cast_from(type);
        return builder_.select(builder_.compare(x, y, "lt"), unary("exp", y), x - 1.5);
      }
      default: {
        std::vector<Dim> reversed(dims.rbegin(), dims.rend());
        Integers permutation;
        for (int axis = type.rank(); axis-- > 0;) permutation.push_back(axis);
        return builder_.transpose(builder_.parameter(Type(dtype_, reversed)), permutation) * 2.0 + 1.0;
      }
    }
  }

  Value cast_from(Type type) {
    static constexpr DType kFrom[] = {DType::i32, DType::u8, DType::f16, DType::bf16, DType::f64, DType::bool_};
    return builder_.cast(builder_.parameter(Type(kFrom[below(6)], {type.dims().begin(), type.dims().end()})), dtype_);
  }

  Value product() {
    const bool batched = below(3) == 0, rhs_batched = batched && below(2) == 0, is_wide = below(4) == 0;
    const bool lhs_transposed = below(2) == 0, rhs_transposed = below(2) == 0;
    const Dim batch(1 + below(3)), depth = any_size(), columns = any_size();
    const Dim rows = below(3) == 0 ? Dim(128 + below(40)) : any_size();
    std::vector<Dim> lhs, rhs;
    if (batched) lhs.push_back(batch);
    if (rhs_batched) rhs.push_back(batch);
    const auto rhs_first = static_cast<std::int64_t>(rhs.size());
    if (is_wide) lhs.push_back(Dim(2));  // a second axis of rows
    const auto second = static_cast<std::int64_t>(lhs.size());
    lhs.insert(lhs.end(), {lhs_transposed ? depth : rows, lhs_transposed ? rows : depth});
    rhs.insert(rhs.end(), {rhs_transposed ? columns : depth, rhs_transposed ? depth : columns});
    const Integers batch_axes = rhs_batched ? Integers{0} : Integers{};
    return builder_.apply("dot", {factor(lhs), factor(rhs)},
                          {{"lhs_batch", batch_axes},
                           {"rhs_batch", batch_axes},
                           {"lhs_contract", Integers{second + (lhs_transposed ? 0 : 1)}},
                           {"rhs_contract", Integers{rhs_first + (rhs_transposed ? 1 : 0)}}});
  }

  struct Window {
    Integers dilations, strides, low, high;
    std::vector<Dim> kernel, image;
    bool last = false;
    std::int64_t groups = 1;
  };
  Window window(int spatial) {
    Window w;
    w.last = below(2) == 0;
    w.groups = 1 + below(2);
    for (int d = 0; d < spatial; ++d) {
      w.kernel.push_back(Dim(1 + below(3)));
      w.dilations.push_back(1 + below(2));
      w.strides.push_back(1 + below(2));
      w.low.push_back(below(3));
      w.high.push_back(below(3));
      w.image.push_back(Dim(5 + below(d + 1 == spatial ? 25 : 6)));
    }
    return w;
  }
  static std::vector<Dim> image_of(const Window& w, Dim batch, std::int64_t channels, const std::vector<Dim>& sizes) {
    std::vector<Dim> out{batch};
    if (!w.last) out.push_back(Dim(channels));
    out.insert(out.end(), sizes.begin(), sizes.end());
    if (w.last) out.push_back(Dim(channels));
    return out;
  }
  static std::vector<Dim> weights_of(const Window& w, std::int64_t out_channels, std::int64_t in_channels) {
    std::vector<Dim> out;
    if (!w.last) out = {Dim(out_channels), Dim(in_channels)};
    out.insert(out.end(), w.kernel.begin(), w.kernel.end());
    if (w.last) out.insert(out.end(), {Dim(in_channels), Dim(out_channels)});
    return out;
  }
  static ir::Attributes attributes_of(const Window& w) {
    return {{"dilations", w.dilations},
            {"strides", w.strides},
            {"padding_low", w.low},
            {"padding_high", w.high},
            {"groups", w.groups},
            {"layout", std::string(w.last ? "channels_last" : "channels_first")}};
  }

  Value convolution() {
    const Window w = window(1 + below(2));
    const std::int64_t in = 1 + below(20), out = 1 + below(24);
    return builder_.apply("conv",
                          {factor(image_of(w, Dim(1 + below(3)), in * w.groups, w.image)),
                           factor(weights_of(w, out * w.groups, in))},
                          attributes_of(w));
  }

  // The gradient's image is as large as the convolution of an input of w.image would be.
  Value input_gradient() {
    const Window w = window(1 + below(2));
    const std::int64_t in = 1 + below(20), out = 1 + below(24);
    std::vector<Dim> sizes;
    ir::Dims shape;
    for (std::size_t d = 0; d < w.image.size(); ++d) {
      const std::int64_t reach = (w.kernel[d].value() - 1) * w.dilations[d] + 1;
      sizes.push_back(Dim((w.image[d].value() + w.low[d] + w.high[d] - reach) / w.strides[d] + 1));
      shape.push_back(w.image[d]);
    }
    ir::Attributes attributes = attributes_of(w);
    attributes.set("shape", shape);
    return builder_.apply("conv_input_gradient",
                          {factor(image_of(w, Dim(1 + below(3)), out * w.groups, sizes)),
                           factor(weights_of(w, out * w.groups, in))},
                          std::move(attributes));
  }

  Value epilogue(Value sums) {
    if (below(2) == 0) return sums;
    const int axis = below(sums.type().rank());
    const Value bias = builder_.parameter(Type(dtype_, {sums.dim(axis)}));
    return unary("relu", sums + builder_.broadcast(bias, sums.type().dims(), {axis}));
  }

  std::mt19937_64 random_;
  ir::Module module_{"programs"};
  ir::Builder builder_;
  DType dtype_ = DType::f32;
  int maps_ = 0;
};

// The maps in the kernels of a compiled module.
int fused_maps(const ir::Module& module) {
  int count = 0;
  for (const auto& function : module.functions()) {
    for (std::uint32_t i = 0; i < function->op_slots(); ++i) {
      const ir::Op& op = function->op(ir::OpId{i});
      if (op.definition == nullptr || (!op.is("contract") && !op.is("convolve"))) continue;
      count += !op.attributes.text("lhs_map").empty();
      count += !op.attributes.text("rhs_map").empty();
    }
  }
  return count;
}

void expect_interpreted_bits(const codegen::CpuTarget& target, int threads, int first_seed) {
  int maps = 0, fused = 0;
  for (int seed = first_seed; seed < first_seed + kPrograms; ++seed) {
    const Program program(static_cast<std::uint64_t>(seed));
    const ir::Module& module = program.module();
    const auto arguments = testing_support::random_arguments(*module.find("f"), static_cast<std::uint64_t>(seed), -2, 2);
    const auto expected = testing_support::run(module, "f", arguments);
    const codegen::DriverOptions options{.target = target, .threads = threads};
    codegen::StageListener listener;
    listener.module = [&](codegen::Stage stage, const ir::Module& shown) {
      if (stage != codegen::Stage::kernels) return;
      fused += fused_maps(shown);
      Diagnostics defects;
      EXPECT_TRUE(ir::verify(shown, defects)) << defects.render();
    };
    const std::unique_ptr<ir::Module> copy = module.clone();
    ASSERT_TRUE(codegen::compile(*copy, "f", options, listener));
    const auto actual = codegen::run_compiled(module, "f", arguments, options, 2);
    ASSERT_TRUE(actual) << "seed " << seed << ": " << actual.error().text() << "\n" << ir::print(module);
    ASSERT_EQ(testing_support::difference(expected[0], (*actual)[0]), "") << "seed " << seed << "\n" << ir::print(module);
    maps += program.maps();
  }
  EXPECT_GT(fused * 3, maps) << "a good part of the maps is computed in their contraction's kernel";
}

TEST(CompiledPrologues, MatchInterpreter) { expect_interpreted_bits(codegen::host_target(), 1, 1); }

TEST(CompiledPrologues, MatchInterpreterWithSchedulesForManyThreads) {
  expect_interpreted_bits(codegen::host_target(), 16, 101);
}

TEST(CompiledPrologues, MatchInterpreterOnAvx2) {
  const codegen::CpuTarget target = *codegen::named_target("x86-64-v3");
  if (!codegen::runs_here(target)) GTEST_SKIP() << "this machine does not run code for " << target.cpu;
  expect_interpreted_bits(target, 4, 201);
}

}  // namespace
}  // namespace hyperion

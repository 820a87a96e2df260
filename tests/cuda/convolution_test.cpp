// Convolutions on the tensor cores: which ones go there; their asynchronous programs under the verifier; their code through
// NVRTC; and on a GPU their numbers against sums in f64, with missing elements beside weights that are not finite.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "codegen/cuda/convolution_problem.hpp"
#include "ir/support/format.hpp"
#include "tests/cuda/product_testing.hpp"

namespace hyperion {
namespace {

using ir::Integers;
using testing_support::gpu;

struct Layer {
  std::int64_t images;
  Integers size, kernel;  // height and width; or width alone
  std::int64_t channels, outputs;
  Integers strides, low, high, dilations;
  bool is_gradient = false;  // of the input: `size` and `channels` are of the result

  std::size_t spatial() const { return size.size(); }
  std::int64_t out(std::size_t d) const {
    return (size[d] + low[d] + high[d] - (kernel[d] - 1) * dilations[d] - 1) / strides[d] + 1;
  }
  std::string text() const {
    return format("{} images of {}x{}, kernel {}, {} -> {}, stride {}, padding {} and {}, dilation {}{}", images, size[0],
                  size.back(), fmt::join(kernel, "x"), channels, outputs, fmt::join(strides, "x"), fmt::join(low, "x"),
                  fmt::join(high, "x"), fmt::join(dilations, "x"), is_gradient ? ", gradient" : "");
  }
};

Layer square(std::int64_t images, std::int64_t side, std::int64_t channels, std::int64_t outputs, std::int64_t kernel,
             std::int64_t stride = 1) {
  const Integers padding(2, kernel / 2);
  return {images, {side, side}, {kernel, kernel}, channels, outputs, {stride, stride}, padding, padding, {1, 1}};
}

// f(x, w) or f(x, w, bias): channels last.
std::unique_ptr<ir::Module> program(const Layer& l, DType dtype, bool has_epilogue) {
  auto module = std::make_unique<ir::Module>("convolution");
  ir::Builder b(module->add("f"), module.get());
  const auto tensor = [&](std::int64_t lead, bool is_output, std::int64_t channels) {
    ir::Dims dims{Dim(lead)};
    for (std::size_t d = 0; d < l.spatial(); ++d) dims.push_back(Dim(is_output ? l.out(d) : l.size[d]));
    dims.push_back(Dim(channels));
    return Type(dtype, dims);
  };
  ir::Dims weights;
  for (const std::int64_t size : l.kernel) weights.push_back(Dim(size));
  weights.push_back(Dim(l.channels)), weights.push_back(Dim(l.outputs));
  const ir::Value x = b.parameter(tensor(l.images, l.is_gradient, l.is_gradient ? l.outputs : l.channels));
  const ir::Value w = b.parameter(Type(dtype, weights));
  ir::Attributes attributes{{"layout", std::string("channels_last")},
                            {"strides", l.strides},
                            {"padding_low", l.low},
                            {"padding_high", l.high},
                            {"dilations", l.dilations}};
  if (l.is_gradient) {
    ir::Dims shape;
    for (const std::int64_t size : l.size) shape.push_back(Dim(size));
    attributes.set("shape", shape);
  }
  ir::Value y = b.apply(l.is_gradient ? "conv_input_gradient" : "conv", {x, w}, attributes);
  if (has_epilogue) {
    const std::int64_t columns = l.is_gradient ? l.channels : l.outputs;
    const ir::Value bias = b.parameter(Type(dtype, {Dim(columns)}));
    const ir::Value spread = b.apply("broadcast", {bias},
                                     {{"shape", ir::Dims(y.type().dims().begin(), y.type().dims().end())},
                                      {"dims", Integers{y.type().rank() - 1}}});
    y = b.apply("relu", {b.apply("add", {y, spread})});
  }
  b.return_values(std::vector{y});
  return module;
}

std::string source_of(const ir::Module& module, const codegen::CudaTarget& target,
                      codegen::ScheduleTable* schedules = nullptr) {
  std::string source;
  codegen::StageListener listener{.wants_code = false};
  listener.text = [&](codegen::Stage, const std::string& text) { source = text; };
  const std::unique_ptr<ir::Module> copy = module.clone();
  EXPECT_TRUE(codegen::compile(*copy, "f", {.target = target, .schedules = schedules}, listener));
  return source;
}

bool is_gathered(const Layer& l, DType dtype, const codegen::CudaTarget& target) {
  return source_of(*program(l, dtype, false), target).contains("load_pixels(ring");
}

// The product that a layer asks for.
codegen::TensorProblem problem_of(const Layer& l, DType dtype) {
  codegen::CudaTarget target = *codegen::cuda_target("sm_90a");
  target.tf32 = true;
  codegen::ScheduleTable table;
  source_of(*program(l, dtype, true), target, &table);
  HYP_CHECK(table.asked().size() == 1, "a convolution asks for one schedule");
  return table.asked()[0].problem;
}

// ---- which, and how --------------------------------------------------------------------------------------------

TEST(TensorConvolution, IsForWhatTheAcceleratorCanGather) {
  const codegen::CudaTarget target = *codegen::cuda_target("sm_90a");
  codegen::CudaTarget bitwise = target, older = *codegen::cuda_target("sm_80");
  bitwise.bitwise = true;
  const Layer plain = square(2, 14, 64, 64, 3);
  EXPECT_TRUE(is_gathered(plain, DType::bf16, target));
  EXPECT_TRUE(is_gathered(plain, DType::f16, target));
  EXPECT_FALSE(is_gathered(plain, DType::bf16, bitwise));
  EXPECT_FALSE(is_gathered(plain, DType::bf16, older));
  EXPECT_FALSE(is_gathered(plain, DType::f32, target));  // may not round
  EXPECT_TRUE(is_gathered(square(2, 14, 8, 64, 3), DType::bf16, target));
  EXPECT_FALSE(is_gathered(square(2, 14, 12, 64, 3), DType::bf16, target));  // lines of 24 bytes
  EXPECT_TRUE(is_gathered(square(2, 33, 64, 64, 3, 8), DType::bf16, target));
  EXPECT_FALSE(is_gathered(square(2, 33, 64, 64, 3, 9), DType::bf16, target));  // three bits of the map
  Layer gradient = plain;
  gradient.is_gradient = true;
  EXPECT_TRUE(is_gathered(gradient, DType::bf16, target));
  gradient.strides = {2, 2};  // its windows are over an input with holes
  EXPECT_FALSE(is_gathered(gradient, DType::bf16, target));
}

TEST(TensorConvolution, WindowsOfOneElementArePlainRows) {
  const codegen::TensorProblem p = problem_of(square(4, 14, 64, 96, 1), DType::bf16);
  EXPECT_FALSE(p.image.has_value());
  EXPECT_EQ(problem_class(p).text(), "contract bf16 NN 832x128x64 vector+add+relu");
  EXPECT_TRUE(problem_of(square(4, 14, 64, 96, 1, 2), DType::bf16).image.has_value());
}

TEST(TensorConvolution, HasAClassOfItsOwn) {
  EXPECT_EQ(problem_class(problem_of(square(4, 14, 72, 96, 3, 2), DType::bf16)).text(),
            "convolve bf16 NN 256x128x128,3x3/2x2 vector+add+relu");
}

// The first window begins in the padding, the last where the last window begins; a pixel of each is one place of the kernel.
TEST(TensorConvolution, MapsSayHowWindowsSlide) {
  const Layer l = {2, {9, 20}, {3, 5}, 72, 40, {1, 2}, {1, 0}, {1, 3}, {1, 2}};
  const codegen::TensorProblem p = problem_of(l, DType::bf16);
  const codegen::CudaTarget target = *codegen::cuda_target("sm_90a");
  const codegen::TensorKernel kernel = emit_tensor_kernel("f", p, tensor_schedules(p, target)[0], target, {});
  std::vector<runtime::cuda::TensorMapParameter> maps;
  for (const auto& map : kernel.maps) maps.push_back(std::get<runtime::cuda::TensorMapParameter>(map));
  EXPECT_EQ(maps[0].dims, (std::vector<std::uint64_t>{72, 20, 9, 2}));
  EXPECT_EQ(maps[0].byte_strides, (std::vector<std::uint64_t>{144, 2880, 25920}));
  EXPECT_EQ(maps[0].box[0], 64u);
  // Eight windows across, 2 apart from 0 on: the last begins at 14, five before the last column.
  EXPECT_EQ(l.out(1), 8);
  EXPECT_EQ(maps[0].windows.first, (std::vector<std::int32_t>{0, -1}));
  EXPECT_EQ(maps[0].windows.last, (std::vector<std::int32_t>{-5, -1}));
  EXPECT_EQ(maps[0].windows.steps, (std::vector<std::uint32_t>{2, 1}));
  EXPECT_EQ(maps[1].dims, (std::vector<std::uint64_t>{40, 72, 5, 3}));
  EXPECT_EQ(maps[1].box, (std::vector<std::uint32_t>{64, 64, 1, 1}));
  EXPECT_TRUE(maps[1].windows.steps.empty());
  EXPECT_TRUE(kernel.body.contains("column_of_kernel * 2, row_of_kernel * 1"));
}

TEST(TensorConvolution, EveryScheduleIsSound) {
  for (const Layer& l : {square(64, 56, 64, 64, 3), square(64, 14, 256, 256, 3)}) {
    const codegen::TensorProblem p = problem_of(l, DType::bf16);
    for (const auto& schedule : codegen::tensor_schedules(p, *codegen::cuda_target("sm_90a"))) {
      EXPECT_EQ(verify(tensor_program(p, schedule), 232448), std::vector<std::string>{}) << schedule.text();
    }
  }
}

TEST(TensorConvolution, CompilesWithoutSpillsOrAdvisories) {
  if (!testing_support::has_nvrtc()) GTEST_SKIP() << "there is no NVRTC here";
  const codegen::CudaTarget target = *codegen::cuda_target("sm_90a");
  const auto expect_clean = [&](const Layer& l, const codegen::TensorSchedule& schedule) {
    codegen::ScheduleTable pinned;
    pinned.pin(problem_of(l, DType::bf16), schedule);
    const std::string source = source_of(*program(l, DType::bf16, true), target, &pinned);
    ASSERT_TRUE(source.contains("load_pixels(ring"));
    testing_support::expect_clean_code(source, "sm_90a", l.text() + ", " + schedule.text());
  };
  // ResNet-50's, each as its model is; one of them with every tile.
  for (const Layer& l : {square(64, 56, 64, 64, 3), square(64, 56, 256, 512, 1, 2), square(64, 7, 512, 512, 3)}) {
    expect_clean(l, codegen::tensor_schedules(problem_of(l, DType::bf16), target)[0]);
  }
  const Layer middle = square(64, 14, 256, 256, 3);
  for (const auto& schedule : codegen::tensor_schedules(problem_of(middle, DType::bf16), target)) {
    if (schedule.cluster == 1) expect_clean(middle, schedule);  // clusters share loads, which take no registers
  }
}

// ---- numbers ---------------------------------------------------------------------------------------------------

// What layer `l` gives at element `e`: the sum, and the sum of its terms' sizes.
std::pair<double, double> expected_sum(const Layer& l, std::int64_t e, const std::vector<double>& x,
                                       const std::vector<double>& w) {
  const bool has_height = l.spatial() == 2;
  const auto of = [&](const Integers& list, bool is_height, std::int64_t otherwise) {
    return is_height ? (has_height ? list[0] : otherwise) : list.back();
  };
  const std::int64_t in_h = of(l.size, true, 1), in_w = of(l.size, false, 1), out_h = has_height ? l.out(0) : 1,
                     out_w = l.out(l.spatial() - 1), kernel_h = of(l.kernel, true, 1), kernel_w = of(l.kernel, false, 1);
  const std::int64_t columns = l.is_gradient ? l.channels : l.outputs, height = l.is_gradient ? in_h : out_h,
                     width = l.is_gradient ? in_w : out_w, summed = l.is_gradient ? l.outputs : l.channels;
  const std::int64_t column = e % columns, at_w = e / columns % width, at_h = e / columns / width % height,
                     n = e / columns / width / height;
  // The place that a window, or a gradient's window, reads at a place of the kernel.
  const auto read = [&](std::int64_t at, std::int64_t k, bool is_height) -> std::int64_t {
    const std::int64_t stride = of(l.strides, is_height, 1), low = of(l.low, is_height, 0),
                       dilation = of(l.dilations, is_height, 1);
    if (!l.is_gradient) {
      const std::int64_t place = at * stride + k * dilation - low;
      return place >= 0 && place < (is_height ? in_h : in_w) ? place : -1;
    }
    const std::int64_t scaled = at + low - k * dilation;
    if (scaled < 0 || scaled % stride != 0) return -1;
    return scaled / stride < (is_height ? out_h : out_w) ? scaled / stride : -1;
  };
  const std::int64_t read_h = l.is_gradient ? out_h : in_h, read_w = l.is_gradient ? out_w : in_w;
  double sum = 0, size = 0;
  for (std::int64_t kh = 0; kh < kernel_h; ++kh) {
    for (std::int64_t kw = 0; kw < kernel_w; ++kw) {
      const std::int64_t h = read(at_h, kh, true), v = read(at_w, kw, false);
      if (h < 0 || v < 0) continue;
      for (std::int64_t c = 0; c < summed; ++c) {
        const std::int64_t weight = ((kh * kernel_w + kw) * l.channels + (l.is_gradient ? column : c)) * l.outputs +
                                    (l.is_gradient ? c : column);
        const double term = x[static_cast<std::size_t>(((n * read_h + h) * read_w + v) * summed + c)] *
                            w[static_cast<std::size_t>(weight)];
        sum += term, size += std::abs(term);
      }
    }
  }
  return {sum, size};
}

codegen::CudaTarget rounding_target() {
  codegen::CudaTarget target = testing_support::cuda_target(false);
  target.tf32 = true;
  return target;
}

void expect_convolution(const Layer& l, DType dtype, bool has_epilogue,
                        const std::optional<codegen::TensorSchedule>& schedule = std::nullopt) {
  const auto module = program(l, dtype, has_epilogue);
  const ir::Function& f = *module->find("f");
  std::vector<LiteralPtr> arguments;
  for (std::size_t k = 0; k < f.parameters().size(); ++k) {
    arguments.push_back(testing_support::random_literal(f.type(f.parameters()[k]), testing_support::Values::ordinary,
                                                        7 * k + 1, -1, 1));
  }
  codegen::ScheduleTable table;
  if (schedule) table.pin(problem_of(l, dtype), *schedule);
  const auto actual =
      codegen::run_compiled(*module, "f", arguments, {.target = rounding_target(), .schedules = &table}, *gpu());
  ASSERT_TRUE(actual) << actual.error().text();
  const std::vector<double> x = testing_support::numbers(arguments[0]), w = testing_support::numbers(arguments[1]);
  const std::vector<double> y = testing_support::numbers((*actual)[0]);
  const std::vector<double> bias = has_epilogue ? testing_support::numbers(arguments[2]) : std::vector<double>{};
  const double result_unit = dtype == DType::bf16 ? 0x1p-8 : dtype == DType::f16 ? 0x1p-11 : 0x1p-24,
               factor_unit = dtype == DType::f32 ? 0x1p-10 : 0;
  const auto elements = static_cast<std::int64_t>(y.size());
  std::mt19937_64 random(5);
  const std::int64_t checks = std::min<std::int64_t>(elements, 20'000);
  for (std::int64_t c = 0; c < checks; ++c) {
    const std::int64_t e =
        checks == elements ? c : static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(elements));
    const auto [sum, size] = expected_sum(l, e, x, w);
    const double error = size * (factor_unit + 0x1p-22) + 2 * result_unit * (std::abs(sum) + 2) + 1e-30;
    const double expected =
        has_epilogue ? std::max(0.0, sum + bias[static_cast<std::size_t>(e) % bias.size()]) : sum;
    ASSERT_NEAR(y[static_cast<std::size_t>(e)], expected, error)
        << dtype_name(dtype) << ", element " << e << " of " << l.text() << (schedule ? ", " + schedule->text() : "");
  }
}

void expect_all_ways(bool is_gradient) {
  const Layer layers[] = {
      square(2, 16, 64, 64, 3),
      square(3, 14, 72, 40, 3),            // a part of a block of channels
      square(1, 5, 8, 8, 3),               // less than one
      square(4, 15, 64, 128, 3, 2),        // odd sides
      square(2, 23, 16, 24, 7, 2),
      square(7, 12, 64, 64, 1, 2),
      square(5, 7, 256, 264, 1),           // plain rows
      square(300, 1, 64, 64, 3),           // windows that are all padding but for one element
      square(1, 2, 64, 16, 5),
      square(9, 28, 128, 128, 3),
      {2, {17, 19}, {3, 3}, 128, 64, {1, 1}, {2, 2}, {2, 2}, {2, 2}},   // dilated
      {2, {17, 19}, {3, 2}, 64, 64, {3, 1}, {0, 1}, {2, 0}, {1, 3}},    // different along both axes
      {1, {3, 3}, {3, 3}, 64, 64, {1, 1}, {0, 0}, {0, 0}, {1, 1}},      // a single window
      {3, {11, 13}, {4, 2}, 40, 56, {2, 8}, {3, 0}, {1, 1}, {1, 1}},
      {2, {9, 9}, {2, 2}, 64, 64, {1, 1}, {0, 0}, {-1, -2}, {1, 1}},    // the image's end is cut off
      {2, {300}, {5}, 64, 64, {2}, {2}, {2}, {1}},                      // one axis
      {16, {50}, {3}, 24, 40, {1}, {2}, {0}, {2}},
  };
  for (Layer l : layers) {
    l.is_gradient = is_gradient;
    for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
      expect_convolution(l, dtype, l.images % 2 == 1);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(TensorConvolution, AllWaysOfSliding) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  expect_all_ways(false);
}

TEST(TensorConvolution, AllWaysOfSlidingBack) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  expect_all_ways(true);
}

TEST(TensorConvolution, EverySchedule) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  const Layer l = square(7, 17, 72, 264, 3);
  for (const auto& schedule : codegen::tensor_schedules(problem_of(l, DType::bf16), rounding_target())) {
    expect_convolution(l, DType::bf16, true, schedule);
    if (HasFailure()) return;
  }
}

// Padding adds nothing, not even beside a weight that is not finite; the definition says so, and so it is on the tensor
// cores.
TEST(TensorConvolution, MissingElementsAreLeftOut) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  const Layer l = square(3, 6, 64, 64, 3);
  for (const DType dtype : {DType::bf16, DType::f16}) {
    const auto module = program(l, dtype, false);
    const ir::Function& f = *module->find("f");
    std::vector<LiteralPtr> arguments;
    for (std::size_t k = 0; k < 2; ++k) {
      arguments.push_back(testing_support::random_literal(f.type(f.parameters()[k]), testing_support::Values::ordinary,
                                                          7 * k + 1, -1, 1));
    }
    // The upper left place of the kernel, for two of the outputs.
    std::vector<double> weights = testing_support::numbers(arguments[1]);
    weights[5 * 64 + 3] = std::numeric_limits<double>::infinity();
    weights[9 * 64 + 7] = std::numeric_limits<double>::quiet_NaN();
    arguments[1] = testing_support::literal_of(f.type(f.parameters()[1]), weights);
    const auto actual = codegen::run_compiled(*module, "f", arguments, {.target = rounding_target()}, *gpu());
    ASSERT_TRUE(actual) << actual.error().text();
    const std::vector<double> x = testing_support::numbers(arguments[0]), y = testing_support::numbers((*actual)[0]);
    int finite = 0;
    for (std::size_t e = 0; e < y.size(); ++e) {
      const double expected = expected_sum(l, static_cast<std::int64_t>(e), x, weights).first;
      ASSERT_EQ(std::isfinite(y[e]), std::isfinite(expected)) << "element " << e << ": " << y[e] << ", " << expected;
      ASSERT_EQ(std::isnan(y[e]), std::isnan(expected)) << "element " << e << ": " << y[e] << ", " << expected;
      if (!std::isfinite(expected)) continue;
      ASSERT_NEAR(y[e], expected, 0.1);
      if (e % 64 == 3 || e % 64 == 7) ++finite;
    }
    EXPECT_EQ(finite, 3 * 2 * 11);  // the first row and the first column of each image
  }
}

}  // namespace
}  // namespace hyperion

#include "runtime/cuda/object.hpp"

#include <gtest/gtest.h>

namespace hyperion::runtime::cuda {
namespace {

DeviceObject sample() {
  return {.architecture = "sm_90a",
          .kernels = {{.name = "gemm",
                       .shape = {.grid = {132},
                                 .block = {384},
                                 .shared_bytes = 232448,
                                 .cluster = {2},
                                 .overlaps_previous = true},
                       .parameters = {TensorMapParameter{.buffer = 1,
                                                         .offset = 256,
                                                         .dims = {4096, 1024},
                                                         .byte_strides = {8192},
                                                         .box = {64, 128}},
                                      TensorMapParameter{.dims = {64, 56, 56, 8},
                                                         .byte_strides = {128, 7168, 401408},
                                                         .box = {64, 128},
                                                         .windows = {.first = {-1, -1},
                                                                     .last = {-1, -1},
                                                                     .steps = {1, 2}}},
                                      BufferParameter{2}, ConstantParameter::of(1.5f),
                                      ConstantParameter::of(std::int64_t{7})}},
                      {.name = "add", .shape = {}, .parameters = {}}},
          .cubin = std::vector<std::byte>(100, std::byte{5})};
}

TEST(CudaObject, SurvivesTheJourney) {
  const auto parsed = DeviceObject::parse(sample().serialize());
  ASSERT_TRUE(parsed) << parsed.error().text();
  EXPECT_EQ(*parsed, sample());
}

TEST(CudaObject, OtherCodeIsIncompatible) {
  const std::string_view elf =
      "\x7f"
      "ELF and more";
  const auto parsed = DeviceObject::parse(std::as_bytes(std::span(elf)));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::incompatible);
}

TEST(CudaObject, DamageIsAnErrorOrHarmless) {
  const std::vector<std::byte> whole = sample().serialize();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(DeviceObject::parse(std::span(whole).first(length))) << length;
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::vector<std::byte> flipped = whole;
    flipped[bit / 8] ^= std::byte{1} << (bit % 8);
    const auto parsed = DeviceObject::parse(flipped);
    EXPECT_FALSE(parsed && *parsed == sample()) << bit;
  }
  std::vector<std::byte> longer = whole;
  longer.push_back({});
  EXPECT_FALSE(DeviceObject::parse(longer));
}

TEST(CudaObject, ParametersKeepTheirLimits) {
  const auto with = [](Parameter parameter) {
    DeviceObject object = sample();
    object.kernels[1].parameters = {std::move(parameter)};
    return DeviceObject::parse(object.serialize()).has_value();
  };
  EXPECT_TRUE(with(ConstantParameter{std::vector<std::byte>(8)}));
  EXPECT_FALSE(with(ConstantParameter{std::vector<std::byte>(9)}));
  EXPECT_FALSE(with(ConstantParameter{}));
  EXPECT_TRUE(with(BufferListParameter{{3, 1, 1}}));
  EXPECT_FALSE(with(BufferListParameter{}));
  EXPECT_FALSE(with(BufferListParameter{std::vector<std::uint32_t>(kMostListedBuffers + 1)}));
  EXPECT_TRUE(with(TensorMapParameter{.dims = {8}, .byte_strides = {}, .box = {8}}));
  EXPECT_FALSE(with(TensorMapParameter{.dims = {}, .byte_strides = {}, .box = {}}));
  EXPECT_FALSE(with(TensorMapParameter{.dims = {8, 8}, .byte_strides = {}, .box = {8, 8}}));
  EXPECT_FALSE(with(TensorMapParameter{.dims = {8, 8}, .byte_strides = {16}, .box = {8}}));
  // Windows: a step for each dimension but channels and images, and a box of channels and windows.
  TensorMapParameter image{.dims = {8, 4, 4, 2},
                           .byte_strides = {16, 64, 256},
                           .box = {8, 16},
                           .windows = {.first = {-1, 0}, .last = {-1, 0}, .steps = {1, 2}}};
  EXPECT_TRUE(with(image));
  image.box = {8, 16, 1, 1};
  EXPECT_FALSE(with(image));
  image.box = {8, 16}, image.windows.steps = {1};
  EXPECT_FALSE(with(image));
  image.windows = {.first = {0}, .last = {0}, .steps = {1}};
  EXPECT_FALSE(with(image));
}

}  // namespace
}  // namespace hyperion::runtime::cuda

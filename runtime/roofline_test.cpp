#include "runtime/roofline.hpp"

#include <gtest/gtest.h>

namespace hyperion::runtime {
namespace {

Ceilings ceilings() {
  return {.device = "cuda:0", .bytes_per_second = 40e9, .flops_per_second = {50e9, 0, 400e9}};
}

TEST(Roofline, SharesOfTheCeilings) {
  LabelInfo label{"gemm", "launch", "", 2'000'000, 1'000'000};
  const Achieved fma = achieved(label, 1e-4, ceilings());
  EXPECT_DOUBLE_EQ(*fma.bytes_per_second, 10e9);
  EXPECT_DOUBLE_EQ(*fma.flops_per_second, 20e9);
  EXPECT_DOUBLE_EQ(*fma.share_of_copy, 0.25);
  EXPECT_DOUBLE_EQ(*fma.share_of_unit, 0.4);
  label.unit = ArithmeticUnit::tensor_16;
  EXPECT_DOUBLE_EQ(*achieved(label, 1e-4, ceilings()).share_of_unit, 0.05);
}

TEST(Roofline, WhatIsUnknownStaysUnknown) {
  LabelInfo label{"gemm", "launch", "", 2'000'000, 1'000'000};
  EXPECT_FALSE(achieved(label, 0, ceilings()).bytes_per_second);
  EXPECT_FALSE(achieved(label, 1e-4, {}).share_of_copy);
  EXPECT_FALSE(achieved(label, 1e-4, {}).share_of_unit);
  EXPECT_TRUE(achieved(label, 1e-4, {}).flops_per_second);
  label.unit = ArithmeticUnit::tensor_tf32;  // whose ceiling was not measured
  EXPECT_FALSE(achieved(label, 1e-4, ceilings()).share_of_unit);
  EXPECT_FALSE(achieved({.name = "x", .category = "launch"}, 1e-4, ceilings()).share_of_copy);
}

std::vector<LabelTotal> some_totals() {
  return {{{"gemm", "launch", "mlp.cpp:7:3", 2'000'000, 1'000'000}, 10, 0.001},
          {{"compile", "compile", "", 0, 0}, 1, 0.0005},
          {{"wide", "launch", "", 80'000'000, 4000, ArithmeticUnit::tensor_16}, 5, 0.00125},
          {{"tiny", "launch", "", 0, 0}, 1, 0.0}};
}

TEST(Roofline, Table) {
  EXPECT_EQ(
      roofline_table(some_totals(), "launch", ceilings(), 2),
      "  total ms      %     count    mean us   MB each MFLOP each     GB/s   GFLOP/s  of copy "
      "of arithmetic  kernel\n"
      "     1.000   44.4        10    100.000     1.000      2.000     10.0      20.0    25.0% "
      "    40.0% fma  gemm  mlp.cpp:7:3\n"
      "     1.250   55.6         5    250.000     0.004     80.000      0.0     320.0     0.0% "
      " 80.0% 16-bit  wide\n"
      "     0.000    0.0         1 more\n"
      "ceilings of cuda:0, measured: copy 40.0 GB/s, fma 50.0 GFLOP/s, 16-bit 400.0 GFLOP/s\n");
}

TEST(Roofline, TableWithoutCeilings) {
  EXPECT_EQ(
      roofline_table(some_totals(), "launch", {}, 1),
      "  total ms      %     count    mean us   MB each MFLOP each     GB/s   GFLOP/s  of copy "
      "of arithmetic  kernel\n"
      "     1.000   44.4        10    100.000     1.000      2.000     10.0      20.0        - "
      "            -  gemm  mlp.cpp:7:3\n"
      "     1.250   55.6         2 more\n");
}

}  // namespace
}  // namespace hyperion::runtime

// Speeds are those of the machine, so none is asserted.
#include "codegen/driver/ceilings.hpp"

#include <gtest/gtest.h>

#include "codegen/llvm/code_loader.hpp"

namespace hyperion::codegen {
namespace {

TEST(Ceilings, OfTheHost) {
  const RunSite site = RunSite::host(1);
  const auto ceilings = measure_ceilings(site, {runtime::ArithmeticUnit::tensor_16});
  ASSERT_TRUE(ceilings) << ceilings.error().text();
  EXPECT_EQ(ceilings->device, "cpu:0");
  EXPECT_GT(ceilings->bytes_per_second, 0);
  EXPECT_GT(ceilings->of(runtime::ArithmeticUnit::vector), 0);
  EXPECT_EQ(ceilings->of(runtime::ArithmeticUnit::tensor_16), 0) << "a processor has no tensor cores";
  // One kernel each: chains that were cut would move memory in between.
  std::uint64_t kernels = 0;
  for (const runtime::LabelTotal& total : site.instance->profiler().totals()) kernels += total.label.category == "launch";
  EXPECT_EQ(kernels, 4u) << "two operands, a copy, the chains";
}

}  // namespace
}  // namespace hyperion::codegen

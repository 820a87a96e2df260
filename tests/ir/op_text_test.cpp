// Every op as text: its example parses, and whatever the samplers build comes back from print and
// parse.
#include <gtest/gtest.h>

#include "ir/builder.hpp"
#include "ir/text/print.hpp"
#include "ir/text/round_trip.hpp"
#include "tests/support/op_samples.hpp"
#include "tools/opt_driver/example.hpp"

namespace hyperion {
namespace {

TEST(OpText, EveryExampleOfATensorOpParsesAndComesBack) {
  for (const ir::OpDefinition* op : ir::all_ops()) {
    // Ops of kernels stand in loops and on buffers; the goldens of tests/ir/kernel show them there.
    if (op->group == ir::OpGroup::kernel) continue;
    SCOPED_TRACE(op->name);
    const std::optional<tools::Example> example = tools::example_module(*op);
    ASSERT_TRUE(example.has_value()) << "no operand types fit: " << op->example;
    EXPECT_EQ(ir::round_trip_defect(*example->module), "");
  }
}

TEST(OpText, EverySampleComesBack) {
  for (const ir::OpDefinition* op : testing_support::sampled_ops()) {
    for (DType dtype : {DType::f32, DType::f16, DType::i32, DType::bool_}) {
      for (const testing_support::OpSample& sample :
           testing_support::op_samples(*op, {.dtype = dtype, .count = 3})) {
        SCOPED_TRACE(sample.text());
        const std::unique_ptr<ir::Module> module = sample.module != nullptr
                                                       ? sample.module->clone()
                                                       : std::make_unique<ir::Module>("sample");
        ir::Function& function = module->add(module->unique_name("sample"));
        ir::Builder builder(function, module.get());
        std::vector<ir::Value> operands;
        for (Type type : sample.operand_types()) operands.push_back(builder.parameter(type));
        builder.return_values(builder.apply_all(op->name, operands, sample.attributes));
        ASSERT_EQ(ir::round_trip_defect(*module), "") << ir::print(*module);
      }
    }
  }
}

}  // namespace
}  // namespace hyperion

#include "ir/module.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "ir/builder.hpp"

namespace hyperion::ir {
namespace {

TEST(Store, ReferencesStayWhileItGrows) {
  Store<ValueId, std::string> store;
  const std::string& first = store[store.add("first")];
  for (int k = 1; k < 5000; ++k) store.add(std::to_string(k));
  EXPECT_EQ(first, "first");
  EXPECT_EQ(store.size(), 5000u);
  for (std::uint32_t k = 1; k < 5000; ++k) ASSERT_EQ(store[ValueId{k}], std::to_string(k));
}

// (F3), under every kind of change that touches use lists.
TEST(Function, UseListsFollowRandomChanges) {
  Module module;
  Function& f = module.add("f");
  Builder builder(f);
  const Type type(DType::f32, {Dim(4)});
  std::vector<ValueId> values{builder.parameter(type, "x").id, builder.parameter(type, "y").id};
  std::vector<OpId> ops;
  std::mt19937 random(3);
  for (int k = 0; k < 60; ++k) {
    const Value sum = builder.apply("add", {builder.wrap(values[random() % values.size()]),
                                            builder.wrap(values[random() % values.size()])});
    values.push_back(sum.id);
    ops.push_back(f.value(sum.id).producer);
  }
  builder.return_values(std::array{builder.wrap(values.back())});
  for (int k = 0; k < 400; ++k) {
    const OpId op = ops[random() % ops.size()];
    if (f.op(op).definition == nullptr) continue;
    const ValueId result = f.op(op).results[0], parameter = f.parameters()[random() % 2];
    switch (random() % 8) {
      case 0: f.replace_uses(result, parameter); break;
      case 1:
        if (f.value(result).uses.empty()) f.erase_op(op);
        break;
      default: f.set_operand(op, random() % 2, parameter);
    }
    Diagnostics diagnostics;
    ASSERT_TRUE(verify(module, diagnostics)) << diagnostics.render();
  }
}

TEST(Module, UniqueNamesAreTheFirstFreeOnes) {
  Module module;
  EXPECT_EQ(module.unique_name("f"), "f");
  module.add("f");
  module.add("f_2");
  EXPECT_EQ(module.unique_name("f"), "f_1");
  module.add("f_1");
  EXPECT_EQ(module.unique_name("f"), "f_3");
  module.erase("f_1");
  EXPECT_EQ(module.unique_name("f"), "f_1");
}

}  // namespace
}  // namespace hyperion::ir

#include <gtest/gtest.h>

#include <array>

#include "ir/builder.hpp"

namespace hyperion::ir {
namespace {

struct Program {
  Module module;
  Function& f = module.add("f");
  Value x, y;

  Program() {
    Builder b(f);
    x = b.parameter(Type(DType::f32, {Dim(4)}), "x");
    y = b.apply("neg", {x});
    b.return_values(std::array{b.apply("exp", {y})});
  }

  std::string complaint() const {
    Diagnostics diagnostics;
    const bool good = verify(module, diagnostics);
    EXPECT_EQ(good, !diagnostics.has_errors());
    return diagnostics.render();
  }
};

TEST(Verify, AcceptsWhatTheBuilderMakes) { EXPECT_EQ(Program().complaint(), ""); }

TEST(Verify, F1UseBeforeDefinition) {
  Program p;
  p.f.move_before(p.f.ops()[1], p.f.ops()[0]);
  EXPECT_NE(p.complaint().find("operand 0 is used before it is defined"), std::string::npos)
      << p.complaint();
}

TEST(Verify, F2TypesAreInferredAgain) {
  Program p;
  p.f.set_type(p.y.id, Type(DType::f64, {Dim(4)}));
  EXPECT_NE(p.complaint().find("result 0 is f64[4], its type rule gives f32[4]"), std::string::npos)
      << p.complaint();
}

TEST(Verify, F4NamesAreUnique) {
  Program p;
  p.f.set_name(p.y.id, "x");
  EXPECT_NE(p.complaint().find("two values are called %x"), std::string::npos) << p.complaint();
}

TEST(Verify, FunctionsEndInReturn) {
  Program p;
  p.f.erase_op(p.f.ops().back());
  EXPECT_NE(p.complaint().find("does not end in return"), std::string::npos) << p.complaint();
}

TEST(Verify, CallsDoNotRecurse) {
  Program p;
  Function& g = p.module.add("g");
  Builder b(g, &p.module);
  const Value x = b.parameter(Type(DType::f32, {Dim(4)}));
  b.return_values(std::array{b.apply("call", {x}, {{"callee", SymbolReference{"f"}}})});
  EXPECT_EQ(p.complaint(), "");
  g.set_attribute(g.ops()[0], "callee", SymbolReference{"g"});
  EXPECT_NE(p.complaint().find("@g calls itself [parse.recursion]"), std::string::npos)
      << p.complaint();
}

}  // namespace
}  // namespace hyperion::ir

#include <gtest/gtest.h>

#include <array>

#include "ir/logic/scalar.hpp"
#include "ir/logic/term.hpp"
#include "ir/op_definition.hpp"

namespace hyperion::ir {
namespace {

std::string text_of(std::string_view name, std::vector<Type> operands, Attributes attributes,
                    std::vector<std::string> names = {}) {
  Diagnostics diagnostics;
  const InferResult results = infer_types(op(name), operands, attributes, nullptr, diagnostics);
  EXPECT_TRUE(results.has_value()) << diagnostics.render();
  TermPool pool;
  const std::vector<Lambda> lambdas = define(op(name), {pool, operands, *results, attributes});
  return pool.text(lambdas[0].body, names);
}

TEST(TermText, Dot) {
  EXPECT_EQ(text_of("dot", {Type(DType::f32, {32, 784}), Type(DType::f32, {784, 10})},
                    {{"lhs_contract", Integers{1}}, {"rhs_contract", Integers{0}}}, {"x", "w"}),
            "fold[k<784](s := 0; fma(x[i, k], w[k, j], s))");
}

TEST(TermText, ReduceSaysItsOrder) {
  const Type type(DType::f16, {4, 8});
  EXPECT_EQ(text_of("reduce", {type}, {{"axes", Integers{1}}, {"kind", std::string("sum")}}),
            "f16(sum[j<8] f32(x[i, j]))");
  EXPECT_EQ(text_of("reduce", {Type(DType::i32, {4, 8})},
                    {{"axes", Integers{0, 1}}, {"kind", std::string("max")}, {"order", std::string("lanes")}}),
            "max.lanes[i<4, j<8] x[i, j]");
}

TEST(TermText, ElementwiseOps) {
  const Type type(DType::f32, {2});
  EXPECT_EQ(text_of("add", {type, type}, {}), "x[i] + y[i]");
  EXPECT_EQ(text_of("exp", {Type::scalar(DType::f32)}, {}), "exp(x)");
  EXPECT_EQ(text_of("compare", {type, type}, {{"direction", std::string("le")}}), "x[i] <= y[i]");
  EXPECT_EQ(text_of("cast", {type}, {{"dtype", DType::i8}}), "i8(x[i])");
}

TEST(TermText, Views) {
  EXPECT_EQ(text_of("reshape", {Type(DType::f32, {2, 6})}, {{"shape", Dims{3, 4}}}),
            "x[(4*i + j) div 6, (4*i + j) mod 6]");
}

TEST(TermText, ParenthesesFollowBinding) {
  TermPool pool;
  const Scalar x{&pool, pool.access(0, DType::f32, {})}, y{&pool, pool.access(1, DType::f32, {})};
  EXPECT_EQ(pool.text(((x + y) * x - (y - x) / -y).id), "(x + y) * x - (y - x) / -y");
  EXPECT_EQ(pool.text((x - (y + 0.1)).id), "x - (y + 0.1)");
  const std::vector<VariableId> i = pool.variables(std::array{Dim(4)});
  const Scalar total{&pool, pool.reduce(Monoid::sum, Order::ascending, i,
                                        (x + Scalar{&pool, pool.access(2, DType::f32, {pool.index(i[0])})}).id)};
  EXPECT_EQ(pool.text((total * y).id), "(sum[i<4] (x + z[i])) * y");
}

TEST(TermText, GuardsAndStates) {
  TermPool pool;
  const std::vector<VariableId> i = pool.variables(std::array{Dim(8)}), k = pool.variables(std::array{Dim(10)});
  const TermId before = pool.subtract(pool.index(i[0]), pool.index(Dim(1)));
  const TermId by_three = pool.divides(3, pool.index(i[0]));
  const TermId guard = pool.both(pool.non_negative(before), by_three);  // which shows the older first
  EXPECT_EQ(pool.text(pool.choose(guard, pool.access(0, DType::i32, {before}), pool.literal_integer(DType::i32, -1))),
            "ite(3 divides i and i - 1 >= 0, x[i - 1], -1)");
  const Scalar s{&pool, pool.state(k[0], 0, DType::i32)}, t{&pool, pool.state(k[0], 1, DType::i32)};
  const TermId one = pool.literal_integer(DType::i32, 1);
  EXPECT_EQ(pool.text(pool.fold(k, {one, one}, {t.id, (s + t).id}, 1)), "fold[i<10](s := 1, t := 1; t, s + t).1");
}

TEST(TermText, SharedSubtermsDoNotExplode) {
  TermPool pool;
  Scalar x{&pool, pool.access(0, DType::f32, {})};
  for (int k = 0; k < 200; ++k) x = x * x;
  EXPECT_LT(pool.text(x.id).size(), 20000u);
}

}  // namespace
}  // namespace hyperion::ir

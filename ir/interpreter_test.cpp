#include "ir/interpreter.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/builder.hpp"
#include "ir/logic/scalar.hpp"
#include "ir/logic/term_evaluator.hpp"
#include "ir/primitive_semantics.hpp"
#include "tests/support/literals.hpp"

namespace hyperion::ir {
namespace {

using testing_support::elements;
using testing_support::tensor;
using testing_support::tensor_of_bits;

LiteralPtr run(std::string_view name, std::vector<LiteralPtr> operands, Attributes attributes = {}) {
  const auto results = interpret_op(op(name), operands, std::move(attributes));
  EXPECT_TRUE(results.has_value()) << results.error().text();
  return results->at(0);
}

using Floats = std::vector<float>;
using Ints = std::vector<std::int32_t>;

TEST(Interpreter, DotMultipliesMatrices) {
  const LiteralPtr x = tensor<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const LiteralPtr w = tensor<float>({3, 2}, {1, 0, 0, 1, 2, -1});
  const LiteralPtr y = run("dot", {x, w}, {{"lhs_contract", Integers{1}}, {"rhs_contract", Integers{0}}});
  EXPECT_EQ(y->type().text(), "f32[2, 2]");
  EXPECT_EQ(elements<float>(y), (Floats{7, -1, 16, -1}));
}

TEST(Interpreter, DotIsOneChainOfFusedOperations) {
  // x*x minus its own rounding is something that only a fused chain can see.
  const float x = 1.0f + 0x1p-12f;
  const LiteralPtr a = tensor<float>({2}, {-(x * x), x});
  const LiteralPtr b = tensor<float>({2}, {1.0f, x});
  const LiteralPtr y = run("dot", {a, b}, {{"lhs_contract", Integers{0}}, {"rhs_contract", Integers{0}}});
  EXPECT_EQ(elements<float>(y), Floats{std::fma(x, x, -(x * x))});
  EXPECT_NE(elements<float>(y)[0], 0.0f);
}

TEST(Interpreter, DotOfHalvesCarriesFloat) {
  const std::uint16_t one = 0x3c00, small = 0x1000;  // 1 and 2^-11: adding it to 1 in f16 would be lost each time
  const LiteralPtr x = tensor_of_bits<std::uint16_t>(DType::f16, {3}, {one, small, small});
  const LiteralPtr ones = tensor_of_bits<std::uint16_t>(DType::f16, {3}, {one, one, one});
  const LiteralPtr y = run("dot", {x, ones}, {{"lhs_contract", Integers{0}}, {"rhs_contract", Integers{0}}});
  EXPECT_EQ(elements<std::uint16_t>(y), std::vector<std::uint16_t>{0x3c01});
}

TEST(Interpreter, DotPlacesBatchThenFreeAxes) {
  // lhs[k, b, i], rhs[j, k, b] -> out[b, i, j]
  std::vector<std::int32_t> lhs(2 * 3 * 2), rhs(4 * 2 * 3);
  for (std::size_t k = 0; k < lhs.size(); ++k) lhs[k] = static_cast<std::int32_t>(k * k % 7);
  for (std::size_t k = 0; k < rhs.size(); ++k) rhs[k] = static_cast<std::int32_t>(k * 5 % 11);
  const LiteralPtr y = run("dot", {tensor<std::int32_t>({2, 3, 2}, lhs), tensor<std::int32_t>({4, 2, 3}, rhs)},
                           {{"lhs_batch", Integers{1}},
                            {"rhs_batch", Integers{2}},
                            {"lhs_contract", Integers{0}},
                            {"rhs_contract", Integers{1}}});
  EXPECT_EQ(y->type().text(), "i32[3, 2, 4]");
  Ints expected;
  for (std::size_t b = 0; b < 3; ++b) {
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        std::int32_t sum = 0;
        for (std::size_t k = 0; k < 2; ++k) sum += lhs[(k * 3 + b) * 2 + i] * rhs[(j * 2 + k) * 3 + b];
        expected.push_back(sum);
      }
    }
  }
  EXPECT_EQ(elements<std::int32_t>(y), expected);
}

TEST(Interpreter, ReduceAscendingAddsInOrder) {
  const LiteralPtr x = tensor<float>({2, 3}, {0x1p24f, 1, 1, 1, 1, 0x1p24f});
  const LiteralPtr y = run("reduce", {x}, {{"axes", Integers{1}}, {"kind", std::string("sum")}});
  EXPECT_EQ(elements<float>(y), (Floats{0x1p24f, 0x1p24f + 2}));
}

TEST(Interpreter, ReduceInLanesAddsSixtyFourApart) {
  // Lane 0 takes elements 0, 64 and 128: 2^24 + 1 + 1 there loses both ones; every other lane holds 0.
  Floats values(130, 0.0f);
  values[0] = 0x1p24f;
  values[64] = values[128] = 1;
  const Attributes lanes = {{"axes", Integers{0}}, {"kind", std::string("sum")}, {"order", std::string("lanes")}};
  EXPECT_EQ(elements<float>(run("reduce", {tensor<float>({130}, values)}, lanes)), Floats{0x1p24f});
  // Lanes 1 and 33 meet first, so that 2^24 gets both ones at once.
  values.assign(130, 0.0f);
  values[0] = 0x1p24f;
  values[1] = values[33] = 1;
  EXPECT_EQ(elements<float>(run("reduce", {tensor<float>({130}, values)}, lanes)), Floats{0x1p24f + 2});
}

TEST(Interpreter, ReduceOfNothingIsTheIdentity) {
  const LiteralPtr x = tensor<float>({2, 0}, {});
  const auto of = [&](const char* kind) {
    return elements<float>(run("reduce", {x}, {{"axes", Integers{1}}, {"kind", std::string(kind)}}));
  };
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(of("sum"), (Floats{0, 0}));
  EXPECT_EQ(of("prod"), (Floats{1, 1}));
  EXPECT_EQ(of("max"), (Floats{-infinity, -infinity}));
  EXPECT_EQ(of("min"), (Floats{infinity, infinity}));
}

TEST(Interpreter, ReduceOverTwoAxes) {
  const LiteralPtr x = tensor<std::int32_t>({2, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const LiteralPtr y = run("reduce", {x}, {{"axes", Integers{0, 2}}, {"kind", std::string("sum")}});
  EXPECT_EQ(elements<std::int32_t>(y), (Ints{30, 48}));
}

TEST(Interpreter, ReshapeKeepsRowMajorOrder) {
  const LiteralPtr x = tensor<std::int32_t>({2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  const LiteralPtr y = run("reshape", {x}, {{"shape", Dims{4, 3}}});
  EXPECT_EQ(y->type().text(), "i32[4, 3]");
  EXPECT_EQ(elements<std::int32_t>(y), elements<std::int32_t>(x));
}

TEST(Interpreter, BroadcastStretchesAndAddsAxes) {
  const LiteralPtr b = tensor<std::int32_t>({2, 1}, {7, 8});
  const LiteralPtr y = run("broadcast", {b}, {{"shape", Dims{2, 2, 3}}, {"dims", Integers{1, 2}}});
  EXPECT_EQ(elements<std::int32_t>(y), (Ints{7, 7, 7, 8, 8, 8, 7, 7, 7, 8, 8, 8}));
}

TEST(Interpreter, SelectAndCompare) {
  const LiteralPtr x = tensor<float>({4}, {1, -2, NAN, -0.0f}), y = tensor<float>({4}, {2, -3, 1, 0.0f});
  const LiteralPtr less = run("compare", {x, y}, {{"direction", std::string("lt")}});
  EXPECT_EQ(elements<std::uint8_t>(less), (std::vector<std::uint8_t>{1, 0, 0, 0}));
  const LiteralPtr equal = run("compare", {x, y}, {{"direction", std::string("eq")}});
  EXPECT_EQ(elements<std::uint8_t>(equal), (std::vector<std::uint8_t>{0, 0, 0, 1}));
  EXPECT_EQ(elements<float>(run("select", {less, y, y})), elements<float>(y));
  EXPECT_EQ(elements<float>(run("select", {less, x, y})), (Floats{1, -3, 1, 0}));
}

TEST(Interpreter, CastTruncatesSaturatesAndWraps) {
  const LiteralPtr x = tensor<float>({6}, {2.9f, -2.9f, 300, -300, NAN, INFINITY});
  EXPECT_EQ(elements<std::int8_t>(run("cast", {x}, {{"dtype", DType::i8}})),
            (std::vector<std::int8_t>{2, -2, 127, -128, 0, 127}));
  EXPECT_EQ(elements<std::uint8_t>(run("cast", {x}, {{"dtype", DType::u8}})),
            (std::vector<std::uint8_t>{2, 0, 255, 0, 0, 255}));
  EXPECT_EQ(elements<std::uint8_t>(run("cast", {x}, {{"dtype", DType::bool_}})),
            (std::vector<std::uint8_t>{1, 1, 1, 1, 1, 1}));
  const LiteralPtr wide = tensor<std::int32_t>({3}, {257, -1, 65536});
  EXPECT_EQ(elements<std::uint8_t>(run("cast", {wide}, {{"dtype", DType::u8}})),
            (std::vector<std::uint8_t>{1, 255, 0}));
  EXPECT_EQ(elements<double>(run("cast", {tensor<std::uint64_t>({1}, {~0ull})}, {{"dtype", DType::f64}})),
            std::vector<double>{0x1p64});
}

TEST(Interpreter, IntegerArithmeticIsTotal) {
  const std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
  const LiteralPtr x = tensor<std::int32_t>({5}, {7, -7, 5, lowest, 1});
  const LiteralPtr y = tensor<std::int32_t>({5}, {2, 2, 0, -1, 40});
  EXPECT_EQ(elements<std::int32_t>(run("div", {x, y})), (Ints{3, -3, 0, lowest, 0}));
  EXPECT_EQ(elements<std::int32_t>(run("rem", {x, y})), (Ints{1, -1, 5, 0, 1}));
  EXPECT_EQ(elements<std::int32_t>(run("shl", {x, y})), (Ints{28, -28, 5, 0, 0}));
  EXPECT_EQ(elements<std::int32_t>(run("shr", {x, y})), (Ints{1, -2, 5, -1, 0}));
  EXPECT_EQ(elements<std::int32_t>(run("mul", {x, x})), (Ints{49, 49, 25, 0, 1}));
}

TEST(Interpreter, MaximumPropagatesNanAndOrdersZeros) {
  const LiteralPtr x = tensor<float>({4}, {NAN, 1, -0.0f, 0.0f}), y = tensor<float>({4}, {1, NAN, 0.0f, -0.0f});
  const Floats largest = elements<float>(run("max", {x, y})), smallest = elements<float>(run("min", {x, y}));
  for (std::size_t k : {0u, 1u}) {
    EXPECT_TRUE(std::isnan(largest[k]));
    EXPECT_TRUE(std::isnan(smallest[k]));
  }
  for (std::size_t k : {2u, 3u}) {
    EXPECT_FALSE(std::signbit(largest[k]));
    EXPECT_TRUE(std::signbit(smallest[k]));
  }
}

// Casts out of f16 and into it, and f32 arithmetic in between, on every pair of a sample.
TEST(Interpreter, SmallFloatsComputeInFloat) {
  const ScalarProgram& program = scalar_program(op("mul"), std::array{DType::bf16, DType::bf16}, DType::bf16);
  std::vector<std::uint64_t> registers(register_count(program));
  for (std::uint32_t a = 0; a < 0x10000; a += 257) {
    for (std::uint32_t b = 0; b < 0x10000; b += 1021) {
      registers[0] = a;
      registers[1] = b;
      const std::uint64_t args[] = {a, b};
      ASSERT_EQ(evaluate_program(program, registers), evaluate_primitive(Primitive::mul, DType::bf16, DType::bf16, args))
          << a << " * " << b;
    }
  }
}

TEST(Interpreter, RunsFunctionsAndCalls) {
  Module module;
  const Type type(DType::f32, {Dim(2)});
  Function& square = module.add("square");
  {
    Builder b(square, &module);
    const Value x = b.parameter(type);
    b.return_values(std::array{x * x});
  }
  Function& main = module.add("main");
  {
    Builder b(main, &module);
    const Value x = b.parameter(type);
    const Value y = b.apply("call", {x + 1.0}, {{"callee", SymbolReference{"square"}}});
    b.return_values(std::array{y, x - y});
  }
  const auto results = interpret(module, main, std::array{tensor<float>({2}, {2, 3})});
  ASSERT_TRUE(results.has_value()) << results.error().text();
  EXPECT_EQ(elements<float>(results->at(0)), (Floats{9, 16}));
  EXPECT_EQ(elements<float>(results->at(1)), (Floats{-7, -13}));
}

TEST(Interpreter, RefusesWhatItCannotRun) {
  Module module;
  Function& f = module.add("f");
  Builder b(f, &module);
  const Value x = b.parameter(Type(DType::f32, {Dim::symbol("n")}));
  b.return_values(std::array{x});
  const auto symbolic = interpret(module, f, std::array{tensor<float>({2}, {1, 2})});
  ASSERT_FALSE(symbolic.has_value());
  EXPECT_EQ(symbolic.error().code, Code::failed_precondition);
  EXPECT_EQ(interpret(module, f, {}).error().code, Code::invalid_argument);
  const LiteralPtr one = tensor<float>({1}, {1}), two = tensor<float>({2}, {1, 2});
  const auto ill_typed = interpret_op(op("add"), std::array{one, two});
  ASSERT_FALSE(ill_typed.has_value());
  EXPECT_NE(ill_typed.error().text().find("add.c1"), std::string::npos);
}

TEST(TermEvaluator, GuardsKeepAccessesInside) {
  // out[i] = ite(i - 1 >= 0, x[i - 1], 0)
  TermPool pool;
  const std::vector<VariableId> i = pool.variables(std::array{Dim(4)});
  const TermId before = pool.subtract(pool.index(i[0]), pool.index(Dim(1)));
  const Lambda shifted{i, pool.choose(pool.non_negative(before), pool.access(0, DType::f32, {before}),
                                      pool.literal(DType::f32, 0.0))};
  const LiteralPtr y = evaluate_lambda(pool, shifted, Type(DType::f32, {Dim(4)}),
                                       std::array{tensor<float>({4}, {1, 2, 3, 4})});
  EXPECT_EQ(elements<float>(y), (Floats{0, 1, 2, 3}));
}

TEST(TermEvaluator, AccessOutsideItsOperandIsABrokenDefinition) {
  TermPool pool;
  const std::vector<VariableId> i = pool.variables(std::array{Dim(4)});
  const Lambda shifted{i, pool.access(0, DType::f32, {pool.add(pool.index(i[0]), pool.index(Dim(1)))})};
  EXPECT_DEATH(evaluate_lambda(pool, shifted, Type(DType::f32, {Dim(4)}),
                               std::array{tensor<float>({4}, {1, 2, 3, 4})}),
               "outside its operand");
}

TEST(TermEvaluator, FoldCarriesATupleOfStates) {
  // (a, b) := (b, a + b) from (0, 1), ten times: Fibonacci.
  TermPool pool;
  const std::vector<VariableId> k = pool.variables(std::array{Dim(10)});
  const Scalar a{&pool, pool.state(k[0], 0, DType::i32)}, b{&pool, pool.state(k[0], 1, DType::i32)};
  const std::vector<TermId> inits = {pool.literal_integer(DType::i32, 0), pool.literal_integer(DType::i32, 1)};
  for (int component : {0, 1}) {
    const Lambda lambda{{}, pool.fold(k, inits, {b.id, (a + b).id}, component)};
    EXPECT_EQ(elements<std::int32_t>(evaluate_lambda(pool, lambda, Type::scalar(DType::i32), {})),
              Ints{component == 0 ? 55 : 89});
  }
}

TEST(TermEvaluator, NestedReductionsShareSubterms) {
  // out[i] = sum[j<3] (x[i] + max[k<2] x[k]) * j, where the inner maximum depends on neither i nor j.
  TermPool pool;
  const std::vector<VariableId> i = pool.variables(std::array{Dim(2)}), j = pool.variables(std::array{Dim(3)}),
                                k = pool.variables(std::array{Dim(2)});
  const Scalar x{&pool, pool.access(0, DType::i32, {pool.index(i[0])})};
  const Scalar largest{&pool, pool.reduce(Monoid::maximum, Order::ascending, k,
                                          pool.access(0, DType::i32, {pool.index(k[0])}))};
  const Scalar weight{&pool, pool.from_index(pool.index(j[0]), DType::i32)};
  const Lambda lambda{i, pool.reduce(Monoid::sum, Order::ascending, j, ((x + largest) * weight).id)};
  const LiteralPtr y = evaluate_lambda(pool, lambda, Type(DType::i32, {Dim(2)}),
                                       std::array{tensor<std::int32_t>({2}, {3, 5})});
  EXPECT_EQ(elements<std::int32_t>(y), (Ints{24, 30}));
}

}  // namespace
}  // namespace hyperion::ir

#include "frontend/transforms.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "frontend/ops/creation.hpp"
#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/indexing.hpp"
#include "frontend/ops/linalg.hpp"
#include "frontend/ops/reduce.hpp"
#include "frontend/ops/shape.hpp"
#include "frontend/ops/sorting.hpp"
#include "frontend/testing.hpp"

namespace hyperion {
namespace {

using testing::error_of;
using Doubles = std::vector<double>;

struct Layer {
  Tensor weight;
  std::optional<Tensor> bias;
};
struct Model {
  Layer first;
  std::vector<Layer> rest;
  std::map<std::string, Tensor> extra;
  double slope = 0.5;
};

Model small_model() {
  return {{tensor({{1.0, 2.0}, {3.0, 4.0}}), tensor({0.5, -0.5})}, {{tensor({{1.0, -1.0}, {2.0, 0.0}}), {}}},
          {{"scale", tensor(2.0)}}, 0.5};
}

Tensor forward(const Model& m, const Tensor& x) {
  Tensor y = matmul(x, m.first.weight) + *m.first.bias;
  y = where(y > 0.0, y, y * m.slope);
  return matmul(y, m.rest[0].weight) * m.extra.at("scale");
}

TEST(TreeTest, NamesFollowMembers) {
  EXPECT_EQ(tree::names(small_model()),
            (std::vector<std::string>{"first.weight", "first.bias", "rest.0.weight", "extra.scale"}));
  EXPECT_EQ(tree::names(std::pair(tensor(1.0), std::tuple(tensor(2.0)))), (std::vector<std::string>{"0", "1.0"}));
  EXPECT_EQ(tree::element_count(small_model()), 11);
}

TEST(TreeTest, TreesThatMeetHaveOneStructure) {
  const Model whole = small_model();
  Model part = small_model();
  part.first.bias.reset();
  EXPECT_EQ(error_of([&] { tree::map2(whole, part, [](const Tensor& a, const Tensor& b) { return a + b; }); }),
            "frontend/transforms_test.cpp:<line>: error: map2: trees of 4 and 3 tensors [transform.structure]");
  EXPECT_EQ(error_of([&] { tree::unflatten(part, tree::flatten(whole).tensors); }),
            "frontend/transforms_test.cpp:<line>: error: unflatten: 4 tensors for a tree of 3 [transform.structure]");
}

TEST(TreeTest, StructureTellsStaticMembersApart) {
  Model a = small_model(), b = small_model();
  EXPECT_EQ(tree::flatten(a).structure, tree::flatten(b).structure);
  b.slope = 0.25;
  EXPECT_NE(tree::flatten(a).structure, tree::flatten(b).structure);
  b = a;
  b.first.bias.reset();
  EXPECT_NE(tree::flatten(a).structure, tree::flatten(b).structure);
}

TEST(JitTest, TracesOncePerSignature) {
  int calls = 0;
  const auto f = jit([&calls](const Model& m, const Tensor& x) {
    ++calls;
    return forward(m, x);
  });
  const Tensor x = tensor({{1.0, 1.0}});
  const Doubles expected = forward(small_model(), x).to_vector<double>();
  EXPECT_EQ(f(small_model(), x).to_vector<double>(), expected);
  EXPECT_EQ(f(small_model(), x * 1.0).to_vector<double>(), expected);
  EXPECT_EQ(calls, 1);
  f(small_model(), zeros({3, 2}));  // another shape
  Model other = small_model();
  other.slope = 0.1;  // another static member
  f(other, x);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(f.trace_count(), 3u);
}

TEST(JitTest, ReturnsStructs) {
  const auto f = jit([](const Model& m, const Tensor& x) {
    Model out = m;
    out.first.weight = m.first.weight + x;
    return std::pair(out, sum(x));
  });
  const auto [model, total] = f(small_model(), tensor({{1.0, 0.0}, {0.0, 1.0}}));
  EXPECT_EQ(model.first.weight.to_vector<double>(), (Doubles{2, 2, 3, 5}));
  EXPECT_EQ(model.rest[0].weight.to_vector<double>(), (Doubles{1, -1, 2, 0}));
  EXPECT_EQ(model.slope, 0.5);
  EXPECT_EQ(total.item(), 2);
}

TEST(JitTest, ReadingInsideATraceIsAnError) {
  const auto f = jit([](const Tensor& x) {
    if (x.item() > 0) return x;
    return -x;
  });
  const std::string text = error_of([&] { f(tensor(1.0)); }, 3);
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "frontend/transforms_test.cpp:<line>: error: the value of a tensor was read inside a function being traced "
            "[trace.read]");
  EXPECT_NE(text.find("hint: return the tensor and read it outside, or compute with where() instead of branching"),
            std::string::npos);
}

TEST(JitTest, LeakedTensorsAreErrors) {
  Tensor leaked;
  const auto f = jit([&](const Tensor& x) {
    leaked = x * 2.0;
    return x;
  });
  f(tensor(1.0));
  const std::string text = error_of([&] { leaked.item(); });
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "frontend/transforms_test.cpp:<line>: error: the value of a tensor was read inside a function being traced "
            "[trace.read]");
  const auto outer = [&](const Tensor& x) {
    grad([&](const Tensor& inner) { return leaked = inner * 2.0; })(x);
    return leaked;
  };
  EXPECT_EQ(error_of([&] { jit(outer)(tensor(1.0)); }),
            "frontend/transforms_test.cpp:<line>: error: a tensor of a function being traced is used outside of it "
            "[trace.leaked]\n  hint: return it from the function instead of storing it elsewhere");
}

TEST(JitTest, CapturesHaveTheValueOfTheTrace) {
  Tensor scale = tensor(2.0) * 3.0;  // not evaluated yet
  const auto f = jit([&](const Tensor& x) { return x * scale; });
  EXPECT_EQ(f(tensor(1.0)).item(), 6);
  scale = tensor(100.0);
  EXPECT_EQ(f(tensor(1.0)).item(), 6);
}

TEST(JitTest, NestsInOtherTransforms) {
  const auto square_of = jit([](const Tensor& x) { return sum(x * x); });
  EXPECT_EQ(grad(square_of)(tensor({1.0, 2.0})).to_vector<double>(), (Doubles{2, 4}));
  const auto outer = jit([&](const Tensor& x) { return grad(square_of)(x) * 10.0; });
  EXPECT_EQ(outer(tensor({1.0, 2.0})).to_vector<double>(), (Doubles{20, 40}));
  EXPECT_EQ(vmap(square_of)(tensor({{1.0, 2.0}, {3.0, 4.0}})).to_vector<double>(), (Doubles{5, 25}));
}

TEST(JitTest, InnerJitThatCapturesAnOuterArgumentIsNotKept) {
  const auto outer = jit([](const Tensor& x, const Tensor& y) {
    const auto inner = jit([&](const Tensor& z) { return z * y; });
    return inner(x) + inner(x);
  });
  EXPECT_EQ(outer(tensor(2.0), tensor(3.0)).item(), 12);
}

TEST(JitTest, DonatedArgumentsAreSpent) {
  const auto step = jit([](const Tensor& x) { return x + 1.0; }, {.donate = {0}});
  Tensor x = tensor({1.0, 2.0});
  const Tensor y = step(x);
  EXPECT_EQ(y.to_vector<double>(), (Doubles{2, 3}));
  const Tensor kept = tensor({1.0, 2.0});
  EXPECT_EQ(jit([](const Tensor& v) { return v + 1.0; })(kept).to_vector<double>(), (Doubles{2, 3}));
  EXPECT_EQ(kept.to_vector<double>(), (Doubles{1, 2}));
  EXPECT_EQ(error_of([&] { x.to_vector<double>(); }),
            "frontend/transforms_test.cpp:<line>: failed_precondition: the buffer was donated to an execution; use that "
            "execution's outputs, or do not donate a value that is needed later");
}

TEST(JitTest, OptionsNameArgumentsThereAre) {
  const auto twice = [](const Tensor& x) { return x * 2.0; };
  EXPECT_EQ(error_of([&] { jit(twice, {.donate = {9}})(tensor(1.0)); }),
            "frontend/transforms_test.cpp:<line>: error: jit: donate names argument 9, but the function is given 1 "
            "[transform.argument]\n  hint: arguments count from 0");
  EXPECT_EQ(error_of([&] { jit(twice, {.donate = {-1}})(tensor(1.0)); }),
            "frontend/transforms_test.cpp:<line>: error: jit: donate names argument -1, but the function is given 1 "
            "[transform.argument]\n  hint: arguments count from 0");
  const auto product = [](const Tensor& x, const Tensor& y) { return x * y; };
  EXPECT_EQ(error_of([&] { vmap(product, {.batched = {true}})(tensor({1.0}), tensor({2.0})); }),
            "frontend/transforms_test.cpp:<line>: error: vmap: batched says something of 1 arguments, but the function is "
            "given 2 [transform.argument]\n  hint: give one claim for each argument, or none at all");
}

TEST(GradTest, OfAModel) {
  const Tensor x = tensor({{1.0, -1.0}});
  const auto loss = [&](const Model& m) { return sum(forward(m, x)); };
  const auto [value, gradient] = value_and_grad(loss)(small_model());
  // y = (1-3, 2-4) + (0.5, -0.5) = (-1.5, -2.5); leaky: (-0.75, -1.25); times W: (-3.25, 0.75); times 2.
  EXPECT_EQ(value.item(), -5);
  EXPECT_EQ(gradient.extra.at("scale").item(), -2.5);
  EXPECT_EQ(gradient.rest[0].weight.to_vector<double>(), (Doubles{-1.5, -1.5, -2.5, -2.5}));
  EXPECT_EQ(gradient.first.bias->to_vector<double>(), (Doubles{0, 2}));
  EXPECT_EQ(gradient.first.weight.to_vector<double>(), (Doubles{0, 2, 0, -2}));
  EXPECT_EQ(gradient.slope, 0.5);
}

TEST(GradTest, PassesAuxThrough) {
  const auto f = [](const Tensor& x) { return std::pair(sum(x * x), std::tuple(x * 3.0, argmax(x))); };
  const auto [value, gradient] = value_and_grad(f)(tensor({1.0, 2.0}));
  EXPECT_EQ(value.first.item(), 5);
  EXPECT_EQ(std::get<0>(value.second).to_vector<double>(), (Doubles{3, 6}));
  EXPECT_EQ(std::get<1>(value.second).item(), 1);
  EXPECT_EQ(gradient.to_vector<double>(), (Doubles{2, 4}));
}

TEST(GradTest, GoesWhereSortedElementsWent) {
  const Tensor x = tensor({3.0, 1.0, 2.0}), weights = tensor({1.0, 10.0, 100.0});
  EXPECT_EQ(grad([&](const Tensor& t) { return sum(sort(t) * weights); })(x).to_vector<double>(), (Doubles{100, 1, 10}));
  const auto two = [&](const Tensor& t) { return sum(top_k(t, 2).values * tensor({1.0, 10.0})); };
  EXPECT_EQ(grad(two)(x).to_vector<double>(), (Doubles{1, 0, 10}));
  const Tensor rows = tensor({{3.0, 1.0}, {1.0, 3.0}});
  EXPECT_EQ(vmap([](const Tensor& t) { return argsort(t); })(rows).to_vector<std::int64_t>(),
            (std::vector<std::int64_t>{1, 0, 0, 1}));
}

TEST(GradTest, ByAnotherArgument) {
  const auto f = [](const Tensor& x, const Tensor& y) { return sum(x * x * y); };
  EXPECT_EQ(grad<1>(f)(tensor({2.0, 3.0}), tensor({1.0, 1.0})).to_vector<double>(), (Doubles{4, 9}));
}

TEST(GradTest, Errors) {
  const auto vector_valued = [](const Tensor& x) { return x * 2.0; };
  EXPECT_EQ(error_of([&] { grad(vector_valued)(tensor({1.0, 2.0})); }),
            "frontend/transforms_test.cpp:<line>: error: grad: the function returns f32[2], not a floating scalar "
            "[transform.loss]\n  hint: reduce it with sum() or mean(), or use vjp or jacobian");
  const auto loss = [](const Tensor& x) { return sum(x.to(DType::f32)); };
  EXPECT_EQ(error_of([&] { grad(loss)(tensor({1, 2})); }),
            "frontend/transforms_test.cpp:<line>: error: grad: argument 0 is i64[2], which has no derivative "
            "[transform.dtype]\n  hint: pass what is not differentiated as another argument");
}

TEST(GradTest, HigherOrder) {
  const auto cube = [](const Tensor& x) { return x * x * x; };
  EXPECT_EQ(grad(cube)(tensor(2.0)).item(), 12);
  EXPECT_EQ(grad(grad(cube))(tensor(2.0)).item(), 12);
  EXPECT_EQ(grad(grad(grad(cube)))(tensor(2.0)).item(), 6);
}

TEST(GradTest, Jacobians) {
  const auto f = [](const Tensor& x) { return stack({x[0] * x[1], x[1] * x[1], x[0]}); };
  const Tensor x = tensor({2.0, 3.0});
  const Doubles expected{3, 2, 0, 6, 1, 0};
  EXPECT_EQ(jacobian(f)(x).shape(), (Shape{3, 2}));
  EXPECT_EQ(jacobian(f)(x).to_vector<double>(), expected);
  EXPECT_EQ(jacobian(f, true)(x).to_vector<double>(), expected);
  const auto g = [](const Tensor& x) { return x[0] * x[0] * x[1]; };
  EXPECT_EQ(hessian(g)(x).to_vector<double>(), (Doubles{6, 4, 4, 0}));
}

TEST(GradTest, VjpAndJvp) {
  const auto f = [](const Tensor& x, const Tensor& y) { return std::pair(x * y, sum(x)); };
  const Tensor x = tensor({1.0, 2.0}), y = tensor({3.0, 4.0});
  const auto [value, pullback] = vjp(f, std::tuple(x, y));
  EXPECT_EQ(value.first.to_vector<double>(), (Doubles{3, 8}));
  const auto [dx, dy] = pullback(std::pair(tensor({1.0, 10.0}), tensor(100.0)));
  EXPECT_EQ(dx.to_vector<double>(), (Doubles{103, 140}));
  EXPECT_EQ(dy.to_vector<double>(), (Doubles{1, 20}));
  const auto [primal, tangent] = jvp(f, std::tuple(x, y), std::tuple(tensor({1.0, 0.0}), tensor({0.0, 1.0})));
  EXPECT_EQ(primal.second.item(), 3);
  EXPECT_EQ(tangent.first.to_vector<double>(), (Doubles{3, 2}));
  EXPECT_EQ(tangent.second.item(), 1);
}

TEST(GradTest, CotangentsMustFit) {
  const auto [value, pullback] = vjp([](const Tensor& x) { return x * 2.0; }, std::tuple(tensor({1.0, 2.0})));
  const std::string text = error_of([&, &pull = pullback] { pull(tensor(1.0)); }, 1);
  EXPECT_EQ(text,
            "frontend/transforms_test.cpp:<line>: error: vjp: tensor 0 is f32[], expected f32[2] [transform.structure]");
}

TEST(VmapTest, MapsOverAxisZero) {
  const auto f = [](const Tensor& x, const Tensor& w) { return sum(x * w); };
  const Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}), w = tensor({1.0, 10.0});
  EXPECT_EQ(vmap(f, {.batched = {true, false}})(x, w).to_vector<double>(), (Doubles{21, 43, 65}));
  // Per-example gradients: the transform that makes vmap worth having.
  EXPECT_EQ(vmap(grad<1>(f), {.batched = {true, false}})(x, w).shape(), (Shape{3, 2}));
  EXPECT_EQ(error_of([&] { vmap(f)(x, w); }),
            "frontend/transforms_test.cpp:<line>: error: vmap: axis 0 has size 3 and 2 [transform.batch]");
}

TEST(CheckpointTest, SameBitsWithAndWithout) {
  const auto segment = [](const Tensor& x) { return x * x * 0.5 + x; };
  const auto plain = [&](const Tensor& x) { return sum(segment(segment(x))); };
  const auto with = [&](const Tensor& x) { return sum(checkpoint(segment)(checkpoint(segment)(x))); };
  const Tensor x = tensor({0.1, 0.7, -1.3});
  EXPECT_EQ(with(x).to_vector<float>(), plain(x).to_vector<float>());
  EXPECT_EQ(grad(with)(x).to_vector<float>(), grad(plain)(x).to_vector<float>());
  EXPECT_EQ(jit(grad(with))(x).to_vector<float>(), grad(plain)(x).to_vector<float>());
}

}  // namespace
}  // namespace hyperion

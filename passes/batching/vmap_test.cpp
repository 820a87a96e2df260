#include "passes/batching/vmap.hpp"

#include <gtest/gtest.h>

#include "passes/autodiff/vjp.hpp"
#include "tests/support/programs.hpp"

namespace hyperion::passes {
namespace {

using testing_support::module_of;
using testing_support::random_arguments;
using testing_support::run;

// Example `index` of a batch.
LiteralPtr example(const LiteralPtr& batch, std::int64_t index) {
  const Type type = batch->type().with_dims(batch->type().dims().subspan(1));
  const std::vector<std::byte> bytes = batch->dense_bytes();
  return Literal::make(type, std::span(bytes).subspan(static_cast<std::size_t>(index) * type.bytes(), type.bytes()));
}

void expect_equals_loop(ir::Module& module, std::string_view name, const std::vector<bool>& batched) {
  constexpr std::int64_t kSize = 3;
  const ir::Function& many = vmap(module, *module.find(name), batched, Dim(kSize), module.unique_name("many"));
  const std::vector<LiteralPtr> arguments = random_arguments(many, 7);
  const std::vector<LiteralPtr> results = run(module, many.name, arguments);
  for (std::int64_t i = 0; i < kSize; ++i) {
    std::vector<LiteralPtr> one = arguments;
    for (std::size_t k = 0; k < one.size(); ++k) {
      if (batched[k]) one[k] = example(arguments[k], i);
    }
    const std::vector<LiteralPtr> expected = run(module, name, one);
    ASSERT_EQ(results.size(), expected.size());
    for (std::size_t r = 0; r < expected.size(); ++r) EXPECT_EQ(*example(results[r], i), *expected[r]) << name << r;
  }
}

TEST(Vmap, EqualsALoop) {
  const auto module = module_of(R"(
    func @g(%x: f32[4]) -> f32[4] { %y = mul %x, %x
      return %y }
    func @f(%x: f32[2, 4], %w: f32[4, 3], %b: f32[3], %p: bool[2, 3]) -> f32[3], f32[6], f32[2, 5], f32[4], f32[3] {
      %y = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
      %bb = broadcast %b {dims = [1], shape = [2, 3]}
      %z = add %y, %bb
      %e = exp %z
      %s = reduce %e {axes = [0], kind = "sum"}
      %t = transpose %e {permutation = [1, 0]}
      %r = reshape %t {shape = [6]}
      %q = select %p, %e, %bb
      %l = slice %q {starts = [0, 1], limits = [2, 3], strides = [1, 1]}
      %c = concatenate %l, %q {axis = 1}
      %k = reduce %x {axes = [0], kind = "max"}
      %v = call @g(%k)
      return %s, %r, %c, %v, %b
    })");
  for (int mask = 1; mask < 16; ++mask) {
    expect_equals_loop(*module, "f", {(mask & 1) != 0, (mask & 2) != 0, (mask & 4) != 0, (mask & 8) != 0});
  }
}

TEST(Vmap, BatchesDerivativesAndNests) {
  const auto module = module_of(R"(func @f(%x: f64[2], %w: f64[2, 2]) -> f64[2] {
    %y = dot %w, %x {lhs_contract = [1], rhs_contract = [0]}
    %z = exp %y
    return %z
  })");
  vjp(*module, *module->find("f"), {true, true}, "reverse");
  expect_equals_loop(*module, "reverse", {true, false, true});
  vmap(*module, *module->find("reverse"), {false, true, false}, Dim(4), "inner");
  expect_equals_loop(*module, "inner", {true, false, true});
}

TEST(Vmap, KeepsWhatIsNotBatched) {
  const auto module = module_of("func @f(%x: f32[2], %w: f32[2]) -> f32[2] { %a = exp %w\n %b = mul %x, %a\n return %b }");
  const ir::Function& many = vmap(*module, *module->find("f"), {true, false}, Dim::symbol("n"), "many");
  EXPECT_EQ(many.type(many.results()[0]).text(), "f32[n, 2]");
  EXPECT_EQ(many.type(many.op(many.ops()[0]).results[0]).text(), "f32[2]");
}

}  // namespace
}  // namespace hyperion::passes

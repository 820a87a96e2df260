#include "tests/support/numeric.hpp"

#include <algorithm>
#include <cmath>

#include "ir/builder.hpp"
#include "ir/interpreter.hpp"
#include "ir/support/check.hpp"
#include "ir/support/format.hpp"

namespace hyperion::testing_support {

using ir::Builder;
using ir::Function;
using ir::Module;
using ir::Value;

std::unique_ptr<Module> function_of(const OpSample& sample) {
  std::unique_ptr<Module> module =
      sample.module ? sample.module->clone() : std::make_unique<Module>("test");
  auto f = std::make_unique<Function>("sample", ir::FunctionKind::func);
  Builder b(*f, module.get());
  std::vector<Value> operands;
  for (const LiteralPtr& operand : sample.operands)
    operands.push_back(b.parameter(operand->type()));
  b.return_values(b.apply_all(sample.op->name, operands, sample.attributes));
  module->add(std::move(f));
  return module;
}

std::vector<LiteralPtr> evaluate(const Module& module, const Function& function,
                                 std::span<const LiteralPtr> arguments) {
  StatusOr<std::vector<LiteralPtr>> results = ir::interpret(module, function, arguments);
  HYP_CHECK(results.has_value(), results.error().text());
  return *std::move(results);
}

std::vector<LiteralPtr> evaluate(const OpSample& sample) {
  StatusOr<std::vector<LiteralPtr>> results =
      ir::interpret_op(*sample.op, sample.operands, sample.attributes, sample.module.get());
  HYP_CHECK(results.has_value(), results.error().text());
  return *std::move(results);
}

std::vector<double> numbers(const LiteralPtr& literal) {
  std::vector<double> out;
  for (std::int64_t k = 0; k < literal->type().element_count(); ++k) {
    out.push_back(element_to_double(literal->type().dtype(), literal->element(k).data()));
  }
  return out;
}

LiteralPtr literal_of(Type type, const std::vector<double>& numbers) {
  std::vector<std::byte> bytes(type.bytes());
  const std::size_t size = byte_size(type.dtype());
  for (std::size_t k = 0; k < numbers.size(); ++k)
    element_from_double(type.dtype(), numbers[k], bytes.data() + k * size);
  return Literal::make(type, bytes);
}

double inner_product(std::span<const LiteralPtr> x, std::span<const LiteralPtr> y) {
  double sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const std::vector<double> a = numbers(x[k]), b = numbers(y[k]);
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  }
  return sum;
}

std::string difference(const LiteralPtr& a, const LiteralPtr& b) {
  if (a->type() != b->type()) return format("{} is not {}", a->type().text(), b->type().text());
  const DType dtype = a->type().dtype();
  for (std::int64_t k = 0; k < a->type().element_count(); ++k) {
    const auto left = a->element(k), right = b->element(k);
    if (std::ranges::equal(left, right)) continue;
    const double x = element_to_double(dtype, left.data()),
                 y = element_to_double(dtype, right.data());
    if (is_floating(dtype) && std::isnan(x) && std::isnan(y)) continue;
    return format("element {} of {}: {} is not {}", k, a->type().text(), x, y);
  }
  return {};
}

LiteralPtr stack(std::span<const LiteralPtr> slices) {
  std::vector<std::byte> bytes;
  for (const LiteralPtr& slice : slices) {
    const std::vector<std::byte> dense = slice->dense_bytes();
    bytes.insert(bytes.end(), dense.begin(), dense.end());
  }
  std::vector<Dim> dims(slices[0]->type().dims().begin(), slices[0]->type().dims().end());
  dims.insert(dims.begin(), Dim(std::ssize(slices)));
  return Literal::make(slices[0]->type().with_dims(dims), bytes);
}

LiteralPtr slice_of(const LiteralPtr& stacked, std::int64_t k) {
  const Type type = stacked->type().with_dims(stacked->type().dims().subspan(1));
  const std::vector<std::byte> dense = stacked->dense_bytes();
  return Literal::make(
      type, std::span(dense).subspan(static_cast<std::size_t>(k) * type.bytes(), type.bytes()));
}

}  // namespace hyperion::testing_support

// product_testing.hpp: products of matrices as programs and as problems, and their results against sums in f64.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "codegen/cuda/schedule_table.hpp"
#include "codegen/driver/tune.hpp"
#include "ir/builder.hpp"
#include "tests/cuda/cuda_testing.hpp"
#include "tests/support/numeric.hpp"

namespace hyperion::testing_support {

using codegen::AsyncKind;
using codegen::AsyncProgram;
using codegen::AsyncStatement;
using codegen::TensorProblem;
using codegen::TensorSchedule;

inline TensorProblem problem(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t depth,
                             bool lhs_along_depth, bool rhs_along_depth, std::int64_t batches = 1) {
  const char layout[] = {lhs_along_depth ? 'N' : 'T', rhs_along_depth ? 'T' : 'N', 0};
  TensorProblem out = codegen::dense_problem(dtype, layout, rows, columns, depth, batches);
  out.may_round = true;
  return out;
}

// ---- changes to programs -------------------------------------------------------------------------------------

inline AsyncStatement* find_next(std::vector<AsyncStatement>& body, AsyncKind kind, int& skip) {
  for (AsyncStatement& statement : body) {
    if (statement.kind == kind && skip-- == 0) return &statement;
    if (AsyncStatement* inner = find_next(statement.body, kind, skip)) return inner;
  }
  return nullptr;
}
// The first statement of a kind in a role, after as many others of it.
inline AsyncStatement* find(std::vector<AsyncStatement>& body, AsyncKind kind, int skip = 0) {
  AsyncStatement* found = find_next(body, kind, skip);
  HYP_CHECK(found != nullptr, "the program has no such statement");
  return found;
}
inline bool erase(std::vector<AsyncStatement>& body, AsyncKind kind) {
  for (std::size_t k = 0; k < body.size(); ++k) {
    if (body[k].kind == kind) {
      body.erase(body.begin() + static_cast<std::ptrdiff_t>(k));
      return true;
    }
    if (erase(body[k].body, kind)) return true;
  }
  return false;
}

// ---- products -------------------------------------------------------------------------------------------------

inline std::unique_ptr<ir::Module> product(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t depth,
                                           bool lhs_along_depth, bool rhs_along_depth, std::int64_t batches,
                                           bool has_epilogue) {
  auto module = std::make_unique<ir::Module>("product");
  ir::Builder b(module->add("f"), module.get());
  const auto shape = [&](std::int64_t first, std::int64_t second) {
    ir::Dims dims;
    if (batches > 1) dims.push_back(Dim(batches));
    dims.push_back(Dim(first));
    dims.push_back(Dim(second));
    return Type(dtype, dims);
  };
  const ir::Value x = b.parameter(lhs_along_depth ? shape(rows, depth) : shape(depth, rows));
  const ir::Value w = b.parameter(rhs_along_depth ? shape(columns, depth) : shape(depth, columns));
  const std::int64_t first = batches > 1 ? 1 : 0;
  const ir::Integers batch = batches > 1 ? ir::Integers{0} : ir::Integers{};
  ir::Value y = b.apply("dot", {x, w},
                        {{"lhs_batch", batch},
                         {"rhs_batch", batch},
                         {"lhs_contract", ir::Integers{lhs_along_depth ? first + 1 : first}},
                         {"rhs_contract", ir::Integers{rhs_along_depth ? first + 1 : first}}});
  if (has_epilogue) {
    const ir::Value bias = b.parameter(Type(dtype, {Dim(columns)}));
    const ir::Value spread = b.apply("broadcast", {bias},
                                     {{"shape", ir::Dims(y.type().dims().begin(), y.type().dims().end())},
                                      {"dims", ir::Integers{y.type().rank() - 1}}});
    y = b.apply("relu", {b.apply("add", {y, spread})});
  }
  b.return_values(std::vector{y});
  return module;
}

struct Shape {
  std::int64_t rows, columns, depth, batches;
};

inline void expect_product(DType dtype, const Shape& s, bool lhs_along_depth, bool rhs_along_depth, bool has_epilogue,
                           const std::optional<TensorSchedule>& schedule = std::nullopt, bool wgmma = true) {
  const auto module =
      product(dtype, s.rows, s.columns, s.depth, lhs_along_depth, rhs_along_depth, s.batches, has_epilogue);
  const codegen::CudaTarget target = cuda_target(false);
  codegen::CudaTarget rounding = target;
  rounding.tf32 = dtype == DType::f32;
  rounding.wgmma = wgmma;
  const TensorProblem p = problem(dtype, s.rows, s.columns, s.depth, lhs_along_depth, rhs_along_depth, s.batches);
  codegen::ScheduleTable table;
  if (schedule) table.pin(p, *schedule);
  std::vector<LiteralPtr> arguments;
  const ir::Function& f = *module->find("f");
  for (std::size_t k = 0; k < f.parameters().size(); ++k) {
    arguments.push_back(random_literal(f.type(f.parameters()[k]), Values::ordinary, 7 * k + 1, -1, 1));
  }
  const auto actual = codegen::run_compiled(*module, "f", arguments, {.target = rounding, .schedules = &table}, *gpu());
  ASSERT_TRUE(actual) << actual.error().text();
  const std::vector<double> x = numbers(arguments[0]), w = numbers(arguments[1]);
  const std::vector<double> bias = has_epilogue ? numbers(arguments[2]) : std::vector<double>{};
  const std::vector<double> y = numbers((*actual)[0]);
  // Half a unit in the last place of the result, of the bias' sum, of tf32's factors, and f32's rounding along the sum.
  const double result_unit = dtype == DType::bf16  ? 0x1p-8
                             : dtype == DType::f16 ? 0x1p-11
                                                   : 0x1p-24,
               factor_unit = dtype == DType::f32 ? 0x1p-10 : 0;
  const auto at = [](bool along, std::int64_t batch, std::int64_t free, std::int64_t k, std::int64_t frees,
                     std::int64_t depth) {
    return static_cast<std::size_t>(batch * frees * depth + (along ? free * depth + k : k * frees + free));
  };
  std::mt19937_64 random(5);
  const std::int64_t elements = s.batches * s.rows * s.columns;
  const std::int64_t checks = std::min<std::int64_t>(elements, 20'000);
  for (std::int64_t c = 0; c < checks; ++c) {
    const std::int64_t e =
        checks == elements ? c : static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(elements));
    const std::int64_t batch = e / (s.rows * s.columns), row = e / s.columns % s.rows, column = e % s.columns;
    double sum = 0, size = 0;
    for (std::int64_t k = 0; k < s.depth; ++k) {
      const double term = x[at(lhs_along_depth, batch, row, k, s.rows, s.depth)] *
                          w[at(rhs_along_depth, batch, column, k, s.columns, s.depth)];
      sum += term, size += std::abs(term);
    }
    const double error = size * (factor_unit + 0x1p-22) + 2 * result_unit * (std::abs(sum) + 2) + 1e-30;
    double expected = sum;
    if (has_epilogue) expected = std::max(0.0, sum + bias[static_cast<std::size_t>(column)]);
    ASSERT_NEAR(y[static_cast<std::size_t>(e)], expected, error)
        << dtype_name(dtype) << " " << s.batches << "x" << s.rows << "x" << s.columns << "x" << s.depth << " at "
        << batch << ", " << row << ", " << column << (schedule ? ", " + schedule->text() : "");
  }
}

}  // namespace hyperion::testing_support

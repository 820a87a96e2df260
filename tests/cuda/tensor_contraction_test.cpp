// Products on the tensor cores: their asynchronous programs under the verifier, sound and with a fault put in; their code
// through NVRTC; and on a GPU their numbers, in all layouts and ragged sizes, against sums in f64.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "codegen/cuda/schedule_table.hpp"
#include "codegen/cuda/tensor_contraction.hpp"
#include "ir/builder.hpp"
#include "runtime/cuda/compiler.hpp"
#include "tests/cuda/cuda_testing.hpp"
#include "tests/support/numeric.hpp"

namespace hyperion {
namespace {

using codegen::AsyncKind;
using codegen::AsyncProgram;
using codegen::AsyncStatement;
using codegen::TensorProblem;
using codegen::TensorSchedule;
using testing_support::gpu;

constexpr int kSharedLimit = 232448;

TensorProblem problem(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t depth, bool lhs_along_depth, bool rhs_along_depth,
                      std::int64_t batches = 1) {
  const char layout[] = {lhs_along_depth ? 'N' : 'T', rhs_along_depth ? 'T' : 'N', 0};
  TensorProblem out = codegen::dense_problem(dtype, layout, rows, columns, depth, batches);
  out.may_round = true;
  return out;
}

// ---- programs -------------------------------------------------------------------------------------------------

TEST(AsyncProgram, EveryScheduleIsSound) {
  for (const bool lhs : {true, false}) {
    for (const bool rhs : {true, false}) {
      const TensorProblem p = problem(DType::bf16, 4096, 4096, 4096, lhs, rhs);
      for (const TensorSchedule& schedule : codegen::tensor_schedules(p, *codegen::cuda_target("sm_90a"))) {
        EXPECT_EQ(verify(tensor_program(p, schedule), kSharedLimit), std::vector<std::string>{}) << schedule.text();
      }
    }
  }
}

AsyncStatement* find_next(std::vector<AsyncStatement>& body, AsyncKind kind, int& skip) {
  for (AsyncStatement& statement : body) {
    if (statement.kind == kind && skip-- == 0) return &statement;
    if (AsyncStatement* inner = find_next(statement.body, kind, skip)) return inner;
  }
  return nullptr;
}
// The first statement of a kind in a role, after as many others of it.
AsyncStatement* find(std::vector<AsyncStatement>& body, AsyncKind kind, int skip = 0) {
  AsyncStatement* found = find_next(body, kind, skip);
  HYP_CHECK(found != nullptr, "the program has no such statement");
  return found;
}
bool erase(std::vector<AsyncStatement>& body, AsyncKind kind) {
  for (std::size_t k = 0; k < body.size(); ++k) {
    if (body[k].kind == kind) {
      body.erase(body.begin() + static_cast<std::ptrdiff_t>(k));
      return true;
    }
    if (erase(body[k].body, kind)) return true;
  }
  return false;
}

struct Fault {
  const char* name;
  std::function<void(AsyncProgram&)> put;
  bool only_turns = false;
};

TEST(AsyncProgram, FaultsAreFound) {
  const auto producer = [](AsyncProgram& p) -> std::vector<AsyncStatement>& { return p.roles[0].body; };
  const auto consumer = [](AsyncProgram& p, std::size_t k = 1) -> std::vector<AsyncStatement>& { return p.roles[k].body; };
  const std::vector<Fault> faults = {
      {"producer does not wait for an empty stage", [&](auto& p) { erase(producer(p), AsyncKind::wait); }},
      {"producer expects nothing", [&](auto& p) { erase(producer(p), AsyncKind::expect); }},
      {"producer expects too few bytes", [&](auto& p) { find(producer(p), AsyncKind::expect)->bytes -= 1024; }},
      {"producer expects too many bytes", [&](auto& p) { find(producer(p), AsyncKind::expect)->bytes += 1024; }},
      {"a load is missing", [&](auto& p) { erase(producer(p), AsyncKind::load); }},
      {"a load is too short", [&](auto& p) { find(producer(p), AsyncKind::load)->bytes -= 1024; }},
      {"a load counts at the wrong barrier", [&](auto& p) { find(producer(p), AsyncKind::load)->barrier = 1; }},
      {"a shared load is not sent to all", [&](auto& p) { find(producer(p), AsyncKind::load, 1)->multicast = false; }},
      {"an own load is sent to all", [&](auto& p) { find(producer(p), AsyncKind::load)->multicast = true; }},
      {"two loads of one operand", [&](auto& p) { find(producer(p), AsyncKind::load, 1)->operand = 0; }},
      {"producer's cursor stands still", [&](auto& p) { erase(producer(p), AsyncKind::advance); }},
      {"producer starts in the other phase", [&](auto& p) { p.roles[0].starts_free = false; }},
      {"producer leaves early", [&](auto& p) { erase(producer(p), AsyncKind::drain); }},
      {"producer waits for the wrong barrier", [&](auto& p) { find(producer(p), AsyncKind::wait)->barrier = 0; }},
      {"consumer does not wait for a full stage", [&](auto& p) { erase(consumer(p), AsyncKind::wait); }},
      {"consumer waits for the wrong barrier", [&](auto& p) { find(consumer(p), AsyncKind::wait)->barrier = 1; }},
      {"consumer starts in the other phase", [&](auto& p) { p.roles[1].starts_free = true; }},
      {"no fence before products", [&](auto& p) { erase(consumer(p), AsyncKind::fence); }},
      {"products are not committed", [&](auto& p) { erase(consumer(p), AsyncKind::commit); }},
      {"products are not multiplied out", [&](auto& p) { find(consumer(p), AsyncKind::wait_multiplies, 1)->pending = 1; }},
      {"a stage is given back while it is read", [&](auto& p) { find(consumer(p), AsyncKind::wait_multiplies)->pending = 2; }},
      {"the current stage is given back", [&](auto& p) { find(consumer(p), AsyncKind::arrive)->lag = 0; }},
      {"a stage too far back is given back", [&](auto& p) { find(consumer(p), AsyncKind::arrive)->lag = 2; }},
      {"the last stage is not given back", [&](auto& p) { find(consumer(p), AsyncKind::arrive, 1)->lag = 0; }},
      {"no stage but the last is given back", [&](auto& p) { erase(consumer(p), AsyncKind::after_first); }},
      {"arrives at the wrong barrier", [&](auto& p) { find(consumer(p), AsyncKind::arrive)->barrier = 0; }},
      {"consumer's cursor stands still", [&](auto& p) { erase(consumer(p), AsyncKind::advance); }},
      {"the empty barrier wants too many", [&](auto& p) { ++p.barriers[1].arrivals; }},
      {"the empty barrier wants too few", [&](auto& p) { --p.barriers[1].arrivals; }},
      {"the full barrier wants two", [&](auto& p) { ++p.barriers[0].arrivals; }},
      {"a consumer arrives twice", [&](auto& p) { p.roles[1].arrivals = 2; }},
      {"the ring does not fit", [&](auto& p) { p.shared_bytes = kSharedLimit + 1024; }},
      {"the ring is larger than its memory", [&](auto& p) { p.shared_bytes = 1024; }},
      {"registers are over-committed", [&](auto& p) { p.roles[1].registers = 248, p.roles[2].registers = 248; }},
      {"registers are no multiple of eight", [&](auto& p) { p.roles[0].registers = 44; }},
      {"threads do not add up", [&](auto& p) { p.threads = 512; }},
      {"no turn is taken", [&](auto& p) { erase(consumer(p, 2), AsyncKind::turn_wait); erase(consumer(p, 2), AsyncKind::skip); }, true},
      {"a turn is not passed on", [&](auto& p) { erase(consumer(p), AsyncKind::turn_pass); }, true},
      {"the other's stages are not skipped", [&](auto& p) { erase(consumer(p, 2), AsyncKind::skip); }, true},
      {"both take every tile", [&](auto& p) { p.roles[2].first_tile = 0; }, true},
  };
  const TensorProblem p = problem(DType::bf16, 4096, 4096, 4096, true, true);
  const AsyncProgram together = tensor_program(p, {.rows = 128, .columns = 256, .stages = 4, .cluster = 2});
  const AsyncProgram turns = tensor_program(p, {.rows = 128, .columns = 128, .stages = 4, .cluster = 2, .takes_turns = true});
  for (const Fault& fault : faults) {
    AsyncProgram program = fault.only_turns ? turns : together;
    fault.put(program);
    EXPECT_FALSE(verify(program, kSharedLimit).empty()) << fault.name;
  }
  EXPECT_GE(faults.size(), 30u);
}

// ---- code and numbers -----------------------------------------------------------------------------------------

std::unique_ptr<ir::Module> product(DType dtype, std::int64_t rows, std::int64_t columns, std::int64_t depth, bool lhs_along_depth,
                                    bool rhs_along_depth, std::int64_t batches, bool has_epilogue) {
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
  ir::Value y = b.apply("dot", {x, w}, {{"lhs_batch", batch},
                                        {"rhs_batch", batch},
                                        {"lhs_contract", ir::Integers{lhs_along_depth ? first + 1 : first}},
                                        {"rhs_contract", ir::Integers{rhs_along_depth ? first + 1 : first}}});
  if (has_epilogue) {
    const ir::Value bias = b.parameter(Type(dtype, {Dim(columns)}));
    const ir::Value spread = b.apply("broadcast", {bias}, {{"shape", ir::Dims(y.type().dims().begin(), y.type().dims().end())}, {"dims", ir::Integers{y.type().rank() - 1}}});
    y = b.apply("relu", {b.apply("add", {y, spread})});
  }
  b.return_values(std::vector{y});
  return module;
}

TEST(TensorContraction, CompilesWithoutSpillsOrAdvisories) {
  if (!testing_support::has_nvrtc()) GTEST_SKIP() << "there is no NVRTC here";
  runtime::cuda::Compiler compiler;
  const codegen::CudaTarget target = *codegen::cuda_target("sm_90a");
  for (const TensorSchedule& schedule : tensor_schedules(problem(DType::bf16, 2048, 2048, 512, true, false), target)) {
    codegen::ScheduleTable pinned;
    pinned.pin(problem(DType::bf16, 2048, 2048, 512, true, false), schedule);
    const auto module = product(DType::bf16, 2048, 2048, 512, true, false, 1, true);
    std::string source;
    codegen::StageListener listener{.wants_code = false};
    listener.text = [&](codegen::Stage, const std::string& text) { source = text; };
    ASSERT_TRUE(codegen::compile(*module, "f", {.target = target, .schedules = &pinned}, listener));
    const auto program = compiler.compile({.name = "product.cu", .source = source, .architecture = "sm_90a", .options = {"--fmad=false"}});
    ASSERT_TRUE(program) << program.error().text();
    EXPECT_TRUE(program->log.advisories.empty()) << schedule.text() << "\n" << program->log_text;
    for (const auto& kernel : program->log.kernels) EXPECT_FALSE(kernel.spills()) << schedule.text();
  }
}

struct Shape {
  std::int64_t rows, columns, depth, batches;
};

void expect_product(DType dtype, const Shape& s, bool lhs_along_depth, bool rhs_along_depth, bool has_epilogue,
                    const std::optional<TensorSchedule>& schedule = std::nullopt) {
  const auto module = product(dtype, s.rows, s.columns, s.depth, lhs_along_depth, rhs_along_depth, s.batches, has_epilogue);
  const codegen::CudaTarget target = testing_support::cuda_target(false);
  codegen::CudaTarget rounding = target;
  rounding.tf32 = dtype == DType::f32;
  const TensorProblem p = problem(dtype, s.rows, s.columns, s.depth, lhs_along_depth, rhs_along_depth, s.batches);
  codegen::ScheduleTable table;
  if (schedule) table.pin(p, *schedule);
  std::vector<LiteralPtr> arguments;
  const ir::Function& f = *module->find("f");
  for (std::size_t k = 0; k < f.parameters().size(); ++k) {
    arguments.push_back(testing_support::random_literal(f.type(f.parameters()[k]), testing_support::Values::ordinary, 7 * k + 1, -1, 1));
  }
  const auto actual = codegen::run_compiled(*module, "f", arguments, {.target = rounding, .schedules = &table}, *gpu());
  ASSERT_TRUE(actual) << actual.error().text();
  const std::vector<double> x = testing_support::numbers(arguments[0]), w = testing_support::numbers(arguments[1]);
  const std::vector<double> bias = has_epilogue ? testing_support::numbers(arguments[2]) : std::vector<double>{};
  const std::vector<double> y = testing_support::numbers((*actual)[0]);
  // Half a unit in the last place of the result, of the bias' sum, of tf32's factors, and f32's rounding along the sum.
  const double result_unit = dtype == DType::bf16 ? 0x1p-8 : dtype == DType::f16 ? 0x1p-11 : 0x1p-24, factor_unit = dtype == DType::f32 ? 0x1p-10 : 0;
  const auto at = [](bool along, std::int64_t batch, std::int64_t free, std::int64_t k, std::int64_t frees, std::int64_t depth) {
    return static_cast<std::size_t>(batch * frees * depth + (along ? free * depth + k : k * frees + free));
  };
  std::mt19937_64 random(5);
  const std::int64_t elements = s.batches * s.rows * s.columns;
  const std::int64_t checks = std::min<std::int64_t>(elements, 20'000);
  for (std::int64_t c = 0; c < checks; ++c) {
    const std::int64_t e = checks == elements ? c : static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(elements));
    const std::int64_t batch = e / (s.rows * s.columns), row = e / s.columns % s.rows, column = e % s.columns;
    double sum = 0, size = 0;
    for (std::int64_t k = 0; k < s.depth; ++k) {
      const double term = x[at(lhs_along_depth, batch, row, k, s.rows, s.depth)] * w[at(rhs_along_depth, batch, column, k, s.columns, s.depth)];
      sum += term, size += std::abs(term);
    }
    const double error = size * (factor_unit + 0x1p-22) + 2 * result_unit * (std::abs(sum) + 2) + 1e-30;
    double expected = sum;
    if (has_epilogue) expected = std::max(0.0, sum + bias[static_cast<std::size_t>(column)]);
    ASSERT_NEAR(y[static_cast<std::size_t>(e)], expected, error)
        << dtype_name(dtype) << " " << s.batches << "x" << s.rows << "x" << s.columns << "x" << s.depth << " at " << batch << ", " << row << ", "
        << column << (schedule ? ", " + schedule->text() : "");
  }
}

TEST(TensorContraction, AllLayoutsAndRaggedSizes) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  const Shape shapes[] = {{128, 256, 64, 1}, {8, 8, 8, 1}, {1, 64, 64, 1},     {136, 264, 72, 1}, {512, 512, 512, 1}, {1000, 776, 328, 1},
                          {64, 72, 1032, 1}, {24, 40, 16, 3}, {200, 136, 88, 5}, {4096, 16, 128, 1}, {16, 4096, 96, 1},  {7, 24, 40, 1}};
  for (const Shape& shape : shapes) {
    for (const bool lhs : {true, false}) {
      for (const bool rhs : {true, false}) {
        for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
          expect_product(dtype, shape, lhs, rhs, shape.rows % 16 == 8);
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST(TensorContraction, EverySchedule) {
  if (gpu() == nullptr) GTEST_SKIP() << "there is no GPU here";
  for (const bool lhs : {true, false}) {
    for (const bool rhs : {true, false}) {
      const Shape shape{1160, 1032, 520, 1};
      for (const TensorSchedule& schedule : tensor_schedules(problem(DType::bf16, shape.rows, shape.columns, shape.depth, lhs, rhs), testing_support::cuda_target(false))) {
        expect_product(DType::bf16, shape, lhs, rhs, true, schedule);
        if (HasFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace hyperion

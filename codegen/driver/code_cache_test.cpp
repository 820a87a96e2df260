#include "codegen/driver/code_cache.hpp"

#include <gtest/gtest.h>

#include "tests/support/temp_folder.hpp"

namespace hyperion::codegen {
namespace {

using testing_support::TempFolder;

// Code that says what it was made by.
runtime::Module code(const std::string& by) {
  runtime::Module module;
  module.producer = by;
  return module;
}

class CodeCache : public ::testing::Test {
 protected:
  CodeCache() : target_(*cuda_target("sm_90a")), cache_({.folder = folder_.path("cache"), .producer = "test"}) {
    target_.device = "NVIDIA H200";
    store_ = std::make_shared<runtime::TuningStore>(runtime::TuningStoreOptions{folder_.path("cache"), "build 1"});
  }

  static TensorProblem problem(std::int64_t size) { return dense_problem(DType::bf16, "NT", size, size, size); }
  void measure(std::int64_t size, const std::string& schedule, double seconds) {
    ASSERT_TRUE(store_->put(
        problem_class(problem(size)), machine_of(target_),
        {.schedule = schedule, .seconds = seconds, .spread = 0, .runs = 1, .peer_seconds = {}, .measured_at = 1}));
  }
  // As if a program with these products were compiled.
  void keep(const std::string& by, std::initializer_list<std::int64_t> sizes) {
    ScheduleTable table(store_);
    for (const std::int64_t size : sizes) table.choose(problem(size), target_);
    keep_code(cache_, kProgram, table, code(by));
  }
  std::string found() {
    const auto module = find_code(cache_, kProgram, ScheduleTable(store_), &target_);
    return module ? module->producer : "nothing";
  }

  static constexpr Hash128 kProgram{1, 2};
  TempFolder folder_;
  CudaTarget target_;
  runtime::DiskCache cache_;
  std::shared_ptr<runtime::TuningStore> store_;
};

TEST_F(CodeCache, CodeWithoutProductsLiesUnderItsProgram) {
  EXPECT_EQ(found(), "nothing");
  keep("first", {});
  EXPECT_EQ(found(), "first");
  EXPECT_TRUE(find_code(cache_, kProgram, ScheduleTable(), nullptr));
  EXPECT_EQ(cache_.list().size(), 1u);
}

TEST_F(CodeCache, AMeasurementLeadsToNewCodeAndBack) {
  keep("the model", {1024, 2048});
  EXPECT_EQ(found(), "the model");
  const std::string one = tensor_schedules(problem(2048), target_)[1].text(),
                    two = tensor_schedules(problem(2048), target_)[2].text();
  measure(2048, one, 2e-3);
  EXPECT_EQ(found(), "nothing") << "code of an older schedule";
  keep("measured once", {1024, 2048});
  EXPECT_EQ(found(), "measured once");
  // The same winner, and slower ones, change nothing; products of other programs neither.
  measure(2048, one, 1.9e-3);
  measure(2048, two, 3e-3);
  measure(4096, two, 1e-3);
  EXPECT_EQ(found(), "measured once");
  measure(2048, two, 1e-3);
  EXPECT_EQ(found(), "nothing");
  keep("measured twice", {1024, 2048});
  EXPECT_EQ(found(), "measured twice");
  // Forgotten: the first code is there still.
  store_->forget();
  EXPECT_EQ(found(), "the model");
}

TEST_F(CodeCache, ListsThatAreNoneAreMisses) {
  for (const std::string bad :
       {"products on tensor cores\nno product\n", "products on tensor cores\ncontract bf16 NT 64x64x64", ""}) {
    cache_.put(kProgram, std::as_bytes(std::span(bad)));
    EXPECT_EQ(found(), "nothing");
  }
  keep("mended", {1024});
  EXPECT_EQ(found(), "mended");
}

}  // namespace
}  // namespace hyperion::codegen

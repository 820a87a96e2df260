#include "frontend/data/csv.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/shared_data.hpp"

namespace hyperion::data {
namespace {

std::vector<float> values_of(std::string_view text, const CsvOptions& options = {}) {
  const auto table = parse_csv(text, "t.csv", options);
  if (!table) return {};
  const auto values = table->values.as<float>();
  return {values.begin(), values.end()};
}

std::string error_of(std::string_view text, const CsvOptions& options = {}) {
  const auto table = parse_csv(text, "t.csv", options);
  return table ? "no error" : table.error().text();
}

TEST(Csv, ReadsNumbersInAnyLayout) {
  EXPECT_EQ(values_of("1,2\n3,4\n"), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(values_of(" 1 ,\t+2\r\n-3e-1,4.5\r\n\r\n\n"), (std::vector<float>{1, 2, -0.3f, 4.5f}));
  EXPECT_EQ(values_of("1;2", {.separator = ';'}), (std::vector<float>{1, 2}));
  EXPECT_TRUE(std::isnan(values_of("nan")[0]));
  EXPECT_TRUE(std::isinf(values_of("-inf")[0]));
}

TEST(Csv, ShapeAndHeader) {
  const auto table = parse_csv("x, y ,z\n1,2,3\n4,5,6", "t.csv", {.has_header = true}).value();
  EXPECT_EQ(table.columns, (std::vector<std::string>{"x", "y", "z"}));
  EXPECT_EQ(table.values.dims, (std::vector<std::int64_t>{2, 3}));
  const auto empty = parse_csv("x,y\n", "t.csv", {.has_header = true}).value();
  EXPECT_EQ(empty.values.dims, (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(parse_csv("", "t.csv").value().values.dims, (std::vector<std::int64_t>{0, 0}));
}

TEST(Csv, DoublesKeepTheirPrecision) {
  const auto table = parse_csv("0.1", "t.csv", {.dtype = DType::f64}).value();
  EXPECT_EQ(table.values.as<double>()[0], 0.1);
}

TEST(Csv, ErrorsPointAtLineAndColumn) {
  EXPECT_EQ(error_of("1,2\n3, x4\n"), "invalid_argument: t.csv:2:4: expected a number, found 'x4'");
  EXPECT_EQ(error_of("1,2\n3,\n"), "invalid_argument: t.csv:2:3: expected a number, found nothing");
  EXPECT_EQ(error_of("1,2\n3\n"),
            "invalid_argument: t.csv:2:2: found 1 fields, expected 2 as in line 1");
  EXPECT_EQ(error_of("1\n\n2"), "invalid_argument: t.csv:2:1: expected a number, found nothing");
  EXPECT_EQ(
      error_of("1 2"),
      "invalid_argument: t.csv:1:1: expected a number, found '1 2'; if the first line names the "
      "columns, read it as a header");
  EXPECT_EQ(error_of("1e99"), "invalid_argument: t.csv:1:1: '1e99' does not fit in f32");
  EXPECT_EQ(error_of("a,b\n1,2,3", {.has_header = true}),
            "invalid_argument: t.csv:2:6: found 3 fields, expected 2 as in line 1");
}

TEST(Csv, NumbersAreFloating) {
  EXPECT_EQ(error_of("1", {.dtype = DType::i32}),
            "invalid_argument: t.csv: numbers cannot be read as i32; read f32 or f64 and convert");
}

TEST(Csv, RealDigits) {
  HYP_SHARED_DATA_OR_SKIP(const std::string path, "digits/optdigits.tes");
  const auto table = read_csv(path);
  ASSERT_TRUE(table) << table.error().text();
  EXPECT_EQ(table->values.dims, (std::vector<std::int64_t>{1797, 65}));
  std::vector<int> counts(10);
  const auto values = table->values.as<float>();
  for (std::size_t row = 0; row < 1797; ++row) ++counts.at(static_cast<int>(values[row * 65 + 64]));
  EXPECT_EQ(counts, (std::vector<int>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}));
}

}  // namespace
}  // namespace hyperion::data

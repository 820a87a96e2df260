#include "frontend/data/csv.hpp"

#include <algorithm>
#include <charconv>

#include "ir/support/file.hpp"
#include "ir/support/format.hpp"

namespace hyperion::data {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r";
  const std::size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

// Cuts the text before `separator`, and the separator, off the front of `rest`.
std::string_view cut(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

template <class T>
class Parser {
 public:
  Parser(std::string_view text, const std::string& name, const CsvOptions& options)
      : text_(text), name_(name), options_(options) {}

  StatusOr<CsvTable> parse() {
    CsvTable table;
    if (options_.has_header) {
      std::string_view line = next_line();
      column_count_ = 1 + static_cast<std::size_t>(std::ranges::count(line, options_.separator));
      first_row_ = line_;
      for (std::size_t i = 0; i < column_count_; ++i) {
        table.columns.emplace_back(trimmed(cut(line, options_.separator)));
      }
    }
    std::size_t rows = 0;
    while (!text_.empty()) {
      HYP_TRY_VOID(parse_row(next_line()));
      ++rows;
    }
    const std::span<const T> values(values_);
    table.values = HostArray::from(
        values, {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(column_count_)});
    return table;
  }

 private:
  std::string_view next_line() {
    ++line_;
    return cut(text_, '\n');
  }

  StatusOr<> parse_row(const std::string_view line) {
    const std::size_t found =
        1 + static_cast<std::size_t>(std::ranges::count(line, options_.separator));
    if (column_count_ == 0) {
      column_count_ = found;
      first_row_ = line_;
    }
    std::string_view rest = line;
    for (std::size_t i = 0; i < std::min(found, column_count_); ++i) {
      const auto column = static_cast<std::size_t>(rest.data() - line.data()) + 1;
      HYP_TRY_VOID(parse_number(cut(rest, options_.separator), column));
    }
    if (found == column_count_) return {};
    return error(line.size() + 1, format("found {} fields, expected {} as in line {}", found,
                                         column_count_, first_row_));
  }

  StatusOr<> parse_number(std::string_view field, std::size_t column) {
    std::string_view number = trimmed(field);
    if (number.empty()) return error(column, "expected a number, found nothing");
    column += static_cast<std::size_t>(number.data() - field.data());
    if (number.starts_with('+')) number.remove_prefix(1);
    T value{};
    const char* end = number.data() + number.size();
    const auto [parsed, code] = std::from_chars(number.data(), end, value);
    if (code == std::errc::result_out_of_range) {
      return error(column, format("'{}' does not fit in {}", number, dtype_name(options_.dtype)));
    }
    if (code != std::errc{} || parsed != end) {
      constexpr std::size_t kShown = 40;
      return error(column,
                   format("expected a number, found '{}{}'", number.substr(0, kShown),
                          number.size() > kShown ? "..." : ""),
                   line_ == 1 ? "if the first line names the columns, read it as a header" : "");
    }
    values_.push_back(value);
    return {};
  }

  std::unexpected<Status> error(std::size_t column, std::string message, std::string advice = {}) {
    return error_status(Code::invalid_argument, std::move(message),
                        format("{}:{}:{}", name_, line_, column), std::move(advice));
  }

  std::string_view text_;
  const std::string& name_;
  const CsvOptions& options_;
  std::vector<T> values_;
  std::size_t line_ = 0;
  std::size_t first_row_ = 0;
  std::size_t column_count_ = 0;
};

}  // namespace

StatusOr<CsvTable> parse_csv(std::string_view text, const std::string& name,
                             const CsvOptions& options) {
  if (options.dtype != DType::f32 && options.dtype != DType::f64) {
    return error_status(Code::invalid_argument, format("numbers cannot be read as {}", dtype_name(options.dtype)), name,
                        "read f32 or f64 and convert");
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return options.dtype == DType::f32 ? Parser<float>(text, name, options).parse()
                                     : Parser<double>(text, name, options).parse();
}

StatusOr<CsvTable> read_csv(const std::string& path, const CsvOptions& options) {
  HYP_TRY(const MappedFile file, MappedFile::open(path));
  const auto* text = reinterpret_cast<const char*>(file.bytes().data());
  return parse_csv({text, file.bytes().size()}, path, options);
}

}  // namespace hyperion::data

// csv.hpp: tables of numbers in text form.
//
// One row a line, fields separated by one character, every row as long as the first; spaces around
// a number are ignored, lines may end in CR LF, and empty lines at the end do not count. Numbers
// are decimal (1, -2.5, 3e-4, inf, nan) and do not depend on the locale. Quoting is not supported:
// these are numbers. Thread safety: all functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontend/data/host_array.hpp"
#include "ir/support/status.hpp"

namespace hyperion::data {

struct CsvOptions {
  bool has_header = false;  // the first line names the columns
  char separator = ',';
  DType dtype = DType::f32;  // f32 or f64
};

struct CsvTable {
  std::vector<std::string> columns;  // empty without a header
  HostArray values;                  // [rows, columns]
};

// Errors name path:line:column, both counted from 1.
StatusOr<CsvTable> read_csv(const std::string& path, const CsvOptions& options = {});

// As read_csv, from memory; `name` stands for the path in errors.
StatusOr<CsvTable> parse_csv(std::string_view text, const std::string& name,
                             const CsvOptions& options = {});

}  // namespace hyperion::data

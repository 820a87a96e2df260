// testing.hpp: what the tests of this room share.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <source_location>
#include <string>
#include <vector>

#include "frontend/tensor.hpp"
#include "ir/support/status.hpp"

namespace hyperion::testing {

using Doubles = std::vector<double>;

// The message of the Error that `statement` throws, with the repository's folder removed (however the compiler was given
// it: caches of compilers make it relative) and the expected line written as <line>, without its column. Expected is the
// line of the call, or one `lines_above` it. In arguments of a macro clang places everything at the macro's end, but not
// __LINE__; so the call tells its line by the same means as the statement.
template <class F>
std::string error_of(F statement, unsigned lines_above = 0,
                     std::source_location here = std::source_location::current()) {
  try {
    statement();
  } catch (const Error& error) {
    std::string text = error.what();
    // A compiler cache may have made the folder relative, so whatever stands before the room's name is it.
    for (std::size_t at; (at = text.find("/frontend/")) != std::string::npos;) {
      const std::size_t space = text.find_last_of(" \n(", at);
      const std::size_t begin = space == std::string::npos ? 0 : space + 1;
      text.erase(begin, at + 1 - begin);
    }
    const std::string place = ":" + std::to_string(here.line() - lines_above) + ":";
    if (const std::size_t at = text.find(place); at != std::string::npos) {
      const std::size_t end = text.find(':', at + place.size());
      text.replace(at, end - at, ":<line>");
    }
    return text;
  }
  return "(no error)";
}

// Each element within `tolerance` of the reference, relative to numbers of size one.
inline void expect_close(const Tensor& actual, const Doubles& expected, double tolerance = 1e-6) {
  const Doubles values = actual.to_vector<double>();
  ASSERT_EQ(values.size(), expected.size()) << actual.type().text();
  for (std::size_t k = 0; k < values.size(); ++k) {
    const double scale = std::max(1.0, std::fabs(expected[k]));
    EXPECT_NEAR(values[k] / scale, expected[k] / scale, tolerance) << "element " << k;
  }
}

// Numbers that look arbitrary and are the same everywhere.
inline Doubles numbers(std::size_t count, double phase) {
  Doubles out;
  for (std::size_t k = 0; k < count; ++k) out.push_back(std::sin(1.7 * static_cast<double>(k) + phase));
  return out;
}

}  // namespace hyperion::testing

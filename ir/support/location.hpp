// location.hpp: where something came from. Every op has one, and rewrites carry it along.
//
// A Location is four bytes; the text lives in a process-wide table that only grows. Locations compare equal when
// they denote the same place. Thread safety: all functions.
#pragma once

#include <compare>
#include <cstdint>
#include <source_location>
#include <span>
#include <string>
#include <string_view>

namespace hyperion {

class Location {
 public:
  constexpr Location() = default;  // unknown
  static Location file(std::string_view file, std::uint32_t line, std::uint32_t column);
  static Location from(const std::source_location& place);  // fast: cached by address
  // Several places that became one op; nested fusions are flattened, duplicates dropped, order kept.
  static Location fused(std::span<const Location> parts);

  bool known() const { return id_ != 0; }
  // "train.cpp":41:12, or fused["a.cpp":1:2, "b.cpp":3:4]; the form the IR text uses inside loc(...).
  std::string text() const;
  // train.cpp:41:12 of the first part: the form diagnostics use. "<unknown>" when unknown.
  std::string first() const;
  std::string_view file_name() const;  // of the first part
  std::uint32_t line() const;
  std::uint32_t column() const;

  friend constexpr auto operator<=>(Location, Location) = default;

 private:
  explicit constexpr Location(std::uint32_t id) : id_(id) {}
  std::uint32_t id_ = 0;
};

}  // namespace hyperion

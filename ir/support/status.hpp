// status.hpp: errors that happen while something runs: devices, memory, files, caches.
//
// A Status says what happened, where, with which values, and what to do; it is never constructed on success.
// At the public C++ edge it becomes the exception Error. Codes follow absl's canonical sixteen plus
// `incompatible`, so that they map to C, Python and gRPC without thought.
#pragma once

#include <cstdint>
#include <expected>
#include <stdexcept>
#include <string>
#include <string_view>

#include "ir/support/result.hpp"

namespace hyperion {

enum class Code : std::uint8_t {
  ok,
  cancelled,
  unknown,
  invalid_argument,
  deadline_exceeded,
  not_found,
  already_exists,
  permission_denied,
  resource_exhausted,
  failed_precondition,
  aborted,
  out_of_range,
  unimplemented,
  internal,
  unavailable,
  data_loss,
  unauthenticated,
  incompatible = 18,
};

// "invalid_argument", "data_loss", ...
std::string_view code_name(Code code);

struct Status {
  Code code = Code::unknown;
  std::string message;   // what happened, with the values
  std::string where;     // file and line, op, or path; may be empty
  std::string advice;    // what to do; may be empty

  // "data_loss: checkpoint.safetensors: header ends at byte 12 of 40; the file is truncated; use an older one"
  std::string text() const;
};

template <class T = void>
using StatusOr = std::expected<T, Status>;

inline std::unexpected<Status> error_status(Code code, std::string message, std::string where = {},
                                            std::string advice = {}) {
  return std::unexpected(
      Status{code, std::move(message), std::move(where), std::move(advice)});
}

// The one exception type that leaves the library. `what()` is the whole text shown to the user.
class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& text) : std::runtime_error(text), code_(code) {}
  explicit Error(const Status& status) : std::runtime_error(status.text()), code_(status.code) {}
  Code code() const { return code_; }

 private:
  Code code_;
};

// The value, or its Status thrown as Error: for the public edge and for tools.
template <class T>
T value_or_throw(StatusOr<T> result) {
  if (!result) throw Error(result.error());
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace hyperion

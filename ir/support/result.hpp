// result.hpp: how a function says that it did not succeed.
//
// Result<T>   compiler: the cause has *already* been reported to Diagnostics, so Failure is empty.
// StatusOr<T> run time: the cause travels in the Status (ir/support/status.hpp).
//
// HYP_TRY and HYP_TRY_VOID return early with the failure of either; they are several statements, so always put
// them inside braces.
#pragma once

#include <expected>
#include <utility>

namespace hyperion {

struct [[nodiscard]] Failure {};

template <class T = void>
using Result = std::expected<T, Failure>;

inline std::unexpected<Failure> failure() { return std::unexpected(Failure{}); }

}  // namespace hyperion

#define HYP_CONCAT_INNER(a, b) a##b
#define HYP_CONCAT(a, b) HYP_CONCAT_INNER(a, b)

// HYP_TRY(auto type, infer_dot(lhs, rhs, diagnostics));
#define HYP_TRY(declaration, expression) \
  HYP_TRY_NAMED(HYP_CONCAT(hyp_try_, __LINE__), declaration, expression)
#define HYP_TRY_NAMED(name, declaration, expression)                         \
  auto name = (expression);                                                  \
  if (!name) [[unlikely]] return std::unexpected(std::move(name).error());   \
  declaration = *std::move(name)

#define HYP_TRY_VOID(expression) HYP_TRY_VOID_NAMED(HYP_CONCAT(hyp_try_, __LINE__), expression)
#define HYP_TRY_VOID_NAMED(name, expression) \
  if (auto name = (expression); !name) [[unlikely]] return std::unexpected(std::move(name).error())

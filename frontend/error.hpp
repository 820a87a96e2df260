// error.hpp: the one place where the frontend throws.
//
// A tensor expression cannot return an expected, so its errors are thrown when the op is recorded, with the diagnostic
// that the compiler would have printed and the user's line. Nothing has run by then. Thread safety: all functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/support/diagnostics.hpp"
#include "ir/support/location.hpp"
#include "ir/support/status.hpp"

namespace hyperion::frontend {

// "train.cpp:41:12: error: <message> [<id>]" and, when there is one, "  hint: <hint>".
[[noreturn]] void raise(Location where, std::string_view id, std::string message,
                        std::string hint = {});
// Every id that may stand there, with its explanation: frontend/diagnostics.def.
const std::vector<DiagnosticInfo>& frontend_diagnostics();

// What the compiler reported. REQUIRES: diagnostics.has_errors().
[[noreturn]] void raise(const Diagnostics& diagnostics);
// What went wrong while running, with the user's line in front.
[[noreturn]] void raise(Location where, const Status& status);

}  // namespace hyperion::frontend

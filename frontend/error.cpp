#include "frontend/error.hpp"

namespace hyperion::frontend {

const std::vector<DiagnosticInfo>& frontend_diagnostics() {
  static const std::vector<DiagnosticInfo> catalogue = {
#define HYP_DIAGNOSTIC(id, summary, explanation) {id, summary, explanation},
#include "frontend/diagnostics.def"
#undef HYP_DIAGNOSTIC
  };
  return catalogue;
}

void raise(const Diagnostics& diagnostics) {
  std::string text = diagnostics.render();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  throw Error(Code::invalid_argument, text);
}

void raise(Location where, std::string_view id, std::string message, std::string hint) {
  Diagnostics diagnostics;
  diagnostics.error(id, std::move(message), {}, where).hint = std::move(hint);
  raise(diagnostics);
}

void raise(Location where, const Status& status) {
  throw Error(status.code, where.known() ? where.first() + ": " + status.text() : status.text());
}

}  // namespace hyperion::frontend

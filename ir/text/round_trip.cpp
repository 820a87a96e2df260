#include "ir/text/round_trip.hpp"

#include <algorithm>

#include "ir/support/format.hpp"
#include "ir/text/parse.hpp"
#include "ir/text/print.hpp"

namespace hyperion::ir {
namespace {

std::string first_difference(std::string_view before, std::string_view after) {
  const auto [a, b] = std::ranges::mismatch(before, after);
  const auto at = static_cast<std::size_t>(a - before.begin());
  const std::size_t begin = before.rfind('\n', at == 0 ? 0 : at - 1) + 1;
  const auto line_of = [&](std::string_view text) {
    return text.substr(begin, text.find('\n', at) - begin);
  };
  return format("line {} changes in a round trip:\n  {}\n  {}\n",
                1 + std::ranges::count(before.substr(0, at), '\n'), line_of(before),
                line_of(after));
}

}  // namespace

std::string round_trip_defect(const Module& module) {
  const std::string text = print(module);
  Diagnostics diagnostics;
  const Result<std::unique_ptr<Module>> parsed = parse(text, "printed.hir", diagnostics);
  if (!parsed) return "the printed module does not parse:\n" + diagnostics.render();
  const std::string again = print(**parsed);
  if (again != text) return first_difference(text, again);
  for (const auto& function : module.functions()) {
    const Function* other = (*parsed)->find(function->name);
    if (other == nullptr || !structurally_equal(*function, *other)) {
      return format("@{} prints the same after a round trip, but its structure differs\n",
                    function->name);
    }
  }
  return {};
}

}  // namespace hyperion::ir

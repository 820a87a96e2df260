// selection.hpp: which parameters (or operands) a transform acts on: one claim per position.
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

namespace hyperion::passes {

class Selection {
 public:
  Selection() = default;
  // Implicit, so that callers write vjp(module, f, {true, false}, "name") or pass what they have.
  Selection(std::initializer_list<bool> chosen) : chosen_(chosen) {}                       // NOLINT
  Selection(std::vector<bool> chosen) : chosen_(std::move(chosen)) {}                      // NOLINT
  Selection(std::span<const bool> chosen) : chosen_(chosen.begin(), chosen.end()) {}       // NOLINT

  std::size_t size() const { return chosen_.size(); }
  bool operator[](std::size_t position) const { return chosen_[position]; }
  friend auto operator<=>(const Selection&, const Selection&) = default;

 private:
  std::vector<bool> chosen_;
};

}  // namespace hyperion::passes

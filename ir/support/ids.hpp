// ids.hpp: typed 32-bit ids, the stores that own what they name, and side tables keyed by them.
//
// An id is an index with a tag: it costs four bytes, serializes as itself, and cannot be mistaken for an id of
// another kind. Ids say nothing about order: printing and results never depend on them.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "ir/support/check.hpp"

namespace hyperion {

template <class Tag>
struct Id {
  static constexpr std::uint32_t kNone = 0xffffffffu;
  std::uint32_t index = kNone;

  constexpr bool valid() const { return index != kNone; }
  constexpr explicit operator bool() const { return valid(); }
  friend constexpr auto operator<=>(Id, Id) = default;
};

// Owns values of T. References stay valid while the store grows; erasing is the owner's business (tombstones).
template <class IdType, class T>
class Store {
 public:
  IdType add(T value) {
    items_.push_back(std::move(value));
    return IdType{static_cast<std::uint32_t>(items_.size() - 1)};
  }
  T& operator[](IdType id) {
    HYP_DCHECK(id.index < items_.size(), "id outside its store");
    return items_[id.index];
  }
  const T& operator[](IdType id) const {
    HYP_DCHECK(id.index < items_.size(), "id outside its store");
    return items_[id.index];
  }
  std::size_t size() const { return items_.size(); }

 private:
  std::deque<T> items_;
};

// A side table: an analysis lives beside the IR, not inside it. Absent keys read as a default-constructed T.
template <class IdType, class T>
class IdMap {
 public:
  T& operator[](IdType id) {
    if (id.index >= items_.size()) items_.resize(id.index + 1);
    return items_[id.index];
  }
  T get(IdType id) const { return id.index < items_.size() ? items_[id.index] : T{}; }

 private:
  std::vector<T> items_;
};

}  // namespace hyperion

template <class Tag>
struct std::hash<hyperion::Id<Tag>> {
  std::size_t operator()(hyperion::Id<Tag> id) const noexcept {
    return std::hash<std::uint32_t>{}(id.index);
  }
};

// ids.hpp: typed 32-bit ids, the stores that own what they name, and side tables keyed by them.
//
// An id is an index with a tag: it costs four bytes, serializes as itself, and cannot be mistaken for an id of
// another kind. Ids say nothing about order: printing and results never depend on them.
#pragma once

#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
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
//
// Chunk k holds 8 * 2^k items: a small function wastes little, and walking a large one reads memory in order (a
// std::deque allocates every other op by itself).
template <class IdType, class T>
class Store {
 public:
  IdType add(T value) {
    const Place place(static_cast<std::uint32_t>(size_));
    if (place.chunk == chunks_.size()) chunks_.emplace_back().reserve(kFirstChunk << place.chunk);
    chunks_[place.chunk].push_back(std::move(value));
    return IdType{static_cast<std::uint32_t>(size_++)};
  }
  T& operator[](IdType id) {
    HYP_DCHECK(id.index < size_, "id outside its store");
    const Place place(id.index);
    return chunks_[place.chunk][place.offset];
  }
  const T& operator[](IdType id) const {
    HYP_DCHECK(id.index < size_, "id outside its store");
    const Place place(id.index);
    return chunks_[place.chunk][place.offset];
  }
  std::size_t size() const { return size_; }

 private:
  static constexpr std::size_t kFirstChunk = 8;
  struct Place {
    explicit Place(std::uint32_t index)
        : chunk(std::bit_width(index + kFirstChunk) - std::bit_width(kFirstChunk)),
          offset(index + kFirstChunk - (kFirstChunk << chunk)) {}
    std::size_t chunk, offset;
  };

  std::vector<std::vector<T>> chunks_;  // none ever grows beyond what it reserved
  std::size_t size_ = 0;
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

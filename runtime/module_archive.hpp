// module_archive.hpp: the fields of plans and functions as bytes. Private to module_file.cpp.
//
// One function, fields(), lists the members of each struct for writing and for reading alike, so
// the two cannot drift apart. Integers are little-endian and fixed width; a string is u32 length
// and bytes; a list is u32 count and elements.
//
// Reading trusts nothing: it never passes the end, a count may not exceed the bytes that are left,
// and after the first failure every value reads as zero, so that loops end at once. Check ok() and
// at_end() when done.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/module.hpp"

namespace hyperion::runtime {

static_assert(std::endian::native == std::endian::little, "files and memory share a byte order");

template <class T>
concept PlainNumber = std::integral<T> || std::is_enum_v<T>;

class ArchiveWriter {
 public:
  static constexpr bool kReading = false;

  template <PlainNumber T>
  void field(const T& value) {
    raw(std::as_bytes(std::span(&value, 1)));
  }
  void field(const std::string& text) {
    field(static_cast<std::uint32_t>(text.size()));
    raw(std::as_bytes(std::span(text)));
  }
  template <class T>
  void field(const std::vector<T>& list) {
    field(static_cast<std::uint32_t>(list.size()));
    for (const T& item : list) element(item);
  }
  void raw(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void align(std::size_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
  }
  std::size_t size() const { return bytes_.size(); }
  Bytes take() { return std::move(bytes_); }

  template <class T>
  void element(const T& item);

 private:
  Bytes bytes_;
};

class ArchiveReader {
 public:
  static constexpr bool kReading = true;

  explicit ArchiveReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <PlainNumber T>
  void field(T& value) {
    const std::span<const std::byte> from = raw(sizeof(T));
    if constexpr (std::is_same_v<T, bool>) {
      value = !from.empty() && from[0] != std::byte{0};  // any other bit pattern is no bool
    } else {
      value = T{};
      if (!from.empty()) std::memcpy(&value, from.data(), sizeof(T));
    }
  }
  void field(std::string& text) {
    std::uint32_t size = 0;
    field(size);
    const std::span<const std::byte> from = raw(size);
    text.assign(reinterpret_cast<const char*>(from.data()), from.size());
  }
  template <class T>
  void field(std::vector<T>& list) {
    std::uint32_t count = 0;
    field(count);
    list.clear();
    // Every element takes at least a byte; the list grows as they arrive, so a lie costs no memory.
    if (count > bytes_.size() - position_) ok_ = false;
    for (std::uint32_t i = 0; i < count && ok_; ++i) element(list.emplace_back());
  }
  // Empty, and not ok() from then on, when fewer bytes are left.
  std::span<const std::byte> raw(std::size_t size) {
    if (!ok_ || size > bytes_.size() - position_) {
      ok_ = false;
      return {};
    }
    position_ += size;
    return bytes_.subspan(position_ - size, size);
  }
  void align(std::size_t alignment) {
    for (const std::byte each : raw((alignment - position_ % alignment) % alignment)) {
      if (each != std::byte{0}) ok_ = false;
    }
  }
  void fail() { ok_ = false; }
  bool ok() const { return ok_; }
  bool at_end() const { return position_ == bytes_.size(); }

  template <class T>
  void element(T& item);

 private:
  std::span<const std::byte> bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

// `Struct` is const when writing.
template <class Struct, class Wanted>
concept Is = std::same_as<std::remove_const_t<Struct>, Wanted>;

template <class Archive, Is<Slot> S>
void fields(Archive& archive, S& slot) {
  archive.field(slot.kind);
  archive.field(slot.index);
  archive.field(slot.offset);
  archive.field(slot.bytes);
}

template <class Archive, Is<Carried> C>
void fields(Archive& archive, C& carried) {
  fields(archive, carried.initial);
  fields(archive, carried.result);
  fields(archive, carried.spare);
}

template <class Archive, Is<Stepped> S>
void fields(Archive& archive, S& stepped) {
  fields(archive, stepped.whole);
  archive.field(stepped.stride);
  archive.field(stepped.bytes);
}

template <class Archive, Is<Launch> L>
void fields(Archive& archive, L& launch) {
  archive.field(launch.kernel);
  archive.field(launch.buffers);
  archive.field(launch.tiles);
  archive.field(launch.scratch_bytes);
  archive.field(launch.label);
  archive.field(launch.location);
  archive.field(launch.flops);
  archive.field(launch.bytes);
  archive.field(launch.unit);
}

template <class Archive, Is<Copy> C>
void fields(Archive& archive, C& copy) {
  fields(archive, copy.from);
  fields(archive, copy.to);
}

template <class Archive, Is<Call> C>
void fields(Archive& archive, C& call) {
  archive.field(call.plan);
  archive.field(call.arguments);
  archive.field(call.outputs);
  fields(archive, call.frame);
}

template <class Archive, Is<Cond> C>
void fields(Archive& archive, C& cond) {
  fields(archive, cond.predicate);
  archive.field(cond.then_plan);
  archive.field(cond.else_plan);
  archive.field(cond.arguments);
  archive.field(cond.outputs);
  fields(archive, cond.frame);
}

template <class Archive, Is<WhileLoop> W>
void fields(Archive& archive, W& loop) {
  archive.field(loop.condition);
  archive.field(loop.body);
  fields(archive, loop.predicate);
  archive.field(loop.carried);
  archive.field(loop.captures);
  fields(archive, loop.frame);
}

template <class Archive, Is<Scan> S>
void fields(Archive& archive, S& scan) {
  archive.field(scan.body);
  archive.field(scan.length);
  archive.field(scan.reverse);
  archive.field(scan.carried);
  archive.field(scan.inputs);
  archive.field(scan.outputs);
  archive.field(scan.captures);
  fields(archive, scan.frame);
}

template <class Archive, Is<Plan> P>
void fields(Archive& archive, P& plan) {
  archive.field(plan.name);
  archive.field(plan.argument_bytes);
  archive.field(plan.output_bytes);
  archive.field(plan.arena_bytes);
  archive.field(plan.instructions);
}

template <class Archive, Is<TensorType> T>
void fields(Archive& archive, T& type) {
  archive.field(type.dtype);
  archive.field(type.dims);
}

template <class Archive, Is<OutputType> O>
void fields(Archive& archive, O& output) {
  fields(archive, output.type);
  archive.field(output.donor);
}

template <class Archive, Is<Function> F>
void fields(Archive& archive, F& function) {
  archive.field(function.name);
  archive.field(function.plan);
  archive.field(function.arguments);
  archive.field(function.outputs);
}

// An instruction is its index among the alternatives, one byte, and its fields.
template <std::size_t I = 0>
void emplace_instruction(ArchiveReader& archive, Instruction& instruction, std::size_t index) {
  if constexpr (I < std::variant_size_v<Instruction>) {
    if (index != I) return emplace_instruction<I + 1>(archive, instruction, index);
    fields(archive, instruction.emplace<I>());
  } else {
    archive.fail();
  }
}

template <class T>
void ArchiveWriter::element(const T& item) {
  if constexpr (PlainNumber<T>) {
    field(item);
  } else if constexpr (std::is_same_v<T, Instruction>) {
    field(static_cast<std::uint8_t>(item.index()));
    std::visit([&](const auto& instruction) { fields(*this, instruction); }, item);
  } else {
    fields(*this, item);
  }
}

template <class T>
void ArchiveReader::element(T& item) {
  if constexpr (PlainNumber<T>) {
    field(item);
  } else if constexpr (std::is_same_v<T, Instruction>) {
    std::uint8_t index = 0;
    field(index);
    emplace_instruction(*this, item, index);
  } else {
    fields(*this, item);
  }
}

}  // namespace hyperion::runtime

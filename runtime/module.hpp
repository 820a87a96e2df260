// module.hpp: compiled functions, ready to load: plans, signatures, constants and object code, in
// memory or in a file.
//
// Built by code generation, cached on disk, run by an Executor. File form (.hypm, little-endian):
//
//   header (64 bytes)                                   section record (64 bytes)
//    0 u8[8]  "HYPERION"                                 0 u32 kind, four characters    4 u32 flags
//    (1: optional) 8 u32    format_major    12 u32 format_minor        8 u64 offset 16 u64 size
//   16 u64    file_size                                 24 u32 alignment               28 u32 zero
//   24 u32    section_count   28 u32 zero               32 u8[16] hash of the section
//   32 u64    table_offset    40 u64 zero               48 u8[16] zero
//   48 u8[16] hash of header bytes 0..47 and the table
//
//   META producer · FUNC functions · PLAN plans · CNST constants · OBJX object code; sorted, gaps
//   are zero.
//
// The hashes find damage, not attack: code in a module is trusted like a shared library. But every
// size and index is checked before use even so, and a file that fails any check is data_loss, never
// a crash. A newer major version, or an unknown section that is not optional, is `incompatible`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/dtype.hpp"
#include "ir/support/status.hpp"
#include "runtime/plan.hpp"

namespace hyperion::runtime {

using Bytes = std::vector<std::byte>;

// Arguments and outputs are dense and row-major.
struct TensorType {
  DType dtype = DType::f32;
  std::vector<std::int64_t> dims;

  friend bool operator==(const TensorType&, const TensorType&) = default;
};

struct OutputType {
  TensorType type;
  // The argument whose memory this output may take over when the caller donates it; -1: none. The
  // plan must be correct both ways, with the output in the argument's memory and apart from it.
  std::int32_t donor = -1;

  friend bool operator==(const OutputType&, const OutputType&) = default;
};

struct Function {
  std::string name;
  std::uint32_t plan = 0;
  std::vector<TensorType> arguments;
  std::vector<OutputType> outputs;
};

// 64-byte aligned bytes, shared with whoever made them.
struct Constant {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;

  static Constant copy(std::span<const std::byte> bytes);
};

struct MemoryPlan {
  std::uint64_t arguments = 0;
  std::uint64_t outputs = 0;
  std::uint64_t aliased = 0;  // the part of `outputs` that donated arguments can hold
  std::uint64_t arena = 0;
  std::uint64_t constants = 0;
  std::uint64_t code = 0;
};

struct Module {
  std::string producer;  // compiler version, target, pipeline: for people
  std::vector<Function> functions;
  std::vector<Plan> plans;
  std::vector<Constant> constants;
  std::vector<Bytes> objects;  // linked as one

  static StatusOr<Module> load(const std::string& path);
  static StatusOr<Module> parse(std::span<const std::byte> bytes);
  StatusOr<> save(const std::string& path) const;
  Bytes serialize() const;

  // Holds P1 to P4 of plan.hpp and that signatures fit their plans. invalid_argument names plan and
  // instruction.
  StatusOr<> verify() const;

  const Function* find(std::string_view function) const;  // null when absent
  MemoryPlan memory(const Function& function) const;
};

// Bytes of a dense tensor; out_of_range when a dimension is negative or the size overflows.
StatusOr<std::uint64_t> tensor_bytes(const TensorType& type);

}  // namespace hyperion::runtime

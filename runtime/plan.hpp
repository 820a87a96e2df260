// plan.hpp: a compiled function as data: a list of instructions over one arena, decided before it
// runs.
//
// A Plan is like a small procedure. It is entered with pointers to its arguments, its outputs and
// its arena, and runs its instructions in order; each names memory by Slot. Nothing is allocated
// and no shape is looked at while it runs.
//
//   Launch     run a kernel over its tiles
//   Copy       move bytes
//   Call       run another plan
//   Cond       run one of two plans
//   WhileLoop  run a plan while a condition plan says so
//   Scan       run a plan a fixed number of times, with a slice of each input and output per step
//
// The plans that control flow enters see only what they are handed: arguments, outputs, and a
// `frame`, a piece of the caller's arena that is theirs for the time of the call (at least their
// arena_bytes). So plans are planned one by one, and a plan can be entered from several places.
//
// Carried values. A loop's state lives in two places in turn. The first iteration reads `initial`,
// the next ones read what the last one wrote; they write to `result` and `spare` alternately, and
// at the end the state is in `result` (copied if need be). Let `spare` be the same slot as `result`
// if the body may update that value in place; `initial` too, if the value before the loop is dead.
//
// INVARIANTS, checked by Module::verify before anything runs:
//   (P1) a slot's index exists, and offset + bytes stays inside what it names;
//   (P2) control flow enters only plans of a smaller index: no recursion; nesting is at most
//   kMaxPlanDepth; (P3) the slots handed to a plan have exactly the sizes that it declares, its
//   frame at least its arena_bytes; (P4) arguments and constants are never a destination; a
//   launch's buffers are the kernel's own business.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace hyperion::runtime {

// Arena offsets should be multiples of 64; a plan's arena starts at a multiple of 64 if its frame's
// offset is one.
struct Slot {
  enum class Kind : std::uint8_t { argument, output, arena, constant };
  Kind kind = Kind::arena;
  std::uint32_t index = 0;   // which argument, output or constant; 0 for the arena
  std::uint64_t offset = 0;  // in bytes
  std::uint64_t bytes = 0;

  friend bool operator==(const Slot&, const Slot&) = default;
};

// Which of the machine's units does a launch's operations: what its speed is compared with
// (runtime/roofline.hpp). The order is the binary encoding; append only.
enum class ArithmeticUnit : std::uint8_t {
  vector,       // scalars and vectors; on a GPU, the ordinary cores
  tensor_tf32,  // tensor cores, f32 factors rounded to tf32
  tensor_16,    // tensor cores, factors of 16 bits
};
inline constexpr std::size_t kArithmeticUnits = 3;

struct Launch {
  std::string kernel;  // symbol
  std::vector<Slot> buffers;
  std::int64_t tiles = 1;           // of the kernel's outermost parallel loop
  std::uint64_t scratch_bytes = 0;  // for each thread
  // What profiles show. `flops` and `bytes` (read and written, of the whole launch) also decide
  // whether forking threads is worth it; both 0: unknown.
  std::string label;
  std::string location;  // "train.cpp:41:12"
  std::uint64_t flops = 0;
  std::uint64_t bytes = 0;
  ArithmeticUnit unit = ArithmeticUnit::vector;
};

// The slots have the same size and do not partly overlap.
struct Copy {
  Slot from;
  Slot to;
};

struct Call {
  std::uint32_t plan = 0;
  std::vector<Slot> arguments;
  std::vector<Slot> outputs;
  Slot frame;
};

// Both plans take `arguments` and write `outputs`.
struct Cond {
  Slot predicate;  // one byte: 0 or 1
  std::uint32_t then_plan = 0;
  std::uint32_t else_plan = 0;
  std::vector<Slot> arguments;
  std::vector<Slot> outputs;
  Slot frame;
};

struct Carried {
  Slot initial;
  Slot result;
  Slot spare;
};

// condition(carried..., captures...) -> predicate;  body(carried..., captures...) -> carried...
struct WhileLoop {
  std::uint32_t condition = 0;
  std::uint32_t body = 0;
  Slot predicate;  // one byte, written by the condition
  std::vector<Carried> carried;
  std::vector<Slot> captures;
  Slot frame;  // shared by condition and body
};

// Step i of a stacked value: `bytes` bytes at i * stride of `whole`.
struct Stepped {
  Slot whole;
  std::uint64_t stride = 0;
  std::uint64_t bytes = 0;
};

// body(carried..., inputs of this step..., captures...) -> carried..., outputs of this step...
struct Scan {
  std::uint32_t body = 0;
  std::int64_t length = 0;
  bool reverse = false;  // from the last step to the first
  std::vector<Carried> carried;
  std::vector<Stepped> inputs;
  std::vector<Stepped> outputs;
  std::vector<Slot> captures;
  Slot frame;
};

// The order is the binary encoding; append only.
using Instruction = std::variant<Launch, Copy, Call, Cond, WhileLoop, Scan>;

inline constexpr int kMaxPlanDepth = 64;

struct Plan {
  std::string name;
  std::vector<std::uint64_t> argument_bytes;
  std::vector<std::uint64_t> output_bytes;
  std::uint64_t arena_bytes = 0;
  std::vector<Instruction> instructions;
};

}  // namespace hyperion::runtime

// invocation.hpp: one call of an executor under way: what it reads, what it writes, and what it
// waits for. Private to the executor.
//
// bind() refuses everything that can be refused before it donates anything. Until clear(), the
// arguments count as in use, so that no other call takes their memory over.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/event.hpp"
#include "runtime/executor.hpp"
#include "runtime/memory/buffer.hpp"
#include "runtime/profiler.hpp"
#include "runtime/program.hpp"

namespace hyperion::runtime {

// A function of a loaded module, ready to be called.
struct BoundFunction {
  Program* program = nullptr;
  const Function* function = nullptr;
  ProfileLabel* label = nullptr;
  std::vector<std::shared_ptr<const ViewDesc>> arguments;
  std::vector<std::shared_ptr<const ViewDesc>> outputs;

  static StatusOr<BoundFunction> make(Program& program, const Function& function,
                                      Profiler& profiler);
};

bool is_aligned(const std::byte* data);  // to kAlignment

// Vectors keep their capacity when an invocation is used again.
struct Invocation {
  const BoundFunction* target = nullptr;
  std::vector<BufferView> arguments;
  std::vector<Buffer> outputs;
  std::vector<Buffer> copies;  // of arguments that had to be made dense
  std::vector<Event> wait_for;
  std::string call_location;
  TimePoint deadline = TimePoint::max();
  std::uint64_t donations_used = 0;
  std::uint64_t donations_missed = 0;

  Invocation() = default;
  Invocation(const Invocation&) = delete;
  Invocation& operator=(const Invocation&) = delete;
  ~Invocation() { clear(); }

  // REQUIRES: cleared. `ready` becomes the event of the outputs.
  StatusOr<> bind(const BoundFunction& function, const Device& device,
                  std::span<const BufferView> views, const ExecuteOptions& options,
                  const Event& ready);
  void append_views(std::vector<BufferView>& views) const;
  StatusOr<> wait_for_inputs() const;
  void clear();

 private:
  StatusOr<> bind_outputs(const Device& device, const Event& ready);
  Buffer take_donated(const OutputType& output, const Event& ready);
};

}  // namespace hyperion::runtime

// graph.hpp: a list of work on a GPU that is run again and again.
//
// CommandList is work as data: launches, copies, fills, events, in order. Replay hands it to the
// driver once, as a CUDA graph, and then starts all of it by one call: 80 launches of 3 us each
// become one of a few. When the driver cannot make a graph of it, Replay runs the commands one by
// one and can say why.
//
//   CommandList step;
//   step.launch(kernel, shape, Arguments(x, y, count));
//   auto replay = Replay::create(context, std::move(step));
//   replay->run(stream);
//
// Addresses are part of the graph. What changes from run to run (a learning rate, a seed) lies in
// device memory that is written between runs; when an address changes, update() changes the graph
// in place, which costs far less than making it.
//
// Thread safety: a list and a replay belong to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/cuda/kernel.hpp"
#include "runtime/cuda/stream.hpp"

namespace hyperion::runtime::cuda {

class CommandList {
 public:
  struct Launch {
    std::shared_ptr<Kernel> kernel;
    LaunchShape shape;
    Arguments arguments;
  };
  struct Copy {
    CUdeviceptr to = 0;
    CUdeviceptr from = 0;
    std::uint64_t bytes = 0;
  };
  struct Fill {
    CUdeviceptr to = 0;
    unsigned char value = 0;
    std::uint64_t bytes = 0;
  };
  struct Mark {
    std::shared_ptr<StreamEvent> event;  // recorded each time that the list runs
  };
  using Command = std::variant<Launch, Copy, Fill, Mark>;

  void launch(std::shared_ptr<Kernel> kernel, const LaunchShape& shape, Arguments arguments);
  void copy(CUdeviceptr to, CUdeviceptr from, std::uint64_t bytes);
  void fill(CUdeviceptr to, unsigned char value, std::uint64_t bytes);
  void mark(std::shared_ptr<StreamEvent> event);

  std::vector<Command>& commands() { return commands_; }
  const std::vector<Command>& commands() const { return commands_; }

  // Puts every command on the stream.
  StatusOr<> run(Stream& stream) const;
  // The same on a stream that is being captured into a graph.
  StatusOr<> capture(Stream& stream) const;

 private:
  std::vector<Command> commands_;
};

class Replay {
 public:
  // Fails only when the device does; when just the graph fails, the replay runs command by command.
  static StatusOr<std::unique_ptr<Replay>> create(std::shared_ptr<Context> context,
                                                  CommandList commands);
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  StatusOr<> run(Stream& stream);
  // From the next run() on, these commands: cheap when only shapes, arguments and addresses differ.
  StatusOr<> update(CommandList commands);

  const CommandList& commands() const { return commands_; }
  bool is_graph() const { return executable_ != nullptr; }
  // Why it is none; empty when it is one.
  const std::string& fallback_reason() const { return fallback_reason_; }

 private:
  explicit Replay(std::shared_ptr<Context> context) : context_(std::move(context)) {}
  void set_commands(CommandList commands);
  StatusOr<CUgraph> capture() const;
  StatusOr<> instantiate();
  StatusOr<> fall_back(Status reason);
  void release() noexcept;

  const std::shared_ptr<Context> context_;
  CommandList commands_;
  std::shared_ptr<const KernelOrigin> origin_;  // all kernels as one, for messages
  CUgraphExec executable_ = nullptr;
  std::string fallback_reason_;
};

}  // namespace hyperion::runtime::cuda

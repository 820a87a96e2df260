// engine.hpp: the one door from recorded programs to something that runs them.
//
// The frontend builds a module, asks the engine to load one of its functions, and keeps the Executable in a cache. Two
// engines exist: `compiled`, the default, and `interpreter`, which evaluates definitions element by element and is what
// tests compare with. Nothing else in the frontend knows which one is in use.
//
// Thread safety: all functions; an Executable may run on several threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "ir/module.hpp"
#include "ir/support/status.hpp"
#include "runtime/instance.hpp"
#include "runtime/memory/buffer.hpp"

namespace hyperion::frontend {

// A tensor's elements: dense, row-major, on a device.
using Array = runtime::BufferView;

class Executable {
 public:
  virtual ~Executable() = default;
  // One dense array per parameter; gives one per result. Donated arguments are spent afterwards.
  virtual StatusOr<std::vector<Array>> run(std::span<const Array> arguments) = 0;
};

enum class EngineKind : std::uint8_t { compiled, interpreter };

// The engine of this process. Changing it drops no cached executables: those belong to the engine that made them.
EngineKind engine_kind();
void set_engine(EngineKind kind);

// For tests: another engine until the end of the scope.
class ScopedEngine {
 public:
  explicit ScopedEngine(EngineKind kind) : previous_(engine_kind()) { set_engine(kind); }
  ~ScopedEngine() { set_engine(previous_); }
  ScopedEngine(const ScopedEngine&) = delete;
  ScopedEngine& operator=(const ScopedEngine&) = delete;

 private:
  EngineKind previous_;
};

// Makes `function` of `module` ready to run. A result may take over the memory of a donated argument.
StatusOr<std::shared_ptr<Executable>> load(std::shared_ptr<const ir::Module> module,
                                           std::string_view function,
                                           const std::vector<bool>& donated = {});

// Where tensors live: the first device of this instance. It is made on first use with default options; a program that
// wants others sets it before it makes a tensor. Tensors of an earlier instance stay valid.
std::shared_ptr<runtime::Instance> instance();
void set_instance(std::shared_ptr<runtime::Instance> replacement);

// Bytes as an array, and a literal as an array.
StatusOr<Array> make_array(Type type, std::span<const std::byte> bytes);
StatusOr<Array> make_array(const Literal& literal);

}  // namespace hyperion::frontend

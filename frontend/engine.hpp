// engine.hpp: the one door from recorded programs to something that runs them.
//
// The frontend builds a module, asks the engine to load one of its functions, and keeps the Executable in a cache of
// its own. Two engines exist: `compiled`, the default, which generates code for a device, keeps it on disk and runs it
// there; and `interpreter`, which evaluates definitions element by element on the host, wherever the data is, and is
// what tests compare with. On the CPU both give the same bits. Nothing else in the frontend knows which is in use.
//
// Thread safety: all functions; an Executable may run on several threads at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/device.hpp"
#include "ir/module.hpp"
#include "ir/support/status.hpp"
#include "runtime/cache.hpp"
#include "runtime/executor.hpp"
#include "runtime/instance.hpp"
#include "runtime/memory/buffer.hpp"

namespace hyperion::frontend {

// A tensor's elements: dense, row-major, on a device.
using Array = runtime::BufferView;

class Executable {
 public:
  virtual ~Executable() = default;
  // One dense array per parameter, on the device that this was loaded for; gives one per result, there. A result may
  // take over the memory of a donated argument, which is spent afterwards.
  virtual StatusOr<std::vector<Array>> run(std::span<const Array> arguments) = 0;
  // The compiled engine's executor, for profiles; null otherwise.
  virtual const runtime::Executor* executor() const { return nullptr; }
};

enum class EngineKind : std::uint8_t { compiled, interpreter };

struct EngineOptions {
  EngineKind kind = EngineKind::compiled;
  // Where compiled code is kept between runs: empty is runtime::default_cache_folder().
  bool use_disk_cache = true;
  std::string cache_folder;
  bool fast = false;  // rewrites that hold over the reals only
};

// The engine of this process. A change concerns what is loaded from then on.
const EngineOptions& engine_options();
void set_engine(EngineOptions options);

// For tests: another engine until the end of the scope.
class ScopedEngine {
 public:
  explicit ScopedEngine(EngineOptions options) : previous_(engine_options()) { set_engine(std::move(options)); }
  ~ScopedEngine() { set_engine(previous_); }
  ScopedEngine(const ScopedEngine&) = delete;
  ScopedEngine& operator=(const ScopedEngine&) = delete;

 private:
  EngineOptions previous_;
};

// Makes `function` of `module` ready to run on `device`.
StatusOr<std::shared_ptr<Executable>> load(std::shared_ptr<const ir::Module> module, std::string_view function,
                                           Device device);

struct EngineStatistics {
  std::uint64_t compiled = 0;   // functions for which code was generated
  std::uint64_t from_disk = 0;  // functions whose code was found on disk
  double load_seconds = 0;      // spent on both
  double run_seconds = 0;
};
EngineStatistics engine_statistics();
// Of the disk cache, for all kinds of code together; nothing when it is off or was not needed.
std::optional<runtime::CacheStatistics> disk_cache_statistics();

// Whose devices tensors live on. It is made on first use with default options; a program that wants others sets it
// before it makes a tensor. Tensors of an earlier instance stay valid.
std::shared_ptr<runtime::Instance> instance();
void set_instance(std::shared_ptr<runtime::Instance> replacement);

// The instance's device of that name, opened when first asked for; or why there is none.
StatusOr<runtime::Device> runtime_device(Device device);

// Bytes as an array, and a literal as an array.
StatusOr<Array> make_array(Type type, std::span<const std::byte> bytes, Device device);
StatusOr<Array> make_array(const Literal& literal, Device device);
// The same elements on a device: the array itself when it is there.
StatusOr<Array> copy_to(Device device, const Array& array);
// The same elements where the processor can read them: the array itself, or a copy.
StatusOr<Array> on_host(const Array& array);

}  // namespace hyperion::frontend

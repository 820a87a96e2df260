// code_loader.hpp: how object code becomes callable, without the runtime knowing who made it.
//
// Code generation stands on a higher floor and registers a CodeLoader with the Instance
// (Instance::set_code_loader). Loading runs no code of the object; calling a symbol does. Thread
// safety: load() and symbol() from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ir/support/status.hpp"

namespace hyperion::runtime {

// The kernel ABI (C calling convention, never throws). `buffers` is the launch's slot list,
// resolved; tiles are the iterations of the kernel's outermost parallel loop, and any thread may
// run any range of them, each with `scratch` memory of its own (64-byte aligned, as large as the
// launch says, contents undefined).
using KernelFunction = void(void* const* buffers, std::int64_t tile_begin, std::int64_t tile_end,
                            void* scratch);

// Code in memory, executable while this lives.
class LoadedCode {
 public:
  virtual ~LoadedCode() = default;
  virtual KernelFunction* symbol(const std::string& name) = 0;  // null when absent
};

class CodeLoader {
 public:
  virtual ~CodeLoader() = default;
  // The objects of one module, linked as one. data_loss when some bytes are no object, incompatible
  // when this machine cannot run them.
  virtual StatusOr<std::unique_ptr<LoadedCode>> load(
      std::span<const std::span<const std::byte>> objects) = 0;
};

}  // namespace hyperion::runtime

// jit.hpp: from an LLVM module to machine code: relocatable object bytes, assembly text, or
// functions to call.
//
// The unit that travels is the object file, because it is what the compile cache stores:
// `compile_object` makes the bytes, `load_object` puts them into this process; a cache hit is the
// second step alone. Both are independent of who filled the module.
//
// No IR pipeline runs unless asked: contraction kernels are emitted as explicit vector code and
// gain nothing from one, while it doubles their compile time. `tidy_scalar_code` adds SROA,
// EarlyCSE and LICM for kernels that are composed from many definitions. Code generation itself
// always runs at its default level; without it (CodeGenOptLevel::None) kernels run five times
// slower.
//
// Thread safety: an IrModule belongs to one thread; everything else here may be called from any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codegen/llvm/target.hpp"
#include "codegen/lower/emitted_kernel.hpp"
#include "ir/support/status.hpp"

namespace hyperion::codegen {

// One LLVM module with its context, being filled. Sources in codegen/llvm reach it through
// llvm_internal.hpp.
class IrModule {
 public:
  struct Impl;

  IrModule(const std::string& name, const CpuTarget& target);
  ~IrModule();
  IrModule(IrModule&&) noexcept;
  IrModule& operator=(IrModule&&) noexcept;

  Impl& impl() { return *impl_; }
  const CpuTarget& target() const;
  std::string text() const;               // LLVM IR
  std::size_t instruction_count() const;  // of LLVM IR: a measure of how long compiling takes

 private:
  std::unique_ptr<Impl> impl_;
};

struct CompileOptions {
  bool tidy_scalar_code = false;  // SROA, EarlyCSE, LICM before code generation
  // LLVM's loop strength reduction: worthless for contractions, whose pointers already advance by
  // constants, and a quarter of their compile time. Loops that index many buffers may want it.
  bool reduce_loop_strength = true;
  bool verify = true;  // LLVM's verifier; its complaint becomes an internal error
};

// REQUIRES: the module is compiled at most once (code generation rewrites it).
StatusOr<ObjectBytes> compile_object(IrModule& module, const CompileOptions& options = {});
StatusOr<std::string> compile_assembly(IrModule& module, const CompileOptions& options = {});

// Code in this process; unloaded with the last copy. Addresses stay valid until then.
class LoadedCode {
 public:
  struct Impl;

  LoadedCode() = default;
  explicit LoadedCode(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

  StatusOr<void*> address(std::string_view symbol) const;
  template <class Function>
  StatusOr<Function*> function(std::string_view symbol) const {
    StatusOr<void*> found = address(symbol);
    if (!found) return std::unexpected(std::move(found).error());
    return reinterpret_cast<Function*>(*found);
  }

 private:
  std::shared_ptr<Impl> impl_;
};

// A function of ours that generated code may call by name.
struct ExternalSymbol {
  std::string name;
  void* address = nullptr;
};

// Links the objects into this process as one. Symbols not listed are looked up in the process itself
// (memset, memcpy).
StatusOr<LoadedCode> load_objects(std::span<const std::span<const std::byte>> objects,
                                  std::span<const ExternalSymbol> externals = {});
StatusOr<LoadedCode> load_object(std::span<const std::byte> object,
                                 std::span<const ExternalSymbol> externals = {});

}  // namespace hyperion::codegen

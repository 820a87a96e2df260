// kernel.hpp: compiled code on a GPU, and how to run it.
//
//   auto code = KernelLibrary::load(context, program.cubin);          // Program: compiler.hpp
//   auto kernel = code->kernel("scale", "mul at train.cpp:41:12");
//   launch(stream, *kernel, {.grid = {blocks}, .block = {256}}, Arguments(x, y, 2.0f, count));
//
// Loading is lazy and belongs to no context; a Kernel is bound to one device and keeps its code
// loaded. Shared memory beyond 48 KiB is allowed once, when a kernel is first given that much.
//
// A launch does not wait. What is wrong with it (too many threads, too much shared memory) is its
// error, cuda.launch with all figures; what goes wrong while the kernel runs is the error of
// whoever waits for the stream.
//
// Thread safety: all functions.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/cuda/stream.hpp"

namespace hyperion::runtime::cuda {

struct Dim3 {
  unsigned x = 1;
  unsigned y = 1;
  unsigned z = 1;
  friend bool operator==(const Dim3&, const Dim3&) = default;
};

struct LaunchShape {
  Dim3 grid;                  // in blocks
  Dim3 block;                 // in threads
  unsigned shared_bytes = 0;  // dynamic, of each block
  Dim3 cluster;               // in blocks; sm_90 and later
  // May start while the kernel before still runs: the kernel then waits by griddepcontrol.wait.
  bool overlaps_previous = false;
  friend bool operator==(const LaunchShape&, const LaunchShape&) = default;
};

// The values of a kernel's parameters, in order, by value: pointers as CUdeviceptr, scalars, tensor
// maps. Types and number must be those of the kernel: nothing checks them.
class Arguments {
 public:
  Arguments() = default;
  template <class... T>
    requires(sizeof...(T) > 0)
  explicit Arguments(const T&... values) {
    (add(values), ...);
  }
  template <class T>
  Arguments& add(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>, "parameters are copied as bytes");
    return add_bytes(std::as_bytes(std::span(&value, 1)), alignof(T));
  }
  // `alignment` is a power of two.
  Arguments& add_bytes(std::span<const std::byte> bytes, std::size_t alignment);
  // Replaces a parameter by another of the same size.
  template <class T>
  void set(std::size_t index, const T& value) {
    std::memcpy(data(index), &value, sizeof(T));
  }

  std::size_t count() const { return offsets_.size(); }
  std::byte* data(std::size_t index) { return storage_.data() + offsets_[index]; }
  const std::byte* data(std::size_t index) const { return storage_.data() + offsets_[index]; }

 private:
  std::vector<std::byte> storage_;  // the driver copies from here: its own alignment is free
  std::vector<std::size_t> offsets_;
};

class Kernel;

class KernelLibrary : public std::enable_shared_from_this<KernelLibrary> {
 public:
  // bad_code when the driver refuses it.
  static StatusOr<std::shared_ptr<KernelLibrary>> load(std::shared_ptr<Context> context,
                                                       std::span<const std::byte> cubin);
  ~KernelLibrary();
  KernelLibrary(const KernelLibrary&) = delete;
  KernelLibrary& operator=(const KernelLibrary&) = delete;

  // `source` is what errors say beside the name. no_kernel when there is none of that name.
  StatusOr<std::shared_ptr<Kernel>> kernel(const std::string& name, std::string source = {});
  const std::shared_ptr<Context>& context() const { return context_; }

 private:
  KernelLibrary(std::shared_ptr<Context> context, CUlibrary library)
      : context_(std::move(context)), library_(library) {}

  const std::shared_ptr<Context> context_;
  const CUlibrary library_;
};

struct KernelAttributes {
  int registers = 0;    // of each thread
  int local_bytes = 0;  // of each thread: stack and spills
  int static_shared_bytes = 0;
  int most_threads = 0;  // in a block, with these registers
};

class Kernel {
 public:
  const KernelOrigin& origin() const { return *origin_; }
  const KernelAttributes& attributes() const { return attributes_; }

 private:
  friend class KernelLibrary;
  friend StatusOr<> launch(Stream&, const Kernel&, const LaunchShape&, const Arguments&);
  Kernel(std::shared_ptr<KernelLibrary> code, CUfunction function, KernelOrigin origin,
         KernelAttributes attributes);
  StatusOr<> allow_shared(unsigned bytes) const;
  StatusOr<> refused(CUresult result, const LaunchShape& shape) const;

  const std::shared_ptr<KernelLibrary> code_;
  const CUfunction function_;
  const std::shared_ptr<const KernelOrigin> origin_;
  const KernelAttributes attributes_;
  mutable std::atomic<unsigned> allowed_shared_bytes_{48 * 1024};  // what needs no permission
};

// REQUIRES: the stream is of the kernel's context.
[[nodiscard]] StatusOr<> launch(Stream& stream, const Kernel& kernel, const LaunchShape& shape,
                                const Arguments& arguments);

}  // namespace hyperion::runtime::cuda

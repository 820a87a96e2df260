// staging.hpp: copies between the host's memory and a GPU's.
//
// The copy engines reach pinned memory only, and at full speed; ordinary memory goes through a ring
// of pinned slots, so that the processor's copy of one slot overlaps the engine's copy of the one
// before. Slots are made when first needed: what never copies pins nothing.
//
// Thread safety: all functions; one copy at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/cuda/stream.hpp"

namespace hyperion::runtime::cuda {

struct StagingOptions {
  std::size_t slot_bytes = std::size_t{4} << 20;  // 80 us of PCIe 5: long against a call's 5 us
  std::size_t slots = 4;
};

class Staging {
 public:
  Staging(std::shared_ptr<Context> context, StagingOptions options = {});
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  // Returns when `from` may change again; the copy is ordered on the stream like a kernel.
  StatusOr<> upload(Stream& stream, CUdeviceptr to, std::span<const std::byte> from);
  // Returns when the bytes are there, after everything that the stream was given before.
  StatusOr<> download(Stream& stream, std::span<std::byte> to, CUdeviceptr from);

 private:
  struct Slot {
    std::byte* data = nullptr;
    StreamEvent done;  // of the last copy that used it
    bool in_use = false;
  };
  // The slot for piece `index`, free to be written. Fewer slots than asked for will do.
  StatusOr<Slot*> slot(Stream& stream, std::size_t index);
  StatusOr<> add_slot();

  const std::shared_ptr<Context> context_;
  const StagingOptions options_;
  std::mutex mutex_;
  std::vector<Slot> slots_;   // guarded by mutex_
  bool is_complete_ = false;  // no more slots will be added
};

}  // namespace hyperion::runtime::cuda

// arena.hpp: device memory that grows and never moves.
//
// An arena reserves a range of addresses once, as large as all memory of the device, which costs
// nothing, and backs it from the start as far as it is needed. So what points into it stays valid
// when it grows: captured graphs, tensor maps, pointers in other buffers.
//
//   base                      bytes()                             capacity
//    |------- backed ---------|------------- reserved -------------|
//
// Growing by ensure() maps more at the end; shrink() gives whole pieces back from the end, after
// waiting for the device, because unmapping does not wait for kernels. A failed ensure() leaves the
// arena as it was, and its error says who holds the memory.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/support/status.hpp"
#include "runtime/cuda/context.hpp"

namespace hyperion::runtime::cuda {

struct ArenaOptions {
  std::string name;            // in messages: "pool", "arena of train_step"
  std::uint64_t capacity = 0;  // addresses to reserve; 0: as much as the device has memory
  // Pieces are multiples of this, rounded up to the driver's granularity (2 MiB): larger pieces
  // need fewer calls, smaller ones waste less.
  std::uint64_t step = 0;
};

class Arena {
 public:
  static StatusOr<std::unique_ptr<Arena>> create(std::shared_ptr<Context> context,
                                                 ArenaOptions options);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  CUdeviceptr base() const { return base_; }
  std::uint64_t bytes() const { return bytes_; }  // backed
  std::uint64_t capacity() const { return capacity_; }
  const std::shared_ptr<Context>& context() const { return context_; }

  StatusOr<> ensure(std::uint64_t bytes);
  // Keeps at least the first `keep` bytes.
  void shrink(std::uint64_t keep) noexcept;

 private:
  Arena(std::shared_ptr<Context> context, std::string name, CUdeviceptr base,
        std::uint64_t capacity, std::uint64_t step);
  StatusOr<> map(std::uint64_t bytes);

  const std::shared_ptr<Context> context_;
  const std::string name_;
  const CUdeviceptr base_;
  const std::uint64_t capacity_;
  const std::uint64_t step_;
  std::uint64_t bytes_ = 0;
  std::vector<std::uint64_t> pieces_;  // sizes, in the order of addresses
};

}  // namespace hyperion::runtime::cuda

// batches.hpp: hands a data set to a training loop, batch by batch, shuffled and ahead of time:
// any arrays of equally many rows as they are (RowLoader), or labelled images, normalised
// (BatchLoader).
//
//   HYP_TRY(auto loader, BatchLoader::create(dataset.train, options));
//   while (training) {
//     const Batch& batch = loader->next();   // f32 pixels, (p/255 - mean) / deviation; i32 labels
//     step(batch);
//     if (batch.ends_epoch) evaluate();
//   }
//
// The order of an epoch is a Fisher-Yates shuffle keyed by (seed, epoch) alone, so {seed, epoch,
// position} is the whole state: saved with a checkpoint and given to create(), it continues with
// exactly the batches that would have come. A thread fills the next buffer while the current one is
// in use; the batches are the same with and without it.
//
// Invariants: within an epoch every example comes once (drop_last leaves out the remainder, another
// one each epoch); after create() nothing is allocated. Thread safety: one caller at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "frontend/data/digits.hpp"
#include "ir/support/status.hpp"

namespace hyperion::data {

struct BatchOptions {
  std::int64_t batch_size = 128;
  bool shuffle = true;
  bool drop_last = true;  // false: the last batch of an epoch may be smaller
  bool prefetch = true;   // false: next() fills the buffer itself
  float mean = 0.0f;
  float deviation = 1.0f;
};

// Where in the endless sequence of batches a loader stands.
struct BatchPosition {
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;     // finished epochs
  std::int64_t position = 0;  // examples of this epoch already handed out
  friend bool operator==(const BatchPosition&, const BatchPosition&) = default;
};

struct Batch {
  std::span<const float> images;         // [size, height, width], 64-byte aligned
  std::span<const std::int32_t> labels;  // [size], 64-byte aligned
  std::int64_t size = 0;
  bool ends_epoch = false;
  BatchPosition after;  // continue here to get the batch that follows this one
};

// Rows of each array of a set, in its element type.
struct RowBatch {
  std::vector<std::span<const std::byte>> arrays;  // row-major, 64-byte aligned
  std::int64_t size = 0;                           // rows
  bool ends_epoch = false;
  BatchPosition after;

  // REQUIRES: T is the C++ type of that array's elements.
  template <class T>
  std::span<const T> as(std::size_t array) const {
    const std::span<const std::byte> bytes = arrays[array];
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
};

// Batches of any arrays whose axis 0 counts the same examples: a CSV table and its labels, say.
class RowLoader {
 public:
  // Starts at `start`. Fails when the arrays do not match, when the options allow no batch, or when
  // `start` cannot be a position of this set. REQUIRES: the arrays outlive the loader. `mean` and
  // `deviation` are not applied.
  static StatusOr<std::unique_ptr<RowLoader>> create(std::vector<const HostArray*> arrays,
                                                     const BatchOptions& options,
                                                     BatchPosition start = {});
  ~RowLoader();

  // The next batch; the previous one becomes invalid.
  const RowBatch& next();

  // The position after the batch last handed out (before the first, where it started): what to
  // save.
  BatchPosition position() const;

  // 60,000 examples in batches of 128: 468, or 469 without drop_last.
  std::int64_t batches_per_epoch() const;

 private:
  friend class BatchLoader;
  class Impl;
  explicit RowLoader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class BatchLoader {
 public:
  // Starts at `start`. Fails when the options allow no batch or `start` cannot be a position of
  // this set. REQUIRES: `set` outlives the loader and holds u8 images and u8 labels, one each
  // (load_images() gives that).
  static StatusOr<std::unique_ptr<BatchLoader>> create(const LabelledImages& set,
                                                       const BatchOptions& options,
                                                       BatchPosition start = {});

  // As those of RowLoader.
  const Batch& next();
  BatchPosition position() const;
  std::int64_t batches_per_epoch() const;

 private:
  explicit BatchLoader(std::unique_ptr<RowLoader> rows) : rows_(std::move(rows)) {}
  std::unique_ptr<RowLoader> rows_;
  Batch batch_;
};

}  // namespace hyperion::data

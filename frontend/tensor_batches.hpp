// tensor_batches.hpp: batches of labelled images as tensors, on the device before they are wanted.
//
//   const auto batches = data::TensorBatches::create(dataset.train, options);
//   while (training) {
//     const data::TensorBatch& batch = batches->next();
//     step(batch.images, batch.labels);
//   }
//
// A thread of its own shuffles, normalises and copies the next batch to the device while the current one is in use; with
// `prefetch = false`, next() does that itself. The order is BatchLoader's, and so is the state to save: {seed, epoch,
// position}. Two batches exist at any time, so once next() has returned, its caller's loop makes the device ask for no more
// memory. Errors are thrown as hyperion::Error. Thread safety: one caller at a time.
#pragma once

#include <memory>

#include "frontend/data/batches.hpp"
#include "frontend/tensor.hpp"

namespace hyperion::data {

struct TensorBatch {
  Tensor images;  // f32[size, height, width]
  Tensor labels;  // i32[size]
  std::int64_t size = 0;
  bool ends_epoch = false;
  BatchPosition after;  // continue here to get the batch that follows this one
};

class TensorBatches {
 public:
  // On the default device of the calling thread. REQUIRES: `set` outlives the result; see BatchLoader::create().
  static std::unique_ptr<TensorBatches> create(const LabelledImages& set, const BatchOptions& options,
                                               BatchPosition start = {});
  ~TensorBatches();

  // The next batch; the previous one is let go, and with it its memory unless its tensors were kept.
  const TensorBatch& next();
  std::int64_t batches_per_epoch() const;

 private:
  class Impl;
  explicit TensorBatches(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hyperion::data

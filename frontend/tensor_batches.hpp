// tensor_batches.hpp: batches of labelled images as tensors, on the device before they are wanted.
//
//   const auto batches = data::TensorBatches::create(dataset.train, options);
//   while (training) {
//     const data::TensorBatch batch = batches->next();
//     step(batch.images, batch.labels);
//   }
//
// A thread of its own shuffles, normalises and copies the next batch to the device while the current one is in use; with
// `prefetch = false`, next() does that itself. The order is BatchLoader's, and so is the state to save: {seed, epoch,
// position}. A caller that lets a batch go before it asks for the next has two at a time, and both exist when next()
// has returned once: no later batch makes the device ask for memory. Errors are thrown as hyperion::Error. Thread
// safety: one caller at a time.
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

  TensorBatch next();
  std::int64_t batches_per_epoch() const;

 private:
  class Impl;
  explicit TensorBatches(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hyperion::data

#include "frontend/tensor_batches.hpp"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "frontend/device.hpp"
#include "frontend/ops/creation.hpp"

namespace hyperion::data {
namespace {

BatchOptions without_thread(BatchOptions options) {
  options.prefetch = false;
  return options;
}

}  // namespace

// Whoever makes a batch (the thread, or next() itself) owns loader_; between them lies one finished batch.
class TensorBatches::Impl {
 public:
  Impl(const LabelledImages& set, const BatchOptions& options, BatchPosition start)
      : dims_(set.images.dims),
        device_(default_device()),
        loader_(value_or_throw(BatchLoader::create(set, without_thread(options), start))) {
    if (options.prefetch) thread_ = std::jthread([this] { produce(); });
  }

  ~Impl() {
    if (!thread_.joinable()) return;
    {
      const std::scoped_lock lock(mutex_);
      is_stopping_ = true;
    }
    changed_.notify_all();
  }

  TensorBatch next() {
    if (!thread_.joinable()) return make();
    std::unique_lock lock(mutex_);
    wait_for_one(lock);
    if (!finished_) std::rethrow_exception(failure_);
    TensorBatch batch = *std::exchange(finished_, std::nullopt);
    changed_.notify_all();
    if (std::exchange(is_first_, false)) wait_for_one(lock);
    return batch;
  }

  std::int64_t batches_per_epoch() const { return loader_->batches_per_epoch(); }

 private:
  void wait_for_one(std::unique_lock<std::mutex>& lock) {
    changed_.wait(lock, [this] { return finished_ || failure_; });
  }

  TensorBatch make() {
    const ScopedDevice scope(device_);
    const Batch& batch = loader_->next();
    return {from_span(batch.images, {batch.size, dims_[1], dims_[2]}), from_span(batch.labels, {batch.size}), batch.size,
            batch.ends_epoch, batch.after};
  }

  void produce() {
    try {
      while (true) {
        TensorBatch batch = make();
        std::unique_lock lock(mutex_);
        finished_ = std::move(batch);
        changed_.notify_all();
        changed_.wait(lock, [this] { return is_stopping_ || !finished_; });
        if (is_stopping_) return;
      }
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      failure_ = std::current_exception();
      changed_.notify_all();
    }
  }

  const std::vector<std::int64_t> dims_;
  const Device device_;
  const std::unique_ptr<BatchLoader> loader_;
  bool is_first_ = true;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::optional<TensorBatch> finished_;
  std::exception_ptr failure_;  // of the thread, which has ended
  bool is_stopping_ = false;
  std::jthread thread_;  // last: it uses everything above
};

TensorBatches::TensorBatches(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TensorBatches::~TensorBatches() = default;

std::unique_ptr<TensorBatches> TensorBatches::create(const LabelledImages& set, const BatchOptions& options,
                                                     BatchPosition start) {
  return std::unique_ptr<TensorBatches>(new TensorBatches(std::make_unique<Impl>(set, options, start)));
}

TensorBatch TensorBatches::next() { return impl_->next(); }
std::int64_t TensorBatches::batches_per_epoch() const { return impl_->batches_per_epoch(); }

}  // namespace hyperion::data

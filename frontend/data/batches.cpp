#include "frontend/data/batches.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <new>
#include <numeric>
#include <thread>
#include <vector>

#include "frontend/data/counter_rng.hpp"
#include "ir/support/format.hpp"

namespace hyperion::data {
namespace {

// A cache line, and the widest vector register: what the compiled step likes its inputs aligned to.
constexpr std::align_val_t kAlignment{64};

template <class T>
class AlignedArray {
 public:
  explicit AlignedArray(std::int64_t count)
      : elements_(static_cast<T*>(
            ::operator new(static_cast<std::size_t>(count) * sizeof(T), kAlignment))) {}
  T* get() const { return elements_.get(); }

 private:
  struct Delete {
    void operator()(T* elements) const { ::operator delete(elements, kAlignment); }
  };
  std::unique_ptr<T, Delete> elements_;
};

struct Slot {
  Slot(std::int64_t batch_size, std::int64_t pixels_per_image)
      : images(batch_size * pixels_per_image), labels(batch_size) {}
  AlignedArray<float> images;
  AlignedArray<std::int32_t> labels;
  Batch batch;
};

// Fewer examples than this at the end of an epoch make no batch.
std::int64_t smallest_batch(const BatchOptions& options) {
  return options.drop_last ? options.batch_size : 1;
}

StatusOr<> check(std::int64_t count, const BatchOptions& options, const BatchPosition& start) {
  if (options.batch_size < 1) {
    return error_status(Code::invalid_argument,
                        format("batch size {} is not positive", options.batch_size));
  }
  if (count < smallest_batch(options)) {
    return error_status(Code::invalid_argument,
                        format("{} examples give no batch of {}", count, options.batch_size), {},
                        "use a smaller batch size");
  }
  if (start.epoch < 0 || start.position < 0 || count - start.position < smallest_batch(options) ||
      start.position % options.batch_size != 0) {
    return error_status(
        Code::invalid_argument,
        format(
            "cannot continue at example {} of epoch {}: the set has {} examples and batches of {}",
            start.position, start.epoch, count, options.batch_size),
        {}, "continue with the data set and batch size of the saved run");
  }
  return {};
}

}  // namespace

// The producer (the thread, or next() itself) owns order_, epoch and the slot being filled; the
// caller owns the slot it was last given. With two slots each always has one.
class BatchLoader::Impl {
 public:
  Impl(const LabelledImages& set, const BatchOptions& options, BatchPosition start)
      : options_(options),
        images_(set.images.as<std::uint8_t>()),
        labels_(set.labels.as<std::uint8_t>()),
        count_(set.labels.element_count()),
        pixels_(set.images.element_count() / count_),
        fill_position_(start),
        position_(start),
        order_(static_cast<std::size_t>(count_)),
        slots_{Slot(options.batch_size, pixels_), Slot(options.batch_size, pixels_)} {
    for (int p = 0; p < 256; ++p) {
      normalised_[static_cast<std::size_t>(p)] =
          (static_cast<float>(p) / 255.0f - options.mean) / options.deviation;
    }
    if (options.prefetch) thread_ = std::jthread([this] { produce(); });
  }

  ~Impl() {
    if (!thread_.joinable()) return;
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
  }

  const Batch& next() {
    if (options_.prefetch) {
      std::unique_lock lock(mutex_);
      // Asking for a batch gives the previous one back.
      released_ = taken_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return filled_ > taken_; });
    } else {
      fill(slots_[taken_ % 2]);
    }
    const Batch& batch = slots_[taken_ % 2].batch;
    ++taken_;
    position_ = batch.after;
    return batch;
  }

  BatchPosition position() const { return position_; }

  std::int64_t batches_per_epoch() const {
    const std::int64_t partial = options_.drop_last ? 0 : options_.batch_size - 1;
    return (count_ + partial) / options_.batch_size;
  }

 private:
  void produce() {
    while (true) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopping_ || filled_ < released_ + 2; });
        if (stopping_) return;
      }
      fill(slots_[filled_ % 2]);
      {
        const std::scoped_lock lock(mutex_);
        ++filled_;
      }
      changed_.notify_all();
    }
  }

  void shuffle() {
    std::iota(order_.begin(), order_.end(), 0u);
    order_epoch_ = fill_position_.epoch;
    if (!options_.shuffle) return;
    CounterRng rng(
        derive_key(fill_position_.seed, static_cast<std::uint64_t>(fill_position_.epoch)));
    for (std::size_t i = order_.size() - 1; i > 0; --i) {
      std::swap(order_[i], order_[rng.below(i + 1)]);
    }
  }

  void fill(Slot& slot) {
    if (order_epoch_ != fill_position_.epoch) shuffle();
    const std::int64_t first = fill_position_.position;
    const std::int64_t size = std::min(options_.batch_size, count_ - first);
    float* to = slot.images.get();
    for (std::int64_t i = 0; i < size; ++i) {
      const std::size_t example = order_[static_cast<std::size_t>(first + i)];
      const auto pixels = images_.subspan(example * static_cast<std::size_t>(pixels_),
                                          static_cast<std::size_t>(pixels_));
      for (std::uint8_t pixel : pixels) *to++ = normalised_[pixel];
      slot.labels.get()[i] = labels_[example];
    }
    advance(size);
    slot.batch = {{slot.images.get(), static_cast<std::size_t>(size * pixels_)},
                  {slot.labels.get(), static_cast<std::size_t>(size)},
                  size,
                  fill_position_.position == 0,
                  fill_position_};
  }

  void advance(std::int64_t size) {
    fill_position_.position += size;
    if (count_ - fill_position_.position < smallest_batch(options_)) {
      fill_position_ = {fill_position_.seed, fill_position_.epoch + 1, 0};
    }
  }

  const BatchOptions options_;
  const std::span<const std::uint8_t> images_;
  const std::span<const std::uint8_t> labels_;
  const std::int64_t count_;
  const std::int64_t pixels_;  // of one image
  std::array<float, 256> normalised_;

  BatchPosition fill_position_;  // producer: the next batch to fill
  BatchPosition position_;       // caller: after the last batch handed out
  std::vector<std::uint32_t> order_;
  std::int64_t order_epoch_ = -1;
  std::array<Slot, 2> slots_;

  // Numbers of batches, all only growing: filled by the producer, taken by the caller, given back
  // by the caller. Guarded by mutex_, except that without the thread there is one user.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t filled_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t released_ = 0;
  bool stopping_ = false;
  std::jthread thread_;  // last: it uses everything above
};

BatchLoader::BatchLoader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
BatchLoader::~BatchLoader() = default;

StatusOr<std::unique_ptr<BatchLoader>> BatchLoader::create(const LabelledImages& set,
                                                           const BatchOptions& options,
                                                           BatchPosition start) {
  HYP_TRY_VOID(check(set.labels.element_count(), options, start));
  return std::unique_ptr<BatchLoader>(new BatchLoader(std::make_unique<Impl>(set, options, start)));
}

const Batch& BatchLoader::next() { return impl_->next(); }
BatchPosition BatchLoader::position() const { return impl_->position(); }
std::int64_t BatchLoader::batches_per_epoch() const { return impl_->batches_per_epoch(); }

}  // namespace hyperion::data

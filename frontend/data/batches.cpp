#include "frontend/data/batches.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <functional>
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

class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t count)
      : bytes_(static_cast<std::byte*>(::operator new(count, kAlignment))) {}
  std::byte* get() const { return bytes_.get(); }

 private:
  struct Delete {
    void operator()(std::byte* bytes) const { ::operator delete(bytes, kAlignment); }
  };
  std::unique_ptr<std::byte[], Delete> bytes_;
};

// One array of a set, and how a row of it enters a batch.
struct Column {
  std::size_t row_bytes;  // in the batch
  std::function<void(std::size_t row, std::byte* to)> copy;
};

struct Slot {
  Slot(const std::vector<Column>& columns, std::int64_t batch_size) {
    for (const Column& column : columns) {
      buffers.emplace_back(static_cast<std::size_t>(batch_size) * column.row_bytes);
      batch.arrays.emplace_back();
    }
  }
  std::vector<AlignedBytes> buffers;
  RowBatch batch;
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
class RowLoader::Impl {
 public:
  Impl(std::vector<Column> columns, std::int64_t count, const BatchOptions& options,
       BatchPosition start)
      : options_(options),
        columns_(std::move(columns)),
        count_(count),
        fill_position_(start),
        position_(start),
        order_(static_cast<std::size_t>(count_)),
        slots_{Slot(columns_, options.batch_size), Slot(columns_, options.batch_size)} {
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

  const RowBatch& next() {
    if (options_.prefetch) {
      std::unique_lock lock(mutex_);
      // Asking for a batch gives the previous one back.
      released_ = taken_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return filled_ > taken_; });
    } else {
      fill(slots_[taken_ % 2]);
    }
    const RowBatch& batch = slots_[taken_ % 2].batch;
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
    for (std::size_t k = 0; k < columns_.size(); ++k) {
      const Column& column = columns_[k];
      std::byte* to = slot.buffers[k].get();
      for (std::int64_t i = 0; i < size; ++i, to += column.row_bytes) {
        column.copy(order_[static_cast<std::size_t>(first + i)], to);
      }
      slot.batch.arrays[k] = {slot.buffers[k].get(),
                              static_cast<std::size_t>(size) * column.row_bytes};
    }
    advance(size);
    slot.batch.size = size;
    slot.batch.ends_epoch = fill_position_.position == 0;
    slot.batch.after = fill_position_;
  }

  void advance(std::int64_t size) {
    fill_position_.position += size;
    if (count_ - fill_position_.position < smallest_batch(options_)) {
      fill_position_ = {fill_position_.seed, fill_position_.epoch + 1, 0};
    }
  }

  const BatchOptions options_;
  const std::vector<Column> columns_;
  const std::int64_t count_;  // of rows

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

RowLoader::RowLoader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RowLoader::~RowLoader() = default;

StatusOr<std::unique_ptr<RowLoader>> RowLoader::create(std::vector<const HostArray*> arrays,
                                                       const BatchOptions& options,
                                                       BatchPosition start) {
  if (arrays.empty() || arrays[0]->rank() == 0) {
    return error_status(Code::invalid_argument, "there are no rows to make batches of");
  }
  const std::int64_t count = arrays[0]->dims[0];
  std::vector<Column> columns;
  for (const HostArray* array : arrays) {
    if (array->rank() == 0 || array->dims[0] != count) {
      return error_status(Code::invalid_argument,
                          format("array {} has {} rows, array 0 has {}", columns.size(),
                                 array->rank() == 0 ? 0 : array->dims[0], count));
    }
    const std::size_t bytes =
        count == 0 ? 0 : array->bytes.size() / static_cast<std::size_t>(count);
    columns.push_back({bytes, [array, bytes](std::size_t row, std::byte* to) {
                         if (bytes != 0) std::memcpy(to, array->bytes.data() + row * bytes, bytes);
                       }});
  }
  HYP_TRY_VOID(check(count, options, start));
  return std::unique_ptr<RowLoader>(
      new RowLoader(std::make_unique<Impl>(std::move(columns), count, options, start)));
}

const RowBatch& RowLoader::next() { return impl_->next(); }
BatchPosition RowLoader::position() const { return impl_->position(); }
std::int64_t RowLoader::batches_per_epoch() const { return impl_->batches_per_epoch(); }

StatusOr<std::unique_ptr<BatchLoader>> BatchLoader::create(const LabelledImages& set,
                                                           const BatchOptions& options,
                                                           BatchPosition start) {
  const std::int64_t count = set.labels.element_count();
  HYP_TRY_VOID(check(count, options, start));
  const auto pixels = static_cast<std::size_t>(set.images.element_count() / count);
  std::array<float, 256> normalised;
  for (int p = 0; p < 256; ++p) {
    normalised[static_cast<std::size_t>(p)] =
        (static_cast<float>(p) / 255.0f - options.mean) / options.deviation;
  }
  const auto images = set.images.as<std::uint8_t>(), labels = set.labels.as<std::uint8_t>();
  std::vector<Column> columns;
  columns.push_back({pixels * sizeof(float), [=](std::size_t row, std::byte* to) {
                       auto* out = reinterpret_cast<float*>(to);
                       for (std::uint8_t pixel : images.subspan(row * pixels, pixels)) {
                         *out++ = normalised[pixel];
                       }
                     }});
  columns.push_back({sizeof(std::int32_t), [=](std::size_t row, std::byte* to) {
                       const std::int32_t label = labels[row];
                       std::memcpy(to, &label, sizeof label);
                     }});
  auto rows = std::unique_ptr<RowLoader>(new RowLoader(
      std::make_unique<RowLoader::Impl>(std::move(columns), count, options, start)));
  return std::unique_ptr<BatchLoader>(new BatchLoader(std::move(rows)));
}

const Batch& BatchLoader::next() {
  const RowBatch& rows = rows_->next();
  batch_ = {rows.as<float>(0), rows.as<std::int32_t>(1), rows.size, rows.ends_epoch, rows.after};
  return batch_;
}

BatchPosition BatchLoader::position() const { return rows_->position(); }
std::int64_t BatchLoader::batches_per_epoch() const { return rows_->batches_per_epoch(); }

}  // namespace hyperion::data

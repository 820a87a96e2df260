#include "runtime/event.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "ir/support/check.hpp"
#include "ir/support/format.hpp"

namespace hyperion::runtime {

struct Event::State {
  std::mutex mutex;
  std::condition_variable completed;
  std::unique_ptr<const Status> error;  // written before `done`, immutable after
  std::atomic<bool> done{false};
  std::vector<Callback> callbacks;  // guarded by mutex
};

bool Event::ready() const noexcept {
  return state_ == nullptr || state_->done.load(std::memory_order_acquire);
}

const Status* Event::error() const noexcept {
  return state_ != nullptr && ready() ? state_->error.get() : nullptr;
}

StatusOr<> Event::wait(Duration timeout) const {
  if (!ready()) {
    std::unique_lock lock(state_->mutex);
    const auto done = [&] { return state_->done.load(std::memory_order_acquire); };
    if (timeout == Duration::max()) {
      state_->completed.wait(lock, done);
    } else if (!state_->completed.wait_until(lock, std::chrono::steady_clock::now() + timeout,
                                             done)) {
      return error_status(
          Code::deadline_exceeded,
          format("the work was not finished after {} ms",
                 std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count()));
    }
  }
  if (const Status* failed = error()) return std::unexpected(*failed);
  return {};
}

void Event::then(Callback callback) const {
  if (!ready()) {
    std::lock_guard lock(state_->mutex);
    if (!state_->done.load(std::memory_order_relaxed)) {
      state_->callbacks.push_back(std::move(callback));
      return;
    }
  }
  callback(error());
}

Event Event::all(std::span<const Event> events) {
  struct Join {
    explicit Join(std::span<const Event> parts)
        : parts(parts.begin(), parts.end()), left(parts.size()) {}
    std::vector<Event> parts;
    std::atomic<std::size_t> left;
    EventSource done;
  };
  if (events.empty()) return {};
  auto join = std::make_shared<Join>(events);
  Event result = join->done.event();
  for (const Event& part : events) {
    part.then([join](const Status*) {
      if (join->left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
      for (const Event& each : join->parts) {
        if (const Status* failed = each.error()) return join->done.fail(*failed);
      }
      join->done.succeed();
    });
  }
  return result;
}

EventSource::EventSource() : state_(std::make_shared<Event::State>()) {}

void EventSource::fail(Status status) const {
  complete(std::make_unique<const Status>(std::move(status)));
}

void EventSource::complete(std::unique_ptr<const Status> error) const {
  std::vector<Event::Callback> callbacks;
  {
    std::lock_guard lock(state_->mutex);
    HYP_CHECK(!state_->done.load(std::memory_order_relaxed), "an event completes once");
    state_->error = std::move(error);
    state_->done.store(true, std::memory_order_release);
    callbacks.swap(state_->callbacks);
  }
  state_->completed.notify_all();
  for (Event::Callback& callback : callbacks) callback(state_->error.get());
}

}  // namespace hyperion::runtime

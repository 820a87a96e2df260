// event.hpp: something that will have happened, or will have failed.
//
// An Event completes once, with success or with a Status. Failure is passed on, not thrown:
// everyone who waits gets the producer's own Status, and work that needs the lost value fails with
// the same Status ("poison"). Nothing aborts.
//
// Event is a cheap value (one pointer). A default Event is complete and successful, so synchronous
// code pays nothing.
//
// Callbacks run on the thread that completes the event, or at once when it is complete already;
// never under a lock. They must be short and noexcept. Thread safety: all functions.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>

#include "ir/support/status.hpp"

namespace hyperion::runtime {

using Duration = std::chrono::nanoseconds;

class Event {
 public:
  using Callback = std::move_only_function<void(const Status* error)>;  // null: success

  Event() = default;

  // Complete when all are; fails with the error of the first one (in list order) that failed.
  static Event all(std::span<const Event> events);

  bool ready() const noexcept;
  // Null while pending and on success.
  const Status* error() const noexcept;
  // The producer's error if it failed; deadline_exceeded if it is still pending after `timeout`.
  StatusOr<> wait(Duration timeout = Duration::max()) const;
  void then(Callback callback) const;

 private:
  friend class EventSource;
  struct State;
  explicit Event(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;  // null: complete, successful
};

// The producing end. Completing twice is a broken invariant.
class EventSource {
 public:
  EventSource();
  Event event() const { return Event(state_); }
  void succeed() const { complete(nullptr); }
  void fail(Status status) const;

 private:
  void complete(std::unique_ptr<const Status> error) const;

  std::shared_ptr<Event::State> state_;
};

}  // namespace hyperion::runtime

// async_staging.hpp: the buffers in which a role lays out its results before asynchronous stores take them away, as the
// player behind verify() sees them. Internal to the player.
#pragma once

#include <deque>
#include <string>
#include <vector>

namespace hyperion::codegen {

// A role's staging buffers. A store may read its buffer until it has been waited for, however fast it is.
class StagingArea {
 public:
  explicit StagingArea(int buffers) : buffers_(static_cast<std::size_t>(buffers)) {}

  void wait(int pending) {
    while (static_cast<int>(stores_.size()) > pending) buffers_[stores_.front()] = {}, stores_.pop_front();
  }
  void write(const auto& fail) {
    if (buffers_.empty()) return fail("stages a result, but has no buffers");
    Buffer& next = buffers_[next_];
    if (next.is_read) return fail("overwrites a staging buffer that a store may still read");
    if (next.is_written) fail("overwrites what it staged and never stored");
    next = {.is_written = true};
  }
  void publish() {
    for (Buffer& buffer : buffers_) buffer.is_published = buffer.is_written;
  }
  void store(const auto& fail) {
    if (buffers_.empty() || !buffers_[next_].is_written) return fail("stores what it has not staged");
    if (!buffers_[next_].is_published) return fail("stores what the asynchronous engines may not see yet");
    buffers_[next_].is_read = true;
    stores_.push_back(next_);
    next_ = (next_ + 1) % buffers_.size();
  }
  bool is_read() const { return !stores_.empty(); }

 private:
  struct Buffer {
    bool is_written = false, is_published = false, is_read = false;
  };
  std::vector<Buffer> buffers_;
  std::deque<std::size_t> stores_;  // under way, the oldest first
  std::size_t next_ = 0;
};

}  // namespace hyperion::codegen

#include "frontend/data/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "ir/support/check.hpp"
#include "ir/support/format.hpp"

namespace hyperion::data {
namespace {

// zlib's window bits: 15 is the largest window, +16 asks for a gzip header and trailer.
constexpr int kGzipWindowBits = 15 + 16;

// Output grows by doubling from here, so that the memory in use stays proportional to what was
// decompressed.
constexpr std::size_t kFirstOutputBytes = 64 * 1024;

class Inflater {
 public:
  explicit Inflater(std::span<const std::byte> input) : input_(input) {
    HYP_CHECK(inflateInit2(&stream_, kGzipWindowBits) == Z_OK, "zlib could not start");
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  // Writes into `output` from `done`; returns zlib's code. zlib counts in 32 bits, hence the
  // clamps.
  int step(std::vector<std::byte>& output, std::size_t& done) {
    constexpr std::size_t kMost = std::numeric_limits<uInt>::max();
    const std::size_t offered_in = std::min(kMost, input_.size() - consumed_);
    const std::size_t offered_out = std::min(kMost, output.size() - done);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input_.data() + consumed_));
    stream_.avail_in = static_cast<uInt>(offered_in);
    stream_.next_out = reinterpret_cast<Bytef*>(output.data() + done);
    stream_.avail_out = static_cast<uInt>(offered_out);
    const int code = inflate(&stream_, Z_NO_FLUSH);
    consumed_ += offered_in - stream_.avail_in;
    done += offered_out - stream_.avail_out;
    return code;
  }

  void next_member() { inflateReset(&stream_); }
  bool at_end() const { return consumed_ == input_.size(); }
  std::size_t consumed() const { return consumed_; }
  const char* message() const { return stream_.msg == nullptr ? "damaged data" : stream_.msg; }

 private:
  std::span<const std::byte> input_;
  std::size_t consumed_ = 0;
  z_stream stream_{};
};

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

StatusOr<Decompressed> decompress_gzip(std::span<const std::byte> bytes, std::size_t limit,
                                       const std::string& name) {
  Inflater inflater(bytes);
  Decompressed result;
  result.bytes.resize(std::min(limit, kFirstOutputBytes));
  std::size_t done = 0;
  while (true) {
    const int code = inflater.step(result.bytes, done);
    if (code == Z_STREAM_END) {
      result.complete = inflater.at_end();
      if (result.complete) break;
      inflater.next_member();
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return error_status(Code::data_loss,
                          format("gzip: {} at byte {} of {}", inflater.message(),
                                 inflater.consumed(), bytes.size()),
                          name, "the file is damaged: fetch it again");
    }
    if (done == limit) break;
    if (done == result.bytes.size()) {
      result.bytes.resize(std::min(limit, 2 * done));
    } else if (inflater.at_end()) {
      return error_status(Code::data_loss,
                          format("gzip: the stream breaks off after {} bytes", bytes.size()), name,
                          "the file is truncated: fetch it again");
    }
  }
  result.bytes.resize(done);
  return result;
}

}  // namespace hyperion::data

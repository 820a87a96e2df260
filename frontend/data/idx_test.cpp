#include "frontend/data/idx.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "frontend/data/gzip.hpp"
#include "ir/support/file.hpp"
#include "ir/support/hash.hpp"
#include "tests/support/gzip.hpp"
#include "tests/support/shared_data.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::data {
namespace {

using testing_support::gzip;
using testing_support::TempFolder;

HostArray counting(DType dtype, std::vector<std::int64_t> dims) {
  HostArray array = HostArray::zeros(dtype, std::move(dims));
  for (std::size_t i = 0; i < array.bytes.size(); ++i) array.bytes[i] = std::byte(i * 37 + 1);
  return array;
}

std::string message_of(const std::vector<std::byte>& bytes) {
  const auto array = parse_idx(bytes, "file");
  return array ? "no error" : array.error().text();
}

TEST(Idx, RoundTripsEveryTypePlainAndCompressed) {
  for (DType dtype : {DType::u8, DType::i8, DType::i16, DType::i32, DType::f32, DType::f64}) {
    for (const auto& dims : std::vector<std::vector<std::int64_t>>{{}, {5}, {2, 3, 4}, {3, 0, 2}}) {
      const HostArray array = counting(dtype, dims);
      const auto bytes = idx_bytes(array);
      EXPECT_EQ(parse_idx(bytes, "plain").value(), array) << dtype_name(dtype);
      EXPECT_EQ(parse_idx(gzip(bytes), "compressed").value(), array) << dtype_name(dtype);
    }
  }
}

TEST(Idx, ElementsAreBigEndianInTheFile) {
  const std::int32_t values[] = {0x01020304};
  const auto bytes = idx_bytes(HostArray::from(std::span<const std::int32_t>(values), {1}));
  const std::vector<int> expected = {0, 0, 0x0c, 1, 0, 0, 0, 1, 1, 2, 3, 4};
  EXPECT_TRUE(std::ranges::equal(bytes, expected, {}, [](std::byte b) { return int(b); }));
}

TEST(Idx, ConcatenatedGzipMembersAreOneFile) {
  const HostArray array = counting(DType::u8, {64});
  const auto bytes = idx_bytes(array);
  auto members = gzip(std::span(bytes).first(20));
  const auto rest = gzip(std::span(bytes).subspan(20));
  members.insert(members.end(), rest.begin(), rest.end());
  EXPECT_EQ(parse_idx(members, "two members").value(), array);
}

TEST(Idx, WrongMagicIsShown) {
  EXPECT_EQ(
      message_of({std::byte{0x89}, std::byte{'P'}, std::byte{'N'}, std::byte{'G'}}),
      "data_loss: file: wrong magic number: expected 00 00 TYPE RANK with TYPE one of 08 09 0b "
      "0c 0d 0e, found 89 50 4e 47; this is no IDX file, or a damaged one: fetch it again");
  EXPECT_EQ(
      message_of({}),
      "data_loss: file: expected a 4-byte magic number, found 0 bytes; this is no IDX file, or "
      "a damaged one: fetch it again");
}

TEST(Idx, TruncationAndExcessSayWhatWasExpected) {
  auto bytes = idx_bytes(counting(DType::u8, {3, 4}));
  bytes.pop_back();
  const std::string truncated =
      "data_loss: file: the header promises 3 x 4 elements of u8 (12 bytes), found 11 bytes; the "
      "file "
      "is truncated: fetch it again";
  EXPECT_EQ(message_of(bytes), truncated);
  EXPECT_EQ(message_of(gzip(bytes)), truncated);
  bytes.resize(bytes.size() + 2);
  const std::string excess =
      "data_loss: file: the header promises 3 x 4 elements of u8 (12 bytes), but more bytes "
      "follow; "
      "this is no IDX file, or a damaged one: fetch it again";
  EXPECT_EQ(message_of(bytes), excess);
  EXPECT_EQ(message_of(gzip(bytes)), excess);
}

TEST(Idx, HugeDimensionsAreRefusedWithoutAllocating) {
  auto bytes = idx_bytes(counting(DType::f64, {1, 1, 1}));
  std::fill(bytes.begin() + 4, bytes.begin() + 16, std::byte{0xff});
  EXPECT_NE(message_of(bytes).find("overflow"), std::string::npos);
  EXPECT_NE(message_of(gzip(bytes)).find("overflow"), std::string::npos);
  auto large = idx_bytes(counting(DType::u8, {1, 1}));
  std::fill(large.begin() + 4, large.begin() + 11, std::byte{0x7f});
  EXPECT_NE(message_of(gzip(large)).find("truncated"), std::string::npos);
}

TEST(Idx, CompressedBombStopsAtTheHeadersPromise) {
  auto bytes = idx_bytes(counting(DType::u8, {10}));
  bytes.resize(std::size_t{16} << 20);
  EXPECT_NE(message_of(gzip(bytes)).find("more bytes follow"), std::string::npos);
  const auto bounded = decompress_gzip(gzip(bytes), 1000, "bomb");
  EXPECT_EQ(bounded.value().bytes.size(), 1000u);
  EXPECT_FALSE(bounded.value().complete);
}

TEST(Idx, EveryTruncationOfEitherFormIsAnError) {
  const auto plain = idx_bytes(counting(DType::i16, {4, 5}));
  const auto compressed = gzip(plain);
  for (std::size_t size = 0; size < plain.size(); ++size) {
    EXPECT_FALSE(parse_idx(std::span(plain).first(size), "file")) << size;
  }
  for (std::size_t size = 0; size < compressed.size(); ++size) {
    EXPECT_FALSE(parse_idx(std::span(compressed).first(size), "file")) << size;
  }
}

// A flipped bit may leave a valid file (other elements), but never a crash or a wrong size.
TEST(Idx, BitFlipsNeverBreakTheInvariant) {
  std::mt19937_64 rng(1);
  const auto plain = idx_bytes(counting(DType::i16, {4, 5}));
  const auto compressed = gzip(plain);
  for (int i = 0; i < 2000; ++i) {
    for (auto bytes : {plain, compressed}) {
      bytes[rng() % bytes.size()] ^= std::byte(1u << rng() % 8);
      const auto array = parse_idx(bytes, "file");
      if (!array) continue;
      EXPECT_EQ(array->bytes.size(),
                static_cast<std::size_t>(array->element_count()) * byte_size(array->dtype));
    }
  }
}

TEST(Idx, MissingFileNamesItsPath) {
  EXPECT_EQ(read_idx("/no/such/file").error().text(),
            "not_found: /no/such/file: cannot open: No such file or directory; check the path");
}

TEST(Idx, ReadsFromDisk) {
  const TempFolder folder;
  const HostArray array = counting(DType::f32, {2, 2});
  ASSERT_TRUE(write_file_atomically(folder.path("a.idx"), idx_bytes(array)));
  EXPECT_EQ(read_idx(folder.path("a.idx")).value(), array);
}

// Class counts of the published test labels.
TEST(Idx, RealMnistLabels) {
  HYP_SHARED_DATA_OR_SKIP(const std::string path, "mnist/t10k-labels-idx1-ubyte.gz");
  const auto labels = read_idx(path);
  ASSERT_TRUE(labels) << labels.error().text();
  std::vector<int> counts(10);
  for (std::uint8_t label : labels->as<std::uint8_t>()) ++counts[label];
  EXPECT_EQ(counts, (std::vector<int>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}));
}

}  // namespace
}  // namespace hyperion::data

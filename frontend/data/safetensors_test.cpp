#include "frontend/data/safetensors.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <random>

#include "tests/support/shared_data.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::data {
namespace {

using testing_support::TempFolder;

std::string with_size(std::uint64_t size, std::string_view rest) {
  std::string file(8, '\0');
  std::memcpy(file.data(), &size, 8);
  return file.append(rest);
}

// A file with this header and `data_bytes` bytes behind it.
std::string file_of(std::string_view json, std::size_t data_bytes) {
  return with_size(json.size(), std::string(json) + std::string(data_bytes, '\x01'));
}

void write(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc).write(bytes.data(), std::ssize(bytes));
}

// What opening a file with these bytes says, without its path.
std::string error_of(std::string_view bytes) {
  const TempFolder folder;
  const std::string path = folder.path("f");
  write(path, bytes);
  const auto file = SafetensorsFile::open(path);
  if (file) return "no error";
  EXPECT_EQ(file.error().where, path);
  EXPECT_EQ(file.error().code, Code::data_loss);
  return file.error().message;
}

constexpr std::string_view kGood = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

TEST(Safetensors, RoundTripsEveryDtypeEmptyAndRankZero) {
  const TempFolder folder;
  std::vector<HostArray> arrays;
  std::vector<NamedBytes> tensors;
  for (DType dtype : all_dtypes()) {
    if (!safetensors_dtype(dtype)) continue;
    for (const auto& dims : std::vector<std::vector<std::int64_t>>{{}, {3}, {2, 0, 4}, {2, 3}}) {
      HostArray array = HostArray::zeros(dtype, dims);
      for (std::size_t i = 0; i < array.bytes.size(); ++i) array.bytes[i] = std::byte(i * 7 + 1);
      arrays.push_back(std::move(array));
    }
  }
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    tensors.push_back({"t" + std::to_string(i), arrays[i].dtype, arrays[i].dims, arrays[i].bytes});
  }
  const SafetensorsMetadata metadata = {{"format", "hyperion"}, {"tricky \"\\\n", "\xc3\xa9\x01"}};
  ASSERT_TRUE(save_safetensors(folder.path("a"), tensors, metadata));
  const auto file = SafetensorsFile::open(folder.path("a"));
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_EQ(file->metadata(), metadata);
  ASSERT_EQ(file->entries().size(), arrays.size());
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    EXPECT_EQ(file->read(tensors[i].name).value(), arrays[i]) << tensors[i].name;
  }
  EXPECT_EQ(folder.entry_count(), 1u);
}

TEST(Safetensors, SpecialFloatsKeepTheirBits) {
  const TempFolder folder;
  const float values[] = {std::nanf("1"), -0.0f, std::numeric_limits<float>::infinity(), 1e-45f};
  const NamedBytes tensor{"x", DType::f32, {4}, std::as_bytes(std::span(values))};
  ASSERT_TRUE(save_safetensors(folder.path("a"), std::span(&tensor, 1)));
  const auto back = SafetensorsFile::open(folder.path("a")).value().read("x").value();
  EXPECT_EQ(std::memcmp(back.bytes.data(), values, sizeof(values)), 0);
}

TEST(Safetensors, DataStartsAlignedAndBytesAreAsSpecified) {
  const TempFolder folder;
  const std::uint8_t values[] = {7, 8};
  const NamedBytes tensor{"a", DType::u8, {2}, std::as_bytes(std::span(values))};
  ASSERT_TRUE(save_safetensors(folder.path("a"), std::span(&tensor, 1), {{"k", "v"}}));
  const auto bytes = read_file(folder.path("a")).value();
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string json =
      R"({"__metadata__":{"k":"v"},"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";
  EXPECT_EQ(text, with_size(120, json + std::string(120 - json.size(), ' ') + "\x07\x08"));
}

TEST(Safetensors, TiedWeightsAreSavedOnceAndReadByEitherName) {
  const TempFolder folder;
  const float weight[] = {1, 2};
  const auto bytes = std::as_bytes(std::span(weight));
  const NamedBytes tensors[] = {{"wte", DType::f32, {2}, bytes},
                                {"other", DType::f32, {1}, bytes.first(4)},
                                {"lm_head", DType::f32, {2}, bytes}};
  ASSERT_TRUE(save_safetensors(folder.path("a"), tensors));
  const auto file = SafetensorsFile::open(folder.path("a")).value();
  EXPECT_EQ(file.entries().size(), 2u);
  EXPECT_EQ(file.metadata().at("alias:lm_head"), "wte");
  EXPECT_EQ(file.read("lm_head").value(), file.read("wte").value());
  EXPECT_EQ(file.find("lm_head"), file.find("wte"));
}

TEST(Safetensors, ReadsWhatOtherWritersWrite) {
  const TempFolder folder;
  // Unsorted entries, spaces, escapes, fields in another order, no padding.
  write(folder.path("a"),
        file_of(
            "{ \"b\" : {\"shape\": [ 1 , 2 ], \"data_offsets\":[4, 6],\n\"dtype\":\"U8\"} ,"
            "\"\\u00e9\\ud83d\\ude00\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[0,4]}}  ",
            6));
  const auto file = SafetensorsFile::open(folder.path("a"));
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_EQ(file->entries()[0].name, "\xc3\xa9\xf0\x9f\x98\x80");
  EXPECT_EQ(file->read("b").value().dims, (std::vector<std::int64_t>{1, 2}));
}

TEST(Safetensors, TypesWeDoNotHaveLoadAsBytesAndFailOnlyOnUse) {
  const TempFolder folder;
  write(folder.path("a"), file_of(R"({"x":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]},)"
                                  R"("y":{"dtype":"F99","shape":[4],"data_offsets":[3,5]}})",
                                  5));
  const auto file = SafetensorsFile::open(folder.path("a"));
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_EQ(file->raw_bytes(*file->find("x")).size(), 3u);
  EXPECT_EQ(file->read("y").error().text(),
            "unimplemented: " + folder.path("a") +
                ": tensor 'y' is F99, which Hyperion has no element type for; convert it to F32 "
                "before saving");
  EXPECT_EQ(file->read("z").error().text(),
            "not_found: " + folder.path("a") + ": has no tensor 'z'; it holds 2 tensors");
}

TEST(Safetensors, RefusesAForgedSize) {
  EXPECT_EQ(error_of(""), "expected an 8-byte header size, found 0 bytes");
  EXPECT_EQ(error_of(with_size(100'000'001, "{}")),
            "a header of 100000001 bytes is beyond the format's limit of 100000000");
  EXPECT_EQ(error_of(with_size(std::numeric_limits<std::uint64_t>::max(), "{}")),
            "a header of 18446744073709551615 bytes is beyond the format's limit of 100000000");
  EXPECT_EQ(error_of(with_size(99, "{}")), "the header needs 99 bytes, found 2");
  EXPECT_EQ(error_of(with_size(0, "")), "the header does not begin with '{'");
}

TEST(Safetensors, RefusesDataThatDoesNotTile) {
  EXPECT_EQ(error_of(file_of(kGood, 8)), "no error");
  EXPECT_EQ(error_of(file_of(kGood, 7)), "the tensors need 8 bytes of data, found 7");
  EXPECT_EQ(error_of(file_of(kGood, 9)), "1 bytes follow the last tensor");
  EXPECT_EQ(error_of(file_of("{}", 0)), "no error");
  EXPECT_EQ(error_of(file_of("{}", 3)), "3 bytes follow the last tensor");
  const auto two = [](std::string_view first, std::string_view second) {
    return error_of(file_of(
        R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + std::string(first) +
            R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + std::string(second) + "}}",
        8));
  };
  EXPECT_EQ(two("[0,4]", "[4,8]"), "no error");
  EXPECT_EQ(two("[4,8]", "[0,4]"), "no error");
  EXPECT_EQ(two("[0,4]", "[2,6]"),
            "tensor 'b': data begins at byte 2, expected 4: tensors overlap");
  EXPECT_EQ(two("[0,4]", "[0,4]"),
            "tensor 'b': data begins at byte 0, expected 4: tensors overlap");
  EXPECT_EQ(two("[0,4]", "[5,9]"),
            "tensor 'b': data begins at byte 5, expected 4: there is a hole");
  EXPECT_EQ(two("[0,4]", "[8,4]"), "tensor 'b': data_offsets [8, 4] run backwards");
}

TEST(Safetensors, RefusesSizesThatDoNotFitTheShape) {
  const auto shaped = [](std::string_view dtype, std::string_view shape) {
    return error_of(file_of(R"({"a":{"dtype":")" + std::string(dtype) + R"(","shape":)" +
                                std::string(shape) + R"(,"data_offsets":[0,8]}})",
                            8));
  };
  EXPECT_EQ(shaped("F32", "[3]"),
            "tensor 'a': shape [3] of F32 needs 12 bytes, data_offsets [0, 8] hold 8");
  EXPECT_EQ(shaped("F32", "[]"),
            "tensor 'a': shape [] of F32 needs 4 bytes, data_offsets [0, 8] hold 8");
  EXPECT_EQ(shaped("F4", "[3]"), "tensor 'a': shape [3] of F4 overflows or ends inside a byte");
  EXPECT_EQ(shaped("U8", "[4294967296,4294967296,8]"),
            "tensor 'a': shape [4294967296, 4294967296, 8] of U8 overflows or ends inside a byte");
  EXPECT_EQ(
      shaped("U8", "[9223372036854775807,0]"),
      "tensor 'a': shape [9223372036854775807, 0] of U8 needs 0 bytes, data_offsets [0, 8] hold "
      "8");
  EXPECT_EQ(shaped("U8", "[9223372036854775808]"), "header byte 46: number too large");
}

TEST(Safetensors, RefusesBadJson) {
  const auto bad = [](std::string_view json) { return error_of(file_of(json, 8)); };
  EXPECT_EQ(bad("[]"), "the header does not begin with '{'");
  EXPECT_EQ(bad(" {}"), "the header does not begin with '{'");
  EXPECT_EQ(bad("{"), "header byte 1: expected '\"', found the end");
  EXPECT_EQ(bad(std::string(kGood) + "x"), "header byte 54: text after the closing brace");
  EXPECT_EQ(bad(std::string(kGood) + std::string(1, '\0')),
            "header byte 54: text after the closing brace");
  EXPECT_EQ(bad(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},)"
                R"("a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})"),
            "header byte 56: key 'a' appears twice");
  EXPECT_EQ(bad(R"({"a":{"dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8]}})"),
            "header byte 26: key 'dtype' appears twice");
  EXPECT_EQ(bad(R"({"a":{"dtype":"U8","shape":[8]}})"),
            "header byte 31: tensor 'a' has no data_offsets");
  EXPECT_EQ(bad(R"({"a":{"shape":[8],"data_offsets":[0,8]}})"),
            "header byte 39: tensor 'a' has no dtype");
  EXPECT_EQ(bad(R"({"a":{"dtype":"U8","shape":[-8],"data_offsets":[0,8]}})"),
            "header byte 28: expected a non-negative integer, found '-'");
  EXPECT_EQ(bad(R"({"a":{"dtype":"U8","shape":[8.0],"data_offsets":[0,8]}})"),
            "header byte 29: expected ']', found '.'");
  EXPECT_EQ(bad(R"({"a":{"dtype":"U8","shape":[08],"data_offsets":[0,8]}})"),
            "header byte 30: number with a leading zero");
  EXPECT_EQ(bad(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8,9]}})"),
            "header byte 53: tensor 'a' has 3 data_offsets, expected [begin, end]");
  EXPECT_EQ(bad(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"x":1}})"),
            "header byte 56: tensor 'a' has the unknown field 'x'");
  EXPECT_EQ(bad(R"({"__metadata__":{"k":1}})"), "header byte 21: expected '\"', found '1'");
  EXPECT_EQ(bad(R"({"__metadata__":{"k":"v","k":"w"}})"), "header byte 28: key 'k' appears twice");
  EXPECT_EQ(bad("{\"a\n\":{}}"), "header byte 3: control character in a string");
  EXPECT_EQ(bad(R"({"\ud800":{}})"), "header byte 8: high surrogate without a low one");
  EXPECT_EQ(bad(R"({"\udc00":{}})"), "header byte 8: low surrogate without a high one");
  EXPECT_EQ(bad(R"({"\q":{}})"), "header byte 4: unknown escape in a string");
  EXPECT_EQ(bad(std::string(1000, '{')), "header byte 1: expected '\"', found '{'");
}

TEST(Safetensors, RefusesToSaveWhatCannotBeReadBack) {
  const TempFolder folder;
  const std::byte bytes[16] = {};
  const auto error = [&](std::vector<NamedBytes> tensors) {
    return save_safetensors("out", tensors).error().text();
  };
  EXPECT_EQ(error({{"a", DType::u8, {16}, bytes}, {"a", DType::u16, {8}, bytes}}),
            "invalid_argument: out: tensor 'a' appears twice");
  EXPECT_EQ(error({{"__metadata__", DType::u8, {16}, bytes}}),
            "invalid_argument: out: tensor '__metadata__' has a reserved name");
  EXPECT_EQ(error({{"a", DType::c128, {1}, bytes}}),
            "invalid_argument: out: tensor 'a' is c128, which safetensors cannot hold");
}

// Whatever is done to a file, opening it gives an error or a file whose entries all lie inside it.
TEST(Safetensors, FuzzedFilesNeverEscapeTheirBounds) {
  const TempFolder folder;
  const std::string path = folder.path("fuzzed");
  const std::string original =
      file_of(R"({"__metadata__":{"k":"v\n"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
              R"("b":{"dtype":"U8","shape":[3,1],"data_offsets":[8,11]}})",
              11);
  write(path, original);
  ASSERT_TRUE(SafetensorsFile::open(path));
  std::mt19937_64 rng(2);
  const auto check = [&](const std::string& bytes, bool must_fail) {
    write(path, bytes);
    const auto file = SafetensorsFile::open(path);
    EXPECT_FALSE(must_fail && file.has_value());
    if (!file) return;
    for (const SafetensorsEntry& entry : file->entries()) {
      EXPECT_EQ(file->raw_bytes(entry).size(), entry.end - entry.begin);
      if (entry.dtype) {
        EXPECT_EQ(file->read(entry.name).value().bytes.size(), entry.end - entry.begin);
      }
    }
  };
  for (std::size_t size = 0; size < original.size(); ++size) check(original.substr(0, size), true);
  for (int i = 0; i < 600; ++i) {
    std::string bytes = original;
    for (std::uint64_t flips = 1 + rng() % 3; flips > 0; --flips) {
      bytes[rng() % bytes.size()] ^= static_cast<char>(1 << rng() % 8);
    }
    check(bytes, false);
  }
}

// Trained weights written by another framework: names, shapes and both element types.
TEST(Safetensors, RealCheckpoint) {
  HYP_SHARED_DATA_OR_SKIP(const std::string path, "checkpoints/burn_mnist/mnist.safetensors");
  const auto file = SafetensorsFile::open(path);
  ASSERT_TRUE(file) << file.error().text();
  EXPECT_EQ(file->entries().size(), 20u);
  const auto conv = file->read("conv1.weight");
  ASSERT_TRUE(conv) << conv.error().text();
  EXPECT_EQ(conv->dims, (std::vector<std::int64_t>{8, 1, 3, 3}));
  EXPECT_EQ(file->read("fc1.weight").value().dims, (std::vector<std::int64_t>{32, 11616}));
  EXPECT_EQ(file->read("norm1.num_batches_tracked").value().dtype, DType::i64);
  for (float weight : conv->as<float>()) EXPECT_LT(std::abs(weight), 10.0f);
}

}  // namespace
}  // namespace hyperion::data

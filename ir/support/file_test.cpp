#include "ir/support/file.hpp"

#include <gtest/gtest.h>

#include <string_view>

#include "tests/support/temp_folder.hpp"

namespace hyperion {
namespace {

using testing_support::TempFolder;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(File, WritesPartsReadsThemBackAndLeavesNothingElse) {
  const TempFolder folder;
  const std::span<const std::byte> parts[] = {bytes_of("head "), bytes_of(""), bytes_of("tail")};
  ASSERT_TRUE(write_file_atomically(folder.path("a"), parts));
  ASSERT_TRUE(write_file_atomically(folder.path("a"), bytes_of("replaced")));
  const auto contents = read_file(folder.path("a"));
  ASSERT_TRUE(contents);
  EXPECT_EQ(text_of(*contents), "replaced");
  const auto mapped = MappedFile::open(folder.path("a"));
  ASSERT_TRUE(mapped);
  EXPECT_EQ(text_of(mapped->bytes()), "replaced");
  EXPECT_EQ(folder.entry_count(), 1u);
}

TEST(File, MappingSurvivesReplacement) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_atomically(folder.path("a"), bytes_of("old")));
  const auto mapped = MappedFile::open(folder.path("a"));
  ASSERT_TRUE(write_file_atomically(folder.path("a"), bytes_of("new, and longer")));
  ASSERT_TRUE(mapped);
  EXPECT_EQ(text_of(mapped->bytes()), "old");
}

TEST(File, EmptyFileIsReadAndMapped) {
  const TempFolder folder;
  ASSERT_TRUE(write_file_atomically(folder.path("empty"), bytes_of("")));
  EXPECT_TRUE(read_file(folder.path("empty")).value().empty());
  EXPECT_TRUE(MappedFile::open(folder.path("empty")).value().bytes().empty());
}

TEST(File, FailuresNameThePathAndTheCause) {
  const TempFolder folder;
  const auto missing = read_file(folder.path("missing"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
  EXPECT_EQ(missing.error().text(), "not_found: " + folder.path("missing") +
                                        ": cannot open: No such file or directory; check the path");
  const auto not_a_file = read_file(folder.root().string());
  ASSERT_FALSE(not_a_file);
  EXPECT_EQ(not_a_file.error().message, "is a folder, not a file");
  EXPECT_EQ(MappedFile::open(folder.path("missing")).error().code, Code::not_found);
  EXPECT_FALSE(write_file_atomically(folder.path("no/such/folder/a"), bytes_of("x")));
}

TEST(File, FailedRenameLeavesNoTemporaryFile) {
  const TempFolder folder;
  std::filesystem::create_directories(folder.root() / "taken" / "inside");
  EXPECT_FALSE(write_file_atomically(folder.path("taken"), bytes_of("x")));
  EXPECT_EQ(folder.entry_count(), 1u);
}

}  // namespace
}  // namespace hyperion

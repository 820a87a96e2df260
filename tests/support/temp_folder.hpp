// temp_folder.hpp: a folder of one test's own, removed when the test ends.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace hyperion::testing_support {

// REQUIRES: constructed inside a running test, whose name keeps parallel test processes apart.
class TempFolder {
 public:
  TempFolder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = std::filesystem::path(::testing::TempDir()) /
            (std::string("hyperion_") + test->test_suite_name() + "_" + test->name() + "_" +
             std::to_string(::getpid()));
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() { std::filesystem::remove_all(root_); }

  const std::filesystem::path& root() const { return root_; }
  std::string path(std::string_view name) const { return (root_ / name).string(); }

  std::size_t entry_count() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(root_),
                                                  std::filesystem::directory_iterator{}));
  }

 private:
  std::filesystem::path root_;
};

}  // namespace hyperion::testing_support

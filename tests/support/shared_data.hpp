// shared_data.hpp: where tests find real data sets and checkpoints, which are not part of the
// repository.
//
// The folder is $HYPERION_SHARED_DATA, or `shared/data` beside the checkout. A test that needs a
// file from it skips, with a message that says how to provide it, when the file is absent.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "tests/support/source_path.hpp"

namespace hyperion::testing_support {

inline std::string shared_data_path(std::string_view name) {
  const char* folder = std::getenv("HYPERION_SHARED_DATA");
  const std::filesystem::path root = folder != nullptr ? folder : source_path("../shared/data");
  return (root / name).lexically_normal().string();
}

}  // namespace hyperion::testing_support

// Inside a test: HYP_SHARED_DATA_OR_SKIP(const std::string path, "mnist");
#define HYP_SHARED_DATA_OR_SKIP(declaration, name)                                   \
  declaration = ::hyperion::testing_support::shared_data_path(name);                 \
  if (!std::filesystem::exists(::hyperion::testing_support::shared_data_path(name))) \
  GTEST_SKIP() << ::hyperion::testing_support::shared_data_path(name)                \
               << " is absent; set HYPERION_SHARED_DATA to the folder that holds " << (name)

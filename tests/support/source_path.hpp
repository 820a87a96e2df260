// source_path.hpp: where tests find files of the repository: in the checkout they were built from
// or, in an archive made by `./run package --with-tests`, in the folder that $HYPERION_SOURCE
// names.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

namespace hyperion::testing_support {

// source_path("tests/ir")
inline std::string source_path(std::string_view name) {
  const char* moved = std::getenv("HYPERION_SOURCE");
  const std::filesystem::path root = moved != nullptr ? moved : HYPERION_SOURCE_DIR;
  return (root / name).lexically_normal().string();
}

}  // namespace hyperion::testing_support

// environment_test.cpp: which engine the tests of this room use: the interpreter, whose results are the definition, and
// which starts at once. A second ctest entry runs all of them on compiled code (HYPERION_TEST_ENGINE=compiled).
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "frontend/engine.hpp"

namespace hyperion {
namespace {

class EngineEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* name = std::getenv("HYPERION_TEST_ENGINE");
    const bool compiled = name != nullptr && std::string_view(name) == "compiled";
    frontend::set_engine({.kind = compiled ? frontend::EngineKind::compiled : frontend::EngineKind::interpreter,
                          .use_disk_cache = false});
  }
};

[[maybe_unused]] const auto* const environment = ::testing::AddGlobalTestEnvironment(new EngineEnvironment);

}  // namespace
}  // namespace hyperion

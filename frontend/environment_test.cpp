// environment_test.cpp: which engine and device the tests of this room use. The engine is the interpreter, whose
// results are the definition, and which starts at once; a second ctest entry runs all of them on compiled code
// (HYPERION_TEST_ENGINE=compiled). The device is the default one, which HYPERION_DEVICE names; a third entry makes a
// GPU of host memory for it (HYPERION_TEST_FAKE_GPU).
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

#include "frontend/engine.hpp"
#include "tests/support/fake_gpus.hpp"

namespace hyperion {
namespace {

class EngineEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    const char* name = std::getenv("HYPERION_TEST_ENGINE");
    const bool compiled = name != nullptr && std::string_view(name) == "compiled";
    frontend::set_engine({.kind = compiled ? frontend::EngineKind::compiled : frontend::EngineKind::interpreter,
                          .use_disk_cache = false});
    if (std::getenv("HYPERION_TEST_FAKE_GPU") != nullptr) {
      frontend::set_instance(testing_support::make_fake_gpus(1).instance);
    }
  }
};

[[maybe_unused]] const auto* const environment = ::testing::AddGlobalTestEnvironment(new EngineEnvironment);

}  // namespace
}  // namespace hyperion

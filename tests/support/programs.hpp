// programs.hpp: programs from text, and arguments for them, in tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "ir/interpreter.hpp"
#include "ir/module.hpp"
#include "ir/text/parse.hpp"

namespace hyperion::testing_support {

// Functions, without the header: "func @f(%x: f64[3]) { return %x }". Fails the test if they do not parse.
inline std::unique_ptr<ir::Module> module_of(std::string_view functions) {
  Diagnostics diagnostics;
  auto module = ir::parse("hyperion 1\nmodule @test {\n" + std::string(functions) + "\n}\n", "test.hir", diagnostics);
  EXPECT_TRUE(module.has_value()) << diagnostics.render();
  return module ? *std::move(module) : std::make_unique<ir::Module>("test");
}

// Uniform in [low, high); integers too, bools by chance.
inline LiteralPtr random_literal(Type type, std::mt19937_64& random, double low = -1, double high = 1) {
  std::vector<std::byte> bytes(type.bytes());
  const std::size_t size = byte_size(type.dtype());
  std::uniform_real_distribution<double> distribution(low, high);
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    const double value = is_boolean(type.dtype()) ? static_cast<double>(random() & 1) : distribution(random);
    element_from_double(type.dtype(), value, bytes.data() + at);
  }
  return Literal::make(type, bytes);
}

inline std::vector<LiteralPtr> random_arguments(const ir::Function& f, std::uint64_t seed, double low = -1,
                                                double high = 1) {
  std::mt19937_64 random(seed);
  std::vector<LiteralPtr> arguments;
  for (ir::ValueId parameter : f.parameters()) {
    arguments.push_back(random_literal(f.type(parameter), random, low, high));
  }
  return arguments;
}

// How many random programs a test runs: HYPERION_RANDOM_PROGRAMS, or 1,000.
inline int program_count() {
  const char* text = std::getenv("HYPERION_RANDOM_PROGRAMS");
  return text == nullptr ? 1000 : std::atoi(text);
}

// The results of a function of the module. Fails the test if it cannot be interpreted.
inline std::vector<LiteralPtr> run(const ir::Module& module, std::string_view function,
                                   const std::vector<LiteralPtr>& arguments) {
  const auto results = ir::interpret(module, *module.find(function), arguments);
  EXPECT_TRUE(results.has_value()) << results.error().text();
  return results ? *results : std::vector<LiteralPtr>();
}

}  // namespace hyperion::testing_support

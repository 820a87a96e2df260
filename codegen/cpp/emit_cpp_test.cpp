// The C++ translation is compiled by the machine's own compiler and run: it must give the
// interpreter's bits.
#include "codegen/cpp/emit_cpp.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>

#include "codegen/driver/compile.hpp"
#include "ir/interpreter.hpp"
#include "ir/text/parse.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::codegen {
namespace {

using KernelFunction = void (*)(void*, void*, void*, void*);

std::unique_ptr<ir::Module> parsed(const std::string& body) {
  Diagnostics diagnostics;
  auto module = ir::parse("hyperion 1\nmodule @m {\n" + body + "}\n", "test.hir", diagnostics);
  EXPECT_TRUE(module.has_value()) << diagnostics.render();
  return module ? std::move(*module) : nullptr;
}

std::vector<std::byte> random_bytes(Type type, std::mt19937_64& random) {
  std::vector<std::byte> bytes(type.bytes());
  const std::size_t size = byte_size(type.dtype());
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    element_from_double(type.dtype(), static_cast<double>(random() >> 11) * 0x1p-50 - 4,
                        &bytes[at]);
  }
  return bytes;
}

// REQUIRES: @f fuses into one kernel, has at most three parameters and one result.
void expect_translated_as_interpreted(const std::string& body) {
  if (std::system("c++ --version > /dev/null 2>&1") != 0)
    GTEST_SKIP() << "this machine has no C++ compiler";
  const std::unique_ptr<ir::Module> module = parsed(body);
  ASSERT_NE(module, nullptr);
  const ir::Function& f = *module->find("f");
  std::mt19937_64 random(3);
  std::vector<std::vector<std::byte>> buffers;
  std::vector<LiteralPtr> arguments;
  for (Type type : f.parameter_types()) {
    buffers.push_back(random_bytes(type, random));
    arguments.push_back(Literal::make(type, buffers.back()));
  }
  const auto expected = ir::interpret(*module, f, arguments);
  ASSERT_TRUE(expected.has_value()) << expected.error().text();
  const std::size_t output = buffers.size();
  buffers.emplace_back(f.result_types()[0].bytes());

  StatusOr<std::string> text = error_status(Code::internal, "no kernels were shown");
  std::string kernel;
  StageListener listener;
  listener.module = [&](Stage stage, const ir::Module& shown) {
    if (stage != Stage::kernels) return;
    text = emit_cpp(shown);
    for (const auto& one : shown.functions()) {
      if (one->kind == ir::FunctionKind::kernel) kernel = one->name;
    }
  };
  // Without the pass that chooses layouts, which would add kernels that transpose.
  const DriverOptions options{.pipeline = "expand, dce"};
  ASSERT_TRUE(compile(*module, "f", options, listener).has_value());
  ASSERT_TRUE(text.has_value()) << text.error().text();

  const testing_support::TempFolder folder;
  const std::string source = folder.path("kernels.cpp"), library = folder.path("kernels.so");
  std::ofstream(source) << *text;
  const std::string command =
      "c++ -std=c++20 -O1 -ffp-contract=off -shared -fPIC -o " + library + " " + source;
  ASSERT_EQ(std::system(command.c_str()), 0) << *text;
  void* const loaded = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(loaded, nullptr) << dlerror();
  const auto function = reinterpret_cast<KernelFunction>(dlsym(loaded, kernel.c_str()));
  ASSERT_NE(function, nullptr) << kernel;
  buffers.resize(4);
  function(buffers[0].data(), buffers[1].data(), buffers[2].data(), buffers[3].data());
  EXPECT_EQ(buffers[output], (*expected)[0]->dense_bytes()) << *text;
  dlclose(loaded);
}

TEST(EmitCpp, ContractionWithEpilogue) {
  expect_translated_as_interpreted(
      R"(func @f(%x: f32[3, 5], %w: f32[5, 19], %b: f32[19]) -> f32[3, 19] {
    %0 = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
    %1 = broadcast %b {dims = [1], shape = [3, 19]}
    %2 = add %0, %1
    %3 = max %2, 0.0
    return %3
  }
)");
}

TEST(EmitCpp, ContractionWithMaps) {
  expect_translated_as_interpreted(
      R"(func @f(%x: bf16[3, 21], %w: f32[19, 21], %b: f32[19]) -> f32[3, 19] {
    %0 = cast %x {dtype = f32}
    %1 = mul %0, 0.3
    %2 = exp %w
    %3 = dot %1, %2 {lhs_contract = [1], rhs_contract = [1]}
    %4 = broadcast %b {dims = [1], shape = [3, 19]}
    %5 = sub %3, %4
    return %5
  }
)");
}

TEST(EmitCpp, ConvolutionWithMaps) {
  for (const std::string layout : {"channels_first", "channels_last"}) {
    std::string body = R"(func @f(%x: i8[X], %w: f32[W]) -> f32[Y] {
    %0 = cast %x {dtype = f32}
    %1 = add %0, 0.5
    %2 = relu %w
    %3 = conv %1, %2 {dilations = [1, 1], groups = 2, layout = "L", padding_high = [1, 1], padding_low = [1, 1], strides = [2, 1]}
    return %3
  }
)";
    const bool last = layout == "channels_last";
    const auto put = [&](const std::string& word, const std::string& text) {
      body.replace(body.find(word), word.size(), text);
    };
    put("[X]", last ? "[2, 5, 19, 4]" : "[2, 4, 5, 19]");
    put("[W]", last ? "[3, 3, 2, 6]" : "[6, 2, 3, 3]");
    put("[Y]", last ? "[2, 3, 19, 6]" : "[2, 6, 3, 19]");
    put("\"L\"", "\"" + layout + "\"");
    expect_translated_as_interpreted(body);
  }
}

TEST(EmitCpp, RowReductionsAndScalarFunctions) {
  expect_translated_as_interpreted(R"(func @f(%x: f32[3, 37]) -> f32[3, 37] {
    %y = softmax %x {axis = 1}
    return %y
  }
)");
}

TEST(EmitCpp, Convolution) {
  expect_translated_as_interpreted(
      R"(func @f(%x: f32[2, 4, 7, 6], %w: f32[6, 2, 3, 3]) -> f32[2, 6, 4, 3] {
    %0 = conv %x, %w {dilations = [1, 1], groups = 2, padding_high = [1, 1], padding_low = [1, 1], strides = [2, 2]}
    return %0
  }
)");
}

TEST(EmitCpp, OnePassAlongAnAxis) {
  expect_translated_as_interpreted(R"(func @f(%x: bf16[3, 9, 37]) -> bf16[3, 9, 37] {
    %y = cumulative %x {axis = 1, kind = "sum", reverse = true}
    return %y
  }
)");
  expect_translated_as_interpreted(R"(func @f(%x: f32[3, 37], %i: i32[8], %u: f32[8, 37]) -> f32[3, 37] {
    %y = scatter %x, %i, %u {axis = 0, kind = "add"}
    return %y
  }
)");
}

TEST(EmitCpp, IntegersWrap) {
  expect_translated_as_interpreted(R"(func @f(%x: i8[40], %y: i8[40]) -> i8[40] {
    %0 = mul %x, %y
    %1 = mul %0, %0
    %2 = div %1, %y
    %3 = shl %2, %x
    return %3
  }
)");
}

TEST(EmitCpp, SmallFloatsRoundOnce) {
  for (const std::string type : {"f16", "bf16", "f8e4m3", "f8e5m2"}) {
    SCOPED_TRACE(type);
    std::string body = R"(func @f(%x: T[40], %y: T[40]) -> T[40] {
    %0 = exp %x
    %1 = mul %0, 0.3
    %2 = max %1, %y
    %3 = sub %2, %x
    return %3
  }
)";
    for (std::size_t at; (at = body.find("T[")) != std::string::npos;) body.replace(at, 1, type);
    expect_translated_as_interpreted(body);
  }
}

TEST(EmitCpp, SmallFloatsOverflowAndVanish) {
  expect_translated_as_interpreted(R"(func @f(%x: f16[40], %y: f16[40]) -> f16[40] {
    %0 = exp %x
    %1 = mul %0, 6e-8
    %2 = mul %y, 3e4
    %3 = cast %x {dtype = i32}
    %4 = cast %3 {dtype = f16}
    %5 = compare %4, 0.0 {direction = "lt"}
    %6 = select %5, %1, %2
    return %6
  }
)");
}

TEST(EmitCpp, SumsOfSmallFloatsAreCarriedInFloat) {
  expect_translated_as_interpreted(R"(func @f(%x: bf16[3, 37]) -> bf16[3, 37] {
    %y = softmax %x {axis = 1}
    return %y
  }
)");
  expect_translated_as_interpreted(R"(func @f(%x: f16[3, 5], %w: f16[5, 19]) -> f16[3, 19] {
    %0 = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
    return %0
  }
)");
}

TEST(EmitCpp, RefusesComplexElements) {
  const std::unique_ptr<ir::Module> module = parsed(R"(kernel @k(%x: in c64[4], %y: out c64[4]) {
    return
  }
)");
  const StatusOr<std::string> text = emit_cpp(*module);
  ASSERT_FALSE(text.has_value());
  EXPECT_NE(text.error().text().find("c64"), std::string::npos);
}

}  // namespace
}  // namespace hyperion::codegen

// Whole programs for other machines: what cannot be run here is held to its text. Vectors are the
// target's, and nothing is called but the C library's memory functions: a call of expf would mean
// that a scalar function was left to somebody else.
#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <regex>
#include <set>

#include "codegen/driver/compile.hpp"
#include "ir/text/parse.hpp"

namespace hyperion::codegen {
namespace {

std::string with_dtype(std::string text, const std::string& dtype) {
  for (std::size_t at; (at = text.find("T[")) != std::string::npos;) text.replace(at, 1, dtype);
  return "hyperion 1\nmodule @m {\n" + text + "}\n";
}

const char* const kSoftmax = R"(  func @f(%x: T[6, 150]) -> T[6, 150] {
    %0 = softmax %x {axis = 1}
    return %0
  }
)";
const char* const kFunctions = R"(  func @f(%x: T[37], %y: T[37]) -> T[37], T[37] {
    %0 = exp %x
    %1 = tanh %y
    %2 = erf %0
    %3 = sin %1
    %4 = log %2
    %5 = pow %4, %3
    %6 = sqrt %5
    return %5, %6
  }
)";
const char* const kConvolution =
    R"(  func @f(%x: T[2, 3, 9, 9], %w: T[8, 3, 3, 3], %b: T[8]) -> T[2, 8, 9, 9] {
    %0 = conv %x, %w {dilations = [1, 1], padding_high = [1, 1], padding_low = [1, 1], strides = [1, 1]}
    %1 = broadcast %b {dims = [1], shape = [2, 8, 9, 9]}
    %2 = add %0, %1
    %3 = relu %2
    return %3
  }
)";
const char* const kDot = R"(  func @f(%x: T[17, 40], %w: T[40, 24]) -> T[17, 24] {
    %0 = dot %x, %w {lhs_contract = [1], rhs_contract = [0]}
    %1 = gelu %0
    return %1
  }
)";

// Values that are moved and chosen, not computed with.
const char* const kMoves = R"(  func @f(%x: T[5, 7], %y: T[5, 7]) -> T[5, 14], i64[5] {
    %0 = compare %x, %y {direction = "lt"}
    %1 = select %0, %x, %y
    %2 = concatenate %1, %y {axis = 1}
    %3 = arg_reduce %x {axis = 1, kind = "max"}
    return %2, %3
  }
)";

// Assembly or an object file: the code generator writes one of them at a time.
runtime::Module compiled_for(const std::string& target, const std::string& text,
                             std::string* assembly = nullptr) {
  Diagnostics diagnostics;
  auto module = ir::parse(text, "test.hir", diagnostics);
  EXPECT_TRUE(module) << diagnostics.render();
  if (!module) return {};
  StageListener listener{.wants_assembly = assembly != nullptr};
  listener.text = [&](Stage stage, const std::string& shown) {
    if (stage == Stage::assembly) *assembly = shown;
  };
  auto done = compile(**module, "f", {.target = *named_target(target)}, listener);
  EXPECT_TRUE(done) << done.error().text();
  return done ? std::move(*done) : runtime::Module();
}

std::string assembly_for(const std::string& target, const std::string& text) {
  std::string assembly;
  compiled_for(target, text, &assembly);
  return assembly;
}

template <class T>
T read(const std::vector<std::byte>& bytes, std::size_t at) {
  T value{};
  EXPECT_LE(at + sizeof value, bytes.size());
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// The symbols that the object file leaves to others.
std::set<std::string> undefined_symbols(const std::vector<std::byte>& object) {
  std::set<std::string> out;
  const auto header = read<Elf64_Ehdr>(object, 0);
  const auto section = [&](std::size_t k) {
    return read<Elf64_Shdr>(object, header.e_shoff + k * sizeof(Elf64_Shdr));
  };
  for (std::size_t k = 0; k < header.e_shnum; ++k) {
    const Elf64_Shdr table = section(k);
    if (table.sh_type != SHT_SYMTAB) continue;
    const Elf64_Shdr names = section(table.sh_link);
    for (std::size_t at = sizeof(Elf64_Sym); at < table.sh_size; at += sizeof(Elf64_Sym)) {
      const auto symbol = read<Elf64_Sym>(object, table.sh_offset + at);
      if (symbol.st_shndx != SHN_UNDEF) continue;
      out.insert(reinterpret_cast<const char*>(object.data() + names.sh_offset + symbol.st_name));
    }
  }
  return out;
}

void expect_complete(const std::vector<std::byte>& object) {
  for (const std::string& name : undefined_symbols(object)) {
    EXPECT_TRUE(name == "memset" || name == "memcpy" || name == "memmove") << "calls " << name;
  }
}

int machine_of(const std::vector<std::byte>& object) {
  return read<Elf64_Ehdr>(object, 0).e_machine;
}

TEST(CrossTarget, ProgramsAreWholeOnEveryTarget) {
  for (const std::string target :
       {"aarch64", "neoverse-n1", "neoverse-v1", "x86-64-v3", "x86-64-v4"}) {
    const bool is_arm = named_target(target)->architecture == Architecture::aarch64;
    for (const std::string dtype : {"f32", "f64", "f16", "bf16"}) {
      for (const char* program : {kSoftmax, kFunctions, kConvolution, kDot, kMoves}) {
        SCOPED_TRACE(target + " " + dtype + "\n" + program);
        const runtime::Module code = compiled_for(target, with_dtype(program, dtype));
        ASSERT_EQ(code.objects.size(), 1u);
        EXPECT_EQ(machine_of(code.objects[0]), is_arm ? EM_AARCH64 : EM_X86_64);
        expect_complete(code.objects[0]);
      }
    }
  }
}

// Four floats in a register: multiplied and added in one instruction.
TEST(CrossTarget, NeonProgramsUseVectors) {
  for (const char* program : {kSoftmax, kFunctions, kConvolution, kDot}) {
    SCOPED_TRACE(program);
    const std::string assembly = assembly_for("aarch64", with_dtype(program, "f32"));
    EXPECT_TRUE(std::regex_search(assembly, std::regex(R"(\tfmla\tv\d+\.4s, v\d+\.4s)")))
        << assembly;
    EXPECT_FALSE(std::regex_search(assembly, std::regex(R"(\tfmadd\ts)")))
        << "a scalar multiply-add where vectors would do";
  }
}

TEST(CrossTarget, Avx2ProgramsUseVectorsAndNoWiderOnes) {
  for (const char* program : {kSoftmax, kFunctions, kConvolution, kDot}) {
    SCOPED_TRACE(program);
    const std::string assembly = assembly_for("x86-64-v3", with_dtype(program, "f32"));
    EXPECT_TRUE(std::regex_search(assembly, std::regex(R"(\tvfmadd\d+ps\t.*%ymm)"))) << assembly;
    EXPECT_EQ(assembly.find("%zmm"), std::string::npos);
    EXPECT_EQ(assembly.find("%k1"), std::string::npos);
  }
}

}  // namespace
}  // namespace hyperion::codegen

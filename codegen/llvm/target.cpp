#include "codegen/llvm/target.hpp"

#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "codegen/llvm/llvm_internal.hpp"
#include "llvm-c/Target.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/TargetParser/Host.h"

namespace hyperion::codegen {
namespace {

struct NamedTarget {
  std::string_view name;
  Architecture architecture;
  const char* cpu;
  const char* features;
  int vector_bits;
};

// 512-bit code must say evex512 and ask for wide vectors by itself; the level names already carry
// the feature bits.
constexpr NamedTarget kNamedTargets[] = {
    {"x86-64-v3", Architecture::x86_64, "x86-64-v3", "", 256},
    {"x86-64-v4", Architecture::x86_64, "x86-64-v4", "", 512},
    {"aarch64", Architecture::aarch64, "generic", "+neon", 128},
    {"neoverse-n1", Architecture::aarch64, "neoverse-n1", "", 128},
    {"neoverse-v1", Architecture::aarch64, "neoverse-v1", "", 128},
};

std::int64_t cache_bytes(int name, std::int64_t fallback) {
  const long bytes = sysconf(name);
  return bytes > 0 ? bytes : fallback;
}

CpuTarget detect_host() {
  CpuTarget host;
  host.triple = llvm::sys::getProcessTriple();
  host.cpu = llvm::sys::getHostCPUName().str();
  const llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  std::vector<std::string> words;
  for (const auto& feature : features) {
    words.emplace_back(1, feature.second ? '+' : '-').append(feature.first());
  }
  std::sort(words.begin(), words.end(), [](const std::string& a, const std::string& b) {
    return std::string_view(a).substr(1) < std::string_view(b).substr(1);
  });
  host.features = llvm::join(words, ",");
  const auto has = [&](const char* name) { return features.lookup(name); };
#if defined(__aarch64__)
  host.architecture = Architecture::aarch64;
  host.vector_registers = 32;
  host.has_fma = true;
#else
  const bool avx512 = has("avx512f") && has("avx512vl") && has("avx512dq") && has("avx512bw");
  host.vector_bits = avx512 ? 512 : has("avx2") ? 256 : 128;
  host.vector_registers = avx512 ? 32 : 16;
  host.has_fma = has("fma");
#endif
  host.l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, host.l1_bytes);
  host.l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, host.l2_bytes);
  host.l3_bytes = cache_bytes(_SC_LEVEL3_CACHE_SIZE, host.l3_bytes);
  return host;
}

}  // namespace

int CpuTarget::lanes(DType dtype) const {
  return vector_bits / std::max<int>(32, 8 * static_cast<int>(byte_size(dtype)));
}

std::string CpuTarget::key() const {
  return triple + "/" + cpu + "/" + features + "/" + std::to_string(vector_bits);
}

const CpuTarget& host_target() {
  static const CpuTarget host = detect_host();
  return host;
}

StatusOr<CpuTarget> named_target(std::string_view name) {
  if (name == "host") return host_target();
  for (const NamedTarget& named : kNamedTargets) {
    if (named.name != name) continue;
    CpuTarget target;
    target.architecture = named.architecture;
    const bool x86 = named.architecture == Architecture::x86_64;
    target.triple = x86 ? "x86_64-unknown-linux-gnu" : "aarch64-unknown-linux-gnu";
    target.cpu = named.cpu;
    target.features = named.features;
    target.vector_bits = named.vector_bits;
    target.vector_registers = x86 && named.vector_bits < 512 ? 16 : 32;
    target.has_fma = true;
    return target;
  }
  std::string known = "host";
  for (const NamedTarget& named : kNamedTargets) known += ", " + std::string(named.name);
  return error_status(Code::invalid_argument, "unknown CPU target '" + std::string(name) + "'", {},
                      "choose one of: " + known);
}

std::vector<std::string_view> target_names() {
  std::vector<std::string_view> names = {"host"};
  for (const NamedTarget& named : kNamedTargets) names.push_back(named.name);
  return names;
}

bool runs_here(const CpuTarget& target) {
  const CpuTarget& host = host_target();
  return target.architecture == host.architecture && target.vector_bits <= host.vector_bits &&
         (!target.has_fma || host.has_fma);
}

void initialize_llvm() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
  });
}

StatusOr<std::unique_ptr<llvm::TargetMachine>> make_target_machine(const CpuTarget& target) {
  initialize_llvm();
  std::string message;
  const llvm::Target* found = llvm::TargetRegistry::lookupTarget(target.triple, message);
  if (found == nullptr) return error_status(Code::invalid_argument, message, target.triple);
  std::unique_ptr<llvm::TargetMachine> machine(found->createTargetMachine(
      target.triple, target.cpu, target.features, llvm::TargetOptions(), llvm::Reloc::PIC_,
      llvm::CodeModel::Small, llvm::CodeGenOptLevel::Default, /*JIT=*/false));
  if (!machine) return error_status(Code::internal, "LLVM has no target machine", target.key());
  return machine;
}

void set_function_attributes(llvm::Function& function, const CpuTarget& target) {
  function.addFnAttr("target-cpu", target.cpu);
  if (!target.features.empty()) function.addFnAttr("target-features", target.features);
  function.addFnAttr(llvm::Attribute::NoUnwind);
  // Without this, CPUs tuned to prefer 256-bit vectors would let the back end split ours.
  function.addFnAttr("prefer-vector-width", std::to_string(target.vector_bits));
  function.addFnAttr("min-legal-vector-width", std::to_string(target.vector_bits));
}

llvm::Type* element_type(llvm::LLVMContext& context, DType dtype) {
  switch (dtype) {
    case DType::f64:
      return llvm::Type::getDoubleTy(context);
    case DType::f32:
      return llvm::Type::getFloatTy(context);
    default:
      return llvm::Type::getIntNTy(context, 8 * static_cast<unsigned>(byte_size(dtype)));
  }
}

}  // namespace hyperion::codegen

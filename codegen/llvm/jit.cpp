#include "codegen/llvm/jit.hpp"

#include <atomic>
#include <mutex>

#include "codegen/llvm/llvm_internal.hpp"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Analysis/TargetTransformInfo.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Scalar.h"

namespace hyperion::codegen {
namespace {

std::string take_message(llvm::Error error) { return llvm::toString(std::move(error)); }

// The pass is switched by a process-wide flag of LLVM, read while a pass list is put together.
std::mutex g_pass_list_mutex;

void set_loop_strength_reduction(bool enabled) {
  static auto* flag =
      static_cast<llvm::cl::opt<bool>*>(llvm::cl::getRegisteredOptions().lookup("disable-lsr"));
  if (flag != nullptr) flag->setValue(!enabled);
}

StatusOr<> add_passes(llvm::legacy::PassManager& passes, llvm::TargetMachine& machine,
                      const CompileOptions& options, llvm::CodeGenFileType kind,
                      llvm::raw_pwrite_stream& out) {
  passes.add(llvm::createTargetTransformInfoWrapperPass(machine.getTargetIRAnalysis()));
  if (options.tidy_scalar_code) {
    passes.add(llvm::createSROAPass());
    passes.add(llvm::createEarlyCSEPass());
    passes.add(llvm::createLICMPass());
    passes.add(llvm::createEarlyCSEPass());
  }
  const std::lock_guard lock(g_pass_list_mutex);
  set_loop_strength_reduction(options.reduce_loop_strength);
  if (machine.addPassesToEmitFile(passes, out, nullptr, kind, /*DisableVerify=*/true)) {
    return error_status(Code::internal, "LLVM cannot emit this file type",
                        machine.getTargetTriple().str());
  }
  return {};
}

StatusOr<> run_backend(IrModule::Impl& impl, const CompileOptions& options,
                       llvm::CodeGenFileType kind, llvm::raw_pwrite_stream& out) {
  HYP_TRY(const std::unique_ptr<llvm::TargetMachine> machine, make_target_machine(impl.target));
  impl.module.setTargetTriple(impl.target.triple);
  impl.module.setDataLayout(machine->createDataLayout());
  if (options.verify) {
    std::string complaint;
    llvm::raw_string_ostream stream(complaint);
    if (llvm::verifyModule(impl.module, &stream)) {
      return error_status(Code::internal, "generated LLVM IR is invalid: " + complaint,
                          impl.module.getName().str());
    }
  }
  llvm::legacy::PassManager passes;
  HYP_TRY_VOID(add_passes(passes, *machine, options, kind, out));
  passes.run(impl.module);
  return {};
}

// One linker for the process; each object gets a library (JITDylib) of its own, removed when it is
// dropped.
StatusOr<llvm::orc::LLJIT*> shared_linker() {
  static StatusOr<std::unique_ptr<llvm::orc::LLJIT>> linker =
      []() -> StatusOr<std::unique_ptr<llvm::orc::LLJIT>> {
    initialize_llvm();
    auto built = llvm::orc::LLJITBuilder()
                     // No initializers, thread-local variables or unwinding in our objects.
                     .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                     .create();
    if (!built) return error_status(Code::internal, take_message(built.takeError()), "LLJIT");
    return std::move(*built);
  }();
  if (!linker) return std::unexpected(linker.error());
  return linker->get();
}

}  // namespace

IrModule::IrModule(const std::string& name, const CpuTarget& target)
    : impl_(std::make_unique<Impl>(name, target)) {
  impl_->module.setTargetTriple(target.triple);
}
IrModule::~IrModule() = default;
IrModule::IrModule(IrModule&&) noexcept = default;
IrModule& IrModule::operator=(IrModule&&) noexcept = default;

const CpuTarget& IrModule::target() const { return impl_->target; }

std::string IrModule::text() const {
  std::string text;
  llvm::raw_string_ostream stream(text);
  impl_->module.print(stream, nullptr);
  return text;
}

std::size_t IrModule::instruction_count() const { return impl_->module.getInstructionCount(); }

StatusOr<ObjectBytes> compile_object(IrModule& module, const CompileOptions& options) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream out(bytes);
  HYP_TRY_VOID(run_backend(module.impl(), options, llvm::CodeGenFileType::ObjectFile, out));
  const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
  return ObjectBytes(first, first + bytes.size());
}

StatusOr<std::string> compile_assembly(IrModule& module, const CompileOptions& options) {
  llvm::SmallVector<char, 0> text;
  llvm::raw_svector_ostream out(text);
  HYP_TRY_VOID(run_backend(module.impl(), options, llvm::CodeGenFileType::AssemblyFile, out));
  return std::string(text.begin(), text.end());
}

struct LoadedCode::Impl {
  llvm::orc::LLJIT& linker;
  llvm::orc::JITDylib& library;

  ~Impl() { llvm::consumeError(linker.getExecutionSession().removeJITDylib(library)); }
};

StatusOr<void*> LoadedCode::address(std::string_view symbol) const {
  if (!impl_) return error_status(Code::failed_precondition, "no code is loaded");
  auto found = impl_->linker.lookup(impl_->library, llvm::StringRef(symbol.data(), symbol.size()));
  if (!found) {
    return error_status(Code::not_found, take_message(found.takeError()), std::string(symbol));
  }
  return found->toPtr<void*>();
}

StatusOr<LoadedCode> load_object(std::span<const std::byte> object,
                                 std::span<const ExternalSymbol> externals) {
  return load_objects(std::span(&object, 1), externals);
}

StatusOr<LoadedCode> load_objects(std::span<const std::span<const std::byte>> objects,
                                  std::span<const ExternalSymbol> externals) {
  static std::atomic<std::uint64_t> next_library = 0;
  HYP_TRY(llvm::orc::LLJIT * linker, shared_linker());
  auto library = linker->createJITDylib("code" + std::to_string(next_library++));
  if (!library) return error_status(Code::internal, take_message(library.takeError()), "JITDylib");
  auto impl = std::shared_ptr<LoadedCode::Impl>(new LoadedCode::Impl{*linker, *library});

  llvm::orc::SymbolMap symbols;
  for (const ExternalSymbol& external : externals) {
    symbols[linker->mangleAndIntern(external.name)] = {
        llvm::orc::ExecutorAddr::fromPtr(external.address), llvm::JITSymbolFlags::Exported};
  }
  if (!symbols.empty()) {
    if (auto error = library->define(llvm::orc::absoluteSymbols(std::move(symbols)))) {
      return error_status(Code::internal, take_message(std::move(error)), "external symbols");
    }
  }
  for (const std::span<const std::byte> object : objects) {
    const llvm::StringRef bytes(reinterpret_cast<const char*>(object.data()), object.size());
    if (auto error = linker->addObjectFile(*library, llvm::MemoryBuffer::getMemBufferCopy(bytes))) {
      return error_status(Code::data_loss, take_message(std::move(error)), "object file");
    }
  }
  return LoadedCode(std::move(impl));
}

}  // namespace hyperion::codegen

#include "codegen/cuda/generator.hpp"

#include <thread>

#include "codegen/cpp/cpp_scalars.hpp"
#include "codegen/cuda/emit_kernel.hpp"
#include "codegen/cuda/prelude.hpp"
#include "codegen/cuda/prelude_async.hpp"
#include "codegen/cuda/prelude_contraction.hpp"
#include "ir/support/format.hpp"
#include "runtime/cpu/thread_pool.hpp"
#include "runtime/cuda/compiler.hpp"

namespace hyperion::codegen {
namespace {

// Of kernels' text in one program: about as long to compile as the prelude.
constexpr std::size_t kProgramCharacters = 12'000;

runtime::cuda::Compiler& compiler() {
  static runtime::cuda::Compiler shared;
  return shared;
}

class CudaGenerator final : public CodeGenerator {
 public:
  CudaGenerator(CudaTarget target, GeneratorOptions options) : target_(std::move(target)), options_(std::move(options)) {
    target_.tf32 |= options_.fast;
  }

  LoweringTarget lowering() const override {
    return {.vector_bytes = 16, .has_teams = true, .bitwise = target_.bitwise, .processors = target_.multiprocessors};
  }

  StatusOr<EmittedKernel> emit(const ir::Function& kernel, const Lowered& lowered) override {
    if (programs_.empty() || (!options_.is_whole && programs_.back().kernels.size() > kProgramCharacters)) programs_.emplace_back();
    Program& program = programs_.back();
    HYP_TRY(CudaKernelText emitted, emit_cuda_kernel(kernel, lowered, target_, program.scalars));
    program.kernels += emitted.text;
    program.has_contractions |= emitted.uses == CudaKernelText::Uses::contractions;
    program.has_tensor_cores |= emitted.uses == CudaKernelText::Uses::tensor_cores;
    EmittedKernel out{.workspace_bytes = emitted.workspace_bytes, .schedule = emitted.schedule};
    for (runtime::cuda::KernelEntry& entry : emitted.entries) {
      // No launch for what has no blocks.
      const bool is_work = out.launches.empty();
      out.launches.push_back({.symbol = entry.name,
                              .tiles = entry.shape.grid.x == 0 ? 0 : std::max<std::int64_t>(lowered.tiles, 1),
                              .part = is_work ? KernelLaunch::Part::work : KernelLaunch::Part::combine,
                              .unit = is_work ? emitted.unit : runtime::ArithmeticUnit::vector});
      program.entries.push_back(std::move(entry));
    }
    return out;
  }

  std::string text() const override {
    std::string all;
    for (const Program& program : programs_) all += program.text();
    return all;
  }

  StatusOr<std::vector<ObjectBytes>> compile() override {
    std::vector<runtime::cuda::CompileRequest> requests;
    for (const Program& program : programs_) {
      // A product and a sum are one operation only where the definition says fma.
      requests.push_back({.name = options_.name + ".cu", .source = program.text(), .architecture = target_.architecture, .options = {"--fmad=false"}});
    }
    runtime::ThreadPool pool(static_cast<int>(std::min<std::size_t>(std::max(1u, std::thread::hardware_concurrency()), std::max<std::size_t>(requests.size(), 1))));
    std::vector<ObjectBytes> objects;
    std::vector<StatusOr<runtime::cuda::Program>> compiled = compiler().compile_all(requests, pool);
    for (std::size_t k = 0; k < compiled.size(); ++k) {
      HYP_TRY(runtime::cuda::Program program, std::move(compiled[k]));
      objects.push_back(runtime::cuda::DeviceObject{.architecture = target_.architecture,
                                                    .kernels = std::move(programs_[k].entries),
                                                    .cubin = std::move(program.cubin)}
                            .serialize());
    }
    return objects;
  }

  StatusOr<std::string> assembly() override {
    return error_status(Code::unimplemented, "assembly of a GPU is not shown; take the source to nvcc and cuobjdump", options_.name);
  }

 private:
  struct Program {
    CppScalarFunctions scalars;
    std::string kernels;
    std::vector<runtime::cuda::KernelEntry> entries;

    bool has_contractions = false, has_tensor_cores = false;

    std::string text() const {
      return format("{}{}{}\n// ---- this program --------------------------------------------------------------------------------------------\n"
                    "{}{}\n}}  // namespace hyperion\n",
                    kCudaPrelude, has_contractions ? kCudaContractionPrelude : "", has_tensor_cores ? kCudaAsyncPrelude : "",
                    scalars.text(), kernels);
    }
  };

  CudaTarget target_;
  GeneratorOptions options_;
  std::vector<Program> programs_;
};

}  // namespace

std::unique_ptr<CodeGenerator> make_cuda_generator(const CudaTarget& target, const GeneratorOptions& options) {
  return std::make_unique<CudaGenerator>(target, options);
}

}  // namespace hyperion::codegen

#include "codegen/cuda/generator.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "codegen/cpp/cpp_scalars.hpp"
#include "codegen/cuda/emit_kernel.hpp"
#include "codegen/cuda/prelude.hpp"
#include "codegen/cuda/prelude_async.hpp"
#include "codegen/cuda/prelude_contraction.hpp"
#include "codegen/cuda/prelude_copies.hpp"
#include "codegen/cuda/prelude_dense.hpp"
#include "codegen/cuda/prelude_launch.hpp"
#include "codegen/cuda/prelude_mma.hpp"
#include "codegen/cuda/prelude_scatter.hpp"
#include "codegen/cuda/prelude_sort.hpp"
#include "codegen/cuda/prelude_windows.hpp"
#include "codegen/cuda/schedule_table.hpp"
#include "ir/support/format.hpp"
#include "runtime/cpu/thread_pool.hpp"
#include "runtime/cuda/compiler.hpp"

namespace hyperion::codegen {
namespace {

// Programs are compiled side by side; one costs the time for the prelude, which is that for a small kernel.
std::size_t processor_count() { return std::max(1u, std::thread::hardware_concurrency()); }

runtime::cuda::Compiler& compiler() {
  static runtime::cuda::Compiler shared;
  return shared;
}

class CudaGenerator final : public CodeGenerator {
 public:
  CudaGenerator(CudaTarget target, GeneratorOptions options)
      : target_(std::move(target)),
        options_(std::move(options)),
        schedules_(options_.schedules == nullptr ? own_schedules_ : *options_.schedules) {
    target_.tf32 |= options_.fast;
  }

  LoweringTarget lowering() const override {
    return {.vector_bytes = 16, .has_teams = true, .bitwise = target_.bitwise, .processors = target_.multiprocessors};
  }

  StatusOr<EmittedKernel> emit(const ir::Function& kernel, const Lowered& lowered) override {
    Piece& piece = pieces_.emplace_back();
    HYP_TRY(piece.kernel, emit_cuda_kernel(kernel, lowered, target_, piece.scalars, schedules_));
    if (piece.kernel.part != nullptr) joinable_[piece.kernel.entries[0].name] = &piece;
    EmittedKernel out{.workspace_bytes = piece.kernel.workspace_bytes, .schedule = piece.kernel.schedule};
    for (const runtime::cuda::KernelEntry& entry : piece.kernel.entries) {
      // No launch for what has no blocks.
      const bool is_work = out.launches.empty();
      out.launches.push_back({.symbol = entry.name,
                              .tiles = entry.shape.grid.x == 0 ? 0 : std::max<std::int64_t>(lowered.tiles, 1),
                              .part = is_work ? KernelLaunch::Part::work : KernelLaunch::Part::combine,
                              .unit = is_work ? piece.kernel.unit : runtime::ArithmeticUnit::vector});
    }
    return out;
  }

  bool joins_launches() const override { return true; }

  bool may_join(std::span<const std::string> symbols) const override {
    std::set<std::string> distinct;
    std::size_t buffers = 0;
    std::int64_t shared_bytes = 0, blocks = 0;
    for (const std::string& symbol : symbols) {
      const auto piece = joinable_.find(symbol);
      if (piece == joinable_.end()) return false;
      const CudaPart& part = *piece->second->kernel.part;
      if (part.blocks == 0) return false;
      if (distinct.insert(symbol).second) shared_bytes += part.shared_bytes;
      buffers += part.pointer_types.size();
      blocks += part.blocks;
    }
    return distinct.size() <= kMostParts && buffers <= most_buffers() && shared_bytes <= kMostSharedBytes &&
           blocks <= kMostBlocks;
  }

  std::string join(std::span<const std::string> symbols) override {
    std::vector<CudaJoinedPart> parts;
    CppScalarFunctions scalars;
    for (const std::string& symbol : symbols) {
      const Piece& piece = *joinable_.at(symbol);
      if (!parts.empty() && parts.back().part == piece.kernel.part) {
        ++parts.back().uses;
        continue;
      }
      parts.push_back({piece.kernel.part, 1});
      scalars.add(piece.scalars);
    }
    // The same parts, as often each, are one kernel, whatever buffers they are launched with.
    std::string key;
    for (const CudaJoinedPart& joined : parts) key += format("{} {}, ", joined.part->name, joined.uses);
    std::string& name = joined_[key];
    if (!name.empty()) return name;
    name = format("joined_{}_{}", joined_.size(), symbols[0]);
    Piece& piece = pieces_.emplace_back();
    piece.kernel = join_cuda_kernels(name, parts, target_);
    piece.scalars = std::move(scalars);
    return name;
  }

  void keep_launched(const std::set<std::string>& symbols) override {
    joinable_.clear();  // nothing is joined any more, and pieces move
    std::erase_if(pieces_, [&](const Piece& piece) {
      return std::ranges::none_of(piece.kernel.entries, [&](const auto& entry) { return symbols.contains(entry.name); });
    });
  }

  std::string text() const override {
    std::string all;
    for (const Program& program : programs(options_.is_whole ? 1 : processor_count())) all += program.text();
    return all;
  }

  StatusOr<std::vector<ObjectBytes>> compile() override {
    const std::vector<Program> all = programs(processor_count());
    std::vector<runtime::cuda::CompileRequest> requests;
    for (const Program& program : all) {
      // A product and a sum are one operation only where the definition says fma.
      requests.push_back({.name = options_.name + ".cu",
                          .source = program.text(),
                          .architecture = target_.architecture,
                          .options = {"--fmad=false"}});
    }
    runtime::ThreadPool pool(static_cast<int>(std::max<std::size_t>(requests.size(), 1)));
    std::vector<ObjectBytes> objects;
    std::vector<StatusOr<runtime::cuda::Program>> compiled = compiler().compile_all(requests, pool);
    for (std::size_t k = 0; k < compiled.size(); ++k) {
      HYP_TRY(runtime::cuda::Program program, std::move(compiled[k]));
      objects.push_back(runtime::cuda::DeviceObject{
          .architecture = target_.architecture, .kernels = all[k].entries(), .cubin = std::move(program.cubin)}
                            .serialize());
    }
    return objects;
  }

  StatusOr<std::string> assembly() override {
    return error_status(Code::unimplemented, "assembly of a GPU is not shown; take the source to nvcc and cuobjdump",
                        options_.name);
  }

 private:
  // A kernel, and the functions it calls.
  struct Piece {
    CudaKernelText kernel;
    CppScalarFunctions scalars;

    std::size_t characters() const {
      std::size_t all = kernel.text.size();
      for (const auto& part : kernel.called) all += part->text.size();
      return all;
    }
  };

  // What one kernel may be joined of. More parts take longer to compile than their launches take; the rest are the
  // architecture's, and those of `int`.
  static constexpr std::size_t kMostParts = 3;
  static constexpr std::int64_t kMostSharedBytes = 40 << 10, kMostBlocks = std::int64_t{1} << 30;
  // A kernel's parameters are 4 KiB, and 32,764 bytes from CUDA 12.1 on.
  std::size_t most_buffers() const { return target_.driver >= 12010 ? runtime::cuda::kMostListedBuffers : 500; }

  struct Program {
    std::vector<const Piece*> pieces;
    std::size_t characters = 0;

    void add(const Piece& piece) {
      pieces.push_back(&piece);
      characters += piece.characters();
    }
    bool uses(CudaKernelText::Uses part) const {
      return std::ranges::any_of(pieces, [&](const Piece* piece) { return piece->kernel.uses == part; });
    }
    std::vector<runtime::cuda::KernelEntry> entries() const {
      std::vector<runtime::cuda::KernelEntry> all;
      for (const Piece* piece : pieces)
        all.insert(all.end(), piece->kernel.entries.begin(), piece->kernel.entries.end());
      return all;
    }
    std::string prelude() const {
      using Uses = CudaKernelText::Uses;
      std::string out(kCudaPrelude);
      out += kCudaLaunchPrelude;
      if (uses(Uses::contractions) || uses(Uses::wgmma) || uses(Uses::mma)) out += kCudaCopiesPrelude;
      if (uses(Uses::contractions) || uses(Uses::wgmma)) out += kCudaWindowsPrelude;
      if (uses(Uses::contractions)) out += kCudaContractionPrelude, out += kCudaDensePrelude;
      if (uses(Uses::wgmma) || uses(Uses::mma)) out += kCudaRingPrelude;
      if (uses(Uses::wgmma)) out += kCudaAsyncPrelude;
      if (uses(Uses::mma)) out += kCudaMmaInstructions, out += kCudaMmaPrelude;
      if (uses(Uses::scatter) || uses(Uses::sort)) out += kCudaSortPrelude;
      if (uses(Uses::scatter)) out += kCudaScatterPrelude;
      return out;
    }
    std::string text() const {
      CppScalarFunctions scalars;
      std::string parts, kernels;
      std::set<const CudaPart*> printed;
      for (const Piece* piece : pieces) {
        scalars.add(piece->scalars);
        kernels += piece->kernel.text;
        for (const auto& part : piece->kernel.called) {
          if (printed.insert(part.get()).second) parts += part->text;
        }
      }
      return format(
          "{}\n// ---- this program "
          "--------------------------------------------------------------------------------------------\n"
          "{}{}{}\n}}  // namespace hyperion\n",
          prelude(), scalars.text(), parts, kernels);
    }
  };

  // At most so many programs, each of about the same length: the longest kernels are given out first.
  std::vector<Program> programs(std::size_t most) const {
    std::vector<Program> all(std::min(most, pieces_.size()));
    if (all.size() == 1) {
      for (const Piece& piece : pieces_) all[0].add(piece);  // in their order, for those who read it
      return all;
    }
    std::vector<const Piece*> longest_first;
    for (const Piece& piece : pieces_) longest_first.push_back(&piece);
    std::ranges::stable_sort(longest_first, std::greater<>(),
                             [](const Piece* piece) { return piece->characters(); });
    for (const Piece* piece : longest_first) std::ranges::min_element(all, {}, &Program::characters)->add(*piece);
    return all;
  }

  CudaTarget target_;
  GeneratorOptions options_;
  ScheduleTable own_schedules_;  // what ships, where nobody brings a table
  ScheduleTable& schedules_;
  std::deque<Piece> pieces_;
  std::map<std::string, const Piece*> joinable_;  // by symbol
  std::map<std::string, std::string> joined_;       // kernels of several parts, by what they are joined of
};

}  // namespace

std::unique_ptr<CodeGenerator> make_cuda_generator(const CudaTarget& target, const GeneratorOptions& options) {
  return std::make_unique<CudaGenerator>(target, options);
}

}  // namespace hyperion::codegen

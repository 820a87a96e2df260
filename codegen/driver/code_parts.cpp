#include "codegen/driver/code_parts.hpp"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <optional>
#include <thread>

#include "codegen/llvm/emit_kernel.hpp"

namespace hyperion::codegen {
namespace {

// LLVM instructions after which a part is closed. A part costs a millisecond to set up and about ten microseconds an
// instruction to compile: smaller ones would waste time, larger ones leave a core idle at the end of a training step.
constexpr std::size_t kPartInstructions = 1000;

// A result of this many times the second-level cache is not read back from a cache by whoever wants it next.
constexpr std::int64_t kStreamingL2s = 8;

const CompileOptions kForContractions{.tidy_scalar_code = false, .reduce_loop_strength = false};
const CompileOptions kForOthers{.tidy_scalar_code = true};

bool has_contraction(const ir::Function& kernel) {
  for (std::uint32_t k = 0; k < kernel.op_slots(); ++k) {
    const ir::Op& op = kernel.op(ir::OpId{k});
    if (op.definition != nullptr && (op.is("contract") || op.is("convolve"))) return true;
  }
  return false;
}

}  // namespace

CodeParts::CodeParts(CpuTarget target, GeneratorOptions options)
    : target_(std::move(target)), options_(std::move(options)) {
  if (options_.is_whole) parts_.push_back(make_part(kForOthers));
}

LoweringTarget CodeParts::lowering() const {
  return {.vector_bytes = target_.vector_bits / 8, .streaming_bytes = kStreamingL2s * target_.l2_bytes};
}

StatusOr<EmittedKernel> CodeParts::emit(const ir::Function& kernel, const Lowered& lowered) {
  return emit_kernel(part_for(kernel), kernel, kernel.name, lowered.tiles, options_.threads);
}

CodeParts::Part CodeParts::make_part(const CompileOptions& options) const {
  return {std::make_unique<IrModule>(options_.name, target_), options};
}

IrModule& CodeParts::part_for(const ir::Function& kernel) {
  if (options_.is_whole) return *parts_[0].module;
  const bool is_contraction = has_contraction(kernel);
  int& open = is_contraction ? open_contractions_ : open_others_;
  if (open < 0 || parts_[static_cast<std::size_t>(open)].module->instruction_count() >= kPartInstructions) {
    open = static_cast<int>(parts_.size());
    parts_.push_back(make_part(is_contraction ? kForContractions : kForOthers));
  }
  return *parts_[static_cast<std::size_t>(open)].module;
}

std::string CodeParts::text() const {
  std::string text;
  for (const Part& part : parts_) text += part.module->text();
  return text;
}

StatusOr<std::vector<ObjectBytes>> CodeParts::compile() {
  std::vector<std::optional<StatusOr<ObjectBytes>>> compiled(parts_.size());
  // The longest first, so that no thread is left alone with it.
  std::vector<std::size_t> order(parts_.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t k) { return parts_[k].module->instruction_count(); });
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t k; (k = next++) < order.size();) {
      Part& part = parts_[order[k]];
      compiled[order[k]] = compile_object(*part.module, part.options);
      part.module.reset();  // LLVM's own form is many times larger than the code
    }
  };
  {
    const std::size_t threads = std::min<std::size_t>(std::max(1u, std::thread::hardware_concurrency()), parts_.size());
    std::vector<std::jthread> helpers;
    for (std::size_t k = 1; k < threads; ++k) helpers.emplace_back(work);
    work();
  }
  std::vector<ObjectBytes> objects;
  for (std::optional<StatusOr<ObjectBytes>>& object : compiled) {
    HYP_TRY(objects.emplace_back(), *std::move(object));
  }
  return objects;
}

StatusOr<std::string> CodeParts::assembly() {
  std::string text;
  for (Part& part : parts_) {
    HYP_TRY(const std::string one, compile_assembly(*part.module, part.options));
    text += one;
  }
  return text;
}

}  // namespace hyperion::codegen

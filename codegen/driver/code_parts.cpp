#include "codegen/driver/code_parts.hpp"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <optional>
#include <thread>

namespace hyperion::codegen {
namespace {

// LLVM instructions after which a part is closed. A part costs a millisecond to set up and about ten microseconds an
// instruction to compile: smaller ones would waste time, larger ones leave a core idle at the end of a training step.
constexpr std::size_t kPartInstructions = 1000;

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

CodeParts::CodeParts(std::string name, CpuTarget target, bool is_whole)
    : name_(std::move(name)), target_(std::move(target)), is_whole_(is_whole) {
  if (is_whole_) parts_.push_back(make_part(kForOthers));
}

CodeParts::Part CodeParts::make_part(const CompileOptions& options) const {
  return {std::make_unique<IrModule>(name_, target_), options};
}

IrModule& CodeParts::part_for(const ir::Function& kernel) {
  if (is_whole_) return *parts_[0].module;
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

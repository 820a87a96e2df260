#include "codegen/cuda/emit_kernel.hpp"

#include <algorithm>

#include "codegen/cuda/emit_contraction.hpp"
#include "codegen/cuda/emit_scatter.hpp"
#include "codegen/cuda/emit_sort.hpp"
#include "codegen/cuda/kernel_translator.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

using ir::Op;
using ir::OpId;

// The op that the kernel is built around, if there is one.
const Op* find_anchor(const ir::Function& kernel) {
  for (OpId id : kernel.ops()) {
    const Op& op = kernel.op(id);
    if (is_cuda_anchor(op)) return &op;
  }
  return nullptr;
}

StatusOr<CudaKernelText> emit_tiles(const ir::Function& kernel, const Lowered& lowered, const CudaTarget& target,
                                    CppScalarFunctions& scalars) {
  const Team team = lowered.team;
  CudaKernelTranslator translator(kernel, team, scalars);
  // Where a result may take an input's place, neither pointer is the only way to its memory.
  const std::vector<std::string> parameters = translator.parameters(lowered.in_place.empty());
  const int per_block = team.per_block();
  const std::int64_t blocks = (lowered.tiles + per_block - 1) / per_block;
  const bool is_ragged = lowered.tiles % per_block != 0;
  const std::string body = translator.translate(
      kernel.body(),
      {.number = is_ragged ? format("live ? tile : {}", lowered.tiles - 1) : "tile", .live = is_ragged ? "live" : ""},
      1);
  if (!translator.refused().empty()) return error_status(Code::unimplemented, translator.refused(), "@" + kernel.name);
  const std::string number = lowered.tiles < (std::int64_t{1} << 31) ? "int" : "std::int64_t";
  // What a block of that number does; ends with the brace of its function.
  const auto tiles_of = [&](std::string_view block) {
    std::string text = team.threads > 1
                           ? format("  const int thread = static_cast<int>(threadIdx.x) % {};\n", team.threads)
                           : "  constexpr int thread = 0;\n";
    text += format("  const int team = static_cast<int>(threadIdx.x) / {};\n", team.threads);
    text += format("  const {0} tile = static_cast<{0}>({1}) * {2} + team;\n", number, block, per_block);
    if (is_ragged) text += format("  const bool live = tile < {};\n", lowered.tiles);
    return text + body + "}\n";
  };
  const int threads = team.threads * per_block;
  const std::string name = cuda_identifier(kernel.name);
  CudaKernelText out;
  out.text =
      format("\nextern \"C\" __global__ void __launch_bounds__({}) {}({}) {{\n{}  after_previous();\n{}", threads, name,
             fmt::join(parameters, ", "), translator.shared_declarations(), tiles_of("blockIdx.x"));
  CudaPart part{
      .name = name + "_part", .blocks = blocks, .threads = threads, .shared_bytes = translator.shared_bytes()};
  part.text = format("\ninline void {}({} block, {}) {{\n{}{}", part.name, number, fmt::join(parameters, ", "),
                     translator.shared_declarations(), tiles_of("block"));
  for (std::size_t k = 0; k < kernel.parameters().size(); ++k) part.pointer_types.push_back(translator.pointer_type(k));
  out.part = std::make_shared<const CudaPart>(std::move(part));
  runtime::cuda::KernelEntry entry{.name = name};
  entry.shape = {.grid = {static_cast<unsigned>(blocks)},
                 .block = {static_cast<unsigned>(threads)},
                 .overlaps_previous = target.has_clusters()};
  add_buffers(entry, parameters.size());
  out.entries.push_back(std::move(entry));
  return out;
}

}  // namespace

CudaKernelText join_cuda_kernels(const std::string& name, std::span<const CudaJoinedPart> parts,
                                 const CudaTarget& target) {
  int threads = 0;
  for (const CudaJoinedPart& joined : parts) threads = std::max(threads, joined.part->threads);
  CudaKernelText out;
  std::string choice;
  std::int64_t blocks = 0;
  std::uint32_t buffers = 0;
  for (const auto& [part, uses] : parts) {
    out.called.push_back(part);
    const std::size_t each = part->pointer_types.size();
    choice += format("  if (block < {}) {{\n", blocks + uses * part->blocks);
    if (part->threads < threads) choice += format("    if (threadIdx.x >= {}) return;\n", part->threads);
    // Which of the uses, and which block of it.
    choice += format("    const int own = block - {}, first = {} + own / {} * {};\n", blocks, buffers, part->blocks, each);
    std::string arguments;
    for (std::size_t k = 0; k < each; ++k) {
      arguments += format(",\n      static_cast<{}>(buffers.at[first + {}])", part->pointer_types[k], k);
    }
    choice += format("    return {}(own % {}{});\n  }}\n", part->name, part->blocks, arguments);
    blocks += uses * part->blocks;
    buffers += static_cast<std::uint32_t>(each) * static_cast<std::uint32_t>(uses);
  }
  out.text += format(
      "\nextern \"C\" __global__ void __launch_bounds__({}) {}(const __grid_constant__ Addresses<{}> buffers) {{\n"
      "  after_previous();\n  const int block = static_cast<int>(blockIdx.x);\n{}}}\n",
      threads, name, buffers, choice);
  runtime::cuda::BufferListParameter list;
  for (std::uint32_t k = 0; k < buffers; ++k) list.buffers.push_back(k);
  out.entries.push_back({.name = name,
                         .shape = {.grid = {static_cast<unsigned>(blocks)},
                                   .block = {static_cast<unsigned>(threads)},
                                   .overlaps_previous = target.has_clusters()},
                         .parameters = {std::move(list)}});
  return out;
}

StatusOr<CudaKernelText> emit_cuda_kernel(const ir::Function& kernel, const Lowered& lowered, const CudaTarget& target,
                                          CppScalarFunctions& scalars, ScheduleTable& schedules) {
  const Op* const anchor = find_anchor(kernel);
  if (anchor != nullptr && anchor->is("scatter_lines")) return emit_cuda_scatter(kernel, *anchor, target, scalars);
  if (anchor != nullptr && anchor->is("sort_lines")) return emit_cuda_sort(kernel, *anchor, target, scalars);
  if (anchor != nullptr) return emit_cuda_contraction(kernel, *anchor, target, scalars, schedules);
  return emit_tiles(kernel, lowered, target, scalars);
}

}  // namespace hyperion::codegen

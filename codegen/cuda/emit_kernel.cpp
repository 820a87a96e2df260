#include "codegen/cuda/emit_kernel.hpp"

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
  std::vector<std::string> parameters;
  for (std::size_t k = 0; k < kernel.parameters().size(); ++k) {
    // Where a result may take an input's place, neither pointer is the only way to its memory.
    parameters.push_back(translator.parameter(k, lowered.in_place.empty()));
  }
  const int per_block = team.per_block();
  const std::int64_t blocks = (lowered.tiles + per_block - 1) / per_block;
  const bool is_ragged = lowered.tiles % per_block != 0;
  const std::string body = translator.translate(
      kernel.body(),
      {.number = is_ragged ? format("live ? tile : {}", lowered.tiles - 1) : "tile", .live = is_ragged ? "live" : ""},
      1);
  if (!translator.refused().empty()) return error_status(Code::unimplemented, translator.refused(), "@" + kernel.name);
  const std::string number = lowered.tiles < (std::int64_t{1} << 31) ? "int" : "std::int64_t";
  CudaKernelText out;
  out.text = format("\nextern \"C\" __global__ void __launch_bounds__({}) {}({}) {{\n{}", team.threads * per_block,
                    cuda_identifier(kernel.name), fmt::join(parameters, ", "), translator.shared_declarations());
  out.text += "  after_previous();\n";
  if (team.threads > 1)
    out.text += format("  const int thread = static_cast<int>(threadIdx.x) % {};\n", team.threads);
  else
    out.text += "  constexpr int thread = 0;\n";
  out.text += format("  const int team = static_cast<int>(threadIdx.x) / {};\n", team.threads);
  out.text += format("  const {0} tile = static_cast<{0}>(blockIdx.x) * {1} + team;\n", number, per_block);
  if (is_ragged) out.text += format("  const bool live = tile < {};\n", lowered.tiles);
  out.text += body + "}\n";
  runtime::cuda::KernelEntry entry{.name = cuda_identifier(kernel.name)};
  entry.shape = {.grid = {static_cast<unsigned>(blocks)},
                 .block = {static_cast<unsigned>(team.threads * per_block)},
                 .overlaps_previous = target.has_clusters()};
  for (std::uint32_t k = 0; k < kernel.parameters().size(); ++k)
    entry.parameters.push_back(runtime::cuda::BufferParameter{k});
  out.entries.push_back(std::move(entry));
  return out;
}

}  // namespace

StatusOr<CudaKernelText> emit_cuda_kernel(const ir::Function& kernel, const Lowered& lowered, const CudaTarget& target,
                                          CppScalarFunctions& scalars, ScheduleTable& schedules) {
  const Op* const anchor = find_anchor(kernel);
  if (anchor != nullptr && anchor->is("scatter_lines")) return emit_cuda_scatter(kernel, *anchor, target, scalars);
  if (anchor != nullptr && anchor->is("sort_lines")) return emit_cuda_sort(kernel, *anchor, target, scalars);
  if (anchor != nullptr) return emit_cuda_contraction(kernel, *anchor, target, scalars, schedules);
  return emit_tiles(kernel, lowered, target, scalars);
}

}  // namespace hyperion::codegen

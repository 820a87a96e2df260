#include "codegen/cuda/emit_sort.hpp"

#include <algorithm>
#include <bit>

#include "codegen/cuda/kernel_translator.hpp"
#include "codegen/cuda/prelude_sort.hpp"
#include "ir/line_blocks.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

constexpr int kMergeThreads = 256;

class SortEmitter {
 public:
  SortEmitter(const ir::Function& kernel, const ir::Op& op, const CudaTarget& target, CppScalarFunctions& scalars)
      : kernel_(kernel),
        op_(op),
        target_(target),
        outer_(op.attributes.integer("outer")),
        length_(op.attributes.integer("length")),
        inner_(op.attributes.integer("inner")),
        element_(kernel.type(yielded())),
        part_(std::min<std::int64_t>(kSortedBytes / entry_bytes(),
                                     static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(length_))))),
        parts_((length_ + part_ - 1) / part_),
        translator_(kernel, {.threads = 1, .chunk = 1}, scalars) {}

  StatusOr<CudaKernelText> emit() {
    CudaKernelText out{.uses = CudaKernelText::Uses::sort};
    std::vector<std::string> parameters = translator_.parameters(true);
    if (parts_ > 1) {
      out.workspace_bytes = 2 * outer_ * inner_ * length_ * entry_bytes();
      parameters.push_back(format("{}* __restrict__ runs", entry_type()));
    }
    const std::string list = format("{}", fmt::join(parameters, ", ")), identifier = cuda_identifier(kernel_.name);
    write_sort(out, identifier, list);
    int merge = 0;
    for (std::int64_t width = part_; width < length_; width *= 2, ++merge)
      write_merge(out, format("{}_merge_{}", identifier, merge + 1), list, width, merge);
    if (!translator_.refused().empty())
      return error_status(Code::unimplemented, translator_.refused(), "@" + kernel_.name);
    for (runtime::cuda::KernelEntry& entry : out.entries) {
      entry.shape.overlaps_previous = target_.has_clusters();
      add_buffers(entry, parameters.size());
    }
    return out;
  }

 private:
  ir::ValueId yielded() const { return kernel_.op(kernel_.block(ir::sort_block(op_)).last).operands[0]; }
  // A key of up to 32 bits and a position are one number.
  bool is_wide() const { return byte_size(element_.dtype()) == sizeof(std::uint64_t); }
  std::int64_t entry_bytes() const { return is_wide() ? 16 : 8; }
  const char* entry_type() const { return is_wide() ? "WideEntry" : "unsigned long long"; }
  std::string position_type() const { return cpp_type(kernel_.type(op_.operands[0]).dtype()); }
  // Where the position of what is `place`-th in line `line` belongs.
  std::string target(std::string_view place) {
    return format("{}[(std::int64_t(line / {}) * {} + {}) * {} + line % {}]", translator_.name(op_.operands[0]), inner_,
                  length_, place, inner_, inner_);
  }
  // Where the entries of line `line` lie in one half of the workspace.
  std::string half(int number) const {
    return format("runs + (std::int64_t(line) + {}) * {}", number % 2 * outer_ * inner_, length_);
  }

  void write_sort(CudaKernelText& out, const std::string& name, const std::string& parameters) {
    constexpr std::uint64_t kWarp = 32, kMostThreads = 512;
    const int threads = static_cast<int>(std::clamp(static_cast<std::uint64_t>(part_) / 2, kWarp, kMostThreads));
    const std::string before = translator_.translate(kernel_.body(), {}, 1);
    out.text = "\n" + open_cuda_kernel(threads, name, parameters, before);
    out.text += format("  __shared__ {} entries[{}];\n", entry_type(), part_);
    out.text += format(
        "  const int line = static_cast<int>(blockIdx.x) / {0}, begin = static_cast<int>(blockIdx.x) % {0} * {1};\n",
        parts_, part_);
    out.text += format("  const int count = min({}, {} - begin);\n", part_, length_);
    const std::vector<ir::ValueId>& arguments = kernel_.block(ir::sort_block(op_)).arguments;
    out.text +=
        format("  const {} {} = line / {};\n", translator_.type(arguments[0]), translator_.name(arguments[0]), inner_);
    out.text +=
        format("  const {} {} = line % {};\n", translator_.type(arguments[2]), translator_.name(arguments[2]), inner_);
    out.text +=
        format("  sort_part<{}, {}>(entries, begin, count, [&]({} {}) {{\n", threads,
               op_.attributes.boolean("descending"), translator_.type(arguments[1]), translator_.name(arguments[1]));
    out.text += translator_.translate_body(ir::sort_block(op_), "", 2);
    out.text += format("    return {}({});\n  }});\n", cpp_type(element_.dtype()), translator_.element(yielded()));
    out.text += format("  for (int k = static_cast<int>(threadIdx.x); k < count; k += {}) ", threads);
    if (parts_ > 1)
      out.text += format("({})[begin + k] = entries[k];\n}}\n", half(0));
    else
      out.text += format("{} = static_cast<{}>(position_of(entries[k]));\n}}\n", target("k"), position_type());
    out.entries.push_back({.name = name,
                           .shape = {.grid = {static_cast<unsigned>(outer_ * inner_ * parts_)},
                                     .block = {static_cast<unsigned>(threads)}}});
  }

  // From the half that `number` names into the other; the last merge writes positions.
  void write_merge(CudaKernelText& out, const std::string& name, const std::string& parameters, std::int64_t width,
                   int number) {
    const std::int64_t across = (length_ + kMergeThreads - 1) / kMergeThreads;
    out.text += format("\nextern \"C\" __global__ void __launch_bounds__({}) {}({}) {{\n  after_previous();\n",
                       kMergeThreads, name, parameters);
    out.text += format(
        "  const int line = static_cast<int>(blockIdx.x) / {0}, k = static_cast<int>(blockIdx.x) % {0} * {1} + "
        "static_cast<int>(threadIdx.x);\n",
        across, kMergeThreads);
    out.text += format("  if (k >= {}) return;\n  const {}* const from = {};\n", length_, entry_type(), half(number));
    out.text += format("  const int place = merged_place<{}, {}>(from, k);\n", length_, width);
    if (2 * width < length_)
      out.text += format("  ({})[place] = from[k];\n}}\n", half(number + 1));
    else
      out.text += format("  {} = static_cast<{}>(position_of(from[k]));\n}}\n", target("place"), position_type());
    out.entries.push_back({.name = name,
                           .shape = {.grid = {static_cast<unsigned>(outer_ * inner_ * across)},
                                     .block = {static_cast<unsigned>(kMergeThreads)}}});
  }

  const ir::Function& kernel_;
  const ir::Op& op_;
  const CudaTarget& target_;
  const std::int64_t outer_, length_, inner_;
  const Type element_;
  const std::int64_t part_, parts_;  // elements that a block sorts, and such parts of a line
  CudaKernelTranslator translator_;
};

}  // namespace

StatusOr<CudaKernelText> emit_cuda_sort(const ir::Function& kernel, const ir::Op& lines, const CudaTarget& target,
                                        CppScalarFunctions& scalars) {
  return SortEmitter(kernel, lines, target, scalars).emit();
}

}  // namespace hyperion::codegen

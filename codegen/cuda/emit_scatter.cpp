#include "codegen/cuda/emit_scatter.hpp"

#include <algorithm>
#include <bit>

#include "codegen/cuda/kernel_translator.hpp"
#include "codegen/cuda/prelude_scatter.hpp"
#include "ir/line_blocks.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

// How lines are dealt out: a block takes so many neighbouring ones of one tensor.
struct Ranges {
  std::int64_t lines = 1, count = 1;
  int threads = kMostUpdateThreads;
};

// Two blocks a processor, since each reads all indices; but no more lines than a block has bits and numbers for.
Ranges choose_ranges(std::int64_t outer, std::int64_t length, std::int64_t vectors, std::int64_t positions,
                     const CudaTarget& target) {
  constexpr std::int64_t kMostLines = 1 << 16, kMostNumbers = 1 << 30;
  const auto parts = [](std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; };
  Ranges out;
  const std::int64_t wanted = std::max<std::int64_t>(2 * target.multiprocessors / outer, 1);
  out.lines = std::min({parts(length, wanted), kMostLines, std::max<std::int64_t>(kMostNumbers / vectors, 1)});
  out.count = parts(length, out.lines);
  const auto work = static_cast<std::uint64_t>(std::max(out.lines * vectors, positions / 8));
  constexpr std::uint64_t kFewestThreads = 64;
  out.threads = static_cast<int>(std::clamp(std::bit_ceil(work), kFewestThreads, std::uint64_t{kMostUpdateThreads}));
  return out;
}

class ScatterEmitter {
 public:
  ScatterEmitter(const ir::Function& kernel, const ir::Op& op, const CudaTarget& target, CppScalarFunctions& scalars)
      : kernel_(kernel),
        op_(op),
        target_(target),
        lanes_(static_cast<int>(op.attributes.integer("lanes"))),
        translator_(kernel, {.threads = 1, .chunk = lanes_}, scalars) {}

  StatusOr<CudaKernelText> emit() {
    const auto number = [&](std::string_view name) { return op_.attributes.integer(name); };
    const std::int64_t outer = number("outer"), length = number("length"), vectors = number("inner") / lanes_;
    const Ranges ranges = choose_ranges(outer, length, vectors, number("positions"), target_);
    const ir::ScatterBlocks blocks = ir::scatter_blocks(op_);
    std::vector<std::string> parameters;
    for (std::size_t k = 0; k < kernel_.parameters().size(); ++k) parameters.push_back(translator_.parameter(k, true));
    const std::string identifier = cuda_identifier(kernel_.name), before = translator_.translate(kernel_.body(), {}, 1);
    const std::string output = translator_.name(op_.operands[0]);
    CudaKernelText out{.uses = CudaKernelText::Uses::scatter};
    out.text = format(
        "\nextern \"C\" __global__ void __launch_bounds__({}) {}({}) {{\n  after_previous();\n{}  constexpr int thread = "
        "0;\n",
        ranges.threads, identifier, fmt::join(parameters, ", "), before);
    out.text += format("  __shared__ FoundUpdates<{}, {}> found;\n", ranges.threads, ranges.lines);
    out.text += format("  const int outer = static_cast<int>(blockIdx.x) / {0}, first = static_cast<int>(blockIdx.x) % {0} * {1};\n",
                       ranges.count, ranges.lines);
    // With an update that does not look at its state, the last one stays.
    const bool is_last_only = kernel_.value(kernel_.block(blocks.update).arguments.back()).uses.empty();
    out.text += format("  scatter_lines<{}, {}, {}, {}, {}>({} + std::int64_t(outer) * {}, first, min({}, {} - first), {}, found,\n",
                       ranges.threads, ranges.lines, vectors, lanes_, is_last_only, output, length * number("inner"),
                       ranges.lines, length, number("positions"));
    out.text += index(blocks.index) + ",\n" + vector(blocks.element) + ",\n" + vector(blocks.update) + ");\n}\n";
    if (!translator_.refused().empty())
      return error_status(Code::unimplemented, translator_.refused(), "@" + kernel_.name);
    runtime::cuda::KernelEntry entry{.name = identifier};
    entry.shape = {.grid = {static_cast<unsigned>(outer * ranges.count)},
                   .block = {static_cast<unsigned>(ranges.threads)},
                   .overlaps_previous = target_.has_clusters()};
    for (std::uint32_t k = 0; k < kernel_.parameters().size(); ++k)
      entry.parameters.push_back(runtime::cuda::BufferParameter{k});
    out.entries.push_back(std::move(entry));
    return out;
  }

 private:
  // A block as a function of C++: its first argument is the `outer` of this thread block, the others it is given.
  std::string head(ir::BlockId block, std::string_view returned) {
    const std::vector<ir::ValueId>& arguments = kernel_.block(block).arguments;
    translator_.define_name(arguments[0], "outer");
    std::vector<std::string> list;
    for (std::size_t k = 1; k < 3 && k < arguments.size(); ++k)
      list.push_back(format("{} {}", translator_.type(arguments[k]), translator_.name(arguments[k])));
    const bool is_vector = returned.empty();
    if (is_vector)
      list.push_back(format("{} (&state)[{}]", cpp_type(kernel_.type(op_.operands[0]).dtype()), lanes_));
    return format("      [&]({}){}{} {{\n", fmt::join(list, ", "), is_vector ? "" : " -> ", returned);
  }

  std::string index(ir::BlockId block) {
    const std::string opening = head(block, "std::int64_t"), body = translator_.translate_body(block, "", 4);
    return opening + body + format("        return {};\n      }}", translator_.element(yielded(block)));
  }

  std::string vector(ir::BlockId block) {
    if (const auto& arguments = kernel_.block(block).arguments; arguments.size() == 4)
      translator_.define_name(arguments[3], "state");
    const std::string opening = head(block, ""), body = translator_.translate_body(block, "", 4);
    return opening + body +
           format("        HYP_EACH(i, {}) state[i] = {};\n      }}", lanes_, translator_.element(yielded(block)));
  }

  ir::ValueId yielded(ir::BlockId block) const { return kernel_.op(kernel_.block(block).last).operands[0]; }

  const ir::Function& kernel_;
  const ir::Op& op_;
  const CudaTarget& target_;
  const int lanes_;
  CudaKernelTranslator translator_;
};

}  // namespace

StatusOr<CudaKernelText> emit_cuda_scatter(const ir::Function& kernel, const ir::Op& lines, const CudaTarget& target,
                                           CppScalarFunctions& scalars) {
  return ScatterEmitter(kernel, lines, target, scalars).emit();
}

}  // namespace hyperion::codegen

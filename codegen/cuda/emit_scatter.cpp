#include "codegen/cuda/emit_scatter.hpp"

#include <algorithm>
#include <bit>

#include "codegen/cuda/kernel_translator.hpp"
#include "codegen/cuda/prelude_scatter.hpp"
#include "ir/line_blocks.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

// How lines are dealt out: groups of so many neighbouring ones, to so many blocks by turns.
struct Shares {
  std::int64_t group = 1, blocks = 1;
  int threads = kMostUpdateThreads;
};

// Two blocks a processor, since each reads all indices; but no more lines than a block has bits and numbers for. Groups
// are as long as what memory is written in, so that narrow lines lie side by side.
Shares choose_shares(std::int64_t outer, std::int64_t length, std::int64_t vectors, std::int64_t line_bytes,
                     std::int64_t positions, const CudaTarget& target) {
  constexpr std::int64_t kGroupBytes = 512, kMostLines = 1 << 15, kMostNumbers = 1 << 29;
  const auto parts = [](std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; };
  Shares out;
  const std::int64_t wanted = std::max<std::int64_t>(2 * target.multiprocessors / outer, 1);
  out.group = std::min(parts(kGroupBytes, line_bytes), parts(length, wanted));
  const std::int64_t groups = parts(length, out.group);
  const std::int64_t most = std::max<std::int64_t>(std::min(kMostLines, kMostNumbers / vectors) / out.group, 1);
  out.blocks = std::max(std::min(wanted, groups), parts(groups, most));
  const auto work = static_cast<std::uint64_t>(std::max(parts(length, out.blocks) * vectors, positions / 8));
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
    const std::int64_t element_bytes = static_cast<std::int64_t>(byte_size(kernel_.type(op_.operands[0]).dtype()));
    const Shares shares =
        choose_shares(outer, length, vectors, number("inner") * element_bytes, number("positions"), target_);
    const ir::ScatterBlocks blocks = ir::scatter_blocks(op_);
    const std::vector<std::string> parameters = translator_.parameters(true);
    const std::string identifier = cuda_identifier(kernel_.name), before = translator_.translate(kernel_.body(), {}, 1);
    const std::string output = translator_.name(op_.operands[0]);
    CudaKernelText out{.uses = CudaKernelText::Uses::scatter};
    out.text = "\n" + open_cuda_kernel(shares.threads, identifier, format("{}", fmt::join(parameters, ", ")), before);
    out.text += format("  using Lines = OwnLines<{}, {}, {}>;\n", length, shares.blocks, shares.group);
    out.text += format("  __shared__ FoundUpdates<{}, Lines::kMost> found;\n", shares.threads);
    out.text += format(
        "  const int outer = static_cast<int>(blockIdx.x) / {0};\n  const Lines lines{{static_cast<int>(blockIdx.x) % "
        "{0}}};\n",
        shares.blocks);
    // With an update that does not look at its state, the last one stays.
    const bool is_last_only = kernel_.value(kernel_.block(blocks.combine).arguments[0]).uses.empty();
    out.text +=
        format("  scatter_lines<{}, {}, {}, {}>({} + std::int64_t(outer) * {}, {}, lines, found,\n", shares.threads,
               vectors, lanes_, is_last_only, output, length * number("inner"), number("positions"));
    out.text += index(blocks.index) + ",\n" + vector(blocks.element) + ",\n" + prefetch(blocks.update) + ",\n" +
                vector(blocks.update) + ",\n" + combination(blocks.combine) + ");\n}\n";
    if (!translator_.refused().empty())
      return error_status(Code::unimplemented, translator_.refused(), "@" + kernel_.name);
    runtime::cuda::KernelEntry entry{.name = identifier};
    entry.shape = {.grid = {static_cast<unsigned>(outer * shares.blocks)},
                   .block = {static_cast<unsigned>(shares.threads)},
                   .overlaps_previous = target_.has_clusters()};
    add_buffers(entry, parameters.size());
    out.entries.push_back(std::move(entry));
    return out;
  }

 private:
  // A block as a function of C++: `outer` is this thread block's own, the others it is given.
  std::string head(ir::BlockId block, std::string_view last_parameter, std::string_view returned) {
    const std::vector<ir::ValueId>& arguments = kernel_.block(block).arguments;
    translator_.define_name(arguments[0], "outer");
    std::vector<std::string> list;
    for (std::size_t k = 1; k < arguments.size(); ++k)
      list.push_back(format("{} {}", translator_.type(arguments[k]), translator_.name(arguments[k])));
    if (!last_parameter.empty()) list.emplace_back(last_parameter);
    return format("      [&]({}){}{} {{\n", fmt::join(list, ", "), returned.empty() ? "" : " -> ", returned);
  }

  std::string index(ir::BlockId block) {
    const std::string opening = head(block, "", "std::int64_t"), body = translator_.translate_body(block, "", 4);
    return opening + body + format("        return {};\n      }}", translator_.element(yielded(block)));
  }

  std::string vector(ir::BlockId block) {
    const std::string to = format("{} (&to)[{}]", element_type(), lanes_), opening = head(block, to, "");
    const std::string body = translator_.translate_body(block, "", 4);
    return opening + body +
           format("        HYP_EACH(i, {}) to[i] = {};\n      }}", lanes_, translator_.element(yielded(block)));
  }

  std::string combination(ir::BlockId block) {
    const std::vector<ir::ValueId>& arguments = kernel_.block(block).arguments;
    translator_.define_name(arguments[0], "state");
    translator_.define_name(arguments[1], "update");
    const std::string body = translator_.translate_body(block, "", 4);
    return format(
        "      [&]({0} (&state)[{1}], const {0} (&update)[{1}]) {{\n{2}        HYP_EACH(i, {1}) state[i] = {3};\n      "
        "}}",
        element_type(), lanes_, body, translator_.element(yielded(block)));
  }

  std::string element_type() const { return cpp_type(kernel_.type(op_.operands[0]).dtype()); }

  // What the block would read, asked for.
  std::string prefetch(ir::BlockId block) {
    const std::string opening = head(block, "", ""), body = translator_.translate_prefetches(block, 4);
    return opening + body + "      }";
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

#include "codegen/cuda/emit_contraction.hpp"

#include <algorithm>
#include <bit>

#include "codegen/cuda/convolution_problem.hpp"
#include "codegen/cuda/kernel_translator.hpp"
#include "codegen/cuda/schedule_table.hpp"
#include "codegen/cuda/staged_body.hpp"
#include "codegen/cuda/tensor_contraction.hpp"
#include "ir/support/format.hpp"
#include "ir/support/hash.hpp"

namespace hyperion::codegen {
namespace {

using ir::Integers;
using ir::Op;
using ir::ValueId;

// Squares of 64 rows and 16 vectors of columns that a block sums.
struct TileShape {
  int row_groups = 1, column_groups = 1, depth = 16;
};

// How depth is cut where the tiles of the result alone would leave processors idle: among the blocks of a cluster, or
// into sums that a second kernel adds up.
struct DepthParts {
  std::int64_t count = 1;
  bool in_cluster = false;
};

// Large blocks read each factor fewer times; small ones keep more processors busy.
TileShape choose_tile(std::int64_t batches, std::int64_t rows, std::int64_t columns, int lanes,
                      const CudaTarget& target) {
  const auto blocks = [&](int row_groups, int column_groups) {
    const std::int64_t height = 64 * row_groups, width = 16 * lanes * column_groups;
    return batches * ((rows + height - 1) / height) * ((columns + width - 1) / width);
  };
  if (blocks(2, 2) >= target.multiprocessors) return {2, 2, 8};
  return {1, 1, 16};
}

class ContractionEmitter {
 public:
  ContractionEmitter(const ir::Function& kernel, const Op& op, const CudaTarget& target, CppScalarFunctions& scalars,
                     ScheduleTable& schedules)
      : kernel_(kernel),
        op_(op),
        target_(target),
        schedules_(schedules),
        lanes_(static_cast<int>(op.attributes.integer("lanes"))),
        translator_(kernel, {.threads = 1, .chunk = lanes_}, scalars) {}

  StatusOr<CudaKernelText> emit() {
    std::vector<std::string> parameters = translator_.parameters(true);
    read_sizes();
    const std::optional<TensorProblem> tensors = tensor_problem();
    CudaKernelText out = tensors && fits_tensor_cores(*tensors, target_) ? with_tensor_cores(*tensors, parameters)
                                                                         : with_fma(parameters);
    if (!translator_.refused().empty())
      return error_status(Code::unimplemented, translator_.refused(), "@" + kernel_.name);
    const std::size_t buffers = kernel_.parameters().size() + (out.workspace_bytes > 0 ? 1 : 0);
    for (runtime::cuda::KernelEntry& entry : out.entries) {
      entry.shape.overlaps_previous = target_.has_clusters();
      add_buffers(entry, buffers);
    }
    return out;
  }

 private:
  // None for what the tensor cores have no form for: several axes of batches, convolutions by groups.
  std::optional<TensorProblem> tensor_problem() const {
    if (lanes_ != 4) return std::nullopt;
    std::optional<TensorProblem> out =
        op_.is("contract") ? contract_problem() : convolution_problem(op_.attributes);
    if (!out) return std::nullopt;
    const auto buffer = [&](std::size_t k) { return static_cast<int>(kernel_.value(op_.operands[k]).result_index); };
    out->dtype = dtype(op_.operands[0]);
    out->lhs.buffer = buffer(0), out->rhs.buffer = buffer(1);
    out->epilogue = epilogue();
    out->may_round = target_.tf32;
    return out;
  }

  std::optional<TensorProblem> contract_problem() const {
    const ir::Attributes& a = op_.attributes;
    if (a.integers("batch").size() > 1) return std::nullopt;
    const auto first = [](const Integers& list) { return list.empty() ? std::int64_t{0} : list[0]; };
    return TensorProblem{.batches = a.integers("batch").empty() ? 1 : a.integers("batch")[0],
                         .rows = a.integer("rows"),
                         .columns = a.integer("columns"),
                         .depth = a.integer("depth"),
                         .lhs = {.free = a.integer("lhs_row"),
                                 .depth = a.integer("lhs_depth"),
                                 .batch = first(a.integers("lhs_batch"))},
                         .rhs = {.free = a.integer("rhs_column"),
                                 .depth = a.integer("rhs_depth"),
                                 .batch = first(a.integers("rhs_batch"))}};
  }

  // "matrix+add+relu": what the body reads, whole matrices apart from what repeats along rows or columns, and computes.
  // Casts come with the element types, addresses with the sizes.
  std::string epilogue() const {
    constexpr std::size_t kLongest = 48;
    if (op_.blocks.empty()) return {};
    std::string out;
    int steps = 0, stores = 0;
    const auto add = [&](std::string_view step) { out += format("{}{}", steps++ == 0 ? "" : "+", step); };
    for (ir::OpId id : kernel_.ops_of(op_.blocks[0])) {
      const Op& op = kernel_.op(id);
      if (op.is("load")) {
        const Type read = kernel_.type(op.operands[0]);
        add(read.element_count() >= rows_ * columns_ ? "matrix" : "vector");
      } else if (op.is("store")) {
        if (++stores > 1) add("store");
      } else if (!op.is("affine") && !op.is("constant") && !op.is("cast") && !op.is("broadcast") && !op.is("yield")) {
        add(op.name());
      }
    }
    if (out.size() > kLongest) out = format("{}-steps-{}", steps, hash_text(out).hex().substr(0, 16));
    return has_long_body(kernel_, op_) ? std::string(kLongEpilogue) + out : out;
  }

  static runtime::ArithmeticUnit tensor_unit(DType factors) {
    return factors == DType::f32 ? runtime::ArithmeticUnit::tensor_tf32 : runtime::ArithmeticUnit::tensor_16;
  }

  CudaKernelText with_tensor_cores(const TensorProblem& problem, std::vector<std::string> parameters) {
    const std::string identifier = cuda_identifier(kernel_.name), before = translator_.translate(kernel_.body(), {}, 1);
    const auto [schedule, origin] = schedules_.choose(problem, target_);
    using Uses = CudaKernelText::Uses;
    CudaKernelText out{.schedule = schedule.text(),
                       .uses = schedule.engine == TensorEngine::wgmma ? Uses::wgmma : Uses::mma,
                       .unit = tensor_unit(problem.dtype)};
    const bool has_parts = schedule.parts > 1, has_missing = problem.image && has_missing_elements(op_.attributes);
    if (has_parts) add_workspace(out, parameters, "float", schedule.parts);
    const std::string list = format("{}", fmt::join(parameters, ", "));
    const TensorKernel parts = emit_tensor_kernel(identifier, problem, schedule, target_,
                                                  {.lhs = translator_.name(op_.operands[0]),
                                                   .rhs = translator_.name(op_.operands[1]),
                                                   .staged = has_missing ? std::nullopt : stage_body(kernel_, op_, translator_),
                                                   .finish = has_parts ? store_partial_sums() : finish(5, has_missing)});
    out.text = format("\n{}{}// {}: {}\n", has_missing ? windows_text("float") : "", parts.functions,
                      origin_name(origin), schedule.text());
    out.text += format(
        "extern \"C\" __global__ void __launch_bounds__({}, {}) {}({}{}{}) {{\n  after_previous();\n{}  constexpr int "
        "thread = 0;\n{}}}\n",
        parts.shape.block.x, parts.blocks, identifier, parts.parameters, parts.parameters.empty() ? "" : ", ", list,
        before, parts.body);
    out.entries = {{.name = identifier, .shape = parts.shape, .parameters = parts.maps}};
    if (has_parts) add_combination(out, list, before, finish(2), "float", schedule.parts);
    return out;
  }

  CudaKernelText with_fma(std::vector<std::string> parameters) {
    const std::string sum = cpp_type(accumulation_dtype(dtype(op_.operands[0])));
    const bool is_dense = op_.is("contract");
    const std::string problem = is_dense ? "" : windows_text(sum);
    // Values that do not depend on the sums stand in front.
    const std::string before = translator_.translate(kernel_.body(), {}, 1);
    const int lanes =
        16 / static_cast<int>(byte_size(accumulation_dtype(dtype(op_.operands[0]))));  // of a thread's own vectors
    const TileShape tile = choose_tile(batches_, rows_, columns_, lanes, target_);
    const std::string tile_type =
        format("FmaTile<{}, {}, {}, {}>", tile.row_groups, tile.column_groups, tile.depth, lanes);
    const int height = 64 * tile.row_groups, width = 16 * lanes * tile.column_groups;
    const std::int64_t down = (rows_ + height - 1) / height, across = (columns_ + width - 1) / width;
    const std::string body = finish(2), identifier = cuda_identifier(kernel_.name);
    const std::int64_t blocks = batches_ * down * across;
    const auto [parts, in_cluster] = target_.bitwise ? DepthParts{} : depth_parts(blocks, tile);
    const std::int64_t each = ((depth_ + parts - 1) / parts + tile.depth - 1) / tile.depth * tile.depth;
    CudaKernelText out{
        .schedule = format("{}x{} by FMA{}", height, width,
                           parts > 1 ? format(", depth in {} parts{}", parts, in_cluster ? " of a cluster" : "") : ""),
        .uses = CudaKernelText::Uses::contractions};
    const bool is_combined = parts > 1 && !in_cluster;
    if (is_combined) {
      add_workspace(out, parameters, sum, parts);
    }
    const std::string list = format("{}", fmt::join(parameters, ", "));
    out.text = "\n" + problem + open_cuda_kernel(256, identifier, list, before);
    // Blocks that run together share rows of both factors: eight block rows at a time.
    const std::int64_t grid = std::max<std::int64_t>(down * across, 1), band = std::max<std::int64_t>(8 * across, 1);
    // Blocks of a cluster are neighbours.
    if (in_cluster)
      out.text +=
          format("  const int block = static_cast<int>(blockIdx.x) / {0}, part = static_cast<int>(blockIdx.x) % {0};\n",
                 parts);
    else
      out.text +=
          format("  const int block = static_cast<int>(blockIdx.x) % {0}, part = static_cast<int>(blockIdx.x) / {0};\n",
                 std::max<std::int64_t>(blocks, 1));
    out.text += format("  const int batch_ = block / {0}, place = block % {0};\n", grid);
    out.text += format("  const int band = place / {}, high = min(8, {} - band * 8);\n", band, down);
    out.text += format(
        "  const int first_row = (band * 8 + place % {0} % high) * {1}, first_column = place % {0} / high * {2};\n",
        band, height, width);
    std::string call =
        format("contract_fma<{}_problem::Problem, {}, {}>(problem", identifier, tile_type, in_cluster ? parts : 1);
    if (is_dense) {
      const FactorText lhs = factor(0, "lhs_row", "lhs_depth", "lhs_batch", rows_),
                       rhs = factor(1, "rhs_column", "rhs_depth", "rhs_batch", columns_);
      call = format("contract_dense<{}, {}, {}, {}, {}>({}, {}", sum, lhs.type, rhs.type, tile_type,
                    in_cluster ? parts : 1, lhs.value, rhs.value);
    } else {
      out.text += format("  const {}_problem::Problem problem{{{}, {}, batch_}};\n", identifier,
                         translator_.name(op_.operands[0]), translator_.name(op_.operands[1]));
    }
    std::string range = format("0, {}", depth_), last = body;
    if (parts > 1) {
      out.text += format("  const int begin = min({0}, part * {1}), end = min({0}, begin + {1});\n", depth_, each);
      range = "begin, end";
    }
    if (is_combined) {
      last = store_partial_sums();
    }
    out.text += format(
        "  {}, first_row, first_column, {}, [&](const {} (&sums)[{}], int at_row, int at_column) {{\n"
        "    if (at_row >= {} || at_column >= {}) return;\n{}  }});\n}}\n",
        call, range, sum, lanes_, rows_, columns_, last);
    out.entries.push_back(
        {.name = identifier, .shape = {.grid = {static_cast<unsigned>(blocks * parts)}, .block = {256}}});
    if (in_cluster) out.entries.back().shape.cluster = {static_cast<unsigned>(parts)};
    if (is_combined) add_combination(out, list, before, body, sum, parts);
    return out;
  }

  DepthParts depth_parts(std::int64_t blocks, const TileShape& tile) const {
    constexpr std::int64_t kMostInCluster = 8, kLongInCluster = 1024, kShortestPart = 128, kMostParts = 128;
    if (blocks == 0 || blocks >= target_.multiprocessors) return {};
    const std::int64_t wanted = (2 * target_.multiprocessors + blocks - 1) / blocks;
    const std::int64_t steps = (depth_ + tile.depth - 1) / tile.depth;
    if (target_.has_clusters() && (depth_ <= kMostInCluster * kLongInCluster || wanted <= kMostInCluster)) {
      const auto parts = std::bit_floor(
          static_cast<std::uint64_t>(std::max<std::int64_t>(std::min({wanted, steps, kMostInCluster}), 1)));
      return {static_cast<std::int64_t>(parts), parts > 1};
    }
    return {std::max<std::int64_t>(std::min({wanted, depth_ / kShortestPart, kMostParts}), 1), false};
  }

  // What a kernel of parts has besides, and does with its sums.
  void add_workspace(CudaKernelText& out, std::vector<std::string>& parameters, const std::string& sum,
                     std::int64_t parts) const {
    const auto bytes = static_cast<std::int64_t>(byte_size(accumulation_dtype(dtype(op_.operands[0]))));
    out.workspace_bytes = parts * batches_ * rows_ * columns_ * bytes;
    parameters.push_back(format("{}* __restrict__ partial_sums", sum));
  }
  std::string store_partial_sums() const {
    return format(
        "    const std::int64_t at_sums = ((std::int64_t(part) * {} + batch_) * {} + at_row) * {} + at_column;\n"
        "    HYP_EACH(i, {}) if (at_column + i < {}) partial_sums[at_sums + i] = sums[i];\n",
        batches_, rows_, columns_, lanes_, columns_);
  }

  // Adds up the parts' sums, always in the same order, and finishes them.
  void add_combination(CudaKernelText& out, const std::string& parameters, const std::string& before,
                       const std::string& body, const std::string& sum, std::int64_t parts) {
    const std::string name = cuda_identifier(kernel_.name) + "_combine";
    const std::int64_t across = (columns_ + lanes_ - 1) / lanes_, vectors = batches_ * rows_ * across;
    out.text += "\n" + open_cuda_kernel(256, name, parameters, before);
    out.text += "  const int vector = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);\n";
    out.text += format("  if (vector >= {}) return;\n", vectors);
    out.text +=
        format("  const int at_column = vector % {} * {}, line_of_sums = vector / {};\n", across, lanes_, across);
    out.text += format("  const int at_row = line_of_sums % {}, batch_ = line_of_sums / {};\n", rows_, rows_);
    out.text += format("  {} sums[{}] = {{}};\n", sum, lanes_);
    out.text += format("  for (int part = 0; part < {}; ++part) {{\n", parts);
    out.text +=
        format("    const {}* const from = partial_sums + (std::int64_t(part) * {} + line_of_sums) * {} + at_column;\n",
               sum, batches_ * rows_, columns_);
    out.text +=
        format("    HYP_EACH(i, {}) if (at_column + i < {}) sums[i] = sums[i] + from[i];\n  }}\n", lanes_, columns_);
    out.text += body + "}\n";
    out.entries.push_back(
        {.name = name, .shape = {.grid = {static_cast<unsigned>((vectors + 255) / 256)}, .block = {256}}});
  }

  DType dtype(ValueId id) const { return kernel_.type(id).dtype(); }

  static std::string batch_offset(const Integers& extents, const Integers& strides) {
    std::string out;
    std::int64_t inner = 1;
    for (std::size_t k = extents.size(); k-- > 0; inner *= extents[k]) {
      if (strides[k] != 0) out += format(" + std::int64_t(batch_ / {} % {}) * {}", inner, extents[k], strides[k]);
    }
    return out;
  }

  void read_sizes() {
    const ir::Attributes& a = op_.attributes;
    if (!op_.is("contract")) {
      const ProductSizes sizes = convolution_sizes(a);
      batches_ = sizes.batches, rows_ = sizes.rows, columns_ = sizes.columns, depth_ = sizes.depth;
      return;
    }
    for (std::int64_t extent : a.integers("batch")) batches_ *= extent;
    rows_ = a.integer("rows"), columns_ = a.integer("columns"), depth_ = a.integer("depth");
  }

  std::string windows_text(const std::string& sum) const {
    return format("namespace {}_problem {{\n{}}}\n", cuda_identifier(kernel_.name),
                  convolution_text(op_.attributes, sum, cpp_type(dtype(op_.operands[0])), cpp_type(dtype(op_.operands[1]))));
  }

  // The type of a factor, and the factor of batch `batch_`.
  struct FactorText {
    std::string type, value;
  };
  FactorText factor(std::size_t operand, std::string_view free, std::string_view depth, std::string_view batch,
                    std::int64_t extent) {
    const ir::Attributes& a = op_.attributes;
    const DType type = dtype(op_.operands[operand]);
    const std::int64_t elements = 16 / static_cast<std::int64_t>(byte_size(type));
    bool is_aligned = a.integer(depth) % elements == 0;
    for (std::int64_t stride : a.integers(batch)) is_aligned &= stride % elements == 0;
    const std::string name =
        format("Factor<{}, {}, {}, {}, {}>", cpp_type(type), a.integer(free), a.integer(depth), extent, is_aligned);
    return {name, format("{}{{{}{}}}", name, translator_.name(op_.operands[operand]),
                         batch_offset(a.integers("batch"), a.integers(batch)))};
  }

  // The body, or the store of the sums where there is none. `has_missing`: sums are those of the tensor cores, which
  // read missing elements as zero.
  std::string finish(std::size_t depth, bool has_missing = false) {
    const bool is_dot = op_.is("contract");
    std::string batch = "batch_", row = "at_row", column = "at_column", sums = "sums", out;
    if (has_missing) {
      sums = "sums_of_present";
      out += format("    float {}[{}];\n", sums, lanes_);
      out += format("    sum_present({}_problem::Problem{{{}, {}, 0}}, at_row, at_column, sums, {});\n",
                    cuda_identifier(kernel_.name), translator_.name(op_.operands[0]),
                    translator_.name(op_.operands[1]), sums);
    }
    // Every vector is whole where the columns are a multiple of it.
    const bool is_whole = columns_ % lanes_ == 0;
    if (!is_whole) out += format("    const int valid = {} - at_column;\n", columns_);
    if (!is_dot) {
      out += format("    const int line = at_row / {0}, in_line = at_row % {0}, channel = batch_ * {1} + at_column;\n",
                    op_.attributes.integers("width")[0], columns_);
      batch = "line", row = "in_line", column = "channel";
    }
    if (op_.blocks.empty()) {
      const ValueId to = op_.operands[2];
      if (is_dot) {
        out += format("    const std::int64_t at = (std::int64_t(batch_) * {} + at_row) * {} + at_column;\n", rows_,
                      columns_) +
               (is_whole ? "" : "    constexpr std::int64_t stride = 1;\n");
      } else {
        const Integers &o = op_.attributes.integers("output"), &h = op_.attributes.integers("height");
        out += format(
            "    const std::int64_t at = line / {} * {}ll + batch_ * {}ll + line % {} * {}ll + in_line * {}ll + "
            "at_column * {}ll, stride = {};\n",
            h[0], o[0], o[1], h[0], o[2], o[3], o[4], o[4]);
      }
      if (is_dot ? is_whole : stores_vectors()) {
        return out + format("    {0} results[{1}];\n    HYP_EACH(i, {1}) results[i] = cast<{0}>({3}[i]);\n"
                            "    store<1, {1}>(results, {2} + at, 0);\n",
                            cpp_type(dtype(to)), lanes_, translator_.name(to), sums);
      }
      return out + format("    HYP_EACH(i, {}) {}{}[at + i * stride] = cast<{}>({}[i]);\n", lanes_,
                          is_whole ? "" : "if (i < valid) ", translator_.name(to), cpp_type(dtype(to)), sums);
    }
    const auto& arguments = kernel_.block(op_.blocks[0]).arguments;
    translator_.define_name(arguments[0], sums);
    translator_.define_name(arguments[1], batch);
    translator_.define_name(arguments[2], row);
    translator_.define_name(arguments[3], column);
    return out + translator_.translate_body(op_.blocks[0], is_whole ? "" : "valid", depth);
  }

  // Whether each vector of a convolution's sums is whole, and goes to one aligned place.
  bool stores_vectors() const {
    const Integers& strides = op_.attributes.integers("output");  // the channels' is the last
    return columns_ % lanes_ == 0 && strides.back() == 1 &&
           std::all_of(strides.begin(), strides.end() - 1, [&](std::int64_t stride) { return stride % lanes_ == 0; });
  }

  const ir::Function& kernel_;
  const Op& op_;
  const CudaTarget& target_;
  ScheduleTable& schedules_;
  const int lanes_;
  CudaKernelTranslator translator_;
  std::int64_t batches_ = 1, rows_ = 1, columns_ = 1, depth_ = 0;
};

}  // namespace

StatusOr<CudaKernelText> emit_cuda_contraction(const ir::Function& kernel, const Op& anchor, const CudaTarget& target,
                                               CppScalarFunctions& scalars, ScheduleTable& schedules) {
  return ContractionEmitter(kernel, anchor, target, scalars, schedules).emit();
}

}  // namespace hyperion::codegen

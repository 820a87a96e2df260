#include "codegen/cuda/emit_contraction.hpp"

#include <algorithm>

#include "codegen/cuda/kernel_translator.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

using ir::Integers;
using ir::Op;
using ir::ValueId;

// Squares of 64 rows and 16 vectors of columns that a block sums.
struct TileShape {
  int row_groups = 1, column_groups = 1, depth = 16;
};

// Large blocks read each factor fewer times; small ones keep more processors busy.
TileShape choose_tile(std::int64_t batches, std::int64_t rows, std::int64_t columns, int lanes, const CudaTarget& target) {
  const auto blocks = [&](int row_groups, int column_groups) {
    const std::int64_t height = 64 * row_groups, width = 16 * lanes * column_groups;
    return batches * ((rows + height - 1) / height) * ((columns + width - 1) / width);
  };
  if (blocks(2, 2) >= target.multiprocessors) return {2, 2, 8};
  return {1, 1, 16};
}

class ContractionEmitter {
 public:
  ContractionEmitter(const ir::Function& kernel, const Op& op, const CudaTarget& target, CppScalarFunctions& scalars, bool aligned)
      : kernel_(kernel), op_(op), target_(target), lanes_(static_cast<int>(op.attributes.integer("lanes"))),
        translator_(kernel, {.threads = 1, .chunk = lanes_}, scalars, aligned) {}

  StatusOr<CudaKernelText> emit() {
    std::vector<std::string> parameters;
    for (std::size_t k = 0; k < kernel_.parameters().size(); ++k) parameters.push_back(translator_.parameter(k, true));
    const std::string sum = cpp_type(accumulation_dtype(dtype(op_.operands[0])));
    const bool is_dot = op_.is("contract");
    const std::string problem = is_dot ? contraction(sum) : convolution(sum);
    // Values that do not depend on the sums stand in front.
    const std::string before = translator_.translate(kernel_.body(), {}, 1);
    const TileShape tile = choose_tile(batches_, rows_, columns_, lanes_, target_);
    const std::string tile_type = format("FmaTile<{}, {}, {}, {}>", tile.row_groups, tile.column_groups, tile.depth, lanes_);
    const int height = 64 * tile.row_groups, width = 16 * lanes_ * tile.column_groups;
    const std::int64_t down = (rows_ + height - 1) / height, across = (columns_ + width - 1) / width;
    const std::string body = finish();
    if (!translator_.refused().empty()) return error_status(Code::unimplemented, translator_.refused(), "@" + kernel_.name);

    CudaKernelText out;
    const std::string identifier = cuda_identifier(kernel_.name);
    out.text = format("\nnamespace {} {{\n{}}}\n", identifier + "_problem", problem);
    out.text += format("extern \"C\" __global__ void __launch_bounds__(256) {}({}) {{\n{}", identifier,
                       fmt::join(parameters, ", "), before);
    out.text += "  constexpr int thread = 0;\n";
    // Blocks that run together share rows of both factors: eight block rows at a time.
    out.text += format("  const int batch_{0} = static_cast<int>(blockIdx.x) / {1}, place = static_cast<int>(blockIdx.x) % {1};\n",
                       "", down * across);
    out.text += format("  const int band = place / {}, high = min(8, {} - band * 8);\n", 8 * across, down);
    out.text += format("  const int first_row = (band * 8 + place % {} % high) * {}, first_column = place % {} / high * {};\n",
                       8 * across, height, 8 * across, width);
    out.text += format("  const {}_problem::Problem problem{{{}, {}, batch_}};\n", identifier, translator_.name(op_.operands[0]),
                       translator_.name(op_.operands[1]));
    out.text += format("  contract_fma<{}_problem::Problem, {}>(problem, first_row, first_column, [&](const {} (&sums)[{}], int at_row, int at_column) {{\n"
                       "    if (at_row >= {} || at_column >= {}) return;\n{}  }});\n}}\n",
                       identifier, tile_type, sum, lanes_, rows_, columns_, body);
    out.entry.name = identifier;
    out.entry.shape = {.grid = {static_cast<unsigned>(batches_ * down * across)}, .block = {256}};
    for (std::uint32_t k = 0; k < kernel_.parameters().size(); ++k) out.entry.parameters.push_back(runtime::cuda::BufferParameter{k});
    return out;
  }

 private:
  DType dtype(ValueId id) const { return kernel_.type(id).dtype(); }

  static std::string batch_offset(const Integers& extents, const Integers& strides) {
    std::string out;
    std::int64_t inner = 1;
    for (std::size_t k = extents.size(); k-- > 0; inner *= extents[k]) {
      if (strides[k] != 0) out += format(" + std::int64_t(batch / {} % {}) * {}", inner, extents[k], strides[k]);
    }
    return out;
  }

  std::string contraction(const std::string& sum) {
    const ir::Attributes& a = op_.attributes;
    for (std::int64_t extent : a.integers("batch")) batches_ *= extent;
    rows_ = a.integer("rows"), columns_ = a.integer("columns");
    const std::int64_t lhs_row = a.integer("lhs_row"), lhs_depth = a.integer("lhs_depth");
    const std::int64_t rhs_depth = a.integer("rhs_depth"), rhs_column = a.integer("rhs_column");
    std::string out = format("struct Problem {{\n  using Sum = {};\n  static constexpr int kDepth = {};\n", sum, a.integer("depth"));
    out += format("  static constexpr bool kLhsAlongDepth = {}, kRhsAlongDepth = {};\n", lhs_depth == 1 && lhs_row != 1,
                  rhs_depth == 1 && rhs_column != 1);
    out += format("  const {}* lhs_buffer;\n  const {}* rhs_buffer;\n", cpp_type(dtype(op_.operands[0])), cpp_type(dtype(op_.operands[1])));
    out += format("  Problem(const {}* x, const {}* y, [[maybe_unused]] int batch)\n      : lhs_buffer(x{}), rhs_buffer(y{}) {{}}\n",
                  cpp_type(dtype(op_.operands[0])), cpp_type(dtype(op_.operands[1])),
                  batch_offset(a.integers("batch"), a.integers("lhs_batch")), batch_offset(a.integers("batch"), a.integers("rhs_batch")));
    out += format("  Sum lhs(int row, int k) const {{\n    return row < {} ? Sum(lhs_buffer[std::int64_t(row) * {} + std::int64_t(k) * {}]) : Sum(0);\n  }}\n",
                  rows_, lhs_row, lhs_depth);
    out += format("  Sum rhs(int k, int column) const {{\n    return column < {} ? Sum(rhs_buffer[std::int64_t(k) * {} + std::int64_t(column) * {}]) : Sum(0);\n  }}\n}};\n",
                  columns_, rhs_depth, rhs_column);
    return out;
  }

  std::string convolution(const std::string&) { return {}; }

  // The body, or the store of the sums where there is none.
  std::string finish() {
    std::string out = format("    const int valid = {} - at_column;\n", columns_);
    if (op_.blocks.empty()) {
      const ValueId to = op_.operands[2];
      out += format("    const std::int64_t at = (std::int64_t(batch_) * {} + at_row) * {} + at_column;\n", rows_, columns_);
      return out + format("    HYP_EACH(i, {}) if (i < valid) {}[at + i] = cast<{}>(sums[i]);\n", lanes_, translator_.name(to), cpp_type(dtype(to)));
    }
    const auto& arguments = kernel_.block(op_.blocks[0]).arguments;
    translator_.define_name(arguments[0], "sums");
    translator_.define_name(arguments[1], "batch_");
    translator_.define_name(arguments[2], "at_row");
    translator_.define_name(arguments[3], "at_column");
    return out + translator_.translate_body(op_.blocks[0], "valid", 2);
  }

  const ir::Function& kernel_;
  const Op& op_;
  const CudaTarget& target_;
  const int lanes_;
  CudaKernelTranslator translator_;
  std::int64_t batches_ = 1, rows_ = 1, columns_ = 1;
};

}  // namespace

StatusOr<CudaKernelText> emit_cuda_contraction(const ir::Function& kernel, const Op& anchor, const CudaTarget& target,
                                               CppScalarFunctions& scalars, bool aligned) {
  return ContractionEmitter(kernel, anchor, target, scalars, aligned).emit();
}

}  // namespace hyperion::codegen

#include "codegen/cuda/staged_body.hpp"

#include <array>

#include "ir/logic/scalar_program.hpp"
#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

using ir::Op;
using ir::OpId;
using ir::ValueId;

// Instructions for an element, of 192 in a thread, that the instruction cache still holds when they are written out.
constexpr std::size_t kLongBody = 24;

// constant + batch, row and column times their strides.
struct Place {
  std::int64_t constant = 0;
  std::array<std::int64_t, 3> strides{};
};

std::optional<std::int64_t> constant_of(const ir::Function& kernel, ValueId id) {
  const Op* op = kernel.producer(id);
  if (op == nullptr || !op->is("constant")) return std::nullopt;
  const Literal& value = *op->attributes.literal("value");
  if (!value.is_splat() || value.type().dtype() != DType::i64) return std::nullopt;
  return element_to_integer(DType::i64, value.stored_bytes().data());
}

// The places of a body, in its order: sums of its arguments.
class Places {
 public:
  Places(const ir::Function& kernel, const Op& anchor) : kernel_(kernel) {
    const auto& arguments = kernel.block(anchor.blocks[0]).arguments;
    for (std::size_t k = 0; k < 3; ++k) known_[arguments[k + 1]].strides[k] = 1;
  }

  void visit(const Op& op) {
    Place sum{.constant = op.attributes.integer("constant")};
    const ir::Integers& coefficients = op.attributes.integers("coefficients");
    for (std::size_t k = 0; k < coefficients.size(); ++k) {
      const std::optional<Place> term = of(op.operands[k]);
      if (!term) return;
      sum.constant += coefficients[k] * term->constant;
      for (std::size_t d = 0; d < 3; ++d) sum.strides[d] += coefficients[k] * term->strides[d];
    }
    known_[op.results[0]] = sum;
  }

  std::optional<Place> of(ValueId id) const {
    if (const auto found = known_.find(id); found != known_.end()) return found->second;
    if (const auto constant = constant_of(kernel_, id)) return Place{.constant = *constant};
    return std::nullopt;
  }

 private:
  const ir::Function& kernel_;
  std::map<ValueId, Place> known_;
};

// Instructions for an element, roughly: primitives.
std::size_t length_of(const ir::Function& kernel, const Op& op) {
  if (!op.definition->is_elementwise) return 1;
  std::vector<DType> dtypes;
  for (ValueId operand : op.operands) dtypes.push_back(kernel.type(operand).dtype());
  const std::int64_t immediate = op.is("compare") ? ir::ops::comparison_code(op.attributes.text("direction")) : 0;
  return ir::scalar_program(*op.definition, dtypes, kernel.type(op.results[0]).dtype(), immediate).instructions.size();
}

// What the body is told: batch, row and column, of contract as they are; of convolve a line of the output, a place in it
// and a channel. `stored`: where the sums go if there is no body.
struct Product {
  bool is_windows = false;
  std::int64_t batches = 1, rows = 1, columns = 1;
  Place stored;
};

std::optional<Product> product_of(const Op& op) {
  if (op.is("contract")) {
    const ir::Integers& batch = op.attributes.integers("batch");
    if (batch.size() > 1) return std::nullopt;
    Product out{.batches = batch.empty() ? 1 : batch[0],
                .rows = op.attributes.integer("rows"),
                .columns = op.attributes.integer("columns")};
    out.stored.strides = {out.rows * out.columns, out.columns, 1};
    return out;
  }
  const ir::Integers &extents = op.attributes.integers("extents"), &output = op.attributes.integers("output");
  const std::int64_t height = op.attributes.integers("height")[0];
  // Lines of one image follow each other as images do.
  if (extents[1] != 1 || (extents[0] > 1 && output[0] != height * output[2])) return std::nullopt;
  Product out{.is_windows = true,
              .batches = extents[0] * height,
              .rows = op.attributes.integers("width")[0],
              .columns = extents[3]};
  out.stored.strides = {height > 1 ? output[2] : output[0], output[3], output[4]};
  return out;
}

// Places of windows are rows of one matrix: what is at the end of a line is followed by the next line.
bool set_strides(StagedResult& out, const Product& product, const Place& place) {
  if (place.constant != 0 || place.strides[2] != 1) return false;
  out.batch_stride = place.strides[0], out.row_stride = place.strides[1];
  if (!product.is_windows) return true;
  if (product.rows == 1) out.row_stride = place.strides[0];
  else if (product.batches > 1 && place.strides[0] != product.rows * place.strides[1]) return false;
  out.batch_stride = 0;
  return true;
}

bool is_storable(const StagedResult& result, std::int64_t batches) {
  constexpr std::int64_t kLineElements = 8;  // of 16 bits
  if (result.dtype != DType::bf16 && result.dtype != DType::f16) return false;
  if (result.row_stride <= 0 || result.row_stride % kLineElements != 0) return false;
  return batches == 1 || (result.batch_stride > 0 && result.batch_stride % kLineElements == 0);
}

}  // namespace

bool has_long_body(const ir::Function& kernel, const Op& op) {
  if (op.blocks.empty()) return false;
  std::size_t length = 0;
  for (OpId id : kernel.ops_of(op.blocks[0])) {
    const Op& step = kernel.op(id);
    if (!step.results.empty() && kernel.type(step.results[0]).rank() == 1) length += length_of(kernel, step);
  }
  return length > kLongBody;
}

std::optional<StagedResult> stage_body(const ir::Function& kernel, const Op& op,
                                       const CudaKernelTranslator& translator) {
  const std::optional<Product> product = product_of(op);
  // The last vector of a line is whole, as the others are.
  if (!product || product->columns % 4 != 0) return std::nullopt;
  const std::int64_t batches = product->is_windows ? 1 : product->batches;
  StagedResult out;
  const auto set_target = [&](ValueId buffer) {
    out.buffer = static_cast<int>(kernel.value(buffer).result_index);
    out.dtype = kernel.type(buffer).dtype();
  };
  if (op.blocks.empty()) {
    set_target(op.operands[2]);
    const Place place = product->stored;
    if (!set_strides(out, *product, place) || !is_storable(out, batches)) return std::nullopt;
    out.finish = format("    word = rounded_pair<{}>(sums);\n", cpp_type(out.dtype));
    return out;
  }
  Places places(kernel, op);
  const Op* store = nullptr;
  for (OpId id : kernel.ops_of(op.blocks[0])) {
    const Op& step = kernel.op(id);
    if (step.is("affine") && kernel.type(step.results[0]).rank() == 0) {
      places.visit(step);
    } else if (step.is("store")) {
      if (store != nullptr || step.operands.size() > 3) return std::nullopt;
      store = &step;
    } else if (step.is("load")) {
      out.reads = true;
    } else if (!step.blocks.empty() || step.is("reduce") || step.is("reduce_columns") || step.is("transpose_lanes")) {
      return std::nullopt;
    }
  }
  if (store == nullptr || kernel.type(store->operands[0]).rank() != 1) return std::nullopt;
  const std::optional<Place> place = places.of(store->operands[2]);
  if (!place || !set_strides(out, *product, *place)) return std::nullopt;
  set_target(store->operands[1]);
  if (!is_storable(out, batches)) return std::nullopt;
  out.is_long = has_long_body(kernel, op);
  if (product->is_windows) {
    out.finish = format("      const int line = at_row / {0}, in_line = at_row % {0};\n", product->rows);
    out.finish += translator.for_pairs().translate_staged(op.blocks[0], {"line", "in_line", "at_column"}, 6);
  } else {
    out.finish = translator.for_pairs().translate_staged(op.blocks[0], {"batch_", "at_row", "at_column"}, 6);
  }
  return out;
}

}  // namespace hyperion::codegen

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
  const ir::Integers& batch = op.attributes.integers("batch");
  const std::int64_t rows = op.attributes.integer("rows"), columns = op.attributes.integer("columns"),
                     batches = batch.empty() ? 1 : batch[0];
  // The last vector of a line is whole, as the others are.
  if (batch.size() > 1 || columns % 4 != 0) return std::nullopt;
  StagedResult out;
  const auto set_target = [&](ValueId buffer) {
    out.buffer = static_cast<int>(kernel.value(buffer).result_index);
    out.dtype = kernel.type(buffer).dtype();
  };
  if (op.blocks.empty()) {
    set_target(op.operands[2]);
    out.row_stride = columns, out.batch_stride = rows * columns;
    if (!is_storable(out, batches)) return std::nullopt;
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
  if (!place || place->constant != 0 || place->strides[2] != 1) return std::nullopt;
  set_target(store->operands[1]);
  out.batch_stride = place->strides[0], out.row_stride = place->strides[1];
  if (!is_storable(out, batches)) return std::nullopt;
  out.is_long = has_long_body(kernel, op);
  out.finish = translator.for_pairs().translate_staged(op.blocks[0], 6);
  return out;
}

}  // namespace hyperion::codegen

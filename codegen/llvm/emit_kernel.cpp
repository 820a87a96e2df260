#include "codegen/llvm/emit_kernel.hpp"

#include <array>
#include <cstring>
#include <map>

#include "codegen/llvm/contraction_convolution.hpp"
#include "codegen/llvm/emit_primitive.hpp"
#include "ir/contraction_blocks.hpp"
#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"
#include "llvm/IR/IntrinsicsX86.h"

namespace hyperion::codegen {
namespace {

using ir::BlockId;
using ir::Op;
using ir::OpId;
using ir::ValueId;
using llvm::Value;

constexpr std::int64_t kScratchAlignment = 64;
constexpr std::uint64_t kCacheLine = 64;

bool is_anchor(const Op& op) { return op.is("contract") || op.is("convolve"); }

// Translates the ops of blocks. The same class serves whole kernels and the epilogue of a contraction, which differ in
// where buffers and masks come from.
class BlockEmitter {
 public:
  BlockEmitter(const ir::Function& kernel, llvm::IRBuilderBase& b) : kernel_(kernel), b_(b) {}

  void set(ValueId id, Value* value) { values_[id] = value; }
  void set_tile_range(Value* begin, Value* end) { tile_begin_ = begin, tile_end_ = end; }
  void set_scratch(Value* scratch) { scratch_ = scratch; }
  void set_implicit_mask(Value* mask) { implicit_mask_ = mask; }
  std::int64_t scratch_bytes() const { return scratch_bytes_; }
  bool has_streaming_stores() const { return has_streaming_stores_; }

  // Emits the ops of a block; returns the operands of its terminator.
  std::vector<Value*> emit_block(BlockId block) {
    for (OpId id : kernel_.ops_of(block)) {
      const Op& op = kernel_.op(id);
      if (op.is("yield") || op.is("return")) return operands(op);
      if (is_anchor(op)) continue;  // its body is emitted on its own, after what stands around it
      emit_op(op);
    }
    return {};
  }

 private:
  std::vector<Value*> operands(const Op& op) {
    std::vector<Value*> out;
    for (ValueId id : op.operands) out.push_back(values_.at(id));
    return out;
  }

  void emit_op(const Op& op) {
    using Translate = void (BlockEmitter::*)(const Op&);
    static const std::map<std::string_view, Translate> translations = {
        {"for", &BlockEmitter::emit_for},           {"load", &BlockEmitter::emit_load},
        {"store", &BlockEmitter::emit_store},       {"affine", &BlockEmitter::emit_affine},
        {"scratch", &BlockEmitter::emit_scratch},   {"constant", &BlockEmitter::emit_constant},
        {"broadcast", &BlockEmitter::emit_splat},   {"reduce", &BlockEmitter::emit_lane_reduction},
        {"transpose_lanes", &BlockEmitter::emit_transpose_lanes},
    };
    const auto found = translations.find(op.name());
    if (found != translations.end()) return (this->*found->second)(op);
    HYP_CHECK(op.definition->is_elementwise, format("op '{}' cannot stand in a kernel", op.name()));
    emit_elementwise(op);
  }

  void result(const Op& op, Value* value) { values_[op.results[0]] = value; }
  Value* operand(const Op& op, int k) { return values_.at(op.operands[static_cast<std::size_t>(k)]); }
  DType dtype(ValueId id) const { return kernel_.type(id).dtype(); }
  static std::int64_t lanes(Type type) { return type.rank() == 0 ? 0 : type.dim(0).value(); }
  Value* splat(Value* value, std::int64_t lanes) {
    if (lanes == 0 || value->getType()->isVectorTy()) return value;
    return b_.CreateVectorSplat(static_cast<unsigned>(lanes), value);
  }

  void emit_elementwise(const Op& op) {
    std::vector<DType> dtypes;
    for (ValueId id : op.operands) dtypes.push_back(dtype(id));
    std::int64_t immediate = 0;
    if (op.definition->primitive == ir::Primitive::compare) {
      immediate = ir::ops::comparison_code(op.attributes.text("direction"));
    }
    const ir::ScalarProgram& program = ir::scalar_program(*op.definition, dtypes, dtype(op.results[0]), immediate);
    result(op, emit_scalar_program(b_, program, operands(op)));
  }

  void emit_constant(const Op& op) {
    const Literal& literal = *op.attributes.literal("value");
    const Type type = literal.type();
    const auto element = [&](std::int64_t i) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, literal.element(i).data(), byte_size(type.dtype()));
      return element_constant(b_.getContext(), type.dtype(), bits);
    };
    if (type.rank() == 0) return result(op, element(0));
    std::vector<llvm::Constant*> elements;
    for (std::int64_t i = 0; i < type.element_count(); ++i) elements.push_back(element(i));
    result(op, llvm::ConstantVector::get(elements));
  }

  void emit_splat(const Op& op) { result(op, splat(operand(op, 0), lanes(kernel_.type(op.results[0])))); }

  void emit_affine(const Op& op) {
    const std::int64_t width = lanes(kernel_.type(op.results[0]));
    const ir::Integers& coefficients = op.attributes.integers("coefficients");
    const std::int64_t constant = op.attributes.integer("constant");
    // Scalars are summed first, so that only one of them is spread over the lanes.
    Value* scalar = constant == 0 ? nullptr : b_.getInt64(static_cast<std::uint64_t>(constant));
    Value* vector = nullptr;
    for (std::size_t k = 0; k < coefficients.size(); ++k) {
      Value* x = operand(op, static_cast<int>(k));
      if (coefficients[k] != 1) {
        x = b_.CreateMul(x, llvm::ConstantInt::getSigned(x->getType(), coefficients[k]));
      }
      Value*& sum = x->getType()->isVectorTy() ? vector : scalar;
      sum = sum == nullptr ? x : b_.CreateAdd(sum, x);
    }
    if (scalar == nullptr) scalar = vector == nullptr ? b_.getInt64(0) : nullptr;
    if (vector == nullptr) return result(op, splat(scalar, width));
    result(op, scalar == nullptr ? vector : b_.CreateAdd(splat(scalar, width), vector));
  }

  void emit_scratch(const Op& op) {
    const Type type = kernel_.type(op.results[0]);
    result(op, b_.CreateConstInBoundsGEP1_64(b_.getInt8Ty(), scratch_, static_cast<std::uint64_t>(scratch_bytes_)));
    scratch_bytes_ += (static_cast<std::int64_t>(type.bytes()) + kScratchAlignment - 1) / kScratchAlignment *
                      kScratchAlignment;
  }

  // ---- memory -------------------------------------------------------------------------------------------------

  Value* mask_for(const Op& op, std::size_t position, std::int64_t width) {
    Value* mask = position < op.operands.size() ? values_.at(op.operands[position]) : nullptr;
    if (width == 0 || implicit_mask_ == nullptr) return mask;
    return mask == nullptr ? implicit_mask_ : b_.CreateAnd(mask, implicit_mask_);
  }

  // Memory holds bool as a byte, and the 16-bit floats as their bits.
  Value* to_register(DType dtype, Value* memory, std::int64_t width) {
    if (is_boolean(dtype)) return b_.CreateICmpNE(memory, llvm::Constant::getNullValue(memory->getType()));
    return b_.CreateBitCast(memory, register_type(b_.getContext(), dtype, width));
  }
  Value* to_memory(DType dtype, Value* value, std::int64_t width) {
    llvm::Type* type = element_type(b_.getContext(), dtype);
    if (width != 0) type = llvm::FixedVectorType::get(type, static_cast<unsigned>(width));
    return is_boolean(dtype) ? b_.CreateZExt(value, type) : b_.CreateBitCast(value, type);
  }

  void emit_load(const Op& op) {
    const DType type = dtype(op.operands[0]);
    const std::int64_t width = op.attributes.integer("lanes");
    llvm::Type* element = element_type(b_.getContext(), type);
    const llvm::Align align(byte_size(type));
    Value* offset = operand(op, 1);
    Value* pointer = b_.CreateGEP(element, operand(op, 0), offset);
    Value* mask = mask_for(op, 2, width);
    if (width == 0) {
      HYP_CHECK(mask == nullptr, "masked loads of one element are written as clamped loads");
      return result(op, to_register(type, b_.CreateAlignedLoad(element, pointer, align), width));
    }
    llvm::Type* vector = llvm::FixedVectorType::get(element, static_cast<unsigned>(width));
    Value* zero = llvm::Constant::getNullValue(vector);
    Value* loaded;
    if (offset->getType()->isVectorTy()) {
      loaded = b_.CreateMaskedGather(vector, pointer, align, mask, zero);
    } else if (mask != nullptr) {
      loaded = b_.CreateMaskedLoad(vector, pointer, align, mask, zero);
    } else {
      loaded = b_.CreateAlignedLoad(vector, pointer, align);
    }
    result(op, to_register(type, loaded, width));
  }

  void emit_store(const Op& op) {
    const DType type = dtype(op.operands[1]);
    const std::int64_t width = lanes(kernel_.type(op.operands[0]));
    llvm::Type* element = element_type(b_.getContext(), type);
    Value* value = to_memory(type, operand(op, 0), width);
    const llvm::Align align(byte_size(type));
    Value* offset = operand(op, 2);
    Value* pointer = b_.CreateGEP(element, operand(op, 1), offset);
    Value* mask = mask_for(op, 3, width);
    if (offset->getType()->isVectorTy()) {
      b_.CreateMaskedScatter(value, pointer, align, mask);
    } else if (mask != nullptr && width != 0) {
      b_.CreateMaskedStore(value, pointer, align, mask);
    } else if (op.attributes.boolean("streaming")) {
      llvm::StoreInst* store = b_.CreateAlignedStore(value, pointer, llvm::Align(kCacheLine));
      llvm::LLVMContext& context = b_.getContext();
      store->setMetadata(llvm::LLVMContext::MD_nontemporal,
                         llvm::MDNode::get(context, llvm::ConstantAsMetadata::get(b_.getInt32(1))));
      has_streaming_stores_ = true;
    } else {
      b_.CreateAlignedStore(value, pointer, align);
    }
  }

  // ---- loops and reductions -----------------------------------------------------------------------------------

  void emit_for(const Op& op) {
    Value* begin = operand(op, 0);
    Value* end = operand(op, 1);
    if (op.attributes.boolean("parallel") && tile_begin_ != nullptr) {
      begin = tile_begin_;
      end = tile_end_;
    }
    llvm::Function* function = b_.GetInsertBlock()->getParent();
    llvm::LLVMContext& context = b_.getContext();
    llvm::BasicBlock* before = b_.GetInsertBlock();
    llvm::BasicBlock* body = llvm::BasicBlock::Create(context, "body", function);
    llvm::BasicBlock* after = llvm::BasicBlock::Create(context, "after", function);
    b_.CreateCondBr(b_.CreateICmpSLT(begin, end), body, after);
    b_.SetInsertPoint(body);
    const ir::Block& block = kernel_.block(op.blocks[0]);
    std::vector<llvm::PHINode*> phis;
    for (std::size_t k = 0; k < block.arguments.size(); ++k) {
      Value* initial = k == 0 ? begin : operand(op, static_cast<int>(k) + 1);
      llvm::PHINode* phi = b_.CreatePHI(initial->getType(), 2);
      phi->addIncoming(initial, before);
      values_[block.arguments[k]] = phi;
      phis.push_back(phi);
    }
    const std::vector<Value*> next = emit_block(op.blocks[0]);
    Value* next_index = b_.CreateNSWAdd(phis[0], b_.getInt64(static_cast<std::uint64_t>(op.attributes.integer("step"))));
    llvm::BasicBlock* latch = b_.GetInsertBlock();
    b_.CreateCondBr(b_.CreateICmpSLT(next_index, end), body, after);
    phis[0]->addIncoming(next_index, latch);
    for (std::size_t k = 0; k < next.size(); ++k) phis[k + 1]->addIncoming(next[k], latch);
    b_.SetInsertPoint(after);
    for (std::size_t k = 0; k < op.results.size(); ++k) {
      llvm::PHINode* phi = b_.CreatePHI(next[k]->getType(), 2);
      phi->addIncoming(operand(op, static_cast<int>(k) + 2), before);
      phi->addIncoming(next[k], latch);
      values_[op.results[k]] = phi;
    }
  }

  // The halving tree of Order::lanes.
  void emit_lane_reduction(const Op& op) {
    const ir::Monoid monoid = *ir::parse_monoid(op.attributes.text("kind"));
    const DType type = dtype(op.results[0]);
    Value* x = operand(op, 0);
    for (std::int64_t half = lanes(kernel_.type(op.operands[0])) / 2; half > 0; half /= 2) {
      std::vector<int> low, high;
      for (std::int64_t i = 0; i < half; ++i) {
        low.push_back(static_cast<int>(i));
        high.push_back(static_cast<int>(i + half));
      }
      const std::array<Value*, 2> halves = {b_.CreateShuffleVector(x, low), b_.CreateShuffleVector(x, high)};
      x = emit_primitive(b_, ir::combine_op(monoid).primitive, type, type, halves, 0);
    }
    result(op, b_.CreateExtractElement(x, std::uint64_t{0}));
  }

  // Exchanges, for each bit of a position, the vectors with that bit unset for the lanes with that bit set.
  void emit_transpose_lanes(const Op& op) {
    std::vector<Value*> rows = operands(op);
    const auto count = static_cast<int>(rows.size());
    for (int bit = count / 2; bit > 0; bit /= 2) {
      std::vector<int> low, high;
      for (int lane = 0; lane < count; ++lane) {
        const bool is_high = (lane & bit) != 0;
        low.push_back(is_high ? count + lane - bit : lane);
        high.push_back(is_high ? count + lane : lane + bit);
      }
      for (int row = 0; row < count; ++row) {
        if ((row & bit) != 0) continue;
        Value *&a = rows[static_cast<std::size_t>(row)], *&b = rows[static_cast<std::size_t>(row + bit)];
        Value* mixed = b_.CreateShuffleVector(a, b, low);
        b = b_.CreateShuffleVector(a, b, high);
        a = mixed;
      }
    }
    for (std::size_t k = 0; k < rows.size(); ++k) values_[op.results[k]] = rows[k];
  }

  const ir::Function& kernel_;
  llvm::IRBuilderBase& b_;
  std::map<ValueId, Value*> values_;
  Value* tile_begin_ = nullptr;
  Value* tile_end_ = nullptr;
  Value* scratch_ = nullptr;
  Value* implicit_mask_ = nullptr;
  std::int64_t scratch_bytes_ = 0;
  bool has_streaming_stores_ = false;
};

Value* buffer_pointer(llvm::IRBuilderBase& b, Value* table, std::size_t index) {
  Value* slot = b.CreateConstInBoundsGEP1_64(b.getPtrTy(), table, index);
  return b.CreateAlignedLoad(b.getPtrTy(), slot, llvm::Align(8));
}

EmittedKernel emit_loops(IrModule& unit, const ir::Function& kernel, const std::string& symbol, std::int64_t tiles) {
  llvm::LLVMContext& context = unit.impl().context;
  llvm::IRBuilder<> b(context);
  auto* type = llvm::FunctionType::get(b.getVoidTy(), {b.getPtrTy(), b.getInt64Ty(), b.getInt64Ty(), b.getPtrTy()}, false);
  auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, symbol, unit.impl().module);
  set_function_attributes(*function, unit.target());
  b.SetInsertPoint(llvm::BasicBlock::Create(context, "entry", function));
  BlockEmitter emitter(kernel, b);
  for (std::size_t k = 0; k < kernel.parameters().size(); ++k) {
    emitter.set(kernel.parameters()[k], buffer_pointer(b, function->getArg(0), k));
  }
  emitter.set_tile_range(function->getArg(1), function->getArg(2));
  emitter.set_scratch(function->getArg(3));
  emitter.emit_block(kernel.body());
  // x86 orders streaming stores with nothing but a fence; the one that hands the tile back does not count.
  if (emitter.has_streaming_stores() && unit.target().architecture == Architecture::x86_64) {
    b.CreateIntrinsic(llvm::Intrinsic::x86_sse_sfence, {}, {});
  }
  b.CreateRetVoid();
  return {.launches = {{symbol, tiles, emitter.scratch_bytes()}}, .workspace_bytes = 0, .schedule = {}};
}

// ---- contractions ---------------------------------------------------------------------------------------------

int buffer_of(const ir::Function& kernel, const Op& op, int operand) {
  return static_cast<int>(kernel.value(op.operands[static_cast<std::size_t>(operand)]).result_index);
}

// A stride of an operand that has none, since a map stands for it: any but 1.
constexpr std::int64_t kNotAdjacent = 0;

int first_output(const ir::Function& kernel) {
  for (std::size_t k = 0; k < kernel.parameters().size(); ++k) {
    if (kernel.roles[k] == ir::ParameterRole::out) return static_cast<int>(k);
  }
  HYP_CHECK(false, "a kernel without results");
}

DType output_dtype(const ir::Function& kernel) {
  return kernel.type(kernel.parameters()[static_cast<std::size_t>(first_output(kernel))]).dtype();
}

ContractionSpec contraction_spec(const ir::Function& kernel, const Op& op, const std::string& symbol) {
  const ir::Attributes& a = op.attributes;
  ContractionSpec spec;
  spec.symbol = symbol;
  spec.batch = a.integers("batch");
  spec.rows = a.integer("rows");
  spec.columns = a.integer("columns");
  spec.depth = a.integer("depth");
  const DType sum = ir::contraction_sum_dtype(kernel, op);
  // A map yields sums' elements, and its lanes run along the index whose stride is 1.
  const auto factor = [&](int k, std::string_view map, std::string_view free, std::string_view depth,
                          std::string_view batch) -> ContractionOperand {
    const std::string& lanes = a.text(map);
    const bool along_depth = lanes == "depth";
    ContractionOperand out{.buffer = buffer_of(kernel, op, k), .dtype = sum, .batch = a.integers(batch)};
    if (lanes.empty()) out.dtype = kernel.type(op.operands[static_cast<std::size_t>(k)]).dtype();
    out.free = lanes.empty() ? a.integer(free) : along_depth ? kNotAdjacent : 1;
    out.depth = lanes.empty() ? a.integer(depth) : along_depth ? 1 : kNotAdjacent;
    return out;
  };
  spec.lhs = factor(0, "lhs_map", "lhs_row", "lhs_depth", "lhs_batch");
  spec.rhs = factor(1, "rhs_map", "rhs_column", "rhs_depth", "rhs_batch");
  ContractionOutput output{.buffer = first_output(kernel), .dtype = output_dtype(kernel), .row = spec.columns};
  output.batch.assign(spec.batch.size(), 0);
  std::int64_t stride = spec.rows * spec.columns;
  for (std::size_t k = spec.batch.size(); k-- > 0;) {
    output.batch[k] = stride;
    stride *= spec.batch[k];
  }
  spec.outputs = {output};
  spec.output_may_hold_partials = op.operands.size() > 2 && output.dtype == sum;
  spec.workspace_buffer = static_cast<int>(kernel.parameters().size());
  return spec;
}

ConvolutionSpec convolution_spec(const ir::Function& kernel, const Op& op, const std::string& symbol) {
  const auto list = [&](std::string_view name) -> const ir::Integers& { return op.attributes.integers(name); };
  const auto axis = [](const ir::Integers& a) -> WindowAxis {
    return {.output = a[0], .kernel = a[1], .input = a[2], .stride = a[3], .dilation = a[4], .input_dilation = a[5],
            .padding = a[6], .lhs = a[7], .rhs = a[8]};
  };
  const ir::Integers &extents = list("extents"), &lhs = list("lhs"), &rhs = list("rhs"), &out = list("output");
  const DType sum = ir::contraction_sum_dtype(kernel, op);
  const bool maps_lhs = !op.attributes.text("lhs_map").empty(), maps_rhs = !op.attributes.text("rhs_map").empty();
  const DType lhs_dtype = maps_lhs ? sum : kernel.type(op.operands[0]).dtype();
  const DType rhs_dtype = maps_rhs ? sum : kernel.type(op.operands[1]).dtype();
  ConvolutionSpec spec;
  spec.symbol = symbol;
  spec.batch = extents[0];
  spec.groups = extents[1];
  spec.in_channels = extents[2];
  spec.out_channels = extents[3];
  spec.height = axis(list("height"));
  spec.width = axis(list("width"));
  spec.lhs = {buffer_of(kernel, op, 0), lhs_dtype, lhs[0], lhs[1], lhs[2], lhs[3]};
  spec.rhs = {buffer_of(kernel, op, 1), rhs_dtype, rhs[0], rhs[1], rhs[2], rhs[3]};
  // A map's lanes run along the index whose stride is 1.
  if (maps_lhs) spec.lhs.channel = op.attributes.text("lhs_map") == "depth" ? 1 : kNotAdjacent;
  if (maps_rhs) {
    const bool along_depth = op.attributes.text("rhs_map") == "depth";
    spec.rhs.in_channel = along_depth ? 1 : kNotAdjacent;
    spec.rhs.out_channel = along_depth ? kNotAdjacent : 1;
  }
  spec.outputs = {{first_output(kernel), output_dtype(kernel), out[0], out[1], out[2], out[3], out[4], 0}};
  spec.output_may_hold_partials = op.operands.size() > 2 && output_dtype(kernel) == sum;
  spec.workspace_buffer = static_cast<int>(kernel.parameters().size());
  return spec;
}

// The kernel's buffers, and what its blocks share: whatever depends on no index of theirs.
void emit_surroundings(BlockEmitter& emitter, const ir::Function& kernel, llvm::IRBuilderBase& b, Value* buffers) {
  for (std::size_t k = 0; k < kernel.parameters().size(); ++k) {
    emitter.set(kernel.parameters()[k], buffer_pointer(b, buffers, k));
  }
  emitter.emit_block(kernel.body());
}

// `free_first`: the block is told row and depth; else depth and column.
std::function<Value*(PrologueSite&)> prologue_hook(const ir::Function& kernel, std::optional<BlockId> map,
                                                   bool free_first) {
  if (!map) return {};
  return [&kernel, block = *map, free_first](PrologueSite& site) {
    BlockEmitter emitter(kernel, site.builder);
    emit_surroundings(emitter, kernel, site.builder, site.buffers);
    const std::vector<ValueId>& arguments = kernel.block(block).arguments;
    emitter.set(arguments[0], site.batch);
    emitter.set(arguments[1], free_first ? site.free : site.depth);
    emitter.set(arguments[2], free_first ? site.depth : site.free);
    emitter.set_implicit_mask(site.mask);
    return emitter.emit_block(block)[0];
  };
}

std::function<void(EpilogueSite&)> epilogue_hook(const ir::Function& kernel, std::optional<BlockId> epilogue) {
  if (!epilogue) return {};
  return [&kernel, body = *epilogue](EpilogueSite& site) {
    BlockEmitter emitter(kernel, site.builder);
    emit_surroundings(emitter, kernel, site.builder, site.buffers);
    const std::vector<ValueId>& arguments = kernel.block(body).arguments;
    emitter.set(arguments[0], site.accumulator);
    emitter.set(arguments[1], site.batch);
    emitter.set(arguments[2], site.row);
    emitter.set(arguments[3], site.column);
    emitter.set_implicit_mask(site.mask);
    emitter.emit_block(body);
    for (Value*& value : site.values) value = nullptr;  // the body stored everything itself
  };
}

// The blocks of the op as hooks.
ContractionHooks hooks_of(const ir::Function& kernel, const Op& op) {
  const ir::ContractionBlocks blocks = ir::contraction_blocks(op);
  return {.epilogue = epilogue_hook(kernel, blocks.epilogue),
          .lhs_prologue = prologue_hook(kernel, blocks.lhs_map, /*free_first=*/true),
          .rhs_prologue = prologue_hook(kernel, blocks.rhs_map, /*free_first=*/false)};
}

StatusOr<EmittedKernel> emit_anchor(IrModule& unit, const ir::Function& kernel, const Op& op,
                                    const std::string& symbol, int threads) {
  const ContractionHooks hooks = hooks_of(kernel, op);
  if (op.is("contract")) {
    const ContractionSpec spec = contraction_spec(kernel, op, symbol);
    const ContractionSchedule schedule = choose_schedule(spec, hooks, unit.target(), threads);
    HYP_TRY(const ContractionPlan plan, emit_contraction(unit, spec, hooks, schedule));
    return EmittedKernel{plan.launches, plan.workspace_bytes, schedule.text()};
  }
  const ConvolutionSpec spec = convolution_spec(kernel, op, symbol);
  const ConvolutionSchedule schedule = choose_schedule(spec, hooks, unit.target(), threads);
  HYP_TRY(const ConvolutionPlan plan, emit_convolution(unit, spec, hooks, schedule));
  return EmittedKernel{plan.launches, plan.workspace_bytes, schedule.text()};
}

}  // namespace

StatusOr<EmittedKernel> emit_kernel(IrModule& module, const ir::Function& kernel, const std::string& symbol,
                                    std::int64_t tiles, int threads) {
  for (OpId id : kernel.ops()) {
    const Op& op = kernel.op(id);
    if (is_anchor(op)) return emit_anchor(module, kernel, op, symbol, threads);
  }
  return emit_loops(module, kernel, symbol, tiles);
}

}  // namespace hyperion::codegen

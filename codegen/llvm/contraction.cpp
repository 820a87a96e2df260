#include "codegen/llvm/contraction.hpp"

#include "codegen/llvm/contraction_nest.hpp"
#include "ir/support/check.hpp"

namespace hyperion::codegen {

ContractionEmitter::ContractionEmitter(IrModule& module, DType compute, const ContractionSpec& spec,
                                       const ContractionHooks& hooks,
                                       const ContractionSchedule& schedule)
    : spec_(spec), hooks_(hooks), schedule_(schedule), compute_(compute), e_(module, compute) {
  row_tiles_ = RowTiles::split(spec.rows, schedule_.tile_rows);
  strips_ = divide_up(spec.columns, strip_width());
  const std::int64_t depth = std::max<std::int64_t>(spec.depth, 1);
  depth_block_ = schedule_.depth_block > 0 ? std::min(schedule_.depth_block, depth) : depth;
  depth_blocks_ = divide_up(depth, depth_block_);
  schedule_.block_row_tiles = std::clamp<std::int64_t>(schedule_.block_row_tiles, 1,
                                                       std::max<std::int64_t>(row_tiles_.count, 1));
  schedule_.block_strips =
      std::clamp<std::int64_t>(schedule_.block_strips, 1, std::max<std::int64_t>(strips_, 1));
  batches_ = product(spec.batch);
  const bool shared = std::all_of(spec.rhs.batch.begin(), spec.rhs.batch.end(),
                                  [](std::int64_t stride) { return stride == 0; });
  rhs_batches_ = shared ? 1 : batches_;
  if (hooks.lhs_prologue) schedule_.lhs = LhsPacking::block;
  // Without packing, lanes are loaded side by side.
  if ((hooks.rhs_prologue || spec.rhs.free != 1) && schedule_.rhs == RhsPacking::none) {
    schedule_.rhs = RhsPacking::strip;
  }
  if (schedule_.lhs == LhsPacking::block) {
    packed_lhs_ = PackedLhs::of(e_, spec, schedule_, row_tiles_, depth_block_);
    lhs_scratch_ = packed_lhs_->block_bytes;
  }
  if (schedule_.rhs == RhsPacking::strip) {
    rhs_scratch_ = round_up(depth_block_, e_.lanes) * strip_width() * e_.real_bytes;
  }
  if (is_blocked() && !partials_in_output()) {
    partial_scratch_ =
        schedule_.block_row_tiles * row_tiles_.largest() * partial_layout().row * e_.real_bytes;
  }
}

// Partial sums that rest in scratch: one row after another, a strip wider than the block to keep
// rows apart.
ContractionOutput ContractionEmitter::partial_layout() const {
  if (partials_in_output()) return spec_.outputs[0];
  ContractionOutput layout;
  layout.dtype = compute_;
  layout.row = schedule_.block_strips * strip_width() + e_.lanes;
  return layout;
}

TileShape ContractionEmitter::tile_shape(int rows, bool last_strip) const {
  TileShape shape{rows, schedule_.tile_vectors, e_.lanes, schedule_.tile_vectors};
  if (last_strip) {
    const auto columns = static_cast<int>(spec_.columns - (strips_ - 1) * strip_width());
    shape.vectors = static_cast<int>(divide_up(columns, e_.lanes));
    shape.last_lanes = columns - (shape.vectors - 1) * e_.lanes;
  }
  return shape;
}

DepthStreams ContractionEmitter::streams(bool copies_rhs) const {
  DepthStreams s;
  s.lhs_dtype = packed_lhs_ ? compute_ : spec_.lhs.dtype;
  s.lhs_row =
      packed_lhs_ ? packed_lhs_->row_bytes : spec_.lhs.free * storage_bytes(spec_.lhs.dtype);
  s.lhs_depth =
      packed_lhs_ ? packed_lhs_->depth_bytes : spec_.lhs.depth * storage_bytes(spec_.lhs.dtype);
  s.rhs_is_padded = schedule_.rhs != RhsPacking::none && !copies_rhs;
  s.rhs_dtype = s.rhs_is_padded ? compute_ : spec_.rhs.dtype;
  s.rhs_depth = s.rhs_is_padded ? static_cast<std::int64_t>(strip_width()) * e_.real_bytes
                                : spec_.rhs.depth * storage_bytes(spec_.rhs.dtype);
  return s;
}

// void micro(lhs, rhs, copy, partial, count, batch, row, column, first, last, buffers, out...)
llvm::Function* ContractionEmitter::emit_micro(const TileShape& shape, bool copies_rhs) {
  const llvm::IRBuilderBase::InsertPointGuard guard(e_.b);
  std::vector<llvm::Type*> types = {e_.ptr, e_.ptr, e_.ptr, e_.ptr, e_.i64, e_.i64,
                                    e_.i64, e_.i64, e_.i1,  e_.i1,  e_.ptr};
  types.insert(types.end(), spec_.outputs.size(), e_.ptr);
  llvm::Function* f = e_.begin_function(spec_.symbol + ".micro", types, false);
  llvm::Value* partial = f->getArg(3);
  llvm::Value* first = f->getArg(8);
  llvm::Value* last = f->getArg(9);
  TilePlace place{f->getArg(5), f->getArg(6), f->getArg(7), f->getArg(10)};
  for (std::size_t o = 0; o < spec_.outputs.size(); ++o) {
    place.outputs.push_back(f->getArg(static_cast<unsigned>(11 + o)));
  }
  prefetch_tile(e_, shape, spec_.outputs[0], 1, place.outputs[0], depth_block_);
  const ContractionOutput partials = partial_layout();
  Values acc(static_cast<std::size_t>(shape.rows * shape.vectors), e_.zero_vector());
  const auto load_output = [&] {
    return load_tile(e_, shape, spec_.outputs[0], 1, place.outputs[0]);
  };
  if (spec_.accumulate) acc = is_blocked() ? e_.when(first, acc, load_output) : load_output();
  if (is_blocked()) {
    acc = e_.when(e_.b.CreateNot(first), acc,
                  [&] { return load_tile(e_, shape, partials, 1, partial); });
  }
  if (spec_.depth > 0) {
    DepthLoop loop{f->getArg(0), f->getArg(1), f->getArg(4)};
    if (copies_rhs) loop.copy_to = f->getArg(2);
    loop.known_count = is_blocked() ? 0 : spec_.depth;
    loop.row_end = shape.rows;
    loop.unroll = schedule_.unroll;
    acc = emit_depth_loop(e_, shape, streams(copies_rhs), loop, std::move(acc));
  }
  const auto finish = [&] {
    emit_epilogue(e_, shape, spec_.outputs, hooks_.epilogue, place, acc);
    return Values();
  };
  if (is_blocked()) {
    e_.when(last, {}, finish);
    e_.when(e_.b.CreateNot(last), {}, [&] {
      store_tile(e_, shape, partials, 1, partial, acc);
      return Values();
    });
  } else {
    finish();
  }
  e_.b.CreateRetVoid();
  return f;
}

llvm::Function* ContractionEmitter::micro(bool larger, bool last_strip, bool copies_rhs) {
  llvm::Function*& f = micro_[larger][last_strip][copies_rhs];
  if (f == nullptr) {
    f = emit_micro(tile_shape(static_cast<int>(row_tiles_.base + larger), last_strip), copies_rhs);
  }
  return f;
}

ContractionPlan ContractionEmitter::emit() {
  ContractionPlan plan;
  plan.schedule = schedule_;
  const bool is_empty = row_tiles_.count == 0 || strips_ == 0 || batches_ == 0;
  if (packed_lhs_ && !is_empty)
    pack_lhs_ = emit_pack_lhs(e_, spec_, hooks_, row_tiles_, *packed_lhs_);
  if (schedule_.rhs != RhsPacking::none && !copies_strips() && !is_empty) {
    const std::int64_t rest = spec_.columns % strip_width();
    if (rest == 0 || strips_ > 1) {
      pack_rhs_[0] = emit_pack_rhs(e_, spec_, hooks_, schedule_.tile_vectors, strip_width());
    }
    if (rest != 0) {
      pack_rhs_[1] =
          emit_pack_rhs(e_, spec_, hooks_, schedule_.tile_vectors, static_cast<int>(rest));
    }
  }
  if (schedule_.rhs == RhsPacking::whole && !is_empty && spec_.depth > 0) {
    emit_rhs_packing_launch();
    const std::int64_t tiles = rhs_batches_ * strips_;
    plan.launches.push_back({spec_.symbol + ".pack", tiles, 0, KernelLaunch::Part::pack});
    plan.workspace_bytes = tiles * strip_width() * round_up(spec_.depth, e_.lanes) * e_.real_bytes;
  }
  emit_main();
  const std::int64_t tiles = is_empty ? 0
                                      : batches_ *
                                            divide_up(row_tiles_.count, schedule_.block_row_tiles) *
                                            divide_up(strips_, schedule_.block_strips);
  plan.launches.push_back(
      {spec_.symbol, tiles, round_up(lhs_scratch_ + rhs_scratch_ + partial_scratch_, 64)});
  return plan;
}

ContractionSpec matmul_spec(DType dtype, std::int64_t m, std::int64_t n, std::int64_t k,
                            bool lhs_transposed, bool rhs_transposed) {
  ContractionSpec spec;
  spec.rows = m;
  spec.columns = n;
  spec.depth = k;
  spec.lhs = {0, dtype, lhs_transposed ? 1 : k, lhs_transposed ? m : 1, {}, 0};
  spec.rhs = {1, dtype, rhs_transposed ? k : 1, rhs_transposed ? 1 : n, {}, 0};
  spec.outputs = {{2, dtype, n, 1, {}, 0}};
  spec.output_may_hold_partials = true;
  return spec;
}

StatusOr<ContractionPlan> emit_contraction(IrModule& module, const ContractionSpec& spec,
                                           const ContractionHooks& hooks,
                                           const ContractionSchedule& schedule) {
  HYP_TRY(const DType compute, contraction_compute_type(spec.lhs.dtype, spec.rhs.dtype));
  if (!module.target().has_fma) {
    return error_status(Code::invalid_argument,
                        "this CPU has no fused multiply-add, which contractions are defined by",
                        module.target().cpu);
  }
  HYP_CHECK(!spec.outputs.empty(), "a contraction stores something");
  HYP_CHECK(
      spec.lhs.batch.size() == spec.batch.size() && spec.rhs.batch.size() == spec.batch.size(),
      "one stride for each batch dimension");
  for (const ContractionOutput& output : spec.outputs) {
    HYP_CHECK(output.batch.size() == spec.batch.size(), "one stride for each batch dimension");
  }
  return ContractionEmitter(module, compute, spec, hooks, schedule).emit();
}

}  // namespace hyperion::codegen

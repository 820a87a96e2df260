#include "codegen/llvm/contraction_convolution.hpp"

#include "codegen/llvm/contraction_convolution_nest.hpp"
#include "ir/support/check.hpp"

namespace hyperion::codegen {

ConvolutionEmitter::ConvolutionEmitter(IrModule& module, DType compute, const ConvolutionSpec& spec,
                                       const ContractionHooks& hooks,
                                       const ConvolutionSchedule& schedule)
    : spec_(spec), hooks_(hooks), schedule_(schedule), e_(module, compute) {
  strips_ = divide_up(spec.out_channels, strip_width());
  if (spec.rhs.out_channel != 1 || hooks.rhs_prologue) schedule_.pack_weights = true;
  schedule_.block_rows = std::clamp<std::int64_t>(schedule_.block_rows, 1,
                                                  std::max<std::int64_t>(spec.height.output, 1));
  schedule_.block_strips =
      std::clamp<std::int64_t>(schedule_.block_strips, 1, std::max<std::int64_t>(strips_, 1));
  if (hooks.lhs_prologue) map_lhs();
  partials_in_output_ = spec.output_may_hold_partials && spec.outputs[0].dtype == compute;
  if (schedule_.tap_block >= spec.height.kernel) schedule_.tap_block = 0;
  if (schedule_.pack_weights) {
    const bool transposes = spec.rhs.in_channel == 1 && spec.rhs.out_channel != 1;
    rhs_depth_ = static_cast<std::int64_t>(strip_width()) * e_.real_bytes;
    rhs_tap_w_ =
        rhs_depth_ * (transposes ? round_up(spec.in_channels, e_.lanes) : spec.in_channels);
    rhs_tap_h_ = rhs_tap_w_ * spec.width.kernel;
    rhs_strip_ = rhs_tap_h_ * spec.height.kernel;
    rhs_group_ = rhs_strip_ * strips_;
  } else {
    const std::int64_t bytes = storage_bytes(spec.rhs.dtype);
    rhs_depth_ = spec.rhs.in_channel * bytes;
    rhs_tap_w_ = spec.width.rhs * bytes;
    rhs_tap_h_ = spec.height.rhs * bytes;
    rhs_strip_ = strip_width() * bytes;
    rhs_group_ = spec.rhs.group * bytes;
  }
}

DepthStreams ConvolutionEmitter::streams() const {
  DepthStreams s;
  s.lhs_dtype = spec_.lhs.dtype;
  s.lhs_row =
      lhs_bytes(along_batch() ? spec_.lhs.batch : input_step(spec_.width) * spec_.width.lhs);
  s.lhs_depth = lhs_bytes(spec_.lhs.channel);
  s.rhs_is_padded = schedule_.pack_weights;
  s.rhs_dtype = !schedule_.pack_weights ? spec_.rhs.dtype
                : e_.real->isDoubleTy() ? DType::f64
                                        : DType::f32;
  s.rhs_depth = rhs_depth_;
  return s;
}

TileShape ConvolutionEmitter::tile_shape(int rows, bool last_strip) const {
  TileShape shape{rows, schedule_.tile_vectors, e_.lanes};
  if (last_strip) {
    const auto columns = static_cast<int>(spec_.out_channels - (strips_ - 1) * strip_width());
    shape.vectors = static_cast<int>(divide_up(columns, e_.lanes));
    shape.last_lanes = columns - (shape.vectors - 1) * e_.lanes;
  }
  return shape;
}

// A tile sees an output as a matrix: its rows are positions in an output row, or images.
ContractionOutput ConvolutionEmitter::as_tile(const ConvolutionOutput& to) const {
  return {to.buffer, to.dtype, along_batch() ? to.batch : to.width, to.channel, {}, 0};
}

// Partial sums that rest in scratch, those of one parallel tile: [row][image][position][column].
// Images count only if tiles run along them.
ConvolutionOutput ConvolutionEmitter::partial_layout() const {
  if (partials_in_output_) return spec_.outputs[0];
  ConvolutionOutput layout;
  layout.dtype = e_.real->isDoubleTy() ? DType::f64 : DType::f32;
  layout.width = schedule_.block_strips * strip_width();
  layout.batch = layout.width * spec_.width.output;
  layout.height = layout.batch * (along_batch() ? spec_.batch : 1);
  return layout;
}

std::int64_t ConvolutionEmitter::partial_bytes() const {
  if (!is_blocked() || partials_in_output_) return 0;
  return round_up(partial_layout().height * schedule_.block_rows * e_.real_bytes, 64);
}

// A spare vector at the end, since whole vectors are stored.
std::int64_t ConvolutionEmitter::mapped_bytes() const {
  if (!mapped_lhs_) return 0;
  return round_up((mapped_lhs_->rows * spec_.height.lhs + e_.lanes) * e_.real_bytes, 64);
}

// From here on lhs is what the prologue leaves in scratch memory: rows of one image and group, with
// the index that lanes run along innermost.
void ConvolutionEmitter::map_lhs() {
  const WindowAxis& height = spec_.height;
  schedule_.rows_along_batch = false;
  schedule_.block_strips = std::max<std::int64_t>(strips_, 1);  // mapped once for all strips
  const std::int64_t met = (schedule_.block_rows - 1) * height.stride +
                           (height.kernel - 1) * height.dilation;
  mapped_lhs_ = {.lanes_along_depth = spec_.lhs.channel == 1,
                 .rows = std::min(met / height.input_dilation + 2, height.input)};
  const bool along_depth = mapped_lhs_->lanes_along_depth;
  spec_.lhs = {.buffer = spec_.lhs.buffer,
               .dtype = e_.real->isDoubleTy() ? DType::f64 : DType::f32,
               .channel = along_depth ? 1 : spec_.width.input};
  spec_.width.lhs = along_depth ? spec_.in_channels : 1;
  spec_.height.lhs = spec_.width.input * spec_.in_channels;
}

// 0 <= p, p / input_dilation is whole and inside.
llvm::Value* ConvolutionEmitter::meets_input(const WindowAxis& axis, llvm::Value* p) {
  const std::int64_t extent = axis.input == 0 ? 0 : (axis.input - 1) * axis.input_dilation + 1;
  llvm::Value* end = e_.number(extent);
  llvm::Value* inside = e_.b.CreateICmpULT(p, end);  // a negative p is huge
  if (axis.input_dilation == 1) return inside;
  llvm::Value* rest = e_.b.CreateURem(p, e_.number(axis.input_dilation));
  return e_.b.CreateAnd(inside, e_.b.CreateICmpEQ(rest, e_.number(0)));
}

// Taps of one row that the same rows of the tile meet. Where taps and channels are adjacent in both
// operands, they are one longer run of depth.
Values ConvolutionEmitter::emit_static_run(const TileShape& shape, const TapRun& run,
                                           llvm::Value* lhs, llvm::Value* rhs, Values acc) {
  const WindowAxis& axis = spec_.width;
  const std::int64_t lhs_step =
      lhs_bytes(run.step * axis.dilation / axis.input_dilation * axis.lhs);
  const std::int64_t rhs_step = run.step * rhs_tap_w_;
  DepthLoop loop{e_.at(lhs, lhs_bytes(run.position * axis.lhs)), e_.at(rhs, run.tap * rhs_tap_w_),
                 e_.number(spec_.in_channels)};
  loop.known_count = spec_.in_channels;
  loop.row_begin = run.row_begin;
  loop.row_end = run.row_end;
  const bool is_one_run = lhs_step == spec_.in_channels * lhs_bytes(spec_.lhs.channel) &&
                          rhs_step == spec_.in_channels * rhs_depth_;
  if (run.count == 1 || is_one_run) {
    loop.known_count *= run.count;
    loop.count = e_.number(loop.known_count);
    return emit_depth_loop(e_, shape, streams(), loop, std::move(acc));
  }
  acc.push_back(loop.lhs), acc.push_back(loop.rhs);
  acc = e_.loop(e_.number(0), e_.number(run.count), 1, acc, false,
                [&](llvm::Value*, const Values& carried) {
                  Values sums(carried.begin(), carried.end() - 2);
                  loop.lhs = carried[carried.size() - 2];
                  loop.rhs = carried[carried.size() - 1];
                  sums = emit_depth_loop(e_, shape, streams(), loop, std::move(sums));
                  sums.push_back(e_.at(loop.lhs, lhs_step));
                  sums.push_back(e_.at(loop.rhs, rhs_step));
                  return sums;
                });
  acc.resize(acc.size() - 2);
  return acc;
}

// With rows along the batch, all of them meet a tap or none does; which is found out as it runs.
Values ConvolutionEmitter::emit_dynamic_taps(const TileShape& shape, llvm::Value* width,
                                             llvm::Value* lhs, llvm::Value* rhs, Values acc) {
  const WindowAxis& axis = spec_.width;
  llvm::Value* origin = e_.add(e_.times(width, axis.stride), -axis.padding);
  const auto one_tap = [&](llvm::Value* tap, const Values& sums) {
    llvm::Value* p = e_.b.CreateAdd(origin, e_.times(tap, axis.dilation));
    return e_.when(meets_input(axis, p), sums, [&] {
      llvm::Value* position = e_.b.CreateUDiv(p, e_.number(axis.input_dilation));
      DepthLoop loop{e_.at(lhs, position, lhs_bytes(axis.lhs)), e_.at(rhs, tap, rhs_tap_w_),
                     e_.number(spec_.in_channels)};
      loop.known_count = spec_.in_channels;
      loop.row_end = shape.rows;
      return emit_depth_loop(e_, shape, streams(), loop, sums);
    });
  };
  return e_.loop(e_.number(0), e_.number(axis.kernel), 1, acc, /*may_be_empty=*/true, one_tap);
}

// void micro(lhs, rhs, height, width, tap_begin, tap_end, batch, row, column, first, last, buffers,
// partial, out...)
Values ConvolutionEmitter::emit_taps(llvm::Function* f, const TileShape& shape,
                                     const TapPattern& pattern, Values acc) {
  const WindowAxis& axis = spec_.height;
  llvm::Value* origin = e_.add(e_.times(f->getArg(2), axis.stride), -axis.padding);
  const auto one_row = [&](llvm::Value* tap, const Values& carried) {
    llvm::Value* p = e_.b.CreateAdd(origin, e_.times(tap, axis.dilation));
    return e_.when(meets_input(axis, p), carried, [&] {
      llvm::Value* position = e_.b.CreateUDiv(p, e_.number(axis.input_dilation));
      llvm::Value* lhs = e_.at(f->getArg(0), position, lhs_bytes(axis.lhs));
      llvm::Value* rhs = e_.at(f->getArg(1), tap, rhs_tap_h_);
      if (along_batch()) return emit_dynamic_taps(shape, f->getArg(3), lhs, rhs, carried);
      Values sums = carried;
      for (const TapRun& run : pattern)
        sums = emit_static_run(shape, run, lhs, rhs, std::move(sums));
      return sums;
    });
  };
  return e_.loop(f->getArg(4), f->getArg(5), 1, acc, /*may_be_empty=*/true, one_row);
}

llvm::Function* ConvolutionEmitter::micro(const TapPattern& pattern, int rows, bool last_strip) {
  llvm::Function*& known = micros_[{pattern, {rows, last_strip}}];
  if (known != nullptr) return known;
  const llvm::IRBuilderBase::InsertPointGuard guard(e_.b);
  std::vector<llvm::Type*> types = {e_.ptr, e_.ptr, e_.i64, e_.i64, e_.i64, e_.i64, e_.i64,
                                    e_.i64, e_.i64, e_.i1,  e_.i1,  e_.ptr, e_.ptr};
  types.insert(types.end(), spec_.outputs.size(), e_.ptr);
  llvm::Function* f = e_.begin_function(spec_.symbol + ".micro", types, false);
  known = f;
  llvm::Value *first = f->getArg(9), *last = f->getArg(10);
  const std::int64_t row_step = along_batch() ? 1 : output_step(spec_.width);
  TilePlace place{f->getArg(6), f->getArg(7), f->getArg(8), f->getArg(11)};
  place.memory_step = row_step;
  place.batch_step = along_batch() ? spec_.height.output : 0;
  place.row_step = along_batch() ? 0 : row_step;
  llvm::Value* partial = f->getArg(12);
  for (std::size_t o = 0; o < spec_.outputs.size(); ++o) {
    place.outputs.push_back(f->getArg(static_cast<unsigned>(13 + o)));
  }
  std::vector<ContractionOutput> outputs;
  for (const ConvolutionOutput& to : spec_.outputs) outputs.push_back(as_tile(to));
  const ContractionOutput partials = as_tile(partial_layout());
  const TileShape shape = tile_shape(rows, last_strip);
  prefetch_tile(e_, shape, outputs[0], row_step, place.outputs[0],
                spec_.height.kernel * spec_.width.kernel * spec_.in_channels);
  Values acc(static_cast<std::size_t>(shape.rows * shape.vectors), e_.zero_vector());
  if (is_blocked()) {
    acc = e_.when(e_.b.CreateNot(first), acc,
                  [&] { return load_tile(e_, shape, partials, row_step, partial); });
  }
  if (spec_.in_channels > 0) acc = emit_taps(f, shape, pattern, std::move(acc));
  const auto finish = [&] {
    emit_epilogue(e_, shape, outputs, hooks_.epilogue, place, acc);
    return Values();
  };
  if (is_blocked()) {
    e_.when(last, {}, finish);
    e_.when(e_.b.CreateNot(last), {}, [&] {
      store_tile(e_, shape, partials, row_step, partial, acc);
      return Values();
    });
  } else {
    finish();
  }
  e_.b.CreateRetVoid();
  return f;
}

ConvolutionPlan ConvolutionEmitter::emit() {
  ConvolutionPlan plan;
  plan.schedule = schedule_;
  const bool is_empty = spec_.batch == 0 || spec_.groups == 0 || strips_ == 0 ||
                        spec_.height.output <= 0 || spec_.width.output <= 0;
  if (is_empty) {
    llvm::Type* types[] = {e_.ptr, e_.i64, e_.i64, e_.ptr};
    e_.begin_function(spec_.symbol, types, true);
    e_.b.CreateRetVoid();
    plan.launches.push_back({spec_.symbol, 0, 0});
    return plan;
  }
  if (schedule_.pack_weights) {
    emit_packing_launch();
    const std::int64_t tiles = spec_.groups * strips_ * spec_.height.kernel * spec_.width.kernel;
    plan.launches.push_back({spec_.symbol + ".pack", tiles, 0, KernelLaunch::Part::pack});
    plan.workspace_bytes = spec_.groups * rhs_group_;
  }
  emit_main();
  const std::int64_t tiles = divide_up(strips_, schedule_.block_strips) *
                             divide_up(spec_.height.output, schedule_.block_rows) * spec_.groups *
                             (along_batch() ? 1 : spec_.batch);
  plan.launches.push_back({spec_.symbol, tiles, partial_bytes() + mapped_bytes()});
  return plan;
}

StatusOr<ConvolutionPlan> emit_convolution(IrModule& module, const ConvolutionSpec& spec,
                                           const ContractionHooks& hooks,
                                           const ConvolutionSchedule& schedule) {
  HYP_TRY(const DType compute, contraction_compute_type(spec.lhs.dtype, spec.rhs.dtype));
  if (!module.target().has_fma) {
    return error_status(Code::invalid_argument,
                        "this CPU has no fused multiply-add, which convolutions are defined by",
                        module.target().cpu);
  }
  HYP_CHECK(!spec.outputs.empty(), "a convolution stores something");
  return ConvolutionEmitter(module, compute, spec, hooks, schedule).emit();
}

}  // namespace hyperion::codegen

#include "codegen/llvm/contraction_convolution.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "codegen/llvm/contraction_micro.hpp"
#include "codegen/llvm/contraction_pack.hpp"
#include "codegen/llvm/contraction_taps.hpp"
#include "ir/support/check.hpp"

namespace hyperion::codegen {
namespace {

std::int64_t round_up(std::int64_t x, std::int64_t to) { return (x + to - 1) / to * to; }
std::int64_t divide_up(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }
std::int64_t storage_bytes(DType dtype) { return static_cast<std::int64_t>(byte_size(dtype)); }

// Emits one plan. Read from emit() at the end; `Tile` narrows on the way down to a micro-kernel call.
class ConvolutionEmitter {
 public:
  ConvolutionEmitter(IrModule& module, DType compute, const ConvolutionSpec& spec,
                     const ContractionHooks& hooks, const ConvolutionSchedule& schedule);
  ConvolutionPlan emit();

 private:
  struct Tile {
    llvm::Value* buffers;
    llvm::Value* scratch;
    llvm::Value* image;  // 0 when rows run along the batch
    llvm::Value* group;
    llvm::Value *row_begin, *row_end;      // of the output
    llvm::Value *strip_begin, *strip_end;
    llvm::Value* lhs;  // of this image and group
    llvm::Value* rhs;  // of this group
    Values outputs;    // of this image and group
    llvm::Value *tap_begin, *tap_end, *first, *last;
    llvm::Value* height = nullptr;
    llvm::Value* strip_rhs = nullptr;
    llvm::Value* column = nullptr;
    bool last_strip = false;
  };

  bool is_blocked() const { return schedule_.tap_block > 0; }
  bool along_batch() const { return schedule_.rows_along_batch; }
  int strip_width() const { return schedule_.tile_vectors * e_.lanes; }
  std::int64_t lhs_bytes(std::int64_t elements) const {
    return elements * storage_bytes(spec_.lhs.dtype);
  }
  DepthStreams streams() const;
  TileShape tile_shape(int rows, bool last_strip) const;
  ContractionOutput as_tile(const ConvolutionOutput& to) const;
  ConvolutionOutput partial_layout() const;
  std::int64_t scratch_bytes() const;

  llvm::Function* micro(const TapPattern& pattern, int rows, bool last_strip);
  Values emit_taps(llvm::Function* f, const TileShape& shape, const TapPattern& pattern, Values acc);
  Values emit_static_run(const TileShape& shape, const TapRun& run, llvm::Value* lhs,
                         llvm::Value* rhs, Values acc);
  Values emit_dynamic_taps(const TileShape& shape, llvm::Value* width, llvm::Value* lhs,
                           llvm::Value* rhs, Values acc);
  llvm::Value* meets_input(const WindowAxis& axis, llvm::Value* p);

  void emit_packing_launch();
  void emit_main();
  void emit_block(Tile tile);
  void emit_strip(Tile tile, llvm::Value* strip, bool last_strip);
  void emit_row(Tile tile);
  void emit_row_along_width(const Tile& tile);
  void emit_row_along_batch(const Tile& tile);
  void call_micro(const Tile& tile, const TapPattern& pattern, int rows, llvm::Value* lhs,
                  llvm::Value* width, llvm::Value* row);

  const ConvolutionSpec& spec_;
  const ContractionHooks& hooks_;
  ConvolutionSchedule schedule_;
  Emit e_;
  std::int64_t strips_ = 0;
  bool partials_in_output_ = false;
  // Bytes between weights of neighbouring taps, channels, strips and groups, as the micro-kernel reads them.
  std::int64_t rhs_tap_h_ = 0, rhs_tap_w_ = 0, rhs_depth_ = 0, rhs_strip_ = 0, rhs_group_ = 0;
  std::map<std::pair<TapPattern, std::pair<int, bool>>, llvm::Function*> micros_;
};

ConvolutionEmitter::ConvolutionEmitter(IrModule& module, DType compute, const ConvolutionSpec& spec,
                                       const ContractionHooks& hooks,
                                       const ConvolutionSchedule& schedule)
    : spec_(spec), hooks_(hooks), schedule_(schedule), e_(module, compute) {
  strips_ = divide_up(spec.out_channels, strip_width());
  if (spec.rhs.out_channel != 1) schedule_.pack_weights = true;
  schedule_.block_rows = std::clamp<std::int64_t>(schedule_.block_rows, 1,
                                                  std::max<std::int64_t>(spec.height.output, 1));
  schedule_.block_strips =
      std::clamp<std::int64_t>(schedule_.block_strips, 1, std::max<std::int64_t>(strips_, 1));
  partials_in_output_ = spec.output_may_hold_partials && spec.outputs[0].dtype == compute;
  if (schedule_.tap_block >= spec.height.kernel) schedule_.tap_block = 0;
  if (schedule_.pack_weights) {
    const bool transposes = spec.rhs.in_channel == 1 && spec.rhs.out_channel != 1;
    rhs_depth_ = static_cast<std::int64_t>(strip_width()) * e_.real_bytes;
    rhs_tap_w_ = rhs_depth_ * (transposes ? round_up(spec.in_channels, e_.lanes) : spec.in_channels);
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
  s.lhs_row = lhs_bytes(along_batch() ? spec_.lhs.batch : input_step(spec_.width) * spec_.width.lhs);
  s.lhs_depth = lhs_bytes(spec_.lhs.channel);
  s.rhs_is_padded = schedule_.pack_weights;
  s.rhs_dtype = !schedule_.pack_weights      ? spec_.rhs.dtype
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

// Partial sums that rest in scratch, those of one parallel tile: [row][image][position][column]. Images count only if tiles
// run along them.
ConvolutionOutput ConvolutionEmitter::partial_layout() const {
  if (partials_in_output_) return spec_.outputs[0];
  ConvolutionOutput layout;
  layout.dtype = e_.real->isDoubleTy() ? DType::f64 : DType::f32;
  layout.width = schedule_.block_strips * strip_width();
  layout.batch = layout.width * spec_.width.output;
  layout.height = layout.batch * (along_batch() ? spec_.batch : 1);
  return layout;
}

std::int64_t ConvolutionEmitter::scratch_bytes() const {
  if (!is_blocked() || partials_in_output_) return 0;
  return round_up(partial_layout().height * schedule_.block_rows * e_.real_bytes, 64);
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

// Taps of one row that the same rows of the tile meet. Where taps and channels are adjacent in both operands, they are one
// longer run of depth.
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

// void micro(lhs, rhs, height, width, tap_begin, tap_end, batch, row, column, first, last, buffers, partial, out...)
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
      for (const TapRun& run : pattern) sums = emit_static_run(shape, run, lhs, rhs, std::move(sums));
      return sums;
    });
  };
  return e_.loop(f->getArg(4), f->getArg(5), 1, acc, /*may_be_empty=*/true, one_row);
}

llvm::Function* ConvolutionEmitter::micro(const TapPattern& pattern, int rows, bool last_strip) {
  llvm::Function*& known = micros_[{pattern, {rows, last_strip}}];
  if (known != nullptr) return known;
  const llvm::IRBuilderBase::InsertPointGuard guard(e_.b);
  std::vector<llvm::Type*> types = {e_.ptr, e_.ptr, e_.i64, e_.i64, e_.i64, e_.i64,
                                    e_.i64, e_.i64, e_.i64, e_.i1,  e_.i1,  e_.ptr,
                                    e_.ptr};
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

void ConvolutionEmitter::call_micro(const Tile& tile, const TapPattern& pattern, int rows,
                                    llvm::Value* lhs, llvm::Value* width, llvm::Value* row) {
  llvm::Value* image = along_batch() ? row : tile.image;
  llvm::Value* batch = e_.b.CreateAdd(e_.times(image, spec_.height.output), tile.height);
  llvm::Value* column = e_.b.CreateAdd(e_.times(tile.group, spec_.out_channels), tile.column);
  const auto place = [&](llvm::Value* base, const ConvolutionOutput& to, llvm::Value* height,
                         llvm::Value* channel) {
    const std::int64_t bytes = storage_bytes(to.dtype);
    llvm::Value* where = e_.at(e_.at(base, height, to.height * bytes), width, to.width * bytes);
    if (along_batch()) where = e_.at(where, row, to.batch * bytes);
    return e_.at(where, channel, to.channel * bytes);
  };
  Values outputs;
  for (std::size_t o = 0; o < spec_.outputs.size(); ++o) {
    outputs.push_back(place(tile.outputs[o], spec_.outputs[o], tile.height, tile.column));
  }
  llvm::Value* partial = outputs[0];
  if (is_blocked() && !partials_in_output_) {
    llvm::Value* first_column = e_.times(tile.strip_begin, strip_width());
    partial = place(tile.scratch, partial_layout(), e_.b.CreateSub(tile.height, tile.row_begin),
                    e_.b.CreateSub(tile.column, first_column));
  }
  Values args = {lhs,   tile.strip_rhs, tile.height, width,      tile.tap_begin, tile.tap_end, batch,
                 along_batch() ? width : row, column, tile.first, tile.last, tile.buffers, partial};
  args.insert(args.end(), outputs.begin(), outputs.end());
  e_.b.CreateCall(micro(pattern, rows, tile.last_strip), args);
}

void ConvolutionEmitter::emit_row_along_width(const Tile& tile) {
  const WindowAxis& axis = spec_.width;
  for (const TileRun& run : tile_runs(axis, schedule_.tile_rows)) {
    e_.loop(e_.number(0), e_.number(run.count), 1, [&](llvm::Value* i) {
      // Steps within the phase, then positions of the output.
      llvm::Value* step = e_.add(e_.times(i, run.rows), run.first_step);
      llvm::Value* width = e_.add(e_.times(step, output_step(axis)), run.phase);
      llvm::Value* lhs = e_.at(tile.lhs, step, lhs_bytes(input_step(axis) * axis.lhs));
      call_micro(tile, run.pattern, run.rows, lhs, width, width);
    });
  }
}

void ConvolutionEmitter::emit_row_along_batch(const Tile& tile) {
  const RowTiles tiles = RowTiles::split(spec_.batch, schedule_.tile_rows);
  const auto images = [&](std::int64_t begin, std::int64_t end, std::int64_t rows) {
    e_.loop(e_.number(begin), e_.number(end), 1, [&](llvm::Value* index) {
      llvm::Value* image = tiles.first_row(e_, index);
      llvm::Value* lhs = e_.at(tile.lhs, image, lhs_bytes(spec_.lhs.batch));
      e_.loop(e_.number(0), e_.number(spec_.width.output), 1, [&](llvm::Value* width) {
        call_micro(tile, {}, static_cast<int>(rows), lhs, width, image);
      });
    });
  };
  if (tiles.extra > 0) images(0, tiles.extra, tiles.base + 1);
  if (tiles.extra < tiles.count) images(tiles.extra, tiles.count, tiles.base);
}

void ConvolutionEmitter::emit_row(Tile tile) {
  along_batch() ? emit_row_along_batch(tile) : emit_row_along_width(tile);
}

void ConvolutionEmitter::emit_strip(Tile tile, llvm::Value* strip, bool last_strip) {
  tile.last_strip = last_strip;
  tile.strip_rhs = e_.at(tile.rhs, strip, rhs_strip_);
  tile.column = e_.times(strip, strip_width());
  e_.loop(tile.row_begin, tile.row_end, 1, [&](llvm::Value* height) {
    tile.height = height;
    emit_row(tile);
  });
}

void ConvolutionEmitter::emit_block(Tile tile) {
  const bool is_even = spec_.out_channels % strip_width() == 0;
  llvm::Value* full_end =
      is_even ? tile.strip_end : e_.smaller(tile.strip_end, e_.number(strips_ - 1));
  if (is_even || strips_ > 1) {
    e_.loop(tile.strip_begin, full_end, 1,
            [&](llvm::Value* strip) { emit_strip(tile, strip, false); });
  }
  if (is_even) return;
  e_.when(e_.b.CreateICmpEQ(tile.strip_end, e_.number(strips_)), {}, [&] {
    emit_strip(tile, e_.number(strips_ - 1), true);
    return Values();
  });
}

void ConvolutionEmitter::emit_main() {
  llvm::Type* types[] = {e_.ptr, e_.i64, e_.i64, e_.ptr};
  llvm::Function* f = e_.begin_function(spec_.symbol, types, true);
  llvm::Value* buffers = f->getArg(0);
  const std::int64_t row_blocks = divide_up(spec_.height.output, schedule_.block_rows);
  const std::int64_t strip_blocks = divide_up(strips_, schedule_.block_strips);
  llvm::Value* lhs = e_.at(e_.buffer(buffers, spec_.lhs.buffer), lhs_bytes(spec_.lhs.offset));
  llvm::Value* rhs =
      schedule_.pack_weights
          ? e_.buffer(buffers, spec_.workspace_buffer)
          : e_.at(e_.buffer(buffers, spec_.rhs.buffer),
                  spec_.rhs.offset * storage_bytes(spec_.rhs.dtype));
  Values outputs;
  for (const ConvolutionOutput& to : spec_.outputs) {
    outputs.push_back(e_.at(e_.buffer(buffers, to.buffer), to.offset * storage_bytes(to.dtype)));
  }
  e_.loop(f->getArg(1), f->getArg(2), 1, [&](llvm::Value* index) {
    llvm::Value* rest = index;
    const auto digit = [&](std::int64_t extent) {
      llvm::Value* value = e_.b.CreateURem(rest, e_.number(extent));
      rest = e_.b.CreateUDiv(rest, e_.number(extent));
      return value;
    };
    Tile tile{};
    tile.buffers = buffers;
    tile.scratch = f->getArg(3);
    llvm::Value* strip_block = digit(strip_blocks);
    llvm::Value* row_block = digit(row_blocks);
    tile.group = digit(spec_.groups);
    tile.image = along_batch() ? e_.number(0) : digit(spec_.batch);
    tile.row_begin = e_.times(row_block, schedule_.block_rows);
    tile.row_end = e_.smaller(e_.add(tile.row_begin, schedule_.block_rows),
                              e_.number(spec_.height.output));
    tile.strip_begin = e_.times(strip_block, schedule_.block_strips);
    tile.strip_end = e_.smaller(e_.add(tile.strip_begin, schedule_.block_strips), e_.number(strips_));
    tile.lhs = e_.at(e_.at(lhs, tile.image, lhs_bytes(spec_.lhs.batch)), tile.group,
                     lhs_bytes(spec_.lhs.group));
    tile.rhs = e_.at(rhs, tile.group, rhs_group_);
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      const ConvolutionOutput& to = spec_.outputs[o];
      const std::int64_t bytes = storage_bytes(to.dtype);
      tile.outputs.push_back(
          e_.at(e_.at(outputs[o], tile.image, to.batch * bytes), tile.group, to.group * bytes));
    }
    llvm::Value* taps = e_.number(spec_.height.kernel);
    tile.first = tile.last = e_.b.getTrue();
    tile.tap_begin = e_.number(0), tile.tap_end = taps;
    if (!is_blocked()) return emit_block(tile);
    e_.loop(e_.number(0), taps, schedule_.tap_block, [&](llvm::Value* begin) {
      tile.tap_begin = begin;
      tile.tap_end = e_.smaller(e_.add(begin, schedule_.tap_block), taps);
      tile.first = e_.b.CreateICmpEQ(begin, e_.number(0));
      tile.last = e_.b.CreateICmpEQ(tile.tap_end, taps);
      emit_block(tile);
    });
  });
  e_.b.CreateRetVoid();
}

// One tile of this launch packs one tap of one strip of one group.
void ConvolutionEmitter::emit_packing_launch() {
  ContractionSpec weights;
  weights.symbol = spec_.symbol;
  weights.rhs = {spec_.rhs.buffer, spec_.rhs.dtype, spec_.rhs.out_channel, spec_.rhs.in_channel, {}, 0};
  const auto rest = static_cast<int>(spec_.out_channels % strip_width());
  llvm::Function* pack = emit_pack_rhs(e_, weights, {}, schedule_.tile_vectors, strip_width());
  llvm::Function* pack_last =
      rest == 0 ? pack : emit_pack_rhs(e_, weights, {}, schedule_.tile_vectors, rest);
  llvm::Type* types[] = {e_.ptr, e_.i64, e_.i64, e_.ptr};
  llvm::Function* f = e_.begin_function(spec_.symbol + ".pack", types, true);
  llvm::Value* buffers = f->getArg(0);
  const std::int64_t bytes = storage_bytes(spec_.rhs.dtype);
  llvm::Value* from = e_.at(e_.buffer(buffers, spec_.rhs.buffer), spec_.rhs.offset * bytes);
  llvm::Value* to = e_.buffer(buffers, spec_.workspace_buffer);
  e_.loop(f->getArg(1), f->getArg(2), 1, [&](llvm::Value* index) {
    llvm::Value* rest_index = index;
    const auto digit = [&](std::int64_t extent) {
      llvm::Value* value = e_.b.CreateURem(rest_index, e_.number(extent));
      rest_index = e_.b.CreateUDiv(rest_index, e_.number(extent));
      return value;
    };
    llvm::Value* tap_w = digit(spec_.width.kernel);
    llvm::Value* tap_h = digit(spec_.height.kernel);
    llvm::Value* strip = digit(strips_);
    llvm::Value* source = e_.at(from, rest_index, spec_.rhs.group * bytes);
    source = e_.at(e_.at(source, tap_h, spec_.height.rhs * bytes), tap_w, spec_.width.rhs * bytes);
    const Values args = {source, e_.at(to, index, rhs_tap_w_), e_.times(strip, strip_width()),
                         e_.number(0), e_.number(spec_.in_channels), e_.number(0), buffers};
    llvm::Value* is_last = e_.b.CreateICmpEQ(strip, e_.number(strips_ - 1));
    e_.when(e_.b.CreateNot(is_last), {}, [&] { return e_.b.CreateCall(pack, args), Values(); });
    e_.when(is_last, {}, [&] { return e_.b.CreateCall(pack_last, args), Values(); });
  });
  e_.b.CreateRetVoid();
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
    plan.launches.push_back({spec_.symbol + ".pack", tiles, 0});
    plan.workspace_bytes = spec_.groups * rhs_group_;
  }
  emit_main();
  const std::int64_t tiles = divide_up(strips_, schedule_.block_strips) *
                             divide_up(spec_.height.output, schedule_.block_rows) * spec_.groups *
                             (along_batch() ? 1 : spec_.batch);
  plan.launches.push_back({spec_.symbol, tiles, scratch_bytes()});
  return plan;
}

}  // namespace

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
  HYP_CHECK(!hooks.lhs_prologue && !hooks.rhs_prologue, "convolutions have no prologue");
  return ConvolutionEmitter(module, compute, spec, hooks, schedule).emit();
}

}  // namespace hyperion::codegen

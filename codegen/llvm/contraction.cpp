#include "codegen/llvm/contraction.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

#include "codegen/llvm/contraction_micro.hpp"
#include "codegen/llvm/contraction_pack.hpp"
#include "ir/support/check.hpp"

namespace hyperion::codegen {
namespace {

std::int64_t round_up(std::int64_t x, std::int64_t to) { return (x + to - 1) / to * to; }
std::int64_t divide_up(std::int64_t x, std::int64_t by) { return (x + by - 1) / by; }

std::int64_t product(const std::vector<std::int64_t>& extents) {
  return std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>());
}

std::int64_t storage_bytes(DType dtype) { return static_cast<std::int64_t>(byte_size(dtype)); }

// Emits one plan. Read from emit() at the end.
class ContractionEmitter {
 public:
  ContractionEmitter(IrModule& module, DType compute, const ContractionSpec& spec,
                     const ContractionHooks& hooks, const ContractionSchedule& schedule);
  ContractionPlan emit();

 private:
  // Pointers and indices of the parallel tile being emitted.
  struct Tile {
    llvm::Value* buffers;
    llvm::Value* scratch;
    llvm::Value* batch;
    llvm::Value* lhs;  // of this batch
    llvm::Value* rhs;  // of this batch, or its packed form
    Values outputs;    // of this batch
    llvm::Value* row_tile_begin;
    llvm::Value* row_tile_end;
    llvm::Value* first_row;
    llvm::Value* strip_begin;
    llvm::Value* strip_end;
  };
  struct DepthBlock {
    llvm::Value* begin;
    llvm::Value* count;
    llvm::Value* first;
    llvm::Value* last;
  };

  struct Strip {
    llvm::Value* column;
    llvm::Value* rhs;   // what the micro-kernel reads
    llvm::Value* copy;  // where it copies that to, if it does
    bool is_last;
  };

  bool is_blocked() const { return depth_blocks_ > 1; }
  bool partials_in_output() const {
    return spec_.output_may_hold_partials && spec_.outputs[0].dtype == compute_;
  }
  int strip_width() const { return schedule_.tile_vectors * e_.lanes; }
  TileShape tile_shape(int rows, bool last_strip) const;
  ContractionOutput partial_layout() const;
  DepthStreams streams(bool copies_rhs) const;
  // The first tile that reads a strip packs it on the way, unless packing changes more than the place.
  bool copies_strips() const {
    return schedule_.rhs == RhsPacking::strip && !hooks_.rhs_prologue && spec_.rhs.free == 1 &&
           spec_.rhs.dtype == compute_;
  }

  llvm::Function* emit_micro(const TileShape& shape, bool copies_rhs);
  llvm::Function* micro(bool larger, bool last_strip, bool copies_rhs);
  void emit_main();
  void emit_tile(const Tile& tile);
  void emit_depth_block(const Tile& tile, const DepthBlock& block);
  void emit_strip(const Tile& tile, const DepthBlock& block, llvm::Value* index, bool is_last);
  void emit_row_tiles(const Tile& tile, const DepthBlock& block, const Strip& strip,
                      llvm::Value* begin, llvm::Value* end, bool copies_rhs);
  void call_micro(const Tile& tile, const DepthBlock& block, const Strip& strip,
                  llvm::Value* row_tile, llvm::Function* f);
  void emit_rhs_packing_launch();
  llvm::Value* batch_offset(llvm::Value* base, llvm::Value* batch, std::int64_t offset,
                            const std::vector<std::int64_t>& strides, std::int64_t bytes);
  llvm::Value* lhs_of_tile(const Tile& tile, const DepthBlock& block, llvm::Value* row_tile,
                           llvm::Value* row);

  const ContractionSpec& spec_;
  const ContractionHooks& hooks_;
  ContractionSchedule schedule_;
  const DType compute_;
  Emit e_;
  RowTiles row_tiles_;
  std::int64_t strips_ = 0;
  std::int64_t depth_block_ = 0;
  std::int64_t depth_blocks_ = 1;
  std::int64_t batches_ = 1;
  std::int64_t rhs_batches_ = 1;
  std::optional<PackedLhs> packed_lhs_;
  llvm::Function* pack_lhs_ = nullptr;
  llvm::Function* pack_rhs_[2] = {nullptr, nullptr};  // full strips, the last strip
  llvm::Function* micro_[2][2][2] = {};               // [larger tile][last strip][copies rhs]
  std::int64_t lhs_scratch_ = 0, rhs_scratch_ = 0, partial_scratch_ = 0;
};

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
    partial_scratch_ = schedule_.block_row_tiles * row_tiles_.largest() * partial_layout().row *
                       e_.real_bytes;
  }
}

// Partial sums that rest in scratch: one row after another, a strip wider than the block to keep rows apart.
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
  s.lhs_row = packed_lhs_ ? packed_lhs_->row_bytes : spec_.lhs.free * storage_bytes(spec_.lhs.dtype);
  s.lhs_depth = packed_lhs_ ? packed_lhs_->depth_bytes
                            : spec_.lhs.depth * storage_bytes(spec_.lhs.dtype);
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
  const auto load_output = [&] { return load_tile(e_, shape, spec_.outputs[0], 1, place.outputs[0]); };
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

llvm::Value* ContractionEmitter::batch_offset(llvm::Value* base, llvm::Value* batch,
                                              std::int64_t offset,
                                              const std::vector<std::int64_t>& strides,
                                              std::int64_t bytes) {
  base = e_.at(base, offset * bytes);
  llvm::Value* rest = batch;
  for (std::size_t d = spec_.batch.size(); d-- > 0;) {
    llvm::Value* extent = e_.number(std::max<std::int64_t>(spec_.batch[d], 1));
    llvm::Value* index = d == 0 ? rest : e_.b.CreateURem(rest, extent);
    if (strides[d] != 0) base = e_.at(base, index, strides[d] * bytes);
    if (d != 0) rest = e_.b.CreateUDiv(rest, extent);
  }
  return base;
}

llvm::Value* ContractionEmitter::lhs_of_tile(const Tile& tile, const DepthBlock& block,
                                             llvm::Value* row_tile, llvm::Value* row) {
  if (!packed_lhs_) {
    const std::int64_t bytes = storage_bytes(spec_.lhs.dtype);
    return e_.at(e_.at(tile.lhs, row, spec_.lhs.free * bytes), block.begin, spec_.lhs.depth * bytes);
  }
  if (packed_lhs_->rows) {
    return e_.at(tile.scratch, e_.b.CreateSub(row, tile.first_row), packed_lhs_->row_bytes);
  }
  return e_.at(tile.scratch, e_.b.CreateSub(row_tile, tile.row_tile_begin), packed_lhs_->tile_bytes);
}

llvm::Function* ContractionEmitter::micro(bool larger, bool last_strip, bool copies_rhs) {
  llvm::Function*& f = micro_[larger][last_strip][copies_rhs];
  if (f == nullptr) {
    f = emit_micro(tile_shape(static_cast<int>(row_tiles_.base + larger), last_strip), copies_rhs);
  }
  return f;
}

void ContractionEmitter::call_micro(const Tile& tile, const DepthBlock& block, const Strip& strip,
                                    llvm::Value* row_tile, llvm::Function* f) {
  llvm::Value* row = row_tiles_.first_row(e_, row_tile);
  const auto place = [&](llvm::Value* base, const ContractionOutput& to, llvm::Value* r,
                         llvm::Value* c) {
    const std::int64_t bytes = storage_bytes(to.dtype);
    return e_.at(e_.at(base, r, to.row * bytes), c, to.column * bytes);
  };
  Values outputs;
  for (std::size_t o = 0; o < spec_.outputs.size(); ++o) {
    outputs.push_back(place(tile.outputs[o], spec_.outputs[o], row, strip.column));
  }
  llvm::Value* partial = outputs[0];
  if (is_blocked() && !partials_in_output()) {
    llvm::Value* first_column = e_.times(tile.strip_begin, strip_width());
    partial = place(e_.at(tile.scratch, lhs_scratch_ + rhs_scratch_), partial_layout(),
                    e_.b.CreateSub(row, tile.first_row), e_.b.CreateSub(strip.column, first_column));
  }
  Values args = {lhs_of_tile(tile, block, row_tile, row), strip.rhs, strip.copy, partial,
                 block.count, tile.batch, row, strip.column, block.first, block.last, tile.buffers};
  args.insert(args.end(), outputs.begin(), outputs.end());
  e_.b.CreateCall(f, args);
}

// Row tiles [begin, end): the larger ones come first.
void ContractionEmitter::emit_row_tiles(const Tile& tile, const DepthBlock& block, const Strip& strip,
                                        llvm::Value* begin, llvm::Value* end, bool copies_rhs) {
  const auto call_for = [&](llvm::Value* from, llvm::Value* to, bool larger) {
    llvm::Function* f = micro(larger, strip.is_last, copies_rhs);
    e_.loop(from, to, 1, [&](llvm::Value* row_tile) { call_micro(tile, block, strip, row_tile, f); });
  };
  llvm::Value* border = e_.number(row_tiles_.extra);
  if (row_tiles_.extra > 0) call_for(begin, e_.smaller(end, border), true);
  // With one block of rows, the tile that copies is the first of all, a larger one if any is.
  const bool is_never_smaller =
      copies_rhs && row_tiles_.extra > 0 && schedule_.block_row_tiles == row_tiles_.count;
  if (is_never_smaller) return;
  call_for(e_.b.CreateSelect(e_.b.CreateICmpSLT(begin, border), border, begin), end, false);
}

void ContractionEmitter::emit_strip(const Tile& tile, const DepthBlock& block, llvm::Value* index,
                                    bool is_last) {
  const std::int64_t bytes = storage_bytes(spec_.rhs.dtype);
  llvm::Value* nowhere = llvm::ConstantPointerNull::get(e_.ptr);
  Strip strip{e_.times(index, strip_width()), nullptr, nowhere, is_last};
  llvm::Value* source = e_.at(e_.at(tile.rhs, strip.column, spec_.rhs.free * bytes), block.begin,
                              spec_.rhs.depth * bytes);
  llvm::Value* begin = tile.row_tile_begin;
  switch (schedule_.rhs) {
    case RhsPacking::none: strip.rhs = source; break;
    case RhsPacking::strip: {
      llvm::Value* packed = e_.at(tile.scratch, lhs_scratch_);
      if (copies_strips()) {
        llvm::Value* next = e_.add(begin, 1);
        emit_row_tiles(tile, block, {strip.column, source, packed, is_last}, begin, next, true);
        begin = next;
      } else {
        e_.b.CreateCall(pack_rhs_[is_last], {tile.rhs, packed, strip.column, block.begin, block.count,
                                             tile.batch, tile.buffers});
      }
      strip.rhs = packed;
      break;
    }
    case RhsPacking::whole: {
      const std::int64_t step = static_cast<std::int64_t>(strip_width()) * e_.real_bytes;
      strip.rhs = e_.at(e_.at(tile.rhs, index, round_up(spec_.depth, e_.lanes) * step), block.begin, step);
      break;
    }
  }
  if (copies_strips() && row_tiles_.count == 1) return;
  emit_row_tiles(tile, block, strip, begin, tile.row_tile_end, false);
}

void ContractionEmitter::emit_depth_block(const Tile& tile, const DepthBlock& block) {
  if (packed_lhs_) {
    e_.b.CreateCall(pack_lhs_, {tile.lhs, tile.scratch, tile.row_tile_begin, tile.row_tile_end,
                                block.begin, block.count, tile.batch, tile.buffers});
  }
  // The last strip is narrower unless the strips divide the columns: it has code of its own.
  const bool is_even = spec_.columns % strip_width() == 0;
  llvm::Value* full_end = is_even ? tile.strip_end
                                  : e_.smaller(tile.strip_end, e_.number(strips_ - 1));
  if (is_even || strips_ > 1) {
    e_.loop(tile.strip_begin, full_end, 1,
            [&](llvm::Value* strip) { emit_strip(tile, block, strip, false); });
  }
  if (is_even) return;
  e_.when(e_.b.CreateICmpEQ(tile.strip_end, e_.number(strips_)), {}, [&] {
    emit_strip(tile, block, e_.number(strips_ - 1), true);
    return Values();
  });
}

void ContractionEmitter::emit_tile(const Tile& tile) {
  if (!is_blocked()) {
    llvm::Value* yes = e_.b.getTrue();
    emit_depth_block(tile, {e_.number(0), e_.number(spec_.depth), yes, yes});
    return;
  }
  e_.loop(e_.number(0), e_.number(spec_.depth), depth_block_, [&](llvm::Value* begin) {
    llvm::Value* left = e_.b.CreateSub(e_.number(spec_.depth), begin);
    DepthBlock block{begin, e_.smaller(left, e_.number(depth_block_)), nullptr, nullptr};
    block.first = e_.b.CreateICmpEQ(begin, e_.number(0));
    block.last = e_.b.CreateICmpSLE(left, e_.number(depth_block_));
    emit_depth_block(tile, block);
  });
}

void ContractionEmitter::emit_main() {
  llvm::Type* types[] = {e_.ptr, e_.i64, e_.i64, e_.ptr};
  llvm::Function* f = e_.begin_function(spec_.symbol, types, true);
  llvm::Value* buffers = f->getArg(0);
  const std::int64_t row_blocks = divide_up(row_tiles_.count, schedule_.block_row_tiles);
  const std::int64_t column_blocks = divide_up(strips_, schedule_.block_strips);
  if (row_blocks == 0 || column_blocks == 0 || batches_ == 0) {
    e_.b.CreateRetVoid();
    return;
  }
  llvm::Value* lhs = e_.buffer(buffers, spec_.lhs.buffer);
  const bool packed = schedule_.rhs == RhsPacking::whole;
  llvm::Value* rhs = e_.buffer(buffers, packed ? spec_.workspace_buffer : spec_.rhs.buffer);
  Values outputs;
  for (const ContractionOutput& to : spec_.outputs) outputs.push_back(e_.buffer(buffers, to.buffer));

  e_.loop(f->getArg(1), f->getArg(2), 1, [&](llvm::Value* index) {
    Tile tile{};
    tile.buffers = buffers;
    tile.scratch = f->getArg(3);
    llvm::Value* column_block = e_.b.CreateURem(index, e_.number(column_blocks));
    llvm::Value* rest = e_.b.CreateUDiv(index, e_.number(column_blocks));
    llvm::Value* row_block = e_.b.CreateURem(rest, e_.number(row_blocks));
    tile.batch = e_.b.CreateUDiv(rest, e_.number(row_blocks));
    tile.lhs = batch_offset(lhs, tile.batch, spec_.lhs.offset, spec_.lhs.batch,
                            storage_bytes(spec_.lhs.dtype));
    if (!packed) {
      tile.rhs = batch_offset(rhs, tile.batch, spec_.rhs.offset, spec_.rhs.batch,
                              storage_bytes(spec_.rhs.dtype));
    } else {
      const std::int64_t bytes =
          strips_ * strip_width() * round_up(spec_.depth, e_.lanes) * e_.real_bytes;
      tile.rhs = rhs_batches_ == 1 ? rhs : e_.at(rhs, tile.batch, bytes);
    }
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      const ContractionOutput& to = spec_.outputs[o];
      tile.outputs.push_back(
          batch_offset(outputs[o], tile.batch, to.offset, to.batch, storage_bytes(to.dtype)));
    }
    tile.row_tile_begin = e_.times(row_block, schedule_.block_row_tiles);
    tile.row_tile_end = e_.smaller(e_.add(tile.row_tile_begin, schedule_.block_row_tiles),
                                   e_.number(row_tiles_.count));
    tile.first_row = row_tiles_.first_row(e_, tile.row_tile_begin);
    tile.strip_begin = e_.times(column_block, schedule_.block_strips);
    tile.strip_end =
        e_.smaller(e_.add(tile.strip_begin, schedule_.block_strips), e_.number(strips_));
    emit_tile(tile);
  });
  e_.b.CreateRetVoid();
}

// One tile of this launch packs one strip of one batch, over the whole depth.
void ContractionEmitter::emit_rhs_packing_launch() {
  llvm::Type* types[] = {e_.ptr, e_.i64, e_.i64, e_.ptr};
  llvm::Function* f = e_.begin_function(spec_.symbol + ".pack", types, true);
  llvm::Value* buffers = f->getArg(0);
  llvm::Value* from = e_.buffer(buffers, spec_.rhs.buffer);
  llvm::Value* to = e_.buffer(buffers, spec_.workspace_buffer);
  const std::int64_t strip_bytes =
      strip_width() * round_up(spec_.depth, e_.lanes) * static_cast<std::int64_t>(e_.real_bytes);
  e_.loop(f->getArg(1), f->getArg(2), 1, [&](llvm::Value* index) {
    llvm::Value* strip = e_.b.CreateURem(index, e_.number(strips_));
    llvm::Value* batch = e_.b.CreateUDiv(index, e_.number(strips_));
    llvm::Value* source = batch_offset(from, batch, spec_.rhs.offset, spec_.rhs.batch,
                                       storage_bytes(spec_.rhs.dtype));
    const Values args = {source, e_.at(to, index, strip_bytes), e_.times(strip, strip_width()),
                         e_.number(0), e_.number(spec_.depth), batch, buffers};
    llvm::Value* is_last = e_.b.CreateICmpEQ(strip, e_.number(strips_ - 1));
    const auto call = [&](int which) {
      e_.b.CreateCall(pack_rhs_[which], args);
      return Values();
    };
    if (pack_rhs_[0] != nullptr) {
      e_.when(pack_rhs_[1] != nullptr ? e_.b.CreateNot(is_last) : e_.b.getTrue(), {},
              [&] { return call(0); });
    }
    if (pack_rhs_[1] != nullptr) e_.when(is_last, {}, [&] { return call(1); });
  });
  e_.b.CreateRetVoid();
}

ContractionPlan ContractionEmitter::emit() {
  ContractionPlan plan;
  plan.schedule = schedule_;
  const bool is_empty = row_tiles_.count == 0 || strips_ == 0 || batches_ == 0;
  if (packed_lhs_ && !is_empty) pack_lhs_ = emit_pack_lhs(e_, spec_, hooks_, row_tiles_, *packed_lhs_);
  if (schedule_.rhs != RhsPacking::none && !copies_strips() && !is_empty) {
    const std::int64_t rest = spec_.columns % strip_width();
    if (rest == 0 || strips_ > 1) {
      pack_rhs_[0] = emit_pack_rhs(e_, spec_, hooks_, schedule_.tile_vectors, strip_width());
    }
    if (rest != 0) {
      pack_rhs_[1] = emit_pack_rhs(e_, spec_, hooks_, schedule_.tile_vectors, static_cast<int>(rest));
    }
  }
  if (schedule_.rhs == RhsPacking::whole && !is_empty && spec_.depth > 0) {
    emit_rhs_packing_launch();
    const std::int64_t tiles = rhs_batches_ * strips_;
    plan.launches.push_back({spec_.symbol + ".pack", tiles, 0});
    plan.workspace_bytes =
        tiles * strip_width() * round_up(spec_.depth, e_.lanes) * e_.real_bytes;
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

}  // namespace

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
  HYP_CHECK(spec.lhs.batch.size() == spec.batch.size() && spec.rhs.batch.size() == spec.batch.size(),
            "one stride for each batch dimension");
  for (const ContractionOutput& output : spec.outputs) {
    HYP_CHECK(output.batch.size() == spec.batch.size(), "one stride for each batch dimension");
  }
  return ContractionEmitter(module, compute, spec, hooks, schedule).emit();
}

}  // namespace hyperion::codegen

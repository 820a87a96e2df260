// The loops around the micro-kernels of a contraction, from the parallel loop inwards.
#include "codegen/llvm/contraction_nest.hpp"

namespace hyperion::codegen {

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
    return e_.at(e_.at(tile.lhs, row, spec_.lhs.free * bytes), block.begin,
                 spec_.lhs.depth * bytes);
  }
  if (packed_lhs_->rows) {
    return e_.at(tile.scratch, e_.b.CreateSub(row, tile.first_row), packed_lhs_->row_bytes);
  }
  return e_.at(tile.scratch, e_.b.CreateSub(row_tile, tile.row_tile_begin),
               packed_lhs_->tile_bytes);
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
    partial =
        place(e_.at(tile.scratch, lhs_scratch_ + rhs_scratch_), partial_layout(),
              e_.b.CreateSub(row, tile.first_row), e_.b.CreateSub(strip.column, first_column));
  }
  Values args = {lhs_of_tile(tile, block, row_tile, row),
                 strip.rhs,
                 strip.copy,
                 partial,
                 block.count,
                 tile.batch,
                 row,
                 strip.column,
                 block.first,
                 block.last,
                 tile.buffers};
  args.insert(args.end(), outputs.begin(), outputs.end());
  e_.b.CreateCall(f, args);
}

// Row tiles [begin, end): the larger ones come first.
void ContractionEmitter::emit_row_tiles(const Tile& tile, const DepthBlock& block,
                                        const Strip& strip, llvm::Value* begin, llvm::Value* end,
                                        bool copies_rhs) {
  const auto call_for = [&](llvm::Value* from, llvm::Value* to, bool larger) {
    llvm::Function* f = micro(larger, strip.is_last, copies_rhs);
    e_.loop(from, to, 1,
            [&](llvm::Value* row_tile) { call_micro(tile, block, strip, row_tile, f); });
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
    case RhsPacking::none:
      strip.rhs = source;
      break;
    case RhsPacking::strip: {
      llvm::Value* packed = e_.at(tile.scratch, lhs_scratch_);
      if (copies_strips()) {
        llvm::Value* next = e_.add(begin, 1);
        emit_row_tiles(tile, block, {strip.column, source, packed, is_last}, begin, next, true);
        begin = next;
      } else {
        e_.b.CreateCall(pack_rhs_[is_last], {tile.rhs, packed, strip.column, block.begin,
                                             block.count, tile.batch, tile.buffers});
      }
      strip.rhs = packed;
      break;
    }
    case RhsPacking::whole: {
      const std::int64_t step = static_cast<std::int64_t>(strip_width()) * e_.real_bytes;
      strip.rhs =
          e_.at(e_.at(tile.rhs, index, round_up(spec_.depth, e_.lanes) * step), block.begin, step);
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
  llvm::Value* full_end =
      is_even ? tile.strip_end : e_.smaller(tile.strip_end, e_.number(strips_ - 1));
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
  for (const ContractionOutput& to : spec_.outputs)
    outputs.push_back(e_.buffer(buffers, to.buffer));

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
    const Values args = {
        source,       e_.at(to, index, strip_bytes), e_.times(strip, strip_width()),
        e_.number(0), e_.number(spec_.depth),        batch,
        buffers};
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

}  // namespace hyperion::codegen

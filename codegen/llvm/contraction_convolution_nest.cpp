// The loops around the micro-kernels of a convolution, from the parallel loop inwards.
#include "codegen/llvm/contraction_convolution_nest.hpp"

namespace hyperion::codegen {

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
  Values args = {lhs,
                 tile.strip_rhs,
                 tile.height,
                 width,
                 tile.tap_begin,
                 tile.tap_end,
                 batch,
                 along_batch() ? width : row,
                 column,
                 tile.first,
                 tile.last,
                 tile.buffers,
                 partial};
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
  llvm::Value* rhs = schedule_.pack_weights
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
    tile.row_end =
        e_.smaller(e_.add(tile.row_begin, schedule_.block_rows), e_.number(spec_.height.output));
    tile.strip_begin = e_.times(strip_block, schedule_.block_strips);
    tile.strip_end =
        e_.smaller(e_.add(tile.strip_begin, schedule_.block_strips), e_.number(strips_));
    tile.lhs = e_.at(e_.at(lhs, tile.image, lhs_bytes(spec_.lhs.batch)), tile.group,
                     lhs_bytes(spec_.lhs.group));
    tile.rhs = e_.at(rhs, tile.group, rhs_group_);
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      const ConvolutionOutput& to = spec_.outputs[o];
      const std::int64_t bytes = storage_bytes(to.dtype);
      tile.outputs.push_back(
          e_.at(e_.at(outputs[o], tile.image, to.batch * bytes), tile.group, to.group * bytes));
    }
    if (mapped_lhs_) tile.lhs = emit_mapped_lhs(tile);
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

// Maps the input rows that the tile meets. Returns where row 0 of the input would lie.
llvm::Value* ConvolutionEmitter::emit_mapped_lhs(const Tile& tile) {
  const WindowAxis& axis = spec_.height;
  const bool along_depth = mapped_lhs_->lanes_along_depth;
  const auto clamped = [&](llvm::Value* row) {
    llvm::Value* zero = e_.number(0);
    llvm::Value* positive = e_.b.CreateSelect(e_.b.CreateICmpSLT(row, zero), zero, row);
    return e_.smaller(e_.b.CreateUDiv(positive, e_.number(axis.input_dilation)),
                      e_.number(axis.input - 1));
  };
  const std::int64_t reach = (axis.kernel - 1) * axis.dilation - axis.padding;
  llvm::Value* first = clamped(e_.add(e_.times(tile.row_begin, axis.stride), -axis.padding));
  llvm::Value* last =
      clamped(e_.add(e_.times(e_.add(tile.row_end, -1), axis.stride), reach));
  llvm::Value* rows = e_.at(tile.scratch, partial_bytes());
  if (axis.input == 0) return rows;
  llvm::Value* image_row = e_.times(tile.image, axis.input);
  llvm::Value* first_channel = e_.times(tile.group, spec_.in_channels);
  const std::int64_t lines = along_depth ? spec_.width.input : spec_.in_channels;
  const std::int64_t length = along_depth ? spec_.in_channels : spec_.width.input;
  e_.loop(first, e_.add(last, 1), 1, [&](llvm::Value* row) {
    llvm::Value* line_base =
        e_.at(rows, e_.b.CreateSub(row, first), axis.lhs * e_.real_bytes);
    llvm::Value* batch = e_.b.CreateAdd(image_row, row);
    e_.loop(e_.number(0), e_.number(lines), 1, [&](llvm::Value* line) {
      llvm::Value* to = e_.at(line_base, line, length * e_.real_bytes);
      const auto map = [&](llvm::Value* at, llvm::Value* mask) {
        llvm::Value* channel = e_.b.CreateAdd(first_channel, along_depth ? at : line);
        PrologueSite site{e_.b, batch,        along_depth ? line : at, channel,
                          mask, tile.buffers, e_.lanes,                along_depth};
        // What a vector writes beyond its line, the next line overwrites.
        e_.b.CreateAlignedStore(hooks_.lhs_prologue(site), e_.at(to, at, e_.real_bytes),
                                llvm::Align(e_.real_bytes));
      };
      const std::int64_t whole = length - length % e_.lanes;
      e_.loop(e_.number(0), e_.number(whole), e_.lanes,
              [&](llvm::Value* at) { map(at, nullptr); });
      if (whole < length) {
        map(e_.number(whole), e_.prefix_mask(static_cast<int>(length - whole)));
      }
    });
  });
  return e_.at(rows, e_.b.CreateNeg(first), axis.lhs * e_.real_bytes);
}

// One tile of this launch packs one tap of one strip of one group.
void ConvolutionEmitter::emit_packing_launch() {
  ContractionSpec weights;
  weights.symbol = spec_.symbol;
  weights.rhs = {
      spec_.rhs.buffer, spec_.rhs.dtype, spec_.rhs.out_channel, spec_.rhs.in_channel, {}, 0};
  const auto rest = static_cast<int>(spec_.out_channels % strip_width());
  llvm::Function* pack = emit_pack_rhs(e_, weights, hooks_, schedule_.tile_vectors, strip_width());
  llvm::Function* pack_last =
      rest == 0 ? pack : emit_pack_rhs(e_, weights, hooks_, schedule_.tile_vectors, rest);
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
    llvm::Value* column = e_.times(strip, strip_width());
    llvm::Value* tap = e_.number(0);
    if (hooks_.rhs_prologue) {  // which reads by itself: columns need not count from `source`
      column = e_.b.CreateAdd(column, e_.times(rest_index, spec_.out_channels));
      tap = e_.b.CreateAdd(e_.times(tap_h, spec_.width.kernel), tap_w);
    }
    const Values args = {source,       e_.at(to, index, rhs_tap_w_),     column,
                         e_.number(0), e_.number(spec_.in_channels), tap,
                         buffers};
    llvm::Value* is_last = e_.b.CreateICmpEQ(strip, e_.number(strips_ - 1));
    e_.when(e_.b.CreateNot(is_last), {}, [&] { return e_.b.CreateCall(pack, args), Values(); });
    e_.when(is_last, {}, [&] { return e_.b.CreateCall(pack_last, args), Values(); });
  });
  e_.b.CreateRetVoid();
}

}  // namespace hyperion::codegen

#include "codegen/llvm/contraction_pack.hpp"

#include <algorithm>
#include <cstdlib>

namespace hyperion::codegen {
namespace {

// One cache line beyond a multiple of it, so that equal columns of neighbouring rows never share an
// L1 set.
constexpr std::int64_t kPitchBytes = 64;

// A strip is narrow and its rows are far apart, so no hardware prefetcher follows them: ask this
// many rows ahead.
constexpr std::int64_t kPrefetchDistance = 16;

// What the copying code of either operand needs to reach its source and its hook.
struct Source {
  const ContractionOperand& operand;
  const std::function<llvm::Value*(PrologueSite&)>& prologue;
  llvm::Value* base;
  llvm::Value* batch;
  llvm::Value* buffers;

  std::int64_t bytes() const { return storage_bytes(operand.dtype); }

  llvm::Value* at(Emit& e, llvm::Value* free, llvm::Value* depth) const {
    return e.at(e.at(base, free, operand.free * bytes()), depth, operand.depth * bytes());
  }
  // One vector of the operand, by the prologue or else by `load`. Lanes out of bounds stay zero,
  // whatever the prologue makes of them: padding must not become NaN.
  template <class Load>
  llvm::Value* vector(Emit& e, llvm::Value* free, llvm::Value* depth, llvm::Value* mask,
                      bool along_depth, Load load) const {
    if (!prologue) return load();
    PrologueSite site{e.b, batch, free, depth, mask, buffers, e.lanes, along_depth};
    llvm::Value* result = prologue(site);
    return mask == nullptr ? result : e.b.CreateSelect(mask, result, e.zero_vector());
  }
};

// A vector along the free dimension, of which `count` lanes are in bounds; if they are not adjacent, one scalar load a
// lane.
llvm::Value* load_free(Emit& e, const Source& source, llvm::Value* free, llvm::Value* depth,
                       llvm::Value* mask, int count) {
  llvm::Value* pointer = source.at(e, free, depth);
  if (source.operand.free == 1) return e.load(source.operand.dtype, pointer, mask);
  llvm::Value* value = e.zero_vector();
  for (int i = 0; i < count; ++i) {
    llvm::Value* element = e.at(pointer, i * source.operand.free * source.bytes());
    value = e.b.CreateInsertElement(value, e.load_scalar(source.operand.dtype, element), i);
  }
  return value;
}

void copy_rows(Emit& e, const Source& source, const PackedLhs& packed, llvm::Value* to,
               llvm::Value* row_begin, llvm::Value* row_end, llvm::Value* depth0,
               llvm::Value* count) {
  e.loop(row_begin, row_end, 1, [&](llvm::Value* row) {
    llvm::Value* target = e.at(to, e.b.CreateSub(row, row_begin), packed.row_bytes);
    llvm::Value* whole = e.b.CreateAnd(count, e.number(-e.lanes));
    const auto copy = [&](llvm::Value* k, llvm::Value* mask) {
      llvm::Value* depth = e.b.CreateAdd(depth0, k);
      llvm::Value* value = source.vector(e, row, depth, mask, /*along_depth=*/true, [&] {
        return e.load(source.operand.dtype, source.at(e, row, depth), mask);
      });
      // The pitch leaves room for a whole vector at the end of a row.
      e.b.CreateAlignedStore(value, e.at(target, k, e.real_bytes), llvm::Align(e.real_bytes));
    };
    e.loop(e.number(0), whole, e.lanes, [&](llvm::Value* k) { copy(k, nullptr); });
    e.when(e.b.CreateICmpSLT(whole, count), {}, [&] {
      copy(whole, e.prefix_mask(e.b.CreateSub(count, whole)));
      return Values();
    });
  });
}

// One depth step of the row tiles [begin, end), all of which have `rows` rows; `first` is the tile
// that `to` belongs to.
void copy_panel_step(Emit& e, const Source& source, const RowTiles& tiles, const PackedLhs& packed,
                     llvm::Value* to, llvm::Value* first, llvm::Value* begin, llvm::Value* end,
                     int rows, llvm::Value* depth) {
  e.loop(begin, end, 1, [&](llvm::Value* tile) {
    llvm::Value* target = e.at(to, e.b.CreateSub(tile, first), packed.tile_bytes);
    for (int r = 0; r < rows; r += e.lanes) {
      const int valid = std::min(e.lanes, rows - r);
      llvm::Value* mask = e.prefix_mask(valid);
      llvm::Value* row = e.add(tiles.first_row(e, tile), r);
      llvm::Value* value = source.vector(e, row, depth, mask, /*along_depth=*/false, [&] {
        return load_free(e, source, row, depth, mask, valid);
      });
      // Runs over into the next step, which is written later; the panel ends with a spare vector.
      e.b.CreateAlignedStore(value, e.at(target, r * e.real_bytes), llvm::Align(e.real_bytes));
    }
  });
}

// Depth outermost: the source is read in the order it lies in memory, and every panel grows by a
// step at a time.
void copy_panels(Emit& e, const Source& source, const RowTiles& tiles, const PackedLhs& packed,
                 llvm::Value* to, llvm::Value* first, llvm::Value* last, llvm::Value* depth0,
                 llvm::Value* count) {
  llvm::Value* border = e.number(tiles.extra);
  llvm::Value* larger_end = e.smaller(last, border);
  llvm::Value* smaller_begin = e.b.CreateSelect(e.b.CreateICmpSLT(first, border), border, first);
  e.loop(e.number(0), count, 1, [&](llvm::Value* k) {
    llvm::Value* depth = e.b.CreateAdd(depth0, k);
    llvm::Value* step = e.at(to, k, packed.depth_bytes);
    const auto rows = static_cast<int>(tiles.base);
    if (tiles.extra > 0) {
      copy_panel_step(e, source, tiles, packed, step, first, first, larger_end, rows + 1, depth);
    }
    copy_panel_step(e, source, tiles, packed, step, first, smaller_begin, last, rows, depth);
  });
}

// Strip columns [v * lanes, ...) of which `valid` are in bounds.
void copy_strip(Emit& e, const Source& source, int vectors, int columns, llvm::Value* to,
                llvm::Value* column0, llvm::Value* depth0, llvm::Value* count) {
  const std::int64_t width_bytes = static_cast<std::int64_t>(vectors) * e.lanes * e.real_bytes;
  e.loop(e.number(0), count, 1, [&](llvm::Value* k) {
    llvm::Value* depth = e.b.CreateAdd(depth0, k);
    llvm::Value* target = e.at(to, k, width_bytes);
    if (source.operand.free == 1 && !source.prologue) {
      llvm::Value* ahead = source.at(e, column0, e.add(depth, kPrefetchDistance));
      for (std::int64_t line = 0; line < columns * source.bytes(); line += 64) {
        e.prefetch(e.at(ahead, line), /*for_writing=*/false);
      }
    }
    for (int v = 0; v < vectors; ++v) {
      const int valid = std::clamp(columns - v * e.lanes, 0, e.lanes);
      llvm::Value* value = e.zero_vector();
      if (valid > 0) {
        llvm::Value* mask = e.prefix_mask(valid);
        llvm::Value* column = e.add(column0, v * e.lanes);
        value = source.vector(e, column, depth, mask, /*along_depth=*/false, [&] {
          return load_free(e, source, column, depth, mask, valid);
        });
      }
      e.b.CreateAlignedStore(value, e.at(target, v * e.lanes * e.real_bytes),
                             llvm::Align(e.real_bytes));
    }
  });
}

// void square(ptr from, ptr to, i64 columns, i64 steps, i64 column, i64 depth, i64 batch, ptr
// buffers): `lanes` columns x `lanes` depth steps, of which `columns` and `steps` are in bounds.
// Columns beyond repeat the last one: what the lanes of padding hold is never stored. One function
// for the whole kernel, because shuffles are slow to compile.
llvm::Function* emit_square(Emit& e, const ContractionSpec& spec, const ContractionHooks& hooks,
                            std::int64_t width_bytes) {
  const std::string name = spec.symbol + ".transpose";
  if (llvm::Function* known = e.module.getFunction(name)) return known;
  const llvm::IRBuilderBase::InsertPointGuard guard(e.b);
  llvm::Type* types[] = {e.ptr, e.ptr, e.i64, e.i64, e.i64, e.i64, e.i64, e.ptr};
  llvm::Function* f = e.begin_function(name, types, false);
  const Source source{spec.rhs, hooks.rhs_prologue, nullptr, f->getArg(6), f->getArg(7)};
  llvm::Value* mask = e.prefix_mask(f->getArg(3));
  llvm::Value* last = e.add(f->getArg(2), -1);
  Values lines;
  for (int j = 0; j < e.lanes; ++j) {
    llvm::Value* column = e.smaller(e.number(j), last);
    lines.push_back(source.vector(
        e, e.b.CreateAdd(f->getArg(4), column), f->getArg(5), mask, /*along_depth=*/true, [&] {
          return e.load(spec.rhs.dtype,
                        e.at(f->getArg(0), column, spec.rhs.free * source.bytes()), mask);
        }));
  }
  const Values steps = transpose_square(e, std::move(lines));
  for (int i = 0; i < e.lanes; ++i) {
    e.b.CreateAlignedStore(steps[static_cast<std::size_t>(i)],
                           e.at(f->getArg(1), i * width_bytes), llvm::Align(e.real_bytes));
  }
  e.b.CreateRetVoid();
  return f;
}

void transpose_strip(Emit& e, const Source& source, llvm::Function* square, int vectors,
                     int columns, llvm::Value* to, llvm::Value* column0, llvm::Value* depth0,
                     llvm::Value* count) {
  const std::int64_t width_bytes = static_cast<std::int64_t>(vectors) * e.lanes * e.real_bytes;
  e.loop(e.number(0), e.number(columns), e.lanes, [&](llvm::Value* c) {
    llvm::Value* valid = e.smaller(e.b.CreateSub(e.number(columns), c), e.number(e.lanes));
    llvm::Value* column = e.b.CreateAdd(column0, c);
    e.loop(e.number(0), count, e.lanes, [&](llvm::Value* k) {
      llvm::Value* steps = e.smaller(e.b.CreateSub(count, k), e.number(e.lanes));
      llvm::Value* depth = e.b.CreateAdd(depth0, k);
      llvm::Value* target = e.at(e.at(to, k, width_bytes), c, e.real_bytes);
      e.b.CreateCall(square, {source.at(e, column, depth), target, valid, steps, column, depth,
                              source.batch, source.buffers});
    });
  });
}

}  // namespace

RowTiles RowTiles::split(std::int64_t rows, int tile_rows) {
  RowTiles tiles;
  tiles.count = (rows + tile_rows - 1) / tile_rows;
  if (tiles.count > 0) {
    tiles.base = rows / tiles.count;
    tiles.extra = rows % tiles.count;
  }
  return tiles;
}

llvm::Value* RowTiles::first_row(Emit& e, llvm::Value* tile) const {
  llvm::Value* row = e.times(tile, base);
  return extra == 0 ? row : e.b.CreateAdd(row, e.smaller(tile, e.number(extra)));
}

PackedLhs PackedLhs::of(const Emit& e, const ContractionSpec& spec,
                        const ContractionSchedule& schedule, const RowTiles& tiles,
                        std::int64_t depth_block) {
  PackedLhs packed;
  packed.rows = spec.lhs.lanes_along_depth(/*is_lhs=*/true);
  const std::int64_t row_tiles = std::min(schedule.block_row_tiles, tiles.count);
  if (packed.rows) {
    packed.row_bytes = round_up(depth_block * e.real_bytes, 64) + kPitchBytes;
    packed.row_bytes += e.lanes * e.real_bytes;
    packed.depth_bytes = e.real_bytes;
    packed.block_bytes = row_tiles * tiles.largest() * packed.row_bytes;
  } else {
    packed.row_bytes = e.real_bytes;
    packed.depth_bytes = static_cast<std::int64_t>(tiles.largest()) * e.real_bytes;
    packed.tile_bytes = round_up(depth_block * packed.depth_bytes + e.lanes * e.real_bytes, 64);
    packed.block_bytes = row_tiles * packed.tile_bytes;
  }
  packed.block_bytes = round_up(packed.block_bytes, 64);
  return packed;
}

llvm::Function* emit_pack_lhs(Emit& e, const ContractionSpec& spec, const ContractionHooks& hooks,
                              const RowTiles& tiles, const PackedLhs& packed) {
  const llvm::IRBuilderBase::InsertPointGuard guard(e.b);
  llvm::Type* types[] = {e.ptr, e.ptr, e.i64, e.i64, e.i64, e.i64, e.i64, e.ptr};
  llvm::Function* f = e.begin_function(spec.symbol + ".pack_lhs", types, false);
  const Source source{spec.lhs, hooks.lhs_prologue, f->getArg(0), f->getArg(6), f->getArg(7)};
  llvm::Value* to = f->getArg(1);
  llvm::Value* first = f->getArg(2);
  llvm::Value* last = f->getArg(3);
  llvm::Value* depth0 = f->getArg(4);
  llvm::Value* count = f->getArg(5);
  if (packed.rows) {
    copy_rows(e, source, packed, to, tiles.first_row(e, first), tiles.first_row(e, last), depth0,
              count);
  } else {
    copy_panels(e, source, tiles, packed, to, first, last, depth0, count);
  }
  e.b.CreateRetVoid();
  return f;
}

llvm::Function* emit_pack_rhs(Emit& e, const ContractionSpec& spec, const ContractionHooks& hooks,
                              int strip_vectors, int columns) {
  const llvm::IRBuilderBase::InsertPointGuard guard(e.b);
  llvm::Type* types[] = {e.ptr, e.ptr, e.i64, e.i64, e.i64, e.i64, e.ptr};
  llvm::Function* f = e.begin_function(spec.symbol + ".pack_rhs", types, false);
  const Source source{spec.rhs, hooks.rhs_prologue, f->getArg(0), f->getArg(5), f->getArg(6)};
  llvm::Value* to = f->getArg(1);
  llvm::Value *column = f->getArg(2), *depth = f->getArg(3), *count = f->getArg(4);
  if (spec.rhs.depth == 1 && spec.rhs.free != 1) {
    const std::int64_t width_bytes =
        static_cast<std::int64_t>(strip_vectors) * e.lanes * e.real_bytes;
    transpose_strip(e, source, emit_square(e, spec, hooks, width_bytes), strip_vectors, columns, to,
                    column, depth, count);
  } else {
    copy_strip(e, source, strip_vectors, columns, to, column, depth, count);
  }
  e.b.CreateRetVoid();
  return f;
}

}  // namespace hyperion::codegen

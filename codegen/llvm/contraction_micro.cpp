#include "codegen/llvm/contraction_micro.hpp"

#include "ir/support/check.hpp"

namespace hyperion::codegen {
namespace {

// Below this many steps the loop is written out: a loop would cost as much as its body.
constexpr std::int64_t kLargestUnrolledDepth = 4;

// How many steps ahead the loop that copies rhs asks for it: a step takes some twenty clocks,
// memory some hundreds.
constexpr std::int64_t kCopyPrefetchDistance = 16;

// A tile of fewer steps is finished before a prefetch would be.
constexpr std::int64_t kPrefetchedDepth = 6;

// The lanes of vector `v` that are in bounds, or nullptr for all.
llvm::Value* column_mask(Emit& e, const TileShape& tile, int v) {
  return v + 1 < tile.vectors ? nullptr : e.prefix_mask(tile.last_lanes);
}

// What moves from step to step: the operands, and the copy of rhs if there is one.
struct Pointers {
  llvm::Value *lhs, *rhs, *copy;
};

// The same, `steps` further.
Pointers ahead(Emit& e, const TileShape& tile, const DepthStreams& streams, const Pointers& at,
               std::int64_t steps) {
  const std::int64_t copied =
      static_cast<std::int64_t>(tile.copy_vectors()) * e.lanes * e.real_bytes;
  return {e.at(at.lhs, steps * streams.lhs_depth), e.at(at.rhs, steps * streams.rhs_depth),
          at.copy == nullptr ? nullptr : e.at(at.copy, steps * copied)};
}

void emit_depth_step(Emit& e, const TileShape& tile, const DepthStreams& streams,
                     const DepthLoop& loop, const Pointers& at, Values& acc) {
  const std::int64_t vector_bytes = e.lanes * storage_bytes(streams.rhs_dtype);
  Values columns;
  for (int v = 0; v < tile.vectors; ++v) {
    llvm::Value* mask = streams.rhs_is_padded ? nullptr : column_mask(e, tile, v);
    columns.push_back(e.load(streams.rhs_dtype, e.at(at.rhs, v * vector_bytes), mask));
    if (at.copy == nullptr) continue;
    e.prefetch(e.at(at.rhs, kCopyPrefetchDistance * streams.rhs_depth + v * vector_bytes), false);
    e.b.CreateAlignedStore(columns.back(), e.at(at.copy, v * e.lanes * e.real_bytes),
                           llvm::Align(e.real_bytes));
  }
  for (int r = loop.row_begin; r < loop.row_end; ++r) {
    llvm::Value* scalar = e.load_scalar(streams.lhs_dtype, e.at(at.lhs, r * streams.lhs_row));
    llvm::Value* splat = e.b.CreateVectorSplat(e.lanes, scalar);
    for (int v = 0; v < tile.vectors; ++v) {
      llvm::Value*& sum = acc[static_cast<std::size_t>(r * tile.vectors + v)];
      sum = e.fma(splat, columns[static_cast<std::size_t>(v)], sum);
    }
  }
}

// `state` is the accumulators, then the pointers.
Values emit_counted_steps(Emit& e, const TileShape& tile, const DepthStreams& streams,
                          const DepthLoop& loop, llvm::Value* end, int steps, bool may_be_empty,
                          Values state) {
  const std::size_t sums = static_cast<std::size_t>(tile.rows * tile.vectors);
  return e.loop(e.number(0), end, steps, state, may_be_empty, [&](llvm::Value*, const Values& in) {
    Values acc(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(sums));
    const Pointers at{in[sums], in[sums + 1], in.size() > sums + 2 ? in[sums + 2] : nullptr};
    for (int u = 0; u < steps; ++u) {
      emit_depth_step(e, tile, streams, loop, ahead(e, tile, streams, at, u), acc);
    }
    const Pointers next = ahead(e, tile, streams, at, steps);
    acc.push_back(next.lhs), acc.push_back(next.rhs);
    if (next.copy != nullptr) acc.push_back(next.copy);
    return acc;
  });
}

}  // namespace

Values emit_depth_loop(Emit& e, const TileShape& tile, const DepthStreams& streams,
                       const DepthLoop& loop, Values acc) {
  const std::int64_t known = loop.known_count;
  const Pointers start{loop.lhs, loop.rhs, loop.copy_to};
  if (known > 0 && known <= kLargestUnrolledDepth) {
    for (std::int64_t k = 0; k < known; ++k) {
      emit_depth_step(e, tile, streams, loop, ahead(e, tile, streams, start, k), acc);
    }
    return acc;
  }
  const std::size_t sums = acc.size();
  acc.push_back(loop.lhs), acc.push_back(loop.rhs);
  if (loop.copy_to != nullptr) acc.push_back(loop.copy_to);
  const int unroll = loop.unroll;
  if (unroll > 1 && (known == 0 || known >= unroll)) {
    llvm::Value* whole =
        known > 0 ? e.number(known - known % unroll) : e.b.CreateAnd(loop.count, e.number(-unroll));
    HYP_CHECK((unroll & (unroll - 1)) == 0, "unroll factors are powers of two");
    acc = emit_counted_steps(e, tile, streams, loop, whole, unroll, known == 0, std::move(acc));
    llvm::Value* rest = e.b.CreateSub(loop.count, whole);
    if (known == 0 || known % unroll != 0) {
      acc = emit_counted_steps(e, tile, streams, loop, rest, 1, known == 0, std::move(acc));
    }
  } else {
    acc = emit_counted_steps(e, tile, streams, loop, loop.count, 1, known == 0, std::move(acc));
  }
  acc.resize(sums);
  return acc;
}

namespace {

// Calls `visit(r, v, pointer, mask)` for each vector of the tile as it lies in `matrix`.
template <class Visit>
void for_each_vector(Emit& e, const TileShape& tile, const ContractionOutput& matrix,
                     std::int64_t row_step, llvm::Value* pointer, Visit visit) {
  const std::int64_t bytes = storage_bytes(matrix.dtype);
  for (int r = 0; r < tile.rows; ++r) {
    for (int v = 0; v < tile.vectors; ++v) {
      const std::int64_t offset = r * row_step * matrix.row + v * e.lanes * matrix.column;
      visit(r, v, e.at(pointer, offset * bytes), column_mask(e, tile, v));
    }
  }
}

int lanes_in_bounds(Emit& e, const TileShape& tile, int v) {
  return v + 1 < tile.vectors ? e.lanes : tile.last_lanes;
}

llvm::Value* load_vector(Emit& e, const ContractionOutput& from, llvm::Value* pointer,
                         llvm::Value* mask, int count) {
  if (from.column == 1) return e.load(from.dtype, pointer, mask);
  llvm::Value* result = e.zero_vector();
  for (int i = 0; i < count; ++i) {
    llvm::Value* where = e.at(pointer, i * from.column * storage_bytes(from.dtype));
    result = e.b.CreateInsertElement(result, e.load_scalar(from.dtype, where), i);
  }
  return result;
}

void store_vector(Emit& e, const ContractionOutput& to, llvm::Value* value, llvm::Value* pointer,
                  llvm::Value* mask, int count) {
  if (to.column == 1) return e.store(to.dtype, value, pointer, mask);
  llvm::Value* raw = e.narrow(to.dtype, value);
  const std::int64_t bytes = storage_bytes(to.dtype);
  for (int i = 0; i < count; ++i) {
    e.b.CreateAlignedStore(e.b.CreateExtractElement(raw, i), e.at(pointer, i * to.column * bytes),
                           llvm::Align(byte_size(to.dtype)));
  }
}

}  // namespace

void prefetch_tile(Emit& e, const TileShape& tile, const ContractionOutput& to,
                   std::int64_t row_step, llvm::Value* pointer, std::int64_t steps) {
  if (to.column != 1 || steps < kPrefetchedDepth) return;
  const std::int64_t bytes = storage_bytes(to.dtype);
  for (int r = 0; r < tile.rows; ++r) {
    for (std::int64_t line = 0; line < tile.vectors * e.lanes * bytes; line += 64) {
      e.prefetch(e.at(pointer, r * row_step * to.row * bytes + line), /*for_writing=*/true);
    }
  }
}

void emit_epilogue(Emit& e, const TileShape& tile, const std::vector<ContractionOutput>& outputs,
                   const std::function<void(EpilogueSite&)>& hook, const TilePlace& place,
                   const Values& accumulators) {
  const auto pointer_in = [&](std::size_t o, int r, int v) {
    const ContractionOutput& to = outputs[o];
    const std::int64_t offset = r * place.memory_step * to.row + v * e.lanes * to.column;
    return e.at(place.outputs[o], offset * storage_bytes(to.dtype));
  };
  for (int r = 0; r < tile.rows; ++r) {
    for (int v = 0; v < tile.vectors; ++v) {
      llvm::Value* acc = accumulators[r * tile.vectors + v];
      llvm::Value* mask = column_mask(e, tile, v);
      Values values(outputs.size(), acc);
      if (hook) {
        EpilogueSite site{e.b,
                          acc,
                          e.add(place.batch, r * place.batch_step),
                          e.add(place.row, r * place.row_step),
                          e.add(place.column, v * e.lanes),
                          mask,
                          place.buffers,
                          e.lanes,
                          std::move(values)};
        hook(site);
        values = std::move(site.values);
      }
      for (std::size_t o = 0; o < outputs.size(); ++o) {
        if (values[o] == nullptr) continue;
        store_vector(e, outputs[o], values[o], pointer_in(o, r, v), mask,
                     lanes_in_bounds(e, tile, v));
      }
    }
  }
}

Values load_tile(Emit& e, const TileShape& tile, const ContractionOutput& from,
                 std::int64_t row_step, llvm::Value* pointer) {
  Values values;
  for_each_vector(
      e, tile, from, row_step, pointer, [&](int, int v, llvm::Value* where, llvm::Value* mask) {
        values.push_back(load_vector(e, from, where, mask, lanes_in_bounds(e, tile, v)));
      });
  return values;
}

void store_tile(Emit& e, const TileShape& tile, const ContractionOutput& to, std::int64_t row_step,
                llvm::Value* pointer, const Values& values) {
  for_each_vector(
      e, tile, to, row_step, pointer, [&](int r, int v, llvm::Value* where, llvm::Value* mask) {
        store_vector(e, to, values[r * tile.vectors + v], where, mask, lanes_in_bounds(e, tile, v));
      });
}

}  // namespace hyperion::codegen

#include "codegen/lower/lower_transposition.hpp"

#include <algorithm>

namespace hyperion::codegen {
namespace {

using ir::Term;
using ir::TermId;
using ir::TermKind;
using ir::TermPool;
using ir::Value;
using ir::VariableId;

// Below, a gather costs less than the time to compile a square.
constexpr std::int64_t kFewestElements = 4096;

// Accesses that are computed whatever the indices are: those under a guard need its mask.
void collect_unguarded(const TermPool& pool, TermId root, std::set<TermId>& seen, std::vector<TermId>& out) {
  if (!seen.insert(root).second) return;
  const Term& term = pool[root];
  if (term.kind == TermKind::access) out.push_back(root);
  if (term.kind != TermKind::scalar) return;
  for (TermId arg : term.args) collect_unguarded(pool, arg, seen, out);
}

bool reduces(const TermPool& pool, TermId root) {
  bool found = false;
  std::set<TermId> seen;
  for_each_term(pool, root, seen, [&](TermId, const Term& term) {
    found |= term.kind == TermKind::reduce || term.kind == TermKind::fold;
  });
  return found;
}

// The axis along which the access reads neighbours, if the last one is not it.
std::optional<std::size_t> axis_across(const MapNest& nest, TermId access) {
  const TermPool& pool = nest.composed.pool;
  const TermPool::Affine offset = pool.affine(pool[access].args[0]);
  const auto stride = [&](std::size_t axis) {
    for (const auto& [atom, coefficient] : offset.parts) {
      const Term& term = pool[atom];
      if (term.kind == TermKind::index_variable && term.variable == nest.variables[axis]) return coefficient;
    }
    return std::int64_t{0};
  };
  const std::size_t last = nest.variables.size() - 1;
  if (stride(last) == 0 || stride(last) == 1) return std::nullopt;
  for (const auto& [atom, coefficient] : offset.parts) {
    // Everything else must be the same for the whole tile.
    if (pool[atom].kind != TermKind::index_variable && mentions(pool, atom, nest.variables[last])) return std::nullopt;
  }
  for (std::size_t axis = 0; axis < last; ++axis) {
    if (stride(axis) != 1) continue;
    for (const auto& [atom, coefficient] : offset.parts) {
      if (pool[atom].kind != TermKind::index_variable && mentions(pool, atom, nest.variables[axis])) return std::nullopt;
    }
    return axis;
  }
  return std::nullopt;
}

class TileWriter {
 public:
  TileWriter(KernelWriter& writer, MapNest& nest, const TransposedTiles& tiles, const std::vector<ir::ValueId>& results,
             const LoweringTarget& target)
      : writer_(writer), b_(writer.builder()), nest_(nest), pool_(nest.composed.pool), tiles_(tiles), results_(results),
        target_(target), columns_(nest.variables.back()), across_(nest.variables[tiles.across]),
        first_row_(pool_.variable(pool_.extent(across_))) {}

  // One tile of the parallel loop is a block of rows, all its columns: outer indices, block.
  std::int64_t write() {
    const std::int64_t rows = pool_.extent(across_).value(), columns = pool_.extent(columns_).value();
    const std::int64_t blocks = (rows + tiles_.lanes - 1) / tiles_.lanes;
    // Many teams want many tiles: there, each square is one.
    const std::int64_t squares = target_.has_teams ? (columns + tiles_.lanes - 1) / tiles_.lanes : 1;
    std::int64_t count = blocks * squares;
    for (std::size_t axis = 0; axis + 1 < nest_.variables.size(); ++axis) {
      if (axis != tiles_.across) count *= nest_.extent(axis);
    }
    const Value tiles = number(count);
    const Value tile = writer_.open_loop(number(0), tiles, 1, {}, true);
    Value rest = tile;
    const auto digit = [&](std::int64_t size) {
      const Value value = b_.apply("rem", {rest, number(size)});
      rest = b_.apply("div", {rest, number(size)});
      return value;
    };
    const Value square = target_.has_teams ? digit(squares) : Value{};
    first_ = b_.apply("mul", {digit(blocks), number(tiles_.lanes)});
    writer_.bind(first_row_, first_);
    for (std::size_t axis = nest_.variables.size() - 1; axis-- > 0;) {
      if (axis != tiles_.across) writer_.bind(nest_.variables[axis], digit(nest_.extent(axis)));
    }
    if (rows % tiles_.lanes != 0) bind_ragged_rows(rows);
    if (target_.has_teams) {
      const Value first = b_.apply("mul", {square, number(tiles_.lanes)});
      writer_.bind_lanes(columns_, first, tiles_.lanes, columns % tiles_.lanes == 0 ? Value{} : in_bounds(first, columns));
      write_square(columns);
    } else {
      const Value end = number(columns);
      writer_.for_lanes(columns_, number(0), end, columns, tiles_.lanes, {},
                        [&](std::span<const Value>) -> std::vector<Value> {
                          write_square(columns);
                          return {};
                        });
    }
    writer_.close_loop();
    b_.apply_all("return", {});
    return count;
  }

 private:
  Value number(std::int64_t value) { return writer_.constant_index(value); }

  Value splat(Value scalar) {
    return b_.apply("broadcast", {scalar}, {{"shape", ir::Dims{Dim(tiles_.lanes)}}, {"dims", ir::Integers{}}});
  }

  // The last block reaches beyond the last row: there, that row is read again, and nothing is stored.
  void bind_ragged_rows(std::int64_t rows) {
    row_mask_ = in_bounds(first_, rows);
    for (int row = 0; row < tiles_.lanes; ++row) {
      ragged_rows_.push_back(pool_.variable(Dim(rows)));
      const Value index = b_.apply("add", {first_, number(row)});
      writer_.bind(ragged_rows_.back(), b_.apply("min", {index, number(rows - 1)}));
      is_row_.push_back(b_.compare(index, number(rows), "lt"));
    }
  }

  // Which of the lanes from `first` on are below `count`.
  Value in_bounds(Value first, std::int64_t count) {
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(tiles_.lanes));
    for (std::size_t l = 0; l < numbers.size(); ++l) numbers[l] = static_cast<std::int64_t>(l);
    const Value lanes = b_.constant(Literal::make(Type(DType::i64, {Dim(tiles_.lanes)}), std::as_bytes(std::span(numbers))));
    const Value row = b_.apply("affine", {first, lanes}, {{"coefficients", ir::Integers{1, 1}}});
    return b_.compare(row, splat(number(count)), "lt");
  }

  TermId in_row(TermId term, std::int64_t row) {
    const TermId index = ragged_rows_.empty() ? pool_.add(pool_.index(first_row_), pool_.index(Dim(row)))
                                              : pool_.index(ragged_rows_[static_cast<std::size_t>(row)]);
    return rename(pool_, term, {{across_, index}});
  }

  void write_square(std::int64_t columns) {
    std::vector<std::vector<Value>> transposed;
    for (TermId access : tiles_.accesses) transposed.push_back(read_square(access, columns));
    for (int row = 0; row < tiles_.lanes; ++row) {
      for (std::size_t k = 0; k < tiles_.accesses.size(); ++k) {
        writer_.define(in_row(tiles_.accesses[k], row), transposed[k][static_cast<std::size_t>(row)]);
      }
      if (!is_row_.empty()) writer_.set_store_mask(is_row_[static_cast<std::size_t>(row)]);
      for (const MapNest::Output& output : nest_.outputs) writer_.element(in_row(output.body, row));
      for (std::size_t k = 0; k < nest_.outputs.size(); ++k) {
        const MapNest::Output& output = nest_.outputs[k];
        const bool streams = streams_to_memory(target_, nest_.composed.output_types[k], columns, tiles_.lanes) &&
                             is_row_.empty() && columns % tiles_.lanes == 0;
        writer_.store(in_row(output.body, row), results_[k], in_row(output.offset, row), streams);
      }
    }
    writer_.set_store_mask({});
  }

  // Vector c runs along the rows at column c; transposed, vector r runs along the columns of row r.
  std::vector<Value> read_square(TermId access, std::int64_t columns) {
    const Term term = pool_[access];
    const TermId lane = pool_.index(columns_);
    const std::int64_t stride = pool_.affine(term.args[0]).coefficient(lane);
    const TermId corner = rename(pool_, pool_.subtract(term.args[0], pool_.scale(lane, stride)),
                                 {{across_, pool_.index(first_row_)}});
    const Value base = writer_.index(corner), first_column = writer_.first_lane();
    std::vector<Value> vectors;
    for (int c = 0; c < tiles_.lanes; ++c) {
      Value column = b_.apply("add", {first_column, number(c)});
      // Beyond the last column any element will do: it is not stored.
      if (writer_.lane_mask().valid()) column = b_.apply("min", {column, number(columns - 1)});
      const Value at = b_.apply("affine", {base, column}, {{"coefficients", ir::Integers{1, stride}}});
      std::vector<Value> operands{writer_.buffer(static_cast<int>(term.value)), at};
      if (row_mask_.valid()) operands.push_back(row_mask_);
      vectors.push_back(b_.apply("load", operands, {{"lanes", std::int64_t{tiles_.lanes}}}));
    }
    return b_.apply_all("transpose_lanes", vectors);
  }

  KernelWriter& writer_;
  ir::Builder& b_;
  MapNest& nest_;
  TermPool& pool_;
  const TransposedTiles& tiles_;
  const std::vector<ir::ValueId>& results_;
  const LoweringTarget& target_;
  VariableId columns_, across_;
  VariableId first_row_;  // of the block; stands for `across` in what is written
  Value first_;
  // Where the last block is not whole: which lanes along the rows exist, and for each row its variable and existence.
  Value row_mask_;
  std::vector<VariableId> ragged_rows_;
  std::vector<Value> is_row_;
};

}  // namespace

std::optional<TransposedTiles> find_transposed_tiles(const MapNest& nest, const LoweringTarget& target) {
  if (nest.variables.size() < 2) return std::nullopt;
  const TermPool& pool = nest.composed.pool;
  TransposedTiles tiles;
  std::size_t widest = 4;
  for (std::size_t k = 0; k < nest.outputs.size(); ++k) {
    if (!nest.is_full(nest.outputs[k]) || reduces(pool, nest.outputs[k].body)) return std::nullopt;
    widest = std::max(widest, byte_size(nest.composed.output_types[k].dtype()));
  }
  std::vector<TermId> reads;
  std::set<TermId> seen;
  for (const MapNest::Output& output : nest.outputs) collect_unguarded(pool, output.body, seen, reads);
  for (TermId access : reads) {
    const std::optional<std::size_t> axis = axis_across(nest, access);
    // Bits of bool vectors are not shuffled; a second direction would need tiles of its own.
    if (!axis || is_boolean(pool[access].dtype) || (!tiles.accesses.empty() && *axis != tiles.across)) continue;
    tiles.across = *axis;
    tiles.accesses.push_back(access);
    widest = std::max(widest, byte_size(pool[access].dtype));
  }
  tiles.lanes = target.vector_bytes / static_cast<int>(widest);
  const auto is_long = [&](std::size_t axis) { return nest.extent(axis) >= tiles.lanes / 2; };
  if (tiles.accesses.empty() || !is_long(tiles.across) || !is_long(nest.variables.size() - 1)) return std::nullopt;
  std::int64_t elements = 1;
  for (std::size_t axis = 0; axis < nest.variables.size(); ++axis) elements *= nest.extent(axis);
  if (elements < kFewestElements) return std::nullopt;
  return tiles;
}

void write_transposed_tiles(KernelWriter& writer, MapNest& nest, const TransposedTiles& tiles,
                            const std::vector<ir::ValueId>& results, const LoweringTarget& target, Lowered& out) {
  out.tiles = TileWriter(writer, nest, tiles, results, target).write();
}

}  // namespace hyperion::codegen

#include "codegen/lower/lower_columns.hpp"

#include <algorithm>
#include <bit>

namespace hyperion::codegen {
namespace {

using ir::Term;
using ir::TermId;
using ir::TermKind;
using ir::TermPool;
using ir::Value;
using ir::VariableId;

// Fewer rows are added up by the thread that needs the sum.
constexpr std::int64_t kFewestRows = 16;

std::vector<std::int64_t> sizes_of(const TermPool& pool, const Term& reduce) {
  std::vector<std::int64_t> sizes;
  for (TermId extent : reduce.extents()) sizes.push_back(pool[extent].value);
  return sizes;
}

std::int64_t row_count(const TermPool& pool, const Term& reduce) {
  std::int64_t count = 1;
  for (std::int64_t size : sizes_of(pool, reduce)) count *= size;
  return count;
}

// Those that are computed whatever the indices are, the inner ones first; `all` is false if there are others.
struct Reductions {
  std::vector<TermId> terms;
  bool all = true;
};

void collect(const TermPool& pool, TermId root, bool is_free, std::set<std::pair<TermId, bool>>& seen,
             Reductions& out) {
  if (!seen.insert({root, is_free}).second) return;
  const Term& term = pool[root];
  const bool inner = is_free && (term.kind == TermKind::scalar || term.kind == TermKind::reduce);
  for (TermId arg : term.args) collect(pool, arg, inner, seen, out);
  if (term.kind == TermKind::fold) out.all = false;
  if (term.kind != TermKind::reduce) return;
  out.all &= is_free;
  if (std::ranges::find(out.terms, root) == out.terms.end()) out.terms.push_back(root);
}

Reductions reductions_of(const MapNest& nest) {
  Reductions out;
  std::set<std::pair<TermId, bool>> seen;
  for (const MapNest::Output& output : nest.outputs) collect(nest.composed.pool, output.body, true, seen, out);
  return out;
}

bool is_bound_by(const Term& reduce, VariableId variable) {
  return variable.index >= reduce.variable.index && variable.index < reduce.variable.index + reduce.variable_count;
}

// Whether what is summed lies side by side along `column`, at least once, and nowhere further apart.
bool runs_along(const TermPool& pool, const Term& reduce, VariableId column) {
  bool found = false, apart = false;
  std::set<TermId> seen;
  for_each_term(pool, reduce.body(), seen, [&](TermId, const Term& term) {
    if (term.kind != TermKind::access) return;
    for (const auto& [atom, coefficient] : pool.affine(term.args[0]).parts) {
      if (!mentions(pool, atom, column)) continue;
      const bool is_plain = pool[atom].kind == TermKind::index_variable;
      found |= is_plain && coefficient == 1;
      apart |= !is_plain || coefficient != 1;
    }
  });
  return found && !apart;
}

class ColumnWriter {
 public:
  ColumnWriter(KernelWriter& writer, MapNest& nest, const ColumnTiles& tiles, Lowered& out)
      : writer_(writer), b_(writer.builder()), nest_(nest), pool_(nest.composed.pool), tiles_(tiles), out_(out) {}

  void write(const std::vector<ir::ValueId>& results) {
    const std::int64_t length = nest_.extent(nest_.variables.size() - 1),
                       lanes = std::int64_t{tiles_.threads} * tiles_.chunk;
    place_variables(length, lanes);
    const Value tile = writer_.open_loop(writer_.constant_index(0), writer_.constant_index(out_.tiles), 1, {}, true);
    writer_.bind(tile_, tile);
    bind(Value{});
    // The last tile may reach beyond the columns.
    Value exists;
    if (length % tiles_.columns != 0) exists = below(column_, length);
    bind(exists);
    for (TermId reduction : reductions_of(nest_).terms) writer_.define(reduction, sum(reduction));
    // What follows, the first row of threads does for all.
    const Value is_first = below(pool_.index(lane_), tiles_.columns);
    bind(exists.valid() ? b_.apply("and", {is_first, exists}) : is_first);
    for (const MapNest::Output& output : nest_.outputs) writer_.element(output.body);
    for (std::size_t k = 0; k < nest_.outputs.size(); ++k)
      writer_.store(nest_.outputs[k].body, results[k], nest_.outputs[k].offset);
    writer_.close_loop();
    b_.apply_all("return", {});
  }

 private:
  // Tile and lane in place of the nest's own variables.
  void place_variables(std::int64_t length, std::int64_t lanes) {
    std::vector<std::int64_t> sizes;
    for (std::size_t k = 0; k + 1 < nest_.variables.size(); ++k) sizes.push_back(nest_.extent(k));
    sizes.push_back((length + tiles_.columns - 1) / tiles_.columns);
    out_.tiles = 1;
    for (std::int64_t size : sizes) out_.tiles *= size;
    tile_ = pool_.variable(Dim(out_.tiles));
    lane_ = pool_.variable(Dim(lanes));
    std::vector<TermId> indices = digits(pool_, pool_.index(tile_), sizes);
    column_ = pool_.add(pool_.scale(indices.back(), tiles_.columns), pool_.modulo(pool_.index(lane_), tiles_.columns));
    row_ = pool_.divide(pool_.index(lane_), tiles_.columns);
    indices.back() = column_;
    std::map<VariableId, TermId> replacement;
    for (std::size_t k = 0; k < indices.size(); ++k) replacement[nest_.variables[k]] = indices[k];
    for (MapNest::Output& output : nest_.outputs) {
      output.body = rename(pool_, output.body, replacement);
      output.offset = rename(pool_, output.offset, replacement);
    }
  }

  void bind(Value mask) { writer_.bind_lanes(lane_, writer_.constant_index(0), tiles_.threads * tiles_.chunk, mask); }

  Value below(TermId index, std::int64_t bound) {
    return b_.compare(writer_.index(index), writer_.splat(writer_.constant_index(bound)), "lt");
  }

  Value sum(TermId reduction) {
    const Term reduce = pool_[reduction];
    const std::int64_t rows = row_count(pool_, reduce), step = tiles_.rows(), whole = rows - rows % step;
    const std::string_view combine = ir::combine_op(reduce.monoid).name;
    Value total = writer_.splat(identity_of(b_, reduce, Type::scalar(reduce.dtype)));
    if (whole > 0) {
      const VariableId first = pool_.variable(Dim(whole - step + 1));
      const Value at =
          writer_.open_loop(writer_.constant_index(0), writer_.constant_index(whole), step, std::span(&total, 1));
      writer_.bind(first, at);
      const Value next = term_at(reduce, pool_.add(pool_.index(first), row_));
      const Value combined = b_.apply(combine, {writer_.carried(0), next});
      total = writer_.close_loop(std::span(&combined, 1))[0];
    }
    if (whole < rows) {
      // Lanes beyond the last row take another row's element, and do without.
      const TermId row = pool_.add(pool_.index(Dim(whole)), row_);
      const Value next = term_at(reduce, pool_.modulo(row, rows));
      total = b_.select(below(row, rows), b_.apply(combine, {total, next}), total);
    }
    return b_.apply("reduce_columns", {total},
                    {{"kind", std::string(ir::monoid_name(reduce.monoid))}, {"columns", std::int64_t{tiles_.columns}}});
  }

  // What the reduction combines in this row.
  Value term_at(const Term& reduce, TermId row) {
    const std::vector<TermId> indices = digits(pool_, row, sizes_of(pool_, reduce));
    std::map<VariableId, TermId> replacement;
    for (std::uint32_t k = 0; k < reduce.variable_count; ++k)
      replacement[VariableId{reduce.variable.index + k}] = indices[k];
    return writer_.splat(writer_.element(rename(pool_, reduce.body(), replacement)));
  }

  KernelWriter& writer_;
  ir::Builder& b_;
  MapNest& nest_;
  TermPool& pool_;
  const ColumnTiles tiles_;
  Lowered& out_;
  VariableId tile_, lane_;
  TermId column_, row_;  // of a lane; the row among those that a tile takes at once
};

}  // namespace

std::optional<ColumnTiles> find_column_tiles(const MapNest& nest, const LoweringTarget& target, int chunk) {
  if (target.bitwise || nest.variables.empty()) return std::nullopt;
  if (!std::ranges::all_of(nest.outputs, [&](const MapNest::Output& output) { return nest.is_full(output); }))
    return std::nullopt;
  const TermPool& pool = nest.composed.pool;
  const VariableId column = nest.variables.back();
  const Reductions reductions = reductions_of(nest);
  if (!reductions.all || reductions.terms.empty()) return std::nullopt;
  std::int64_t rows = 0;
  for (TermId id : reductions.terms) {
    const Term& reduce = pool[id];
    if (is_bound_by(reduce, column) || !runs_along(pool, reduce, column)) return std::nullopt;
    rows = std::max(rows, row_count(pool, reduce));
  }
  if (rows < kFewestRows) return std::nullopt;
  const std::int64_t length = nest.extent(nest.variables.size() - 1);
  std::int64_t outer = 1;
  for (std::size_t k = 0; k + 1 < nest.variables.size(); ++k) outer *= nest.extent(k);
  ColumnTiles tiles{.chunk = length % chunk == 0 ? chunk : 1};
  // As wide as a warp; narrower, down to a line of memory, where that gives more processors something to do.
  constexpr int kWarp = 32, kLine = 8;
  const auto chunks = std::bit_ceil(static_cast<std::uint64_t>((length + tiles.chunk - 1) / tiles.chunk));
  int threads = static_cast<int>(std::min<std::uint64_t>(chunks, kWarp));
  const auto tile_count = [&] { return outer * ((length + threads * tiles.chunk - 1) / (threads * tiles.chunk)); };
  while (threads > kLine && tile_count() < target.processors) threads /= 2;
  tiles.columns = threads * tiles.chunk;
  while (tiles.threads > kWarp && tiles.rows() > rows) tiles.threads /= 2;
  return tiles;
}

void write_columns(KernelWriter& writer, MapNest& nest, const ColumnTiles& tiles,
                   const std::vector<ir::ValueId>& results, Lowered& out) {
  out.team = {.threads = tiles.threads, .chunk = tiles.chunk};
  ColumnWriter(writer, nest, tiles, out).write(results);
}

}  // namespace hyperion::codegen

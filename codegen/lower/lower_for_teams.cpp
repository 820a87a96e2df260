#include "codegen/lower/lower_for_teams.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "codegen/lower/kernel_writer.hpp"
#include "codegen/lower/lower_columns.hpp"
#include "codegen/lower/lower_transposition.hpp"
#include "codegen/lower/map_nest.hpp"

namespace hyperion::codegen {
namespace {

using ir::Term;
using ir::TermId;
using ir::TermKind;
using ir::Value;
using ir::ValueId;
using ir::VariableId;

constexpr int kAccessBytes = 16;  // most that a thread moves at once
constexpr int kWarp = 32;
constexpr int kFlatThreads = 256;
constexpr int kMostThreads = 1024;
constexpr int kHeldElements = 32;  // of a row, by one thread; more, and registers run out in long chains
// Waves of blocks that keep every processor busy; with fewer elements, threads take less each.
constexpr std::int64_t kThreadsPerProcessor = 2048;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t product(const std::vector<std::int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}
std::int64_t round_up(std::int64_t a, std::int64_t b) { return divide_up(a, b) * b; }

class TeamLowering {
 public:
  TeamLowering(const ir::Function& group, const LoweringTarget& target)
      : group_(group), target_(target), nest_(map_nest(group, compose(group))) {}

  Lowered write() {
    if (!target_.bitwise) join_reduced_axes();
    out_.kernel = std::make_unique<ir::Function>(group_.name + "_kernel", ir::FunctionKind::kernel);
    std::vector<ValueId> buffers;
    for (std::size_t k = 0; k < nest_.composed.inputs.size(); ++k) {
      const std::string& given = group_.value(group_.parameters()[k]).name;
      buffers.push_back(out_.kernel->add_parameter(nest_.composed.inputs[k], given, {}, ir::ParameterRole::in));
    }
    for (const Type& type : nest_.composed.output_types) {
      results_.push_back(out_.kernel->add_parameter(type, {}, {}, ir::ParameterRole::out));
    }
    KernelWriter writer(*out_.kernel, pool_, buffers);
    writer.builder().set_location(group_.location);
    chunk_ = kAccessBytes / static_cast<int>(byte_size_of_elements());
    if (std::ranges::all_of(nest_.composed.output_types, [](const Type& type) { return type.element_count() == 0; })) {
      out_.tiles = 0;
      writer.builder().apply_all("return", {});
      return std::move(out_);
    }
    if (const auto tiles = find_column_tiles(nest_, target_, chunk_)) {
      out_.in_place = in_place_pairs(nest_);
      add_cost(nest_, out_);
      write_columns(writer, nest_, *tiles, results_, out_);
      return std::move(out_);
    }
    const bool has_rows = longest_row_reduction().has_value();
    if (nest_.variables.empty() && !has_rows) flatten();
    if (has_rows) {
      write_rows(writer);
    } else if (const auto tiles = find_transposed_tiles(nest_, transposition_target())) {
      out_.team = {.threads = kWarp, .chunk = 1};
      write_transposed_tiles(writer, nest_, *tiles, results_, target_, out_);
    } else if (has_long_rows() || has_row_values()) {
      write_pieces(writer);
    } else {
      flatten();
      write_pieces(writer);
    }
    if (!nest_.variables.empty()) out_.in_place = in_place_pairs(nest_);
    add_cost(nest_, out_);
    return std::move(out_);
  }

 private:
  // Of the narrowest element that is read or written, so that it, too, moves 16 bytes at once; bool and 8-bit elements
  // would make chunks of everything else too long.
  std::size_t byte_size_of_elements() const {
    std::size_t narrowest = 4;
    for (const std::vector<Type>* types : {&nest_.composed.inputs, &nest_.composed.output_types}) {
      for (const Type& type : *types) {
        if (is_floating(type.dtype()))
          narrowest = std::min(narrowest, std::max<std::size_t>(byte_size(type.dtype()), 2));
      }
    }
    return narrowest;
  }

  // A tile of a transposition is as wide as a warp.
  LoweringTarget transposition_target() const {
    LoweringTarget target = target_;
    std::size_t widest = 4;
    for (const std::vector<Type>* types : {&nest_.composed.inputs, &nest_.composed.output_types}) {
      for (const Type& type : *types) widest = std::max(widest, byte_size(type.dtype()));
    }
    target.vector_bytes = kWarp * static_cast<int>(widest);
    return target;
  }

  template <class Visit>
  void for_each_reduction(Visit visit) {
    std::set<TermId> seen;
    for (const MapNest::Output& output : nest_.outputs) {
      for_each_term(pool_, output.body, seen, [&](TermId, const Term& term) {
        if (term.kind == TermKind::reduce && term.order == ir::Order::lanes) visit(term);
      });
    }
  }

  // None: no reduction needs a team of its own.
  std::optional<std::int64_t> longest_row_reduction() {
    std::optional<std::int64_t> longest;
    for_each_reduction([&](const Term& term) {
      const std::int64_t length = pool_[term.extents().back()].value;
      const bool varies = !nest_.variables.empty() && mentions_outside(term, nest_.variables.back());
      if (length > kLongestUnrolledReduction || !varies) longest = std::max(longest.value_or(0), length);
    });
    return longest;
  }

  std::int64_t shortest_row_reduction() {
    std::int64_t shortest = ir::kReductionLanes;
    for_each_reduction([&](const Term& term) { shortest = std::min(shortest, pool_[term.extents().back()].value); });
    return shortest;
  }

  bool mentions_outside(const Term& reduce, VariableId variable) {
    return reduce.variable != variable && mentions(pool_, reduce.body(), variable);
  }

  bool has_row_values() const {
    return std::ranges::any_of(nest_.outputs, [&](const MapNest::Output& output) { return !nest_.is_full(output); });
  }

  // Long enough for a warp, and every row begins where 16 bytes do.
  bool has_long_rows() const {
    if (nest_.variables.size() < 2) return true;
    const std::int64_t length = nest_.extent(nest_.variables.size() - 1);
    return length % chunk_ == 0 && length >= kWarp * chunk_;
  }

  // One axis in place of all: indices become its quotients and remainders, and simplify where they can.
  void flatten() {
    std::vector<std::int64_t> sizes;
    for (std::size_t k = 0; k < nest_.variables.size(); ++k) sizes.push_back(nest_.extent(k));
    const VariableId whole = pool_.variable(Dim(product(sizes)));
    const std::vector<TermId> indices = digits(pool_, pool_.index(whole), sizes);
    std::map<VariableId, TermId> replacement;
    for (std::size_t k = 0; k < indices.size(); ++k) replacement[nest_.variables[k]] = indices[k];
    for (MapNest::Output& output : nest_.outputs) {
      output.body = rename(pool_, output.body, replacement);
      output.offset = rename(pool_, output.offset, replacement);
      output.depth = 1;
    }
    nest_.variables = {whole};
  }

  // Where the order of a sum is free, a sum over several axes is one over a single, longer one.
  void join_reduced_axes() {
    for (MapNest::Output& output : nest_.outputs) {
      while (const std::optional<TermId> found = find_joinable(output.body)) {
        const Term reduce = pool_[*found];
        std::vector<std::int64_t> sizes;
        for (TermId extent : reduce.extents()) sizes.push_back(pool_[extent].value);
        const std::vector<VariableId> joined = pool_.variables(std::vector{Dim(product(sizes))});
        const std::vector<TermId> indices = digits(pool_, pool_.index(joined[0]), sizes);
        std::map<VariableId, TermId> replacement;
        for (std::uint32_t k = 0; k < reduce.variable_count; ++k)
          replacement[VariableId{reduce.variable.index + k}] = indices[k];
        const TermId body = rename(pool_, reduce.body(), replacement);
        const TermId whole = pool_.reduce(reduce.monoid, ir::Order::lanes, joined, body);
        for (MapNest::Output& each : nest_.outputs) {
          each.body = pool_.substitute(each.body, {.variable = {}, .access = {}, .from = *found, .to = whole});
        }
      }
    }
  }

  std::optional<TermId> find_joinable(TermId root) {
    std::optional<TermId> found;
    std::set<TermId> seen;
    for_each_term(pool_, root, seen, [&](TermId id, const Term& term) {
      if (term.kind == TermKind::reduce && term.order == ir::Order::lanes && term.variable_count > 1) found = id;
    });
    return found;
  }

  // ---- pieces of rows -----------------------------------------------------------------------------------------

  void write_pieces(KernelWriter& writer) {
    const std::size_t last = nest_.variables.size() - 1;
    const std::int64_t length = nest_.extent(last);
    std::int64_t outer = 1;
    for (std::size_t k = 0; k + 1 < nest_.variables.size(); ++k) outer *= nest_.extent(k);
    if (has_row_values() || length % chunk_ != 0)
      out_.team.chunk = nest_.variables.size() < 2 ? chunk_ : 1;
    else
      out_.team.chunk = chunk_;
    const std::int64_t chunk = out_.team.chunk;
    std::int64_t chunks = 2;
    if (outer * length < 2 * chunk * target_.processors * kThreadsPerProcessor) chunks = 1;
    std::int64_t lanes;
    if (has_row_values()) {
      // The row's values belong to the team that walks all of the row.
      out_.team.threads =
          static_cast<int>(std::clamp<std::int64_t>(round_up(divide_up(length, chunk), kWarp), kWarp, kFlatThreads));
      lanes = out_.team.threads * chunk;
    } else {
      const std::int64_t threads = std::min<std::int64_t>(
          kFlatThreads, std::max<std::int64_t>(round_up(divide_up(length, chunk), kWarp), kWarp));
      out_.team.threads = static_cast<int>(threads);
      lanes = threads * chunk * chunks;
    }
    const std::int64_t pieces = has_row_values() ? 1 : divide_up(length, lanes);
    out_.tiles = outer * pieces;
    const Value tile = open_tiles(writer);
    const Value piece = bind_outer(writer, tile, pieces, last);
    if (has_row_values()) {
      for (TermId value : row_values(nest_)) writer.element(value);
      writer.for_lanes(nest_.variables.back(), number(writer, 0), number(writer, length), length,
                       static_cast<int>(lanes), {}, [&](std::span<const Value>) { return write_lanes(writer); });
      store_row_values(writer, true);
    } else {
      const Value first = writer.builder().apply("mul", {piece, number(writer, lanes)});
      Value mask;
      if (length % lanes != 0) mask = in_row(writer, first, static_cast<int>(lanes), length);
      writer.bind_lanes(nest_.variables.back(), first, static_cast<int>(lanes), mask);
      write_lanes(writer);
    }
    close_tiles(writer);
  }

  Value in_row(KernelWriter& writer, Value first, int lanes, std::int64_t length) {
    ir::Builder& b = writer.builder();
    const Value numbers =
        b.apply("iota", {}, {{"shape", ir::Dims{Dim(lanes)}}, {"dtype", DType::i64}, {"axis", std::int64_t{0}}});
    const Value index = b.apply("affine", {first, numbers}, {{"coefficients", ir::Integers{1, 1}}});
    const Value bound =
        b.apply("broadcast", {number(writer, length)}, {{"shape", ir::Dims{Dim(lanes)}}, {"dims", ir::Integers{}}});
    return b.compare(index, bound, "lt");
  }

  // ---- rows ---------------------------------------------------------------------------------------------------

  void write_rows(KernelWriter& writer) {
    const bool vectorize = can_vectorize();
    const std::size_t outer_count = nest_.variables.size() - (vectorize ? 1 : 0);
    const std::int64_t length = *longest_row_reduction();
    const std::int64_t outputs = vectorize ? nest_.extent(nest_.variables.size() - 1) : 1;
    choose_row_team(target_.bitwise ? shortest_row_reduction() : length);
    const std::int64_t unit = std::int64_t{out_.team.threads} * out_.team.chunk;
    const std::int64_t most = unit * chunks_held_;
    if (!target_.bitwise) writer.set_reduction_lanes(static_cast<int>(unit), static_cast<int>(most));
    out_.tiles = 1;
    for (std::size_t k = 0; k < outer_count; ++k) out_.tiles *= nest_.extent(k);
    const bool is_whole =
        vectorize && !target_.bitwise && nest_.shared.contains(nest_.variables.back()) && outputs <= most;
    const auto bind_row = [&] {
      writer.bind_row(nest_.variables.back(), static_cast<int>(round_up(outputs, unit)), outputs);
    };
    // A single row depends on no tile: its sums stand in front of the loop over tiles, and so must what they read.
    if (is_whole && outer_count == 0) bind_row();
    const Value tile = open_tiles(writer);
    bind_outer(writer, tile, 1, outer_count);
    if (!vectorize) {
      store_row_values(writer, false);
    } else if (is_whole) {
      if (outer_count > 0) bind_row();
      write_lanes(writer);
      store_row_values(writer, true);
    } else {
      for (TermId value : row_values(nest_)) writer.element(value);
      const std::int64_t lanes = target_.bitwise ? unit : std::min(most, round_up(outputs, unit));
      writer.for_lanes(nest_.variables.back(), number(writer, 0), number(writer, outputs), outputs,
                       static_cast<int>(lanes), {}, [&](std::span<const Value>) { return write_lanes(writer); });
      store_row_values(writer, true);
    }
    close_tiles(writer);
  }

  // About two chunks a thread: enough loads in flight, few enough threads to talk to one another.
  void choose_row_team(std::int64_t length) {
    if (target_.bitwise) {
      // 64 partial results, or as many as a short row has, in one warp.
      const auto lanes = static_cast<int>(std::min<std::uint64_t>(
          ir::kReductionLanes, std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(length, 1)))));
      out_.team.chunk = std::min(lanes, 4);
      out_.team.threads = lanes / out_.team.chunk;
      return;
    }
    out_.team.chunk = length % chunk_ == 0 ? chunk_ : 1;
    const std::int64_t chunk = out_.team.chunk, chunks = divide_up(length, chunk);
    // A thread holds up to 32 elements of a row: with a thousand threads there are registers for half of that. Rows
    // longer than that are walked, by half as many threads.
    const std::int64_t most = kHeldElements / chunk;
    // Within a warp as long as it holds the row: threads of one warp combine without waiting for others.
    std::int64_t threads = std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(divide_up(chunks, 2), 1)));
    if (threads > kWarp)
      threads = std::max<std::int64_t>(kWarp, std::bit_ceil(static_cast<std::uint64_t>(divide_up(chunks, most))));
    if (threads > 256) threads = std::max<std::int64_t>(256, round_up(divide_up(chunks, most), kWarp));
    if (threads > kMostThreads / 2) threads = round_up(divide_up(2 * chunks, most), kWarp);
    chunks_held_ = threads > kMostThreads / 2 ? std::max<std::int64_t>(most / 2, 1) : most;
    if (threads > kMostThreads) threads = kMostThreads / 2, chunks_held_ = std::max<std::int64_t>(most / 2, 1);
    out_.team.threads = static_cast<int>(threads);
  }

  // Vectors run along the last variable unless a long row reduction depends on it.
  bool can_vectorize() {
    if (nest_.variables.empty() || nest_.extent(nest_.variables.size() - 1) <= 1) return false;
    const VariableId last = nest_.variables.back();
    bool possible = false;
    for (const MapNest::Output& output : nest_.outputs) possible |= nest_.is_full(output);
    for_each_reduction([&](const Term& term) {
      if (pool_[term.extents().back()].value > kLongestUnrolledReduction) possible &= !mentions_outside(term, last);
    });
    return possible;
  }

  // ---- tiles --------------------------------------------------------------------------------------------------

  Value number(KernelWriter& writer, std::int64_t value) { return writer.constant_index(value); }

  Value open_tiles(KernelWriter& writer) {
    const Value tiles = number(writer, out_.tiles);
    return writer.open_loop(number(writer, 0), tiles, 1, {}, true);
  }
  void close_tiles(KernelWriter& writer) {
    writer.close_loop();
    writer.builder().apply_all("return", {});
  }

  // tile = (outer indices, row-major) * pieces + piece. Returns the piece.
  Value bind_outer(KernelWriter& writer, Value tile, std::int64_t pieces, std::size_t outer_count) {
    ir::Builder& b = writer.builder();
    Value rest = tile, piece = number(writer, 0);
    if (outer_count == 0) return pieces > 1 ? tile : piece;
    if (pieces > 1) {
      piece = b.apply("rem", {tile, number(writer, pieces)});
      rest = b.apply("div", {tile, number(writer, pieces)});
    }
    for (std::size_t k = outer_count; k-- > 0;) {
      const Value size = number(writer, std::max<std::int64_t>(nest_.extent(k), 1));
      writer.bind(nest_.variables[k], k == 0 ? rest : b.apply("rem", {rest, size}));
      if (k > 0) rest = b.apply("div", {rest, size});
    }
    return piece;
  }

  // Everything is read before anything is written, so that an output may take the place of an input.
  std::vector<Value> write_lanes(KernelWriter& writer) {
    for (const MapNest::Output& output : nest_.outputs) {
      if (nest_.is_full(output)) writer.element(output.body);
    }
    for (std::size_t k = 0; k < nest_.outputs.size(); ++k) {
      if (nest_.is_full(nest_.outputs[k])) writer.store(nest_.outputs[k].body, results_[k], nest_.outputs[k].offset);
    }
    return {};
  }
  // Values that do not vary along the vectors; all, where there are no vectors.
  void store_row_values(KernelWriter& writer, bool has_vectors) {
    for (std::size_t k = 0; k < nest_.outputs.size(); ++k) {
      const MapNest::Output& output = nest_.outputs[k];
      if (!has_vectors || !nest_.is_full(output)) writer.store(output.body, results_[k], output.offset);
    }
  }

  const ir::Function& group_;
  const LoweringTarget& target_;
  MapNest nest_;
  ir::TermPool& pool_ = nest_.composed.pool;
  Lowered out_;
  std::vector<ValueId> results_;
  int chunk_ = 4;
  std::int64_t chunks_held_ = 1;  // of a row, by one thread
};

}  // namespace

Lowered lower_for_teams(const ir::Function& group, const LoweringTarget& target) {
  return TeamLowering(group, target).write();
}

}  // namespace hyperion::codegen

#include "codegen/cuda/tensor_epilogue.hpp"

#include "codegen/cuda/tensor_loads.hpp"
#include "codegen/cuda/wgmma_schedules.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

constexpr int kPieceColumns = kRowBytes / 2;  // of 16-bit elements
constexpr int kFragmentColumns = 16;          // that one stmatrix lays out
constexpr int kSliceColumns = 32;  // that a thread works on at a time: enough to hide how long each step takes

constexpr int kSlices = kPieceColumns / kSliceColumns, kSliceSums = kSliceColumns / 2;

void open_loop(KernelLines& out, std::string_view index, int count, bool is_rolled) {
  if (!is_rolled) return out.open(format("HYP_EACH({}, {})", index, count));
  out.line("#pragma unroll 1");
  out.open(format("for (int {0} = 0; {0} < {1}; ++{0})", index, count));
}

// The sums of a slice in an array of their own. Registers have no index at run time: in loops that stay loops, a switch
// chooses.
void print_choice(KernelLines& out, const StagedTile& tile, bool is_rolled) {
  out.line(format("float slice_sums[{}];", kSliceSums));
  if (!is_rolled) {
    return out.line(
        format("HYP_EACH(i, {0}) slice_sums[i] = sums_of_tile[piece % {1}][(piece / {1} * {2} + slice) * {0} "
               "+ i];",
               kSliceSums, tile.groups, kSlices));
  }
  out.open(format("switch (piece * {} + slice)", kSlices));
  const int pieces = tile.groups * (tile.columns / kPieceColumns);
  for (int number = 0; number < pieces * kSlices; ++number) {
    const int piece = number / kSlices, slice = number % kSlices;
    out.line(format("case {}: HYP_EACH(i, {}) slice_sums[i] = sums_of_tile[{}][{} + i]; break;", number, kSliceSums,
                    piece % tile.groups, (piece / tile.groups * kSlices + slice) * kSliceSums));
  }
  out.close();
}

// A short body is written out for every sum. A long one stands there once: written out, erf made a product take
// 3.7 times as long, its instructions coming from memory.
void print_stage(KernelLines& out, const StagedTile& tile, const StagedResult& result) {
  open_loop(out, "slice", kSlices, result.is_long);
  print_choice(out, tile, result.is_long);
  out.open(format("HYP_EACH(q, {})", kSliceColumns / kFragmentColumns));
  out.line("unsigned words[4];");
  out.open("HYP_EACH(j, 2) HYP_EACH(h, 2)");
  out.line(
      format("const int at_row = row_of_piece + lane_ / 4 + 8 * h, at_column = column_of_piece + slice * {} + q * {} "
             "+ j * 8 + lane_ % 4 / 2 * 4;",
             kSliceColumns, kFragmentColumns));
  out.line("const float sums[2] = {slice_sums[q * 8 + j * 4 + h * 2], slice_sums[q * 8 + j * 4 + h * 2 + 1]};");
  out.line("unsigned word = 0;");
  if (result.reads && tile.is_ragged) {
    out.open(format("if (at_row < {} && at_column < {})", tile.rows, tile.all_columns));
    out.add(result.finish);
    out.close();
  } else {
    out.add(result.finish);
  }
  out.line("words[2 * j + h] = word;");
  out.close();
  out.line(format("const int chunk = slice * {} + q * 2 + lane_ / 16;", kSliceColumns / 8));
  out.line("store_matrices(buffer + lane_ % 16 * 128 + ((chunk ^ (lane_ % 8)) << 4), words);");
  out.close();
  out.close();
}

}  // namespace

bool has_registers_for(const TensorSchedule& schedule, const StagedResult& result) {
  return !result.is_long || thread_sums(schedule) <= kMostLongSums;
}

void stage_results(std::vector<AsyncStatement>& tile, int buffers) {
  using K = AsyncKind;
  tile.push_back({.kind = K::for_pieces,
                  .body = {{.kind = K::wait_stores, .pending = buffers - 1},
                           {.kind = K::stage},
                           {.kind = K::publish},
                           {.kind = K::store}}});
}

void finish_stores(std::vector<AsyncStatement>& role) { role.push_back({.kind = AsyncKind::wait_stores}); }

void print_staging(KernelLines& out, const StagedTile& tile) {
  // Four columns that lie together are a team's of two neighbouring threads.
  out.line("const int thread = lane_ % 2;");
  out.line(format("const unsigned staging = {};", tile.staging));
}

void print_staged(KernelLines& out, const AsyncStatement& statement, const StagedTile& tile,
                  const StagedResult& result) {
  switch (statement.kind) {
    case AsyncKind::for_pieces:
      open_loop(out, "piece", tile.groups * (tile.columns / kPieceColumns), result.is_long);
      out.line(format("const int row_of_piece = {0} + piece % {1} * 64, column_of_piece = {2} + piece / {1} * {3};",
                      tile.row, tile.groups, tile.column, kPieceColumns));
      return out.line(tile.buffers == 1
                          ? "const unsigned buffer = staging;"
                          : format("const unsigned buffer = staging + piece % {} * {};", tile.buffers, kStagingBytes));
    case AsyncKind::wait_stores:
      out.line(format("if (threadIdx.x % 32 == 0) stores_wait<{}>();", statement.pending));
      return out.line("__syncwarp();");
    case AsyncKind::stage:
      return print_stage(out, tile, result);
    case AsyncKind::publish:
      out.line("publish_to_stores();");
      return out.line("__syncwarp();");
    case AsyncKind::store:
      out.open("if (lane_ == 0)");
      out.line(format("store_tile(result_map, buffer, column_of_piece, row_of_piece{});",
                      tile.has_batches ? ", batch_" : ""));
      out.line("stores_commit();");
      return out.close();
    default:
      HYP_CHECK(false, "no statement of a staged result");
  }
}

runtime::cuda::TensorMapParameter result_map(const TensorProblem& problem, const StagedResult& result) {
  runtime::cuda::TensorMapParameter map{.buffer = static_cast<std::uint32_t>(result.buffer)};
  const auto bytes = static_cast<std::int64_t>(byte_size(result.dtype));
  map.type = tensor_map_type(result.dtype);
  map.dims = {static_cast<std::uint64_t>(problem.columns), static_cast<std::uint64_t>(problem.rows)};
  map.byte_strides = {static_cast<std::uint64_t>(result.row_stride * bytes)};
  map.box = {kPieceColumns, kStagingRows};
  if (problem.batches > 1) {
    map.dims.push_back(static_cast<std::uint64_t>(problem.batches));
    map.byte_strides.push_back(static_cast<std::uint64_t>(result.batch_stride * bytes));
    map.box.push_back(1);
  }
  return map;
}

}  // namespace hyperion::codegen

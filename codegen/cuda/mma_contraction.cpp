#include "codegen/cuda/mma_contraction.hpp"

#include <algorithm>
#include <cmath>

#include "codegen/cuda/tensor_text.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

constexpr int kReservedBytes = 1024;  // of shared memory, which the system takes of every block's

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

int element_bytes(const TensorProblem& problem) { return static_cast<int>(byte_size(problem.dtype)); }
int stage_depth(const TensorProblem& problem, const TensorSchedule& s) {
  return s.depth_bytes / element_bytes(problem);
}
std::int64_t steps(const TensorProblem& problem, const TensorSchedule& s) {
  return divide_up(problem.depth, stage_depth(problem, s));
}
// Of a part of depth; the last one may have fewer.
std::int64_t part_steps(const TensorProblem& problem, const TensorSchedule& s) {
  return divide_up(steps(problem, s), s.parts);
}
std::int64_t tile_count(const TensorProblem& problem, const TensorSchedule& s) {
  return problem.batches * divide_up(problem.rows, s.rows) * divide_up(problem.columns, s.columns);
}
int warps(const TensorSchedule& s) { return (s.rows / s.warp_rows) * (s.columns / s.warp_columns); }
int stage_bytes(const TensorSchedule& s) { return (s.rows + s.columns) * s.depth_bytes; }
// The sums leave over the ring.
int shared_bytes(const TensorSchedule& s) { return std::max(s.stages * stage_bytes(s), warps(s) * kWarpSlabBytes); }

// Bytes that can be copied at once: every line of the operand begins at a multiple of them.
int copy_width(const TensorProblem& problem, const TensorOperand& operand, std::int64_t free) {
  const bool along_depth = operand.is_along_depth();
  const std::int64_t bytes = element_bytes(problem), lines = along_depth ? free : problem.depth;
  const std::int64_t stride = lines == 1 ? 0 : (along_depth ? operand.free : operand.depth) * bytes;
  const std::int64_t batch = problem.batches == 1 ? 0 : operand.batch * bytes;
  int width = 16;
  while (stride % width != 0 || batch % width != 0) width /= 2;
  return width;
}
constexpr int kLeastCopy = 4;  // bytes, of cp.async

bool is_fetched(const TensorProblem& problem, bool is_lhs) {
  return copy_width(problem, is_lhs ? problem.lhs : problem.rhs, is_lhs ? problem.rows : problem.columns) < kLeastCopy;
}

// Cycles of one multiprocessor, from NVIDIA's figures of what its tensor cores, its shared memory and its share of the
// second-level cache do in one. A model: it ranks schedules until `hyperion tune` has measured them.
double expected_cycles(const TensorProblem& problem, const TensorSchedule& s, const CudaTarget& target) {
  constexpr double kStart = 1500, kCacheBytes = 40, kSharedBytes = 128, kSumsStored = 2, kBarrier = 60;
  // Bytes' worth of factors that are multiplied in a cycle, of 2 KiB for 1,024 multiply-adds of 16 bits.
  const double product_bytes = target.compute() == 80 ? 2048 : target.compute() >= 90 ? 2560 : 1024;
  const double products = s.rows * static_cast<double>(s.columns) * s.depth_bytes / product_bytes;
  const double written = static_cast<double>(stage_bytes(s));
  const double read = static_cast<double>(warps(s)) * (s.warp_rows + s.warp_columns) * s.depth_bytes;
  const double step = std::max({products, (written + read) / kSharedBytes, written / kCacheBytes});
  const double each = static_cast<double>(divide_up(tile_count(problem, s) * s.parts, target.multiprocessors));
  // A scheduler with a single warp waits for what it reads; blocks beside one another fill each other's gaps.
  const double resident = std::min(each, static_cast<double>(s.blocks)) * warps(s);
  const double gaps = resident <= 4 ? 1.5 : 1.1;
  const double barrier = kBarrier / std::min<double>(s.blocks, each);
  const double main = static_cast<double>(part_steps(problem, s)) * (step * gaps + barrier);
  const double whole = each * (main + s.rows * s.columns / kSumsStored / s.blocks) + kStart;
  if (s.parts == 1) return whole;
  const double results = static_cast<double>(problem.batches * problem.rows) * static_cast<double>(problem.columns);
  return whole + 2 * kStart + s.parts * results * sizeof(float) / (kCacheBytes / 2 * target.multiprocessors);
}

class MmaPrinter {
 public:
  MmaPrinter(const TensorProblem& problem, const TensorSchedule& schedule, const AsyncProgram& program,
             const TensorHoles& holes)
      : problem_(problem), s_(schedule), program_(program), holes_(holes) {}

  TensorKernel print() {
    const std::int64_t down = divide_up(problem_.rows, s_.rows), across = divide_up(problem_.columns, s_.columns);
    line("extern __shared__ __align__(1024) unsigned char shared[];");
    line("const unsigned ring = shared_address(shared);");
    line("const int thread_of_block = static_cast<int>(threadIdx.x), lane_ = thread_of_block % 32;");
    line("const int warp_ = __shfl_sync(~0u, thread_of_block / 32, 0);");
    line("constexpr unsigned rank = 0;");
    print_walk(lines_, {.down = down, .across = across, .rows = s_.rows, .columns = s_.columns, .group = s_.group});
    const std::int64_t tiles = tile_count(problem_, s_);
    line("int batch_, first_row, first_column;");
    line(format("place_of(static_cast<int>(blockIdx.x){}, batch_, first_row, first_column);",
                s_.parts > 1 ? format(" % {}", tiles) : ""));
    if (s_.parts > 1) {
      const std::int64_t all = steps(problem_, s_), each = part_steps(problem_, s_);
      line(format("const int part = static_cast<int>(blockIdx.x) / {}, begin = part * {};", tiles, each));
      line(format("const int steps = min({}, {} - begin);", each, all));
    } else {
      line(format("constexpr int steps = {};", steps(problem_, s_)));
    }
    declare(true), declare(false);
    line(format("float sums_of_tile[{}][{}] = {{}};", s_.warp_rows / 16, s_.warp_columns / 2));
    line(format("Cursor<{}> at{{0, 0}};", s_.stages));
    for (const AsyncStatement& statement : program_.roles[0].body) print(statement);
    TensorKernel out;
    out.body = lines_.take();
    out.blocks = s_.blocks;
    out.shape = {.grid = {static_cast<unsigned>(tiles * s_.parts)},
                 .block = {static_cast<unsigned>(program_.threads)},
                 .shared_bytes = static_cast<unsigned>(program_.shared_bytes)};
    return out;
  }

 private:
  void line(const std::string& text) { lines_.line(text); }

  // How one operand's tiles lie, who brings them, and who reads them.
  void declare(bool is_lhs) {
    const TensorOperand& operand = is_lhs ? problem_.lhs : problem_.rhs;
    const std::string_view name = is_lhs ? "lhs" : "rhs", type = is_lhs ? "Lhs" : "Rhs";
    const std::string_view element = problem_.dtype == DType::f32   ? "float"
                                     : problem_.dtype == DType::f16 ? "F16"
                                                                    : "BF16";
    const bool along_depth = operand.is_along_depth();
    const int extent = is_lhs ? s_.rows : s_.columns, warp_extent = is_lhs ? s_.warp_rows : s_.warp_columns;
    const std::int64_t free = is_lhs ? problem_.rows : problem_.columns;
    const int across = s_.columns / s_.warp_columns;
    line(format("using {} = OperandTile<{}, {}, {}, {}>;", type, element, along_depth, extent,
                stage_depth(problem_, s_)));
    std::string pointer = is_lhs ? holes_.lhs : holes_.rhs;
    if (problem_.batches > 1 && operand.batch != 0) pointer += format(" + std::int64_t(batch_) * {}", operand.batch);
    line(format("const TileSource<{}, {}, {}, {}, {}, {}> {}_source({}, {}, thread_of_block);", type, program_.threads,
                copy_width(problem_, operand, free), free, problem_.depth, along_depth ? operand.free : operand.depth,
                name, pointer, is_lhs ? "first_row" : "first_column"));
    if (is_fetched(problem_, is_lhs)) line(format("decltype({0}_source)::Held {0}_held;", name));
    line(format("const int {}_of_warp = warp_ {} {} * {};", name, is_lhs ? "/" : "%", across, warp_extent));
    line(format("const FragmentReader<{}, {}> {}_reader({}_of_warp, lane_);", type, is_lhs, name, name));
  }

  std::string tile(bool is_lhs, int ahead) const {
    const std::string stage = ahead == 0 ? "at.stage" : format("at.behind({})", s_.stages - ahead);
    return format("ring + {} * {}{}", stage, stage_bytes(s_), is_lhs ? "" : format(" + {}", s_.rows * s_.depth_bytes));
  }

  void print(const AsyncStatement& statement) {
    const bool is_lhs = statement.operand == 0;
    const std::string_view name = is_lhs ? "lhs" : "rhs";
    // Behind the end of depth there is nothing to bring.
    const std::string ahead = is_in_loop_ ? format("k + {}", statement.ahead) : format("{}", statement.ahead);
    const std::string step = s_.parts > 1 ? "begin + " + ahead : ahead;
    const auto bring = [&](const std::string& call) { line(format("if ({} < steps) {}", ahead, call)); };
    switch (statement.kind) {
      case AsyncKind::for_depth:
        lines_.open("for (int k = 0; k < steps; ++k)");
        is_in_loop_ = true;
        for (const AsyncStatement& inner : statement.body) print(inner);
        is_in_loop_ = false;
        return lines_.close();
      case AsyncKind::copy:
        return bring(format("{}_source.copy({}, {});", name, tile(is_lhs, statement.ahead), step));
      case AsyncKind::fetch:
        return bring(format("{0}_source.fetch({0}_held, {1});", name, step));
      case AsyncKind::keep:
        return bring(format("{0}_source.keep({0}_held, {1});", name, tile(is_lhs, statement.ahead)));
      case AsyncKind::commit_copies:
        return line("copies_commit();");
      case AsyncKind::wait_copies:
        return line(format("copies_wait<{}>();", statement.pending));
      case AsyncKind::meet:
        return line("__syncthreads();");
      case AsyncKind::multiply:
        return line(format("multiply_stage<{}, {}>(sums_of_tile, lhs_reader, {}, rhs_reader, {});", s_.warp_rows,
                           s_.warp_columns, tile(true, 0), tile(false, 0)));
      case AsyncKind::advance:
        return line("at.advance();");
      case AsyncKind::epilogue:
        return print_epilogue(lines_,
                              {.bands = s_.warp_rows / 16,
                               .rows_apart = 16,
                               .columns = s_.warp_columns,
                               .row = "first_row + lhs_of_warp",
                               .column = "first_column + rhs_of_warp",
                               .slab = format("reinterpret_cast<float*>(shared) + warp_ * {}", kWarpSlabBytes / 4)},
                              problem_.rows, problem_.columns, holes_.finish);
      default:
        HYP_CHECK(false, "a statement that programs whose threads are all alike do not have");
    }
  }

  const TensorProblem& problem_;
  const TensorSchedule& s_;
  const AsyncProgram& program_;
  const TensorHoles& holes_;
  KernelLines lines_;
  bool is_in_loop_ = false;
};

}  // namespace

bool fits_mma(const TensorProblem& problem, const CudaTarget& target) {
  if (!target.has_mma() || problem.image) return false;
  const auto is_readable = [](const TensorOperand& operand) {
    const bool along_depth = operand.is_along_depth();
    return (along_depth || operand.free == 1) && (along_depth ? operand.free : operand.depth) >= 0 &&
           operand.batch >= 0;
  };
  return is_readable(problem.lhs) && is_readable(problem.rhs);
}

std::vector<TensorSchedule> mma_schedules(const TensorProblem& problem, const CudaTarget& target) {
  constexpr int kMostStages = 6;
  constexpr std::int64_t kShortestPart = 8, kMostParts = 64;  // steps; what adds the parts up reads them one by one
  std::vector<TensorSchedule> all;
  const bool is_fetched_at_all = is_fetched(problem, true) || is_fetched(problem, false);
  const auto add = [&](int rows, int columns, int warp_rows, int warp_columns, int blocks) {
    // What is fetched waits in registers, beside the sums.
    const bool is_large = warp_rows * warp_columns > 64 * 32;
    if (is_fetched_at_all && is_large) return;
    for (int depth_bytes : {64, 128}) {
      // These were seen to spill: rounding and fetching want registers of their own.
      if (depth_bytes == 128 && (is_fetched_at_all || (is_large && problem.dtype == DType::f32))) continue;
      TensorSchedule s{.engine = TensorEngine::mma,
                       .rows = rows,
                       .columns = columns,
                       .stages = 0,
                       .warp_rows = warp_rows,
                       .warp_columns = warp_columns,
                       .depth_bytes = depth_bytes,
                       .blocks = blocks};
      const int each = (target.block_shared_bytes + kReservedBytes) / blocks - kReservedBytes;
      s.stages = std::min(each / stage_bytes(s), kMostStages);
      if (s.stages < (is_fetched_at_all ? 2 : 3)) continue;
      all.push_back(s);
      const std::int64_t wanted = target.multiprocessors * blocks / tile_count(problem, s);
      s.parts = static_cast<int>(std::min({wanted, steps(problem, s) / kShortestPart, kMostParts}));
      if (s.parts < 2) continue;
      s.parts = static_cast<int>(divide_up(steps(problem, s), part_steps(problem, s)));  // none is empty
      all.push_back(s);
    }
  };
  add(128, 128, 64, 64, 2);
  add(256, 128, 64, 64, 1);
  add(128, 256, 64, 64, 1);
  add(128, 128, 64, 32, 1);
  add(128, 64, 64, 32, 2);
  add(64, 128, 32, 64, 2);
  add(64, 64, 32, 32, 3);
  std::ranges::stable_sort(all, std::less<>(),
                           [&](const TensorSchedule& s) { return expected_cycles(problem, s, target); });
  return all;
}

AsyncProgram mma_program(const TensorProblem& problem, const TensorSchedule& s) {
  using K = AsyncKind;
  AsyncProgram program;
  program.stages = s.stages;
  program.operand_bytes = {s.rows * s.depth_bytes, s.columns * s.depth_bytes};
  program.shared_bytes = shared_bytes(s);
  program.threads = 32 * warps(s);
  program.blocks = s.blocks;
  program.launch_registers = std::min(65536 / (program.threads * s.blocks) / 8 * 8, 256);

  const auto each_operand = [&](std::vector<AsyncStatement>& body, K kind, int ahead) {
    for (int operand : {0, 1}) {
      if ((kind != K::copy) == is_fetched(problem, operand == 0)) {
        body.push_back({.kind = kind, .operand = operand, .ahead = ahead});
      }
    }
  };
  AsyncRole all{.name = "copies and multiplies", .threads = program.threads, .members = warps(s)};
  // As many groups as stages but one are under way, from the start: empty ones count.
  const int ahead = s.stages - 1;
  for (int k = 0; k < ahead; ++k) {
    each_operand(all.body, K::copy, k);
    each_operand(all.body, K::fetch, k);
    each_operand(all.body, K::keep, k);
    all.body.push_back({.kind = K::commit_copies});
  }
  AsyncStatement loop{.kind = K::for_depth};
  // When all have met, this step has arrived, and the step before has been read: its stage takes the step to come.
  loop.body.push_back({.kind = K::wait_copies, .pending = ahead - 1});
  loop.body.push_back({.kind = K::meet});
  each_operand(loop.body, K::copy, ahead);
  each_operand(loop.body, K::fetch, ahead);
  loop.body.push_back({.kind = K::commit_copies});
  loop.body.push_back({.kind = K::multiply});
  each_operand(loop.body, K::keep, ahead);
  loop.body.push_back({.kind = K::advance});
  all.body.push_back(std::move(loop));
  // The sums are laid out where others may still read.
  all.body.push_back({.kind = K::meet});
  all.body.push_back({.kind = K::epilogue});
  program.roles.push_back(std::move(all));
  return program;
}

TensorKernel print_mma_kernel(const TensorProblem& problem, const TensorSchedule& schedule, const AsyncProgram& program,
                              const TensorHoles& holes) {
  return MmaPrinter(problem, schedule, program, holes).print();
}

}  // namespace hyperion::codegen

#include "codegen/cuda/tensor_contraction.hpp"

#include <algorithm>

#include "codegen/cuda/mma_contraction.hpp"
#include "codegen/cuda/tensor_epilogue.hpp"
#include "codegen/cuda/tensor_loads.hpp"
#include "codegen/cuda/wgmma_schedules.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

enum Barrier { kFull, kEmpty };

// ---- text -----------------------------------------------------------------------------------------------------

// wgmma of one shape as a function: the accumulators are operands of its assembly, one by one.
std::string product_function(const TensorProblem& problem, int columns) {
  const int count = columns / 2;
  const bool is_tf32 = problem.dtype == DType::f32;
  const std::string_view type = is_tf32 ? "tf32" : problem.dtype == DType::f16 ? "f16" : "bf16";
  std::string registers, constraints;
  for (int k = 0; k < count; ++k) {
    registers += format("{}%{}", k == 0 ? "" : ", ", k);
    constraints += format("{}\"+f\"(sums[{}])", k == 0 ? "" : ", ", k);
  }
  std::string order;
  if (!is_tf32) order = format(", {}, {}", problem.lhs.is_along_depth() ? 0 : 1, problem.rhs.is_along_depth() ? 0 : 1);
  return format(
      "inline void multiply(float (&sums)[{0}], unsigned long long lhs, unsigned long long rhs, int adds) {{\n"
      "  asm volatile(\"{{ .reg .pred p; setp.ne.b32 p, %{1}, 0;\\n\"\n"
      "               \"wgmma.mma_async.sync.aligned.m64n{2}k{3}.f32.{4}.{4} {{{5}}}, %{0}, %{6}, p, 1, 1{7}; }}\"\n"
      "               : {8} : \"l\"(lhs), \"l\"(rhs), \"r\"(adds));\n}}\n",
      count, count + 2, columns, product_depth(problem), type, registers, count + 1, order, constraints);
}

class WgmmaPrinter {
 public:
  WgmmaPrinter(const TensorProblem& problem, const TensorSchedule& schedule, const CudaTarget& target,
               const AsyncProgram& program, const TensorHoles& holes)
      : problem_(problem), s_(schedule), target_(target), program_(program), holes_(holes) {}

  TensorKernel print(const std::string& name) {
    TensorKernel out;
    out.functions = format("namespace {}_products {{\n{}}}\n", name, product_function(problem_, s_.columns));
    out.parameters = "const __grid_constant__ TensorMap lhs_map, const __grid_constant__ TensorMap rhs_map";
    if (holes_.staged) out.parameters += ", const __grid_constant__ TensorMap result_map";
    const std::int64_t down = divide_up(divide_up(problem_.rows, s_.rows), s_.cluster),
                       across = divide_up(problem_.columns, s_.columns);
    const std::int64_t tiles = problem_.batches * down * across,
                       clusters = std::min<std::int64_t>(tiles, target_.multiprocessors / s_.cluster);
    line(format("using {}_products::multiply;", name));
    line("extern __shared__ __align__(1024) unsigned char shared[];");
    line("const unsigned ring = shared_address(shared);");
    line(format("const unsigned barriers = ring + {};", s_.stages * stage_bytes(s_) + result_bytes(s_)));
    line(format("const unsigned full = barriers, empty = barriers + {};", 8 * s_.stages));
    line("// The same in all threads of a warp, and the compiler may know it.");
    line("const int warpgroup = __shfl_sync(~0u, static_cast<int>(threadIdx.x) / 128, 0);");
    line(s_.cluster > 1 ? "const unsigned rank = rank_in_cluster();" : "constexpr unsigned rank = 0;");
    open("if (threadIdx.x == 0)");
    line("prefetch(lhs_map);");
    line("prefetch(rhs_map);");
    if (holes_.staged) line("prefetch(result_map);");
    open(format("for (int stage = 0; stage < {}; ++stage)", s_.stages));
    line(format("make_barrier(full + 8 * stage, {});", program_.barriers[kFull].arrivals));
    line(format("make_barrier(empty + 8 * stage, {});", program_.barriers[kEmpty].arrivals));
    close();
    line("publish_barriers();");
    close();
    line(s_.cluster > 1 ? "cluster_barrier();" : "__syncthreads();");
    print_walk(lines_, {.down = down,
                        .across = across,
                        .rows = s_.rows,
                        .columns = s_.columns,
                        .cluster = s_.cluster,
                        .group = s_.group});
    line(format("const int cluster = static_cast<int>(blockIdx.x) / {};", s_.cluster));
    clusters_ = clusters, tiles_ = tiles;
    print_producer(program_.roles[0]);
    // The consumers differ in their number alone.
    print_consumers(program_.roles[1]);
    out.body = lines_.take();
    out.shape = {.grid = {static_cast<unsigned>(clusters * s_.cluster)},
                 .block = {static_cast<unsigned>(program_.threads)},
                 .shared_bytes = static_cast<unsigned>(program_.shared_bytes),
                 .cluster = {static_cast<unsigned>(s_.cluster)}};
    out.maps = {tensor_map(problem_, true, s_.rows), tensor_map(problem_, false, s_.columns / s_.cluster)};
    if (holes_.staged) out.maps.push_back(result_map(problem_, *holes_.staged));
    return out;
  }

 private:
  void line(const std::string& text) { lines_.line(text); }
  void open(const std::string& text) { lines_.open(text); }
  void close() { lines_.close(); }

  void print_producer(const AsyncRole& role) {
    open("if (warpgroup == 0)");
    line(format("// {}", role.name));
    line(format("give_registers<{}>();", role.registers));
    open("if (threadIdx.x < 32 && is_elected())");
    line(format("Cursor<{}> at{{0, 1}};", s_.stages));
    first_ = "cluster", step_ = clusters_;
    is_producer_ = true;
    statements(role.body);
    is_producer_ = false;
    close();
    close();
  }

  void print_consumers(const AsyncRole& role) {
    open("else");
    line(format("// {}", s_.takes_turns ? "multiply, every other tile" : "multiply, each its rows"));
    line(format("take_registers<{}>();", role.registers));
    line("const int consumer = warpgroup - 1, thread_of_group = static_cast<int>(threadIdx.x) % 128;");
    line(format("float sums_of_tile[{}][{}];", consumer_rows(s_) / 64, s_.columns / 2));
    line(format("Cursor<{}> at{{0, 0}};", s_.stages));
    if (s_.takes_turns)
      line(format("if (consumer == 1) at.skip({});", depth_steps(problem_)));
    first_ = s_.takes_turns ? format("cluster + consumer * {}", clusters_) : "cluster";
    step_ = clusters_ * role.tile_step;
    statements(role.body);
    close();
  }

  void statements(const std::vector<AsyncStatement>& body) {
    for (const AsyncStatement& statement : body) print(statement);
  }

  void print(const AsyncStatement& statement) {
    const auto barrier = [&](const std::string& stage) {
      return format("{} + 8 * {}", statement.barrier == kFull ? "full" : "empty", stage);
    };
    const std::int64_t depth = depth_steps(problem_);
    switch (statement.kind) {
      case AsyncKind::for_tiles:
        open(format("for (int tile = {}; tile < {}; tile += {})", first_, tiles_, step_));
        line("int batch_, first_row, first_column;");
        line("place_of(tile, batch_, first_row, first_column);");
        if (is_producer_) print_place_of_tile(lines_, problem_);
        statements(statement.body);
        return close();
      case AsyncKind::for_depth:
        open(format("for (int k = 0; k < {}; ++k)", depth));
        if (is_producer_) print_place_of_step(lines_, problem_);
        statements(statement.body);
        return close();
      case AsyncKind::after_first:
        open("if (k > 0)");
        statements(statement.body);
        return close();
      case AsyncKind::wait:
        return line(format("wait({}, at.phase);", barrier("at.stage")));
      case AsyncKind::expect:
        return line(format("expect({}, {});", barrier("at.stage"), statement.bytes));
      case AsyncKind::load:
        return load(statement);
      case AsyncKind::arrive: {
        const std::string stage = statement.lag == 0 ? "at.stage" : format("at.behind({})", statement.lag);
        if (s_.cluster == 1) return line(format("if (thread_of_group == 0) arrive({});", barrier(stage)));
        return line(format("if (thread_of_group < {}) arrive_at({}, thread_of_group);", s_.cluster, barrier(stage)));
      }
      case AsyncKind::advance:
        return line("at.advance();");
      case AsyncKind::skip:
        return line(format("at.skip({});", depth));
      case AsyncKind::drain:
        open(format("for (int stage = 0; stage < {}; ++stage)", s_.stages));
        line(format("wait({}, at.phase);", barrier("at.stage")));
        line("at.advance();");
        return close();
      case AsyncKind::fence:
        return line("products_fence();");
      case AsyncKind::multiply:
        return multiply();
      case AsyncKind::commit:
        return line("products_commit();");
      case AsyncKind::wait_multiplies:
        return line(format("products_wait<{}>();", statement.pending));
      case AsyncKind::turn_wait:
        return line("if (tile != cluster) turn_wait(consumer);");
      case AsyncKind::turn_pass:
        return line("turn_pass(1 - consumer);");
      case AsyncKind::epilogue:
        return epilogue();
      case AsyncKind::for_pieces:
        line("const int lane_ = thread_of_group % 32, warp_ = thread_of_group / 32;");
        print_staging(lines_, staged_tile());
        print_staged(lines_, statement, staged_tile(), *holes_.staged);
        statements(statement.body);
        return close();
      case AsyncKind::wait_stores:
      case AsyncKind::stage:
      case AsyncKind::publish:
      case AsyncKind::store:
        return print_staged(lines_, statement, staged_tile(), *holes_.staged);
      case AsyncKind::copy:
      case AsyncKind::fetch:
      case AsyncKind::keep:
      case AsyncKind::commit_copies:
      case AsyncKind::wait_copies:
      case AsyncKind::meet:
        break;  // of programs whose threads are all alike
    }
  }

  // The boxes of one operand, in the order that the program lists its loads.
  void load(const AsyncStatement& statement) {
    const bool is_lhs = statement.operand == 0;
    const int extent = is_lhs ? s_.rows : s_.columns / s_.cluster;
    int& number = is_lhs ? next_lhs_ : next_rhs_;
    print_load(lines_, problem_,
               {.is_lhs = is_lhs,
                .extent = extent,
                .box = number++ % box_count(problem_, is_lhs, extent),
                .stage = format("ring + at.stage * {}", stage_bytes(s_)),
                .barrier = "full + 8 * at.stage",
                .base = is_lhs ? 0 : s_.rows * kRowBytes,
                .sharers = statement.multicast ? s_.cluster : 1});
  }

  void multiply() {
    const int rows = consumer_rows(s_), groups = rows / 64, steps = stage_depth(problem_) / product_depth(problem_);
    const std::string own = s_.takes_turns ? "" : format(" + consumer * {}", rows * kRowBytes);
    // Between blocks of 64 elements along rows or columns, where those lie together.
    const auto leading = [&](const TensorOperand& operand) {
      return operand.is_along_depth() ? 16 : stage_depth(problem_) * kRowBytes;
    };
    // From one product to the next along depth, in units of 16 bytes.
    const auto stride = [&](const TensorOperand& operand) {
      return operand.is_along_depth() ? 2 : product_depth(problem_) * kRowBytes / 16;
    };
    line(format("const unsigned long long lhs_tile = describe_tile(ring + at.stage * {}{}, {});", stage_bytes(s_), own,
                leading(problem_.lhs)));
    line(format("const unsigned long long rhs_tile = describe_tile(ring + at.stage * {} + {}, {});", stage_bytes(s_),
                s_.rows * kRowBytes, leading(problem_.rhs)));
    open(format("HYP_EACH(step, {})", steps));
    for (int g = 0; g < groups; ++g) {
      line(format("multiply(sums_of_tile[{}], lhs_tile + step * {} + {}, rhs_tile + step * {}, (k | step) != 0);", g,
                  stride(problem_.lhs), g * 64 * kRowBytes / 16, stride(problem_.rhs)));
    }
    close();
  }

  // The warp's first row, in the result.
  std::string own_row() const {
    const std::string own = s_.takes_turns ? "" : format(" + consumer * {}", consumer_rows(s_));
    return format("first_row{} + warp_ * 16", own);
  }

  StagedTile staged_tile() const {
    const int buffers = staging_buffers(s_);
    return {.groups = consumer_rows(s_) / 64,
            .columns = s_.columns,
            .buffers = buffers,
            .row = own_row(),
            .column = "first_column",
            .staging =
                format("ring + {} + (consumer * 4 + warp_) * {}", s_.stages * stage_bytes(s_), buffers * kStagingBytes),
            .rows = problem_.rows,
            .all_columns = problem_.columns,
            .is_ragged = problem_.rows % s_.rows != 0 || problem_.columns % s_.columns != 0,
            .has_batches = problem_.batches > 1};
  }

  void epilogue() {
    line("const int lane_ = thread_of_group % 32, warp_ = thread_of_group / 32;");
    print_epilogue(lines_,
                   {.bands = consumer_rows(s_) / 64,
                    .rows_apart = 64,
                    .columns = s_.columns,
                    .row = own_row(),
                    .column = "first_column",
                    .slab = format("reinterpret_cast<float*>(shared + {}) + (consumer * 4 + warp_) * {}",
                                   s_.stages * stage_bytes(s_), kWarpSlabBytes / 4)},
                   problem_.rows, problem_.columns, holes_.finish);
  }

  const TensorProblem& problem_;
  const TensorSchedule& s_;
  const CudaTarget& target_;
  const AsyncProgram& program_;
  const TensorHoles& holes_;
  KernelLines lines_;
  std::string first_;
  std::int64_t step_ = 1, tiles_ = 1, clusters_ = 1;
  int next_lhs_ = 0, next_rhs_ = 0;
  bool is_producer_ = false;
};

bool fits_wgmma(const TensorProblem& problem, const CudaTarget& target) {
  return target.has_wgmma() && is_loadable(problem);
}

AsyncProgram wgmma_program(const TensorProblem& problem, const TensorSchedule& s, bool is_staged) {
  using K = AsyncKind;
  AsyncProgram program;
  program.stages = s.stages;
  program.cluster = s.cluster;
  program.operand_bytes = {s.rows * kRowBytes, s.columns * kRowBytes};
  // An empty stage is given back by every consumer that reads it, in every block that writes to it.
  const int readers = s.takes_turns ? 1 : kConsumers;
  program.barriers = {{"full", 1}, {"empty", readers * s.cluster}};
  program.shared_bytes = shared_bytes(s);
  if (is_staged) program.staging_buffers = staging_buffers(s), program.pieces = result_pieces(s);
  program.threads = kWarpgroup * (1 + kConsumers);
  program.launch_registers = 168;

  std::vector<AsyncStatement> bring{{.kind = K::wait, .barrier = kEmpty},
                                    {.kind = K::expect, .barrier = kFull, .bytes = stage_bytes(s)}};
  const auto load = [&](int operand, int extent, bool multicast) {
    const int count = box_count(problem, operand == 0, extent);
    for (int box = 0; box < count; ++box) {
      bring.push_back({.kind = K::load,
                       .barrier = kFull,
                       .operand = operand,
                       .bytes = extent / count * kRowBytes,
                       .multicast = multicast});
    }
  };
  load(0, s.rows, false);
  load(1, s.columns / s.cluster, s.cluster > 1);
  bring.push_back({.kind = K::advance});
  AsyncRole producer{.name = "loads tiles", .threads = kWarpgroup, .registers = 40, .starts_free = true};
  producer.body = {{.kind = K::for_tiles, .body = {{.kind = K::for_depth, .body = std::move(bring)}}},
                   {.kind = K::drain, .barrier = kEmpty}};
  program.roles.push_back(std::move(producer));

  for (int c = 0; c < kConsumers; ++c) {
    AsyncRole consumer{.name = format("multiplies{}", s.takes_turns ? ", every other tile"
                                                      : c == 0      ? ", the upper rows"
                                                                    : ", the lower rows"),
                       .threads = kWarpgroup,
                       .registers = 232};
    // Products of one step run while those of the next are given; then the earlier stage is free.
    const std::vector<AsyncStatement> give_back{{.kind = K::wait_multiplies, .pending = 1},
                                                {.kind = K::arrive, .barrier = kEmpty, .lag = 1}};
    std::vector<AsyncStatement> tile;
    if (s.takes_turns) tile.push_back({.kind = K::turn_wait});
    tile.push_back({.kind = K::for_depth,
                    .body = {{.kind = K::wait, .barrier = kFull},
                             {.kind = K::fence},
                             {.kind = K::multiply},
                             {.kind = K::commit},
                             {.kind = K::after_first, .body = give_back},
                             {.kind = K::advance}}});
    if (s.takes_turns) tile.push_back({.kind = K::turn_pass});
    tile.push_back({.kind = K::wait_multiplies, .pending = 0});
    tile.push_back({.kind = K::arrive, .barrier = kEmpty, .lag = 1});
    if (is_staged)
      stage_results(tile, staging_buffers(s));
    else
      tile.push_back({.kind = K::epilogue});
    if (s.takes_turns) {
      consumer.first_tile = c, consumer.tile_step = kConsumers;
      tile.push_back({.kind = K::skip});
      if (c == 1) consumer.body.push_back({.kind = K::skip});
    }
    consumer.body.push_back({.kind = K::for_tiles, .body = std::move(tile)});
    if (is_staged) finish_stores(consumer.body);
    program.roles.push_back(std::move(consumer));
  }
  return program;
}

}  // namespace

std::string TensorSchedule::text() const {
  if (engine == TensorEngine::mma) {
    return format("{}x{} by mma, warps {}x{}, {} stages of {} B, {} blocks, group {}{}", rows, columns, warp_rows,
                  warp_columns, stages, depth_bytes, blocks, group,
                  parts > 1 ? format(", depth in {} parts", parts) : "");
  }
  return format("{}x{}, {} stages, cluster {}, {}, group {}", rows, columns, stages, cluster,
                takes_turns ? "turns" : "together", group);
}

bool fits_engine(const TensorProblem& problem, const CudaTarget& target, TensorEngine engine) {
  if (target.bitwise || (problem.dtype == DType::f32 && !problem.may_round)) return false;
  if (problem.dtype != DType::f32 && problem.dtype != DType::bf16 && problem.dtype != DType::f16) return false;
  // Positions are numbers of 32 bits, up to a tile beyond the end.
  constexpr std::int64_t kMost = std::int64_t{1} << 30;
  for (std::int64_t extent : {problem.batches, problem.rows, problem.columns, problem.depth}) {
    if (extent < 1 || extent >= kMost) return false;
  }
  return engine == TensorEngine::wgmma ? fits_wgmma(problem, target) : fits_mma(problem, target);
}

bool fits_tensor_cores(const TensorProblem& problem, const CudaTarget& target) {
  return fits_engine(problem, target, TensorEngine::wgmma) || fits_engine(problem, target, TensorEngine::mma);
}

std::vector<TensorSchedule> tensor_schedules(const TensorProblem& problem, const CudaTarget& target,
                                             TensorEngine engine) {
  return engine == TensorEngine::wgmma ? wgmma_schedules(problem, target) : mma_schedules(problem, target);
}

std::vector<TensorSchedule> tensor_schedules(const TensorProblem& problem, const CudaTarget& target) {
  const bool has_wgmma = fits_engine(problem, target, TensorEngine::wgmma);
  return tensor_schedules(problem, target, has_wgmma ? TensorEngine::wgmma : TensorEngine::mma);
}

AsyncProgram tensor_program(const TensorProblem& problem, const TensorSchedule& schedule, bool is_staged) {
  if (schedule.engine == TensorEngine::wgmma) return wgmma_program(problem, schedule, is_staged);
  HYP_CHECK(!is_staged, "only wgmma's results are staged");
  return mma_program(problem, schedule);
}

TensorKernel emit_tensor_kernel(const std::string& name, const TensorProblem& problem, const TensorSchedule& schedule,
                                const CudaTarget& target, const TensorHoles& holes) {
  const bool is_staged =
      schedule.engine == TensorEngine::wgmma && holes.staged && has_registers_for(schedule, *holes.staged);
  const AsyncProgram program = tensor_program(problem, schedule, is_staged);
  const std::vector<std::string> faults = verify(program, target.block_shared_bytes);
  HYP_CHECK(faults.empty(),
            format("the asynchronous program of {} is wrong: {}", schedule.text(), faults.empty() ? "" : faults[0]));
  if (schedule.engine == TensorEngine::mma) return print_mma_kernel(problem, schedule, program, holes);
  TensorHoles own = holes;
  if (!is_staged) own.staged.reset();
  return WgmmaPrinter(problem, schedule, target, program, own).print(name);
}

}  // namespace hyperion::codegen

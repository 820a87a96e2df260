// Matrix products against OpenBLAS and oneDNN, in one process and interleaved, because clocks and
// neighbours wander.
//
//   hyperion_contraction_benchmark [--threads N] [--seconds S] [--only SUBSTRING] [--schedule]
//                                  [--convolutions] [MxNxK[:NT]...]
//
// One line a shape: GF/s of the FMA loop, of both peers and of ours; ours / better peer; ours / FMA
// loop. One-thread figures use the thread's CPU time, so that a busy machine disturbs them little;
// more threads use wall time.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "codegen/llvm/contraction.hpp"
#include "codegen/llvm/contraction_convolution.hpp"
#include "codegen/llvm/contraction_testing.hpp"
#include "tests/benchmark/peers/machine.hpp"
#include "tests/benchmark/peers/peers.hpp"

namespace hyperion::benchmark {
namespace {

using codegen::ContractionSchedule;

struct Shape {
  std::int64_t m, n, k;
  bool lhs_transposed = false, rhs_transposed = false;

  double flops() const { return 2.0 * double(m) * double(n) * double(k); }
  std::string text() const {
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) + ":" +
           (lhs_transposed ? "T" : "N") + (rhs_transposed ? "T" : "N");
  }
};

struct Options {
  int threads = 1;
  double seconds = 0.6;
  std::string only;
  bool print_schedule = false;
  bool convolutions = false;
  std::vector<Shape> shapes;
};

const Shape kShapes[] = {
    {32, 32, 32},
    {64, 64, 64},
    {96, 96, 96},
    {128, 128, 128},
    {192, 192, 192},
    {256, 256, 256},
    {384, 384, 384},
    {512, 512, 512},
    {768, 768, 768},
    {1024, 1024, 1024},
    {1536, 1536, 1536},
    {2048, 2048, 2048},
    {4096, 4096, 4096},
    // The MLP of MNIST at batch 128: forward, weight gradients (TN), input gradients (NT).
    {128, 512, 784},
    {128, 10, 512},
    {784, 512, 128, true, false},
    {512, 10, 128, true, false},
    {128, 512, 10, false, true},
    {128, 784, 512, false, true},
    // GPT-like: 512 tokens, width 768.
    {512, 2304, 768},
    {512, 3072, 768},
    {512, 768, 3072},
    {1024, 64, 1024},
    // Thin ones.
    {1, 1024, 1024},
    {4, 1024, 1024},
    {1024, 1, 1024},
    {1024, 1024, 8},
    {512, 512, 512, false, true},
    {512, 512, 512, true, false},
    {1024, 1024, 1024, false, true},
    {1024, 1024, 1024, true, false},
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--threads")
      options.threads = std::atoi(argv[++i]);
    else if (word == "--seconds")
      options.seconds = std::atof(argv[++i]);
    else if (word == "--only")
      options.only = argv[++i];
    else if (word == "--schedule")
      options.print_schedule = true;
    else if (word == "--convolutions")
      options.convolutions = true;
    else {
      Shape shape{};
      char layout[3] = "NN";
      std::sscanf(word.c_str(), "%ldx%ldx%ld:%2s", &shape.m, &shape.n, &shape.k, layout);
      shape.lhs_transposed = layout[0] == 'T';
      shape.rhs_transposed = layout[1] == 'T';
      options.shapes.push_back(shape);
    }
  }
  if (options.shapes.empty()) options.shapes.assign(std::begin(kShapes), std::end(kShapes));
  return options;
}

// HYP_TILE="rows vectors unroll depth_block block_row_tiles block_strips lhs rhs" overrides the
// chosen schedule.
void override_schedule(ContractionSchedule& s) {
  const char* text = std::getenv("HYP_TILE");
  if (text == nullptr) return;
  long depth = 0, rows = 0, strips = 0;
  int lhs = 0, rhs = 0;
  if (std::sscanf(text, "%d %d %d %ld %ld %ld %d %d", &s.tile_rows, &s.tile_vectors, &s.unroll,
                  &depth, &rows, &strips, &lhs, &rhs) != 8) {
    return;
  }
  s.depth_block = depth, s.block_row_tiles = rows, s.block_strips = strips;
  s.lhs = static_cast<codegen::LhsPacking>(lhs);
  s.rhs = static_cast<codegen::RhsPacking>(rhs);
}

codegen::AlignedBytes floats(std::int64_t count) {
  codegen::AlignedBytes bytes = codegen::aligned_bytes(count * 4);
  auto* data = reinterpret_cast<float*>(bytes.get());
  for (std::int64_t i = 0; i < count; ++i) data[i] = static_cast<float>(i % 17) * 0.125f - 1;
  return bytes;
}

double cpu_milliseconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return 1e3 * double(t.tv_sec) + 1e-6 * double(t.tv_nsec);
}

float* data_of(const codegen::AlignedBytes& bytes) { return reinterpret_cast<float*>(bytes.get()); }

// Gigaflops per second of each contender, in a race whose turns last as the options say.
struct Figures {
  std::map<std::string, double> of;  // zero for who is absent
  double operator[](const std::string& name) const {
    const auto found = of.find(name);
    return found == of.end() ? 0 : found->second;
  }
};

class Race {
 public:
  Race(const Options& options, runtime::ThreadPool& pool, double flops)
      : options_(options), flops_(flops) {
    add("fma", fma_loop(pool));
  }
  void add(const std::string& name, Call call) {
    contenders_.push_back(
        timed(name, std::move(call), options_.threads, options_.seconds / kTurns));
  }
  // Nothing without the peer.
  void add(const std::string& name, PeerKernel* peer) {
    if (peer != nullptr) add(name, [peer] { peer->run(); });
  }
  Figures run() const {
    const std::vector<double> seconds = race(contenders_);
    Figures figures;
    for (std::size_t k = 0; k < seconds.size(); ++k) {
      const double flops = k == 0 ? fma_loop_flops(options_.threads) : flops_;
      figures.of[contenders_[k].name] = flops / seconds[k] * 1e-9;
    }
    return figures;
  }

 private:
  const Options& options_;
  const double flops_;
  std::vector<Contender> contenders_;
};

void measure_shape(const Shape& shape, const Options& options, const Peers& peers,
                   runtime::ThreadPool& pool) {
  const codegen::AlignedBytes a = floats(shape.m * shape.k), b = floats(shape.k * shape.n);
  const codegen::AlignedBytes c = floats(shape.m * shape.n);
  float *pa = data_of(a), *pb = data_of(b), *pc = data_of(c);

  const codegen::ContractionSpec spec = codegen::matmul_spec(
      DType::f32, shape.m, shape.n, shape.k, shape.lhs_transposed, shape.rhs_transposed);
  ContractionSchedule schedule =
      codegen::choose_schedule(spec, {}, codegen::host_target(), options.threads);
  override_schedule(schedule);
  const double start = cpu_milliseconds();
  auto compiled =
      codegen::compile_contraction(spec, {}, schedule, codegen::host_target(), options.threads);
  const double compile_ms = cpu_milliseconds() - start;
  if (!compiled) {
    std::printf("%s: %s\n", shape.text().c_str(), compiled.error().text().c_str());
    return;
  }
  std::vector<void*> buffers = {pa, pb, pc};
  const Matmul problem{shape.m, shape.n, shape.k, shape.lhs_transposed, shape.rhs_transposed,
                       pa,      pb,      pc};
  const auto openblas = peers.openblas_matmul(problem);
  const auto onednn = peers.onednn_matmul(problem);
  Race contest(options, pool, shape.flops());
  contest.add("openblas", openblas.get());
  contest.add("onednn", onednn.get());
  contest.add("ours", [&] { compiled->run(buffers, pool); });
  const Figures figures = contest.run();
  const double blas = figures["openblas"], dnn = figures["onednn"], ours = figures["ours"];
  std::printf(
      "%-20s %dT  fma %6.1f  openblas %6.1f  onednn %6.1f  ours %6.1f   x%.3f  %5.1f%%  jit %.1f "
      "ms",
      shape.text().c_str(), options.threads, figures["fma"], blas, dnn, ours,
      ours / std::max(blas, dnn), 100 * ours / figures["fma"], compile_ms);
  if (options.print_schedule) std::printf("  [%s]", compiled->plan().schedule.text().c_str());
  std::printf("\n");
  std::fflush(stdout);
}

// Ours reads and writes NHWC and HWIO; oneDNN its own blocked layouts, reorders not counted.
// Gradients run alone.
void measure_convolution(const char* name, Convolution p, bool is_forward,
                         const codegen::ConvolutionSpec& spec, const Options& options,
                         const Peers& peers, runtime::ThreadPool& pool) {
  codegen::ConvolutionSchedule schedule =
      codegen::choose_schedule(spec, {}, codegen::host_target(), options.threads);
  if (const char* text = std::getenv("HYP_TILE")) {
    std::sscanf(text, "%d %d", &schedule.tile_rows, &schedule.tile_vectors);
  }
  const double start = cpu_milliseconds();
  codegen::IrModule module("convolution", codegen::host_target());
  auto plan = codegen::emit_convolution(module, spec, {}, schedule);
  auto code = codegen::load_object(*codegen::compile_object(module));
  const double compile_ms = cpu_milliseconds() - start;
  codegen::RunnableContraction ours({plan->launches, plan->workspace_bytes, {}}, *code,
                                    options.threads, spec.workspace_buffer);
  const std::int64_t outputs = p.batch * p.out_height() * p.out_width() * p.out_channels;
  const codegen::AlignedBytes x = floats(p.batch * p.height * p.width * p.in_channels);
  const codegen::AlignedBytes w = floats(p.kernel * p.kernel * p.in_channels * p.out_channels);
  const codegen::AlignedBytes y = floats(outputs);
  p.input = data_of(x), p.weights = data_of(w), p.output = data_of(y);
  std::vector<void*> buffers = {data_of(x), data_of(w), data_of(y)};
  if (!is_forward) {
    const bool is_input_gradient = spec.batch == p.batch && spec.in_channels == p.out_channels;
    buffers = is_input_gradient ? std::vector<void*>{data_of(y), data_of(w), data_of(x)}
                                : std::vector<void*>{data_of(x), data_of(y), data_of(w)};
  }
  const double flops = 2.0 * double(outputs) * double(p.kernel * p.kernel * p.in_channels);
  const auto onednn = is_forward ? peers.onednn_convolution(p) : nullptr;
  Race contest(options, pool, flops);
  contest.add("ours", [&] { ours.run(buffers, pool); });
  contest.add("onednn", onednn.get());
  const Figures figures = contest.run();
  std::printf("%-22s %dT  fma %6.1f  ours %6.1f  %5.1f%%", name, options.threads, figures["fma"],
              figures["ours"], 100 * figures["ours"] / figures["fma"]);
  if (onednn) {
    std::printf("  onednn %6.1f  x%.3f", figures["onednn"], figures["ours"] / figures["onednn"]);
  }
  std::printf("  jit %.1f ms", compile_ms);
  if (options.print_schedule) std::printf("  [%s]", plan->schedule.text().c_str());
  std::printf("\n");
  std::fflush(stdout);
}

void measure_convolutions(const Options& options, const Peers& peers, runtime::ThreadPool& pool) {
  // batch, height, width, in, out, kernel, stride, padding
  const Convolution problems[] = {
      {32, 28, 28, 32, 64, 3, 1, 1}, {128, 28, 28, 1, 32, 3, 1, 1},  {128, 14, 14, 32, 64, 3, 1, 1},
      {8, 56, 56, 64, 64, 3, 1, 1},  {8, 14, 14, 256, 256, 3, 1, 1}, {8, 28, 28, 128, 128, 1, 1, 0},
      {8, 56, 56, 64, 128, 3, 2, 1},
  };
  for (const Convolution& p : problems) {
    using codegen::WindowAxis;
    const WindowAxis height{
        .kernel = p.kernel, .input = p.height, .stride = p.stride, .padding = p.padding};
    const WindowAxis width{
        .kernel = p.kernel, .input = p.width, .stride = p.stride, .padding = p.padding};
    const codegen::ConvolutionSpec forward = codegen::convolution_spec(
        p.batch, height, width, p.in_channels, p.out_channels, 1, p.padding, p.padding);
    const std::string name = std::to_string(p.batch) + "x" + std::to_string(p.in_channels) + "x" +
                             std::to_string(p.height) + "->" + std::to_string(p.out_channels) +
                             "k" + std::to_string(p.kernel) + "s" + std::to_string(p.stride);
    const auto measure = [&](const char* kind, bool is_forward,
                             const codegen::ConvolutionSpec& spec) {
      const std::string title = name + kind;
      if (title.find(options.only) == std::string::npos) return;
      measure_convolution(title.c_str(), p, is_forward, spec, options, peers, pool);
    };
    measure("", true, forward);
    measure("/dx", false, codegen::input_gradient_spec(forward));
    measure("/dw", false, codegen::weight_gradient_spec(forward));
  }
}

}  // namespace
}  // namespace hyperion::benchmark

int main(int argc, char** argv) {
  using namespace hyperion::benchmark;
  const Options options = parse(argc, argv);
  const Peers peers(options.threads);
  hyperion::runtime::ThreadPool pool(options.threads);
  if (options.convolutions) {
    measure_convolutions(options, peers, pool);
    return 0;
  }
  for (const Shape& shape : options.shapes) {
    if (shape.text().find(options.only) == std::string::npos) continue;
    measure_shape(shape, options, peers, pool);
  }
}

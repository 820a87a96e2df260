// hyperion_benchmark: Hyperion beside its peers, in one process, taking turns. `./run bench` runs
// it.
//
//   hyperion_benchmark [--json FILE] [--quick]
//
// Ours are functions of the frontend, compiled by `jit`: what is timed is what a user gets, calls
// included. Bandwidth is compared with a STREAM copy of the same size in the same race, arithmetic
// with OpenBLAS and oneDNN.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "frontend/engine.hpp"
#include "frontend/hyperion.hpp"
#include "tests/benchmark/peers/bench.hpp"
#include "tests/benchmark/peers/machine.hpp"
#include "tests/benchmark/peers/peers.hpp"

namespace hyperion::benchmark {
namespace {

struct Session {
  Report& report;
  const Peers& peers;
  int threads;
};

Tensor noise(Shape shape, std::uint64_t seed) {
  Tensor x = random::uniform(random::key(seed), std::move(shape), -1, 1);
  x.eval();
  return x;
}

std::vector<float> host(const Tensor& x) { return x.to_vector<float>(); }

void matmul_row(Session& s, std::int64_t m, std::int64_t n, std::int64_t k) {
  const Tensor a = noise({m, k}, 1), b = noise({k, n}, 2);
  const auto f = jit([](const Tensor& x, const Tensor& y) { return matmul(x, y); });
  const std::vector<float> left = host(a), right = host(b);
  std::vector<float> out(static_cast<std::size_t>(m * n));
  const Matmul problem{
      .m = m, .n = n, .k = k, .a = left.data(), .b = right.data(), .c = out.data()};
  std::vector<Contender> contenders{timed("hyperion", [&] { f(a, b).eval(); }, s.threads)};
  const auto blas = s.peers.openblas_matmul(problem);
  const auto onednn = s.peers.onednn_matmul(problem);
  if (blas) contenders.push_back(timed("OpenBLAS", [&] { blas->run(); }, s.threads));
  if (onednn) contenders.push_back(timed("oneDNN", [&] { onednn->run(); }, s.threads));
  const std::vector<double> seconds = race(contenders);
  const double work = 2e-9 * static_cast<double>(m * n) * static_cast<double>(k);
  Row row{.suite = "matmul",
          .name = "sgemm",
          .shape = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k),
          .threads = s.threads,
          .median = work / seconds[0],
          .unit = "GFLOP/s",
          .peer = "peer absent"};
  for (std::size_t i = 1; i < seconds.size(); ++i) {
    if (row.peer_median && *row.peer_median >= work / seconds[i]) continue;
    row.peer = contenders[i].name;
    row.peer_median = work / seconds[i];
  }
  s.report.add(row);
}

// One tensor in, `outputs` elements out; the peer is a STREAM copy that moves as many bytes, or
// oneDNN.
template <class F>
void bandwidth_row(Session& s, runtime::ThreadPool& pool, const std::string& name,
                   std::int64_t rows, std::int64_t columns, double bytes, F function,
                   std::unique_ptr<PeerKernel> peer = nullptr) {
  const Tensor x = noise({rows, columns}, 3);
  const auto f = jit(function);
  const StreamLoop stream(StreamLoop::Kind::copy, static_cast<std::int64_t>(bytes), false, pool);
  std::vector<Contender> contenders{timed(
                                        "hyperion", [&] { f(x).eval(); }, s.threads),
                                    timed("STREAM copy", stream.call(), s.threads)};
  if (peer) contenders.push_back(timed("oneDNN", [&] { peer->run(); }, s.threads));
  const std::vector<double> seconds = race(contenders);
  Row row{.suite = "bandwidth",
          .name = name,
          .shape = std::to_string(rows) + "x" + std::to_string(columns),
          .threads = s.threads,
          .median = bytes / seconds[0] * 1e-9,
          .unit = "GB/s",
          .peer = "STREAM copy",
          .peer_median = stream.bytes_per_call() / seconds[1] * 1e-9};
  s.report.add(row);
  if (!peer) return;
  row.peer = "oneDNN";
  row.peer_median = bytes / seconds[2] * 1e-9;
  s.report.add(row);
}

void bandwidth_rows(Session& s, runtime::ThreadPool& pool, std::int64_t rows,
                    std::int64_t columns) {
  const double both = 8.0 * static_cast<double>(rows * columns),
               once = 4.0 * static_cast<double>(rows * columns);
  const Tensor w = noise({columns}, 4), b = noise({columns}, 5);
  const std::vector<float> input = host(noise({rows, columns}, 3)), scale = host(w),
                           shift = host(b);
  std::vector<float> output(input.size());
  const Rows problem{.rows = rows,
                     .columns = columns,
                     .input = input.data(),
                     .output = output.data(),
                     .scale = scale.data(),
                     .shift = shift.data()};
  bandwidth_row(s, pool, "gelu(x*w+b)*x+x", rows, columns, both,
                [=](const Tensor& x) { return nn::gelu(x * w + b) * x + x; });
  bandwidth_row(
      s, pool, "softmax", rows, columns, both, [](const Tensor& x) { return nn::softmax(x); },
      s.peers.onednn_softmax(problem));
  bandwidth_row(
      s, pool, "layer_norm", rows, columns, both,
      [=](const Tensor& x) {
        const Tensor centred = x - mean(x, {-1}, true);
        const Tensor variance = mean(centred * centred, {-1}, true);
        return centred * rsqrt(variance + 1e-5) * w + b;
      },
      s.peers.onednn_layer_norm(problem));
  bandwidth_row(s, pool, "sum of rows", rows, columns, once,
                [](const Tensor& x) { return sum(x, {-1}); });
  bandwidth_row(s, pool, "sum of columns", rows, columns, once,
                [](const Tensor& x) { return sum(x, {0}); });
  bandwidth_row(s, pool, "transpose", rows, columns, both,
                [](const Tensor& x) { return x.transpose(); });
}

void measure(Report& report, int threads, bool quick) {
  frontend::set_instance(runtime::Instance::create({.threads = threads}));
  const Peers peers(threads);
  runtime::ThreadPool pool(threads);
  Session s{report, peers, threads};
  const Call peak = fma_loop(pool);
  const double seconds = race({timed("fma", peak, threads)})[0];
  report.add({.suite = "machine",
              .name = "fma loop",
              .shape = "-",
              .threads = threads,
              .median = fma_loop_flops(threads) / seconds * 1e-9,
              .unit = "GFLOP/s",
              .peer = "peer absent"});
  for (const std::int64_t n : {32, 64, 128, 256, 512, 1024, 2048, 4096}) {
    if (!quick || n <= 512) matmul_row(s, n, n, n);
  }
  matmul_row(s, 128, 512, 784);
  matmul_row(s, 512, 2304, 768);
  bandwidth_rows(s, pool, 256, 1024);
  if (!quick) bandwidth_rows(s, pool, 4096, 4096);
}

int run(int argc, char** argv) {
  std::string json;
  bool quick = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0)
      quick = true;
    else if (std::strcmp(argv[i], "--json") == 0 && i + 1 < argc)
      json = argv[++i];
    else {
      std::fprintf(stderr, "usage: hyperion_benchmark [--json FILE] [--quick]\n");
      return 2;
    }
  }
  std::printf("%s\n", machine_text().c_str());
  Report report;
  for (const int threads : {1, 2}) measure(report, threads, quick);
  if (json.empty()) return 0;
  const StatusOr<> written = report.write_json(json);
  if (!written) std::fprintf(stderr, "%s\n", written.error().text().c_str());
  return written ? 0 : 1;
}

}  // namespace
}  // namespace hyperion::benchmark

int main(int argc, char** argv) {
  try {
    return hyperion::benchmark::run(argc, argv);
  } catch (const hyperion::Error& error) {
    std::fprintf(stderr, "hyperion_benchmark: %s\n", error.what());
    return 1;
  }
}

#include "tests/benchmark/suites/suites.hpp"

namespace hyperion::benchmark {
namespace {

void add_row(Session& s, std::int64_t m, std::int64_t n, std::int64_t k) {
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

}  // namespace

void matmul_rows(Session& s) {
  for (const std::int64_t n : {32, 64, 128, 256, 512, 1024, 2048, 4096}) {
    if (!s.quick || n <= 512) add_row(s, n, n, n);
  }
  // The MLP of MNIST, and what GPT-2 does to 512 tokens.
  add_row(s, 128, 512, 784);
  add_row(s, 512, 2304, 768);
}

}  // namespace hyperion::benchmark

#include "tests/benchmark/suites/suites.hpp"

namespace hyperion::benchmark {
namespace {

// A function of one tensor, beside a STREAM copy that moves as many bytes, and beside oneDNN.
template <class F>
void add_rows(Session& s, const std::string& name, std::int64_t rows, std::int64_t columns,
              double bytes, F function, std::unique_ptr<PeerKernel> peer = nullptr) {
  const Tensor x = noise({rows, columns}, 3);
  const auto f = jit(function);
  const StreamLoop stream(StreamLoop::Kind::copy, static_cast<std::int64_t>(bytes), false, s.pool);
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

void rows_of_shape(Session& s, std::int64_t rows, std::int64_t columns) {
  const double once = 4.0 * static_cast<double>(rows * columns), both = 2 * once;
  const Tensor w = noise({columns}, 4), b = noise({columns}, 5), y = noise({rows, columns}, 6);
  const std::vector<float> input = host(noise({rows, columns}, 3)), scale = host(w),
                           shift = host(b);
  std::vector<float> output(input.size());
  const Rows problem{.rows = rows,
                     .columns = columns,
                     .input = input.data(),
                     .output = output.data(),
                     .scale = scale.data(),
                     .shift = shift.data()};
  add_rows(s, "gelu(x*w+b)*y+x", rows, columns, 3 * once,
           [=](const Tensor& x) { return nn::gelu(x * w + b) * y + x; });
  add_rows(
      s, "softmax", rows, columns, both, [](const Tensor& x) { return nn::softmax(x); },
      s.peers.onednn_softmax(problem));
  add_rows(
      s, "layer_norm", rows, columns, both,
      [=](const Tensor& x) {
        const Tensor centred = x - mean(x, {-1}, true);
        const Tensor variance = mean(centred * centred, {-1}, true);
        return centred * rsqrt(variance + 1e-5) * w + b;
      },
      s.peers.onednn_layer_norm(problem));
  add_rows(s, "sum of rows", rows, columns, once, [](const Tensor& x) { return sum(x, {-1}); });
  add_rows(s, "sum of columns", rows, columns, once, [](const Tensor& x) { return sum(x, {0}); });
  add_rows(s, "transpose", rows, columns, both, [](const Tensor& x) { return x.transpose(); });
}

}  // namespace

void bandwidth_rows(Session& s) {
  rows_of_shape(s, 256, 1024);
  if (!s.quick) rows_of_shape(s, 4096, 4096);
}

}  // namespace hyperion::benchmark

#include "tests/benchmark/suites/suites.hpp"

namespace hyperion::benchmark {
namespace {

using Epilogue = Convolution::Epilogue;

struct Arrays {
  Tensor x, w, bias;  // nhwc, hwio
  std::vector<float> host_x, host_w, host_bias, output;
};

// The frontend's convolution is that of PyTorch, over [batch, channels, height, width]. Arrays that
// lie as oneDNN's do reach it as views, which the layout pass cancels.
Tensor nhwc_convolution(const Tensor& x, const Tensor& w) {
  return conv2d(x.transpose({0, 3, 1, 2}), w.transpose({3, 2, 0, 1}), {.padding = 1});
}

template <class F>
void add_rows(Session& s, const Convolution& shape, const Arrays& a, const std::string& name,
              F function, const std::vector<Epilogue>& epilogues) {
  const auto f = jit(function);
  std::vector<std::unique_ptr<PeerKernel>> kernels;
  std::vector<Contender> contenders{timed("hyperion", [&] { f(a.x, a.w).eval(); }, s.threads)};
  for (const Epilogue epilogue : epilogues) {
    Convolution problem = shape;
    problem.epilogue = epilogue;
    auto kernel = s.peers.onednn_convolution(problem);
    if (!kernel) continue;
    const char* peer = epilogue == Epilogue::none    ? "oneDNN conv alone"
                       : epilogue == Epilogue::fused ? "oneDNN with post-ops"
                                                     : "oneDNN conv, then relu";
    PeerKernel* prepared = kernels.emplace_back(std::move(kernel)).get();
    contenders.push_back(timed(peer, [prepared] { prepared->run(); }, s.threads));
  }
  const std::vector<double> seconds = race(contenders);
  const double work = 2e-9 *
                      static_cast<double>(shape.batch * shape.out_height() * shape.out_width()) *
                      static_cast<double>(shape.out_channels * shape.in_channels) *
                      static_cast<double>(shape.kernel * shape.kernel);
  Row row{.suite = "convolution",
          .name = name,
          .shape = "32x32x28x28 -> 64, 3x3",
          .threads = s.threads,
          .median = work / seconds[0],
          .unit = "GFLOP/s",
          .peer = "peer absent"};
  if (contenders.size() == 1) s.report.add(row);
  for (std::size_t i = 1; i < contenders.size(); ++i) {
    row.peer = contenders[i].name;
    row.peer_median = work / seconds[i];
    s.report.add(row);
  }
}

}  // namespace

void convolution_rows(Session& s) {
  Convolution shape{.batch = 32,
                    .height = 28,
                    .width = 28,
                    .in_channels = 32,
                    .out_channels = 64,
                    .kernel = 3,
                    .padding = 1};
  Arrays a{.x = noise({32, 28, 28, 32}, 1), .w = noise({3, 3, 32, 64}, 2), .bias = noise({64}, 3)};
  a.host_x = host(a.x), a.host_w = host(a.w), a.host_bias = host(a.bias);
  a.output.resize(static_cast<std::size_t>(32 * 28 * 28 * 64));
  shape.input = a.host_x.data(), shape.weights = a.host_w.data(), shape.bias = a.host_bias.data();
  shape.output = a.output.data();

  add_rows(s, shape, a, "conv2d",
           [](const Tensor& x, const Tensor& w) {
             return nhwc_convolution(x, w).transpose({0, 2, 3, 1});
           },
           {Epilogue::none});
  const Tensor bias = a.bias.reshape({1, 64, 1, 1});
  bias.eval();
  add_rows(s, shape, a, "conv2d + bias + relu",
           [bias](const Tensor& x, const Tensor& w) {
             return nn::relu(nhwc_convolution(x, w) + bias).transpose({0, 2, 3, 1});
           },
           {Epilogue::fused, Epilogue::none, Epilogue::separate});
  // Arrays that lie as PyTorch's do: turning them around is counted for us, and not for oneDNN.
  Arrays turned = a;
  turned.x = a.x.transpose({0, 3, 1, 2}).eval(), turned.w = a.w.transpose({3, 2, 0, 1}).eval();
  add_rows(s, shape, turned, "conv2d of nchw arrays",
           [](const Tensor& x, const Tensor& w) { return conv2d(x, w, {.padding = 1}); },
           {Epilogue::none});
}

}  // namespace hyperion::benchmark

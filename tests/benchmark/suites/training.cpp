// Training steps of the models that `hyperion train mnist` knows, beside eager PyTorch.
#include <functional>

#include "frontend/nn/losses.hpp"
#include "frontend/optim/optimizers.hpp"
#include "tests/benchmark/suites/suites.hpp"
#include "tools/hyperion/models.hpp"

namespace hyperion::benchmark {
namespace {

constexpr std::int64_t kBatch = 128, kSide = 28;
constexpr double kLearningRate = 0.01;
const optim::SGD kRule{.momentum = 0.9};

// Made on the host, so that nothing is compiled before the step.
Tensor host_noise(const Shape& shape, float scale) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  std::vector<float> values(static_cast<std::size_t>(count));
  std::uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525 + 1013904223;
    value = scale * (static_cast<float>(state >> 8) * 0x1p-23f - 1.0f);
  }
  return from_vector(values, shape);
}

template <class Network>
std::function<Tensor()> make_step() {
  struct State {
    Network network;
    optim::State<Network> optimizer;
  };
  const auto step = [](State s, const Tensor& images, const Tensor& labels) {
    const auto loss = [&](const Network& network) {
      return nn::cross_entropy(network(images), labels);
    };
    const auto [value, gradient] = value_and_grad(loss)(s.network);
    std::tie(s.network, s.optimizer) = optim::update(kRule, s.network, gradient, s.optimizer);
    return std::pair(s, value);
  };
  std::vector<std::int32_t> labels;
  for (std::int32_t k = 0; k < kBatch; ++k) labels.push_back(k * 7 % 10);
  const Tensor images = host_noise({kBatch, kSide, kSide}, 1);
  const Tensor classes = from_vector(labels, {kBatch});
  // Recorded for its structure and shapes, never computed.
  Network network = tree::map(Network::create(random::key(0), {kSide, kSide}),
                              [](const Tensor& t) { return host_noise(t.shape(), 0.05f); });
  return [compiled = jit(step, {.donate = {0}}), images, classes, network,
          state = std::optional<State>()]() mutable {
    if (!state) state = State{network, optim::start(kRule, network, kLearningRate)};
    network = {};  // the step takes over the parameters' memory
    auto [next, loss] = compiled(std::exchange(*state, {}), images, classes);
    state = next;
    return loss;
  };
}

}  // namespace

struct TrainingStep::Model {
  std::function<Tensor()> step;  // gives the loss
};

TrainingStep::TrainingStep(const std::string& model)
    : model_(new Model{model == "mlp" ? make_step<tools::Mlp>() : make_step<tools::Cnn>()}) {}
TrainingStep::~TrainingStep() = default;
float TrainingStep::run() { return model_->step().item<float>(); }
void TrainingStep::advance() { model_->step(); }

void training_rows(Session& s) {
  for (const std::string model : {"mlp", "cnn"}) {
    TrainingStep step(model);
    std::vector<Contender> contenders{timed("hyperion", [&] { step.run(); }, s.threads)};
    if (s.pytorch != nullptr) contenders.push_back(s.pytorch->training_step(model, s.threads));
    const std::vector<double> seconds = race(contenders);
    Row row{.suite = "training",
            .name = model + " step, SGD momentum",
            .shape = model == "mlp" ? "128 x 784-512-10" : "128 x 1x28x28, conv 16, 32",
            .threads = s.threads,
            .median = seconds[0] * 1e3,
            .unit = "ms",
            .peer = "peer absent"};
    if (s.pytorch != nullptr) {
      row.peer = s.pytorch->version();
      row.peer_median = seconds[1] * 1e3;
    }
    s.report.add(row);
  }
}

}  // namespace hyperion::benchmark

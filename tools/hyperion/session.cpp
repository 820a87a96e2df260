#include "tools/hyperion/session.hpp"

#include "frontend/nn/losses.hpp"
#include "frontend/ops/creation.hpp"
#include "frontend/ops/reduce.hpp"
#include "frontend/optim/optimizers.hpp"
#include "frontend/optim/schedules.hpp"
#include "frontend/transforms.hpp"

namespace hyperion::tools {
namespace {

// Padding at the end of a short batch: no logit is at this class, and losses leave it out.
constexpr std::int32_t kNoLabel = -100;

template <class Model>
struct Training {
  Model model;
  optim::State<Model> optimizer;
};
template <class Model>
struct SavedTraining {
  Training<Model> training;
  Tensor losses;
};
template <class Model>
struct SavedModel {
  struct Part {
    Model model;
  };
  Part training;
};

const optim::SGD kRule{.momentum = 0.9};

template <class Model>
auto step_function(double rate, std::int64_t total_steps) {
  return [=](Training<Model> t, const Tensor& images, const Tensor& labels) {
    const auto loss_of = [&](const Model& model) {
      const Tensor logits = model(images);
      return std::pair(nn::cross_entropy(logits, labels), nn::accuracy(logits, labels));
    };
    const auto [value, gradient] = value_and_grad(loss_of)(t.model);
    t.optimizer.learning_rate = optim::cosine(
        t.optimizer.step, {.rate = rate, .warmup = total_steps / 20, .steps = total_steps});
    std::tie(t.model, t.optimizer) = optim::update(kRule, t.model, gradient, t.optimizer);
    return std::pair(t, value);
  };
}

template <class Model>
auto make_step(double rate, std::int64_t total_steps) {
  return jit(step_function<Model>(rate, total_steps), {.donate = {0}});
}

template <class Model>
auto make_evaluation() {
  return jit([](const Model& model, const Tensor& images, const Tensor& labels) {
    const Tensor logits = model(images);
    const Tensor loss = nn::cross_entropy(
        logits, labels, {.ignore_index = kNoLabel, .reduction = nn::Reduction::sum});
    return std::pair(loss, sum((argmax(logits, 1) == labels).to(DType::i32)));
  });
}

template <class Model>
class ModelSession : public Session {
 public:
  explicit ModelSession(const SessionOptions& options)
      : options_(options),
        step_(make_step<Model>(options.learning_rate, options.total_steps)),
        evaluation_(make_evaluation<Model>()) {
    training_.model = Model::create(random::key(options.seed), options.size);
    training_.optimizer = optim::start(kRule, training_.model, options.learning_rate);
  }

  void prepare() override {
    const auto [images, labels] = empty_batch();
    evaluation_(training_.model, images, labels).first.eval();
  }

  RecordedStep record_step() const override {
    const auto [images, labels] = empty_batch();
    const auto call = frontend::trace_call("step", step_function<Model>(options_.learning_rate, options_.total_steps),
                                           frontend::user_line(std::source_location::current()), training_, images, labels);
    return {call.function.module, call.function.function->name};
  }

  StepResult step(Tensor images, Tensor labels) override {
    const auto [next, value] = step_(std::exchange(training_, {}), images, labels);
    training_ = next;
    return {value.first.template item<float>(), value.second.template item<float>()};
  }

  Evaluation evaluate(const data::LabelledImages& set,
                      const data::BatchOptions& normalisation) override {
    data::BatchOptions options = normalisation;
    options.batch_size = options_.batch_size;
    options.shuffle = false;
    options.drop_last = false;
    const auto loader = value_or_throw(data::BatchLoader::create(set, options));
    Evaluation total;
    for (bool done = false; !done;) {
      const data::Batch& batch = loader->next();
      done = batch.ends_epoch;
      // Every batch has the same shape, so that one program serves all.
      std::vector<float> images(batch.images.begin(), batch.images.end());
      std::vector<std::int32_t> labels(batch.labels.begin(), batch.labels.end());
      images.resize(static_cast<std::size_t>(options_.batch_size * pixels()));
      labels.resize(static_cast<std::size_t>(options_.batch_size), kNoLabel);
      const auto [loss, right] =
          evaluation_(training_.model, image_tensor(images), label_tensor(labels));
      total.loss += loss.template item<double>();
      total.accuracy += right.template item<double>();
      total.count += batch.size;
    }
    total.loss /= static_cast<double>(total.count);
    total.accuracy /= static_cast<double>(total.count);
    return total;
  }

  void save(const std::string& path, const std::vector<float>& losses,
            const checkpoints::Metadata& metadata) const override {
    const auto count = static_cast<std::int64_t>(losses.size());
    checkpoints::save(path, SavedTraining<Model>{training_, from_vector(losses, {count})},
                      metadata);
  }

  std::vector<float> load(const std::string& path, std::int64_t loss_count) override {
    const SavedTraining<Model> loaded =
        checkpoints::load(path, SavedTraining<Model>{training_, zeros({loss_count})});
    training_ = loaded.training;
    return loaded.losses.template to_vector<float>();
  }

  void load_model(const std::string& path) override {
    SavedModel<Model> like;
    like.training.model = training_.model;
    training_.model = checkpoints::load(path, like, {.allow_unexpected = true}).training.model;
  }

  std::int64_t parameter_count() const override { return tree::element_count(training_.model); }

 private:
  std::pair<Tensor, Tensor> empty_batch() const {
    const std::vector<float> images(static_cast<std::size_t>(options_.batch_size * pixels()));
    const std::vector<std::int32_t> labels(static_cast<std::size_t>(options_.batch_size), kNoLabel);
    return {image_tensor(images), label_tensor(labels)};
  }
  std::int64_t pixels() const { return options_.size.height * options_.size.width; }
  Tensor image_tensor(std::span<const float> pixels) const {
    return from_span(pixels, {options_.batch_size, options_.size.height, options_.size.width});
  }
  Tensor label_tensor(std::span<const std::int32_t> labels) const {
    return from_span(labels, {options_.batch_size});
  }

  using Step = decltype(make_step<Model>(0.0, std::int64_t{1}));
  using EvaluationProgram = decltype(make_evaluation<Model>());

  const SessionOptions options_;
  const Step step_;
  const EvaluationProgram evaluation_;
  Training<Model> training_;
};

}  // namespace

const std::vector<std::string>& model_names() {
  static const std::vector<std::string> names{"mlp", "cnn"};
  return names;
}

std::unique_ptr<Session> Session::create(const SessionOptions& options) {
  if (options.model == "mlp") return std::make_unique<ModelSession<Mlp>>(options);
  HYP_CHECK(options.model == "cnn", "no such model");
  return std::make_unique<ModelSession<Cnn>>(options);
}

}  // namespace hyperion::tools

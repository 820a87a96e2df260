// session.hpp: a model in training: its parameters, its optimizer, and the two programs it runs.
//
// A step (forward, loss, backward, update) is one compiled function to which parameters and
// optimizer state are donated; evaluation is another. Both are compiled by prepare() or the first
// call, and no later call compiles anything. The optimizer is SGD with momentum 0.9; its rate
// rises during the first twentieth of all steps and falls to zero along half a cosine.
//
// Everything of a session is on the default device of when it was made. Results depend on the
// settings, the seed, the batches and the kind of device alone, to the bit: not on threads, and not
// on whether the session was saved and loaded in between. Errors are thrown as hyperion::Error.
// Thread safety: one caller at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "frontend/checkpoint.hpp"
#include "frontend/tensor_batches.hpp"
#include "tools/hyperion/models.hpp"

namespace hyperion::tools {

struct SessionOptions {
  std::string model = "mlp";  // or "cnn"
  ImageSize size;
  std::uint64_t seed = 0;
  std::int64_t batch_size = 128;
  double learning_rate = 0.1;
  std::int64_t total_steps = 1;
};

struct StepResult {
  float loss = 0;      // mean over the batch, before the update
  float accuracy = 0;  // share of the batch that was right
};

// A function of a module of its own.
struct RecordedStep {
  std::shared_ptr<const ir::Module> module;
  std::string function;
};

struct Evaluation {
  double loss = 0;
  double accuracy = 0;
  std::int64_t count = 0;
};

class Session {
 public:
  // REQUIRES: `model` is one of model_names().
  static std::unique_ptr<Session> create(const SessionOptions& options);
  virtual ~Session() = default;

  // Compiles what evaluate() runs.
  virtual void prepare() = 0;
  // What step() compiles.
  virtual RecordedStep record_step() const = 0;
  virtual StepResult step(Tensor images, Tensor labels) = 0;  // a batch, as TensorBatches gives it
  // Of a whole set, pixels normalised as `normalisation` says.
  virtual Evaluation evaluate(const data::LabelledImages& set,
                              const data::BatchOptions& normalisation) = 0;

  // Parameters, optimizer state and `losses` in one file, written atomically.
  virtual void save(const std::string& path, const std::vector<float>& losses,
                    const checkpoints::Metadata& metadata) const = 0;
  // The inverse; gives the losses, of which the file must hold `loss_count`.
  virtual std::vector<float> load(const std::string& path, std::int64_t loss_count) = 0;
  // Only the parameters.
  virtual void load_model(const std::string& path) = 0;

  virtual std::int64_t parameter_count() const = 0;
};

const std::vector<std::string>& model_names();

}  // namespace hyperion::tools

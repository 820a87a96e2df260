// run_file.hpp: a training run as a checkpoint file describes it.
//
// A checkpoint is one safetensors file, <folder>/checkpoint.safetensors: parameters, optimizer
// state and the losses of all steps as tensors; everything else, in text, as metadata. The settings
// that decide the numbers are in it too, because a run continues exactly or not at all.
#pragma once

#include <string>
#include <vector>

#include "frontend/data/mnist.hpp"
#include "tools/hyperion/commands.hpp"
#include "tools/hyperion/session.hpp"

namespace hyperion::tools {

struct EpochRecord {
  double loss = 0;            // mean of its steps
  double train_accuracy = 0;  // while training
  double test_loss = 0;
  double test_accuracy = 0;
};

// What is known after some steps.
struct Progress {
  data::BatchPosition position;
  std::vector<float> losses;  // one a step
  std::int64_t right = 0;     // images of the current epoch classified right so far
  std::vector<EpochRecord> epochs;
};

std::string checkpoint_path(const std::string& folder);

// The set named by `data`; with a limit, its first so many training images and a sixth as many to
// test. Generated digits are only drawn as far as they are needed.
data::ImageDataset load_dataset(const std::string& data, std::int64_t limit);

void save_run(const TrainOptions& options, const Session& session, const Progress& progress);

// Continues `session` from the folder's checkpoint. Fails when the file is damaged, contradicts
// itself or belongs to other settings or data, saying which.
Progress load_run(const TrainOptions& options, std::int64_t steps_per_epoch, Session& session);

// The settings that the folder's checkpoint was made with.
TrainOptions load_settings(const std::string& folder);

// The rate a model is trained with unless told otherwise.
double default_learning_rate(const std::string& model);

}  // namespace hyperion::tools

#include "tools/hyperion/run_file.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "ir/support/format.hpp"

namespace hyperion::tools {
namespace {

// About what the 60,000 generated training images have; a few of them do for a few steps.
constexpr float kDigitsMean = 0.13f;
constexpr float kDigitsDeviation = 0.31f;

// The settings that decide the numbers, as text: {name, value}.
checkpoints::Metadata settings(const TrainOptions& options) {
  const double rate = options.learning_rate.value_or(default_learning_rate(options.model));
  return {{"model", options.model},
          {"data", options.data},
          {"epochs", format("{}", options.epochs)},
          {"batch", format("{}", options.batch)},
          {"lr", format("{}", rate)},
          {"seed", format("{}", options.seed)},
          {"limit", format("{}", options.limit)}};
}

[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  throw Error(Status{Code::data_loss, what, path, "delete it, or use another checkpoint folder"});
}

// Metadata of a checkpoint, read with an error that names the file.
class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {
    metadata_ = checkpoints::load_metadata(path_);
  }

  const std::string& text(const std::string& key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) damaged(path_, format("the checkpoint does not say its {}", key));
    return found->second;
  }
  template <class T>
  T number(const std::string& key) const {
    return parse<T>(key, text(key));
  }
  std::vector<EpochRecord> epochs() const {
    std::istringstream words(text("epoch_records"));
    std::vector<double> numbers;
    for (std::string word; words >> word;) {
      numbers.push_back(parse<double>("epoch_records", word));
    }
    if (numbers.size() % 4 != 0) damaged(path_, "epoch_records is incomplete");
    std::vector<EpochRecord> records;
    for (std::size_t k = 0; k < numbers.size(); k += 4) {
      records.push_back({numbers[k], numbers[k + 1], numbers[k + 2], numbers[k + 3]});
    }
    return records;
  }

 private:
  template <class T>
  T parse(const std::string& key, const std::string& word) const {
    T value{};
    const char* end = word.data() + word.size();
    const auto [stopped, error] = std::from_chars(word.data(), end, value);
    if (error != std::errc() || stopped != end) {
      damaged(path_, format("\"{}\" is no {}", word, key));
    }
    return value;
  }

  std::string path_;
  checkpoints::Metadata metadata_;
};

void require_same_settings(const Reader& file, const std::string& path,
                           const TrainOptions& options) {
  std::string differences;
  for (const auto& [name, value] : settings(options)) {
    if (const std::string& saved = file.text(name); saved != value) {
      differences +=
          format("{}--{} {} instead of {}", differences.empty() ? "" : ", ", name, saved, value);
    }
  }
  if (differences.empty()) return;
  throw Error(Status{Code::failed_precondition,
                     "the checkpoint was made with other settings: " + differences, path,
                     "resume with the same settings, or use another checkpoint folder"});
}

// What the file says about steps, epochs and data must be one state of one run.
void require_one_state(const std::string& path, const TrainOptions& options,
                       const Progress& progress, std::int64_t steps, std::int64_t steps_per_epoch) {
  const data::BatchPosition& at = progress.position;
  const std::int64_t epochs = std::ssize(progress.epochs);
  const bool in_range = epochs <= options.epochs && at.position >= 0 &&
                        at.position < steps_per_epoch * options.batch && progress.right >= 0 &&
                        progress.right <= at.position;
  if (in_range && at.seed == options.seed && at.epoch == epochs &&
      at.position % options.batch == 0 &&
      steps == epochs * steps_per_epoch + at.position / options.batch) {
    return;
  }
  damaged(path, format("{} steps, {} finished epochs of {} steps, and {} images into epoch {} do "
                       "not go together",
                       steps, epochs, steps_per_epoch, at.position, at.epoch));
}

void take_first(data::HostArray& array, std::int64_t count) {
  const std::int64_t kept = std::min(count, array.dims[0]);
  const std::size_t row = array.bytes.size() / static_cast<std::size_t>(array.dims[0]);
  array.dims[0] = kept;
  array.bytes.resize(row * static_cast<std::size_t>(kept));
}

void take_first(data::LabelledImages& set, std::int64_t count) {
  take_first(set.images, count);
  take_first(set.labels, count);
}

}  // namespace

std::string checkpoint_path(const std::string& folder) {
  return (std::filesystem::path(folder) / "checkpoint.safetensors").string();
}

double default_learning_rate(const std::string& model) { return model == "cnn" ? 0.03 : 0.05; }

data::ImageDataset load_dataset(const std::string& data, std::int64_t limit) {
  if (limit == 0) return value_or_throw(data::load_images(data));
  const std::int64_t test_count = std::max<std::int64_t>(1, limit / 6);
  if (data == "digits") {
    data::ImageDataset dataset{data::generate_digits(limit, 0),
                               data::generate_digits(test_count, 0, limit)};
    dataset.pixel_mean = kDigitsMean;
    dataset.pixel_deviation = kDigitsDeviation;
    return dataset;
  }
  data::ImageDataset dataset = value_or_throw(data::load_images(data));
  take_first(dataset.train, limit);
  take_first(dataset.test, test_count);
  return dataset;
}

void save_run(const TrainOptions& options, const Session& session, const Progress& progress) {
  checkpoints::Metadata metadata = settings(options);
  metadata["steps"] = format("{}", progress.losses.size());
  metadata["data_seed"] = format("{}", progress.position.seed);
  metadata["data_epoch"] = format("{}", progress.position.epoch);
  metadata["data_position"] = format("{}", progress.position.position);
  metadata["right"] = format("{}", progress.right);
  std::string records;
  for (const EpochRecord& epoch : progress.epochs) {
    records += format("{} {} {} {}\n", epoch.loss, epoch.train_accuracy, epoch.test_loss,
                      epoch.test_accuracy);
  }
  metadata["epoch_records"] = records;
  session.save(checkpoint_path(options.checkpoint), progress.losses, metadata);
}

Progress load_run(const TrainOptions& options, std::int64_t steps_per_epoch, Session& session) {
  const std::string path = checkpoint_path(options.checkpoint);
  const Reader file(path);
  require_same_settings(file, path, options);
  Progress progress;
  progress.position = {file.number<std::uint64_t>("data_seed"),
                       file.number<std::int64_t>("data_epoch"),
                       file.number<std::int64_t>("data_position")};
  progress.right = file.number<std::int64_t>("right");
  progress.epochs = file.epochs();
  const auto steps = file.number<std::int64_t>("steps");
  require_one_state(path, options, progress, steps, steps_per_epoch);
  progress.losses = session.load(path, steps);
  return progress;
}

TrainOptions load_settings(const std::string& folder) {
  const Reader file(checkpoint_path(folder));
  TrainOptions options;
  options.model = file.text("model");
  if (std::ranges::find(model_names(), options.model) == model_names().end()) {
    damaged(checkpoint_path(folder), format("there is no model \"{}\"", options.model));
  }
  options.data = file.text("data");
  options.batch = file.number<std::int64_t>("batch");
  options.limit = file.number<std::int64_t>("limit");
  return options;
}

}  // namespace hyperion::tools

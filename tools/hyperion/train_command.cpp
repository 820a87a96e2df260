// train: reads data, takes steps, tests after each epoch, saves, reports. Read run() at the end
// first.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <numeric>

#include "frontend/engine.hpp"
#include "frontend/tensor_batches.hpp"
#include "ir/support/file.hpp"
#include "ir/support/format.hpp"
#include "runtime/cache.hpp"
#include "tools/hyperion/commands.hpp"
#include "tools/hyperion/device_choice.hpp"
#include "tools/hyperion/loss_curve.hpp"
#include "tools/hyperion/profile_report.hpp"
#include "tools/hyperion/progress_line.hpp"
#include "tools/hyperion/report.hpp"

namespace hyperion::tools {
namespace {

// Adds the time until the end of the scope.
class Stopwatch {
 public:
  explicit Stopwatch(double& total) : total_(total) {}
  ~Stopwatch() {
    total_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& total_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::uint64_t programs_loaded() {
  const frontend::EngineStatistics statistics = frontend::engine_statistics();
  return statistics.compiled + statistics.from_disk;
}

runtime::Device current_device() { return value_or_throw(frontend::runtime_device(default_device())); }

std::uint64_t system_allocations() { return current_device().memory().allocations; }

// Better now than after an hour of training.
void require_folder_of(const std::string& path) {
  if (path.empty()) return;
  const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  if (std::filesystem::is_directory(folder)) return;
  throw Error(Status{Code::not_found, "there is no folder to write this file to", path,
                     "create " + folder.string() + " first"});
}

// Where the loss curve goes: where it is asked for, else beside what else is kept of the run, else
// where this user's programs keep things. Empty: nowhere.
std::string curve_path(const TrainOptions& options) {
  namespace fs = std::filesystem;
  if (!options.svg.empty()) return options.svg;
  if (!options.json.empty()) return fs::path(options.json).replace_extension(".svg").string();
  const std::string folder =
      options.checkpoint.empty() ? runtime::default_cache_folder() : options.checkpoint;
  return fs::is_directory(folder) ? (fs::path(folder) / "loss.svg").string() : std::string();
}

class TrainRun {
 public:
  explicit TrainRun(const TrainOptions& options) : options_(options) {}
  void run();

 private:
  void open_data();
  void open_session();
  void announce() const;
  // Gives the images a second.
  double steps();
  void end_epoch(ProgressLine& line);
  void save();
  void report(double images_per_second);
  void write_files(const RunReport& report) const;

  int epoch() const { return static_cast<int>(progress_.epochs.size()) + 1; }
  std::int64_t steps_per_epoch() const { return batches_ahead_->batches_per_epoch(); }
  std::int64_t total_steps() const { return steps_per_epoch() * options_.epochs; }
  bool is_finished() const { return std::ssize(progress_.epochs) == options_.epochs; }

  const TrainOptions options_;
  data::ImageDataset dataset_;
  data::BatchOptions batches_;
  std::unique_ptr<data::TensorBatches> batches_ahead_;
  std::unique_ptr<Session> session_;
  Progress progress_;
  TimeSpent time_;
  double session_seconds_ = 0;  // recording, compiling and running together
  std::uint64_t programs_after_first_step_ = 0;
  std::uint64_t allocations_after_first_step_ = 0;
};

void TrainRun::open_data() {
  const Stopwatch watch(time_.data);
  dataset_ = load_dataset(options_.data, options_.limit);
  batches_.batch_size = options_.batch;
  batches_.mean = dataset_.pixel_mean;
  batches_.deviation = dataset_.pixel_deviation;
  progress_.position.seed = options_.seed;
  batches_ahead_ = data::TensorBatches::create(dataset_.train, batches_, progress_.position);
}

void TrainRun::open_session() {
  const Stopwatch watch(session_seconds_);
  const auto& dims = dataset_.train.images.dims;
  session_ = Session::create(
      {.model = options_.model,
       .size = {dims[1], dims[2]},
       .seed = options_.seed,
       .batch_size = options_.batch,
       .learning_rate = options_.learning_rate.value_or(default_learning_rate(options_.model)),
       .total_steps = total_steps()});
  if (options_.checkpoint.empty()) return session_->prepare();
  std::filesystem::create_directories(options_.checkpoint);
  const std::string path = checkpoint_path(options_.checkpoint);
  if (file_exists(path)) {
    if (!options_.resume) {
      throw Error(Status{Code::already_exists, "there is a checkpoint already", path,
                         "continue it with --resume, or use another checkpoint folder"});
    }
    progress_ = load_run(options_, steps_per_epoch(), *session_);
    batches_ahead_ = data::TensorBatches::create(dataset_.train, batches_, progress_.position);
  }
  session_->prepare();
}

void TrainRun::announce() const {
  std::puts(format("{}: {} parameters; {} training and {} test images; {}", options_.model,
                   session_->parameter_count(), dataset_.train.labels.dims[0],
                   dataset_.test.labels.dims[0], chosen_device_text())
                .c_str());
  if (!progress_.losses.empty()) {
    std::puts(
        format("resumed after step {} of {}", progress_.losses.size(), total_steps()).c_str());
  }
  std::fflush(stdout);
}

void TrainRun::save() {
  if (options_.checkpoint.empty()) return;
  const Stopwatch watch(time_.checkpoint);
  save_run(options_, *session_, progress_);
}

void TrainRun::end_epoch(ProgressLine& line) {
  const auto count = static_cast<double>(steps_per_epoch());
  const auto begin = progress_.losses.end() - steps_per_epoch();
  Evaluation test;
  {
    const Stopwatch watch(session_seconds_);
    test = session_->evaluate(dataset_.test, batches_);
  }
  const EpochRecord record{
      std::accumulate(begin, progress_.losses.end(), 0.0) / count,
      static_cast<double>(progress_.right) / (count * static_cast<double>(options_.batch)),
      test.loss, test.accuracy};
  line.finish(format(
      "epoch {}/{}  loss {:.9g}  accuracy {:.2f} %  test loss {:.9g}  test accuracy {:.2f} %  "
      "{:.0f} images/s",
      epoch(), options_.epochs, record.loss, 100 * record.train_accuracy, record.test_loss,
      100 * record.test_accuracy, line.images_per_second()));
  progress_.epochs.push_back(record);
  progress_.right = 0;
}

double TrainRun::steps() {
  ProgressLine line(options_.epochs, total_steps(), std::ssize(progress_.losses), options_.batch);
  while (!is_finished()) {
    data::TensorBatch batch;
    {
      const Stopwatch watch(time_.data);
      batch = batches_ahead_->next();
    }
    StepResult result;
    {
      const Stopwatch watch(session_seconds_);
      result = session_->step(std::move(batch.images), std::move(batch.labels));
    }
    if (programs_after_first_step_ == 0) {
      programs_after_first_step_ = programs_loaded();
      allocations_after_first_step_ = system_allocations();
    }
    progress_.losses.push_back(result.loss);
    progress_.right += std::lround(result.accuracy * static_cast<float>(batch.size));
    progress_.position = batch.after;
    const std::int64_t step = std::ssize(progress_.losses);
    line.step(epoch(), step, result.loss, result.accuracy);
    if (batch.ends_epoch) end_epoch(line);
    const bool is_due = options_.checkpoint_every > 0 && step % options_.checkpoint_every == 0;
    if (batch.ends_epoch || is_due) save();
  }
  return line.images_per_second();
}

void TrainRun::write_files(const RunReport& report) const {
  if (!options_.json.empty()) {
    write_text(options_.json, json_report(options_, progress_, report));
  }
  const std::string path = curve_path(options_);
  if (path.empty()) return;
  write_text(path, svg_curve(progress_.losses, format("{}: training loss", options_.model)));
  std::puts(format("\nloss curve: {}", path).c_str());
}

void TrainRun::report(double images_per_second) {
  const runtime::Device device = current_device();
  const frontend::EngineStatistics engine = frontend::engine_statistics();
  RunReport report{.threads = device.threads(),
                   .device = device.name(),
                   .parameters = session_->parameter_count(),
                   .time = time_,
                   .after_first_step = {},
                   .compiled = engine.compiled,
                   .from_disk = engine.from_disk,
                   .images_per_second = images_per_second};
  if (programs_after_first_step_ > 0) {
    report.after_first_step = {programs_loaded() - programs_after_first_step_,
                               system_allocations() - allocations_after_first_step_};
  }
  report.time.compile = engine.load_seconds;
  report.time.run = engine.run_seconds;
  report.time.record = session_seconds_ - engine.load_seconds - engine.run_seconds;
  std::fputs(("\n" + terminal_curve(progress_.losses)).c_str(), stdout);
  std::fputs(time_table(report).c_str(), stdout);
  write_files(report);
}

void TrainRun::run() {
  require_folder_of(options_.json);
  require_folder_of(options_.profile);
  require_folder_of(options_.svg);
  if (!options_.profile.empty()) frontend::instance()->profiler().start_capture();
  double images_per_second = 0;
  {
    const Stopwatch watch(time_.total);
    open_data();
    open_session();
    announce();
    images_per_second = steps();
  }
  report(images_per_second);
  if (!options_.profile.empty()) report_profile(options_.profile);
  std::puts(format("\ntest accuracy {:.2f}%", 100 * progress_.epochs.back().test_accuracy).c_str());
}

}  // namespace

void train(const TrainOptions& options) {
  choose_device(options.device, options.threads);
  TrainRun(options).run();
}

}  // namespace hyperion::tools

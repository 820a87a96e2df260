// commands.hpp: what each subcommand of `hyperion` is given, and the functions that do it.
//
// A command writes its result to standard output and throws hyperion::Error when it cannot; main()
// turns that into a message and an exit code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hyperion::tools {

struct TrainOptions {
  std::string model = "mlp";
  std::string data = "digits";
  int epochs = 5;
  std::int64_t batch = 128;
  std::optional<double> learning_rate;  // absent: the model's own
  std::uint64_t seed = 0;
  std::string device;                 // "cuda:1"; empty: the default one
  int threads = 0;                    // 0: one for each core
  std::string checkpoint;             // a folder; empty: none is kept
  std::int64_t checkpoint_every = 0;  // steps; 0: at the end of each epoch only
  bool resume = false;
  std::string json;
  std::string profile;
  std::string svg;         // of the loss curve; empty: see curve_path() of train_command.cpp
  std::int64_t limit = 0;  // training images to use; 0: all
};

struct EvalOptions {
  std::string data;  // empty: what the checkpoint was trained on
  std::string checkpoint;
  std::string device;
  int threads = 0;
  std::int64_t limit = 0;
};

struct TuneCommandOptions {
  std::string device = "cuda:0";
  std::string dtype = "bf16";
  std::vector<std::string> shapes;  // "4096x4096x1024" is rows, columns, depth; one number: a cube
  std::vector<std::string> layouts = {"NN"};
  std::string shape_file;  // of problems, a line each
  std::string model;       // "mlp", "cnn": the products of its training step
  std::int64_t batch = 128;
  int candidates = 10;
  double seconds = 0.03;         // for each candidate
  std::optional<double> budget;  // seconds for all
  bool again = false;            // also what was measured before
  bool shows_all = false;
  bool lists = false, forgets = false;  // instead of measuring
  std::string export_path;
};

void train(const TrainOptions& options);
void tune(const TuneCommandOptions& options);
void evaluate(const EvalOptions& options);
void list_devices();
void list_cache();
void clear_cache();
void print_cache_path();
void print_version();
std::string version_text();

}  // namespace hyperion::tools

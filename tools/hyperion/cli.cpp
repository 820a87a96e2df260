#include "tools/hyperion/cli.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "frontend/device.hpp"
#include "ir/support/format.hpp"
#include "ir/support/status.hpp"
#include "tools/hyperion/commands.hpp"
#include "tools/hyperion/session.hpp"

namespace hyperion::tools {
namespace {

constexpr int kExitGood = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// Shown in the help and checked: there is one data set layout so far.
void add_task(CLI::App& app, std::string& task) {
  app.add_option("task", task, "mnist: ten classes of small grey images")
      ->required()
      ->check(CLI::IsMember({"mnist"}));
}

// What is no name of a device is a mistake of the command line; whether there is that device, only
// the command finds out.
std::string mistake_in_device(const std::string& name) {
  const StatusOr<Device> device = Device::parse(name);
  if (device) return {};
  return format("{}; {}", device.error().message, device.error().advice);
}

void add_device(CLI::App& app, std::string& device, int& threads) {
  app.add_option("--device", device,
                 "where to compute: cpu, cuda, or cuda:1 for the second GPU (default: what "
                 "HYPERION_DEVICE names, else cpu)")
      ->check(CLI::Validator(mistake_in_device, "DEVICE"));
  app.add_option("--threads", threads, "of the CPU; results do not depend on it (default: all)")
      ->check(CLI::Range(1, 4096));
}

void add_train(CLI::App& tool, TrainOptions& options, std::string& task) {
  CLI::App& app = *tool.add_subcommand("train", "train a classifier and test it");
  add_task(app, task);
  app.add_option("--model", options.model, "mlp or cnn")
      ->check(CLI::IsMember(model_names()))
      ->capture_default_str();
  app.add_option("--data", options.data, "a folder with MNIST's four files, or the word digits")
      ->capture_default_str();
  app.add_option("--epochs", options.epochs)->check(CLI::Range(1, 100000))->capture_default_str();
  app.add_option("--batch", options.batch, "images a step")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--lr", options.learning_rate,
                 "the highest learning rate; it rises to it, then falls to zero")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed)->capture_default_str();
  add_device(app, options.device, options.threads);
  CLI::Option* folder =
      app.add_option("--checkpoint", options.checkpoint, "a folder to save progress in");
  app.add_option("--checkpoint-every", options.checkpoint_every,
                 "save after so many steps too, not only after each epoch")
      ->check(CLI::PositiveNumber)
      ->needs(folder);
  app.add_flag("--resume", options.resume, "continue what the checkpoint folder holds")
      ->needs(folder);
  app.add_option("--json", options.json, "write losses, accuracies and times to this file");
  app.add_option("--svg", options.svg,
                 "write the loss curve as a picture to this file (default: beside --json, or in "
                 "the checkpoint folder, or in the cache folder)");
  app.add_option("--profile", options.profile,
                 "write a trace for ui.perfetto.dev to this file, and print the slowest kernels "
                 "beside what the device can do");
  app.add_option("--limit", options.limit, "use only so many training images")
      ->check(CLI::PositiveNumber)
      ->group("");
  app.callback([&options] { train(options); });
}

void add_eval(CLI::App& tool, EvalOptions& options, std::string& task) {
  CLI::App& app = *tool.add_subcommand("eval", "test a trained classifier");
  add_task(app, task);
  app.add_option("--checkpoint", options.checkpoint, "the folder that train saved to")->required();
  app.add_option("--data", options.data, "as for train (default: what it was trained on)");
  add_device(app, options.device, options.threads);
  app.add_option("--limit", options.limit)->check(CLI::PositiveNumber)->group("");
  app.callback([&options] { evaluate(options); });
}

void add_tune(CLI::App& tool, TuneCommandOptions& options) {
  CLI::App& app = *tool.add_subcommand("tune", "measure matrix products on a GPU's tensor cores, and keep the fastest schedules");
  app.footer(
      "Each product is compiled by several schedules, which are measured; programs compiled from then on use\n"
      "the fastest. Times are kept beside the compile cache as they are taken: a run that is stopped goes on\n"
      "where it was. Nothing is ever measured unless this command is given.\n\n"
      "  hyperion tune 4096 4096x1024x768 --layout NN,NT\n"
      "  hyperion tune --shapes shapes.txt --budget 60\n"
      "  hyperion tune --model mlp\n"
      "  hyperion tune --list");
  app.add_option("SHAPES", options.shapes, "[BATCHESx]ROWSxCOLUMNSxDEPTH; one number is a cube (default: 4096)");
  app.add_option("--dtype", options.dtype, "of SHAPES: bf16, f16, or f32, which is rounded to tf32")
      ->check(CLI::IsMember({"bf16", "f16", "f32"}))
      ->capture_default_str();
  app.add_option("--layout", options.layouts, "of SHAPES' factors, each N (as in x @ w) or T (transposed)")
      ->check(CLI::IsMember({"NN", "NT", "TN", "TT"}))
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--shapes", options.shape_file, "a file with a line a product: TYPE LAYOUT SHAPE [peer MICROSECONDS]")
      ->check(CLI::ExistingFile);
  app.add_option("--model", options.model, "the products of its training step, under the policy fast (f32 as tf32)")
      ->check(CLI::IsMember(model_names()));
  app.add_option("--batch", options.batch, "images a step of the model")->check(CLI::Range(1, 65536))->capture_default_str();
  app.add_option("--candidates", options.candidates, "schedules to measure, the likeliest first")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "for each candidate")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--budget", options.budget, "seconds for everything, shared out evenly; each product gets a measurement")
      ->check(CLI::PositiveNumber);
  app.add_flag("--again", options.again, "measure also what was measured before");
  app.add_flag("--all", options.shows_all, "print every schedule's time");
  app.add_option("--device", options.device)->capture_default_str();
  const char* const kInstead = "Instead of measuring";
  CLI::Option* list = app.add_flag("--list", options.lists, "what was measured, as a table")->group(kInstead);
  CLI::Option* forget = app.add_flag("--forget", options.forgets, "remove what was measured")->group(kInstead)->excludes(list);
  app.add_option("--export", options.export_path, "write the fastest schedules as source, to ship (codegen/cuda/schedules.def)")
      ->group(kInstead)
      ->excludes(list)
      ->excludes(forget);
  app.callback([&options] { tune(options); });
}

void add_cache(CLI::App& tool) {
  CLI::App& app = *tool.add_subcommand("cache", "compiled code and measured schedules kept between runs");
  app.require_subcommand(1);
  app.add_subcommand("list", "entries, the most recently used first")->callback(list_cache);
  app.add_subcommand("clear", "remove all entries and measurements")->callback(clear_cache);
  app.add_subcommand("path", "the folder it is in")->callback(print_cache_path);
}

}  // namespace

int run_hyperion(int argc, char** argv) {
  CLI::App app("Hyperion: a tensor compiler that trains models.", "hyperion");
  app.require_subcommand(1);
  app.set_version_flag("--version", version_text());
  TrainOptions train_options;
  EvalOptions eval_options;
  TuneCommandOptions tune_options;
  std::string task;
  add_train(app, train_options, task);
  add_eval(app, eval_options, task);
  app.add_subcommand("devices", "what this machine computes with")->callback(list_devices);
  add_tune(app, tune_options);
  add_cache(app);
  app.add_subcommand("version", "the version of this program")->callback(print_version);
  try {
    app.parse(argc, argv);
    return kExitGood;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitGood : kExitUsage;
  } catch (const std::exception& error) {
    std::cout << std::flush;
    std::cerr << "hyperion: " << error.what() << "\n";
    return kExitFailed;
  }
}

}  // namespace hyperion::tools

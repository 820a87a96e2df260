// The program as its users meet it: run as a process, killed, resumed, misused.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "tests/support/temp_folder.hpp"
#include "tools/hyperion/program_testing.hpp"

namespace hyperion::tools {
namespace {

using testing_support::TempFolder;

TEST(HyperionTest, ThreadsDoNotChangeLosses) {
  const TempFolder folder;
  for (const std::string model : {"mlp", "cnn"}) {
    Words losses;
    for (const std::string threads : {"1", "2", "3"}) {
      const std::string json = folder.path(model + threads + ".json");
      const Outcome outcome =
          run(folder, small_training({"--model", model, "--threads", threads, "--json", json}));
      ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
      EXPECT_EQ(last_line(outcome.out).substr(0, 14), "test accuracy ");
      losses.push_back(results(json));
    }
    EXPECT_EQ(losses[0], losses[1]);
    EXPECT_EQ(losses[0], losses[2]);
  }
}

TEST(HyperionTest, NothingIsCompiledOrAllocatedOnceTraining) {
  const TempFolder folder;
  const std::string json = folder.path("run.json");
  const Outcome outcome = run(folder, small_training({"--json", json}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(contents(json).find("\"compiled_after_first_step\": 0, "
                                "\"system_allocations_after_first_step\": 0"),
            std::string::npos)
      << contents(json);
}

// Kills runs at random moments until `kills` of them were hit between the first step and the last. A run that ends by
// itself is compared with the one that was never disturbed, and another begins; so is the last.
void expect_same_losses_after_kills(const std::string& model, int kills) {
  const TempFolder folder;
  const auto training = [&](Words more) {
    more.insert(more.end(), {"--model", model, "--epochs", "8"});
    return small_training(std::move(more));
  };
  const std::string json = folder.path("whole.json"), resumed_json = folder.path("resumed.json");
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(run(folder, training({"--json", json})).exit_code, 0);
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - begin);

  const std::string checkpoint = folder.path("checkpoint");
  const std::string file = checkpoint + "/checkpoint.safetensors";
  const Words words = training({"--checkpoint", checkpoint, "--resume", "--checkpoint-every", "1", "--json", resumed_json});
  const auto saved = [&] {
    return std::filesystem::exists(file) ? std::filesystem::last_write_time(file) : std::filesystem::file_time_type::min();
  };
  std::mt19937 random(7);
  int landed = 0;
  for (int life = 0; landed < kills; ++life) {
    ASSERT_LT(life, 50 * kills) << "only " << landed << " kills hit a run between its first step and its last";
    const auto before = saved();
    const pid_t child = start(folder, words);
    std::this_thread::sleep_for(whole * (random() % 1000) / 1000);
    kill(child, SIGKILL);
    const Outcome outcome = finish(folder, child);
    if (outcome.exit_code == -1) {
      // Steps were taken in this life, and not all of them, or it would have left its report.
      landed += saved() != before && !std::filesystem::exists(resumed_json);
      if (!std::filesystem::exists(resumed_json)) continue;
    } else {
      ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
      EXPECT_EQ(results(resumed_json), results(json));
    }
    std::filesystem::remove_all(checkpoint);
    std::filesystem::remove(resumed_json);
  }
  const Outcome outcome = run(folder, words);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(results(resumed_json), results(json));
}

TEST(HyperionTest, KilledAndResumedRunsHaveTheSameLosses) { expect_same_losses_after_kills("mlp", 20); }

TEST(HyperionTest, KilledAndResumedConvolutionsHaveTheSameLosses) { expect_same_losses_after_kills("cnn", 5); }

TEST(HyperionTest, EvalFindsWhatTrainReported) {
  const TempFolder folder;
  const std::string checkpoint = folder.path("checkpoint");
  const Outcome trained = run(folder, small_training({"--checkpoint", checkpoint}));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const Outcome tested = run(folder, {"eval", "mnist", "--checkpoint", checkpoint});
  ASSERT_EQ(tested.exit_code, 0) << tested.err;
  EXPECT_EQ(last_line(tested.out), last_line(trained.out));
}

TEST(HyperionTest, CheckpointsAreNotOverwrittenMixedOrTrusted) {
  const TempFolder folder;
  const std::string checkpoint = folder.path("checkpoint");
  ASSERT_EQ(run(folder, small_training({"--checkpoint", checkpoint})).exit_code, 0);
  const Outcome again = run(folder, small_training({"--checkpoint", checkpoint}));
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_NE(again.err.find("--resume"), std::string::npos) << again.err;

  const Outcome other =
      run(folder, small_training({"--checkpoint", checkpoint, "--resume", "--seed", "5"}));
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.err.find("--seed 0 instead of 5"), std::string::npos) << other.err;

  const std::string file = checkpoint + "/checkpoint.safetensors";
  std::filesystem::resize_file(file, std::filesystem::file_size(file) / 2);
  const Outcome torn = run(folder, small_training({"--checkpoint", checkpoint, "--resume"}));
  EXPECT_EQ(torn.exit_code, 1);
  EXPECT_NE(torn.err.find(file), std::string::npos) << torn.err;
}

TEST(HyperionTest, MissingAndTruncatedData) {
  const TempFolder folder;
  const Outcome missing = run(folder, {"train", "mnist", "--data", folder.path("nowhere")});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_NE(missing.err.find("nowhere"), std::string::npos) << missing.err;

  std::filesystem::create_directories(folder.path("torn"));
  for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                           "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
    std::ofstream(folder.path("torn") + "/" + name, std::ios::binary).write("\0\0\x08\x03\0", 5);
  }
  const Outcome torn = run(folder, {"train", "mnist", "--data", folder.path("torn")});
  EXPECT_EQ(torn.exit_code, 1);
  EXPECT_NE(torn.err.find("train-images-idx3-ubyte"), std::string::npos) << torn.err;
}

TEST(HyperionTest, OutputsAreRefusedBeforeTheWorkNotAfterIt) {
  const TempFolder folder;
  for (const std::string option : {"--json", "--profile"}) {
    const Outcome outcome = run(folder, small_training({option, folder.path("none/file")}));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find("there is no folder"), std::string::npos) << outcome.err;
  }
}

TEST(HyperionTest, WrongCommandLinesExitWithTwo) {
  const TempFolder folder;
  for (const Words& words :
       {Words{}, Words{"fly"}, Words{"train"}, Words{"train", "mnist", "--model", "rnn"},
        Words{"train", "mnist", "--wings", "2"}, Words{"train", "mnist", "--resume"},
        Words{"train", "mnist", "--device", "toaster"}, Words{"cache"}}) {
    const Outcome outcome = run(folder, words);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.out << outcome.err;
    EXPECT_NE(outcome.err, "");
  }
}

TEST(HyperionTest, CacheAndDevices) {
  const TempFolder folder;
  EXPECT_EQ(run(folder, {"cache", "path"}).out, folder.path("cache") + "\n");
  ASSERT_EQ(run(folder, small_training({})).exit_code, 0);
  EXPECT_EQ(last_line(run(folder, {"cache", "list"}).out).find("0 entries"), std::string::npos);
  EXPECT_EQ(run(folder, {"cache", "clear"}).exit_code, 0);
  EXPECT_EQ(last_line(run(folder, {"cache", "list"}).out).find("0 entries"), 0u);
  const std::string devices = run(folder, {"devices"}).out;
  EXPECT_EQ(devices.find("cpu:0"), 0u);
  // GPUs, or one sentence why there is none.
  EXPECT_TRUE(devices.find("\ncuda:0  ") != std::string::npos ||
              devices.find("\ncuda  ") != std::string::npos)
      << devices;
  const Outcome version = run(folder, {"version"});
  EXPECT_EQ(version.out.find("hyperion "), 0u);
  EXPECT_EQ(run(folder, {"--version"}).out, version.out);
}

}  // namespace
}  // namespace hyperion::tools

// Options that say what is read and written, each with the program run as its users run it.
#include <gtest/gtest.h>

#include "frontend/data/digits.hpp"
#include "runtime/cache.hpp"
#include "tools/hyperion/program_testing.hpp"

namespace hyperion::tools {
namespace {

using testing_support::TempFolder;

std::string big_endian(std::uint32_t number) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
  return out;
}

void write_idx(const std::string& path, const data::HostArray& array) {
  std::string bytes = big_endian(0x0800u + static_cast<std::uint32_t>(array.dims.size()));
  for (std::int64_t size : array.dims) bytes += big_endian(static_cast<std::uint32_t>(size));
  bytes.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  std::ofstream(path, std::ios::binary) << bytes;
}

// A folder in MNIST's format; `first` chooses the digits.
std::string mnist_folder(const TempFolder& folder, const std::string& name, std::int64_t first) {
  const std::string path = folder.path(name);
  std::filesystem::create_directories(path);
  const data::LabelledImages train = data::generate_digits(320, 1, first);
  const data::LabelledImages test = data::generate_digits(64, 1, first + 320);
  write_idx(path + "/train-images-idx3-ubyte", train.images);
  write_idx(path + "/train-labels-idx1-ubyte", train.labels);
  write_idx(path + "/t10k-images-idx3-ubyte", test.images);
  write_idx(path + "/t10k-labels-idx1-ubyte", test.labels);
  return path;
}

TEST(HyperionOptions, DataOfAFolderAreTrainedAndTestedOn) {
  const TempFolder folder;
  const std::string data = mnist_folder(folder, "mnist", 0),
                    other = mnist_folder(folder, "other", 5000);
  const std::string checkpoint = folder.path("checkpoint");
  const Outcome trained = run(folder, {"train", "mnist", "--data", data, "--batch", "32",
                                       "--epochs", "4", "--checkpoint", checkpoint});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_NE(trained.out.find("320 training and 64 test images"), std::string::npos) << trained.out;

  const Outcome same = run(folder, {"eval", "mnist", "--checkpoint", checkpoint});
  ASSERT_EQ(same.exit_code, 0) << same.err;
  EXPECT_EQ(last_line(same.out), last_line(trained.out));
  const Outcome elsewhere =
      run(folder, {"eval", "mnist", "--checkpoint", checkpoint, "--data", other});
  ASSERT_EQ(elsewhere.exit_code, 0) << elsewhere.err;
  EXPECT_NE(elsewhere.out.substr(0, elsewhere.out.find('\n')),
            same.out.substr(0, same.out.find('\n')))
      << "eval --data did not read the other images";
}

TEST(HyperionOptions, TheLearningRateIsUsedAndReported) {
  const TempFolder folder;
  std::string losses[2];
  for (int k = 0; k < 2; ++k) {
    const std::string rate = k == 0 ? "0.02" : "0.08", json = folder.path(rate + ".json");
    const Outcome outcome = run(folder, small_training({"--lr", rate, "--json", json}));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(contents(json).find("\"lr\": " + rate + ","), std::string::npos) << contents(json);
    losses[k] = results(json);
  }
  EXPECT_NE(losses[0], losses[1]);
  EXPECT_EQ(run(folder, small_training({"--lr", "-1"})).exit_code, 2);
}

TEST(HyperionOptions, AProfileIsATraceAndATable) {
  const TempFolder folder;
  const std::string trace = folder.path("run.pftrace");
  const Outcome outcome = run(folder, small_training({"--profile", trace}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  // Perfetto's packets: field 1 of the file, each with its length.
  const std::string bytes = contents(trace);
  ASSERT_GT(bytes.size(), 1000u);
  EXPECT_EQ(bytes[0], 0x0a);
  for (const char* name : {"dot", "record", "compile", "canonicalize"}) {
    EXPECT_NE(bytes.find(name), std::string::npos) << "the trace has no " << name;
  }
  EXPECT_NE(outcome.out.find("of arithmetic  kernel"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("\nceilings of cpu:0, measured: copy "), std::string::npos)
      << outcome.out;
  EXPECT_NE(bytes.find("% of fma"), std::string::npos);
  EXPECT_NE(outcome.out.find("\ntrace: " + trace + ", "), std::string::npos) << outcome.out;
  EXPECT_EQ(last_line(outcome.out).substr(0, 14), "test accuracy ");
}

// Asked for, beside the JSON, in the checkpoint folder, or in the cache folder; and the output says
// where.
TEST(HyperionOptions, TheLossCurveIsWrittenAndMentioned) {
  const TempFolder folder;
  const std::string checkpoint = folder.path("checkpoint");
  const std::pair<Words, std::string> cases[] = {
      {{"--svg", folder.path("a.svg"), "--json", folder.path("a.json")}, folder.path("a.svg")},
      {{"--json", folder.path("b.json"), "--checkpoint", checkpoint}, folder.path("b.svg")},
      {{"--checkpoint", checkpoint, "--resume"}, checkpoint + "/loss.svg"},
      {{}, folder.path("cache") + "/loss.svg"}};
  for (const auto& [options, path] : cases) {
    const Outcome outcome = run(folder, small_training(options));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find("\nloss curve: " + path + "\n"), std::string::npos) << outcome.out;
    EXPECT_EQ(contents(path).find("<svg"), 0u) << path;
    EXPECT_EQ(last_line(outcome.out).substr(0, 14), "test accuracy ");
  }
}

}  // namespace
}  // namespace hyperion::tools

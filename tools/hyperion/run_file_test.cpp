// Checkpoints that contradict themselves are refused; what is one state of a run is not.
#include "tools/hyperion/run_file.hpp"

#include <gtest/gtest.h>

#include "frontend/error.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::tools {
namespace {

constexpr std::int64_t kStepsPerEpoch = 10;

std::unique_ptr<Session> small_session() {
  return Session::create({.model = "mlp", .size = {4, 4}, .batch_size = 8});
}

// What loading says about a run saved in this state; empty when it loads.
std::string refusal_of(const Progress& progress) {
  const testing_support::TempFolder folder;
  const TrainOptions options{.epochs = 3, .batch = 8, .seed = 5, .checkpoint = folder.path(".")};
  const auto session = small_session();
  save_run(options, *session, progress);
  try {
    load_run(options, kStepsPerEpoch, *session);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Progress after(std::int64_t steps, std::size_t epochs, data::BatchPosition position) {
  return {position, std::vector<float>(static_cast<std::size_t>(steps), 1.0f), 0,
          std::vector<EpochRecord>(epochs)};
}

TEST(RunFile, StatesOfARunLoad) {
  EXPECT_EQ(refusal_of(after(0, 0, {5, 0, 0})), "");
  EXPECT_EQ(refusal_of(after(13, 1, {5, 1, 24})), "");
  EXPECT_EQ(refusal_of(after(30, 3, {5, 3, 0})), "");
}

TEST(RunFile, ContradictionsAreRefused) {
  for (const Progress& wrong : {
           after(3, 1, {5, 1, 24}),   // fewer losses than the finished epoch had
           after(13, 0, {5, 1, 24}),  // an epoch without its record
           after(13, 1, {5, 0, 24}),  // data of another epoch
           after(13, 1, {5, 1, 32}),  // another step of the epoch
           after(13, 1, {6, 1, 24}),  // another order of the data
           after(13, 1, {5, 1, 25}),  // inside a batch
           after(20, 1, {5, 1, 80}),  // past the epoch's end
           after(40, 4, {5, 4, 0}),   // more epochs than the run has
       }) {
    EXPECT_NE(refusal_of(wrong).find("do not go together"), std::string::npos)
        << wrong.losses.size() << " " << wrong.epochs.size() << " " << wrong.position.position
        << refusal_of(wrong);
  }
  Progress too_right = after(13, 1, {5, 1, 24});
  too_right.right = 25;
  EXPECT_NE(refusal_of(too_right).find("do not go together"), std::string::npos);
}

}  // namespace
}  // namespace hyperion::tools

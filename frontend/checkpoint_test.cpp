#include "frontend/checkpoint.hpp"

#include <gtest/gtest.h>

#include "frontend/hyperion.hpp"
#include "frontend/testing.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion {
namespace {

using testing::error_of;

struct Training {
  nn::Linear layer;
  optim::State<nn::Linear> state;
  random::Key key;
  Tensor position;  // in the data
};

Training start() {
  Training t{nn::Linear::create(random::key(1), 3, 2), {}, random::key(2), tensor(0)};
  t.state = optim::start(optim::AdamW{}, t.layer, 0.01);
  return t;
}

std::pair<Training, Tensor> train(Training t) {
  const Tensor x = random::normal(random::fold_in(t.key, t.position), {4, 3});
  const auto loss = [&](const nn::Linear& layer) { return mean(square(layer(x))); };
  const auto [value, gradient] = value_and_grad(loss)(t.layer);
  std::tie(t.layer, t.state) = optim::update(optim::AdamW{}, t.layer, gradient, t.state);
  t.position = t.position + 1;
  return {t, value};
}

TEST(CheckpointTest, ResumesWithTheSameBits) {
  const testing_support::TempFolder folder;
  const std::string path = folder.path("model.safetensors");
  Training t = start();
  for (int k = 0; k < 3; ++k) t = train(t).first;
  checkpoints::save(path, t, {{"epoch", "3"}});
  Training resumed = checkpoints::load(path, start());
  EXPECT_EQ(checkpoints::load_metadata(path).at("epoch"), "3");
  for (int k = 0; k < 3; ++k) {
    const auto [next, loss] = train(t);
    const auto [next_resumed, loss_resumed] = train(resumed);
    EXPECT_EQ(loss.item<float>(), loss_resumed.item<float>());
    t = next;
    resumed = next_resumed;
  }
  EXPECT_EQ(t.layer.weight.to_vector<float>(), resumed.layer.weight.to_vector<float>());
  EXPECT_EQ(resumed.position.item<int>(), 6);
}

TEST(CheckpointTest, NamesAreThoseOfTheTree) {
  EXPECT_EQ(tree::names(start()),
            (std::vector<std::string>{"layer.weight", "layer.bias", "state.step", "state.learning_rate",
                                      "state.first.weight", "state.first.bias", "state.second.weight",
                                      "state.second.bias", "state.third.weight",
                                      "state.third.bias", "key.bits", "position"}));
}

TEST(CheckpointTest, ReportsEveryDifferenceAtOnce) {
  const testing_support::TempFolder folder;
  const std::string path = folder.path("a.safetensors");
  checkpoints::save(path, std::map<std::string, Tensor>{{"a", zeros({2})}, {"b", zeros({3})}, {"c", zeros({1})}});
  const std::map<std::string, Tensor> like{{"a", zeros({2})}, {"b", zeros({4})}, {"d", zeros({1}, DType::i32)}};
  EXPECT_EQ(error_of([&] { checkpoints::load(path, like); }, __LINE__),
            "frontend/checkpoint_test.cpp:<line>: " + path +
                " does not fit what is loaded into:\n  differs: b is f32[3], expected f32[4]\n  missing: d i32[1]\n"
                "  unexpected: c f32[1]");
  EXPECT_NE(error_of([&] { checkpoints::load(folder.path("none"), like); }, __LINE__).find("not_found"),
            std::string::npos);
}

TEST(CheckpointTest, LenientLoadKeepsWhatIsMissing) {
  const testing_support::TempFolder folder;
  const std::string path = folder.path("a.safetensors");
  checkpoints::save(path, std::map<std::string, Tensor>{{"a", ones({2})}, {"extra", zeros({1})}});
  const std::map<std::string, Tensor> like{{"a", zeros({2})}, {"b", full({1}, 7)}};
  const auto loaded = checkpoints::load(path, like, {.allow_missing = true, .allow_unexpected = true});
  EXPECT_EQ(loaded.at("a").to_vector<float>(), (std::vector<float>{1, 1}));
  EXPECT_EQ(loaded.at("b").item(), 7);
}

}  // namespace
}  // namespace hyperion

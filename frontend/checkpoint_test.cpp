#include "frontend/checkpoint.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "frontend/data/safetensors.hpp"
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
  EXPECT_EQ(error_of([&] { checkpoints::load(path, like); }),
            "frontend/checkpoint_test.cpp:<line>: " + path +
                " does not fit what is loaded into:\n  differs: b is f32[3], expected f32[4]\n  missing: d i32[1]\n"
                "  unexpected: c f32[1]");
  EXPECT_NE(error_of([&] { checkpoints::load(folder.path("none"), like); }).find("not_found"),
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

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(CheckpointTest, AFlippedBitInAnyByteIsNoticed) {
  const testing_support::TempFolder folder;
  const std::string path = folder.path("a.safetensors");
  const Tensor tied = tensor({1.5, -2.0});
  const std::map<std::string, Tensor> tree{{"a", tensor({1, 2, 3})}, {"tied.a", tied}, {"tied.b", tied}};
  checkpoints::save(path, tree, {{"epoch", "3"}});
  EXPECT_EQ(checkpoints::load(path, tree).at("tied.b").to_vector<double>(), (std::vector<double>{1.5, -2.0}));
  const std::string saved = read(path);
  for (std::size_t byte = 0; byte < saved.size(); ++byte) {
    std::string damaged = saved;
    damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << (byte % 8)));
    write(path, damaged);
    EXPECT_NE(error_of([&] { checkpoints::load(path, tree); }), "(no error)") << "byte " << byte;
  }
}

// Reading settings does not read tensors, but does not trust damaged settings either.
TEST(CheckpointTest, MetadataIsCheckedAlone) {
  const testing_support::TempFolder folder;
  const std::string path = folder.path("a.safetensors");
  checkpoints::save(path, std::map<std::string, Tensor>{{"a", tensor({1, 2, 3})}}, {{"epoch", "three"}});
  const std::string saved = read(path);
  write(path, saved.substr(0, saved.size() - 1) + '\x7f');
  EXPECT_EQ(checkpoints::load_metadata(path).at("epoch"), "three");
  std::string damaged = saved;
  damaged.replace(damaged.find("three"), 5, "seven");
  write(path, damaged);
  EXPECT_NE(error_of([&] { checkpoints::load_metadata(path); }).find("names or settings differ"), std::string::npos);
}

TEST(CheckpointTest, FilesOfOtherProgramsLoad) {
  const testing_support::TempFolder folder;
  const std::string path = folder.path("a.safetensors");
  const std::vector<float> values{1, 2};
  const data::NamedBytes part{"a", DType::f32, {2}, std::as_bytes(std::span(values))};
  ASSERT_TRUE(data::save_safetensors(path, std::span(&part, 1), {{"format", "pt"}}));
  const auto loaded = checkpoints::load(path, std::map<std::string, Tensor>{{"a", zeros({2})}});
  EXPECT_EQ(loaded.at("a").to_vector<float>(), values);
}

}  // namespace
}  // namespace hyperion

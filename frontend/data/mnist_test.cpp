#include "frontend/data/mnist.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "frontend/data/idx.hpp"
#include "ir/support/file.hpp"
#include "tests/support/gzip.hpp"
#include "tests/support/shared_data.hpp"
#include "tests/support/temp_folder.hpp"

namespace hyperion::data {
namespace {

using testing_support::TempFolder;

constexpr const char* kTrainImages = "train-images-idx3-ubyte";
constexpr const char* kTrainLabels = "train-labels-idx1-ubyte";
constexpr const char* kTestImages = "t10k-images-idx3-ubyte";
constexpr const char* kTestLabels = "t10k-labels-idx1-ubyte";

class ImageFolder {
 public:
  ImageFolder() {
    const LabelledImages train = generate_digits(6, 1);
    const LabelledImages test = generate_digits(3, 1, 6);
    write(kTrainImages, train.images);
    write(kTrainLabels, train.labels);
    write(kTestImages, test.images);
    write(kTestLabels, test.labels);
  }
  void write(const char* name, const HostArray& array) {
    EXPECT_TRUE(write_file_atomically(folder.path(name), idx_bytes(array)));
  }
  // The error with the folder's name cut out, since it differs between runs.
  std::string error() const {
    const auto dataset = load_images(folder.root().string());
    if (dataset) return "no error";
    std::string text = dataset.error().text();
    const std::string root = folder.root().string();
    for (std::size_t at = text.find(root); at != std::string::npos; at = text.find(root)) {
      text.replace(at, root.size(), "DIR");
    }
    return text;
  }
  TempFolder folder;
};

TEST(Mnist, ReadsPlainAndCompressedFilesSideBySide) {
  ImageFolder images;
  const auto bytes = read_file(images.folder.path(kTestImages)).value();
  ASSERT_TRUE(write_file_atomically(images.folder.path(std::string(kTestImages) + ".gz"),
                                    testing_support::gzip(bytes)));
  std::filesystem::remove(images.folder.path(kTestImages));
  const auto dataset = load_images(images.folder.root().string());
  ASSERT_TRUE(dataset) << dataset.error().text();
  EXPECT_EQ(dataset->train.images, generate_digits(6, 1).images);
  EXPECT_EQ(dataset->test.images, generate_digits(3, 1, 6).images);
}

TEST(Mnist, ListsEveryMissingFile) {
  const ImageFolder images;
  std::filesystem::remove(images.folder.path(kTrainLabels));
  std::filesystem::remove(images.folder.path(kTestImages));
  EXPECT_EQ(
      images.error(),
      "not_found: DIR: missing train-labels-idx1-ubyte, t10k-images-idx3-ubyte; put MNIST's four "
      "files there (plain or .gz), or use the generated data set: digits");
  EXPECT_EQ(load_images("/no/such").error().text(),
            "not_found: /no/such: there is no such folder; put MNIST's four files there (plain or "
            ".gz), or use the generated data set: digits");
}

TEST(Mnist, RefusesFilesThatDoNotBelongTogether) {
  ImageFolder images;
  images.write(kTrainLabels, generate_digits(5, 1).labels);
  EXPECT_EQ(images.error(),
            "data_loss: DIR/train-labels-idx1-ubyte: holds 5 labels for the 6 images in "
            "DIR/train-images-idx3-ubyte; check that the four files belong to one data set");
  HostArray labels = generate_digits(6, 1).labels;
  labels.as<std::uint8_t>()[4] = 10;
  images.write(kTrainLabels, labels);
  EXPECT_EQ(
      images.error(),
      "data_loss: DIR/train-labels-idx1-ubyte: label 4 is 10, expected 0 to 9; check that the "
      "four files belong to one data set");
  images.write(kTrainLabels, generate_digits(6, 1).images);
  EXPECT_NE(images.error().find("expected labels as u8[count], found u8[6, 28, 28]"),
            std::string::npos);
  images.write(kTrainImages, generate_digits(6, 1).labels);
  EXPECT_NE(images.error().find("expected images as u8[count, height, width], found u8[6]"),
            std::string::npos);
}

TEST(Mnist, RefusesTestImagesOfAnotherSize) {
  ImageFolder images;
  images.write(kTestImages, HostArray::zeros(DType::u8, {3, 8, 8}));
  EXPECT_NE(images.error().find("test images are 8 x 8, training images 28 x 28"),
            std::string::npos);
}

TEST(Mnist, RealMnistHasItsPublishedMeanAndDeviation) {
  HYP_SHARED_DATA_OR_SKIP(const std::string path, "mnist");
  const auto dataset = load_images(path);
  ASSERT_TRUE(dataset) << dataset.error().text();
  EXPECT_EQ(dataset->train.images.dims, (std::vector<std::int64_t>{60000, 28, 28}));
  EXPECT_EQ(dataset->test.images.dims, (std::vector<std::int64_t>{10000, 28, 28}));
  EXPECT_NEAR(dataset->pixel_mean, 0.1307f, 5e-5f);
  EXPECT_NEAR(dataset->pixel_deviation, 0.3081f, 5e-5f);
}

TEST(Mnist, DigitsNeedNoFiles) {
  const auto dataset = load_images("digits");
  ASSERT_TRUE(dataset);
  EXPECT_EQ(dataset->train.labels.element_count(), 60000);
  EXPECT_EQ(dataset->test.images, generate_digits(10000, 0, 60000).images);
}

}  // namespace
}  // namespace hyperion::data

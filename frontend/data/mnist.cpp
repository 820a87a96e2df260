#include "frontend/data/mnist.hpp"

#include <algorithm>
#include <cmath>

#include "frontend/data/idx.hpp"
#include "ir/support/file.hpp"
#include "ir/support/format.hpp"

namespace hyperion::data {
namespace {

// MNIST's own sizes.
constexpr std::int64_t kTrainCount = 60000;
constexpr std::int64_t kTestCount = 10000;
constexpr std::uint64_t kDigitsSeed = 0;
constexpr int kClassCount = 10;

struct Paths {
  std::string train_images, train_labels, test_images, test_labels;
};

StatusOr<Paths> find_files(const std::string& folder) {
  Paths paths;
  std::vector<std::string> missing;
  const auto find = [&](const char* name) {
    const std::string plain = folder + "/" + name;
    if (file_exists(plain)) return plain;
    if (file_exists(plain + ".gz")) return plain + ".gz";
    missing.emplace_back(name);
    return std::string();
  };
  paths.train_images = find("train-images-idx3-ubyte");
  paths.train_labels = find("train-labels-idx1-ubyte");
  paths.test_images = find("t10k-images-idx3-ubyte");
  paths.test_labels = find("t10k-labels-idx1-ubyte");
  if (missing.empty()) return paths;
  return error_status(Code::not_found,
                      file_exists(folder) ? format("missing {}", fmt::join(missing, ", "))
                                          : std::string("there is no such folder"),
                      folder,
                      "put MNIST's four files there (plain or .gz), or use the generated data set: "
                      "digits");
}

std::unexpected<Status> wrong(const std::string& path, std::string message) {
  return error_status(Code::data_loss, std::move(message), path,
                      "check that the four files belong to one data set");
}

StatusOr<LabelledImages> read_set(const std::string& images_path, const std::string& labels_path) {
  LabelledImages set;
  HYP_TRY(set.images, read_idx(images_path));
  HYP_TRY(set.labels, read_idx(labels_path));
  if (set.images.dtype != DType::u8 || set.images.rank() != 3 || set.images.element_count() == 0) {
    return wrong(images_path,
                 format("expected images as u8[count, height, width], found {}[{}]",
                        dtype_name(set.images.dtype), fmt::join(set.images.dims, ", ")));
  }
  if (set.labels.dtype != DType::u8 || set.labels.rank() != 1) {
    return wrong(labels_path,
                 format("expected labels as u8[count], found {}[{}]", dtype_name(set.labels.dtype),
                        fmt::join(set.labels.dims, ", ")));
  }
  if (set.labels.dims[0] != set.images.dims[0]) {
    return wrong(labels_path, format("holds {} labels for the {} images in {}", set.labels.dims[0],
                                     set.images.dims[0], images_path));
  }
  const auto labels = set.labels.as<std::uint8_t>();
  const auto too_large =
      std::ranges::find_if(labels, [](int label) { return label >= kClassCount; });
  if (too_large != labels.end()) {
    return wrong(labels_path,
                 format("label {} is {}, expected 0 to 9", too_large - labels.begin(), *too_large));
  }
  return set;
}

StatusOr<ImageDataset> read_folder(const std::string& folder) {
  HYP_TRY(const Paths paths, find_files(folder));
  ImageDataset dataset;
  HYP_TRY(dataset.train, read_set(paths.train_images, paths.train_labels));
  HYP_TRY(dataset.test, read_set(paths.test_images, paths.test_labels));
  const auto& train = dataset.train.images.dims;
  const auto& test = dataset.test.images.dims;
  if (train[1] != test[1] || train[2] != test[2]) {
    return wrong(paths.test_images, format("test images are {} x {}, training images {} x {}",
                                           test[1], test[2], train[1], train[2]));
  }
  return dataset;
}

// Integer sums are exact, so the result does not depend on the order of adding.
void measure_pixels(ImageDataset& dataset) {
  std::uint64_t sum = 0;
  std::uint64_t squares = 0;
  const auto pixels = dataset.train.images.as<std::uint8_t>();
  for (std::uint64_t pixel : pixels) {
    sum += pixel;
    squares += pixel * pixel;
  }
  const double count = static_cast<double>(pixels.size());
  const double mean = static_cast<double>(sum) / count;
  const double variance = static_cast<double>(squares) / count - mean * mean;
  dataset.pixel_mean = static_cast<float>(mean / 255.0);
  // Images of one colour have no deviation to divide by.
  dataset.pixel_deviation = variance > 0 ? static_cast<float>(std::sqrt(variance) / 255.0) : 1.0f;
}

}  // namespace

StatusOr<ImageDataset> load_images(const std::string& source) {
  ImageDataset dataset;
  if (source == "digits") {
    dataset.train = generate_digits(kTrainCount, kDigitsSeed);
    dataset.test = generate_digits(kTestCount, kDigitsSeed, kTrainCount);
  } else {
    HYP_TRY(dataset, read_folder(source));
  }
  measure_pixels(dataset);
  return dataset;
}

}  // namespace hyperion::data

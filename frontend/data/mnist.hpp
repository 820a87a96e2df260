// mnist.hpp: MNIST and everything published in its layout (Fashion-MNIST, KMNIST, ...), or the
// generated digits.
#pragma once

#include <string>

#include "frontend/data/digits.hpp"
#include "ir/support/status.hpp"

namespace hyperion::data {

struct ImageDataset {
  LabelledImages train;
  LabelledImages test;
  // Of the training pixels divided by 255 (MNIST: 0.1307 and 0.3081); what images are normalised
  // with.
  float pixel_mean = 0;
  float pixel_deviation = 1;
};

// `source` is the word "digits" (generated: 60,000 + 10,000 images of seed 0) or a folder that
// holds
//   train-images-idx3-ubyte  train-labels-idx1-ubyte  t10k-images-idx3-ubyte t10k-labels-idx1-ubyte
// each plain or with `.gz`. A folder called digits is read as "./digits".
//
// ENSURES: images are u8[count, height, width], both sets of one size and neither empty; labels are
// u8[count], 0 to 9. An error lists every file that is missing, or names the one that is wrong.
// Thread safety: all functions.
StatusOr<ImageDataset> load_images(const std::string& source);

}  // namespace hyperion::data

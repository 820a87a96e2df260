#include <cstdio>

#include "ir/support/format.hpp"
#include "tools/hyperion/commands.hpp"
#include "tools/hyperion/device_choice.hpp"
#include "tools/hyperion/run_file.hpp"

namespace hyperion::tools {

void evaluate(const EvalOptions& options) {
  choose_device(options.device, options.threads);
  const TrainOptions settings = load_settings(options.checkpoint);
  const data::ImageDataset dataset =
      load_dataset(options.data.empty() ? settings.data : options.data,
                   options.limit > 0 ? options.limit : settings.limit);
  const auto& dims = dataset.test.images.dims;
  const auto session = Session::create(
      {.model = settings.model, .size = {dims[1], dims[2]}, .batch_size = settings.batch});
  session->load_model(checkpoint_path(options.checkpoint));
  const Evaluation result = session->evaluate(
      dataset.test, {.mean = dataset.pixel_mean, .deviation = dataset.pixel_deviation});
  std::puts(format("{} test images, loss {:.9g}\ntest accuracy {:.2f}%", result.count, result.loss,
                   100 * result.accuracy)
                .c_str());
}

}  // namespace hyperion::tools

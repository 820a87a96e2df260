#include "tools/hyperion/report.hpp"

#include <cmath>

#include "ir/support/file.hpp"
#include "ir/support/format.hpp"
#include "ir/support/json.hpp"

namespace hyperion::tools {
namespace {

// JSON has no word for what is not finite.
template <class T>
std::string number(T value) {
  return std::isfinite(value) ? format("{:.9g}", value) : "null";
}

}  // namespace

std::string time_table(const RunReport& report) {
  const TimeSpent& time = report.time;
  const double other =
      time.total - time.data - time.record - time.compile - time.run - time.checkpoint;
  std::string text = "\nwhere the time went\n";
  const auto row = [&](const char* name, double seconds, const std::string& note) {
    text += format("  {:<12}{:>9.3f} s {:>6.1f} %{}{}\n", name, seconds, 100 * seconds / time.total,
                   note.empty() ? "" : "   ", note);
  };
  row("load data", time.data, "");
  row("record", time.record, "");
  row("compile", time.compile,
      format("{} functions compiled, {} found on disk; {} after the first step", report.compiled,
             report.from_disk, report.after_first_step.compiled));
  row("run", time.run,
      format("{:.0f} images/s; {} system allocations after the first step",
             report.images_per_second, report.after_first_step.system_allocations));
  row("checkpoint", time.checkpoint, "");
  row("other", other, "");
  row("total", time.total, "");
  return text;
}

std::string json_report(const TrainOptions& options, const Progress& progress,
                        const RunReport& report) {
  std::string text = format(
      "{{\n  \"model\": {}, \"data\": {}, \"epochs\": {}, \"batch\": {}, \"lr\": {}, \"seed\": "
      "{},\n"
      "  \"device\": {}, \"threads\": {}, \"parameters\": {},\n",
      json_string(options.model), json_string(options.data), options.epochs, options.batch,
      number(options.learning_rate.value_or(default_learning_rate(options.model))), options.seed,
      json_string(report.device), report.threads, report.parameters);
  text += format(
      "  \"seconds\": {{\"data\": {}, \"record\": {}, \"compile\": {}, \"run\": {}, "
      "\"checkpoint\": {}, \"total\": {}}},\n",
      number(report.time.data), number(report.time.record), number(report.time.compile),
      number(report.time.run), number(report.time.checkpoint), number(report.time.total));
  text += format(
      "  \"images_per_second\": {}, \"compiled\": {}, \"from_disk\": {},\n"
      "  \"compiled_after_first_step\": {}, \"system_allocations_after_first_step\": {},\n",
      number(report.images_per_second), report.compiled, report.from_disk,
      report.after_first_step.compiled, report.after_first_step.system_allocations);
  text += "  \"epoch_records\": [";
  for (std::size_t k = 0; k < progress.epochs.size(); ++k) {
    const EpochRecord& epoch = progress.epochs[k];
    text += format(
        "{}\n    {{\"loss\": {}, \"train_accuracy\": {}, \"test_loss\": {}, \"test_accuracy\": "
        "{}}}",
        k == 0 ? "" : ",", number(epoch.loss), number(epoch.train_accuracy),
        number(epoch.test_loss), number(epoch.test_accuracy));
  }
  text += "\n  ],\n  \"losses\": [";
  for (std::size_t k = 0; k < progress.losses.size(); ++k) {
    text += (k == 0 ? "" : ", ") + number(progress.losses[k]);
  }
  return text + "]\n}\n";
}

std::string profile_summary(const std::string& path, const runtime::Capture& capture) {
  std::string text = format("\ntrace: {}, {} records", path, capture.records.size());
  if (capture.dropped != 0) {
    text += format("; {} more did not fit: the trace ends before the run, train fewer epochs",
                   capture.dropped);
  }
  return text;
}

void write_text(const std::string& path, const std::string& text) {
  value_or_throw(write_file_atomically(path, std::as_bytes(std::span(text))));
}

}  // namespace hyperion::tools

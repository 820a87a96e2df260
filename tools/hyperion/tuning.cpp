#include "tools/hyperion/tuning.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <sstream>

#include "codegen/driver/code_version.hpp"
#include "ir/support/format.hpp"
#include "ir/support/quote.hpp"
#include "tools/hyperion/progress_line.hpp"

namespace hyperion::tools {
namespace {

using runtime::TuningEntry;
using runtime::TuningRecord;
using Clock = std::chrono::steady_clock;

[[noreturn]] void refuse(const std::string& why) { throw Error(Code::invalid_argument, why); }

std::string counted(std::int64_t count, std::string_view what) {
  return format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string time_text(double seconds) { return format("{:.2f} us", 1e6 * seconds); }

// "1.04 x peer": how much faster than it.
std::string peer_text(const TuningRecord& record) {
  return record.peer_seconds ? format("{:.2f} x peer", *record.peer_seconds / record.seconds) : "";
}

double spread_percent(const TuningRecord& record) { return 100 * record.spread / std::max(record.seconds, 1e-12); }

// What a run has done so far, for its estimate of the rest.
struct Pace {
  Clock::time_point start = Clock::now();
  int measured = 0;

  double seconds() const { return std::chrono::duration<double>(Clock::now() - start).count(); }
  double left(int schedules, const std::optional<double>& budget) const {
    const double estimate = measured == 0 ? 0 : seconds() / measured * schedules;
    return budget ? std::min(estimate, std::max(*budget - seconds(), 0.0)) : estimate;
  }
};

std::string finished_line(const codegen::TuneSubject& subject, const codegen::TuneResult& result,
                          const codegen::CudaTarget& target) {
  const TuningRecord& best = result.measured[0];
  std::string out = format("{:<44} {:>12} {:>7.1f} TFLOP/s  {}", subject.name().text(), time_text(best.seconds),
                           subject.flops() / best.seconds / 1e12, best.schedule);
  if (best.peer_seconds) out += ", " + peer_text(best);
  const std::string pick = codegen::tensor_schedules(subject.problem, target).front().text();
  const auto model = std::ranges::find(result.measured, pick, &TuningRecord::schedule);
  if (model != result.measured.end() && model != result.measured.begin()) {
    out += format("; {:.1f} % faster than the model's pick", 100 * (model->seconds / best.seconds - 1));
  }
  if (!result.is_complete)
    out += format("; {} so far", counted(static_cast<std::int64_t>(result.measured.size()), "schedule"));
  return out;
}

// "TYPE LAYOUT SHAPE [peer MICROSECONDS]", in words.
TuneProblem parse_line(const std::vector<std::string>& words) {
  double peer = 0;
  bool is_line = words.size() == 3;
  if (words.size() == 5 && words[3] == "peer") {
    const char* const last = words[4].data() + words[4].size();
    const auto [end, error] = std::from_chars(words[4].data(), last, peer);
    is_line = error == std::errc() && end == last && peer > 0;
  }
  if (!is_line) refuse("a line is TYPE LAYOUT SHAPE [peer MICROSECONDS], as in bf16 NN 4096x4096x1024 peer 60.5");
  TuneProblem out{.subject = codegen::product_subject(parse_problem(words[0], words[1], words[2])), .peer_seconds = {}};
  if (peer > 0) out.peer_seconds = 1e-6 * peer;
  return out;
}

}  // namespace

std::unique_ptr<runtime::TuningStore> open_tuning_store() {
  return std::make_unique<runtime::TuningStore>(
      runtime::TuningStoreOptions{.folder = {}, .version = std::string(codegen::code_version())});
}

codegen::TensorProblem parse_problem(const std::string& dtype, const std::string& layout, const std::string& shape) {
  std::string sizes = shape;
  if (!sizes.contains('x')) sizes = format("{0}x{0}x{0}", shape);
  const auto problem =
      codegen::problem_of({.op = "contract", .dtypes = dtype, .layouts = layout, .shape = sizes, .epilogue = {}});
  if (!problem) {
    refuse(
        format("'{} {} {}' is no product: an element type (bf16, f16, f32), a layout (NN, NT, TN, TT), and "
               "[BATCHESx]ROWSxCOLUMNSxDEPTH, as in bf16 NN 4096x4096x1024",
               dtype, layout, shape));
  }
  return *problem;
}

std::vector<TuneProblem> parse_problems(const std::string& text, const std::string& file) {
  std::vector<TuneProblem> problems;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream stream(line.substr(0, line.find('#')));
    const std::vector<std::string> words{std::istream_iterator<std::string>(stream), {}};
    if (words.empty()) continue;
    try {
      problems.push_back(parse_line(words));
    } catch (const Error& error) {
      throw Error(error.code(), format("{}:{}: {}", file, number, error.what()));
    }
  }
  return problems;
}

void run_tuning(const std::vector<TuneProblem>& problems, const TuneRun& run, std::ostream& out) {
  for (const TuneProblem& one : problems) {
    if (!codegen::fits_tensor_cores(one.subject.problem, run.target)) {
      refuse(
          format("the tensor cores of this GPU have no form for {} [{}]", one.subject.name().text(), run.target.key()));
    }
  }
  Pace pace;
  for (std::size_t k = 0; k < problems.size(); ++k) {
    const codegen::TuneSubject& subject = problems[k].subject;
    const auto problems_left = static_cast<int>(problems.size() - k);
    codegen::TuneOptions options{
        .candidates = run.candidates, .again = run.again, .peer_seconds = problems[k].peer_seconds};
    if (run.budget_seconds) {
      const double share = std::max(*run.budget_seconds - pace.seconds(), 0.0) / problems_left;
      options.deadline =
          Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(share));
    }
    options.progress = [&](const codegen::TuneProgress& progress) {
      ++pace.measured;
      if (run.shows_all) {
        out << format("  {:>12}  spread {:>4.1f} %  {}\n", time_text(progress.measured.seconds),
                      spread_percent(progress.measured), progress.measured.schedule);
      }
      if (!run.is_live) return;
      const int left = progress.count - progress.done + (problems_left - 1) * progress.count;
      out << format("\r\x1b[K[{}/{}] {}  {} of {}  best {}  {} left", k + 1, problems.size(), subject.name().text(),
                    progress.done, progress.count, time_text(progress.best.seconds),
                    duration_text(pace.left(left, run.budget_seconds)))
          << std::flush;
    };
    const codegen::ScheduleTimer timer = value_or_throw(run.make_timer(subject));
    const codegen::TuneResult result = value_or_throw(codegen::tune(subject, run.target, timer, run.store, options));
    if (run.is_live) out << "\r\x1b[K";
    out << finished_line(subject, result, run.target) << "\n" << std::flush;
  }
}

std::string tuning_table(runtime::TuningStore& store) {
  const std::vector<TuningEntry> entries = store.list();
  std::size_t problem_width = 0, schedule_width = 0;
  for (const TuningEntry& entry : entries) {
    problem_width = std::max(problem_width, entry.problem.text().size());
    schedule_width = std::max(schedule_width, entry.best.schedule.size());
  }
  std::string out;
  const runtime::TuningMachine* machine = nullptr;
  for (const TuningEntry& entry : entries) {
    if (machine == nullptr || *machine != entry.machine) out += entry.machine.text() + "\n";
    machine = &entry.machine;
    out += format("  {:<{}}  {:<{}}  {:>12}  spread {:>4.1f} %  best of {:<3} {}{}{}\n", entry.problem.text(),
                  problem_width, entry.best.schedule, schedule_width, time_text(entry.best.seconds),
                  spread_percent(entry.best), entry.schedules, moment_text(entry.best.measured_at),
                  entry.best.peer_seconds ? "  " : "", peer_text(entry.best));
  }
  return out + tuning_summary(store) + "\n";
}

std::string tuning_summary(runtime::TuningStore& store) {
  const runtime::TuningStatistics statistics = store.statistics();
  std::string out = format("{} of {} measured", counted(statistics.measurements, "schedule"),
                           counted(statistics.problems, "product"));
  if (statistics.others > 0) out += format(", {} by other versions (not used)", statistics.others);
  return out + format(", {:.1f} KiB in {}", static_cast<double>(statistics.bytes) / 1024, store.path());
}

std::string exported_schedules(runtime::TuningStore& store, std::span<const codegen::ShippedSchedule> shipped) {
  std::string out =
      "// HYP_SCHEDULE(device, multiprocessors, problem, schedule): schedules of products on tensor cores that were measured to\n"
      "// be the fastest, by machine. schedule_table.hpp says when they are used, tensor_problem.hpp how problems are named.\n"
      "//\n"
      "// The lines below are not written by hand. On the machine, with nothing else running on it:\n"
      "//\n"
      "//   hyperion tune --shapes codegen/cuda/schedules.txt --candidates 30\n"
      "//   hyperion tune --export codegen/cuda/schedules.def\n"
      "\n";
  // By machine, then driver, then problem: of two drivers the newer one speaks for the machine.
  std::vector<TuningEntry> entries;
  for (TuningEntry& entry : store.list()) {
    if (!entry.problem.epilogue.empty()) continue;
    std::erase_if(entries, [&](const TuningEntry& other) {
      return other.problem == entry.problem && other.machine.device == entry.machine.device &&
             other.machine.multiprocessors == entry.machine.multiprocessors;
    });
    entries.push_back(std::move(entry));
  }
  const auto line = [](std::string_view device, int multiprocessors, std::string_view problem,
                       std::string_view schedule) {
    return format("HYP_SCHEDULE({}, {}, {}, {})\n", quoted(device), multiprocessors, quoted(problem), quoted(schedule));
  };
  for (const codegen::ShippedSchedule& one : shipped) {
    const bool is_measured = std::ranges::any_of(entries, [&](const TuningEntry& entry) {
      return entry.machine.device == one.device && entry.machine.multiprocessors == one.multiprocessors &&
             entry.problem.text() == one.problem;
    });
    if (!is_measured) out += line(one.device, one.multiprocessors, one.problem, one.schedule);
  }
  for (const TuningEntry& entry : entries) {
    std::string one =
        line(entry.machine.device, entry.machine.multiprocessors, entry.problem.text(), entry.best.schedule);
    one.insert(one.size() - 1,
               format("  // {}, spread {:.1f} %", time_text(entry.best.seconds), spread_percent(entry.best)));
    out += one;
  }
  return out;
}

}  // namespace hyperion::tools

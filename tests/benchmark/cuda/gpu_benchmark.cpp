#include "tests/benchmark/cuda/gpu_benchmark.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "ir/support/file.hpp"
#include "ir/support/format.hpp"
#include "tests/benchmark/cuda/race.hpp"

namespace hyperion::benchmark {
namespace {

namespace fs = std::filesystem;

std::string executable() { return fs::read_symlink("/proc/self/exe").string(); }

std::string find_peers(const std::string& given) {
  if (!given.empty()) return given;
  const fs::path folder = fs::path(executable()).parent_path();
  // In a checkout, in an archive, and beside the executable alone.
  for (const fs::path& path : {fs::path(HYPERION_GPU_PEERS), folder / "../source/tests/benchmark/cuda/peers.py", folder / "peers.py"}) {
    if (fs::exists(path)) return path.string();
  }
  return "";
}

std::string title(const Case& c) {
  std::string text = c.key();
  std::ranges::replace(text, '\t', ' ');
  return text;
}

bool is_wanted(const Case& c, const GpuOptions& options) {
  if (c.suite == "machine") return true;
  const bool in_suite = options.suites.empty() || std::ranges::find(options.suites, c.suite) != options.suites.end();
  return in_suite && title(c).contains(options.filter);
}

// Beside the JSON: "cuda.json" has "cuda-peers.log".
std::string log_path(const GpuOptions& options, const std::string& who) {
  if (options.json.empty()) return "/dev/null";
  const fs::path json(options.json);
  const fs::path path = json.parent_path() / format("{}-{}.log", json.stem().string(), who);
  std::error_code ignored;
  fs::remove(path, ignored);
  return path.string();
}

// The peers of the first Python that has them; null and why when none does.
std::unique_ptr<ProcessContestant> start_peers(const GpuOptions& options, std::string& version, std::string& why_none) {
  const std::string script = find_peers(options.peers);
  if (script.empty()) {
    why_none = "peers.py is not found";
    return nullptr;
  }
  const char* chosen = std::getenv("HYPERION_PYTHON");
  const std::string log = log_path(options, "peers");
  for (const std::string python : {chosen != nullptr ? chosen : "python3", "/usr/bin/python3"}) {
    auto peers = std::make_unique<ProcessContestant>(std::vector<std::string>{python, script, "--serve"}, log);
    const StatusOr<std::string> said = peers->start();
    if (said) {
      version = *said;
      return peers;
    }
    if (why_none.empty()) why_none = said.error().message;
  }
  return nullptr;
}

}  // namespace

int list_gpu_cases() {
  for (const Case& c : all_cases()) {
    if (c.has_peers) std::printf("%s\t%s\n", c.key().c_str(), std::string(clock_name(c.clock)).c_str());
  }
  return 0;
}

int run_gpu_benchmark(const GpuOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };

  ProcessContestant ours({executable(), "--serve-gpu", options.device}, log_path(options, "hyperion"));
  const StatusOr<std::string> gpu = ours.start();
  if (!gpu) {
    std::fprintf(stderr, "hyperion_benchmark: %s\n", gpu.error().message.c_str());
    return 1;
  }
  std::string version, why_no_peers;
  const std::unique_ptr<ProcessContestant> peers = start_peers(options, version, why_no_peers);
  const std::string machine = *gpu + (peers ? "; peers: " + version : "; no peers: " + why_no_peers);
  if (peers) why_no_peers.clear();
  std::printf("%s\n", machine.c_str());

  std::vector<Case> cases = all_cases();
  for (const std::string& suite : options.suites) {
    if (std::ranges::find(cases, suite, &Case::suite) == cases.end()) {
      std::fprintf(stderr, "hyperion_benchmark: there is no suite '%s' for a GPU\n", suite.c_str());
      return 2;
    }
  }
  std::erase_if(cases, [&](const Case& c) { return !is_wanted(c, options); });
  std::vector<Row> rows;
  int skipped = 0;
  const auto write_all = [&] {
    bool is_written = true;
    const auto check = [&](const StatusOr<>& done) {
      if (!done) std::fprintf(stderr, "%s\n", done.error().text().c_str());
      is_written = is_written && done.has_value();
    };
    if (!options.json.empty()) check(write_json(rows, options.json));
    const std::string text = gpu_markdown(rows, machine);
    if (!options.markdown.empty()) check(write_file_atomically(options.markdown, std::as_bytes(std::span(text))));
    return is_written;
  };
  for (const Case& c : cases) {
    if (elapsed() > options.budget_seconds) {
      ++skipped;
      continue;
    }
    if (rows.empty() || rows.back().suite != c.suite) {
      static_cast<void>(write_all());  // what was measured is kept, whatever ends this process
      std::printf("\n%s%.0f s, %zu of %zu\n", gpu_row_heading(c.suite).c_str(), elapsed(), rows.size(), cases.size());
    }
    rows.push_back(race_on_gpu(c, options.device, ours, c.has_peers ? peers.get() : nullptr, c.has_peers ? why_no_peers : ""));
    std::printf("%s\n", gpu_row_text(rows.back(), rows).c_str());
    std::fflush(stdout);
  }
  std::printf("\n");
  for (const std::string& line : summary(rows)) std::printf("%s\n", line.c_str());
  const auto failures = std::ranges::count_if(rows, [](const Row& row) { return !row.failure.empty(); });
  std::printf("%zu rows in %.0f s, %td failed", rows.size(), elapsed(), failures);
  if (skipped > 0) std::printf(", %d skipped: the budget of %.0f s is spent", skipped, options.budget_seconds);
  std::printf("\n");
  return write_all() ? 0 : 1;
}

}  // namespace hyperion::benchmark

// How long it takes until something runs: recording, and compiling recorded graphs.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "frontend/engine.hpp"
#include "tests/benchmark/suites/suites.hpp"

extern char** environ;

namespace hyperion::benchmark {
namespace {

constexpr int kWallClock = 0;  // for clock_seconds(): compiling may use several threads

Row latency_row(const Session& s, std::string name, std::string shape, double value,
                std::string unit) {
  return {.suite = "latency",
          .name = std::move(name),
          .shape = std::move(shape),
          .threads = s.threads,
          .median = value,
          .unit = std::move(unit),
          .peer = "peer absent"};
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// ---- recording
// ------------------------------------------------------------------------------------

void recording_row(Session& s) {
  constexpr int kOps = 1000;
  const Tensor x = noise({64, 64}, 1), w = noise({64, 64}, 2), b = noise({64}, 3);
  const auto record = [&] {
    Tensor y = x;
    for (int k = 0; k < kOps / 5; ++k) {
      y = exp(matmul(y, w) + b) * x;  // the row b is broadcast: an op of its own
    }
  };
  const double seconds = race({timed("record", record, 1)})[0];
  s.report.add(latency_row(s, "recording one op", "1000 ops, dropped", seconds / kOps * 1e9, "ns"));
}

// ---- the first training step
// ----------------------------------------------------------------------

void first_step_rows(Session& s) {
  const int repetitions = s.quick ? 3 : 7;
  std::string folder = (std::filesystem::temp_directory_path() / "hyperion_bench_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return;
  for (const std::string model : {"mlp", "cnn"}) {
    std::vector<double> cold, warm;
    for (int k = 0; k < repetitions; ++k) {
      const std::string cache = folder + "/" + model + std::to_string(k);
      cold.push_back(first_step_ms(model, cache));
      warm.push_back(first_step_ms(model, cache));
    }
    s.report.add(
        latency_row(s, model + " step, first op to loss", "nothing cached", median(cold), "ms"));
    s.report.add(
        latency_row(s, model + " step, first op to loss", "warm disk cache", median(warm), "ms"));
  }
  std::filesystem::remove_all(folder);
}

// ---- large graphs
// ---------------------------------------------------------------------------------

// Graphs that differ only in `salt` are equally large and not the same program.
Tensor chain(const Tensor& x, int ops, double salt) {
  Tensor y = x;
  for (int k = 0; k < ops / 4; ++k) y = tanh(y * salt + x) - y;
  return y;
}

// Random ops on random earlier values, near and far, so that no two kernels are alike; a matrix
// product now and then keeps it from being one kernel.
Tensor branching(const Tensor& x, int ops, double salt) {
  constexpr std::uint32_t kWindow = 64;
  std::uint32_t state = 1;
  const auto draw = [&state](std::uint32_t below) {
    state = state * 1664525 + 1013904223;
    return static_cast<int>((state >> 16) % below);
  };
  std::vector<Tensor> values{x, x * salt};
  while (static_cast<int>(values.size()) <= ops) {
    const auto pick = [&] {
      const auto reach =
          std::min<std::uint32_t>(kWindow, static_cast<std::uint32_t>(values.size()));
      return values[values.size() - 1 - static_cast<std::size_t>(draw(reach))];
    };
    const Tensor a = values.back(), b = pick();
    switch (draw(40)) {
      case 0:
        values.push_back(draw(4) == 0 ? matmul(a, b) : a / (b * b + 1.0));
        break;
      case 1:
        values.push_back(a + sum(b, {0}));
        break;
      case 2:
        values.push_back(tanh(b));
        break;
      case 3:
        values.push_back(a.transpose());
        break;
      case 4:
        values.push_back(where(a > 0.0, b, a));
        break;
      default:
        switch (draw(4)) {
          case 0:
            values.push_back(a + b);
            break;
          case 1:
            values.push_back(a * b);
            break;
          case 2:
            values.push_back(a - b);
            break;
          default:
            values.push_back(maximum(a, b));
            break;
        }
    }
  }
  return values.back();
}

using Graph = Tensor (*)(const Tensor&, int, double);

void graph_rows(Session& s, const std::string& name, Graph graph) {
  const Tensor x = noise({8, 8}, 1);
  std::vector<double> per_op;
  std::vector<int> sizes{1000, 10000};
  if (!s.quick) sizes.push_back(100000);
  static double salt = 0.5;
  for (const int ops : sizes) {
    std::vector<double> seconds;
    for (int k = 0; k < (ops > 10000 ? 1 : 3); ++k) {
      const Tensor y = graph(x, ops, salt += 0x1p-20);
      const double start = clock_seconds(kWallClock);
      y.eval();
      seconds.push_back(clock_seconds(kWallClock) - start);
    }
    const double ms = median(seconds) * 1e3;
    per_op.push_back(ms * 1e6 / ops);
    const std::string shape = std::to_string(ops) + " ops";
    s.report.add(latency_row(s, "compile " + name, shape, ms, "ms"));
    s.report.add(latency_row(s, "compile " + name + ", an op", shape, per_op.back(), "ns"));
  }
  // The exponent e of time = c * ops^e from each size to the next: 1 is linear.
  for (std::size_t k = 1; k < sizes.size(); ++k) {
    const double slope = 1 + std::log(per_op[k] / per_op[k - 1]) /
                                 std::log(static_cast<double>(sizes[k]) / sizes[k - 1]);
    s.report.add(
        latency_row(s, "compile " + name + ", slope",
                    std::to_string(sizes[k - 1]) + " to " + std::to_string(sizes[k]) + " ops",
                    slope, "exponent"));
  }
}

}  // namespace

double first_step_ms(const std::string& model, const std::string& cache_folder) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return 0;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  std::string words[] = {"/proc/self/exe", kFirstStep, model, cache_folder};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, words[0].c_str(), &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::FILE* from = fdopen(ends[0], "r");
  double ms = 0;
  if (error != 0 || std::fscanf(from, "%lf", &ms) != 1) ms = 0;
  std::fclose(from);
  if (pid > 0) waitpid(pid, nullptr, 0);
  return ms;
}

int run_first_step(const std::string& model, const std::string& cache_folder) {
  frontend::set_engine({.cache_folder = cache_folder});
  TrainingStep step(model);
  const double start = clock_seconds(kWallClock);
  step.run();
  std::printf("%.3f\n", (clock_seconds(kWallClock) - start) * 1e3);
  return 0;
}

void latency_rows(Session& s) {
  // One number of threads tells it all.
  if (s.threads != 1) return;
  recording_row(s);
  first_step_rows(s);
  const frontend::ScopedEngine uncached({.use_disk_cache = false});
  const std::size_t limit = frontend::node_limit();
  frontend::set_node_limit(1 << 20);  // otherwise recording would evaluate on its way
  graph_rows(s, "chain", chain);
  graph_rows(s, "branching graph", branching);
  frontend::set_node_limit(limit);
}

}  // namespace hyperion::benchmark

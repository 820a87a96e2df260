// hyperion_benchmark: Hyperion beside its peers, in one process, taking turns. `./run bench` runs
// it.
//
//   hyperion_benchmark [--json FILE] [--markdown FILE] [--only SUITE]... [--threads N]... [--quick]
//   hyperion_benchmark --device cuda [--json FILE] [--markdown FILE] [--only SUITE]... [--filter TEXT]
//                      [--budget SECONDS] [--peers FILE]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "frontend/engine.hpp"
#include "tests/benchmark/cuda/gpu_benchmark.hpp"
#include "tests/benchmark/cuda/serve.hpp"
#include "tests/benchmark/suites/suites.hpp"

namespace hyperion::benchmark {

namespace {

constexpr const char* kUsage =
    "usage: hyperion_benchmark [--json FILE] [--markdown FILE] [--only SUITE]... [--threads N]... "
    "[--quick]\n"
    "suites: matmul bandwidth convolution maths training latency\n"
    "       hyperion_benchmark --device cuda[:N] [--json FILE] [--markdown FILE] [--only SUITE]... [--filter TEXT] "
    "[--budget SECONDS] [--peers FILE]\n"
    "suites: memory gemm convolution training latency; --filter: a part of 'suite name shape dtype'\n"
    "       hyperion_benchmark --list-gpu | --compile-gpu ARCHITECTURE [FILTER]    needs no GPU\n";

struct Suite {
  const char* name;
  void (*add_rows)(Session&);
};

constexpr Suite kSuites[] = {{"matmul", matmul_rows},           {"bandwidth", bandwidth_rows},
                             {"convolution", convolution_rows}, {"maths", maths_rows},
                             {"training", training_rows},       {"latency", latency_rows}};

struct Options {
  std::string json, markdown;
  std::vector<std::string> only;  // empty: all suites
  std::vector<int> threads;
  bool quick = false;
};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick") {
      options.quick = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const std::string value = argv[++i];
    const auto is_named = [&](const Suite& suite) { return value == suite.name; };
    if (word == "--json") {
      options.json = value;
    } else if (word == "--markdown") {
      options.markdown = value;
    } else if (word == "--only" && std::ranges::any_of(kSuites, is_named)) {
      options.only.push_back(value);
    } else if (word == "--threads" && std::atoi(value.c_str()) > 0) {
      options.threads.push_back(std::atoi(value.c_str()));
    } else {
      return false;
    }
  }
  if (options.threads.empty()) options.threads = {1, 2};
  return true;
}

void add_machine_row(Session& s) {
  const double seconds = race({timed("fma", fma_loop(s.pool), s.threads)})[0];
  s.report.add({.suite = "machine",
                .name = "fma loop",
                .shape = "-",
                .threads = s.threads,
                .median = fma_loop_flops(s.threads) / seconds * 1e-9,
                .unit = "GFLOP/s",
                .peer = "peer absent"});
}

void measure(Report& report, PyTorch* pytorch, int threads, const Options& options) {
  frontend::set_instance(runtime::Instance::create({.threads = threads}));
  const Peers peers(threads);
  runtime::ThreadPool pool(threads);
  Session s{report, peers, pytorch, pool, threads, options.quick};
  add_machine_row(s);
  for (const Suite& suite : kSuites) {
    const bool is_wanted =
        options.only.empty() || std::ranges::find(options.only, suite.name) != options.only.end();
    if (is_wanted) suite.add_rows(s);
  }
}

int run(const Options& options) {
  std::printf("%s\n", machine_text().c_str());
  std::string absent;
  std::optional<PyTorch> pytorch = PyTorch::start(HYPERION_TRAINING_STEP_PEER, absent);
  if (!pytorch) std::printf("no PyTorch: %s\n", absent.c_str());
  Report report;
  for (const int threads : options.threads) {
    measure(report, pytorch ? &*pytorch : nullptr, threads, options);
  }
  bool all_written = true;
  const auto check = [&](const StatusOr<>& written) {
    if (!written) std::fprintf(stderr, "%s\n", written.error().text().c_str());
    all_written = all_written && written.has_value();
  };
  if (!options.json.empty()) check(report.write_json(options.json));
  if (!options.markdown.empty()) check(report.write_markdown(options.markdown, machine_text()));
  return all_written ? 0 : 1;
}

// ---- on a GPU

bool parse(int argc, char** argv, GpuOptions& options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string word = argv[i], value = argv[i + 1];
    if (word == "--device") {
      options.device = value;
    } else if (word == "--json") {
      options.json = value;
    } else if (word == "--markdown") {
      options.markdown = value;
    } else if (word == "--only") {
      options.suites.push_back(value);
    } else if (word == "--filter") {
      options.filter = value;
    } else if (word == "--budget" && std::atof(value.c_str()) > 0) {
      options.budget_seconds = std::atof(value.c_str());
    } else if (word == "--peers") {
      options.peers = value;
    } else {
      return false;
    }
  }
  return argc % 2 == 1;
}

bool is_for_gpu(int argc, char** argv) {
  const auto* const device = std::find(argv + 1, argv + argc, std::string_view("--device"));
  return device < argv + argc - 1 && std::string_view(device[1]).starts_with("cuda");
}

int usage() {
  std::fputs(kUsage, stderr);
  return 2;
}

}  // namespace

int dispatch(int argc, char** argv) {
  const std::string first = argc > 1 ? argv[1] : "";
  if (argc == 4 && first == kFirstStep) return run_first_step(argv[2], argv[3]);
  if (argc == 3 && first == "--serve-gpu") return serve_gpu(argv[2]);
  if (argc == 2 && first == "--list-gpu") return list_gpu_cases();
  if (argc >= 3 && first == "--compile-gpu") return compile_cases(argv[2], argc > 3 ? argv[3] : "");
  if (is_for_gpu(argc, argv)) {
    GpuOptions options;
    return parse(argc, argv, options) ? run_gpu_benchmark(options) : usage();
  }
  Options options;
  return parse(argc, argv, options) ? run(options) : usage();
}

}  // namespace hyperion::benchmark

int main(int argc, char** argv) {
  try {
    return hyperion::benchmark::dispatch(argc, argv);
  } catch (const hyperion::Error& error) {
    std::fprintf(stderr, "hyperion_benchmark: %s\n", error.what());
    return 1;
  }
}

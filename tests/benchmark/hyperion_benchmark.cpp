// hyperion_benchmark: Hyperion beside its peers, in one process, taking turns. `./run bench` runs
// it.
//
//   hyperion_benchmark [--json FILE] [--markdown FILE] [--only SUITE]... [--threads N]... [--quick]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "frontend/engine.hpp"
#include "tests/benchmark/suites/suites.hpp"

namespace hyperion::benchmark {

Tensor noise(Shape shape, std::uint64_t seed) {
  Tensor x = random::uniform(random::key(seed), std::move(shape), -1, 1);
  x.eval();
  return x;
}

std::vector<float> host(const Tensor& x) { return x.to_vector<float>(); }

namespace {

constexpr const char* kUsage =
    "usage: hyperion_benchmark [--json FILE] [--markdown FILE] [--only SUITE]... [--threads N]... "
    "[--quick]\n"
    "suites: matmul bandwidth convolution maths training latency\n";

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

}  // namespace
}  // namespace hyperion::benchmark

int main(int argc, char** argv) {
  using namespace hyperion::benchmark;
  try {
    if (argc == 4 && argv[1] == std::string(kFirstStep)) return run_first_step(argv[2], argv[3]);
    Options options;
    if (!parse(argc, argv, options)) {
      std::fputs(kUsage, stderr);
      return 2;
    }
    return run(options);
  } catch (const hyperion::Error& error) {
    std::fprintf(stderr, "hyperion_benchmark: %s\n", error.what());
    return 1;
  }
}

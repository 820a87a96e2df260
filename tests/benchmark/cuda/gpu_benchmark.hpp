// gpu_benchmark.hpp: `hyperion_benchmark --device cuda`: all cases beside their peers, with a table, JSON and Markdown.
//
// This process touches no GPU. Hyperion and the peers are processes of their own that measure on request and take turns
// on the same board; one that crashes, hangs or runs out of memory costs a row, and the others go on.
#pragma once

#include <string>
#include <vector>

namespace hyperion::benchmark {

struct GpuOptions {
  std::string device = "cuda:0";
  std::string json, markdown;
  std::string peers;                // peers.py; empty: looked for beside the sources and the executable
  std::vector<std::string> suites;  // empty: all
  std::string filter;               // a part of "suite name shape dtype"
  double budget_seconds = 540;      // rows for which no time is left are skipped, and said to be
};

int run_gpu_benchmark(const GpuOptions& options);
// A line for each case: its four words and its clock, tabs between.
int list_gpu_cases();

}  // namespace hyperion::benchmark

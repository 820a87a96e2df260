// race.hpp: a case, measured by Hyperion and its peers in turns, and what becomes of the samples.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/benchmark/cuda/contestant.hpp"
#include "tests/benchmark/peers/bench.hpp"

namespace hyperion::benchmark {

// How a case is measured whose slowest contestant needs so many seconds for a call.
struct Turns {
  int turns = 0;  // of each contestant
  int count = 0;  // what it is asked for in one
};
Turns turns_for(Clock clock, double seconds);

double median_of(std::vector<double> values);

// The row of a case. All contestants prepare, then take turns; what counts is the median of each, and the best peer.
// What goes wrong is in the row: `failure` when there is no figure of ours, `peer` when there is none of theirs.
// `peers` may be null, then for the reason given.
Row race_on_gpu(const Case& c, const std::string& device, Contestant& ours, Contestant* peers,
                const std::string& why_no_peers = "");

// "geometric mean of 40 ratios 0.98, worst 0.75 (NN 512x512x512 bf16)" for each suite and dtype that has ratios.
std::vector<std::string> summary(const std::vector<Row>& rows);

// What a row's bandwidth is of the copy's, in percent; nothing for rows of other units, and without a copy.
std::optional<double> percent_of_copy(const Row& row, const std::vector<Row>& rows);

std::string gpu_row_heading(const std::string& suite);
std::string gpu_row_text(const Row& row, const std::vector<Row>& rows);
// The tables of docs/performance/h200.md: one for each suite, after a line that names the machine and the peers.
std::string gpu_markdown(const std::vector<Row>& rows, const std::string& machine);

}  // namespace hyperion::benchmark

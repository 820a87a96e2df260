// serve.hpp: Hyperion's side of the race: a process that owns the GPU, so that a kernel that faults or a compiler that
// aborts costs one row. It answers on its standard output, a line for each request on its standard input; fields are
// apart by tabs. peers.py speaks the same language.
//
//   at the start                            "hello", what runs here        or "absent", why nothing does
//   prepare, suite, name, shape, dtype      "ready", the contestants' names  or "absent", why there is none
//   measure, clock, count                   "seconds", for each contestant its samples, apart by blanks
//   release                                 "released"; memory is given back
//
// `count` is the number of samples; with the clock "wall" that of calls, and the sample is their mean.
#pragma once

#include <string>

namespace hyperion::benchmark {

// Until standard input ends. Returns the exit code.
int serve_gpu(const std::string& device);

// Compiles every case whose key contains `filter` for an architecture, without a GPU, and prints how long each took.
int compile_cases(const std::string& architecture, const std::string& filter);

}  // namespace hyperion::benchmark

// round_trip.hpp: the contract between printer and parser, as a check that tests, fuzzers and tools
// share.
#pragma once

#include <string>

#include "ir/module.hpp"

namespace hyperion::ir {

// Empty if print(parse(print(module))) is print(module), byte for byte, and the parsed module is
// structurally equal to `module`. Otherwise a sentence with the first line that differs, or the
// parser's complaint. REQUIRES: verify(module) succeeds.
std::string round_trip_defect(const Module& module);

}  // namespace hyperion::ir

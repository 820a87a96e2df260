// plan_text.hpp: plans for people: what runs, in which order, on which memory.
//
//   function @line = plan 0(f32[8, 32], f32[32, 16], f32[16]) -> f32[8, 16]
//   plan 0 @line: arguments 1024, 2048, 64 bytes; outputs 512 bytes; arena 0 bytes
//     launch fused_dot_add_relu_kernel(argument 0, argument 1, argument 2, output 0) {...} train.cpp:7:15
//
// A slot is named by its kind and index; where it is only a part of what it names, and always for the arena, its bytes
// follow as [begin, end). There is no parser: plans are made from modules, never by hand.
#pragma once

#include <string>

#include "runtime/module.hpp"

namespace hyperion::runtime {

// Functions, then plans in order, then the sizes of the constants. The same for equal modules, on every machine.
std::string plan_text(const Module& module);

}  // namespace hyperion::runtime

// allocations.hpp: counts what a test program asks the heap for. A program that calls these functions has its operator
// new and delete replaced, in all the forms that the library calls: on all threads, sanitizers included.
#pragma once

#include <cstdint>

namespace hyperion::testing_support {

struct Allocations {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  std::uint64_t largest = 0;
};

void start_counting_allocations();
Allocations allocations_since_start();

}  // namespace hyperion::testing_support

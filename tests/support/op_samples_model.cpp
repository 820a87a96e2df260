// Generators for composites.
#include "tests/support/op_sampler.hpp"

namespace hyperion::testing_support {

void add_model_generators(Generators&) {}

}  // namespace hyperion::testing_support

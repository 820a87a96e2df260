// Uses one thing of each floor that a user sees. Exits with 0 when it worked.
#include <cstdio>

#include "frontend/data/batches.hpp"
#include "frontend/data/digits.hpp"
#include "ir/dtype.hpp"

int main() {
  using namespace hyperion;
  const data::LabelledImages digits = data::generate_digits(16, 0);
  const auto loader = data::BatchLoader::create(digits, {.batch_size = 8});
  const bool works = loader && (*loader)->next().size == 8 && dtype_name(DType::f32) == "f32";
  std::puts(works ? "hyperion works" : "hyperion does not work");
  return works ? 0 : 1;
}

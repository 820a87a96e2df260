// tensor_text.hpp: tensors on the tool's edge: random arguments, arguments from text, results as
// text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/module.hpp"
#include "tools/opt_driver/opt_driver.hpp"

namespace hyperion::tools {

// Elements drawn from a seeded generator: floats uniform in [-2, 2), integers in [0, 8), bool fair.
// The same on every machine. REQUIRES: static types.
std::vector<LiteralPtr> random_arguments(const std::vector<Type>& types, std::uint64_t seed);

// The arguments of one call: those given as text, the rest random.
Result<std::vector<LiteralPtr>> arguments_for(const ir::Function& function, const OptConfig& config,
                                              Diagnostics& diagnostics);

// "[[1.0, 2.0], [3.0, 4.0]]", one row a line from rank 2 on. Long tensors are cut after
// kShownElements.
inline constexpr std::int64_t kShownElements = 1000;
std::string tensor_text(const Literal& tensor);
// All elements in row-major order, as one JSON array; what is no JSON number is a string.
std::string elements_json(const Literal& tensor);

}  // namespace hyperion::tools

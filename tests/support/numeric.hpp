// numeric.hpp: what numeric tests need of sampled ops: as functions, evaluated, compared.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/op_samples.hpp"

namespace hyperion::testing_support {

// A module whose function @f applies the sample's op to its parameters and returns all results.
// Functions that the op calls are in it as well.
std::unique_ptr<ir::Module> function_of(const OpSample& sample);

// The results of a function of the module; fails the test if it cannot be interpreted.
std::vector<LiteralPtr> evaluate(const ir::Module& module, const ir::Function& function,
                                 std::span<const LiteralPtr> arguments);
std::vector<LiteralPtr> evaluate(const OpSample& sample);

// Elements as doubles, row-major.
std::vector<double> numbers(const LiteralPtr& literal);
LiteralPtr literal_of(Type type, const std::vector<double>& numbers);
// sum x[i] * y[i] over all tensors of both lists.
double inner_product(std::span<const LiteralPtr> x, std::span<const LiteralPtr> y);

// Equal bits, where all NaNs count as equal. Empty: no difference; else a sentence about the first
// one.
std::string difference(const LiteralPtr& a, const LiteralPtr& b);

// `count` equal shapes stacked along a new axis 0, and slice number k of such a stack.
LiteralPtr stack(std::span<const LiteralPtr> slices);
LiteralPtr slice_of(const LiteralPtr& stacked, std::int64_t k);

}  // namespace hyperion::testing_support

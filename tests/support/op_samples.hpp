// op_samples.hpp: small random applications of every op, for every test that says "for all ops".
//
// A sample is an op, operand values, complete attributes, and the result types they give; shapes
// include rank 0, odd and empty dimensions wherever the op allows them. The same options give the
// same samples on every machine.
//
// Values: `ordinary` are moderate numbers of both signs (small whole numbers for integers);
// `special` mixes in NaN, infinities, zeros of both signs, subnormals and the extremes of integers;
// `smooth` stay inside the domain of the op and away from its kinks, so that finite differences
// mean something.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/module.hpp"

namespace hyperion::testing_support {

struct OpSample {
  const ir::OpDefinition* op = nullptr;
  std::vector<LiteralPtr> operands;
  ir::Attributes attributes;
  std::vector<Type> results;
  std::shared_ptr<const ir::Module> module;  // with the functions it calls, or null

  std::vector<Type> operand_types() const;
  std::string text() const;  // "dot f32[2, 3], f32[3] {lhs_contract = [1], ...}", for SCOPED_TRACE
};

enum class Values : std::uint8_t { ordinary, special, smooth };

struct SampleOptions {
  DType dtype = DType::f32;  // of the data operands; indices and predicates keep theirs
  Values values = Values::ordinary;
  std::uint64_t seed = 1;
  int count = 8;
};

// Empty when the op does not accept the dtype.
std::vector<OpSample> op_samples(const ir::OpDefinition& op, const SampleOptions& options = {});

// Ops of tensor programs that compute: all but those of kernels, of complex elements, and `return`.
std::vector<const ir::OpDefinition*> sampled_ops();

// Random elements; `low` and `high` bound the ordinary ones.
LiteralPtr random_literal(Type type, Values values, std::uint64_t seed, double low = -2,
                          double high = 2);

}  // namespace hyperion::testing_support

// Type rules on symbolic dimensions: where a rule accepts symbols in place of an op's sizes, what it infers becomes, with
// the sizes put back, what it infers from the sizes. One difference is allowed: windows larger than what they slide over
// have no place in it, and for symbols that is written as the formula, n - 2, which is then not above 0.
#include <gtest/gtest.h>

#include <set>

#include "ir/module.hpp"
#include "tests/support/op_samples.hpp"

namespace hyperion {
namespace {

using testing_support::op_samples;
using testing_support::OpSample;

// Equal sizes become one symbol: most rules demand that some are equal. Sizes of 0 and 1 stay, since they are special.
Dim symbol_for(Dim size) {
  return size.value() < 2 ? size : Dim::symbol("s" + std::to_string(size.value()));
}

// The types with symbols for all sizes, or for those of one axis of one operand alone.
std::vector<Type> with_symbols(std::vector<Type> types, std::optional<std::pair<std::size_t, int>> only) {
  for (std::size_t k = 0; k < types.size(); ++k) {
    ir::Dims dims(types[k].dims().begin(), types[k].dims().end());
    for (int axis = 0; axis < types[k].rank(); ++axis) {
      if (only && *only != std::pair(k, axis)) continue;
      dims[static_cast<std::size_t>(axis)] = symbol_for(dims[static_cast<std::size_t>(axis)]);
    }
    types[k] = types[k].with_dims(dims);
  }
  return types;
}

std::map<std::string, std::int64_t> all_sizes() {
  std::map<std::string, std::int64_t> sizes;
  for (std::int64_t size = 2; size < 64; ++size) sizes["s" + std::to_string(size)] = size;
  return sizes;
}

Type without_negatives(Type type) {
  ir::Dims dims;
  for (Dim dim : type.dims()) dims.push_back(Dim(std::max<std::int64_t>(dim.value(), 0)));
  return type.with_dims(dims);
}

// Whether the rule accepted symbols.
bool check(const OpSample& sample, std::optional<std::pair<std::size_t, int>> only) {
  const std::vector<Type> types = with_symbols(sample.operand_types(), only);
  if (types == sample.operand_types()) return false;
  ir::Attributes attributes = sample.attributes;
  Diagnostics diagnostics;
  const ir::InferResult inferred = ir::infer_types(*sample.op, types, attributes, sample.module.get(), diagnostics);
  if (!inferred) {
    EXPECT_TRUE(diagnostics.has_errors());
    return false;
  }
  std::vector<Type> results;
  for (Type type : *inferred) results.push_back(type.substitute(all_sizes()));
  std::string text;
  for (Type type : types) text += " " + type.text();
  EXPECT_EQ(results.size(), sample.results.size()) << text;
  for (std::size_t k = 0; k < std::min(results.size(), sample.results.size()); ++k) {
    EXPECT_EQ(without_negatives(results[k]).text(), sample.results[k].text()) << "from" << text << " in " << sample.text();
  }
  return true;
}

TEST(SymbolicTypes, BecomeTheConcreteOnes) {
  std::set<std::string> accepting, tried;
  for (const ir::OpDefinition* op : testing_support::sampled_ops()) {
    SCOPED_TRACE(std::string(op->name));
    for (DType dtype : {DType::f32, DType::i32, DType::u32, DType::bool_}) {
      for (const OpSample& sample : op_samples(*op, {.dtype = dtype, .seed = 23, .count = 12})) {
        tried.insert(std::string(op->name));
        bool accepted = check(sample, std::nullopt);
        const std::vector<Type> types = sample.operand_types();
        for (std::size_t k = 0; k < types.size(); ++k) {
          for (int axis = 0; axis < types[k].rank(); ++axis) accepted |= check(sample, std::pair(k, axis));
        }
        if (accepted) accepting.insert(std::string(op->name));
      }
    }
  }
  std::string refusing;
  for (const std::string& name : tried) {
    if (!accepting.contains(name)) refusing += " " + name;
  }
  // Their attributes are numbers that must fit the sizes, or their functions have types of their own.
  EXPECT_EQ(refusing, " broadcast call cond constant dropout dynamic_slice iota scan slice while");
}

}  // namespace
}  // namespace hyperion

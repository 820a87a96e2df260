// dropout.cpp: each element is kept with probability 1 - rate and scaled by 1 / (1 - rate), else zero.
//
// An element is dropped if its 32 random bits (rng_bits of the key) are below rate * 2^32. Same key, same mask.
#include <cmath>

#include "ir/ops/composite.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

OpDefinition op_dropout() {
  OpDefinition op = composite("dropout", "Zero with probability `rate`, else x / (1 - rate).",
                              {{.name = "x", .doc = "the tensor"}, {.name = "key", .doc = "u32[2]"}});
  op.attributes = {{"rate", AttributeKind::real, "the probability of zero", AttributeValue(0.5)}};
  op.constraints = {{"c1", "(C1) the element type is a floating-point type"},
                    {"c2", "(C2) key is u32[2]"},
                    {"c3", "(C3) rate is between 0 and 1"},
                    {"c4", "(C4) the dimensions of x are numbers: every element has random bits of its own"}};
  op.infer = [](const InferContext& c) -> InferResult {
    HYP_TRY_VOID(check_floating(c, "c1", 0));
    if (c.operands[1] != Type(DType::u32, {2})) return c.fail("c2", format("the key is {}, not u32[2]", c.operands[1].text()), {1});
    const double rate = c.attributes.real("rate");
    if (!(rate >= 0 && rate <= 1)) return c.fail("c3", format("rate {} is not between 0 and 1", rate));
    if (!c.operands[0].is_static()) return c.fail("c4", format("x is {}, whose dimensions are not known", c.operands[0].text()), {0});
    return std::vector{c.operands[0]};
  };
  op.decompose = [](DecomposeContext& c) {
    Builder& b = c.builder;
    const Value x = c.operand(0);
    const double rate = c.attributes.real("rate");
    if (rate == 1) return only(b.zeros(x.type()));
    const Value bits = b.apply("rng_bits", {c.operand(1)}, {{"shape", dims_of(x.type())}, {"dtype", DType::u32}});
    const auto dropped = static_cast<std::int64_t>(std::floor(rate * 4294967296.0));  // of 2^32
    const Value kept = b.compare(bits, integer_like(bits, dropped), "ge");
    return only(b.select(kept, rounded(carried(x) * (1 / (1 - rate)), x.dtype()), b.zeros(x.type())));
  };
  op.example = "dropout %x, %key {rate = 0.1}";
  return op;
}

}  // namespace hyperion::ir::ops

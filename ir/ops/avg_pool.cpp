// avg_pool.cpp: the mean of each window. Padding counts as zeros, or not at all.
#include "ir/ops/pooling.hpp"

namespace hyperion::ir::ops {
namespace {

Value window_sums(Value x, const Attributes& attributes) {
  return reduce_windows(x, x.builder->zeros(Type::scalar(x.dtype())), Monoid::sum, attributes);
}

}  // namespace

OpDefinition op_avg_pool() {
  OpDefinition op = composite("avg_pool", "The mean of each window over the spatial axes.", {{.name = "x", .doc = "a batch of images"}});
  op.attributes = pooling_attributes();
  op.attributes.push_back({"count_include_pad", AttributeKind::boolean, "padding counts as zeros", AttributeValue(true)});
  op.constraints = pooling_constraints();
  op.constraints.push_back({"c6", "(C6) the element type is a floating-point type"});
  op.infer = [](const InferContext& c) -> InferResult {
    HYP_TRY_VOID(check_floating(c, "c6", 0));
    return infer_pooling(c);
  };
  op.decompose = [](DecomposeContext& c) {
    Builder& b = c.builder;
    const Value x = carried(c.operand(0));
    const Value sums = window_sums(x, c.attributes);
    double size = 1;
    for (std::int64_t elements : c.attributes.integers("window")) size *= static_cast<double>(elements);
    Value count = b.constant(sums.type(), size);
    if (!c.attributes.boolean("count_include_pad")) {
      // The same for every image and channel: count in one of them.
      Dims dims = dims_of(x.type());
      dims[0] = dims[c.attributes.text("layout") == "channels_last" ? dims.size() - 1 : 1] = Dim(1);
      const Value counts = window_sums(b.ones(x.type().with_dims(dims)), c.attributes);
      count = broadcast_into(counts, sums.type(), counting(0, sums.rank()));
    }
    return only(rounded(sums / count, c.operand(0).dtype()));
  };
  op.example = "avg_pool %x {dilations = [1, 1], padding_high = [0, 0], padding_low = [0, 0], strides = [2, 2], window = [2, 2]}";
  return op;
}

}  // namespace hyperion::ir::ops

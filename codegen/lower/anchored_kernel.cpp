#include "codegen/lower/anchored_kernel.hpp"

#include <map>

#include "codegen/lower/cost.hpp"
#include "codegen/lower/map_nest.hpp"

namespace hyperion::codegen {

using ir::OpId;
using ir::TermId;
using ir::TermPool;
using ir::Value;
using ir::ValueId;
using ir::VariableId;

bool has_packed_kernel(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16;
}

Lowered begin_anchored_kernel(const ir::Function& group) {
  Lowered out;
  out.kernel = std::make_unique<ir::Function>(group.name + "_kernel", ir::FunctionKind::kernel);
  for (Type type : group.parameter_types()) {
    out.kernel->add_parameter(type);
    out.bytes += type.bytes();
  }
  for (Type type : group.result_types()) {
    out.kernel->add_parameter(type, {}, {}, ir::ParameterRole::out);
    out.bytes += type.bytes();
  }
  return out;
}

namespace {

class AnchoredWriter {
 public:
  AnchoredWriter(Lowered& out, const AnchorPlan& plan)
      : kernel_(*out.kernel), plan_(plan), inputs_(plan.group.parameters().size()),
        composed_(compose(plan.group, Opaque{plan.anchor, static_cast<int>(inputs_)})),
        writer_(kernel_, composed_.pool, {kernel_.parameters().begin(), kernel_.parameters().end()}),
        sum_(accumulation_dtype(plan.group.type(plan.anchor.operands[0]).dtype())),
        cost_(composed_.pool, composed_.inputs) {}

  void write(std::string_view name, ir::Attributes attributes) {
    ir::Builder& b = writer_.builder();
    b.set_location(plan_.group.location);
    std::vector<ValueId> operands{buffer(0), buffer(1)};
    const bool plain = stores_sums_alone();
    if (plain) operands.push_back(kernel_.parameters()[inputs_]);
    static constexpr std::array kLhsNames = {"batch", "row", "depth"}, kRhsNames = {"batch", "depth", "column"};
    if (is_computed(0)) attributes.set("lhs_map", std::string(kLhsNames[plan_.factors[0].lanes_along]));
    if (is_computed(1)) attributes.set("rhs_map", std::string(kRhsNames[plan_.factors[1].lanes_along]));
    Diagnostics diagnostics;
    const Result<OpId> op = b.try_apply(ir::op(name), std::move(operands), std::move(attributes), diagnostics);
    HYP_CHECK(op.has_value(), diagnostics.render());
    if (is_computed(0)) write_map(*op, 0, kLhsNames);
    if (is_computed(1)) write_map(*op, 1, kRhsNames);
    if (!plain) write_epilogue(*op);
    b.apply_all("return", {});
  }

  // Of what stands before and behind the contraction.
  std::uint64_t operations() const { return cost_.operations(); }

 private:
  ValueId operand(std::size_t k) const { return plan_.anchor.operands[k]; }
  bool is_computed(std::size_t k) const { return plan_.group.producer(operand(k)) != nullptr; }

  // Where an operand lies, or a buffer that its map reads.
  ValueId buffer(std::size_t k) const {
    if (!is_computed(k)) return kernel_.parameters()[plan_.group.value(operand(k)).result_index];
    std::vector<TermId> pending{composed_.operands[k].body};
    while (!pending.empty()) {
      const ir::Term& term = composed_.pool[pending.back()];
      pending.pop_back();
      if (term.kind == ir::TermKind::access) return kernel_.parameters()[static_cast<std::size_t>(term.value)];
      pending.insert(pending.end(), term.args.rbegin(), term.args.rend());
    }
    return kernel_.parameters()[0];  // it reads nothing: constants, positions
  }

  bool stores_sums_alone() const {
    return composed_.outputs.size() == 1 && plan_.group.results()[0] == plan_.anchor.results[0];
  }

  // Opens a block that is given its place and binds the place; returns the indices that follow from it.
  std::vector<TermId> open_at(OpId op, ir::BlockId block, const BlockIndices& place, std::size_t lanes_along,
                              const std::array<const char*, 3>& names) {
    ir::Builder& b = writer_.builder();
    TermPool& pool = composed_.pool;
    std::array<Value, 3> given;
    for (std::size_t k = 0; k < given.size(); ++k) {
      given[k] = b.wrap(kernel_.add_block_argument(block, Type::scalar(DType::i64), names[k] + suffix_));
    }
    writer_.open_block(op, block);
    std::array<TermId, 3> at;
    for (std::size_t k = 0; k < given.size(); ++k) {
      const VariableId variable = pool.variable(Dim(place.extents[k]));
      if (k == lanes_along) writer_.bind_lanes(variable, given[k], plan_.lanes);
      else writer_.bind(variable, given[k]);
      at[k] = pool.index(variable);
    }
    return place.indices(pool, at);
  }

  void write_map(OpId op, std::size_t k, const std::array<const char*, 3>& names) {
    const FactorPlan& factor = plan_.factors[k];
    suffix_ = k == 0 ? "_of_lhs" : "_of_rhs";
    const std::vector<TermId> indices =
        open_at(op, kernel_.add_block(op), factor.place, factor.lanes_along, names);
    const TermId element = element_at(composed_.pool, composed_.operands[k], indices);
    cost_.add(element);
    const Value value = writer_.builder().cast(writer_.splat(writer_.element(element)), sum_);
    writer_.close_block(std::span(&value, 1));
  }

  void write_epilogue(OpId op) {
    ir::Builder& b = writer_.builder();
    suffix_.clear();
    const ir::BlockId body = kernel_.add_block(op);
    const Value sums = b.wrap(kernel_.add_block_argument(body, Type(sum_, {Dim(plan_.lanes)}), "sum"));
    const std::vector<TermId> indices = open_at(op, body, plan_.result, 2, {"batch", "row", "column"});
    writer_.define_access(static_cast<int>(inputs_), b.cast(sums, plan_.group.type(plan_.anchor.results[0]).dtype()));
    std::vector<TermId> elements;
    for (const ir::Lambda& output : composed_.outputs) elements.push_back(element_at(composed_.pool, output, indices));
    for (TermId element : elements) cost_.add(element);
    for (TermId element : elements) writer_.element(element);
    for (std::size_t k = 0; k < elements.size(); ++k) {
      writer_.store(elements[k], kernel_.parameters()[inputs_ + k], offset(composed_.output_types[k], indices));
    }
    writer_.close_block();
  }

  TermId offset(Type type, const std::vector<TermId>& indices) {
    const std::vector<std::int64_t> strides = type.strides();
    TermId sum = composed_.pool.index(Dim(0));
    for (std::size_t k = 0; k < indices.size(); ++k) {
      sum = composed_.pool.add(sum, composed_.pool.scale(indices[k], strides[k]));
    }
    return sum;
  }

  ir::Function& kernel_;
  const AnchorPlan& plan_;
  std::size_t inputs_;
  Composition composed_;
  KernelWriter writer_;
  DType sum_;
  CostCounter cost_;
  std::string suffix_;  // of the names of the block's arguments: names are unique within the kernel
};

}  // namespace

void write_anchored_kernel(Lowered& out, const AnchorPlan& plan, std::string_view op, ir::Attributes attributes) {
  AnchoredWriter writer(out, plan);
  writer.write(op, std::move(attributes));
  out.flops += writer.operations();
}

std::vector<TermId> indices_at(TermPool& pool, TermId position, Type type) { return digits(pool, position, type.sizes()); }

TermId element_at(TermPool& pool, const ir::Lambda& lambda, const std::vector<TermId>& indices) {
  std::map<VariableId, TermId> replacement;
  for (std::size_t k = 0; k < lambda.variables.size(); ++k) replacement[lambda.variables[k]] = indices[k];
  return rename(pool, lambda.body, replacement);
}

}  // namespace hyperion::codegen

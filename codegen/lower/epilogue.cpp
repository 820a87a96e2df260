#include "codegen/lower/epilogue.hpp"

#include <map>

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

int epilogue_lanes(DType sum, const LoweringTarget& target) {
  // The tensor cores leave pairs of neighbouring columns in each thread.
  return target.has_teams ? 2 : target.vector_bytes / static_cast<int>(byte_size(sum));
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

// The element of an output, with its own indices replaced.
TermId at_indices(TermPool& pool, const ir::Lambda& output, const std::vector<TermId>& indices) {
  std::map<VariableId, TermId> replacement;
  for (std::size_t k = 0; k < output.variables.size(); ++k) replacement[output.variables[k]] = indices[k];
  return pool.substitute(output.body, {.variable = [&](VariableId v) -> std::optional<TermId> {
                                         const auto found = replacement.find(v);
                                         if (found == replacement.end()) return std::nullopt;
                                         return found->second;
                                       },
                                       .access = {}});
}

class EpilogueWriter {
 public:
  EpilogueWriter(Lowered& out, const EpiloguePlan& plan)
      : kernel_(*out.kernel), plan_(plan), inputs_(plan.group.parameters().size()),
        composed_(compose(plan.group, Opaque{plan.anchor.results[0], static_cast<int>(inputs_)})),
        writer_(kernel_, composed_.pool, {kernel_.parameters().begin(), kernel_.parameters().end()}) {}

  void write(std::string_view name, ir::Attributes attributes) {
    ir::Builder& b = writer_.builder();
    b.set_location(plan_.group.location);
    std::vector<ValueId> operands{buffer(0), buffer(1)};
    const bool plain = stores_sums_alone();
    if (plain) operands.push_back(kernel_.parameters()[inputs_]);
    Diagnostics diagnostics;
    const Result<OpId> op = b.try_apply(ir::op(name), std::move(operands), std::move(attributes), diagnostics);
    HYP_CHECK(op.has_value(), diagnostics.render());
    if (!plain) write_body(*op);
    b.apply_all("return", {});
  }

 private:
  ValueId buffer(int k) const {
    return kernel_.parameters()[plan_.group.value(plan_.anchor.operands[static_cast<std::size_t>(k)]).result_index];
  }

  bool stores_sums_alone() const {
    return composed_.outputs.size() == 1 && plan_.group.results()[0] == plan_.anchor.results[0];
  }

  void write_body(OpId op) {
    ir::Builder& b = writer_.builder();
    const DType sum = accumulation_dtype(plan_.group.type(plan_.anchor.operands[0]).dtype());
    const ir::BlockId body = kernel_.add_block(op);
    const auto argument = [&](Type type, std::string name) {
      return b.wrap(kernel_.add_block_argument(body, type, std::move(name)));
    };
    const Value sums = argument(Type(sum, {Dim(plan_.lanes)}), "sum");
    const Value batch = argument(Type::scalar(DType::i64), "batch");
    const Value row = argument(Type::scalar(DType::i64), "row");
    const Value column = argument(Type::scalar(DType::i64), "column");
    writer_.open_block(op, body);
    TermPool& pool = composed_.pool;
    const VariableId at_batch = pool.variable(Dim(plan_.batch_size)), at_row = pool.variable(Dim(plan_.row_size));
    const VariableId at_column = pool.variable(Dim(plan_.column_size));
    writer_.bind(at_batch, batch);
    writer_.bind(at_row, row);
    writer_.bind_lanes(at_column, column, plan_.lanes);
    writer_.define_access(static_cast<int>(inputs_),
                          b.cast(sums, plan_.group.type(plan_.anchor.results[0]).dtype()));
    const std::vector<TermId> indices =
        plan_.indices(pool, pool.index(at_batch), pool.index(at_row), pool.index(at_column));
    std::vector<TermId> elements;
    for (const ir::Lambda& output : composed_.outputs) elements.push_back(at_indices(pool, output, indices));
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
  const EpiloguePlan& plan_;
  std::size_t inputs_;
  Composition composed_;
  KernelWriter writer_;
};

}  // namespace

void write_anchored_kernel(Lowered& out, const EpiloguePlan& plan, std::string_view op, ir::Attributes attributes) {
  EpilogueWriter(out, plan).write(op, std::move(attributes));
}

}  // namespace hyperion::codegen

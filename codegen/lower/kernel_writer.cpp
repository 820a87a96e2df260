#include "codegen/lower/kernel_writer.hpp"

#include <algorithm>
#include <bit>

#include "ir/ops/ops.hpp"

namespace hyperion::codegen {

using ir::Attributes;
using ir::Op;
using ir::Term;
using ir::TermId;
using ir::TermKind;
using ir::Value;
using ir::ValueId;
using ir::VariableId;

KernelWriter::KernelWriter(ir::Function& kernel, ir::TermPool& pool, std::vector<ValueId> buffers)
    : kernel_(kernel), pool_(pool), builder_(kernel), buffers_(std::move(buffers)) {
  scopes_.push_back({.block = kernel.body(), .before = {}, .loop = {}, .cache = {}});
}

Value KernelWriter::constant_index(std::int64_t value) {
  return builder_.constant(Literal::splat_integer(Type::scalar(DType::i64), value));
}

Value KernelWriter::apply(std::string_view op, std::vector<Value> operands, Attributes attributes) {
  return builder_.apply(op, std::span<const Value>(operands), std::move(attributes));
}

// ---- scopes ---------------------------------------------------------------------------------------------------

void KernelWriter::place() {
  const Scope& scope = scopes_.back();
  if (scope.before.valid()) builder_.insert_before(scope.before);
  else builder_.append_to(scope.block);
}

Value KernelWriter::open_loop(Value begin, Value end, std::int64_t step, std::span<const Value> initial,
                              bool parallel) {
  std::vector<Value> operands{begin, end};
  operands.insert(operands.end(), initial.begin(), initial.end());
  place();
  std::vector<ValueId> ids;
  for (Value operand : operands) ids.push_back(operand.id);
  Diagnostics diagnostics;
  const Result<ir::OpId> loop = builder_.try_apply(ir::op("for"), std::move(ids),
                                                   {{"step", step}, {"parallel", parallel}}, diagnostics);
  HYP_CHECK(loop.has_value(), diagnostics.render());
  const ir::BlockId block = kernel_.add_block(*loop);
  const Value index = builder_.wrap(kernel_.add_block_argument(block, Type::scalar(DType::i64)));
  for (Value value : initial) kernel_.add_block_argument(block, value.type());
  scopes_.push_back({.block = block, .before = {}, .loop = *loop, .cache = {}});
  place();
  return index;
}

Value KernelWriter::carried(int k) const {
  return const_cast<KernelWriter*>(this)->builder_.wrap(
      kernel_.block(scopes_.back().block).arguments[static_cast<std::size_t>(k) + 1]);
}

std::vector<Value> KernelWriter::close_loop(std::span<const Value> next) {
  place();
  builder_.apply_all("yield", next);
  const ir::OpId loop = scopes_.back().loop;
  scopes_.pop_back();
  place();
  std::vector<Value> results;
  for (ValueId id : kernel_.op(loop).results) results.push_back(builder_.wrap(id));
  return results;
}

void KernelWriter::open_block(ir::OpId owner, ir::BlockId block) {
  scopes_.push_back({.block = block, .before = {}, .loop = owner, .cache = {}});
  place();
}

void KernelWriter::close_block(std::span<const Value> yielded) {
  place();
  builder_.apply_all("yield", yielded);
  scopes_.pop_back();
  place();
}

void KernelWriter::bind(VariableId variable, Value index) {
  bindings_[variable] = {.index = index, .level = scopes_.size() - 1};
}

void KernelWriter::bind_lanes(VariableId variable, Value first, int lanes, Value mask) {
  bindings_[variable] = {.index = first, .level = scopes_.size() - 1, .lanes = lanes};
  lane_variable_ = variable;
  lanes_ = lanes;
  lane_mask_ = mask;
}

void KernelWriter::bind_row(VariableId variable, int lanes, std::int64_t length) {
  const Value first = constant_index(0);
  lanes_ = lanes;
  Value mask;
  if (length < lanes) mask = builder_.compare(lane_numbers(), splat(constant_index(length)), "lt");
  bind_lanes(variable, first, lanes, mask);
  row_variable_ = variable;
}

const KernelWriter::Binding& KernelWriter::binding(VariableId variable) const {
  const auto found = bindings_.find(variable);
  HYP_CHECK(found != bindings_.end(), "a variable of a term is not bound");
  return found->second;
}

// Sets the enclosing lane context aside while another one is in force.
namespace {
template <class T>
class Restore {
 public:
  explicit Restore(T& target) : target_(target), saved_(target) {}
  ~Restore() { target_ = saved_; }
  Restore(const Restore&) = delete;

 private:
  T& target_;
  T saved_;
};
}  // namespace

std::vector<Value> KernelWriter::lane_loop(VariableId variable, Value begin, Value end, bool masked, int lanes,
                                           std::vector<Value> initial, const Body& body) {
  const Restore variable_guard(lane_variable_);
  const Restore lanes_guard(lanes_);
  const Restore mask_guard(lane_mask_);
  // The loop may be a reduction over the same variable, hoisted out of a loop that is being written.
  const Restore binding_guard(bindings_[variable]);
  const Value first = open_loop(begin, end, lanes, initial);
  lanes_ = lanes;
  Value mask;
  if (masked) {
    const Value numbers = apply("affine", {first, lane_numbers()}, {{"coefficients", ir::Integers{1, 1}}});
    mask = builder_.compare(numbers, splat(end), "lt");
  }
  bind_lanes(variable, first, lanes, mask);
  std::vector<Value> state;
  for (std::size_t k = 0; k < initial.size(); ++k) state.push_back(carried(static_cast<int>(k)));
  const std::vector<Value> next = body(state);
  return close_loop(next);
}

void KernelWriter::for_even_lanes(VariableId variable, Value begin, Value end, int lanes, const Body& body) {
  lane_loop(variable, begin, end, false, lanes, {}, body);
}

std::vector<Value> KernelWriter::for_lanes(VariableId variable, Value begin, Value end,
                                           std::optional<std::int64_t> known_end, int lanes,
                                           std::vector<Value> initial, const Body& body) {
  std::vector<Value> state = std::move(initial);
  if (known_end) {
    const std::int64_t whole = *known_end - *known_end % lanes;
    if (whole > 0) state = lane_loop(variable, begin, constant_index(whole), false, lanes, std::move(state), body);
    if (whole < *known_end) {
      state = lane_loop(variable, constant_index(whole), end, true, lanes, std::move(state), body);
    }
    return state;
  }
  // end - (end - begin) mod lanes; lanes is a power of two.
  const Value length = builder_.apply("sub", {end, begin});
  const Value whole = builder_.apply("sub", {end, builder_.apply("and", {length, constant_index(lanes - 1)})});
  state = lane_loop(variable, begin, whole, false, lanes, std::move(state), body);
  return lane_loop(variable, whole, end, true, lanes, std::move(state), body);
}

// Emits `term` where it belongs: with the inner scopes set aside, so that loops it opens land outside of them.
Value KernelWriter::at_level(std::size_t level, TermId term, const std::function<Value()>& emit) {
  // Loads that vary by lane depend on the guard; everything else is the same under any guard.
  const bool masked = guard_mask_.valid() && varies_by_lane(term);
  const auto key = std::pair(term, masked ? guard_mask_.id : ValueId{});
  for (std::size_t i = scopes_.size(); i-- > 0;) {
    const auto found = scopes_[i].cache.find(key);
    if (found != scopes_[i].cache.end()) return found->second;
  }
  std::vector<Scope> inner;
  while (scopes_.size() > level + 1) {
    inner.push_back(std::move(scopes_.back()));
    scopes_.pop_back();
  }
  const Restore guard(guard_mask_);
  if (!masked) guard_mask_ = {};
  const ir::OpId before = scopes_.back().before;
  if (!inner.empty()) scopes_.back().before = inner.back().loop;
  place();
  const Value value = emit();
  scopes_.back().cache[key] = value;
  scopes_.back().before = before;
  for (auto scope = inner.rbegin(); scope != inner.rend(); ++scope) scopes_.push_back(std::move(*scope));
  place();
  return value;
}

// ---- variables ------------------------------------------------------------------------------------------------

const std::vector<VariableId>& KernelWriter::free_variables(TermId id) {
  if (const auto found = free_variables_.find(id); found != free_variables_.end()) return found->second;
  const Term& term = pool_[id];
  std::vector<VariableId> free;
  if (term.kind == TermKind::index_variable) free.push_back(term.variable);
  if (term.kind == TermKind::state) free.push_back(state_variable(term.variable));
  // A defined value is a vector of the scope that defined it, even where it has one element and no index.
  if (term.kind == TermKind::access && defined_accesses_.contains(static_cast<int>(term.value))) {
    free.push_back(lane_variable_);
  }
  for (TermId arg : term.args) {
    const std::vector<VariableId>& inner = free_variables(arg);
    free.insert(free.end(), inner.begin(), inner.end());
  }
  std::ranges::sort(free);
  free.erase(std::ranges::unique(free).begin(), free.end());
  if (term.variable_count > 0) {
    std::erase_if(free, [&](VariableId v) { return is_bound_by(term, v); });
  }
  return free_variables_.emplace(id, std::move(free)).first->second;
}

bool KernelWriter::is_bound_by(const Term& term, VariableId variable) {
  const std::uint32_t index = variable.index & ~kStateBit;
  return index >= term.variable.index && index < term.variable.index + term.variable_count;
}

std::size_t KernelWriter::level(TermId term) {
  std::size_t deepest = 0;
  for (VariableId variable : free_variables(term)) deepest = std::max(deepest, binding(variable).level);
  return deepest;
}

bool KernelWriter::varies_by_lane(TermId term) {
  return std::ranges::any_of(free_variables(term), [&](VariableId variable) {
    return variable == lane_variable_ || binding(variable).is_vector_state;
  });
}

bool KernelWriter::result_varies_by_lane(const Term& term) {
  for (TermId arg : term.args) {
    for (VariableId variable : free_variables(arg)) {
      if (is_bound_by(term, variable)) continue;
      if (variable == lane_variable_ || binding(variable).is_vector_state) return true;
    }
  }
  return false;
}

// ---- elements -------------------------------------------------------------------------------------------------

Value KernelWriter::splat(Value value) {
  if (value.rank() == 1 || lanes_ == 0) return value;
  return apply("broadcast", {value}, {{"shape", ir::Dims{Dim(lanes_)}}, {"dims", ir::Integers{}}});
}

Value KernelWriter::lane_numbers() {
  if (lanes_ > ir::kReductionLanes) {
    return apply("iota", {}, {{"shape", ir::Dims{Dim(lanes_)}}, {"dtype", DType::i64}, {"axis", std::int64_t{0}}});
  }
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(lanes_));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i);
  return builder_.constant(Literal::make(Type(DType::i64, {Dim(lanes_)}), std::as_bytes(std::span(numbers))));
}

Value KernelWriter::element(TermId term) {
  std::size_t where = level(term);
  if (guard_mask_.valid() && varies_by_lane(term)) where = scopes_.size() - 1;
  return at_level(where, term, [&] {
    const auto kept = kept_.find(term);
    if (kept == kept_.end() || !is_open(kept->second.scope)) return emit_element(term);
    const Value first = binding(lane_variable_).index;
    if (kept->second.complete) {
      return apply("load", {kept->second.buffer, first}, {{"lanes", std::int64_t{lanes_}}});
    }
    const Value value = emit_element(term);
    builder_.apply_all("store", std::vector{value, kept->second.buffer, first});
    being_kept_.push_back(term);
    return value;
  });
}

void KernelWriter::keep(TermId term, std::int64_t extent) {
  // Rounded up, so that whole vectors can be stored and loaded at the end without a mask.
  const std::int64_t padded = (extent + ir::kReductionLanes - 1) / ir::kReductionLanes * ir::kReductionLanes;
  const Value buffer = apply("scratch", {}, {{"dtype", pool_[term].dtype}, {"size", padded}});
  kept_[term] = {.buffer = buffer, .scope = scopes_.back().block};
}

bool KernelWriter::is_open(ir::BlockId scope) const {
  return std::ranges::any_of(scopes_, [&](const Scope& open) { return open.block == scope; });
}

void KernelWriter::kept_terms_are_complete() {
  for (TermId term : being_kept_) kept_[term].complete = true;
  being_kept_.clear();
}

Value KernelWriter::emit_element(TermId id) {
  const Term term = pool_[id];
  switch (term.kind) {
    case TermKind::literal: {
      const auto* bits = reinterpret_cast<const std::byte*>(&term.value);
      return builder_.constant(Literal::splat(Type::scalar(term.dtype), std::span(bits, byte_size(term.dtype))));
    }
    case TermKind::access: return emit_access(term);
    case TermKind::from_index: return builder_.cast(index(term.args[0]), term.dtype);
    case TermKind::scalar: return emit_scalar(term);
    case TermKind::ite: return emit_choice(term);
    case TermKind::reduce: return emit_reduce(term);
    case TermKind::fold: return emit_fold(term);
    case TermKind::state: return states_.at({term.variable, static_cast<int>(term.value)});
    default: break;
  }
  HYP_CHECK(false, "an index stands where an element should");
}

Value KernelWriter::emit_scalar(const Term& term) {
  std::vector<Value> args;
  bool vector = false;
  for (TermId arg : term.args) {
    args.push_back(element(arg));
    vector |= args.back().rank() == 1;
  }
  if (vector) {
    for (Value& arg : args) arg = splat(arg);
  }
  Attributes attributes;
  const ir::Primitive primitive = term.function->primitive;
  if (primitive == ir::Primitive::cast || primitive == ir::Primitive::bitcast) attributes.set("dtype", term.dtype);
  if (primitive == ir::Primitive::compare) {
    attributes.set("direction", std::string(ir::ops::comparison_name(term.value)));
  }
  return apply(term.function->name, std::move(args), std::move(attributes));
}

Value KernelWriter::clamp_offset(Value offset, Value buffer) {
  const std::int64_t last = std::max<std::int64_t>(buffer.type().element_count() - 1, 0);
  const Value bounded = builder_.apply("min", {offset, constant_index(last)});
  return builder_.apply("max", {bounded, constant_index(0)});
}

Value KernelWriter::emit_access(const Term& term) {
  if (const auto defined = defined_accesses_.find(static_cast<int>(term.value)); defined != defined_accesses_.end()) {
    return defined->second;
  }
  const Value buffer = builder_.wrap(buffers_[static_cast<std::size_t>(term.value)]);
  const TermId offset = term.args[0];
  const auto range = pool_.range(offset);
  const bool safe = !is_guarded_ || (range && range->low >= 0 && range->high < buffer.type().element_count());
  if (!varies_by_lane(offset)) {
    Value at = index(offset);
    if (!safe) at = clamp_offset(at, buffer);
    return apply("load", {buffer, at});
  }
  const TermId lane = pool_.index(lane_variable_);
  const std::int64_t stride = pool_.affine(offset).coefficient(lane);
  const TermId rest = pool_.subtract(offset, pool_.scale(lane, stride));
  Value at;
  if (!varies_by_lane(rest)) {
    // Offset of lane 0; the other lanes follow at a constant stride.
    at = apply("affine", {index(rest), binding(lane_variable_).index}, {{"coefficients", ir::Integers{1, stride}}});
    if (stride != 1 || (!safe && !guard_mask_.valid())) {
      at = apply("affine", {at, lane_numbers()}, {{"coefficients", ir::Integers{1, stride}}});
    }
  } else {
    at = index(offset);
  }
  if (!safe && !guard_mask_.valid()) {
    at = builder_.apply("min", {at, splat(constant_index(buffer.type().element_count() - 1))});
    at = builder_.apply("max", {at, splat(constant_index(0))});
  }
  std::vector<Value> operands{buffer, at};
  Value mask = lane_mask_;
  if (!safe && guard_mask_.valid()) mask = logical_and(mask, splat(guard_mask_));
  if (mask.valid()) operands.push_back(mask);
  return apply("load", std::move(operands), {{"lanes", std::int64_t{lanes_}}});
}

Value KernelWriter::logical_and(Value a, Value b) {
  if (!a.valid()) return b;
  if (!b.valid()) return a;
  if (a.rank() != b.rank()) {
    a = splat(a);
    b = splat(b);
  }
  return builder_.apply("and", {a, b});
}

Value KernelWriter::guarded(TermId term, Value mask) {
  const Restore mask_guard(guard_mask_);
  const Restore flag_guard(is_guarded_);
  guard_mask_ = logical_and(guard_mask_, mask);
  is_guarded_ = true;
  return element(term);
}

Value KernelWriter::emit_choice(const Term& term) {
  Value condition = emit_guard(term.args[0]);
  Value then = guarded(term.args[1], condition);
  Value otherwise = guarded(term.args[2], builder_.apply("not", {condition}));
  if (condition.rank() == 1 || then.rank() == 1 || otherwise.rank() == 1) {
    condition = splat(condition);
    then = splat(then);
    otherwise = splat(otherwise);
  }
  return builder_.select(condition, then, otherwise);
}

void KernelWriter::store(TermId term, ValueId buffer, TermId offset, bool streaming) {
  Value value = element(term);
  place();
  if (!varies_by_lane(offset)) {
    builder_.apply_all("store", std::vector{value, builder_.wrap(buffer), index(offset)});
    return;
  }
  value = splat(value);
  const TermId lane = pool_.index(lane_variable_);
  const std::int64_t stride = pool_.affine(offset).coefficient(lane);
  const TermId rest = pool_.subtract(offset, pool_.scale(lane, stride));
  Value at;
  if (stride == 1 && !varies_by_lane(rest)) {
    at = apply("affine", {index(rest), binding(lane_variable_).index}, {{"coefficients", ir::Integers{1, 1}}});
  } else {
    at = index(offset);
  }
  std::vector<Value> operands{value, builder_.wrap(buffer), at};
  const Value mask = logical_and(lane_mask_, store_mask_.valid() ? splat(store_mask_) : Value{});
  if (mask.valid()) operands.push_back(mask);
  builder_.apply_all("store", operands, {{"streaming", streaming}});
}

}  // namespace hyperion::codegen

// Reductions, folds, indices and guards of KernelWriter.
#include <algorithm>
#include <bit>

#include "codegen/lower/kernel_writer.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::codegen {

using ir::Term;
using ir::TermId;
using ir::TermKind;
using ir::Value;
using ir::VariableId;

// ---- reductions and folds -------------------------------------------------------------------------------------

std::vector<Value> KernelWriter::nest(std::span<const TermId> extents, VariableId first,
                                      std::vector<Value> initial, const Body& body) {
  std::vector<Value> bounds;
  for (TermId extent : extents) bounds.push_back(index(extent));
  std::vector<Value> state = std::move(initial);
  for (std::size_t k = 0; k < extents.size(); ++k) {
    const Value at = open_loop(constant_index(0), bounds[k], 1, state);
    bind(VariableId{first.index + static_cast<std::uint32_t>(k)}, at);
    for (std::size_t c = 0; c < state.size(); ++c) state[c] = carried(static_cast<int>(c));
  }
  state = body(state);
  for (std::size_t k = 0; k < extents.size(); ++k) state = close_loop(state);
  return state;
}

Value identity_of(ir::Builder& builder, const Term& reduce, Type type) {
  const std::uint64_t bits = ir::identity_bits(reduce.monoid, reduce.dtype);
  return builder.constant(
      Literal::splat(type, std::span(reinterpret_cast<const std::byte*>(&bits), byte_size(reduce.dtype))));
}

Value KernelWriter::emit_reduce(const Term& term) {
  if (term.order == ir::Order::lanes) {
    return result_varies_by_lane(term) ? emit_unrolled_lanes(term) : emit_lane_reduce(term);
  }
  const bool vector = result_varies_by_lane(term);
  const Type type = vector ? Type(term.dtype, {Dim(lanes_)}) : Type::scalar(term.dtype);
  const std::string_view combine = ir::combine_op(term.monoid).name;
  return nest(term.extents(), term.variable, {identity_of(builder_, term, type)}, [&](std::span<const Value> state) {
    Value next = element(term.body());
    if (vector) next = splat(next);
    return std::vector{apply(combine, {state[0], next})};
  })[0];
}

int KernelWriter::reduction_lanes(std::int64_t length) const {
  const auto least = static_cast<std::uint64_t>(std::max<std::int64_t>(length, 1));
  if (reduction_unit_ == 0) return static_cast<int>(std::min<std::uint64_t>(ir::kReductionLanes, std::bit_ceil(least)));
  const auto unit = static_cast<std::uint64_t>(reduction_unit_);
  return static_cast<int>(std::min<std::uint64_t>(static_cast<std::uint64_t>(most_reduction_lanes_), (least + unit - 1) / unit * unit));
}

// Order::lanes along a vector: partial result l lives in lane l.
Value KernelWriter::emit_lane_reduce(const Term& term) {
  const std::span<const TermId> extents = term.extents();
  if (row_variable_.valid() && term.variable_count == 1 && term.variable == row_variable_) {
    Value row = splat(element(term.body()));
    if (lane_mask_.valid()) row = builder_.select(lane_mask_, row, identity_of(builder_, term, row.type()));
    return combine_lanes(term, row);
  }
  const std::int64_t last = pool_[extents.back()].value;
  const int lanes = reduction_lanes(last);
  const Type type(term.dtype, {Dim(lanes)});
  const std::string_view combine = ir::combine_op(term.monoid).name;
  const VariableId innermost{term.variable.index + static_cast<std::uint32_t>(extents.size() - 1)};
  const auto along_lanes = [&](std::span<const Value> state) {
    const Value end = constant_index(last);
    return for_lanes(innermost, constant_index(0), end, last, lanes, {state.begin(), state.end()},
                     [&](std::span<const Value> partial) {
                       Value next = splat(element(term.body()));
                       Value combined = apply(combine, {partial[0], next});
                       if (lane_mask_.valid()) combined = builder_.select(lane_mask_, combined, partial[0]);
                       return std::vector{combined};
                     });
  };
  const Value partials = nest(extents.first(extents.size() - 1), term.variable,
                              {identity_of(builder_, term, type)}, along_lanes)[0];
  kept_terms_are_complete();
  return combine_lanes(term, partials);
}

Value KernelWriter::combine_lanes(const Term& term, Value partials) {
  return apply("reduce", {partials},
               {{"kind", std::string(ir::monoid_name(term.monoid))},
                {"axes", ir::Integers{0}},
                {"order", std::string(reduction_unit_ == 0 ? "lanes" : "any")}});
}

// Order::lanes when the lanes of the vector are taken by the results: few enough partial results, each in its own
// register. Partial results that hold the identity change nothing, so only those that exist take part.
Value KernelWriter::emit_unrolled_lanes(const Term& term) {
  const std::span<const TermId> extents = term.extents();
  const std::int64_t last = pool_[extents.back()].value;
  HYP_CHECK(last <= ir::kReductionLanes, "a long lane reduction varies by lane; the schedule must not allow it");
  const Type type(term.dtype, {Dim(lanes_)});
  const std::string_view combine = ir::combine_op(term.monoid).name;
  const VariableId innermost{term.variable.index + static_cast<std::uint32_t>(extents.size() - 1)};
  const TermId lane_index = pool_.index(innermost);
  std::vector<Value> partials(static_cast<std::size_t>(last), identity_of(builder_, term, type));
  if (partials.empty()) return identity_of(builder_, term, type);
  partials = nest(extents.first(extents.size() - 1), term.variable, partials, [&](std::span<const Value> state) {
    std::vector<Value> next(state.begin(), state.end());
    for (std::int64_t l = 0; l < last; ++l) {
      const TermId body = pool_.substitute(
          term.body(), {.variable = [&](VariableId v) -> std::optional<TermId> {
                          if (pool_.index(v) == lane_index) return pool_.index(Dim(l));
                          return std::nullopt;
                        },
                        .access = {}});
      Value& partial = next[static_cast<std::size_t>(l)];
      partial = apply(combine, {partial, splat(element(body))});
    }
    return next;
  });
  for (std::size_t step = std::bit_ceil(partials.size()) / 2; step > 0; step /= 2) {
    for (std::size_t l = 0; l + step < partials.size() && l < step; ++l) {
      partials[l] = apply(combine, {partials[l], partials[l + step]});
    }
  }
  return partials[0];
}

Value KernelWriter::emit_fold(const Term& term) {
  const bool vector = result_varies_by_lane(term);
  std::vector<Value> initial;
  for (TermId init : term.inits()) {
    const Value value = element(init);
    initial.push_back(vector ? splat(value) : value);
  }
  const std::vector<Value> results =
      nest(term.extents(), term.variable, std::move(initial), [&](std::span<const Value> state) {
        // States are read inside the innermost loop, so that is where they are bound.
        bindings_[state_variable(term.variable)] = {.index = {}, .level = scopes_.size() - 1, .is_vector_state = vector};
        for (std::size_t c = 0; c < state.size(); ++c) states_[{term.variable, static_cast<int>(c)}] = state[c];
        std::vector<Value> next;
        for (TermId body : term.bodies()) {
          const Value value = element(body);
          next.push_back(vector ? splat(value) : value);
        }
        return next;
      });
  return results[static_cast<std::size_t>(term.value)];
}

// ---- indices --------------------------------------------------------------------------------------------------

Value KernelWriter::index(TermId term) {
  return at_level(level(term), term, [&] { return emit_index(term); });
}

Value KernelWriter::emit_index(TermId id) {
  const Term term = pool_[id];
  switch (term.kind) {
    case TermKind::index_constant: return constant_index(term.value);
    case TermKind::index_variable: {
      const Binding& bound = binding(term.variable);
      if (bound.lanes == 0) return bound.index;
      return apply("affine", {bound.index, lane_numbers()}, {{"coefficients", ir::Integers{1, 1}}});
    }
    case TermKind::index_sum:
    case TermKind::index_scaled: return emit_index_sum(id);
    case TermKind::index_divide:
    case TermKind::index_modulo: return emit_division(term);
    case TermKind::index_of: return builder_.cast(element(term.args[0]), DType::i64);
    default: break;
  }
  HYP_CHECK(false, "an element or a symbolic size stands where an index should");
}

// Parts bound in outer scopes are summed there, so that a loop adds only what changes in it.
Value KernelWriter::emit_index_sum(TermId id) {
  const ir::TermPool::Affine sum = pool_.affine(id);
  const std::size_t deepest = level(id);
  TermId outer = pool_.index(Dim(sum.constant));
  std::vector<Value> operands;
  ir::Integers coefficients;
  for (const auto& [atom, coefficient] : sum.parts) {
    if (level(atom) < deepest) {
      outer = pool_.add(outer, pool_.scale(atom, coefficient));
    } else {
      operands.push_back(index(atom));
      coefficients.push_back(coefficient);
    }
  }
  std::int64_t constant = 0;
  if (pool_[outer].kind == TermKind::index_constant) {
    constant = pool_[outer].value;
  } else {
    operands.push_back(index(outer));
    coefficients.push_back(1);
  }
  return apply("affine", std::move(operands), {{"coefficients", std::move(coefficients)}, {"constant", constant}});
}

// Floor division and modulo of a possibly negative index by a positive number.
Value KernelWriter::emit_division(const Term& term) {
  const Value x = index(term.args[0]);
  const auto number = [&](std::int64_t value) {
    const Value scalar = constant_index(value);
    return x.rank() == 1 ? splat(scalar) : scalar;
  };
  const bool is_divide = term.kind == TermKind::index_divide;
  if (std::has_single_bit(static_cast<std::uint64_t>(term.value))) {
    if (!is_divide) return builder_.apply("and", {x, number(term.value - 1)});
    return builder_.apply("shr", {x, number(std::countr_zero(static_cast<std::uint64_t>(term.value)))});
  }
  const Value divisor = number(term.value);
  const auto range = pool_.range(term.args[0]);
  if (range && range->low >= 0) return builder_.apply(is_divide ? "div" : "rem", {x, divisor});
  const Value rest = builder_.apply("rem", {x, divisor});
  const Value negative = builder_.compare(rest, number(0), "lt");
  const Value modulo = builder_.select(negative, builder_.apply("add", {rest, divisor}), rest);
  if (!is_divide) return modulo;
  return builder_.apply("div", {builder_.apply("sub", {x, modulo}), divisor});
}

Value KernelWriter::emit_guard(TermId id) {
  const Term term = pool_[id];
  const auto against_zero = [&](TermId index_term, std::string_view direction) {
    const Value x = index(index_term);
    const Value zero = x.rank() == 1 ? splat(constant_index(0)) : constant_index(0);
    return builder_.compare(x, zero, direction);
  };
  switch (term.kind) {
    case TermKind::guard_non_negative: return against_zero(term.args[0], "ge");
    case TermKind::guard_zero: return against_zero(term.args[0], "eq");
    case TermKind::guard_divides: return against_zero(pool_.modulo(term.args[0], term.value), "eq");
    case TermKind::guard_not: return builder_.apply("not", {emit_guard(term.args[0])});
    case TermKind::guard_and: {
      Value all = emit_guard(term.args[0]);
      for (std::size_t k = 1; k < term.args.size(); ++k) all = logical_and(all, emit_guard(term.args[k]));
      return all;
    }
    default: break;
  }
  HYP_CHECK(false, "not a guard");
}

}  // namespace hyperion::codegen

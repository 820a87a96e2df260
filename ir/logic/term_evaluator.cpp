#include "ir/logic/term_evaluator.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <unordered_map>

#include "ir/op_definition.hpp"
#include "ir/primitive_semantics.hpp"

namespace hyperion::ir {
namespace {

struct Operand {
  const std::byte* data;
  std::size_t element_size;
  std::vector<std::int64_t> sizes;
  bool is_splat;
};

// One term, prepared: arguments by number, and the loop on which its value depends most closely.
struct Node {
  const Term* term;
  std::vector<int> args;
  const ScalarProgram* program = nullptr;  // scalar functions, and the combiner of a reduction
  int level = 0;                           // 0: no variables; 1: variables of the result; then loops by nesting
  std::uint64_t stamp = 0;                 // equals the level's epoch while `value` holds
  std::uint64_t value = 0;
};

class Evaluator {
 public:
  Evaluator(const TermPool& pool, const Lambda& lambda, std::span<const LiteralPtr> operands) : pool_(pool) {
    for (const LiteralPtr& literal : operands) {
      operands_.push_back({literal->stored_bytes().data(), byte_size(literal->type().dtype()),
                           literal->type().sizes(), literal->is_splat()});
    }
    for (VariableId variable : lambda.variables) bind(variable, variable, 1);
    root_ = prepare(lambda.body, 1).number;
  }

  std::uint64_t at(const Lambda& lambda, std::span<const std::int64_t> position) {
    for (std::size_t k = 0; k < position.size(); ++k) variables_[lambda.variables[k].index].value = position[k];
    advance(1);
    return value(root_);
  }

 private:
  struct Variable {
    std::uint32_t binder = 0;  // the first variable of the loop that binds it
    int level = 0;             // 0: not bound
    std::int64_t value = 0;
    const std::vector<std::uint64_t>* states = nullptr;  // of a binder that is a fold
  };
  // A prepared term: its number, and the loops that its free variables belong to.
  struct Prepared {
    int number;
    std::vector<std::uint32_t> binders;  // sorted
  };

  void bind(VariableId variable, VariableId binder, int level) {
    if (variable.index >= variables_.size()) variables_.resize(variable.index + 1);
    variables_[variable.index] = {.binder = binder.index, .level = level};
    if (static_cast<std::size_t>(level) >= epochs_.size()) epochs_.resize(static_cast<std::size_t>(level) + 1, 1);
  }
  void advance(int level) { epochs_[static_cast<std::size_t>(level)] = ++clock_; }

  // ---- preparation ----

  const Prepared& prepare(TermId id, int depth) {
    const auto found = prepared_.find(id);
    if (found != prepared_.end()) return found->second;
    const Term& term = pool_[id];
    Node node{.term = &term, .args = {}};
    const bool binds = term.kind == TermKind::reduce || term.kind == TermKind::fold;
    if (binds) {
      for (std::uint32_t k = 0; k < term.variable_count; ++k) {
        bind(VariableId{term.variable.index + k}, term.variable, depth + 1);
      }
    }
    std::vector<std::uint32_t> binders;
    std::vector<DType> dtypes;
    for (TermId arg : term.args) {
      const Prepared& part = prepare(arg, binds ? depth + 1 : depth);
      node.args.push_back(part.number);
      binders.insert(binders.end(), part.binders.begin(), part.binders.end());
      dtypes.push_back(pool_[arg].dtype);
    }
    if (term.kind == TermKind::index_variable || term.kind == TermKind::state) {
      const bool is_bound = term.variable.index < variables_.size() && variables_[term.variable.index].level > 0;
      HYP_CHECK(is_bound, "a term has a variable that nothing binds");
      binders.push_back(variables_[term.variable.index].binder);
    }
    if (binds) std::erase(binders, term.variable.index);
    std::ranges::sort(binders);
    binders.erase(std::ranges::unique(binders).begin(), binders.end());
    for (std::uint32_t binder : binders) node.level = std::max(node.level, variables_[binder].level);
    if (term.kind == TermKind::scalar) {
      node.program = &scalar_program(*term.function, dtypes, term.dtype, term.value);
    } else if (term.kind == TermKind::reduce) {
      node.program = &scalar_program(combine_op(term.monoid), std::array{term.dtype, term.dtype}, term.dtype);
    }
    if (node.program != nullptr) registers_.resize(std::max(registers_.size(), register_count(*node.program)));
    nodes_.push_back(std::move(node));
    return prepared_[id] = {static_cast<int>(nodes_.size()) - 1, std::move(binders)};
  }

  // ---- evaluation: elements are bits, indices are whole numbers, guards are 0 or 1 ----

  std::uint64_t value(int number) {
    Node& node = nodes_[static_cast<std::size_t>(number)];
    const std::uint64_t epoch = epochs_[static_cast<std::size_t>(node.level)];
    if (node.stamp == epoch) return node.value;
    node.value = compute(node);
    node.stamp = epoch;
    return node.value;
  }
  std::int64_t index(int number) { return static_cast<std::int64_t>(value(number)); }

  std::uint64_t compute(const Node& node) {
    const Term& term = *node.term;
    const auto of_index = [](std::int64_t i) { return static_cast<std::uint64_t>(i); };
    switch (term.kind) {
      case TermKind::index_constant:
      case TermKind::literal: return of_index(term.value);
      case TermKind::index_dim: check_failed("static", "a symbolic dimension in a term", __FILE__, __LINE__);
      case TermKind::index_variable: return of_index(variables_[term.variable.index].value);
      // Indices from memory may be any number: sums and products wrap, as those of a kernel do.
      case TermKind::index_sum: {
        std::uint64_t sum = 0;
        for (int arg : node.args) sum += value(arg);
        return sum;
      }
      case TermKind::index_scaled: return of_index(term.value) * value(node.args[0]);
      case TermKind::index_divide: return of_index(floor_divide(index(node.args[0]), term.value));
      case TermKind::index_modulo: return of_index(modulo(index(node.args[0]), term.value));
      case TermKind::index_of: return integer_of(node.args[0]);
      case TermKind::guard_non_negative: return index(node.args[0]) >= 0;
      case TermKind::guard_zero: return index(node.args[0]) == 0;
      case TermKind::guard_divides: return modulo(index(node.args[0]), term.value) == 0;
      case TermKind::guard_and: return std::ranges::all_of(node.args, [&](int arg) { return value(arg) != 0; });
      case TermKind::guard_not: return value(node.args[0]) == 0;
      case TermKind::access: return load(node);
      case TermKind::from_index: {
        std::uint64_t bits = 0;
        element_from_integer(term.dtype, index(node.args[0]), reinterpret_cast<std::byte*>(&bits));
        return bits;
      }
      case TermKind::scalar: return apply(node);
      case TermKind::ite: return value(node.args[value(node.args[0]) != 0 ? 1 : 2]);
      case TermKind::reduce: return term.order == Order::lanes ? reduce_lanes(node) : reduce_ascending(node);
      case TermKind::fold: return fold(node);
      case TermKind::state:
        return (*variables_[term.variable.index].states)[static_cast<std::size_t>(term.value)];
    }
    return 0;
  }

  static std::int64_t modulo(std::int64_t a, std::int64_t b) { return (a % b + b) % b; }
  static std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return (a - modulo(a, b)) / b; }

  std::uint64_t integer_of(int number) {
    const std::uint64_t bits = value(number);
    const DType dtype = nodes_[static_cast<std::size_t>(number)].term->dtype;
    return static_cast<std::uint64_t>(element_to_integer(dtype, reinterpret_cast<const std::byte*>(&bits)));
  }

  std::uint64_t load(const Node& node) {
    const Operand& operand = operands_[static_cast<std::size_t>(node.term->value)];
    HYP_CHECK(node.args.size() == operand.sizes.size(), "an access does not have the rank of its operand");
    std::int64_t position = 0;
    for (std::size_t axis = 0; axis < node.args.size(); ++axis) {
      const std::int64_t i = index(node.args[axis]);
      HYP_CHECK(i >= 0 && i < operand.sizes[axis], "an access lies outside its operand");
      position = position * operand.sizes[axis] + i;
    }
    if (operand.is_splat) position = 0;
    std::uint64_t bits = 0;
    std::memcpy(&bits, operand.data + static_cast<std::size_t>(position) * operand.element_size, operand.element_size);
    return bits;
  }

  // Arguments first, registers after: evaluating an argument uses the registers too.
  std::uint64_t apply(const Node& node) {
    std::array<std::uint64_t, 8> args{};
    HYP_CHECK(node.args.size() <= args.size(), "a scalar function of more than eight arguments");
    for (std::size_t k = 0; k < node.args.size(); ++k) args[k] = value(node.args[k]);
    std::ranges::copy_n(args.begin(), static_cast<std::ptrdiff_t>(node.args.size()), registers_.begin());
    return evaluate_program(*node.program, registers_);
  }

  std::uint64_t combine(const Node& node, std::uint64_t a, std::uint64_t b) {
    registers_[0] = a;
    registers_[1] = b;
    return evaluate_program(*node.program, registers_);
  }

  // Runs `body` for all values of the node's variables in lexicographic order.
  template <class Body>
  void loop(const Node& node, Body body) {
    const Term& term = *node.term;
    std::array<std::int64_t, 2 * kMaxRank> extents{};
    const std::size_t count = term.variable_count;
    HYP_CHECK(count <= extents.size(), "a loop over too many variables");
    std::array<Variable*, 2 * kMaxRank> variables{};
    for (std::size_t k = 0; k < count; ++k) {
      extents[k] = index(node.args[k]);
      if (extents[k] <= 0) return;
      variables[k] = &variables_[term.variable.index + static_cast<std::uint32_t>(k)];
    }
    for (std::size_t k = 0; k < count; ++k) variables[k]->value = 0;
    while (true) {
      advance(variables[0]->level);
      body(variables[count - 1]->value);
      std::size_t axis = count;
      while (axis > 0 && ++variables[axis - 1]->value == extents[axis - 1]) variables[--axis]->value = 0;
      if (axis == 0) return;
    }
  }

  std::uint64_t reduce_ascending(const Node& node) {
    std::uint64_t total = identity_bits(node.term->monoid, node.term->dtype);
    loop(node, [&](std::int64_t) { total = combine(node, total, value(node.args.back())); });
    return total;
  }

  std::uint64_t reduce_lanes(const Node& node) {
    std::array<std::uint64_t, kReductionLanes> partial;
    partial.fill(identity_bits(node.term->monoid, node.term->dtype));
    loop(node, [&](std::int64_t last) {
      std::uint64_t& lane = partial[static_cast<std::size_t>(last % kReductionLanes)];
      lane = combine(node, lane, value(node.args.back()));
    });
    for (std::size_t half = kReductionLanes / 2; half > 0; half /= 2) {
      for (std::size_t lane = 0; lane < half; ++lane) {
        partial[lane] = combine(node, partial[lane], partial[lane + half]);
      }
    }
    return partial[0];
  }

  std::uint64_t fold(const Node& node) {
    const Term& term = *node.term;
    const std::span<const int> inits = std::span(node.args).subspan(term.variable_count, term.state_count);
    const std::span<const int> bodies = std::span(node.args).last(term.state_count);
    std::vector<std::uint64_t> states, next(term.state_count);
    for (int init : inits) states.push_back(value(init));
    Variable& binder = variables_[term.variable.index];
    loop(node, [&](std::int64_t) {
      binder.states = &states;
      for (std::size_t k = 0; k < next.size(); ++k) next[k] = value(bodies[k]);
      states.swap(next);
    });
    return states[static_cast<std::size_t>(term.value)];
  }

  const TermPool& pool_;
  std::vector<Operand> operands_;
  std::vector<Variable> variables_;  // by id
  std::unordered_map<TermId, Prepared> prepared_;
  std::vector<Node> nodes_;
  std::vector<std::uint64_t> epochs_ = {1, 1};
  std::uint64_t clock_ = 1;
  std::vector<std::uint64_t> registers_;
  int root_ = 0;
};

}  // namespace

LiteralPtr evaluate_lambda(const TermPool& pool, const Lambda& lambda, Type result,
                           std::span<const LiteralPtr> operands) {
  Evaluator evaluator(pool, lambda, operands);
  const std::size_t size = byte_size(result.dtype());
  std::vector<std::byte> bytes(result.bytes());
  const std::vector<std::int64_t> sizes = result.sizes();
  std::vector<std::int64_t> position(sizes.size(), 0);
  for (std::int64_t element = 0; element < result.element_count(); ++element) {
    const std::uint64_t bits = evaluator.at(lambda, position);
    std::memcpy(bytes.data() + static_cast<std::size_t>(element) * size, &bits, size);
    for (std::size_t axis = sizes.size(); axis > 0 && ++position[axis - 1] == sizes[axis - 1]; --axis) {
      position[axis - 1] = 0;
    }
  }
  return Literal::make(result, bytes);
}

}  // namespace hyperion::ir

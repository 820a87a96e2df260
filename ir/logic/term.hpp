// term.hpp: index notation as data. What every op means, and what every reader of a definition reads.
//
//   e ::= operand[ix, ...] | literal | f(e, ...) | element(ix) | ite(g, e, e)
//       | reduce[k<d, ...] e | fold[k<d, ...](s := e0; e1) | s
//   ix ::= n | i | ix + ix | n * ix | ix div n | ix mod n | index(e)
//   g ::= ix >= 0 | ix = 0 | n divides ix | g and g | not g
//
// The interpreter evaluates terms, the lowering composes and schedules them, the prover will unfold them: the very
// same nodes. Terms are hash-consed in a pool, so equal terms have equal ids and a term is a DAG; readers must not
// walk it as a tree. Bound variables are unique in their pool, so substitution captures nothing.
//
// Semantics, beyond the obvious:
//   reduce  starts from the monoid's identity. Order::ascending takes the variables in lexicographic order.
//           Order::lanes keeps 64 partial results, number l for the elements whose *last* variable is l mod 64, each
//           ascending; then combines p[l] with p[l + s] for s = 32, 16, ..., 1. A vector unit of any width up to 64
//           lanes gives the same bits.
//   fold    carries a tuple of states through the variables in lexicographic order; the node selects one component.
//   div,mod round towards minus infinity; the divisor is a positive number.
//   index(e) is the integer element e as an index. Definitions clamp it where an operand could be overrun.
//   ite     evaluates only the chosen branch, so a guarded access may be out of range when its guard is false.
//
// Index arithmetic is kept in a normal form (sums of number * atom), and div and mod are simplified where the ranges
// of variables allow, so that composed views have plain affine addresses.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/dtype.hpp"
#include "ir/support/ids.hpp"
#include "ir/type.hpp"

namespace hyperion::ir {

struct OpDefinition;

using TermId = Id<struct TermTag>;
using VariableId = Id<struct VariableTag>;

enum class TermKind : std::uint8_t {
  // indices
  index_constant,   // value
  index_dim,        // a symbolic dimension: value is Dim::raw()
  index_variable,   // variable
  index_sum,        // args
  index_scaled,     // value * args[0]
  index_divide,     // args[0] div value
  index_modulo,     // args[0] mod value
  index_of,         // args[0], an integer element
  // guards
  guard_non_negative,  // args[0] >= 0
  guard_zero,          // args[0] = 0
  guard_divides,       // value divides args[0]
  guard_and,           // args
  guard_not,           // args[0]
  // elements
  literal,     // value: the element's bits, zero-extended
  access,      // operand number `value` at args
  from_index,  // args[0] as an element
  scalar,      // function(args), an elementwise op; value: its immediate (the direction of a comparison)
  ite,         // args: guard, then, else
  reduce,      // args: extents, then body; variables from `variable`
  fold,        // args: extents, inits, bodies; value: the component; variables from `variable`
  state,       // component `value` of the fold whose first variable is `variable`
};

enum class Monoid : std::uint8_t { sum, product, maximum, minimum, all, any };
enum class Order : std::uint8_t { ascending, lanes };
inline constexpr int kReductionLanes = 64;  // part of the meaning of Order::lanes: changing it changes results

struct Term {
  TermKind kind = TermKind::index_constant;
  DType dtype = DType::i64;          // of elements; indices and guards leave it i64
  Monoid monoid = Monoid::sum;       // reduce
  Order order = Order::ascending;    // reduce
  std::uint8_t variable_count = 0;   // reduce, fold
  std::uint8_t state_count = 0;      // fold
  VariableId variable;               // index_variable, state; first of reduce, fold
  std::int64_t value = 0;
  const OpDefinition* function = nullptr;  // scalar
  std::vector<TermId> args;

  // Parts of a reduce or fold.
  std::span<const TermId> extents() const { return std::span(args).first(variable_count); }
  TermId body() const { return args.back(); }  // reduce
  std::span<const TermId> inits() const { return std::span(args).subspan(variable_count, state_count); }
  std::span<const TermId> bodies() const { return std::span(args).last(state_count); }

  friend bool operator==(const Term&, const Term&) = default;
};

// What one result of an op is: gen[i0 < d0, i1 < d1, ...] body.
struct Lambda {
  std::vector<VariableId> variables;  // one per result dimension
  TermId body;
};

class TermPool {
 public:
  TermPool();
  ~TermPool();
  TermPool(TermPool&&) noexcept;
  TermPool& operator=(TermPool&&) noexcept;

  const Term& operator[](TermId id) const;
  std::size_t size() const;

  // Variables. `extent` bounds the variable from above (exclusive); ranges come from it.
  VariableId variable(Dim extent);
  std::vector<VariableId> variables(std::span<const Dim> extents);  // with consecutive ids
  Dim extent(VariableId variable) const;

  // Indices. REQUIRES: divisors are positive.
  TermId index(Dim value);
  TermId index(VariableId variable);
  TermId add(TermId a, TermId b);
  TermId subtract(TermId a, TermId b);
  TermId scale(TermId a, std::int64_t factor);
  TermId divide(TermId a, std::int64_t divisor);
  TermId modulo(TermId a, std::int64_t divisor);
  TermId index_of(TermId element);

  // Guards; they fold when their answer is known from ranges (to a constant: guard_zero of 0 or of 1).
  TermId non_negative(TermId index);
  TermId less(TermId a, TermId b) { return non_negative(subtract(subtract(b, a), index(Dim(1)))); }
  TermId in_range(TermId index, Dim extent);  // 0 <= index < extent
  TermId is_zero(TermId index);
  TermId divides(std::int64_t divisor, TermId index);
  TermId both(TermId a, TermId b);
  TermId negate(TermId guard);
  TermId truth(bool value);
  std::optional<bool> known(TermId guard) const;

  // Elements.
  TermId literal(DType dtype, double value);
  TermId literal_integer(DType dtype, std::int64_t value);
  TermId literal_bits(DType dtype, std::uint64_t bits);
  TermId access(int operand, DType dtype, std::vector<TermId> indices);
  TermId from_index(TermId index, DType dtype);
  TermId scalar(const OpDefinition& function, DType result, std::vector<TermId> args,
                std::int64_t immediate = 0);
  TermId choose(TermId guard, TermId then, TermId otherwise);
  // REQUIRES: `variables` came from one call of variables().
  TermId reduce(Monoid monoid, Order order, std::span<const VariableId> variables, TermId body);
  TermId fold(std::span<const VariableId> variables, std::vector<TermId> inits,
              std::vector<TermId> bodies, int component);
  TermId state(VariableId first_variable, int component, DType dtype);

  // `term` with accesses and variables replaced. Unchanged parts keep their ids. Binders are not renamed: a variable
  // bound inside `term` must not be replaced.
  struct Substitution {
    std::function<std::optional<TermId>(VariableId)> variable;  // may be empty
    std::function<std::optional<TermId>(TermId access, std::span<const TermId> indices)> access;
    TermId from = {}, to = {};  // one term and what takes its place; none if invalid
  };
  TermId substitute(TermId term, const Substitution& substitution);

  // The smallest and largest value an index can take, when both are known.
  struct Range {
    std::int64_t low, high;  // inclusive
  };
  std::optional<Range> range(TermId index) const;

  // index == constant + sum of coefficient * variable (atoms that are not variables count as opaque terms).
  struct Affine {
    std::int64_t constant = 0;
    std::vector<std::pair<TermId, std::int64_t>> parts;  // atom, coefficient
    std::int64_t coefficient(TermId atom) const;
  };
  Affine affine(TermId index) const;

  // One line of index notation: "sum[k<784] x[i, k] * w[k, j]"; operands print by `operand_names`. For
  // people: what would print too long, because a DAG printed as a tree can, ends in "...".
  std::string text(TermId term, std::span<const std::string> operand_names = {}) const;

 private:
  TermId intern(Term term);
  TermId from_affine(Affine affine);
  void rejoin(Affine& affine);
  struct Implementation;
  std::unique_ptr<Implementation> impl_;
};

// The identity a reduction starts from, as bits of `dtype`: 0, 1, -inf (or lowest), inf (or highest), true, false.
std::uint64_t identity_bits(Monoid monoid, DType dtype);
// The elementwise op that combines two elements: add, mul, max, min, and, or.
const OpDefinition& combine_op(Monoid monoid);
std::string_view monoid_name(Monoid monoid);  // as the attribute of `reduce` spells it: "sum", "prod", "max", ...
std::optional<Monoid> parse_monoid(std::string_view name);

}  // namespace hyperion::ir

#include "ir/logic/term.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "ir/op_definition.hpp"
#include "ir/support/format.hpp"
#include "ir/support/hash.hpp"

namespace hyperion::ir {
namespace {

struct TermHash {
  std::size_t operator()(const Term& t) const {
    std::uint64_t h = hash_combine(static_cast<std::uint64_t>(t.kind) << 32 |
                                       static_cast<std::uint64_t>(t.dtype) << 24 |
                                       static_cast<std::uint64_t>(t.monoid) << 16 |
                                       static_cast<std::uint64_t>(t.order) << 8 | t.state_count,
                                   static_cast<std::uint64_t>(t.value));
    h = hash_combine(h, std::uint64_t{t.variable.index} << 8 | t.variable_count);
    if (t.function != nullptr) h = hash_combine(h, hash_text(t.function->name).low);
    for (TermId arg : t.args) h = hash_combine(h, arg.index);
    return h;
  }
};

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

}  // namespace

struct TermPool::Implementation {
  Store<TermId, Term> terms;
  std::unordered_map<Term, TermId, TermHash> index;
  std::vector<Dim> extents;  // by variable
};

TermPool::TermPool() : impl_(std::make_unique<Implementation>()) {}
TermPool::~TermPool() = default;
TermPool::TermPool(TermPool&&) noexcept = default;
TermPool& TermPool::operator=(TermPool&&) noexcept = default;

const Term& TermPool::operator[](TermId id) const { return impl_->terms[id]; }
std::size_t TermPool::size() const { return impl_->terms.size(); }

TermId TermPool::intern(Term term) {
  const auto found = impl_->index.find(term);
  if (found != impl_->index.end()) return found->second;
  const TermId id = impl_->terms.add(term);
  impl_->index.emplace(std::move(term), id);
  return id;
}

// ---- variables ------------------------------------------------------------------------------------------------

VariableId TermPool::variable(Dim extent) {
  impl_->extents.push_back(extent);
  return VariableId{static_cast<std::uint32_t>(impl_->extents.size() - 1)};
}

std::vector<VariableId> TermPool::variables(std::span<const Dim> extents) {
  std::vector<VariableId> out;
  for (Dim extent : extents) out.push_back(variable(extent));
  return out;
}

Dim TermPool::extent(VariableId variable) const { return impl_->extents[variable.index]; }

// ---- indices --------------------------------------------------------------------------------------------------

TermId TermPool::index(Dim value) {
  if (value.is_static()) {
    return intern({.kind = TermKind::index_constant, .value = value.value(), .args = {}});
  }
  return intern({.kind = TermKind::index_dim, .value = value.raw(), .args = {}});
}

TermId TermPool::index(VariableId variable) {
  if (extent(variable) == Dim(1)) return index(Dim(0));
  return intern({.kind = TermKind::index_variable, .variable = variable, .args = {}});
}

TermPool::Affine TermPool::affine(TermId id) const {
  const Term& term = (*this)[id];
  switch (term.kind) {
    case TermKind::index_constant: return {term.value, {}};
    case TermKind::index_scaled: return {0, {{term.args[0], term.value}}};
    case TermKind::index_sum: {
      Affine sum;
      for (TermId arg : term.args) {
        const Affine part = affine(arg);  // a sum never holds a sum, so this is one level deep
        sum.constant += part.constant;
        sum.parts.insert(sum.parts.end(), part.parts.begin(), part.parts.end());
      }
      return sum;
    }
    default: return {0, {{id, 1}}};
  }
}

std::int64_t TermPool::Affine::coefficient(TermId atom) const {
  for (const auto& [part, coefficient] : parts) {
    if (part == atom) return coefficient;
  }
  return 0;
}

// (x div d) * (d * c) + (x mod d) * c = x * c: an index that was split and put together again is whole again.
void TermPool::rejoin(Affine& affine) {
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [atom, coefficient] : affine.parts) {
      const Term& rest = (*this)[atom];
      if (rest.kind != TermKind::index_modulo || coefficient == 0) continue;
      const std::int64_t divisor = rest.value;
      const TermId whole = rest.args[0];
      // Through divide(), since the quotient may have been simplified; only an exact atom of the sum counts.
      const TermId quotient = divide(whole, divisor);
      const std::int64_t wanted = coefficient * divisor;
      const auto found = std::ranges::find(affine.parts, std::pair(quotient, wanted));
      if (found == affine.parts.end()) continue;
      const std::int64_t factor = coefficient;
      const TermId used = atom;
      std::erase_if(affine.parts, [&](const auto& p) { return p.first == used || p.first == quotient; });
      const Affine joined = this->affine(whole);
      affine.constant += joined.constant * factor;
      for (const auto& [part, c] : joined.parts) {
        const auto same = std::ranges::find(affine.parts, part, [](const auto& p) { return p.first; });
        if (same != affine.parts.end()) same->second += c * factor;
        else affine.parts.emplace_back(part, c * factor);
      }
      changed = true;
      break;
    }
  }
}

// Atoms in the order of their ids: building the same definition twice gives the same ids, so the order is stable.
TermId TermPool::from_affine(Affine affine) {
  rejoin(affine);
  std::ranges::sort(affine.parts);
  std::vector<TermId> args;
  for (const auto& [atom, coefficient] : affine.parts) {
    if (coefficient == 0) continue;
    args.push_back(coefficient == 1 ? atom
                                    : intern({.kind = TermKind::index_scaled,
                                              .value = coefficient,
                                              .args = {atom}}));
  }
  if (affine.constant != 0 || args.empty()) args.push_back(index(Dim(affine.constant)));
  if (args.size() == 1) return args[0];
  return intern({.kind = TermKind::index_sum, .args = std::move(args)});
}

TermId TermPool::add(TermId a, TermId b) {
  Affine sum = affine(a);
  const Affine other = affine(b);
  sum.constant += other.constant;
  for (const auto& [atom, coefficient] : other.parts) {
    const auto found = std::ranges::find(sum.parts, atom, [](const auto& p) { return p.first; });
    if (found != sum.parts.end()) found->second += coefficient;
    else sum.parts.emplace_back(atom, coefficient);
  }
  return from_affine(std::move(sum));
}

TermId TermPool::subtract(TermId a, TermId b) { return add(a, scale(b, -1)); }

TermId TermPool::scale(TermId a, std::int64_t factor) {
  Affine product = affine(a);
  product.constant *= factor;
  for (auto& [atom, coefficient] : product.parts) coefficient *= factor;
  return from_affine(std::move(product));
}

std::optional<TermPool::Range> TermPool::range(TermId id) const {
  const Term& term = (*this)[id];
  switch (term.kind) {
    case TermKind::index_constant: return Range{term.value, term.value};
    case TermKind::index_variable: {
      const Dim bound = extent(term.variable);
      if (!bound.is_static()) return std::nullopt;
      return Range{0, std::max<std::int64_t>(bound.value() - 1, 0)};
    }
    case TermKind::index_scaled: {
      const std::optional<Range> inner = range(term.args[0]);
      if (!inner) return std::nullopt;
      const std::int64_t a = inner->low * term.value, b = inner->high * term.value;
      return Range{std::min(a, b), std::max(a, b)};
    }
    case TermKind::index_sum: {
      Range sum{0, 0};
      for (TermId arg : term.args) {
        const std::optional<Range> part = range(arg);
        if (!part) return std::nullopt;
        sum = {sum.low + part->low, sum.high + part->high};
      }
      return sum;
    }
    case TermKind::index_divide: {
      const std::optional<Range> inner = range(term.args[0]);
      if (!inner) return std::nullopt;
      return Range{floor_divide(inner->low, term.value), floor_divide(inner->high, term.value)};
    }
    case TermKind::index_modulo: return Range{0, term.value - 1};
    default: return std::nullopt;
  }
}

// Splits index = divisor * quotient + rest, moving whole multiples of the divisor into the quotient.
// (d*q + r) div d = q + r div d, for any r; and r div d = 0 when 0 <= r < d.
TermId TermPool::divide(TermId a, std::int64_t divisor) {
  HYP_CHECK(divisor > 0, "index division by a number that is not positive");
  if (divisor == 1) return a;
  Affine quotient, rest;
  const Affine whole = affine(a);
  quotient.constant = floor_divide(whole.constant, divisor);
  rest.constant = whole.constant - quotient.constant * divisor;
  for (const auto& [atom, coefficient] : whole.parts) {
    (coefficient % divisor == 0 ? quotient : rest)
        .parts.emplace_back(atom, coefficient % divisor == 0 ? coefficient / divisor : coefficient);
  }
  const TermId remainder = from_affine(rest);
  const TermId multiple = from_affine(quotient);
  const std::optional<Range> bounds = range(remainder);
  if (bounds && floor_divide(bounds->low, divisor) == floor_divide(bounds->high, divisor)) {
    return add(multiple, index(Dim(floor_divide(bounds->low, divisor))));
  }
  // (x div a) div b = x div (a*b)
  const Term& inner = (*this)[remainder];
  if (inner.kind == TermKind::index_divide) {
    const TermId nested = inner.args[0];
    const std::int64_t factor = inner.value;
    return add(multiple, divide(nested, factor * divisor));
  }
  // A common factor of divisor and every coefficient cancels: (6*i + 4) div 8 = (3*i + 2) div 4.
  std::int64_t common = divisor;
  for (const auto& part : rest.parts) common = std::gcd(common, part.second);
  if (common > 1) {
    Affine reduced;
    reduced.constant = floor_divide(rest.constant, common);
    for (const auto& [atom, coefficient] : rest.parts) reduced.parts.emplace_back(atom, coefficient / common);
    return add(multiple, divide(from_affine(reduced), divisor / common));
  }
  return add(multiple, intern({.kind = TermKind::index_divide, .value = divisor, .args = {remainder}}));
}

TermId TermPool::modulo(TermId a, std::int64_t divisor) {
  HYP_CHECK(divisor > 0, "index modulo by a number that is not positive");
  if (divisor == 1) return index(Dim(0));
  Affine rest;
  const Affine whole = affine(a);
  rest.constant = whole.constant - floor_divide(whole.constant, divisor) * divisor;
  for (const auto& [atom, coefficient] : whole.parts) {
    if (coefficient % divisor != 0) rest.parts.emplace_back(atom, coefficient);
  }
  const TermId remainder = from_affine(rest);
  const std::optional<Range> bounds = range(remainder);
  if (bounds && floor_divide(bounds->low, divisor) == floor_divide(bounds->high, divisor)) {
    return add(remainder, index(Dim(-floor_divide(bounds->low, divisor) * divisor)));
  }
  const Term& inner = (*this)[remainder];
  if (inner.kind == TermKind::index_modulo && inner.value % divisor == 0) {
    return modulo(inner.args[0], divisor);
  }
  return intern({.kind = TermKind::index_modulo, .value = divisor, .args = {remainder}});
}

TermId TermPool::index_of(TermId element) {
  const Term& term = (*this)[element];
  if (term.kind == TermKind::from_index) return term.args[0];
  return intern({.kind = TermKind::index_of, .args = {element}});
}

// ---- guards ---------------------------------------------------------------------------------------------------

TermId TermPool::truth(bool value) {
  return intern({.kind = TermKind::guard_zero, .args = {index(Dim(value ? 0 : 1))}});
}

std::optional<bool> TermPool::known(TermId guard) const {
  const Term& term = (*this)[guard];
  if (term.kind != TermKind::guard_zero) return std::nullopt;
  const Term& argument = (*this)[term.args[0]];
  if (argument.kind != TermKind::index_constant) return std::nullopt;
  return argument.value == 0;
}

TermId TermPool::non_negative(TermId id) {
  if (const std::optional<Range> bounds = range(id)) {
    if (bounds->low >= 0) return truth(true);
    if (bounds->high < 0) return truth(false);
  }
  return intern({.kind = TermKind::guard_non_negative, .args = {id}});
}

TermId TermPool::in_range(TermId id, Dim extent) {
  return both(non_negative(id), less(id, index(extent)));
}

TermId TermPool::is_zero(TermId id) {
  if (const std::optional<Range> bounds = range(id)) {
    if (bounds->low > 0 || bounds->high < 0) return truth(false);
    if (bounds->low == 0 && bounds->high == 0) return truth(true);
  }
  return intern({.kind = TermKind::guard_zero, .args = {id}});
}

TermId TermPool::divides(std::int64_t divisor, TermId id) {
  const TermId rest = modulo(id, divisor);
  const Term& term = (*this)[rest];
  if (term.kind == TermKind::index_constant) return truth(term.value == 0);
  return intern({.kind = TermKind::guard_divides, .value = divisor, .args = {id}});
}

TermId TermPool::both(TermId a, TermId b) {
  if (const auto value = known(a)) return *value ? b : a;
  if (const auto value = known(b)) return *value ? a : b;
  std::vector<TermId> args;
  for (TermId side : {a, b}) {
    const Term& term = (*this)[side];
    if (term.kind == TermKind::guard_and) args.insert(args.end(), term.args.begin(), term.args.end());
    else args.push_back(side);
  }
  std::ranges::sort(args);
  args.erase(std::ranges::unique(args).begin(), args.end());
  if (args.size() == 1) return args[0];
  return intern({.kind = TermKind::guard_and, .args = std::move(args)});
}

TermId TermPool::negate(TermId guard) {
  if (const auto value = known(guard)) return truth(!*value);
  const Term& term = (*this)[guard];
  if (term.kind == TermKind::guard_not) return term.args[0];
  return intern({.kind = TermKind::guard_not, .args = {guard}});
}

// ---- elements -------------------------------------------------------------------------------------------------

TermId TermPool::literal_bits(DType dtype, std::uint64_t bits) {
  return intern({.kind = TermKind::literal,
                 .dtype = dtype,
                 .value = static_cast<std::int64_t>(bits),
                 .args = {}});
}

TermId TermPool::literal(DType dtype, double value) {
  std::uint64_t bits = 0;
  element_from_double(dtype, value, reinterpret_cast<std::byte*>(&bits));
  return literal_bits(dtype, bits);
}

TermId TermPool::literal_integer(DType dtype, std::int64_t value) {
  std::uint64_t bits = 0;
  element_from_integer(dtype, value, reinterpret_cast<std::byte*>(&bits));
  return literal_bits(dtype, bits);
}

TermId TermPool::access(int operand, DType dtype, std::vector<TermId> indices) {
  return intern({.kind = TermKind::access, .dtype = dtype, .value = operand, .args = std::move(indices)});
}

TermId TermPool::from_index(TermId id, DType dtype) {
  const Term& term = (*this)[id];
  if (term.kind == TermKind::index_constant) return literal_integer(dtype, term.value);
  return intern({.kind = TermKind::from_index, .dtype = dtype, .args = {id}});
}

TermId TermPool::scalar(const OpDefinition& function, DType result, std::vector<TermId> args,
                        std::int64_t immediate) {
  return intern({.kind = TermKind::scalar,
                 .dtype = result,
                 .value = immediate,
                 .function = &function,
                 .args = std::move(args)});
}

TermId TermPool::choose(TermId guard, TermId then, TermId otherwise) {
  if (const auto value = known(guard)) return *value ? then : otherwise;
  if (then == otherwise) return then;
  return intern({.kind = TermKind::ite, .dtype = (*this)[then].dtype, .args = {guard, then, otherwise}});
}

TermId TermPool::reduce(Monoid monoid, Order order, std::span<const VariableId> variables, TermId body) {
  if (variables.empty()) {
    // A reduction over nothing still starts from the identity, so that -0 sums to +0 like everywhere else.
    const DType dtype = (*this)[body].dtype;
    return scalar(combine_op(monoid), dtype, {literal_bits(dtype, identity_bits(monoid, dtype)), body});
  }
  Term term{.kind = TermKind::reduce,
            .dtype = (*this)[body].dtype,
            .monoid = monoid,
            .order = order,
            .variable_count = static_cast<std::uint8_t>(variables.size()),
            .variable = variables.front(),
            .args = {}};
  for (VariableId variable : variables) term.args.push_back(index(extent(variable)));
  term.args.push_back(body);
  return intern(std::move(term));
}

TermId TermPool::fold(std::span<const VariableId> variables, std::vector<TermId> inits,
                      std::vector<TermId> bodies, int component) {
  HYP_CHECK(!variables.empty() && inits.size() == bodies.size(), "malformed fold");
  Term term{.kind = TermKind::fold,
            .dtype = (*this)[inits[static_cast<std::size_t>(component)]].dtype,
            .variable_count = static_cast<std::uint8_t>(variables.size()),
            .state_count = static_cast<std::uint8_t>(inits.size()),
            .variable = variables.front(),
            .value = component,
            .args = {}};
  for (VariableId variable : variables) term.args.push_back(index(extent(variable)));
  term.args.insert(term.args.end(), inits.begin(), inits.end());
  term.args.insert(term.args.end(), bodies.begin(), bodies.end());
  return intern(std::move(term));
}

TermId TermPool::state(VariableId first_variable, int component, DType dtype) {
  return intern({.kind = TermKind::state,
                 .dtype = dtype,
                 .variable = first_variable,
                 .value = component,
                 .args = {}});
}

// ---- substitution ---------------------------------------------------------------------------------------------

namespace {

// Post-order without recursion: definitions composed along a long chain are as deep as the chain.
template <class Visit>
void visit_dag(const TermPool& pool, TermId root, Visit visit) {
  std::vector<std::pair<TermId, std::size_t>> stack{{root, 0}};
  std::unordered_map<TermId, bool> done;
  while (!stack.empty()) {
    auto& [id, next] = stack.back();
    const Term& term = pool[id];
    if (next == 0 && done.contains(id)) {
      stack.pop_back();
      continue;
    }
    if (next < term.args.size()) {
      const TermId child = term.args[next++];
      if (!done.contains(child)) stack.emplace_back(child, 0);
      continue;
    }
    const TermId finished = id;
    stack.pop_back();
    if (done.emplace(finished, true).second) visit(finished);
  }
}

}  // namespace

TermId TermPool::substitute(TermId root, const Substitution& substitution) {
  std::unordered_map<TermId, TermId> replaced;
  visit_dag(*this, root, [&](TermId id) {
    const Term term = (*this)[id];  // a copy: interning below may not move it, but the pool grows
    std::vector<TermId> args;
    for (TermId arg : term.args) args.push_back(replaced.at(arg));
    const auto result = [&]() -> TermId {
      if (id == substitution.from) return substitution.to;
      if (term.kind == TermKind::index_variable && substitution.variable) {
        if (const auto found = substitution.variable(term.variable)) return *found;
      }
      if (term.kind == TermKind::access && substitution.access) {
        if (const auto found = substitution.access(id, args)) return *found;
      }
      if (args == term.args) return id;
      // Through the constructors, so that indices and guards simplify again.
      switch (term.kind) {
        case TermKind::index_sum: {
          TermId sum = index(Dim(0));
          for (TermId arg : args) sum = add(sum, arg);
          return sum;
        }
        case TermKind::index_scaled: return scale(args[0], term.value);
        case TermKind::index_divide: return divide(args[0], term.value);
        case TermKind::index_modulo: return modulo(args[0], term.value);
        case TermKind::index_of: return index_of(args[0]);
        case TermKind::guard_non_negative: return non_negative(args[0]);
        case TermKind::guard_zero: return is_zero(args[0]);
        case TermKind::guard_divides: return divides(term.value, args[0]);
        case TermKind::guard_and: {
          TermId all = truth(true);
          for (TermId arg : args) all = both(all, arg);
          return all;
        }
        case TermKind::guard_not: return negate(args[0]);
        case TermKind::from_index: return from_index(args[0], term.dtype);
        case TermKind::ite: return choose(args[0], args[1], args[2]);
        default: {
          Term copy = term;
          copy.args = std::move(args);
          return intern(std::move(copy));
        }
      }
    };
    replaced.emplace(id, result());
  });
  return replaced.at(root);
}

}  // namespace hyperion::ir

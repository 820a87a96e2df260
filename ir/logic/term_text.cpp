// TermPool::text: a term as one line of index notation, for people.
//
// Free variables are named i, j, k, ... in order of their ids (those of a result come first), bound ones after them in
// order of appearance. States of folds are s, t, u, ...
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <unordered_set>

#include "ir/literal.hpp"
#include "ir/logic/scalar_program.hpp"
#include "ir/logic/term.hpp"
#include "ir/op_definition.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir {
namespace {

// A term that shares subterms could print exponentially long; past this length the rest is elided.
constexpr std::size_t kLongestText = 4000;

// How tightly an expression binds; a part that binds less tightly than its place asks for gets parentheses.
enum Binding : int { kLoose, kComparison, kSum, kProduct, kUnary, kAtom };

std::string name_from(std::string_view letters, std::size_t number) {
  std::string name(1, letters[number % letters.size()]);
  const std::size_t round = number / letters.size();
  return round == 0 ? name : name + std::to_string(round);
}

std::string element_text(DType dtype, std::uint64_t bits) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&bits);
  if (is_boolean(dtype)) return bits != 0 ? "true" : "false";
  if (dtype == DType::u64) return std::to_string(bits);
  if (!is_floating(dtype)) return std::to_string(element_to_integer(dtype, bytes));
  const double value = element_to_double(dtype, bytes);
  if (std::isnan(value)) return "nan";
  std::array<char, 32> buffer{};
  char* const begin = buffer.data();
  char* const end = begin + buffer.size();
  const auto done = dtype == DType::f64 ? std::to_chars(begin, end, value)
                                        : std::to_chars(begin, end, static_cast<float>(value));
  return std::string(begin, done.ptr);
}

class Printer {
 public:
  Printer(const TermPool& pool, TermId root, std::span<const std::string> operand_names)
      : pool_(pool), operand_names_(operand_names) {
    std::set<VariableId> free, bound;
    std::unordered_set<TermId> seen;
    collect(root, free, bound, seen);
    for (VariableId variable : free) {
      if (!bound.contains(variable)) name(variable);
    }
  }

  std::string print(TermId id, int place) {
    if (written_ > kLongestText) return "...";
    auto [text, binding] = render(pool_[id]);
    if (binding < place) text = "(" + text + ")";
    if (pool_[id].args.empty()) written_ += text.size() + 2;
    return std::move(text);
  }

 private:
  struct Rendered {
    std::string text;
    int binding;
  };

  void collect(TermId id, std::set<VariableId>& used, std::set<VariableId>& bound,
               std::unordered_set<TermId>& seen) {
    if (!seen.insert(id).second) return;
    const Term& term = pool_[id];
    if (term.kind == TermKind::index_variable) used.insert(term.variable);
    for (std::uint32_t k = 0; k < term.variable_count; ++k) bound.insert({term.variable.index + k});
    for (TermId arg : term.args) collect(arg, used, bound, seen);
  }

  const std::string& name(VariableId variable) {
    const auto [found, is_new] = variables_.try_emplace(variable);
    if (is_new) found->second = name_from("ijklopqruv", variables_.size() - 1);
    return found->second;
  }

  std::string state_name(VariableId fold, std::size_t component) {
    const auto [found, is_new] = folds_.try_emplace(fold, folds_.size());
    return name_from("stuvw", component) + (found->second == 0 ? "" : std::to_string(found->second));
  }

  std::string list(std::span<const TermId> terms, std::string_view separator = ", ", int place = kLoose) {
    std::string text;
    for (std::size_t k = 0; k < terms.size(); ++k) {
      if (k != 0) text += separator;
      text += print(terms[k], place);
    }
    return text;
  }

  Rendered render(const Term& term) {
    switch (term.kind) {
      case TermKind::index_constant: return {std::to_string(term.value), kAtom};
      case TermKind::index_dim: return {Dim(term.value).text(), kSum};
      case TermKind::index_variable: return {name(term.variable), kAtom};
      case TermKind::index_sum: return {sum(term), kSum};
      case TermKind::index_scaled: return {std::to_string(term.value) + "*" + print(term.args[0], kAtom), kProduct};
      case TermKind::index_divide:
        return {print(term.args[0], kAtom) + " div " + std::to_string(term.value), kProduct};
      case TermKind::index_modulo:
        return {print(term.args[0], kAtom) + " mod " + std::to_string(term.value), kProduct};
      case TermKind::index_of: return {"index(" + print(term.args[0], kLoose) + ")", kAtom};
      case TermKind::guard_non_negative: return {print(term.args[0], kSum) + " >= 0", kComparison};
      case TermKind::guard_zero: return {print(term.args[0], kSum) + " = 0", kComparison};
      case TermKind::guard_divides:
        return {std::to_string(term.value) + " divides " + print(term.args[0], kSum), kComparison};
      case TermKind::guard_and: return {list(term.args, " and ", kComparison), kLoose};
      case TermKind::guard_not: return {"not " + print(term.args[0], kAtom), kComparison};
      case TermKind::literal: return {element_text(term.dtype, static_cast<std::uint64_t>(term.value)), kAtom};
      case TermKind::access: return {access(term), kAtom};
      case TermKind::from_index: return {"element(" + print(term.args[0], kLoose) + ")", kAtom};
      case TermKind::scalar: return scalar(term);
      case TermKind::ite: return {"ite(" + list(term.args) + ")", kAtom};
      case TermKind::reduce: return reduce(term);
      case TermKind::fold: return {fold(term), kAtom};
      case TermKind::state: return {state_name(term.variable, static_cast<std::size_t>(term.value)), kAtom};
    }
    return {"?", kAtom};
  }

  std::string sum(const Term& term) {
    std::string text;
    for (TermId arg : term.args) {
      const std::string part = print(arg, kSum);
      if (text.empty()) text = part;
      else if (part.starts_with('-')) text += " - " + part.substr(1);
      else text += " + " + part;
    }
    return text;
  }

  std::string access(const Term& term) {
    const auto k = static_cast<std::size_t>(term.value);
    const std::string operand = k < operand_names_.size() ? operand_names_[k] : name_from("xyz", k);
    return term.args.empty() ? operand : operand + "[" + list(term.args) + "]";
  }

  Rendered infix(const Term& term, std::string_view sign, int binding) {
    return {print(term.args[0], binding) + " " + std::string(sign) + " " + print(term.args[1], binding + 1), binding};
  }

  Rendered scalar(const Term& term) {
    constexpr std::array<std::string_view, 6> signs = {"==", "!=", "<", "<=", ">", ">="};
    switch (term.function->primitive) {
      case Primitive::add: return infix(term, "+", kSum);
      case Primitive::sub: return infix(term, "-", kSum);
      case Primitive::mul: return infix(term, "*", kProduct);
      case Primitive::div: return infix(term, "/", kProduct);
      case Primitive::neg: return {"-" + print(term.args[0], kUnary), kUnary};
      case Primitive::compare: {
        const std::string left = print(term.args[0], kSum), right = print(term.args[1], kSum);
        return {left + " " + std::string(signs[static_cast<std::size_t>(term.value)]) + " " + right, kComparison};
      }
      case Primitive::cast: return {std::string(dtype_name(term.dtype)) + "(" + list(term.args) + ")", kAtom};
      default: return {std::string(term.function->name) + "(" + list(term.args) + ")", kAtom};
    }
  }

  // "[k<784, l<3]"
  std::string binders(const Term& term) {
    std::string text = "[";
    for (std::uint32_t k = 0; k < term.variable_count; ++k) {
      if (k != 0) text += ", ";
      text += name({term.variable.index + k}) + "<" + print(term.extents()[k], kProduct);
    }
    return text + "]";
  }

  Rendered reduce(const Term& term) {
    const std::string order = term.order == Order::lanes ? ".lanes" : "";
    const std::string head = std::string(monoid_name(term.monoid)) + order + binders(term);
    return {head + " " + print(term.body(), kProduct), kLoose};
  }

  std::string fold(const Term& term) {
    std::string text = "fold" + binders(term) + "(";
    for (std::size_t k = 0; k < term.state_count; ++k) {
      if (k != 0) text += ", ";
      text += state_name(term.variable, k) + " := " + print(term.inits()[k], kLoose);
    }
    text += "; " + list(term.bodies()) + ")";
    return term.state_count == 1 ? text : text + "." + std::to_string(term.value);
  }

  const TermPool& pool_;
  std::span<const std::string> operand_names_;
  std::map<VariableId, std::string> variables_;
  std::map<VariableId, std::size_t> folds_;
  std::size_t written_ = 0;
};

}  // namespace

std::string TermPool::text(TermId term, std::span<const std::string> operand_names) const {
  return Printer(*this, term, operand_names).print(term, kLoose);
}

}  // namespace hyperion::ir

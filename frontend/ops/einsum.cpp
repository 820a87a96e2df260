// einsum.cpp: Einstein's notation, as diagonals, sums, dots and one transposition.
#include <algorithm>
#include <map>

#include "frontend/ops/contraction.hpp"
#include "frontend/ops/creation.hpp"
#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/linalg.hpp"
#include "frontend/ops/reduce.hpp"
#include "frontend/ops/shape.hpp"
#include "frontend/ops/slicing.hpp"
#include "ir/support/format.hpp"

namespace hyperion {
namespace {

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

class EquationParser {
 public:
  EquationParser(std::string_view text, Location where) : text_(text), where_(where) {}

  Equation parse(std::size_t operand_count) {
    Equation equation;
    const std::size_t arrow = text_.find("->");
    std::string_view left = text_.substr(0, arrow);
    for (std::size_t at = 0; at <= left.size();) {
      const std::size_t comma = std::min(left.find(',', at), left.size());
      equation.inputs.push_back(letters(left.substr(at, comma - at)));
      at = comma + 1;
    }
    if (equation.inputs.size() != operand_count) {
      fail(format("names {} operands, but {} are given", equation.inputs.size(), operand_count));
    }
    std::map<char, int> occurrences;
    for (const std::string& input : equation.inputs) {
      for (char letter : input) ++occurrences[letter];
    }
    if (arrow == std::string_view::npos) {
      for (const auto& [letter, times] : occurrences) {
        if (times == 1) equation.output += letter;
      }
      return equation;
    }
    equation.output = letters(text_.substr(arrow + 2));
    for (char letter : equation.output) {
      if (!occurrences.contains(letter)) fail(format("'{}' on the right does not occur on the left", letter));
      if (std::ranges::count(equation.output, letter) > 1) fail(format("'{}' occurs twice on the right", letter));
    }
    return equation;
  }

  [[noreturn]] void fail(const std::string& message) const {
    frontend::raise(where_, "tensor.einsum", format("einsum: \"{}\" {}", text_, message));
  }

 private:
  std::string letters(std::string_view part) const {
    std::string out;
    for (char c : part) {
      if (c == ' ') continue;
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) fail(format("has '{}' where a letter names an axis", c));
      out += c;
    }
    return out;
  }

  const std::string_view text_;
  const Location where_;
};

// A tensor whose axes have letters.
struct Labelled {
  Tensor tensor;
  std::string letters;

  int axis(char letter) const { return static_cast<int>(letters.find(letter)); }
  bool has(char letter) const { return letters.find(letter) != std::string::npos; }
};

// The second of two axes of one letter disappears: their diagonal stays.
Labelled take_diagonals(Labelled x) {
  for (std::size_t k = 0; k < x.letters.size(); ++k) {
    for (std::size_t j = k + 1; j < x.letters.size();) {
      if (x.letters[j] != x.letters[k]) {
        ++j;
        continue;
      }
      const int last = x.tensor.rank() - 1;
      Tensor moved = move_axis(move_axis(x.tensor, static_cast<int>(j), last), static_cast<int>(k), last - 1);
      const Tensor on_diagonal = eye(moved.dim(-1), DType::bool_);
      moved = sum(where(on_diagonal, moved, zeros_like(moved)), {-1});
      x.tensor = move_axis(moved, last - 1, static_cast<int>(k));
      x.letters.erase(j, 1);
    }
  }
  return x;
}

Labelled sum_out(Labelled x, const std::string& kept) {
  Axes axes;
  std::string letters;
  for (std::size_t k = 0; k < x.letters.size(); ++k) {
    if (kept.find(x.letters[k]) == std::string::npos) {
      axes.push_back(static_cast<int>(k));
    } else {
      letters += x.letters[k];
    }
  }
  if (axes.empty()) return x;
  return {sum(x.tensor, axes), letters};
}

// One dot: shared letters that are needed later are batch axes, the other shared letters are contracted.
Labelled multiply(const Labelled& x, const Labelled& y, const std::string& needed, Location where) {
  frontend::DotAxes axes;
  std::string batch, free;
  for (char letter : x.letters) {
    if (!y.has(letter)) {
      free += letter;
    } else if (needed.find(letter) != std::string::npos) {
      axes.lhs_batch.push_back(x.axis(letter));
      axes.rhs_batch.push_back(y.axis(letter));
      batch += letter;
    } else {
      axes.lhs_contract.push_back(x.axis(letter));
      axes.rhs_contract.push_back(y.axis(letter));
    }
  }
  for (char letter : y.letters) {
    if (!x.has(letter)) free += letter;
  }
  const frontend::Matched both = frontend::match_types("einsum", x.tensor, y.tensor, where);
  return {frontend::contract(Tensor(both.lhs), Tensor(both.rhs), std::move(axes), where), batch + free};
}

}  // namespace

Tensor einsum(std::string_view text, std::vector<Tensor> operands, std::source_location place) {
  const frontend::UserLine line(place);
  const Location where = frontend::user_line(place);
  EquationParser parser(text, where);
  const Equation equation = parser.parse(operands.size());
  std::vector<Labelled> terms;
  std::map<char, std::int64_t> sizes;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    const std::string& letters = equation.inputs[k];
    if (static_cast<int>(letters.size()) != operands[k].rank()) {
      parser.fail(format("names {} axes of operand {}, which is {}", letters.size(), k, operands[k].type().text()));
    }
    for (std::size_t axis = 0; axis < letters.size(); ++axis) {
      const std::int64_t size = operands[k].shape()[axis];
      const auto [known, is_new] = sizes.try_emplace(letters[axis], size);
      if (known->second != size) {
        parser.fail(format("gives '{}' the sizes {} and {}", letters[axis], known->second, size));
      }
    }
    terms.push_back(take_diagonals({operands[k], letters}));
  }
  Labelled result = terms[0];
  for (std::size_t k = 1; k < terms.size(); ++k) {
    std::string needed = equation.output;
    for (std::size_t later = k + 1; later < terms.size(); ++later) needed += terms[later].letters;
    // Letters of one side alone that nobody needs are summed before the product, not after it.
    const Labelled left = sum_out(result, needed + terms[k].letters);
    const Labelled right = sum_out(terms[k], needed + left.letters);
    result = multiply(left, right, needed, where);
  }
  result = sum_out(result, equation.output);
  ir::Integers permutation;
  for (char letter : equation.output) permutation.push_back(result.axis(letter));
  return frontend::permute(result.tensor, std::move(permutation), where);
}

}  // namespace hyperion

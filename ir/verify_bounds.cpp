#include "ir/verify_bounds.hpp"

#include <map>
#include <optional>

#include "ir/support/format.hpp"

namespace hyperion::ir {
namespace {

// constant + sum of coefficient * index of a loop.
struct Linear {
  std::int64_t constant = 0;
  std::map<ValueId, std::int64_t> coefficients;
};

struct Range {
  std::int64_t first = 0, last = 0;  // both included
};

class BoundsChecker {
 public:
  explicit BoundsChecker(const Function& kernel) : kernel_(kernel) {}

  std::vector<std::pair<OpId, std::string>> run() {
    // Blocks with an explicit stack, outer ones first, so that a loop's bounds are known before its
    // body.
    std::vector<BlockId> blocks{kernel_.body()};
    while (!blocks.empty()) {
      const BlockId block = blocks.back();
      blocks.pop_back();
      for (OpId id : kernel_.ops_of(block)) {
        const Op& op = kernel_.op(id);
        follow(op);
        check(id, op);
        if (op.is("for") && enter_loop(op)) blocks.push_back(op.blocks[0]);
      }
    }
    return std::move(complaints_);
  }

 private:
  const Linear* known(ValueId id) const {
    const auto found = linear_.find(id);
    return found == linear_.end() ? nullptr : &found->second;
  }

  void follow(const Op& op) {
    if (op.is("constant")) {
      const LiteralPtr& value = op.attributes.literal("value");
      if (value->type() == Type::scalar(DType::i64)) {
        linear_[op.results[0]].constant = element_to_integer(DType::i64, value->element(0).data());
      }
    }
    if (!op.is("affine")) return;
    Linear sum{.constant = op.attributes.integer("constant"), .coefficients = {}};
    const Integers& coefficients = op.attributes.integers("coefficients");
    for (std::size_t k = 0; k < op.operands.size(); ++k) {
      const Linear* term = known(op.operands[k]);
      if (term == nullptr || kernel_.type(op.operands[k]).rank() != 0) return;
      sum.constant += coefficients[k] * term->constant;
      for (const auto& [index, factor] : term->coefficients)
        sum.coefficients[index] += coefficients[k] * factor;
    }
    linear_[op.results[0]] = std::move(sum);
  }

  // False for a loop without iterations: nothing in it happens. The index of a loop whose bounds
  // are not constant stays unknown.
  bool enter_loop(const Op& op) {
    const Linear *begin = known(op.operands[0]), *end = known(op.operands[1]);
    if (begin == nullptr || end == nullptr || !begin->coefficients.empty() ||
        !end->coefficients.empty())
      return true;
    if (begin->constant >= end->constant) return false;
    const std::int64_t step = op.attributes.integer("step");
    const ValueId index = kernel_.block(op.blocks[0]).arguments[0];
    ranges_[index] = {begin->constant,
                      begin->constant + (end->constant - 1 - begin->constant) / step * step};
    linear_[index].coefficients[index] = 1;
    return true;
  }

  Range range_of(const Linear& linear) const {
    Range out{linear.constant, linear.constant};
    for (const auto& [index, factor] : linear.coefficients) {
      const Range range = ranges_.at(index);
      out.first += factor * (factor > 0 ? range.first : range.last);
      out.last += factor * (factor > 0 ? range.last : range.first);
    }
    return out;
  }

  void check(OpId id, const Op& op) {
    if (op.is("load")) {
      const std::int64_t lanes = op.attributes.integer("lanes");
      if (op.operands.size() == 2)
        check_access(id, op.operands[0], op.operands[1], lanes == 0 ? 1 : lanes, "reads");
    }
    if (op.is("store") && op.operands.size() == 3) {
      check_access(id, op.operands[1], op.operands[2], kernel_.type(op.operands[0]).element_count(),
                   "writes");
    }
    if (op.is("contract")) check_contraction(id, op);
  }

  void check_access(OpId id, ValueId buffer, ValueId offset, std::int64_t lanes,
                    std::string_view verb) {
    const Linear* place = known(offset);
    if (place == nullptr || kernel_.type(offset).rank() != 0) return;
    Range range = range_of(*place);
    range.last += lanes - 1;
    require_inside(id, buffer, range, verb);
  }

  void check_contraction(OpId id, const Op& op) {
    const Attributes& a = op.attributes;
    const std::int64_t rows = a.integer("rows"), columns = a.integer("columns"),
                       depth = a.integer("depth");
    std::vector<std::pair<std::int64_t, std::int64_t>> lhs{{rows, a.integer("lhs_row")},
                                                           {depth, a.integer("lhs_depth")}};
    std::vector<std::pair<std::int64_t, std::int64_t>> rhs{{depth, a.integer("rhs_depth")},
                                                           {columns, a.integer("rhs_column")}};
    const Integers& batch = a.integers("batch");
    for (std::size_t k = 0; k < batch.size(); ++k) {
      lhs.emplace_back(batch[k], a.integers("lhs_batch").at(k));
      rhs.emplace_back(batch[k], a.integers("rhs_batch").at(k));
    }
    // What a map reads, it loads itself.
    if (a.text("lhs_map").empty()) check_strided(id, op.operands[0], lhs);
    if (a.text("rhs_map").empty()) check_strided(id, op.operands[1], rhs);
  }

  // Extents with their strides, from the buffer's start.
  void check_strided(OpId id, ValueId buffer,
                     const std::vector<std::pair<std::int64_t, std::int64_t>>& axes) {
    Range range;
    for (const auto& [extent, stride] : axes) {
      if (extent <= 0) return;
      (stride > 0 ? range.last : range.first) += (extent - 1) * stride;
    }
    require_inside(id, buffer, range, "reads");
  }

  void require_inside(OpId id, ValueId buffer, Range range, std::string_view verb) {
    const std::int64_t count = kernel_.type(buffer).element_count();
    if (range.first >= 0 && range.last < count) return;
    complaints_.emplace_back(id, format("{} element {} of a buffer of {}", verb,
                                        range.first < 0 ? range.first : range.last, count));
  }

  const Function& kernel_;
  std::map<ValueId, Linear> linear_;
  std::map<ValueId, Range> ranges_;  // of loop indices
  std::vector<std::pair<OpId, std::string>> complaints_;
};

}  // namespace

std::vector<std::pair<OpId, std::string>> accesses_out_of_bounds(const Function& kernel) {
  return BoundsChecker(kernel).run();
}

}  // namespace hyperion::ir

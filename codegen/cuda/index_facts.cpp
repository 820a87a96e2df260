#include "codegen/cuda/index_facts.hpp"

#include <algorithm>
#include <numeric>

#include "ir/line_blocks.hpp"

namespace hyperion::codegen {

using ir::Op;
using ir::OpId;
using ir::ValueId;

namespace {

constexpr std::int64_t kFar = std::int64_t{1} << 40;  // beyond this, nothing is claimed: sums of such cannot overflow

bool is_bounded(const IndexFact& fact) { return fact.low > -kFar && fact.high < kFar; }

IndexFact exactly(std::int64_t value) {
  // A number without a counterpart of the other sign is a power of two.
  const bool is_lowest = value == std::numeric_limits<std::int64_t>::min();
  return {value, value, value == 0 || is_lowest ? kFar : std::abs(value)};
}

IndexFact bounded(std::int64_t low, std::int64_t high, std::int64_t divisor = 1) {
  if (low <= -kFar || high >= kFar) return {.divisor = divisor};
  return {low, high, divisor};
}

// Of an index: at least 0.
IndexFact below(std::int64_t count, std::int64_t divisor) {
  return bounded(0, std::max<std::int64_t>(count - 1, 0), divisor);
}

IndexFact product(const IndexFact& a, const IndexFact& b) {
  if (!is_bounded(a) || !is_bounded(b)) return {.divisor = std::min(a.divisor, kFar)};
  __extension__ using Wide = __int128;
  const Wide corners[] = {Wide{a.low} * b.low, Wide{a.low} * b.high, Wide{a.high} * b.low, Wide{a.high} * b.high};
  const auto [low, high] = std::ranges::minmax(corners);
  const Wide divisor = std::min<Wide>(Wide{a.divisor} * b.divisor, kFar);
  if (low <= -kFar || high >= kFar) return {.divisor = static_cast<std::int64_t>(divisor)};
  return {static_cast<std::int64_t>(low), static_cast<std::int64_t>(high), static_cast<std::int64_t>(divisor)};
}

IndexFact sum(const IndexFact& a, const IndexFact& b) {
  const std::int64_t divisor = std::gcd(a.divisor, b.divisor);
  if (!is_bounded(a) || !is_bounded(b)) return {.divisor = divisor};
  return bounded(a.low + b.low, a.high + b.high, divisor);
}

}  // namespace

IndexFact IndexFacts::of(ValueId value) const {
  const auto found = facts_.find(value);
  return found == facts_.end() ? IndexFact{} : found->second;
}

bool IndexFacts::is_uniform(ValueId mask, std::int64_t chunk) const {
  const auto found = mask_granularity_.find(mask);
  return found != mask_granularity_.end() && found->second % chunk == 0;
}

bool IndexFacts::is_consecutive(ValueId vector, std::int64_t chunk) const {
  const Lanes lie = lanes(vector);
  return lie.step == 1 && lie.run % chunk == 0;
}

IndexFacts::Lanes IndexFacts::lanes(ValueId value) const {
  if (kernel_.type(value).rank() == 0) return {.run = kFar};
  const auto found = lanes_.find(value);
  return found == lanes_.end() ? Lanes{} : found->second;
}

IndexFacts::Lanes IndexFacts::lanes_of(const Op& op) const {
  if (op.is("broadcast") || (op.is("constant") && op.attributes.literal("value")->is_splat())) return {.run = kFar};
  if (op.is("iota") || op.is("constant"))
    return {.step = 1, .run = kFar};  // lane numbers: no other constants are written
  if (op.is("affine")) {
    const ir::Integers& coefficients = op.attributes.integers("coefficients");
    Lanes sum{.run = kFar};
    for (std::size_t k = 0; k < op.operands.size(); ++k) {
      const Lanes part = lanes(op.operands[k]);
      sum.step += coefficients[k] * part.step;
      sum.run = std::gcd(sum.run, part.run);
    }
    return sum.step == 0 || sum.step == 1 ? sum : Lanes{};
  }
  const bool divides = op.is("div") || op.is("shr"), wraps = op.is("rem") || op.is("and");
  if (divides || wraps) {
    const Lanes x = lanes(op.operands[0]);
    const IndexFact from = of(op.operands[0]), by = of(op.operands[1]);
    if (from.low < 0 || by.low < 0 || by.low != by.high) return {};
    if (x.step == 0) return x;
    // Counting up, a quotient changes and a remainder begins anew at multiples of the divisor.
    std::int64_t divisor = by.low;
    if (op.is("shr")) divisor = by.low < 40 ? std::int64_t{1} << by.low : kFar;
    if (op.is("and")) divisor = (by.low & (by.low + 1)) == 0 ? by.low + 1 : 1;
    return {.step = wraps ? 1 : 0, .run = std::gcd(std::gcd(x.run, divisor), from.divisor)};
  }
  return {};
}

void IndexFacts::visit(ir::BlockId block) {
  for (OpId id : kernel_.ops_of(block)) visit(kernel_.op(id));
}

void IndexFacts::visit(const Op& op) {
  if (op.is("for")) return visit_loop(op);
  if (op.is("contract") || op.is("convolve")) return visit_anchor(op);
  if (op.is("scatter_lines") || op.is("sort_lines")) return visit_lines(op);
  if (op.results.size() != 1) return;
  const ValueId result = op.results[0];
  const Type type = kernel_.type(result);
  if (type.dtype() == DType::bool_) return visit_mask(op);
  if (type.dtype() != DType::i64) return;
  if (type.rank() == 1) lanes_[result] = lanes_of(op);
  const auto operand = [&](std::size_t k) { return of(op.operands[k]); };
  if (op.is("constant")) {
    const Literal& value = *op.attributes.literal("value");
    if (value.is_splat()) {
      facts_[result] = exactly(element_to_integer(DType::i64, value.element(0).data()));
    } else {
      // Lane numbers: no other vector of constants is written.
      facts_[result] = {0, type.element_count() - 1, kFar};
    }
  } else if (op.is("iota")) {
    facts_[result] = {0, type.element_count() - 1, kFar};
  } else if (op.is("broadcast")) {
    facts_[result] = operand(0);
  } else if (op.is("affine")) {
    facts_[result] = affine(op);
    // What counts on in a part of shorter runs has, where those begin, a multiple of their length added.
    if (const Lanes lie = lanes(result); lie.run < kFar)
      facts_[result].divisor = std::gcd(facts_[result].divisor, lie.run);
  } else if (op.is("add")) {
    facts_[result] = sum(operand(0), operand(1));
  } else if (op.is("sub")) {
    facts_[result] = sum(operand(0), product(exactly(-1), operand(1)));
  } else if (op.is("mul")) {
    facts_[result] = product(operand(0), operand(1));
  } else if (op.is("min")) {
    facts_[result] = {std::min(operand(0).low, operand(1).low), std::min(operand(0).high, operand(1).high),
                      std::gcd(operand(0).divisor, operand(1).divisor)};
  } else if (op.is("max")) {
    facts_[result] = {std::max(operand(0).low, operand(1).low), std::max(operand(0).high, operand(1).high),
                      std::gcd(operand(0).divisor, operand(1).divisor)};
  } else if (op.is("select")) {
    facts_[result] = {std::min(operand(1).low, operand(2).low), std::max(operand(1).high, operand(2).high),
                      std::gcd(operand(1).divisor, operand(2).divisor)};
  } else if (op.is("div") || op.is("rem") || op.is("and") || op.is("shr")) {
    const IndexFact x = operand(0), by = operand(1);
    if (x.low < 0 || by.low < 0 || by.low != by.high) return;  // by a number, as index arithmetic does
    if (op.is("div") && by.low > 0) facts_[result] = {x.low / by.low, x.high / by.low, 1};
    if (op.is("rem") && by.low > 0) facts_[result] = {0, std::min(x.high, by.low - 1), std::gcd(x.divisor, by.low)};
    if (op.is("and")) {
      // By 2^n - 1, as the remainder by a power of two is written.
      facts_[result] = {0, std::min(x.high, by.low),
                        (by.low & (by.low + 1)) == 0 ? std::gcd(x.divisor, by.low + 1) : 1};
    }
    if (op.is("shr") && by.low < 63) facts_[result] = {x.low >> by.low, x.high >> by.low, 1};
  }
}

IndexFact IndexFacts::affine(const Op& op) const {
  const ir::Integers& coefficients = op.attributes.integers("coefficients");
  IndexFact total = exactly(op.attributes.integer("constant"));
  for (std::size_t k = 0; k < op.operands.size(); ++k) {
    total = sum(total, product(exactly(coefficients[k]), of(op.operands[k])));
  }
  return total;
}

void IndexFacts::visit_loop(const Op& op) {
  const IndexFact begin = of(op.operands[0]), end = of(op.operands[1]);
  IndexFact& index = facts_[kernel_.block(op.blocks[0]).arguments[0]];
  index.divisor = std::gcd(begin.divisor, op.attributes.integer("step"));
  index.low = begin.low;
  if (end.high != std::numeric_limits<std::int64_t>::max()) index.high = std::max(begin.low, end.high - 1);
  visit(op.blocks[0]);
}

void IndexFacts::visit_lines(const Op& op) {
  if (op.is("sort_lines")) {
    const std::vector<ValueId>& arguments = kernel_.block(ir::sort_block(op)).arguments;
    facts_[arguments[0]] = below(op.attributes.integer("outer"), 1);
    facts_[arguments[1]] = below(op.attributes.integer("length"), 1);
    facts_[arguments[2]] = below(op.attributes.integer("inner"), 1);
    return visit(ir::sort_block(op));
  }
  const ir::ScatterBlocks blocks = ir::scatter_blocks(op);
  for (ir::BlockId block : {blocks.index, blocks.element, blocks.update}) {
    const std::vector<ValueId>& arguments = kernel_.block(block).arguments;
    facts_[arguments[0]] = below(op.attributes.integer("outer"), 1);
    facts_[arguments[1]] = below(op.attributes.integer(block == blocks.element ? "length" : "positions"), 1);
    if (block != blocks.index)
      facts_[arguments[2]] = below(op.attributes.integer("inner"), op.attributes.integer("lanes"));
    visit(block);
  }
}

void IndexFacts::visit_anchor(const Op& op) {
  if (op.blocks.empty()) return;
  const std::vector<ValueId>& arguments = kernel_.block(op.blocks[0]).arguments;
  const ir::Attributes& a = op.attributes;
  if (op.is("contract")) {
    std::int64_t batches = 1;
    for (std::int64_t extent : a.integers("batch")) batches *= extent;
    facts_[arguments[1]] = below(batches, 1);
    facts_[arguments[2]] = below(a.integer("rows"), 1);
    facts_[arguments[3]] = below(a.integer("columns"), a.integer("lanes"));
  } else {
    const ir::Integers &extents = a.integers("extents"), &height = a.integers("height"), &width = a.integers("width");
    facts_[arguments[1]] = below(extents[0] * height[0], 1);
    facts_[arguments[2]] = below(width[0], 1);
    facts_[arguments[3]] = below(extents[1] * extents[3], std::gcd(a.integer("lanes"), extents[3]));
  }
  visit(op.blocks[0]);
}

void IndexFacts::visit_mask(const Op& op) {
  const ValueId result = op.results[0];
  if (kernel_.type(result).rank() == 0) return;
  const auto granularity = [&](ValueId id) {
    const auto found = mask_granularity_.find(id);
    return found == mask_granularity_.end() ? std::int64_t{1} : found->second;
  };
  if (op.is("broadcast")) {
    mask_granularity_[result] = kFar;
  } else if (op.is("compare") && kernel_.type(op.operands[0]).dtype() == DType::i64) {
    const Lanes lie = lanes(op.operands[0]);
    const std::string& direction = op.attributes.text("direction");
    const ir::Op* bound = kernel_.producer(op.operands[1]);
    const bool is_splat =
        bound != nullptr && (bound->is("broadcast") || bound->is("constant")) && lanes(op.operands[1]).step == 0;
    if (is_splat && lie.step == 0) {
      mask_granularity_[result] = lie.run;
    } else if (is_splat && (direction == "lt" || direction == "ge")) {
      // first + lane < bound: divisors of the sum's scalar part and of the bound.
      mask_granularity_[result] = std::gcd(lie.run, std::gcd(of(op.operands[0]).divisor, of(op.operands[1]).divisor));
    }
  } else if (op.is("and") || op.is("or")) {
    mask_granularity_[result] = std::gcd(granularity(op.operands[0]), granularity(op.operands[1]));
  } else if (op.is("not")) {
    mask_granularity_[result] = granularity(op.operands[0]);
  }
}

}  // namespace hyperion::codegen

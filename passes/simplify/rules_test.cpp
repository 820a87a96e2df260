// Every built-in rule on random instances, under its tag.
//
// For a rule, left sides are written at random from its own pattern: types from a small pool, attributes by what their op
// takes, numbers as the rule says. Where the rule then applies, the function before and after is interpreted on random and
// special values, and the results are compared in the rule's sense.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "ir/builder.hpp"
#include "passes/simplify/rule.hpp"
#include "passes/simplify/rule_functions.hpp"
#include "passes/simplify/rule_match.hpp"
#include "tests/support/programs.hpp"

namespace hyperion::passes {
namespace {

using ir::AttributeValue;
using ir::Dims;
using ir::Integers;
using Random = std::mt19937_64;

int below(Random& random, int limit) { return static_cast<int>(random() % static_cast<std::uint64_t>(limit)); }

// Writes one random left side.
class LeftSide {
 public:
  LeftSide(const Rule& rule, Random& random) : rule_(rule), random_(random), builder_(function_) {
    values_.resize(rule.values.size());
    attributes_.resize(rule.attributes.size());
    // R rules are checked in f64; others in all types that keep their senses apart.
    const DType dtypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i32, DType::u8, DType::i8, DType::bool_};
    dtype_ = rule.float_tag == Tag::same_over_reals ? (below(random, 3) ? DType::f64 : DType::i32) : dtypes[below(random, 8)];
    for (int axis = below(random, 4); axis > 0; --axis) shape_.push_back(Dim(1 + below(random, 3)));
    if (below(random, 40) == 0 && !shape_.empty()) shape_[0] = Dim(0);
  }

  // The root, if the ops accept what was drawn.
  std::optional<ir::OpId> write() {
    const std::optional<ir::ValueId> root = value(rule_.patterns[0], {});
    if (!root) return std::nullopt;
    builder_.return_values(std::vector{builder_.wrap(*root)});
    return function_.value(*root).producer;
  }
  ir::Function& function() { return function_; }

 private:
  Type random_type() {
    std::vector<Dim> dims = shape_;
    if (below(random_, 3) == 0) std::ranges::shuffle(dims, random_);
    if (below(random_, 4) == 0 && !dims.empty()) dims.pop_back();
    return Type(dtype_, dims);
  }

  bool wants_constant(std::size_t variable) const {
    for (const RuleCondition& condition : rule_.conditions) {
      const std::string_view name = condition.function->name;
      if (condition.negated || (name != "constant" && name != "splat" && name != "exact_reciprocal" && name != "same_element")) continue;
      for (const RuleAttribute& argument : condition.arguments) {
        if (argument.kind == RuleAttribute::Kind::value && argument.variable == variable) return true;
      }
    }
    // What is inverted must be a constant too.
    for (const RuleNode& operand : rule_.replacement.operands) {
      if (operand.kind != RuleNode::Kind::call || operand.function->name != "reciprocal") continue;
      if (operand.arguments[0].variable == variable) return true;
    }
    return false;
  }

  std::optional<ir::ValueId> value(const RuleNode& node, Type want) {
    switch (node.kind) {
      case RuleNode::Kind::value: {
        ir::ValueId& bound = values_[node.variable];
        if (bound.valid()) return bound;
        const Type type = want.valid() ? want : random_type();
        if (wants_constant(node.variable)) {
          const double constants[] = {2, 0.5, 1, 3, 4, -2};
          bound = builder_.constant(type, constants[below(random_, 6)]).id;
        } else {
          bound = function_.add_parameter(type);
        }
        return bound;
      }
      case RuleNode::Kind::number: return builder_.constant(want.valid() ? want : random_type(), node.number).id;
      case RuleNode::Kind::op:
      case RuleNode::Kind::any_op: return op(node, want);
      case RuleNode::Kind::call: break;
    }
    return std::nullopt;
  }

  std::optional<ir::ValueId> op(const RuleNode& node, Type want) {
    const ir::OpDefinition& definition = node.kind == RuleNode::Kind::op ? *node.op : any_elementwise(node.operands.size());
    // Operands that are ops first: they decide the type of plain values beside them.
    std::vector<ir::ValueId> operands(node.operands.size());
    Type like = definition.is_elementwise && !is_boolean(dtype_) ? want : Type();
    if (definition.name == "cast" || definition.name == "compare" || definition.name == "bitcast") like = Type();
    for (bool leaves : {false, true}) {
      for (std::size_t k = 0; k < operands.size(); ++k) {
        const bool is_leaf = node.operands[k].kind == RuleNode::Kind::value || node.operands[k].kind == RuleNode::Kind::number;
        if (is_leaf != leaves) continue;
        const auto operand = value(node.operands[k], operand_type(definition, k, like));
        if (!operand) return std::nullopt;
        operands[k] = *operand;
        const bool is_predicate = definition.name == "select" && k == 0;
        if (is_predicate && !like.valid()) like = function_.type(*operand).with_dtype(dtype_);
        if (!is_predicate && definition.is_elementwise) like = function_.type(*operand);
      }
    }
    std::vector<Type> types;
    for (ir::ValueId operand : operands) types.push_back(function_.type(operand));
    ir::Attributes attributes;
    std::vector<ir::AttributeSpec> specs = definition.attributes;
    // A broadcast's shape is drawn to fit its dims.
    const auto dims = std::ranges::find(specs, "dims", &ir::AttributeSpec::name);
    if (dims != specs.end()) std::rotate(specs.begin(), dims, dims + 1);
    for (const ir::AttributeSpec& spec : specs) {
      const auto mentioned = std::ranges::find(node.attributes, spec.name, [](const auto& entry) { return entry.first; });
      if (mentioned == node.attributes.end()) {
        if (!spec.default_value) attributes.set(spec.name, random_attribute(spec.name, types, attributes));
      } else if (mentioned->second.kind == RuleAttribute::Kind::literal) {
        attributes.set(spec.name, mentioned->second.literal);
      } else {
        std::optional<AttributeValue>& bound = attributes_[mentioned->second.variable];
        if (!bound) bound = random_attribute(spec.name, types, attributes);
        attributes.set(spec.name, *bound);
      }
    }
    Diagnostics unheard;
    const auto id = builder_.try_apply(definition, operands, std::move(attributes), unheard);
    if (!id) return std::nullopt;
    return function_.op(*id).results[0];
  }

  Type operand_type(const ir::OpDefinition& definition, std::size_t k, Type like) {
    if (definition.name == "select" && k == 0) {
      return (like.valid() ? like : random_type()).with_dtype(DType::bool_);
    }
    if (definition.name == "pad" && k == 1) return Type::scalar(dtype_);
    return like;
  }

  const ir::OpDefinition& any_elementwise(std::size_t arity) {
    static const char* const unary[] = {"neg", "exp", "abs", "cast", "not"};
    static const char* const binary[] = {"add", "mul", "sub", "max", "compare"};
    static const char* const ternary[] = {"fma", "select"};
    return ir::op(arity == 1 ? unary[below(random_, 5)] : arity == 2 ? binary[below(random_, 5)] : ternary[below(random_, 2)]);
  }

  Integers random_integers(int count, int low, int high) {
    Integers out;
    for (int k = 0; k < count; ++k) out.push_back(low + below(random_, high - low + 1));
    return out;
  }

  Integers random_axes(int rank) {
    Integers axes;
    for (int axis = 0; axis < rank; ++axis) {
      if (below(random_, 2)) axes.push_back(axis);
    }
    return axes;
  }

  AttributeValue random_attribute(std::string_view name, const std::vector<Type>& operands, const ir::Attributes& so_far) {
    const Type x = operands.empty() ? Type() : operands[0];
    const int rank = x.valid() ? x.rank() : 0;
    if (name == "permutation") {
      Integers permutation;
      for (int axis = 0; axis < rank; ++axis) permutation.push_back(axis);
      if (below(random_, 4)) std::ranges::shuffle(permutation, random_);
      return permutation;
    }
    if (name == "axes") return random_axes(rank);
    if (name == "kind") return std::string(std::vector{"sum", "max", "min", "prod"}[static_cast<std::size_t>(below(random_, 4))]);
    if (name == "order") return std::string(below(random_, 2) ? "ascending" : "lanes");
    if (name == "direction") return std::string(std::vector{"eq", "ne", "lt", "le", "gt", "ge"}[static_cast<std::size_t>(below(random_, 6))]);
    if (name == "dtype") return std::vector{DType::f32, DType::f64, DType::f16, DType::i32, DType::i64, DType::u8, DType::bool_}[static_cast<std::size_t>(below(random_, 7))];
    if (name == "axis") return std::int64_t{rank == 0 ? 0 : below(random_, rank)};
    if (name == "starts" || name == "low" || name == "high") return random_integers(rank, 0, below(random_, 3));
    if (name == "interior") return random_integers(rank, 0, below(random_, 3) / 2);
    if (name == "strides") return random_integers(rank, 1, 2);
    if (name == "limits") {
      Integers limits;
      for (int axis = 0; axis < rank; ++axis) limits.push_back(std::max<std::int64_t>(0, x.dim(axis).value() - below(random_, 2)));
      return limits;
    }
    if (name == "dims") {
      Integers dims;
      std::int64_t next = below(random_, 2);
      for (int axis = 0; axis < rank; ++axis, next += 1 + below(random_, 2)) dims.push_back(next);
      return dims;
    }
    if (name == "shape") return random_shape(x, so_far);
    if (name.ends_with("batch") || name.ends_with("contract")) return random_dot_axes(name, operands, so_far);
    return std::int64_t{0};
  }

  // Of a broadcast if its dims are known, else of a reshape.
  Dims random_shape(Type x, const ir::Attributes& so_far) {
    Dims shape(x.dims().begin(), x.dims().end());
    const AttributeValue* dims = so_far.find("dims");
    if (dims == nullptr) {
      if (below(random_, 3) == 0) return shape;
      if (below(random_, 2)) shape.insert(shape.begin() + below(random_, static_cast<int>(shape.size()) + 1), Dim(1));
      else if (x.is_static()) shape = {Dim(x.element_count())};
      return shape;
    }
    const Integers& to = std::get<Integers>(*dims);
    Dims out(static_cast<std::size_t>((to.empty() ? 0 : to.back() + 1) + below(random_, 2)), Dim(1));
    for (Dim& dim : out) dim = Dim(1 + below(random_, 3));
    for (std::size_t k = 0; k < to.size(); ++k) {
      if (shape[k] != Dim(1) || below(random_, 2)) out[static_cast<std::size_t>(to[k])] = shape[k];
    }
    return out;
  }

  // Attributes come in the definition's order: lhs_batch, rhs_batch, lhs_contract, rhs_contract.
  AttributeValue random_dot_axes(std::string_view name, const std::vector<Type>& operands, const ir::Attributes& so_far) {
    const bool left = name.starts_with("lhs"), batch = name.ends_with("batch");
    const Type side = operands[left ? 0 : 1];
    Integers taken;
    if (!batch) taken = so_far.integers(left ? "lhs_batch" : "rhs_batch");
    Integers out;
    if (left) {
      const int count = batch ? below(random_, 4) / 3 : 1 + below(random_, 2);
      for (int k = 0; k < count && side.rank() > 0; ++k) {
        const std::int64_t axis = below(random_, side.rank());
        if (std::ranges::find(taken, axis) == taken.end() && std::ranges::find(out, axis) == out.end()) out.push_back(axis);
      }
      return out;
    }
    for (std::int64_t partner : so_far.integers(batch ? "lhs_batch" : "lhs_contract")) {
      for (int axis = 0; axis < side.rank(); ++axis) {
        if (side.dim(axis) != operands[0].dim(static_cast<int>(partner))) continue;
        if (std::ranges::find(taken, axis) != taken.end() || std::ranges::find(out, axis) != out.end()) continue;
        out.push_back(axis);
        break;
      }
    }
    return out;
  }

  const Rule& rule_;
  Random& random_;
  ir::Function function_{"f", ir::FunctionKind::func};
  ir::Builder builder_;
  DType dtype_ = DType::f32;
  Dims shape_;
  std::vector<ir::ValueId> values_;
  std::vector<std::optional<AttributeValue>> attributes_;
};

// R rules meet moderate numbers, which over the reals are within every condition; the others meet everything.
LiteralPtr random_elements(Type type, Tag tag, Random& random) {
  if (tag == Tag::same_over_reals && is_floating(type.dtype())) return testing_support::random_literal(type, random, 0.5, 2);
  constexpr double inf = std::numeric_limits<double>::infinity();
  const double special[] = {0.0, -0.0, 1, -1, inf, -inf, std::nan(""), 1e-40, -1e-310, 65504, 3e38, 1.7e308, 0.3, -2.5, 127, -128};
  std::vector<std::byte> bytes(type.bytes());
  std::normal_distribution<double> normal(0, 3);
  const std::size_t size = byte_size(type.dtype());
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    double value = below(random, 2) ? special[below(random, 16)] : normal(random);
    if (is_boolean(type.dtype())) value = below(random, 2);
    element_from_double(type.dtype(), value, bytes.data() + at);
  }
  return Literal::make(type, bytes);
}

testing::AssertionResult equal_under(Tag tag, const LiteralPtr& before, const LiteralPtr& after) {
  const std::size_t size = byte_size(before->type().dtype());
  const std::vector<std::byte> a = before->dense_bytes(), b = after->dense_bytes();
  double scale = 1;
  for (std::size_t at = 0; at < a.size(); at += size) {
    scale = std::max(scale, std::abs(element_to_double(before->type().dtype(), a.data() + at)));
  }
  for (std::size_t at = 0; at < a.size(); at += size) {
    if (std::memcmp(a.data() + at, b.data() + at, size) == 0) continue;
    const double x = element_to_double(before->type().dtype(), a.data() + at);
    const double y = element_to_double(before->type().dtype(), b.data() + at);
    if (is_floating(before->type().dtype())) {
      if (std::isnan(x) && std::isnan(y)) continue;
      if (tag >= Tag::same_but_sign_of_zero && x == 0 && y == 0) continue;
      if (tag == Tag::same_over_reals && std::abs(x - y) <= 1e-12 * scale) continue;
    }
    return testing::AssertionFailure() << "element " << at / size << ": " << x << " before, " << y << " after, "
                                       << before->type().text();
  }
  return testing::AssertionSuccess();
}

// True if the rule applied.
bool check_instance(const Rule& rule, Random& random) {
  LeftSide side(rule, random);
  const std::optional<ir::OpId> root = side.write();
  if (!root) return false;
  ir::Function& function = side.function();
  std::optional<RuleMatch> found = match(rule, function, *root);
  if (!found) return false;
  ir::Module module;
  module.add(ir::clone(function, "before"));
  DType dtype = function.type(function.op(*root).results[0]).dtype();
  for (ir::ValueId operand : function.op(*root).operands) {
    if (is_floating(function.type(operand).dtype())) dtype = function.type(operand).dtype();
  }
  Diagnostics diagnostics;
  PassContext context{.diagnostics = diagnostics};
  Rewriter rewriter(module, function, context);
  const auto value = build_replacement(rule, *found, rewriter, function);
  if (!value) return false;
  rewriter.replace(*root, {*value}, rule.name);
  EXPECT_TRUE(ir::verify(function, &module, diagnostics)) << rule.text << "\n" << diagnostics.render();
  module.add(ir::clone(function, "after"));
  std::vector<LiteralPtr> arguments;
  const Tag tag = rule.tag(dtype);
  for (Type type : function.parameter_types()) arguments.push_back(random_elements(type, tag, random));
  const auto before = testing_support::run(module, "before", arguments);
  const auto after = testing_support::run(module, "after", arguments);
  EXPECT_TRUE(equal_under(tag, before[0], after[0])) << rule.text;
  return true;
}

class EveryRule : public testing::TestWithParam<std::size_t> {};

TEST_P(EveryRule, HoldsUnderItsTag) {
  const Rule& rule = all_rules()[GetParam()];
  Random random(GetParam() + 1);
  constexpr int kWanted = 40, kAttempts = 60000;
  int applied = 0;
  for (int attempt = 0; attempt < kAttempts && applied < kWanted && !HasFailure(); ++attempt) {
    applied += check_instance(rule, random);
  }
  EXPECT_GE(applied, kWanted) << "too few random instances: " << rule.text;
}

INSTANTIATE_TEST_SUITE_P(Rules, EveryRule, testing::Range<std::size_t>(0, all_rules().size()), [](const auto& info) {
  std::string name = all_rules()[info.param].name;
  std::ranges::replace(name, '.', '_');
  return name;
});

TEST(Rules, AreManyAndNamedOnce) {
  EXPECT_GE(all_rules().size(), 60u);
  std::set<std::string> names;
  for (const Rule& rule : all_rules()) {
    EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
    EXPECT_EQ(find_rule(rule.name), &rule);
  }
  EXPECT_EQ(find_rule("no.such"), nullptr);
}

TEST(Rules, PrintAsTheyAreWritten) {
  EXPECT_EQ(find_rule("add.zero")->text, "rule add.zero : Z, int B add(%x, 0) => %x");
  for (const Rule& rule : all_rules()) {
    Diagnostics diagnostics;
    const auto again = parse_rules(rule.text, "text", diagnostics);
    ASSERT_TRUE(again.has_value()) << diagnostics.render();
    EXPECT_EQ(again->at(0).text, rule.text);
  }
}

TEST(Rules, SayWhatIsWrongWithThem) {
  const auto complaint = [](std::string_view text) {
    Diagnostics diagnostics;
    EXPECT_FALSE(parse_rules(text, "my.hyr", diagnostics).has_value()) << text;
    return diagnostics.render();
  };
  EXPECT_EQ(complaint("rule a : B  add(%x, %y) => sub(%x, %z)"),
            "my.hyr:1:36: error: rule a: the value is not bound on the left, at '%z' [rule.syntax]\n"
            "rule a : B  add(%x, %y) => sub(%x, %z)\n"
            "                                   ^~\n"
            "  hint: hyperion-opt explain rule.syntax\n");
  for (const char* text : {"rul a", "rule", "rule a", "rule a :", "rule a : Q add(%x,%y) => %x", "rule a : B %x => %x",
                           "rule a : B nosuch(%x) => %x", "rule a : B neg(%x) => ", "rule a : B neg(%x) => %x if odd(%x)",
                           "rule a : B neg(%x) => %x if floating()", "rule a : B transpose(%x) {axis = p} => %x",
                           "rule a : B neg(%x) => transpose(%x) {permutation = q}", "rule a : B neg(%x) => %x %x",
                           "rule a : B, int neg(%x) => %x", "rule a : B neg(%x"}) {
    EXPECT_NE(complaint(text).find("[rule.syntax]"), std::string::npos) << text;
  }
}

TEST(RuleFunctions, AreDocumentedAndUsed) {
  std::string all;
  for (const Rule& rule : all_rules()) all += rule.text;
  for (const Rule& rule : layout_rules()) all += rule.text;
  for (const RuleFunction& function : all_rule_functions()) {
    EXPECT_FALSE(function.doc.empty()) << function.name;
    EXPECT_NE(all.find(std::string(function.name) + "("), std::string::npos) << function.name;
  }
}

}  // namespace
}  // namespace hyperion::passes

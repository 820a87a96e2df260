// describe.cpp: `list` and `explain`: pages generated from the registries, so that they cannot
// drift.
#include <algorithm>

#include "codegen/llvm/target.hpp"
#include "frontend/error.hpp"
#include "ir/logic/scalar_program.hpp"
#include "ir/op_definition.hpp"
#include "ir/support/format.hpp"
#include "ir/support/json.hpp"
#include "ir/support/suggest.hpp"
#include "ir/text/print.hpp"
#include "passes/pipelines.hpp"
#include "passes/simplify/rule.hpp"
#include "tools/opt_driver/commands.hpp"
#include "tools/opt_driver/example.hpp"

namespace hyperion::tools {
namespace {

struct Row {
  std::string name, detail, doc;
};

std::vector<Row> list_ops() {
  std::vector<Row> rows;
  for (const ir::OpDefinition* op : ir::all_ops()) {
    rows.push_back(
        {std::string(op->name), std::string(ir::group_name(op->group)), std::string(op->doc)});
  }
  return rows;
}

std::vector<Row> list_passes() {
  std::vector<Row> rows;
  for (const passes::PassDefinition* pass : passes::all_passes()) {
    rows.push_back({std::string(pass->name), format("{} options", pass->options.size()),
                    std::string(pass->doc)});
  }
  return rows;
}

std::string tag_text(const passes::Rule& rule) {
  const std::string floats(passes::tag_letter(rule.float_tag));
  if (rule.float_tag == rule.integer_tag) return floats;
  return format("{}, int {}", floats, passes::tag_letter(rule.integer_tag));
}

std::vector<Row> list_rules() {
  std::vector<Row> rows;
  for (const passes::Rule& rule : passes::all_rules())
    rows.push_back({rule.name, tag_text(rule), rule.text});
  return rows;
}

// Of the compiler, then those that C++ programs meet when they record.
std::vector<DiagnosticInfo> all_diagnostics() {
  std::vector<DiagnosticInfo> all(diagnostic_catalogue().begin(), diagnostic_catalogue().end());
  const std::vector<DiagnosticInfo>& recorded = frontend::frontend_diagnostics();
  all.insert(all.end(), recorded.begin(), recorded.end());
  return all;
}

std::vector<Row> list_diagnostics() {
  std::vector<Row> rows;
  for (const DiagnosticInfo& info : all_diagnostics()) {
    rows.push_back({std::string(info.id), "", std::string(info.summary)});
  }
  for (const ir::OpDefinition* op : ir::all_ops()) {
    for (const ir::ConstraintSpec& constraint : op->constraints) {
      rows.push_back({format("{}.{}", op->name, constraint.id), "", std::string(constraint.rule)});
    }
  }
  return rows;
}

std::vector<Row> list_primitives() {
  std::vector<Row> rows;
#define HYP_PRIMITIVE(name, arity, semantics)                           \
  rows.push_back({std::string(ir::primitive_name(ir::Primitive::name)), \
                  format("{} operands", arity), semantics});
#include "ir/logic/primitives.def"
#undef HYP_PRIMITIVE
  return rows;
}

// Of the default pipeline: the places that --stop-after and plugins name.
std::vector<Row> list_phases() {
  std::vector<Row> rows;
  std::vector<std::string> passes;
  const passes::Pipeline pipeline = passes::strict_pipeline();
  for (const passes::Step& step : pipeline.steps()) {
    if (!step.is_phase()) {
      passes.emplace_back(step.pass->name);
      continue;
    }
    rows.push_back(
        {"@" + step.phase, "",
         passes.empty() ? "before the first pass" : format("after {}", fmt::join(passes, ", "))});
    passes.clear();
  }
  return rows;
}

std::vector<Row> list_targets() {
  std::vector<Row> rows;
  for (std::string_view name : codegen::target_names()) {
    const codegen::CpuTarget target = *codegen::named_target(name);
    rows.push_back({std::string(name), format("{}-bit vectors", target.vector_bits),
                    format("{}, {}", target.triple, target.cpu)});
  }
  return rows;
}

struct Listing {
  std::string_view subject;
  std::vector<Row> (*rows)();
  bool has_pages = false;  // `explain` knows the names
};
constexpr Listing kListings[] = {{"ops", list_ops, true},
                                 {"passes", list_passes, true},
                                 {"phases", list_phases},
                                 {"rules", list_rules, true},
                                 {"diagnostics", list_diagnostics, true},
                                 {"primitives", list_primitives},
                                 {"targets", list_targets}};

std::string aligned(const std::vector<Row>& rows) {
  std::size_t name = 0, detail = 0;
  for (const Row& row : rows) {
    name = std::max(name, row.name.size());
    detail = std::max(detail, row.detail.size());
  }
  std::string out;
  for (const Row& row : rows) {
    out += format("{:<{}}", row.name, name);
    if (detail != 0) out += format("  {:<{}}", row.detail, detail);
    out += format("  {}\n", row.doc);
  }
  return out;
}

std::string json(std::string_view subject, const std::vector<Row>& rows) {
  std::vector<std::string> objects;
  for (const Row& row : rows) {
    objects.push_back(json_object({{"name", json_string(row.name)},
                                   {"detail", json_string(row.detail)},
                                   {"doc", json_string(row.doc)}}));
  }
  return json_document("list", {{"subject", json_string(subject)}, {"rows", json_array(objects)}});
}

std::string_view kind_name(ir::AttributeKind kind) {
  constexpr std::string_view names[] = {"boolean",  "integer", "real",   "text",   "dtype",
                                        "integers", "dims",    "symbol", "literal"};
  return names[static_cast<std::size_t>(kind)];
}

std::string attribute_section(std::string_view title, const std::vector<ir::AttributeSpec>& specs) {
  if (specs.empty()) return {};
  std::vector<Row> rows;
  for (const ir::AttributeSpec& spec : specs) {
    const std::string value =
        spec.default_value ? " = " + ir::text(*spec.default_value) : std::string();
    rows.push_back({format("  {}", spec.name), format("{}{}", kind_name(spec.kind), value),
                    std::string(spec.doc)});
  }
  return format("\n{}\n{}", title, aligned(rows));
}

std::string traits(const ir::OpDefinition& op) {
  std::vector<std::string> words;
  if (op.is_composite()) words.push_back("composite: written in other ops");
  if (op.is_elementwise) words.push_back("elementwise");
  if (op.is_commutative) words.push_back("commutative");
  if (!op.is_pure) words.push_back("has an effect");
  if (op.linearity == ir::Linearity::jointly)
    words.push_back("linear in its linear operands together");
  if (op.linearity == ir::Linearity::separately) words.push_back("linear in each linear operand");
  if (!op.differentiable()) words.push_back("derivative zero");
  if (op.ulp_f32 != 0)
    words.push_back(format("within {} ulp in f32, {} in f64", op.ulp_f32, op.ulp_f64));
  return words.empty() ? std::string() : format("\nproperties\n  {}\n", fmt::join(words, "; "));
}

// "  where %x: f32[4, 6], %w: f32[6, 10]"
std::string operand_types(const Example& example) {
  std::string out;
  for (ir::ValueId parameter : example.function->parameters()) {
    const ir::ValueData& value = example.function->value(parameter);
    out += format("{}%{}: {}", out.empty() ? "  where " : ", ", value.name, value.type.text());
  }
  return out.empty() ? out : out + "\n";
}

std::string op_page(const ir::OpDefinition& op) {
  std::string out = format("{} ({} op)\n  {}\n", op.name, ir::group_name(op.group), op.doc);
  if (!op.operands.empty()) {
    std::vector<Row> rows;
    for (const ir::OperandSpec& operand : op.operands) {
      rows.push_back({format("  {}{}", operand.name, operand.variadic ? "..." : ""),
                      operand.linear ? "linear" : "", std::string(operand.doc)});
    }
    out += "\noperands\n" + aligned(rows);
  }
  out += attribute_section("attributes", op.attributes);
  if (!op.constraints.empty()) {
    out += "\nconstraints\n";
    for (const ir::ConstraintSpec& constraint : op.constraints) {
      out += format("  {}.{}  {}\n", op.name, constraint.id, constraint.rule);
    }
  }
  out += traits(op);
  const std::optional<Example> example = example_module(op);
  const std::string definition = example ? example_definition(*example) : std::string();
  if (!definition.empty()) out += "\ndefinition, for the example\n" + definition;
  if (!example) return out + format("\nexample\n  {}\n", op.example);
  return out + format("\nexample\n  {}\n", ir::print_op(*example->function, example->op)) +
         operand_types(*example);
}

std::string pass_page(const passes::PassDefinition& pass) {
  return format("{} (pass)\n  {}\n", pass.name, pass.doc) +
         attribute_section("options", pass.options);
}

std::string rule_page(const passes::Rule& rule) {
  return format(
      "{} (rewrite rule, {})\n  {}\n\n"
      "  B keeps every bit, Z all but the sign of zero, R the value over the real numbers. The "
      "policy of a\n"
      "  pipeline says how far its rules may go: strict is B, fast is R.\n",
      rule.name, tag_text(rule), rule.text);
}

// The page of any id or name; empty if there is none.
std::string page(const std::string& name) {
  if (const ir::OpDefinition* op = ir::find_op(name)) return op_page(*op);
  if (const passes::PassDefinition* pass = passes::find_pass(name)) return pass_page(*pass);
  if (const passes::Rule* rule = passes::find_rule(name)) return rule_page(*rule);
  for (const DiagnosticInfo& info : all_diagnostics()) {
    if (info.id == name)
      return format("{} (diagnostic)\n  {}\n\n  {}\n", info.id, info.summary, info.explanation);
  }
  const std::size_t dot = name.rfind('.');
  const ir::OpDefinition* op =
      dot == std::string::npos ? nullptr : ir::find_op(name.substr(0, dot));
  if (op == nullptr) return {};
  for (const ir::ConstraintSpec& constraint : op->constraints) {
    if (constraint.id == name.substr(dot + 1)) {
      return format("{} (constraint of {})\n  {}\n\n{}", name, op->name, constraint.rule,
                    op_page(*op));
    }
  }
  return {};
}

}  // namespace

OptResult list_command(const OptConfig& config) {
  std::vector<std::string_view> known;
  for (const Listing& listing : kListings) {
    if (listing.subject == config.subject) {
      const std::vector<Row> rows = listing.rows();
      return {kExitGood, config.json ? json(listing.subject, rows) : aligned(rows), ""};
    }
    known.push_back(listing.subject);
  }
  return {kExitUsage, "",
          format("error: nothing to list called '{}'{}; there are {}\n", config.subject,
                 did_you_mean(config.subject, known), fmt::join(known, ", "))};
}

OptResult explain_command(const OptConfig& config) {
  std::string text = page(config.subject);
  if (!text.empty() && config.json) {
    text = json_document("explain",
                         {{"name", json_string(config.subject)}, {"page", json_string(text)}});
  }
  if (!text.empty()) return {kExitGood, std::move(text), ""};
  std::vector<std::string> names;
  std::vector<std::string_view> listings;
  for (const Listing& listing : kListings) {
    if (!listing.has_pages) continue;
    listings.push_back(listing.subject);
    for (Row& row : listing.rows()) names.push_back(std::move(row.name));
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  return {kExitUsage, "",
          format("error: nothing is called '{}'{}\n  hint: hyperion-opt list {}\n", config.subject,
                 did_you_mean(config.subject, known), fmt::join(listings, "|"))};
}

}  // namespace hyperion::tools

#include "ir/text/print.hpp"

#include <algorithm>
#include <map>

#include "ir/support/format.hpp"
#include "ir/support/quote.hpp"
#include "ir/text/element_text.hpp"
#include "ir/text/lexer.hpp"
#include "ir/text/value_names.hpp"

namespace hyperion::ir {
namespace {

// One line in three parts that align with their neighbours': "%0 = dot %x, %w {...}", ": f32[32,
// 10]", "loc(...)".
struct Line {
  std::string head, types, location, comment;
};

std::string type_list(const std::vector<Type>& types) {
  std::string out;
  for (Type type : types) out += (out.empty() ? "" : ", ") + type.text();
  return out;
}

// The constants too long to print inline, by hash: the text of the `constants` section is a
// function of the set.
using Pool = std::map<std::string, LiteralPtr>;

std::string literal_payload(const LiteralPtr& literal, Pool* pool) {
  const DType dtype = literal->type().dtype();
  if (literal->is_splat()) return element_text(dtype, literal->stored_bytes().data());
  const std::int64_t count = literal->type().element_count();
  if (count > kMaxInlineElements) {
    const std::string hash = literal->hash().hex();
    if (pool != nullptr) pool->emplace(hash, literal);
    return quoted(hash);
  }
  std::string out = "[";
  for (std::int64_t i = 0; i < count; ++i) {
    out += (i == 0 ? "" : ", ") + element_text(dtype, literal->element(i).data());
  }
  return out + "]";
}

std::string attribute_text(const AttributeValue& value, bool declared, Pool* pool) {
  switch (kind_of(value)) {
    case AttributeKind::real:
      return element_text(DType::f64, reinterpret_cast<const std::byte*>(&std::get<double>(value)));
    case AttributeKind::symbol:
      return spell_name('@', std::get<SymbolReference>(value).name);
    case AttributeKind::literal: {
      const LiteralPtr& literal = std::get<LiteralPtr>(value);
      return format("literal {} : {}", literal_payload(literal, pool), literal->type().text());
    }
    // Without a declaration, only the word tells dims from integers.
    case AttributeKind::dims:
      return (declared ? "" : "dims ") + text(value);
    default:
      return text(value);
  }
}

class FunctionPrinter {
 public:
  FunctionPrinter(const Function& function, const PrintOptions& options, Pool* pool)
      : function_(function), options_(options), pool_(pool), names_(function) {}

  std::string run(std::size_t indent) {
    out_ = header(indent) + " {\n";
    block(function_.body(), indent + 2);
    return out_ + std::string(indent, ' ') + "}\n";
  }

  std::string one(OpId id) {
    const Line line = parts(id);
    std::string text = line.head;
    if (!line.types.empty()) text += " " + line.types;
    if (!line.location.empty()) text += " " + line.location;
    return text;
  }

 private:
  std::string location_text(Location location) const {
    return options_.locations && location.known() ? format("loc({})", location.text())
                                                  : std::string();
  }

  std::string header(std::size_t indent) const {
    const bool kernel = function_.kind == FunctionKind::kernel;
    std::vector<std::string> parameters;
    for (std::size_t k = 0; k < function_.parameters().size(); ++k) {
      constexpr std::string_view roles[] = {"in ", "out ", "inout "};
      const ValueData& value = function_.value(function_.parameters()[k]);
      const std::string where = location_text(value.location);
      parameters.push_back(format("{}: {}{}{}{}", names_[function_.parameters()[k]],
                                  kernel ? roles[static_cast<std::size_t>(function_.roles[k])] : "",
                                  value.type.text(), where.empty() ? "" : " ", where));
    }
    const std::string begin = format("{}{} {}(", std::string(indent, ' '),
                                     kernel ? "kernel" : "func", spell_name('@', function_.name));
    std::string end = ")";
    if (function_.is_complete() && !function_.results().empty()) {
      end += " -> " + type_list(function_.result_types());
    }
    if (!function_.attributes.empty())
      end += " attributes " + attributes(function_.attributes, nullptr);
    if (const std::string where = location_text(function_.location); !where.empty())
      end += " " + where;
    const std::string line = format("{}{}{}", begin, fmt::join(parameters, ", "), end);
    if (line.size() + 2 <= kMaxHeaderColumns || parameters.empty()) return line;
    const std::string separator = ",\n" + std::string(indent + 4, ' ');
    return format("{}\n{}{}{}", begin, separator.substr(2), fmt::join(parameters, separator), end);
  }

  // "{a = 1, b = 2}", or nothing. `skipped` are attributes with a spelling of their own.
  std::string attributes(const Attributes& all, const OpDefinition* definition,
                         std::string_view skipped = {}) const {
    std::string out;
    for (const auto& [name, value] : all) {
      if (name == skipped) continue;
      const AttributeSpec* spec = definition == nullptr ? nullptr : definition->attribute(name);
      if (spec != nullptr && spec->default_value && !options_.defaults &&
          equal(value, *spec->default_value))
        continue;
      out += format("{}{} = {}", out.empty() ? "" : ", ", name,
                    attribute_text(value, spec != nullptr, pool_));
    }
    return out.empty() ? out : "{" + out + "}";
  }

  std::string operand_list(const Op& op) const {
    std::string out;
    for (ValueId operand : op.operands) out += (out.empty() ? "" : ", ") + names_[operand];
    return out;
  }

  Line parts(OpId id) const {
    const Op& op = function_.op(id);
    Line line;
    for (ValueId result : op.results) line.head += (line.head.empty() ? "" : ", ") + names_[result];
    if (!op.results.empty()) line.head += " = ";
    line.head += op.name();
    std::string_view spelled;  // the attribute that has a place of its own
    if (op.is("constant")) {
      spelled = "value";
      line.head += " " + literal_payload(op.attributes.literal(spelled), pool_);
    } else if (const AttributeValue* callee = op.attributes.find("callee");
               callee != nullptr && kind_of(*callee) == AttributeKind::symbol) {
      spelled = "callee";
      line.head +=
          format(" {}({})", spell_name('@', op.attributes.symbol(spelled)), operand_list(op));
    } else if (!op.operands.empty()) {
      line.head += " " + operand_list(op);
    }
    const std::string all = attributes(op.attributes, op.definition, spelled);
    if (!all.empty()) line.head += " " + all;
    std::vector<Type> types;
    for (ValueId result : op.results) types.push_back(function_.type(result));
    if (!types.empty()) line.types = ": " + type_list(types);
    line.location = location_text(op.location);
    if (options_.users) line.comment = users(op);
    return line;
  }

  // Order of uses is never observable: users print in the order of the text.
  std::string users(const Op& op) const {
    std::vector<std::string> found;
    for (ValueId result : op.results) {
      for (Use use : function_.value(result).uses) {
        const Op& user = function_.op(use.op);
        found.push_back(user.results.empty() ? std::string(user.name()) : names_[user.results[0]]);
      }
    }
    if (found.empty()) return {};
    std::ranges::sort(found, [](const std::string& a, const std::string& b) {
      return std::pair(a.size(), a) < std::pair(b.size(), b);
    });
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return format("// used by {}", fmt::join(found, ", "));
  }

  void flush(std::vector<Line>& lines, std::size_t indent) {
    const auto widest = [&](auto width) {
      std::size_t most = 0;
      for (const Line& line : lines) {
        const std::size_t own = width(line);
        if (own <= kAlignedColumns) most = std::max(most, own);
      }
      return most;
    };
    const auto pad = [](std::string& text, std::size_t width) {
      if (text.size() < width) text.resize(width, ' ');
    };
    const std::size_t head =
        widest([](const Line& l) { return l.types.empty() ? 0 : l.head.size(); });
    std::vector<std::string> bodies;
    for (const Line& line : lines) {
      std::string body = line.head;
      if (!line.types.empty()) {
        pad(body, head);
        body += " " + line.types;
      }
      bodies.push_back(std::move(body));
    }
    std::size_t width = 0;
    for (const std::string& body : bodies) {
      if (body.size() <= 2 * kAlignedColumns) width = std::max(width, body.size());
    }
    for (std::size_t k = 0; k < lines.size(); ++k) {
      std::string& body = bodies[k];
      for (const std::string* part : {&lines[k].location, &lines[k].comment}) {
        if (part->empty()) continue;
        if (part == &lines[k].location) pad(body, width);
        body += "   " + *part;
      }
      out_ += std::string(indent, ' ') + body + "\n";
    }
    lines.clear();
  }

  // The text in order, with an explicit stack of open blocks.
  void block(BlockId root, std::size_t indent) {
    struct Frame {
      OpId op;
      std::size_t next_block = 0;
    };
    std::vector<Frame> stack{{function_.block(root).first, 0}};
    std::vector<Line> lines;
    while (!stack.empty()) {
      const std::size_t depth = indent + 2 * (stack.size() - 1);
      Frame& frame = stack.back();
      if (!frame.op.valid()) {
        flush(lines, depth);
        stack.pop_back();
        if (!stack.empty()) out_ += std::string(depth - 2, ' ') + "}";
        continue;
      }
      const Op& op = function_.op(frame.op);
      if (op.blocks.empty()) {
        if (!names_.is_inline(frame.op)) lines.push_back(parts(frame.op));
        frame.op = op.next;
      } else if (frame.next_block == op.blocks.size()) {
        out_ += "\n";
        frame = {op.next, 0};
      } else {
        flush(lines, depth);
        if (frame.next_block == 0) out_ += std::string(depth, ' ') + one(frame.op);
        const BlockId inner = op.blocks[frame.next_block++];
        out_ += " " + block_arguments(inner) + " {\n";
        stack.push_back({function_.block(inner).first, 0});
      }
    }
  }

  std::string block_arguments(BlockId id) const {
    std::vector<std::string> arguments;
    for (ValueId argument : function_.block(id).arguments) {
      arguments.push_back(format("{}: {}", names_[argument], function_.type(argument).text()));
    }
    return format("({})", fmt::join(arguments, ", "));
  }

  const Function& function_;
  const PrintOptions& options_;
  Pool* pool_;
  ValueNames names_;
  std::string out_;
};

// Thirty-two bytes a line: 64 digits, which leaves room for the indentation.
constexpr std::size_t kBytesPerLine = 32;

std::string constants_section(const Pool& pool) {
  if (pool.empty()) return {};
  std::string out = "constants {\n";
  for (const auto& [hash, literal] : pool) {
    out += format("  \"{}\" =\n", hash);
    const auto bytes = literal->stored_bytes();
    for (std::size_t at = 0; at < bytes.size(); at += kBytesPerLine) {
      out += "    \"";
      for (std::byte b : bytes.subspan(at, std::min(kBytesPerLine, bytes.size() - at))) {
        out += format("{:02x}", static_cast<unsigned>(b));
      }
      out += "\"\n";
    }
  }
  return out + "}\n";
}

}  // namespace

std::string print(const Module& module, const PrintOptions& options) {
  Pool pool;
  std::string out = format("hyperion 1\nmodule {} {{\n", spell_name('@', module.name));
  for (const auto& function : module.functions())
    out += FunctionPrinter(*function, options, &pool).run(2);
  return out + "}\n" + constants_section(pool);
}

std::string print(const Function& function, const PrintOptions& options) {
  return FunctionPrinter(function, options, nullptr).run(0);
}

std::string print_op(const Function& function, OpId op, const PrintOptions& options) {
  return FunctionPrinter(function, options, nullptr).one(op);
}

}  // namespace hyperion::ir

#include "ir/text/function_parser.hpp"

#include "ir/support/format.hpp"
#include "ir/support/suggest.hpp"
#include "ir/text/parse.hpp"

namespace hyperion::ir {

std::string FunctionParser::key(const Token& value) {
  return (value.is_numbered() ? "#" : "%") + value.name();
}

bool FunctionParser::run(const FunctionPlan& plan) {
  const std::size_t errors_before = reader_.diagnostics().error_count();
  reader_.seek(plan.begin, plan.end);
  open_.push_back({function_.body(), {}});
  if (header()) body();
  return reader_.diagnostics().error_count() == errors_before;
}

// ---- header
// ---------------------------------------------------------------------------------------------------

Result<> FunctionParser::header() {
  reader_.next();  // func or kernel
  reader_.next();  // @name
  HYP_TRY_VOID(reader_.expect('(', "before the parameters"));
  if (!reader_.accept(')')) {
    do {
      HYP_TRY_VOID(parameter());
    } while (reader_.accept(','));
    HYP_TRY_VOID(reader_.expect(')', "after the parameters"));
  }
  result_range_ = reader_.peek().range();
  if (reader_.peek().kind == TokenKind::arrow) {
    reader_.next();
    const Token first = reader_.peek();
    HYP_TRY(result_types_, reader_.types());
    result_range_ = Reader::piece(first, reader_.previous()).range;
  }
  if (reader_.accept_word("attributes")) {
    HYP_TRY(function_.attributes, reader_.attributes(nullptr));
  }
  HYP_TRY(function_.location, reader_.location());
  return reader_.expect('{', "before the function's ops");
}

Result<> FunctionParser::parameter() {
  const Token name = reader_.peek();
  if (name.kind != TokenKind::value) return reader_.expected("a parameter such as %x");
  reader_.next();
  HYP_TRY_VOID(reader_.expect(':', "before the parameter's type"));
  ParameterRole role = ParameterRole::in;
  if (function_.kind == FunctionKind::kernel) {
    if (reader_.accept_word("out"))
      role = ParameterRole::out;
    else if (reader_.accept_word("inout"))
      role = ParameterRole::in_out;
    else if (!reader_.accept_word("in"))
      return reader_.expected("in, out or inout");
  }
  HYP_TRY(const Type type, reader_.type());
  HYP_TRY(const Location location, reader_.location());
  const ValueId value = function_.add_parameter(
      type, name.is_numbered() ? std::string() : name.name(), location, role);
  return define(name, value);
}

Result<> FunctionParser::define(const Token& name, ValueId value) {
  const auto [found, inserted] = names_.try_emplace(key(name), Known{value, name.range()});
  if (inserted) {
    open_.back().names.push_back(key(name));
    return {};
  }
  reader_.diagnostics()
      .error("parse.redefined", format("{} is defined twice", name.text), name.range())
      .note(found->second.range, "first defined here");
  return failure();
}

// ---- body
// -----------------------------------------------------------------------------------------------------

void FunctionParser::body() {
  while (!open_.empty() && reader_.diagnostics().error_count() < kMaxErrors) {
    if (reader_.at_end()) {
      (void)reader_.expected("'}' after the function's ops");
      return;
    }
    const std::size_t begin = reader_.position();
    const Result<> done = reader_.peek().is('}') ? finish_block() : op();
    if (!done) recover(begin);
  }
  check_results();
}

// Goes on with the next line outside the op's own blocks. The op is wrong, so its brackets prove
// nothing; layout tells more: a brace that opens a block ends its line, and one that closes a block
// begins its line.
void FunctionParser::recover(std::size_t op_begin) {
  reader_.seek(op_begin);
  int depth = 0;
  std::uint32_t previous_line = 0;
  while (!reader_.at_end()) {
    const Token token = reader_.peek();
    const bool begins_line = token.line != previous_line;
    const bool is_first = reader_.position() == op_begin;
    if (begins_line && !is_first && depth == 0) return;
    reader_.next();
    if (token.is('{') && reader_.peek().line != token.line) ++depth;
    if (token.is('}') && begins_line && !is_first) --depth;
    previous_line = token.line;
  }
}

Result<> FunctionParser::finish_block() {
  const Open closed = std::move(open_.back());
  open_.pop_back();
  for (const std::string& name : closed.names) names_.find(name)->second.visible = false;
  reader_.next();
  const OpId owner = function_.block(closed.block).owner;
  if (owner.valid() && reader_.peek().is('(')) return open_block(owner);
  return {};
}

Result<> FunctionParser::open_block(OpId owner) {
  if (open_.size() > kMaxNesting) {
    return reader_.error("parse.limit", reader_.peek().range(),
                         format("blocks nest deeper than {}", kMaxNesting));
  }
  open_.push_back({function_.add_block(owner), {}});
  const Result<> header = block_header();
  if (!header) open_.pop_back();  // its text is passed over whole
  return header;
}

Result<> FunctionParser::block_header() {
  HYP_TRY_VOID(reader_.expect('(', "before the block's arguments"));
  if (!reader_.accept(')')) {
    do {
      const Token name = reader_.peek();
      if (name.kind != TokenKind::value) return reader_.expected("a block argument such as %i");
      reader_.next();
      HYP_TRY_VOID(reader_.expect(':', "before the argument's type"));
      HYP_TRY(const Type type, reader_.type());
      const std::string own_name = name.is_numbered() ? std::string() : name.name();
      HYP_TRY_VOID(define(name, function_.add_block_argument(open_.back().block, type, own_name)));
    } while (reader_.accept(','));
    HYP_TRY_VOID(reader_.expect(')', "after the block's arguments"));
  }
  return reader_.expect('{', "before the block's ops");
}

void FunctionParser::check_results() {
  if (reader_.diagnostics().has_errors() && !function_.is_complete())
    return;  // its cause is reported
  if (!function_.is_complete()) {
    (void)reader_.error("parse.syntax", result_range_,
                        format("{} does not end in return", spell_name('@', function_.name)));
    return;
  }
  const std::vector<Type> returned = function_.result_types();
  if (returned == result_types_) return;
  const auto list = [](const std::vector<Type>& types) {
    std::vector<std::string> texts;
    for (Type type : types) texts.push_back(type.text());
    return types.empty() ? std::string("nothing") : format("{}", fmt::join(texts, ", "));
  };
  (void)reader_.error("parse.type_mismatch", result_range_,
                      format("{} is declared to return {}, but returns {}",
                             spell_name('@', function_.name), list(result_types_), list(returned)));
}

// ---- one op: its text
// -----------------------------------------------------------------------------------------

Result<> FunctionParser::op() {
  const std::size_t begin = reader_.position();
  Result<OpText> text = op_text();
  if (!text) {
    // Whatever the op was to define is known to be wrong, so that its users stay silent.
    reader_.seek(begin);
    std::vector<Token> results;
    while (reader_.peek().kind == TokenKind::value) {
      results.push_back(reader_.next());
      if (!reader_.accept(',')) break;
    }
    if (reader_.peek().is('=')) poison(results);
    return failure();
  }
  const std::size_t errors_before = reader_.diagnostics().error_count();
  if (const Result<> built = build(*text); !built) {
    poison(text->results);
    if (reader_.diagnostics().error_count() == errors_before && !reader_.peek().is('(')) return {};
    return failure();
  }
  return reader_.peek().is('(') ? open_block(last_op_) : Result<>();
}

void FunctionParser::poison(const std::vector<Token>& results) {
  for (const Token& result : results) {
    if (names_.try_emplace(key(result), Known{{}, result.range()}).second && !open_.empty()) {
      open_.back().names.push_back(key(result));
    }
  }
}

Result<FunctionParser::OpText> FunctionParser::op_text() {
  OpText text;
  if (reader_.peek().kind == TokenKind::value) {
    do {
      if (reader_.peek().kind != TokenKind::value) return reader_.expected("the name of a result");
      text.results.push_back(reader_.next());
    } while (reader_.accept(','));
    HYP_TRY_VOID(reader_.expect('=', "after the results"));
  }
  HYP_TRY_VOID(op_head(text));
  if (reader_.peek().is('{')) {
    HYP_TRY(Attributes attributes, reader_.attributes(text.definition));
    for (const auto& [name, value] : attributes) text.attributes.set(name, value);
  }
  if (reader_.accept(':')) {
    const Token first = reader_.peek();
    HYP_TRY(text.types, reader_.types());
    text.types_range = Reader::piece(first, reader_.previous()).range;
  }
  HYP_TRY(text.location, reader_.location());
  if (!reader_.peek().is('(') && !reader_.peek().is('}') && !reader_.at_end() &&
      reader_.peek().line == text.name.line) {
    return reader_.expected("the end of the op");
  }
  return text;
}

Result<> FunctionParser::op_head(OpText& text) {
  text.name = reader_.peek();
  if (text.name.kind != TokenKind::identifier) return reader_.expected("the name of an op");
  text.definition = find_op(text.name.text);
  if (text.definition == nullptr) {
    std::vector<std::string_view> known;
    for (const OpDefinition* one : all_ops()) known.push_back(one->name);
    return reader_.error(
        "parse.unknown_op", text.name.range(),
        format("no op is called '{}'{}", text.name.text, did_you_mean(text.name.text, known)));
  }
  reader_.next();
  if (text.definition->name == "constant") {
    HYP_TRY(text.payload, reader_.payload());
    return {};
  }
  const AttributeSpec* callee = text.definition->attribute("callee");
  if (reader_.peek().kind == TokenKind::symbol && callee != nullptr) {
    text.attributes.set(callee->name, SymbolReference{reader_.next().name()});
    HYP_TRY_VOID(reader_.expect('(', "before the arguments"));
    HYP_TRY_VOID(operands(text, ')'));
    return reader_.expect(')', "after the arguments");
  }
  return operands(text, '\n');
}

// Operands up to `end`; '\n' stands for whatever follows the operands of a plain op.
Result<> FunctionParser::operands(OpText& text, char end) {
  const auto starts_operand = [&] {
    return reader_.peek().kind == TokenKind::value ||
           (reader_.at_element() && !reader_.peek().is('('));
  };
  // The next op may begin with a value, too; then it stands on another line.
  if (!starts_operand() || (end == '\n' && reader_.peek().line != text.name.line)) return {};
  do {
    Operand operand{.token = reader_.peek(), .element = {}};
    if (!starts_operand()) return reader_.expected("an operand");
    if (operand.token.kind == TokenKind::value) {
      reader_.next();
    } else {
      operand.is_literal = true;
      HYP_TRY(operand.element, reader_.element());
    }
    text.operands.push_back(operand);
  } while (reader_.accept(','));
  return {};
}

}  // namespace hyperion::ir

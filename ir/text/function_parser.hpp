// function_parser.hpp: one function of a file. Internal to the parser; the grammar is in parse.hpp.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "ir/module.hpp"
#include "ir/text/syntax.hpp"

namespace hyperion::ir {

// What the module parser knows of a function before its body is read.
struct FunctionPlan {
  std::size_t begin = 0,
              end = 0;  // tokens: from `func` or `kernel` to just after the closing brace
  Function* function = nullptr;
  std::vector<std::size_t> callees;  // other plans it refers to
  bool good = false;                 // its body has been read without an error
};

class FunctionParser {
 public:
  // Functions in `broken` have errors of their own; calls of them are passed over.
  FunctionParser(Reader& reader, const Module& module, const std::set<std::string>& broken,
                 Function& function)
      : reader_(reader), module_(module), broken_(broken), function_(function) {}

  // Reads the tokens of `plan` into the function. False if anything was reported.
  bool run(const FunctionPlan& plan);

 private:
  struct Known {
    ValueId value;      // none: its definition was wrong
    SourceRange range;  // of the definition
    bool visible = true;
  };
  struct Operand {
    Token token;    // a value, or
    Piece element;  // a literal in its place
    bool is_literal = false;
    SourceRange range() const { return is_literal ? element.range : token.range(); }
  };
  struct OpText {
    std::vector<Token> results;
    Token name;
    const OpDefinition* definition = nullptr;
    std::vector<Operand> operands;
    Payload payload;  // of a constant
    Attributes attributes;
    SourceRange types_range;
    std::vector<Type> types;  // as written; none: not written
    Location location;
  };
  struct Open {  // a block being read
    BlockId block;
    std::vector<std::string> names;  // that end with it
  };

  Result<> header();
  Result<> parameter();
  void body();
  Result<> op();
  Result<OpText> op_text();
  Result<> op_head(OpText& text);
  Result<> operands(OpText& text, char end);
  Result<> open_block(OpId owner);
  Result<> block_header();
  Result<> finish_block();
  void recover(std::size_t op_begin);
  void check_results();

  Result<> build(OpText& text);
  Result<> constant_payload(OpText& text);
  Result<bool> resolve(const OpText& text, std::vector<ValueId>& values, Type& literal_type);
  Result<> check_symbols(const OpText& text, bool& poisoned);
  Result<std::vector<Type>> infer(OpText& text, const std::vector<Type>& types);
  void explain_operands(const OpText& text, const std::vector<ValueId>& values);
  Result<> check_types(const OpText& text, const std::vector<Type>& inferred);
  Result<> name_results(const OpText& text, OpId op);
  void poison(const std::vector<Token>& results);

  static std::string key(const Token& value);
  Result<> define(const Token& name, ValueId value);

  Reader& reader_;
  const Module& module_;
  const std::set<std::string>& broken_;
  Function& function_;
  std::map<std::string, Known, std::less<>> names_;
  std::vector<Open> open_;
  std::vector<Type> result_types_;
  SourceRange result_range_;
  OpId last_op_;  // to which a following block belongs
};

}  // namespace hyperion::ir

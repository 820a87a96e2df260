// syntax.hpp: the parts of the grammar below an op: types, attributes, literals, locations.
// Internal to the parser.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/attributes.hpp"
#include "ir/op_definition.hpp"
#include "ir/support/diagnostics.hpp"
#include "ir/text/lexer.hpp"

namespace hyperion::ir {

// A stretch of the source: one element, one list.
struct Piece {
  std::string_view text;
  SourceRange range;
};

// What stands after `constant` or `literal`, before its type is known.
struct Payload {
  enum class Kind : std::uint8_t { splat, list, hash } kind = Kind::splat;
  std::vector<Piece> elements;  // for a hash: the string's contents
  SourceRange range;
};

class Reader {
 public:
  Reader(const std::vector<Token>& tokens, Diagnostics& diagnostics)
      : tokens_(tokens), diagnostics_(diagnostics) {}

  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(position_ + ahead, end_)];
  }
  const Token& next() { return tokens_[position_ < end_ ? position_++ : end_]; }
  // The token read last. REQUIRES: one has been read.
  const Token& previous() const { return tokens_[position_ - 1]; }
  std::size_t position() const { return position_; }
  // Reads tokens [begin, end); token `end` itself stands for the end of the text.
  void seek(std::size_t begin, std::size_t end) { position_ = begin, end_ = end; }
  void seek(std::size_t begin) { position_ = begin; }
  bool at_end() const { return position_ >= end_ || peek().kind == TokenKind::end; }

  bool accept(char punctuation);
  bool accept_word(std::string_view word);
  Result<> expect(char punctuation, std::string_view where);
  // "expected <what>, got '<token>'" [parse.syntax] at the next token.
  std::unexpected<Failure> expected(std::string_view what);
  std::unexpected<Failure> error(std::string_view id, SourceRange range, std::string message);

  Result<Dim> dim();
  Result<std::vector<Dim>> dims();  // with brackets
  Result<Type> type();
  Result<std::vector<Type>> types();
  bool at_location() const { return peek().is_word("loc") && peek(1).is('('); }
  Result<Location> location();  // nothing written: unknown
  Result<Piece> element();
  bool at_element() const;
  Result<Payload> payload();
  Result<LiteralPtr> literal(const Payload& payload, Type type);
  Result<AttributeValue> attribute_value();
  // With braces. Names come from `definition`, or live as long as the process where there is none.
  Result<Attributes> attributes(const OpDefinition* definition);

  // The file's constants section, filled in before any function is read.
  std::map<std::string, std::vector<std::byte>, std::less<>> constants;

  Diagnostics& diagnostics() { return diagnostics_; }
  // The source from one token to another.
  static Piece piece(const Token& first, const Token& last);

 private:
  Result<std::int64_t> limited_integer();
  Result<Location> place();
  Result<> element_part();
  Result<AttributeValue> number_value();

  const std::vector<Token>& tokens_;
  Diagnostics& diagnostics_;
  std::size_t position_ = 0;
  std::size_t end_ = tokens_.size() - 1;
};

}  // namespace hyperion::ir

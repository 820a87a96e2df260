// lexer.hpp: the words of .hir text.
//
//   identifier   letter or _, then letters, digits, _ and .        func  dot  f32  acme.fuse
//   number       digits [. digits] [e [sign] digits], or 0x hex    784  1.5  1e-05  0x7fc00001 (no
//   sign: - is a word) string       "..." with \" \\ \n \t \xNN, on one line value        % then
//   letters, digits, _ and ., or a string      %x  %12  %"odd name" symbol       @ likewise @main
//   arrow        ->
//   punctuation  one of { } ( ) [ ] < > , : = + - * ;
//
// `//` starts a comment that ends with the line. White space separates words; line ends matter only
// for recovery after errors. %12 is unnamed value number 12; a value whose *name* is 12 is spelled
// %"12".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ir/support/diagnostics.hpp"

namespace hyperion::ir {

enum class TokenKind : std::uint8_t {
  end,
  identifier,
  number,
  string,
  value,
  symbol,
  arrow,
  punctuation,
  invalid
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string_view text;  // as written, in the source

  bool is(char c) const { return kind == TokenKind::punctuation && text[0] == c; }
  bool is_word(std::string_view word) const {
    return kind == TokenKind::identifier && text == word;
  }
  // A value without a user's name, such as %12.
  bool is_numbered() const;
  // The name of a value or symbol, or the contents of a string.
  std::string name() const;
  SourceRange range() const {
    return {line, column, static_cast<std::uint32_t>(text.empty() ? 1 : text.size())};
  }
};

// All tokens, the last of kind `end`. Never fails: what is no word becomes an `invalid` token.
std::vector<Token> tokenize(std::string_view source);

// How the printer spells names: plain where the lexer takes them, quoted otherwise. The inverse of
// Token::name().
std::string spell_name(char sigil, std::string_view name);

}  // namespace hyperion::ir

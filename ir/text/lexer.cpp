#include "ir/text/lexer.hpp"

#include <algorithm>

#include "ir/support/quote.hpp"

namespace hyperion::ir {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_letter(c) || is_digit(c) || c == '.'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The contents of a string token, quotes included in `text`.
std::string unquoted(std::string_view text) {
  std::string out;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char escape = text[++i];
    if (escape == 'n')
      out += '\n';
    else if (escape == 't')
      out += '\t';
    else if (escape == 'x') {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += escape;
    }
  }
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    for (;;) {
      skip_blank();
      Token token{.kind = TokenKind::end, .line = line_, .column = column(), .text = {}};
      if (position_ < source_.size()) {
        const std::size_t begin = position_;
        token.kind = word();
        token.text = source_.substr(begin, position_ - begin);
      }
      tokens.push_back(token);
      if (token.kind == TokenKind::end) return tokens;
    }
  }

 private:
  char at(std::size_t ahead = 0) const {
    return position_ + ahead < source_.size() ? source_[position_ + ahead] : '\0';
  }
  std::uint32_t column() const { return static_cast<std::uint32_t>(position_ - line_begin_ + 1); }

  void skip_blank() {
    for (; position_ < source_.size(); ++position_) {
      const char c = at();
      if (c == '/' && at(1) == '/') {
        position_ = std::min(source_.find('\n', position_), source_.size());
        if (position_ == source_.size()) return;
      }
      if (at() == '\n') {
        ++line_;
        line_begin_ = position_ + 1;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        return;
      }
    }
  }

  // Moves past one word and says what it was.
  TokenKind word() {
    const char c = at();
    if (is_letter(c)) return names(TokenKind::identifier);
    if (is_digit(c)) return number();
    if (c == '"') return string() ? TokenKind::string : TokenKind::invalid;
    if (c == '%' || c == '@') {
      const TokenKind kind = c == '%' ? TokenKind::value : TokenKind::symbol;
      ++position_;
      if (at() == '"') return string() ? kind : TokenKind::invalid;
      if (is_name_part(at())) return sigil_name(kind);
      return TokenKind::invalid;
    }
    ++position_;
    if (c == '-' && at() == '>') {
      ++position_;
      return TokenKind::arrow;
    }
    constexpr std::string_view punctuation = "{}()[]<>,:=+-*;";
    if (punctuation.contains(c)) return TokenKind::punctuation;
    // A character of several bytes is one mistake, not several.
    while (position_ < source_.size() && (static_cast<unsigned char>(at()) & 0xc0) == 0x80)
      ++position_;
    return TokenKind::invalid;
  }

  TokenKind names(TokenKind kind) {
    while (is_name_part(at())) ++position_;
    return kind;
  }

  TokenKind sigil_name(TokenKind kind) {
    const std::size_t begin = position_;
    names(kind);
    const std::string_view name = source_.substr(begin, position_ - begin);
    if (is_letter(name[0])) return kind;
    // Only values have numbers, and a number is nothing but digits.
    return kind == TokenKind::value && std::ranges::all_of(name, is_digit) ? kind
                                                                           : TokenKind::invalid;
  }

  TokenKind number() {
    if (at() == '0' && at(1) == 'x') {
      position_ += 2;
      while (hex_digit(at()) >= 0) ++position_;
      return TokenKind::number;
    }
    while (is_digit(at())) ++position_;
    if (at() == '.' && is_digit(at(1))) {
      ++position_;
      while (is_digit(at())) ++position_;
    }
    if (at() == 'e') {
      const std::size_t sign = at(1) == '-' || at(1) == '+' ? 1 : 0;
      if (is_digit(at(1 + sign))) {
        position_ += 1 + sign;
        while (is_digit(at())) ++position_;
      }
    }
    return TokenKind::number;
  }

  // True if the string is well formed; otherwise moves to the end of the line.
  bool string() {
    bool good = true;
    for (++position_; position_ < source_.size() && at() != '\n'; ++position_) {
      if (at() == '"') {
        ++position_;
        return good;
      }
      if (at() != '\\') continue;
      ++position_;
      if (at() == 'x')
        good = good && hex_digit(at(1)) >= 0 && hex_digit(at(2)) >= 0;
      else
        good = good && std::string_view("\"\\nt").contains(at());
      if (at() == '\n') return false;
    }
    return false;
  }

  const std::string_view source_;
  std::size_t position_ = 0;
  std::size_t line_begin_ = 0;
  std::uint32_t line_ = 1;
};

}  // namespace

bool Token::is_numbered() const {
  return kind == TokenKind::value && text.size() > 1 && is_digit(text[1]);
}

std::string Token::name() const {
  std::string_view body = text;
  if (kind == TokenKind::value || kind == TokenKind::symbol) body.remove_prefix(1);
  return body.starts_with('"') ? unquoted(body) : std::string(body);
}

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

std::string spell_name(char sigil, std::string_view name) {
  const bool plain = !name.empty() && is_letter(name[0]) && std::ranges::all_of(name, is_name_part);
  return sigil + (plain ? std::string(name) : quoted(name));
}

}  // namespace hyperion::ir

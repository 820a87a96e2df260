#include "ir/text/syntax.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>

#include "ir/op_definition.hpp"
#include "ir/support/format.hpp"
#include "ir/support/suggest.hpp"
#include "ir/text/element_text.hpp"
#include "ir/text/parse.hpp"

namespace hyperion::ir {
namespace {

// Attribute names of functions have no definition to live in.
std::string_view lasting_name(std::string_view name) {
  static std::mutex mutex;
  static auto* names = new std::set<std::string, std::less<>>;
  const std::scoped_lock lock(mutex);
  return *names->emplace(name).first;
}

std::string shown(const Token& token) {
  if (token.kind == TokenKind::end) return "the end of the text";
  constexpr std::size_t kShownBytes = 40;  // of a word that may be a whole line
  if (token.text.size() > kShownBytes) return format("'{}...'", token.text.substr(0, kShownBytes));
  return format("'{}'", token.text);
}

}  // namespace

Piece Reader::piece(const Token& first, const Token& last) {
  const char* end = last.text.data() + last.text.size();
  const std::string_view text(first.text.data(), static_cast<std::size_t>(end - first.text.data()));
  SourceRange range = first.range();
  if (first.line == last.line)
    range.length = last.column + static_cast<std::uint32_t>(last.text.size()) - first.column;
  return {text, range};
}

bool Reader::accept(char punctuation) {
  if (!peek().is(punctuation)) return false;
  next();
  return true;
}

bool Reader::accept_word(std::string_view word) {
  if (!peek().is_word(word)) return false;
  next();
  return true;
}

std::unexpected<Failure> Reader::error(std::string_view id, SourceRange range,
                                       std::string message) {
  diagnostics_.error(id, std::move(message), range);
  return failure();
}

std::unexpected<Failure> Reader::expected(std::string_view what) {
  const Token& found = peek();
  // What is missing at the end of a line is missing there, not where the next line begins.
  if (position_ > 0 && found.line > previous().line && found.kind != TokenKind::invalid) {
    const SourceRange last = previous().range();
    return error("parse.syntax", {last.line, last.column + last.length, 1},
                 format("expected {}, got the end of the {}", what,
                        found.kind == TokenKind::end ? "text" : "line"));
  }
  return error("parse.syntax", found.range(), format("expected {}, got {}", what, shown(found)));
}

Result<> Reader::expect(char punctuation, std::string_view where) {
  if (accept(punctuation)) return {};
  return expected(format("'{}' {}", punctuation, where));
}

Result<std::int64_t> Reader::limited_integer() {
  const Token token = peek();
  std::int64_t value = 0;
  const char* end = token.text.data() + token.text.size();
  if (token.kind != TokenKind::number) return expected("a whole number");
  const auto [stop, code] = std::from_chars(token.text.data(), end, value);
  if (code == std::errc() && stop != end) return expected("a whole number");
  if (code != std::errc() || value > kMaxDimension) {
    return error("parse.limit", token.range(),
                 format("{} is more than the limit, {}", token.text, kMaxDimension));
  }
  next();
  return value;
}

Result<Dim> Reader::dim() {
  const SourceRange begin = peek().range();
  Dim sum(0);
  constexpr int kMaxTerms = 16;  // of one dimension; keeps coefficients far from overflow
  for (int term = 0;; ++term) {
    std::int64_t factor = 1;
    if (accept('-'))
      factor = -1;
    else if (term != 0 && !accept('+'))
      return sum;
    if (term == kMaxTerms)
      return error("parse.limit", begin, format("a dimension of more than {} terms", kMaxTerms));
    if (peek().kind == TokenKind::number) {
      HYP_TRY(const std::int64_t value, limited_integer());
      factor *= value;
      if (!accept('*')) {
        sum = sum + Dim(factor);
        continue;
      }
    }
    if (peek().kind == TokenKind::number) {  // as when a number has replaced a name: 2*8
      const SourceRange range = peek().range();
      HYP_TRY(const std::int64_t value, limited_integer());
      if (value != 0 && std::abs(factor) > kMaxDimension / value)
        return error("parse.limit", range, "a dimension is too large");
      sum = sum + Dim(factor * value);
      continue;
    }
    if (peek().kind != TokenKind::identifier)
      return expected("a number or the name of a dimension");
    sum = sum + Dim::symbol(next().text) * factor;
  }
}

Result<std::vector<Dim>> Reader::dims() {
  HYP_TRY_VOID(expect('[', "before the list"));
  std::vector<Dim> out;
  if (accept(']')) return out;
  do {
    HYP_TRY(const Dim one, dim());
    out.push_back(one);
  } while (accept(','));
  HYP_TRY_VOID(expect(']', "after the list"));
  return out;
}

Result<Type> Reader::type() {
  const Token name = peek();
  const std::optional<DType> dtype =
      name.kind == TokenKind::identifier ? parse_dtype(name.text) : std::nullopt;
  if (!dtype) return expected("a type such as f32[2, n]");
  next();
  HYP_TRY(const std::vector<Dim> sizes, dims());
  const SourceRange range = piece(name, previous()).range;
  if (sizes.size() > kMaxRank)
    return error("parse.limit", range, format("rank {} is more than {}", sizes.size(), kMaxRank));
  std::int64_t count = 1;
  for (Dim size : sizes) {
    if (!size.is_static()) continue;
    if (size.value() < 0)
      return error("parse.syntax", range, format("a dimension is negative: {}", size.text()));
    if (size.value() != 0 && count > kMaxElements / size.value()) {
      return error("parse.limit", range, format("a tensor of more than {} elements", kMaxElements));
    }
    count = std::max<std::int64_t>(1, count * size.value());
  }
  return Type(*dtype, sizes);
}

Result<std::vector<Type>> Reader::types() {
  std::vector<Type> out;
  do {
    HYP_TRY(const Type one, type());
    out.push_back(one);
  } while (accept(','));
  return out;
}

Result<Location> Reader::place() {
  if (peek().kind != TokenKind::string) return expected("a file name in quotes");
  const std::string file = next().name();
  std::array<std::uint32_t, 2> numbers{};
  for (std::uint32_t& number : numbers) {
    HYP_TRY_VOID(expect(':', "in a location"));
    const SourceRange range = peek().range();
    HYP_TRY(const std::int64_t value, limited_integer());
    if (value > UINT32_MAX) return error("parse.limit", range, "a line or column is too large");
    number = static_cast<std::uint32_t>(value);
  }
  return Location::file(file, numbers[0], numbers[1]);
}

Result<Location> Reader::location() {
  if (!at_location()) return Location();
  next();
  next();
  std::vector<Location> parts;
  const bool fused = accept_word("fused");
  if (fused) {
    HYP_TRY_VOID(expect('[', "after 'fused'"));
  }
  do {
    HYP_TRY(const Location part, place());
    parts.push_back(part);
  } while (fused && accept(','));
  if (fused) {
    HYP_TRY_VOID(expect(']', "after the places"));
  }
  HYP_TRY_VOID(expect(')', "after the location"));
  return Location::fused(parts);
}

bool Reader::at_element() const {
  const Token& token = peek();
  if (token.kind == TokenKind::number || token.is('-') || token.is('(')) return true;
  return token.is_word("true") || token.is_word("false") || token.is_word("inf") ||
         token.is_word("nan");
}

Result<Piece> Reader::element() {
  const Token first = peek();
  if (!at_element()) return expected("a number, true or false");
  if (accept('(')) {  // complex
    HYP_TRY_VOID(element_part());
    HYP_TRY_VOID(expect(',', "between real and imaginary part"));
    HYP_TRY_VOID(element_part());
    HYP_TRY_VOID(expect(')', "after the imaginary part"));
  } else {
    HYP_TRY_VOID(element_part());
  }
  return piece(first, previous());
}

Result<> Reader::element_part() {
  accept('-');
  if (!at_element() || peek().is('-') || peek().is('(')) return expected("a number");
  const bool nan = next().is_word("nan");
  if (nan && accept('(')) {
    if (peek().kind != TokenKind::number) return expected("the bits of the NaN");
    next();
    HYP_TRY_VOID(expect(')', "after the bits"));
  }
  return {};
}

Result<Payload> Reader::payload() {
  Payload out{.elements = {}, .range = peek().range()};
  if (peek().kind == TokenKind::string) {
    out.kind = Payload::Kind::hash;
    out.elements.push_back(piece(peek(), peek()));
    next();
    return out;
  }
  if (!accept('[')) {
    HYP_TRY(const Piece one, element());
    out.elements.push_back(one);
    out.range = one.range;
    return out;
  }
  out.kind = Payload::Kind::list;
  if (accept(']')) return out;
  do {
    HYP_TRY(const Piece one, element());
    out.elements.push_back(one);
  } while (accept(','));
  HYP_TRY_VOID(expect(']', "after the elements"));
  return out;
}

Result<LiteralPtr> Reader::literal(const Payload& payload, Type type) {
  const std::size_t size = byte_size(type.dtype());
  if (payload.kind != Payload::Kind::splat && !type.is_static()) {
    return error("parse.constant", payload.range,
                 format("{} needs one element that stands for all", type.text()));
  }
  if (payload.kind == Payload::Kind::hash) {
    const std::string_view hash =
        payload.elements[0].text.substr(1, payload.elements[0].text.size() - 2);
    const auto found = constants.find(hash);
    if (found == constants.end()) {
      return error("parse.constant", payload.range,
                   format("the file has no bytes for constant \"{}\"", hash));
    }
    if (found->second.size() != type.bytes()) {
      return error("parse.constant", payload.range,
                   format("{} takes {} bytes, the file has {}", type.text(), type.bytes(),
                          found->second.size()));
    }
    LiteralPtr value = Literal::make(type, found->second);
    if (value->hash().hex() != hash) {
      return error("parse.constant", payload.range,
                   "the bytes of the constant do not have this hash");
    }
    return value;
  }
  const bool splat = payload.kind == Payload::Kind::splat;
  if (!splat && static_cast<std::int64_t>(payload.elements.size()) != type.element_count()) {
    return error("parse.constant", payload.range,
                 format("{} has {} elements, got {}", type.text(), type.element_count(),
                        payload.elements.size()));
  }
  std::vector<std::byte> bytes(payload.elements.size() * size);
  for (std::size_t k = 0; k < payload.elements.size(); ++k) {
    const Piece& piece = payload.elements[k];
    if (!parse_element(type.dtype(), piece.text, bytes.data() + k * size)) {
      return error("parse.constant", piece.range,
                   format("{} is not a {}", piece.text, dtype_name(type.dtype())));
    }
  }
  return splat ? Literal::splat(type, bytes) : Literal::make(type, bytes);
}

Result<AttributeValue> Reader::number_value() {
  HYP_TRY(const Piece piece, element());
  if (piece.text.find_first_of(".enx") == std::string_view::npos) {
    std::int64_t value = 0;
    const auto [stop, code] =
        std::from_chars(piece.text.data(), piece.text.data() + piece.text.size(), value);
    if (code == std::errc() && stop == piece.text.data() + piece.text.size())
      return AttributeValue(value);
  }
  std::array<std::byte, sizeof(double)> bytes;
  if (!parse_element(DType::f64, piece.text, bytes.data())) {
    return error("parse.constant", piece.range, format("{} is not a number", piece.text));
  }
  double value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return AttributeValue(value);
}

Result<AttributeValue> Reader::attribute_value() {
  const Token token = peek();
  switch (token.kind) {
    case TokenKind::string:
      return AttributeValue(next().name());
    case TokenKind::symbol:
      return AttributeValue(SymbolReference{next().name()});
    case TokenKind::identifier: {
      if (token.text == "true" || token.text == "false")
        return next(), AttributeValue(token.text == "true");
      if (token.text == "inf" || token.text == "nan") return number_value();
      if (accept_word("dims")) {
        HYP_TRY(std::vector<Dim> list, dims());
        return AttributeValue(std::move(list));
      }
      if (accept_word("literal")) {
        HYP_TRY(const Payload value, payload());
        HYP_TRY_VOID(expect(':', "before the literal's type"));
        HYP_TRY(const Type of, type());
        HYP_TRY(LiteralPtr made, literal(value, of));
        return AttributeValue(std::move(made));
      }
      const std::optional<DType> dtype = parse_dtype(token.text);
      if (!dtype) return expected("the value of an attribute");
      next();
      return AttributeValue(*dtype);
    }
    default:
      break;
  }
  if (!token.is('[')) return number_value();
  HYP_TRY(std::vector<Dim> list, dims());
  Integers numbers;
  for (Dim one : list) {
    if (!one.is_static()) return AttributeValue(std::move(list));
    numbers.push_back(one.value());
  }
  return AttributeValue(std::move(numbers));
}

Result<Attributes> Reader::attributes(const OpDefinition* definition) {
  Attributes out;
  HYP_TRY_VOID(expect('{', "before the attributes"));
  if (accept('}')) return out;
  do {
    const Token name = peek();
    if (name.kind != TokenKind::identifier) return expected("the name of an attribute");
    const AttributeSpec* spec = definition == nullptr ? nullptr : definition->attribute(name.text);
    if (definition != nullptr && spec == nullptr) {
      std::vector<std::string_view> known;
      for (const AttributeSpec& one : definition->attributes) known.push_back(one.name);
      return error("op.attribute", name.range(),
                   format("{}: unknown attribute '{}'{}", definition->name, name.text,
                          did_you_mean(name.text, known)));
    }
    next();
    const std::string_view lasting = spec != nullptr ? spec->name : lasting_name(name.text);
    if (out.find(lasting) != nullptr) {
      return error("parse.redefined", name.range(),
                   format("attribute '{}' is given twice", name.text));
    }
    HYP_TRY_VOID(expect('=', "after the attribute's name"));
    HYP_TRY(AttributeValue value, attribute_value());
    out.set(lasting, std::move(value));
  } while (accept(','));
  HYP_TRY_VOID(expect('}', "after the attributes"));
  return out;
}

}  // namespace hyperion::ir

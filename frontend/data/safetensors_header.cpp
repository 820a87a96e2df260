// Bottom-up: element types, text scanning, the grammar, the layout rules, writing.

#include "frontend/data/safetensors_header.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "ir/support/format.hpp"

namespace hyperion::data {
namespace {

struct TypeInfo {
  std::string_view text;
  std::uint64_t bits;
  std::optional<DType> dtype;
};

// Types without a DType are checked for size and handed out as raw bytes only.
constexpr TypeInfo kTypes[] = {
    {"BOOL", 8, DType::bool_},
    {"U8", 8, DType::u8},
    {"I8", 8, DType::i8},
    {"U16", 16, DType::u16},
    {"I16", 16, DType::i16},
    {"U32", 32, DType::u32},
    {"I32", 32, DType::i32},
    {"U64", 64, DType::u64},
    {"I64", 64, DType::i64},
    {"F16", 16, DType::f16},
    {"BF16", 16, DType::bf16},
    {"F32", 32, DType::f32},
    {"F64", 64, DType::f64},
    {"C64", 64, DType::c64},
    {"F8_E4M3", 8, DType::f8e4m3},
    {"F8_E5M2", 8, DType::f8e5m2},
    {"F8_E4M3FNUZ", 8, std::nullopt},
    {"F8_E5M2FNUZ", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt},
    {"F6_E2M3", 6, std::nullopt},
    {"F6_E3M2", 6, std::nullopt},
    {"F4", 4, std::nullopt},
};

const TypeInfo* find_type(std::string_view text) {
  const auto* type = std::ranges::find(kTypes, text, &TypeInfo::text);
  return type == std::end(kTypes) ? nullptr : type;
}

std::unexpected<Status> damaged(const std::string& name, std::string message) {
  return error_status(Code::data_loss, std::move(message), name,
                      "this is no safetensors file, or a damaged one");
}

// Appends a code point below 0x110000.
void append_utf8(std::string& text, std::uint32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  const std::uint32_t lead = more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0;
  text += static_cast<char>(lead | code >> (6 * more));
  for (int i = more - 1; i >= 0; --i) text += static_cast<char>(0x80 | (code >> (6 * i) & 0x3f));
}

// Reads tokens; every failure is remembered once, and later calls do nothing but fail.
class Scanner {
 public:
  Scanner(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  bool fail(std::string message) {
    if (!error_) error_ = format("header byte {}: {}", at_, message);
    return false;
  }
  std::unexpected<Status> status() const {
    return damaged(name_, error_.value_or("invalid header"));
  }

  void skip_spaces() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").contains(text_[at_])) ++at_;
  }
  bool at_end() {
    skip_spaces();
    return at_ == text_.size();
  }
  bool accept(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool expect(char c) { return accept(c) || fail(format("expected '{}', found {}", c, found())); }

  // "..." with JSON's escapes.
  bool string(std::string& out) {
    if (!expect('"')) return false;
    out.clear();
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) return fail("control character in a string");
      ++at_;
      if (c != '\\') {
        out += c;
      } else if (!escape(out)) {
        return false;
      }
    }
    return fail("the header ends inside a string");
  }

  // A non-negative integer of at most 63 bits, without sign, fraction, exponent or leading zero.
  bool integer(std::uint64_t& out) {
    skip_spaces();
    const std::size_t start = at_;
    out = 0;
    while (at_ < text_.size() && '0' <= text_[at_] && text_[at_] <= '9') {
      const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
      constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
      if (out > (kMost - digit) / 10) return fail("number too large");
      out = out * 10 + digit;
      ++at_;
    }
    if (at_ == start) return fail(format("expected a non-negative integer, found {}", found()));
    if (at_ - start > 1 && text_[start] == '0') return fail("number with a leading zero");
    return true;
  }

  bool integers(std::vector<std::int64_t>& out) {
    if (!expect('[')) return false;
    if (accept(']')) return true;
    do {
      std::uint64_t value = 0;
      if (!integer(value)) return false;
      out.push_back(static_cast<std::int64_t>(value));
    } while (accept(','));
    return expect(']');
  }

  // { "key": value, ... } where `value` reads what follows each colon. Duplicate keys are refused.
  template <class Value>
  bool object(Value value) {
    if (!expect('{')) return false;
    if (accept('}')) return true;
    std::set<std::string> keys;
    do {
      std::string key;
      if (!string(key)) return false;
      if (!keys.insert(key).second) return fail(format("key '{}' appears twice", key));
      if (!expect(':') || !value(key)) return false;
    } while (accept(','));
    return expect('}');
  }

 private:
  std::string found() const {
    if (at_ >= text_.size()) return "the end";
    const char c = text_[at_];
    return 0x20 < c && c < 0x7f ? format("'{}'", c)
                                : format("byte 0x{:02x}", static_cast<unsigned char>(c));
  }

  bool escape(std::string& out) {
    constexpr std::string_view kEscapes = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (at_ == text_.size()) return fail("the header ends inside a string");
    const char c = text_[at_++];
    if (c == 'u') return unicode_escape(out);
    const std::size_t index = kEscapes.find(c);
    if (index == std::string_view::npos) return fail("unknown escape in a string");
    out += kMeanings[index];
    return true;
  }

  bool unicode_escape(std::string& out) {
    std::uint32_t code = 0;
    if (!four_hex(code)) return false;
    if (0xdc00 <= code && code < 0xe000) return fail("low surrogate without a high one");
    if (0xd800 <= code && code < 0xdc00) {
      std::uint32_t low = 0;
      if (text_.substr(at_, 2) != "\\u") return fail("high surrogate without a low one");
      at_ += 2;
      if (!four_hex(low)) return false;
      if (low < 0xdc00 || low >= 0xe000) return fail("high surrogate without a low one");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(out, code);
    return true;
  }

  bool four_hex(std::uint32_t& out) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    if (text_.size() - at_ < 4) return fail("the header ends inside a string");
    for (int i = 0; i < 4; ++i) {
      const char c = text_[at_++];
      const std::size_t digit = kDigits.find('A' <= c && c <= 'F' ? static_cast<char>(c + 32) : c);
      if (digit == std::string_view::npos) return fail("expected four hexadecimal digits");
      out = out * 16 + static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
  std::optional<std::string> error_;
};

bool parse_tensor(Scanner& scanner, SafetensorsEntry& entry) {
  bool has_dtype = false;
  bool has_shape = false;
  bool has_offsets = false;
  const bool parsed = scanner.object([&](const std::string& key) {
    if (key == "dtype") return has_dtype = scanner.string(entry.dtype_text);
    if (key == "shape") return has_shape = scanner.integers(entry.dims);
    if (key != "data_offsets") {
      return scanner.fail(format("tensor '{}' has the unknown field '{}'", entry.name, key));
    }
    std::vector<std::int64_t> offsets;
    if (!scanner.integers(offsets)) return false;
    if (offsets.size() != 2) {
      return scanner.fail(format("tensor '{}' has {} data_offsets, expected [begin, end]",
                                 entry.name, offsets.size()));
    }
    entry.begin = static_cast<std::uint64_t>(offsets[0]);
    entry.end = static_cast<std::uint64_t>(offsets[1]);
    return has_offsets = true;
  });
  if (!parsed) return false;
  if (has_dtype && has_shape && has_offsets) return true;
  return scanner.fail(format("tensor '{}' has no {}", entry.name,
                             !has_dtype   ? "dtype"
                             : !has_shape ? "shape"
                                          : "data_offsets"));
}

bool parse_metadata(Scanner& scanner, SafetensorsMetadata& metadata) {
  return scanner.object([&](const std::string& key) { return scanner.string(metadata[key]); });
}

// The bytes that dtype and shape ask for; nullopt on overflow or a broken byte.
std::optional<std::uint64_t> expected_bytes(const SafetensorsEntry& entry, std::uint64_t bits) {
  // A zero dimension makes the product 0 whatever the others are.
  if (std::ranges::find(entry.dims, 0) != entry.dims.end()) return 0;
  for (std::int64_t dim : entry.dims) {
    const auto count = static_cast<std::uint64_t>(dim);
    if (bits > std::numeric_limits<std::int64_t>::max() / count) return std::nullopt;
    bits *= count;
  }
  if (bits % 8 != 0) return std::nullopt;
  return bits / 8;
}

StatusOr<> check_entry(SafetensorsEntry& entry, std::uint64_t expected_begin,
                       const std::string& name) {
  const auto fail = [&](std::string message) {
    return damaged(name, format("tensor '{}': {}", entry.name, message));
  };
  if (entry.end < entry.begin) {
    return fail(format("data_offsets [{}, {}] run backwards", entry.begin, entry.end));
  }
  if (entry.begin != expected_begin) {
    return fail(format("data begins at byte {}, expected {}: {}", entry.begin, expected_begin,
                       entry.begin < expected_begin ? "tensors overlap" : "there is a hole"));
  }
  const TypeInfo* type = find_type(entry.dtype_text);
  if (type == nullptr) return {};  // a newer format's type: raw bytes, refused only when used
  entry.dtype = type->dtype;
  const auto bytes = expected_bytes(entry, type->bits);
  if (!bytes) {
    return fail(format("shape [{}] of {} overflows or ends inside a byte",
                       fmt::join(entry.dims, ", "), entry.dtype_text));
  }
  if (*bytes != entry.end - entry.begin) {
    return fail(format("shape [{}] of {} needs {} bytes, data_offsets [{}, {}] hold {}",
                       fmt::join(entry.dims, ", "), entry.dtype_text, *bytes, entry.begin,
                       entry.end, entry.end - entry.begin));
  }
  return {};
}

// Establishes the header's invariant; sorts the entries by their data.
StatusOr<> check_layout(SafetensorsHeader& header, std::uint64_t data_bytes,
                        const std::string& name) {
  // Empty tensors share their place with the next one: they come first.
  std::ranges::sort(header.entries, [](const auto& a, const auto& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t end = 0;
  for (SafetensorsEntry& entry : header.entries) {
    HYP_TRY_VOID(check_entry(entry, end, name));
    end = entry.end;
  }
  if (end > data_bytes) {
    return error_status(Code::data_loss,
                        format("the tensors need {} bytes of data, found {}", end, data_bytes),
                        name, "the file is truncated: use an older checkpoint or fetch it again");
  }
  if (end < data_bytes) {
    return damaged(name, format("{} bytes follow the last tensor", data_bytes - end));
  }
  return {};
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

}  // namespace

StatusOr<SafetensorsHeader> parse_safetensors_header(std::string_view json,
                                                     std::uint64_t data_bytes,
                                                     const std::string& name) {
  if (!json.starts_with('{')) return damaged(name, "the header does not begin with '{'");
  Scanner scanner(json, name);
  SafetensorsHeader header;
  const bool parsed = scanner.object([&](const std::string& key) {
    if (key == "__metadata__") return parse_metadata(scanner, header.metadata);
    header.entries.emplace_back().name = key;
    return parse_tensor(scanner, header.entries.back());
  });
  if (!parsed) return scanner.status();
  if (!scanner.at_end()) {
    scanner.fail("text after the closing brace");
    return scanner.status();
  }
  HYP_TRY_VOID(check_layout(header, data_bytes, name));
  return header;
}

std::string write_safetensors_header(const SafetensorsHeader& header) {
  std::string json = "{";
  const auto separate = [&json] {
    if (json.back() != '{') json += ',';
  };
  if (!header.metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : header.metadata) {
      separate();
      append_json_string(json, key);
      json += ':';
      append_json_string(json, value);
    }
    json += '}';
  }
  for (const SafetensorsEntry& entry : header.entries) {
    separate();
    append_json_string(json, entry.name);
    json += format(R"(:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", entry.dtype_text,
                   fmt::join(entry.dims, ","), entry.begin, entry.end);
  }
  json += '}';
  constexpr std::size_t kSizeField = 8;
  constexpr std::size_t kAlignment = 64;
  while ((kSizeField + json.size()) % kAlignment != 0) json += ' ';
  return json;
}

std::optional<std::string_view> safetensors_dtype(DType dtype) {
  const auto* type =
      std::ranges::find_if(kTypes, [dtype](const TypeInfo& info) { return info.dtype == dtype; });
  if (type == std::end(kTypes)) return std::nullopt;
  return type->text;
}

}  // namespace hyperion::data

#include "ir/attributes.hpp"

#include <algorithm>
#include <bit>

#include "ir/support/check.hpp"
#include "ir/support/format.hpp"
#include "ir/support/hash.hpp"
#include "ir/support/quote.hpp"

namespace hyperion::ir {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

}  // namespace

bool equal(const AttributeValue& a, const AttributeValue& b) {
  if (a.index() != b.index()) return false;
  if (const auto* literal = std::get_if<LiteralPtr>(&a)) return **literal == *std::get<LiteralPtr>(b);
  // Reals are compared as bits, so that a NaN attribute equals itself and -0 differs from 0.
  if (const auto* real = std::get_if<double>(&a)) {
    return std::bit_cast<std::uint64_t>(*real) == std::bit_cast<std::uint64_t>(std::get<double>(b));
  }
  return a == b;
}

std::string text(const AttributeValue& value) {
  return std::visit(
      Overloaded{[](bool v) { return std::string(v ? "true" : "false"); },
                 [](std::int64_t v) { return std::to_string(v); },
                 [](double v) {
                   std::string digits = format("{}", v);
                   // A real always looks like one: 1.0, not 1.
                   if (digits.find_first_of(".einf") == std::string::npos) digits += ".0";
                   return digits;
                 },
                 [](const std::string& v) { return quoted(v); },
                 [](DType v) { return std::string(dtype_name(v)); },
                 [](const Integers& v) { return format("[{}]", fmt::join(v, ", ")); },
                 [](const Dims& v) {
                   std::vector<std::string> parts;
                   for (Dim dim : v) parts.push_back(dim.text());
                   return format("[{}]", fmt::join(parts, ", "));
                 },
                 [](const SymbolReference& v) { return "@" + v.name; },
                 [](const LiteralPtr& v) { return "literal " + v->hash().hex(); }},
      value);
}

std::uint64_t hash(const AttributeValue& value) {
  const std::uint64_t seed = value.index();
  return std::visit(
      Overloaded{[&](bool v) { return hash_combine(seed, v); },
                 [&](std::int64_t v) { return hash_combine(seed, static_cast<std::uint64_t>(v)); },
                 [&](double v) { return hash_combine(seed, std::bit_cast<std::uint64_t>(v)); },
                 [&](const std::string& v) { return hash_combine(seed, hash_text(v).low); },
                 [&](DType v) { return hash_combine(seed, static_cast<std::uint64_t>(v)); },
                 [&](const Integers& v) {
                   std::uint64_t h = seed;
                   for (std::int64_t x : v) h = hash_combine(h, static_cast<std::uint64_t>(x));
                   return h;
                 },
                 [&](const Dims& v) {
                   std::uint64_t h = seed;
                   for (Dim x : v) h = hash_combine(h, static_cast<std::uint64_t>(x.raw()));
                   return h;
                 },
                 [&](const SymbolReference& v) { return hash_combine(seed, hash_text(v.name).low); },
                 [&](const LiteralPtr& v) { return hash_combine(seed, v->hash().low); }},
      value);
}

Attributes::Attributes(std::initializer_list<Entry> entries) {
  entries_.reserve(entries.size());
  for (const Entry& entry : entries) set(entry.first, entry.second);
}

const AttributeValue* Attributes::find(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.first == name) return &entry.second;
  }
  return nullptr;
}

void Attributes::set(std::string_view name, AttributeValue value) {
  const auto position = std::ranges::lower_bound(entries_, name, {}, &Entry::first);
  if (position != entries_.end() && position->first == name) {
    position->second = std::move(value);
  } else {
    entries_.insert(position, {name, std::move(value)});
  }
}

void Attributes::erase(std::string_view name) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.first == name; });
}

const AttributeValue& Attributes::get(std::string_view name) const {
  const AttributeValue* value = find(name);
  HYP_CHECK(value != nullptr, format("attribute '{}' is absent", name));
  return *value;
}

bool operator==(const Attributes& a, const Attributes& b) {
  return std::ranges::equal(a.entries_, b.entries_, [](const auto& x, const auto& y) {
    return x.first == y.first && equal(x.second, y.second);
  });
}

std::uint64_t Attributes::hash() const {
  std::uint64_t h = entries_.size();
  for (const Entry& entry : entries_) {
    h = hash_combine(h, hash_text(entry.first).low);
    h = hash_combine(h, ir::hash(entry.second));
  }
  return h;
}

}  // namespace hyperion::ir

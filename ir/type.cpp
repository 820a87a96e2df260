#include "ir/type.hpp"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <tuple>
#include <unordered_map>

#include "ir/support/check.hpp"
#include "ir/support/format.hpp"
#include "ir/support/hash.hpp"

namespace hyperion {

// The normal form of a symbolic dimension: coefficients by symbol name, none zero, and a constant.
struct LinearDim {
  std::map<std::string, std::int64_t> coefficients;
  std::int64_t constant = 0;
  friend bool operator<(const LinearDim& a, const LinearDim& b) {
    return std::tie(a.coefficients, a.constant) < std::tie(b.coefficients, b.constant);
  }
};

struct DimTable {
  std::shared_mutex mutex;
  std::deque<LinearDim> expressions;
  std::map<LinearDim, std::int64_t> index;

  static DimTable& get() {
    static DimTable* table = new DimTable;
    return *table;
  }

  static LinearDim expand(Dim dim) {
    if (dim.is_static()) return {{}, dim.bits_};
    DimTable& t = get();
    std::shared_lock lock(t.mutex);
    return t.expressions[static_cast<std::size_t>(Dim::kSymbolic - dim.bits_)];
  }

  static Dim intern(LinearDim expression) {
    std::erase_if(expression.coefficients, [](const auto& term) { return term.second == 0; });
    if (expression.coefficients.empty()) return Dim(expression.constant);
    DimTable& t = get();
    std::unique_lock lock(t.mutex);
    auto [it, inserted] =
        t.index.try_emplace(expression, static_cast<std::int64_t>(t.expressions.size()));
    if (inserted) t.expressions.push_back(std::move(expression));
    Dim dim;
    dim.bits_ = Dim::kSymbolic - it->second;
    return dim;
  }
};

Dim Dim::symbol(std::string_view name) { return DimTable::intern({{{std::string(name), 1}}, 0}); }

std::int64_t Dim::value() const {
  HYP_CHECK(is_static(), "the value of a symbolic dimension was asked for");
  return bits_;
}

std::string Dim::text() const {
  if (is_static()) return std::to_string(bits_);
  const LinearDim expression = DimTable::expand(*this);
  std::string out;
  for (const auto& [name, coefficient] : expression.coefficients) {
    if (coefficient < 0) out += '-';
    else if (!out.empty()) out += '+';
    const std::int64_t magnitude = coefficient < 0 ? -coefficient : coefficient;
    if (magnitude != 1) out += std::to_string(magnitude) + "*";
    out += name;
  }
  if (expression.constant > 0) out += "+" + std::to_string(expression.constant);
  if (expression.constant < 0) out += std::to_string(expression.constant);
  return out;
}

Dim operator+(Dim a, Dim b) {
  if (a.is_static() && b.is_static()) return Dim(a.bits_ + b.bits_);
  LinearDim sum = DimTable::expand(a);
  const LinearDim other = DimTable::expand(b);
  for (const auto& [name, coefficient] : other.coefficients) sum.coefficients[name] += coefficient;
  sum.constant += other.constant;
  return DimTable::intern(std::move(sum));
}

Dim operator-(Dim a, Dim b) { return a + b * -1; }

Dim operator*(Dim a, std::int64_t factor) {
  if (a.is_static()) return Dim(a.bits_ * factor);
  LinearDim product = DimTable::expand(a);
  for (auto& [name, coefficient] : product.coefficients) coefficient *= factor;
  product.constant *= factor;
  return DimTable::intern(std::move(product));
}

std::optional<Dim> Dim::divided_by(std::int64_t divisor) const {
  LinearDim quotient = DimTable::expand(*this);
  if (divisor == 0 || quotient.constant % divisor != 0) return std::nullopt;
  for (auto& [name, coefficient] : quotient.coefficients) {
    if (coefficient % divisor != 0) return std::nullopt;
    coefficient /= divisor;
  }
  quotient.constant /= divisor;
  return DimTable::intern(std::move(quotient));
}

std::optional<std::int64_t> Dim::evaluate(const std::map<std::string, std::int64_t>& symbols) const {
  const LinearDim expression = DimTable::expand(*this);
  std::int64_t sum = expression.constant;
  for (const auto& [name, coefficient] : expression.coefficients) {
    const auto found = symbols.find(name);
    if (found == symbols.end()) return std::nullopt;
    sum += coefficient * found->second;
  }
  return sum;
}

std::vector<std::string> Dim::symbols() const {
  std::vector<std::string> names;
  for (const auto& [name, coefficient] : DimTable::expand(*this).coefficients) names.push_back(name);
  return names;
}

struct TypeTable {
  std::shared_mutex mutex;
  std::unordered_multimap<std::uint64_t, std::unique_ptr<const Type::Data>> types;

  static TypeTable& get() {
    static TypeTable* table = new TypeTable;
    return *table;
  }

  static std::uint64_t hash(DType dtype, std::span<const Dim> dims) {
    std::uint64_t h = hash_combine(0x51a7e, static_cast<std::uint64_t>(dtype));
    for (Dim dim : dims) h = hash_combine(h, static_cast<std::uint64_t>(dim.raw()));
    return h;
  }

  const Type::Data* find(std::uint64_t hash, DType dtype, std::span<const Dim> dims) const {
    const auto [begin, end] = types.equal_range(hash);
    for (auto it = begin; it != end; ++it) {
      if (it->second->dtype == dtype && std::ranges::equal(it->second->dims, dims)) {
        return it->second.get();
      }
    }
    return nullptr;
  }

  const Type::Data* intern(DType dtype, std::span<const Dim> dims) {
    const std::uint64_t h = hash(dtype, dims);
    {
      std::shared_lock lock(mutex);
      if (const Type::Data* found = find(h, dtype, dims)) return found;
    }
    auto data = std::make_unique<Type::Data>(
        Type::Data{dtype, {dims.begin(), dims.end()}, true, 1, h});
    for (Dim dim : dims) data->is_static &= dim.is_static();
    if (data->is_static) {
      for (Dim dim : dims) data->element_count *= dim.value();
    }
    std::unique_lock lock(mutex);
    if (const Type::Data* found = find(h, dtype, dims)) return found;
    return types.emplace(h, std::move(data))->second.get();
  }
};

Type::Type(DType dtype, std::span<const Dim> dims) : data_(TypeTable::get().intern(dtype, dims)) {}

std::vector<std::int64_t> Type::sizes() const {
  std::vector<std::int64_t> out;
  for (Dim dim : dims()) out.push_back(dim.value());
  return out;
}

std::vector<std::int64_t> Type::strides() const {
  std::vector<std::int64_t> out(data_->dims.size());
  std::int64_t stride = 1;
  for (std::size_t axis = out.size(); axis-- > 0;) {
    out[axis] = stride;
    stride *= data_->dims[axis].value();
  }
  return out;
}

Type Type::substitute(const std::map<std::string, std::int64_t>& symbols) const {
  std::vector<Dim> out;
  for (Dim dim : dims()) {
    const std::optional<std::int64_t> value = dim.evaluate(symbols);
    out.push_back(value ? Dim(*value) : dim);
  }
  return Type(dtype(), out);
}

std::string Type::text() const {
  std::string out(dtype_name(dtype()));
  out += '[';
  for (std::size_t i = 0; i < data_->dims.size(); ++i) {
    if (i != 0) out += ", ";
    out += data_->dims[i].text();
  }
  return out + "]";
}

}  // namespace hyperion

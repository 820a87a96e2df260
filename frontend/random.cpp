#include "frontend/random.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "frontend/ops/creation.hpp"
#include "frontend/ops/elementwise.hpp"
#include "frontend/ops/indexing.hpp"
#include "frontend/ops/recording.hpp"
#include "frontend/ops/reduce.hpp"
#include "frontend/ops/shape.hpp"
#include "ir/support/format.hpp"

namespace hyperion::random {
namespace {

using frontend::raise;
using frontend::UserLine;

// What a key is used for is mixed into it, so that children of a key and draws from it are unrelated. The numbers only
// have to differ; they spell the use in ASCII.
constexpr std::uint64_t kSplit = 0x73706c69;
constexpr std::uint64_t kFold = 0x666f6c64;

Tensor draw(const Tensor& key, Shape shape, DType dtype, Location where) {
  static const ir::OpDefinition& op = ir::op("rng_bits");
  ir::Attributes attributes;
  attributes.set("shape", ir::Dims(shape.begin(), shape.end()));
  attributes.set("dtype", dtype);
  return frontend::apply(op, {key.ref()}, std::move(attributes), where);
}

Tensor with_use(const Key& key, std::uint64_t use) {
  return key.bits ^ concatenate({full({1}, static_cast<double>(use), DType::u32), zeros({1}, DType::u32)});
}

void require_floating(std::string_view what, DType dtype, Where where) {
  if (is_floating(dtype)) return;
  raise(frontend::user_line(where), "random.dtype", format("random::{}: {} is not a floating type", what, dtype_name(dtype)),
        "draw whole numbers with random::randint");
}

bool holds(DType dtype, std::int64_t value) {
  const int bits = static_cast<int>(8 * byte_size(dtype)) - (is_signed_integer(dtype) ? 1 : 0);
  if (bits >= 63) return value >= 0 || is_signed_integer(dtype);
  const std::int64_t end = std::int64_t{1} << bits;
  return value < end && value >= (is_signed_integer(dtype) ? -end : 0);
}

// `precision` random bits as a whole number of type `dtype`, which holds it exactly.
Tensor whole(const Key& key, const Shape& shape, DType dtype, int precision, Where where) {
  const bool wide = dtype == DType::f64;
  const Tensor raw = bits(key, shape, wide ? DType::u64 : DType::u32, where);
  return (raw >> ((wide ? 64 : 32) - precision)).to(dtype);
}

// Numbers of bits that a float holds exactly; smaller floats are drawn in f32 and rounded.
DType drawn_dtype(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }
int fraction_bits(DType dtype) {
  switch (dtype) {
    case DType::f64: return 53;
    case DType::f32: return 24;
    case DType::f16: return 11;
    case DType::bf16: return 8;
    default: return 3;
  }
}

// Uniform in the open interval (0, 1), symmetric about a half, in f32 or f64.
Tensor open_uniform(const Key& key, const Shape& shape, DType dtype, Where where) {
  const int precision = fraction_bits(dtype) - 1;
  return (whole(key, shape, dtype, precision, where) + 0.5) * std::ldexp(1.0, -precision);
}

// The largest number of this floating type below `limit`; none if every one is larger.
std::optional<double> last_below(DType dtype, double limit) {
  std::byte bytes[8] = {};
  element_from_double(dtype, limit, bytes);
  if (element_to_double(dtype, bytes) < limit) return element_to_double(dtype, bytes);
  // Floats of one sign are ordered as their bits are.
  const std::size_t size = byte_size(dtype);
  std::uint64_t all = 0;
  std::memcpy(&all, bytes, size);
  const std::uint64_t sign = std::uint64_t{1} << (8 * size - 1);
  if (all == 0 || all == sign) all = sign | 1;
  else all = (all & sign) != 0 ? all + 1 : all - 1;
  std::memcpy(bytes, &all, size);
  const double below = element_to_double(dtype, bytes);
  return std::isfinite(below) ? std::optional(below) : std::nullopt;
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

}  // namespace

Key key(std::uint64_t seed, Where where) {
  return {from_vector<std::uint32_t>({static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}, {2},
                                     where)};
}

Tensor bits(const Key& key, Shape shape, DType dtype, Where where) {
  return draw(key.bits, std::move(shape), dtype, frontend::user_line(where));
}

std::vector<Key> split(const Key& key, int count, Where where) {
  const UserLine line(where);
  const Tensor children = draw(with_use(key, kSplit), {count, 2}, DType::u32, frontend::user_line(where));
  std::vector<Key> keys;
  for (int k = 0; k < count; ++k) keys.push_back({children[k]});
  return keys;
}

template <int N>
std::array<Key, N> split(const Key& key, Where where) {
  const std::vector<Key> keys = split(key, N, where);
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<Key, N>{keys[I]...};
  }(std::make_index_sequence<N>());
}
template std::array<Key, 2> split<2>(const Key&, Where);
template std::array<Key, 3> split<3>(const Key&, Where);
template std::array<Key, 4> split<4>(const Key&, Where);
template std::array<Key, 5> split<5>(const Key&, Where);
template std::array<Key, 6> split<6>(const Key&, Where);
template std::array<Key, 7> split<7>(const Key&, Where);
template std::array<Key, 8> split<8>(const Key&, Where);

Key fold_in(const Key& key, Operand data) {
  const UserLine line(data.where());
  const Tensor number = frontend::tensor_of("fold_in", data);
  if (!is_integer(number.dtype()) || number.rank() != 0) {
    raise(data.location(), "random.data", format("random::fold_in: {} is not an integer scalar", number.type().text()));
  }
  const Tensor wide = number.to(DType::u64);
  const Tensor words = stack({wide.to(DType::u32), (wide >> 32).to(DType::u32)});
  // Two rounds: the words of `data` first select a key, whose first block is the new one.
  const Tensor selected = with_use(key, kFold) ^ words;
  return {draw(selected, {2}, DType::u32, data.location())};
}

Tensor uniform(const Key& key, Shape shape, double low, double high, DType dtype, Where where) {
  const UserLine line(where);
  require_floating("uniform", dtype, where);
  const int precision = fraction_bits(dtype);
  const DType drawn = drawn_dtype(dtype);
  const Tensor unit = whole(key, shape, drawn, precision, where) * std::ldexp(1.0, -precision);
  const Tensor scaled = low == 0 && high == 1 ? unit : unit * (high - low) + low;
  const Tensor result = scaled.to(dtype);
  if (low == 0 && high == 1) return result;
  // Adding `low`, and rounding to a smaller type, may round up to `high`.
  const std::optional<double> last = last_below(dtype, high);
  return last && *last >= low ? minimum(result, *last) : result;
}

Tensor normal(const Key& key, Shape shape, double mean, double deviation, DType dtype, Where where) {
  const UserLine line(where);
  require_floating("normal", dtype, where);
  const DType drawn = drawn_dtype(dtype);
  const Tensor unit = erf_inv(open_uniform(key, shape, drawn, where) * 2.0 - 1.0);
  const Tensor scaled = unit * (std::sqrt(2.0) * deviation);
  return (mean == 0 ? scaled : scaled + mean).to(dtype);
}

Tensor truncated_normal(const Key& key, Shape shape, double mean, double deviation, double low, double high, DType dtype,
                        Where where) {
  const UserLine line(where);
  require_floating("truncated_normal", dtype, where);
  const DType drawn = drawn_dtype(dtype);
  const double from = 2 * normal_cdf((low - mean) / deviation) - 1, to = 2 * normal_cdf((high - mean) / deviation) - 1;
  const Tensor unit = erf_inv(open_uniform(key, shape, drawn, where) * (to - from) + from);
  return clip(unit * (std::sqrt(2.0) * deviation) + mean, low, high).to(dtype);
}

Tensor bernoulli(const Key& key, double p, Shape shape, Where where) {
  const UserLine line(where);
  return uniform(key, std::move(shape), 0, 1, DType::f32, where) < p;
}

Tensor randint(const Key& key, std::int64_t low, std::int64_t high, Shape shape, DType dtype, Where where) {
  const UserLine line(where);
  if (high <= low || !is_integer(dtype)) {
    raise(frontend::user_line(where), "random.range",
          format("random::randint: no {} in [{}, {})", dtype_name(dtype), low, high));
  }
  if (!holds(dtype, low) || !holds(dtype, high - 1)) {
    raise(frontend::user_line(where), "random.range",
          format("random::randint: {} does not hold every number in [{}, {})", dtype_name(dtype), low, high),
          "draw in a wider type");
  }
  const auto range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  const Tensor drawn = bits(key, std::move(shape), DType::u64, where) % Operand(static_cast<std::int64_t>(range));
  return drawn.to(dtype) + low;
}

// Each round changes one half of a number's bits by a hash of the other half, which can be undone: a bijection of all
// numbers of that many bits. Those below `size`, in the order they come out, are the permutation.
Tensor permutation(const Key& key, std::int64_t size, Where where) {
  const UserLine line(where);
  if (size < 0 || size > (std::int64_t{1} << 31)) {
    raise(frontend::user_line(where), "random.range", format("random::permutation: {} is not a size up to 2^31", size));
  }
  if (size < 2) return arange(size, DType::i64, where);
  constexpr int kRounds = 8;
  const int width = std::max(2, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(size - 1))));
  const int low_bits = width / 2, high_bits = width - low_bits;
  const Tensor round_keys = bits(key, {kRounds}, DType::u32, where);
  const Tensor all = arange(std::int64_t{1} << width, DType::u32, where);
  Tensor low = all & ((std::int64_t{1} << low_bits) - 1), high = all >> low_bits;
  for (int round = 0; round < kRounds; ++round) {
    Tensor& source = round % 2 == 0 ? high : low;
    Tensor& target = round % 2 == 0 ? low : high;
    const int bits_of_target = round % 2 == 0 ? low_bits : high_bits;
    // The multipliers of a 32-bit finaliser in which every input bit reaches every output bit.
    Tensor h = source + round_keys[round];
    h = (h ^ (h >> 16)) * 0x7feb352d;
    h = (h ^ (h >> 15)) * 0x846ca68b;
    h = h ^ (h >> 16);
    target = target ^ (h >> (32 - bits_of_target));
  }
  const Tensor image = ((high << low_bits) | low).to(DType::i64);
  const Tensor is_kept = image < size;
  // Numbers that are too large go to a place outside the result, where scatter drops them.
  const Tensor place = hyperion::where(is_kept, cumsum(is_kept.to(DType::i64), 0) - 1, size);
  return scatter(zeros({size}, DType::i64), place, image, "set");
}

}  // namespace hyperion::random

// rng_bits.cpp: random bits as a function of a key and a position, the same on every device and for every schedule.
//
// Element number p of a key's stream (row-major within `shape`) is Threefry-2x32-20 of the counter (p mod 2^32, p div
// 2^32) under that key: for u32 the first output word, for u64 the first word below the second. Keys are data: to get
// independent streams, draw new keys from a key.
#include "ir/ops/shapes.hpp"
#include "ir/ops/threefry.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {

std::pair<Scalar, Scalar> threefry2x32(Scalar k0, Scalar k1, Scalar c0, Scalar c1) {
  constexpr int kRotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};  // of the paper, table 4
  constexpr std::int64_t kParity = 0x1BD11BDA;                    // of the Skein key schedule
  const auto number = [&](std::int64_t value) { return Scalar{k0.pool, k0.pool->literal_integer(DType::u32, value)}; };
  const Scalar keys[3] = {k0, k1, k0 ^ k1 ^ number(kParity)};
  Scalar x0 = c0 + keys[0], x1 = c1 + keys[1];
  for (int round = 0; round < 20; ++round) {
    const int bits = kRotations[round % 8];
    x0 = x0 + x1;
    x1 = ((x1 << bits) | (x1 >> (32 - bits))) ^ x0;
    if (round % 4 != 3) continue;
    const int injection = round / 4 + 1;
    x0 = x0 + keys[injection % 3];
    x1 = x1 + keys[(injection + 1) % 3] + number(injection);
  }
  return {x0, x1};
}

namespace {

InferResult infer_rng_bits(const InferContext& c) {
  const Type key = c.operands[0];
  const Dims& shape = c.attributes.dims("shape");
  const DType dtype = c.attributes.dtype("dtype");
  if (key.dtype() != DType::u32 || key.rank() < 1 || key.dim(key.rank() - 1) != Dim(2)) {
    return c.fail("c1", format("a key is u32[2], perhaps with leading axes; got {}", key.text()), {0});
  }
  if (dtype != DType::u32 && dtype != DType::u64) return c.fail("c2", format("bits of type {}", dtype_name(dtype)));
  Dims dims(key.dims().begin(), key.dims().end() - 1);
  dims.insert(dims.end(), shape.begin(), shape.end());
  if (!is_shape(dims)) return c.fail("c3", format("{} is not a shape", text(AttributeValue(dims))));
  for (Dim dim : shape) {
    if (!dim.is_static()) return c.fail("c3", format("positions within {} depend on a symbol", text(AttributeValue(shape))));
  }
  return std::vector{Type(dtype, dims)};
}

std::vector<Lambda> define_rng_bits(const DefineContext& c) {
  TermPool& pool = c.pool;
  const std::vector<VariableId> variables = pool.variables(c.results[0].dims());
  const std::vector<TermId> out = index_terms(pool, variables);
  const int streams = c.operands[0].rank() - 1;
  const TermId position = linear_index(pool, c.attributes.dims("shape"), std::span(out).subspan(at(streams)));
  const auto word = [&](TermId index) { return Scalar{&pool, pool.from_index(index, DType::u32)}; };
  const auto key = [&](std::int64_t half) {
    std::vector<TermId> coordinates(out.begin(), out.begin() + streams);
    coordinates.push_back(pool.index(Dim(half)));
    return Scalar{&pool, c.access(0, std::move(coordinates))};
  };
  constexpr std::int64_t kWord = std::int64_t{1} << 32;
  const auto [low, high] = threefry2x32(key(0), key(1), word(pool.modulo(position, kWord)), word(pool.divide(position, kWord)));
  if (c.results[0].dtype() == DType::u32) return {{variables, low.id}};
  return {{variables, (cast(low, DType::u64) | (cast(high, DType::u64) << 32)).id}};
}

}  // namespace

OpDefinition op_rng_bits() {
  OpDefinition op;
  op.name = "rng_bits";
  op.group = OpGroup::source;
  op.doc = "Uniform random bits: Threefry-2x32-20 of the element's position under the key. Leading axes of the key are "
           "independent streams.";
  op.operands = {{.name = "key", .doc = "u32[..., 2]"}};
  op.attributes = {{"shape", AttributeKind::dims, "the shape drawn for each key", std::nullopt},
                   {"dtype", AttributeKind::dtype, "u32 or u64", AttributeValue(DType::u32)}};
  op.constraints = {{"c1", "(C1) the key is u32 with a last axis of 2"},
                    {"c2", "(C2) dtype is u32 or u64"},
                    {"c3", "(C3) shape is static, and the result has rank at most 8"}};
  op.is_expensive = true;
  op.infer = infer_rng_bits;
  op.define = define_rng_bits;
  op.batch = [](BatchContext& c) { return only(c.builder.apply("rng_bits", {c.operand(0)}, c.attributes)); };
  op.example = "rng_bits %key {dtype = u32, shape = [32, 128]}";
  return op;
}

}  // namespace hyperion::ir::ops

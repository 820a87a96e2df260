#include "tests/support/op_samples.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"
#include "tests/support/op_sampler.hpp"

namespace hyperion::testing_support {

using ir::Dims;
using ir::Integers;
using ir::OpDefinition;
using ir::OpGroup;

std::uint64_t Random::bits() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// ---- values
// ---------------------------------------------------------------------------------------------------

namespace {

double special_double(Random& random) {
  static const std::vector<double> kSpecial = {0.0,
                                               -0.0,
                                               1.0,
                                               -1.0,
                                               0.5,
                                               1e-40,
                                               -1e-40,
                                               5e-324,
                                               65504,
                                               -65504,
                                               1e30,
                                               3.4028234663852886e38,
                                               -1.7976931348623157e308,
                                               88.8,
                                               -103.9,
                                               709.9,
                                               std::numeric_limits<double>::infinity(),
                                               -std::numeric_limits<double>::infinity(),
                                               std::numeric_limits<double>::quiet_NaN()};
  return random.pick(kSpecial);
}

std::int64_t special_integer(Random& random, DType dtype) {
  const int bits = static_cast<int>(byte_size(dtype)) * 8;
  const std::int64_t highest = static_cast<std::int64_t>(~std::uint64_t{0} >> (65 - bits));
  static const std::vector<std::int64_t> kSmall = {0, 1, -1, 2, 7, 31, 32, 63, 64, 100};
  if (random.chance(60)) return random.pick(kSmall);
  return random.chance(50) ? highest : -highest - 1;
}

void random_element(Random& random, DType dtype, Values values, double low, double high,
                    std::byte* out) {
  const bool special = values == Values::special && random.chance(40);
  if (is_floating(dtype)) {
    element_from_double(dtype, special ? special_double(random) : random.uniform(low, high), out);
  } else if (is_boolean(dtype)) {
    *out = static_cast<std::byte>(random.below(2));
  } else if (special) {
    element_from_integer(dtype, special_integer(random, dtype), out);
  } else {
    const double bottom = is_unsigned_integer(dtype) ? std::max(low, 0.0) : low;
    element_from_integer(
        dtype, random.between(std::llround(3 * bottom), std::llround(3 * std::max(high, bottom))),
        out);
  }
}

}  // namespace

LiteralPtr random_literal(Type type, Values values, std::uint64_t seed, double low, double high) {
  Random random(seed);
  std::vector<std::byte> bytes(type.bytes());
  const std::size_t size = byte_size(type.dtype());
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    random_element(random, type.dtype(), values, low, high, bytes.data() + at);
  }
  return Literal::make(type, bytes);
}

// ---- sampler
// --------------------------------------------------------------------------------------------------

Dim Sampler::size(bool may_be_empty) {
  if (may_be_empty && random.chance(6)) return Dim(0);
  if (random.chance(8)) return Dim(random.between(6, 17));
  return Dim(random.between(1, 5));
}

Dims Sampler::shape(int min_rank, int max_rank, bool may_be_empty) {
  const std::int64_t rank = random.between(min_rank, max_rank);
  Dims dims;
  std::int64_t count = 1;
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    Dim dim = size(may_be_empty);
    if (count * dim.value() > 400)
      dim = Dim(1);  // tests run thousands of samples through the interpreter
    count *= std::max<std::int64_t>(dim.value(), 1);
    dims.push_back(dim);
  }
  return dims;
}

LiteralPtr Sampler::integers(Type type, std::int64_t low, std::int64_t high) {
  std::vector<std::byte> bytes(type.bytes());
  const std::size_t size = byte_size(type.dtype());
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    element_from_integer(type.dtype(), random.between(low, high), bytes.data() + at);
  }
  return Literal::make(type, bytes);
}

LiteralPtr Sampler::predicate(const Dims& shape) {
  return random_literal(Type(DType::bool_, shape), Values::ordinary, random.bits());
}

Integers Sampler::permutation(int rank) {
  Integers order(static_cast<std::size_t>(rank));
  for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<std::int64_t>(k);
  for (std::size_t k = order.size(); k > 1; --k)
    std::swap(order[k - 1],
              order[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(k)))]);
  return order;
}

Integers Sampler::some_axes(int rank, bool at_least_one) {
  Integers axes;
  for (int axis = 0; axis < rank; ++axis) {
    if (random.chance(50)) axes.push_back(axis);
  }
  if (axes.empty() && at_least_one && rank > 0) axes.push_back(random.below(rank));
  return axes;
}

Integers Sampler::each(int count, std::int64_t low, std::int64_t high) {
  Integers numbers;
  for (int k = 0; k < count; ++k) numbers.push_back(random.between(low, high));
  return numbers;
}

// ---- elementwise
// ----------------------------------------------------------------------------------------------

namespace {

struct Domain {
  double low, high;
};

// Where an elementwise op is smooth and well conditioned; the rest is fine between -2 and 2.
Domain smooth_domain(std::string_view op, std::size_t operand) {
  static const std::map<std::string_view, Domain> kDomains = {
      {"log", {0.3, 3}},      {"log1p", {-0.6, 2}},     {"sqrt", {0.3, 3}},
      {"rsqrt", {0.3, 3}},    {"asin", {-0.8, 0.8}},    {"acos", {-0.8, 0.8}},
      {"atanh", {-0.8, 0.8}}, {"acosh", {1.2, 3}},      {"erf_inv", {-0.8, 0.8}},
      {"lgamma", {0.4, 4}},   {"digamma", {0.4, 4}},    {"tan", {-1, 1}},
      {"abs", {0.2, 2}},      {"atan2", {0.3, 2}},      {"pow", {0.3, 2}},
      {"sign", {0.2, 2}},     {"floor", {0.2, 0.8}},    {"ceil", {0.2, 0.8}},
      {"round", {0.1, 0.4}},  {"trunc", {0.2, 0.8}},    {"nextafter", {0.3, 2}},
      {"relu", {0.2, 2}},     {"leaky_relu", {0.2, 2}}, {"elu", {0.2, 2}}};
  if (op == "div" || op == "rem") return operand == 1 ? Domain{2.1, 3} : Domain{0.3, 2};
  const auto found = kDomains.find(op);
  return found == kDomains.end() ? Domain{-2, 2} : found->second;
}

DType partner_of(DType dtype, Random& random) {
  std::vector<DType> same_width;
  for (DType other : all_dtypes()) {
    if (byte_size(other) == byte_size(dtype) && !is_complex(other) && !is_boolean(other))
      same_width.push_back(other);
  }
  return random.pick(same_width);
}

std::optional<Application> elementwise_application(const OpDefinition& op, Sampler& s) {
  const Type type = s.type(0, 5);
  Application made;
  for (std::size_t k = 0; k < op.operands.size(); ++k) {
    if (op.name == "select" && k == 0) {
      made.operands.push_back(s.predicate(Dims(type.dims().begin(), type.dims().end())));
      continue;
    }
    const Domain domain = s.values == Values::smooth ? smooth_domain(op.name, k) : Domain{-2, 2};
    made.operands.push_back(s.data(type, domain.low, domain.high));
  }
  if (op.name == "compare") {
    made.attributes.set(
        "direction", s.random.pick(std::vector<std::string>{"eq", "ne", "lt", "le", "gt", "ge"}));
  }
  if (op.name == "cast") {
    const std::vector<DType> dtypes = {DType::f64, DType::f32, DType::f16, DType::bf16,
                                       DType::i64, DType::i32, DType::u8,  DType::bool_};
    made.attributes.set("dtype", s.values == Values::smooth ? DType::f64 : s.random.pick(dtypes));
  }
  if (op.name == "bitcast") made.attributes.set("dtype", partner_of(s.dtype, s.random));
  return made;
}

const Generators& generators() {
  static const Generators all = [] {
    Generators made;
    add_tensor_generators(made);
    add_model_generators(made);
    add_control_generators(made);
    return made;
  }();
  return all;
}

}  // namespace

// ---- samples
// --------------------------------------------------------------------------------------------------

std::vector<Type> OpSample::operand_types() const {
  std::vector<Type> types;
  for (const LiteralPtr& operand : operands) types.push_back(operand->type());
  return types;
}

std::string OpSample::text() const {
  std::string line(op->name);
  std::string_view separator = " ";
  for (const LiteralPtr& operand : operands) {
    line += separator;
    line += operand->type().text();
    separator = ", ";
  }
  line += " {";
  separator = "";
  for (const auto& [name, value] : attributes) {
    line += separator;
    line += format("{} = {}", name, ir::text(value));
    separator = ", ";
  }
  return line + "}";
}

std::vector<const OpDefinition*> sampled_ops() {
  std::vector<const OpDefinition*> ops;
  // Nothing computes with complex elements: those have types only.
  const std::set<std::string_view> left_out = {"return", "complex", "conj", "imag", "real"};
  for (const OpDefinition* op : ir::all_ops()) {
    if (op->group != OpGroup::kernel && !left_out.contains(op->name)) ops.push_back(op);
  }
  return ops;
}

std::vector<OpSample> op_samples(const OpDefinition& op, const SampleOptions& options) {
  std::vector<OpSample> samples;
  const auto found = generators().find(op.name);
  if (found == generators().end() && !op.is_elementwise) return samples;
  std::uint64_t seed = options.seed * 1000003 + static_cast<std::uint64_t>(options.dtype);
  for (char letter : op.name) seed = seed * 131 + static_cast<std::uint64_t>(letter);
  Random random(seed);
  Sampler sampler{random, options.dtype, options.values};
  for (int attempt = 0; attempt < 4 * options.count && std::ssize(samples) < options.count;
       ++attempt) {
    std::optional<Application> made =
        found == generators().end() ? elementwise_application(op, sampler) : found->second(sampler);
    if (!made) continue;
    OpSample sample{
        &op, std::move(made->operands), std::move(made->attributes), {}, std::move(made->module)};
    Diagnostics diagnostics;
    const ir::InferResult types = ir::infer_types(op, sample.operand_types(), sample.attributes,
                                                  sample.module.get(), diagnostics);
    if (!types) continue;
    sample.results = *types;
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace hyperion::testing_support

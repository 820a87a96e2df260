#include "frontend/promotion.hpp"

#include <algorithm>
#include <bit>
#include <unordered_map>

#include "frontend/error.hpp"
#include "ir/op_definition.hpp"
#include "ir/support/format.hpp"

namespace hyperion {
namespace {

bool is_kind(DTypeKind kind, DType a, DType b) { return kind_of(a) == kind && kind_of(b) == kind; }

DType wider(DType a, DType b) { return byte_size(a) >= byte_size(b) ? a : b; }

DType signed_of_size(std::size_t bytes) {
  return bytes <= 1 ? DType::i8 : bytes == 2 ? DType::i16 : bytes == 4 ? DType::i32 : DType::i64;
}

DType promote_floats(DType a, DType b) {
  const DType wide = wider(a, b), narrow = wide == a ? b : a;
  if (byte_size(wide) != byte_size(narrow)) return wide;
  return byte_size(wide) == 2 ? DType::f32 : DType::f16;
}

}  // namespace

std::optional<DType> promote_types(DType a, DType b) {
  if (a == b) return a;
  if (is_kind(DTypeKind::floating, a, b)) return promote_floats(a, b);
  if (is_kind(DTypeKind::signed_integer, a, b) || is_kind(DTypeKind::unsigned_integer, a, b)) {
    return wider(a, b);
  }
  if (is_kind(DTypeKind::complex, a, b)) return DType::c128;
  if (is_integer(a) && is_integer(b)) {
    const DType plain = is_signed_integer(a) ? a : b, natural = is_signed_integer(a) ? b : a;
    if (natural == DType::u64) return std::nullopt;
    return signed_of_size(std::max(byte_size(plain), 2 * byte_size(natural)));
  }
  return std::nullopt;
}

namespace frontend {
namespace {

std::string_view words(Operand::Kind kind) {
  return kind == Operand::Kind::boolean ? "a bool" : kind == Operand::Kind::integer ? "a whole number" : "a real number";
}

bool accepts(DType dtype, Operand::Kind kind) {
  switch (kind) {
    case Operand::Kind::boolean: return is_boolean(dtype);
    case Operand::Kind::integer: return is_integer(dtype) || is_floating(dtype);
    default: return is_floating(dtype);
  }
}

bool holds(DType dtype, std::int64_t value) {
  if (!is_integer(dtype) || byte_size(dtype) == 8) return dtype != DType::u64 || value >= 0;
  const int bits = static_cast<int>(byte_size(dtype) * 8) - (is_signed_integer(dtype) ? 1 : 0);
  const std::int64_t limit = std::int64_t{1} << bits;
  return value < limit && value >= (is_signed_integer(dtype) ? -limit : 0);
}

NodeRef constant(LiteralPtr literal, Location where) {
  static const ir::OpDefinition& op = ir::op("constant");
  ir::Attributes attributes;
  attributes.set("value", std::move(literal));
  return record(op, {}, std::move(attributes), where);
}

Type scalar_type(const Operand& value) { return Type::scalar(default_dtype(value.kind())); }

}  // namespace

DType default_dtype(Operand::Kind kind) {
  return kind == Operand::Kind::boolean ? DType::bool_ : kind == Operand::Kind::integer ? DType::i64 : DType::f32;
}

NodeRef number(std::string_view op, const Operand& value, Type type, Location where) {
  if (!accepts(type.dtype(), value.kind())) {
    raise(where, "tensor.promotion",
          format("{}: {} does not take the type {} of the tensor", op, words(value.kind()), dtype_name(type.dtype())),
          "convert the tensor with to(DType::...)");
  }
  const auto beside = [](NodeRef node) {
    node->binding = Binding::number;
    return node;
  };
  if (value.kind() == Operand::Kind::real) return beside(splat(type, value.real(), where));
  if (!holds(type.dtype(), value.integer())) {
    raise(where, "tensor.promotion",
          format("{}: {} is outside the range of {}", op, value.integer(), dtype_name(type.dtype())),
          "convert the tensor to a wider type with to(DType::...)");
  }
  return beside(constant(Literal::splat_integer(type, value.integer()), where));
}

NodeRef splat(Type type, double value, Location where) {
  // A program has few numbers and meets them again and again; hashing one anew costs as much as recording ten ops.
  struct Key {
    std::uint64_t type, bits;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const { return hash_combine(key.type, key.bits); }
  };
  constexpr std::size_t kRemembered = 1024;
  thread_local std::unordered_map<Key, LiteralPtr, KeyHash> literals;
  if (literals.size() > kRemembered) literals.clear();
  LiteralPtr& literal = literals[{type.hash(), std::bit_cast<std::uint64_t>(value)}];
  if (!literal || literal->type() != type) literal = Literal::splat(type, value);
  return constant(literal, where);
}

NodeRef cast(const NodeRef& x, DType dtype, Location where) {
  if (x.type().dtype() == dtype) return x;
  static const ir::OpDefinition& op = ir::op("cast");
  ir::Attributes attributes;
  attributes.set("dtype", dtype);
  return record(op, {x}, std::move(attributes), where);
}

NodeRef reshape(const NodeRef& x, std::span<const Dim> dims, Location where) {
  if (std::ranges::equal(x.type().dims(), dims)) return x;
  static const ir::OpDefinition& op = ir::op("reshape");
  ir::Attributes attributes;
  attributes.set("shape", ir::Dims(dims.begin(), dims.end()));
  return record(op, {x}, std::move(attributes), where);
}

NodeRef broadcast(const NodeRef& x, std::span<const Dim> dims, Location where) {
  if (std::ranges::equal(x.type().dims(), dims)) return x;
  static const ir::OpDefinition& op = ir::op("broadcast");
  ir::Integers axes;
  const int first = static_cast<int>(dims.size()) - x.type().rank();
  for (int axis = 0; axis < x.type().rank(); ++axis) axes.push_back(first + axis);
  ir::Attributes attributes;
  attributes.set("shape", ir::Dims(dims.begin(), dims.end()));
  attributes.set("dims", std::move(axes));
  return record(op, {x}, std::move(attributes), where);
}

std::vector<Dim> broadcast_dims(std::string_view op, std::span<const Type> types, Location where) {
  int rank = 0;
  for (Type type : types) rank = std::max(rank, type.rank());
  std::vector<Dim> dims(static_cast<std::size_t>(rank), Dim(1));
  for (Type type : types) {
    for (int axis = 0; axis < type.rank(); ++axis) {
      Dim& dim = dims[static_cast<std::size_t>(rank - type.rank() + axis)];
      if (type.dim(axis) == dim || type.dim(axis) == Dim(1)) continue;
      if (dim == Dim(1)) {
        dim = type.dim(axis);
        continue;
      }
      std::string shapes;
      for (Type t : types) shapes += (shapes.empty() ? "" : " and ") + t.text();
      raise(where, "tensor.broadcast",
            format("{}: shapes do not broadcast: {}; axis {} has size {} and {}", op, shapes,
                   axis - type.rank(), dim.text(), type.dim(axis).text()),
            "sizes must be equal or 1, counted from the last axis");
    }
  }
  return dims;
}

Matched match_types(std::string_view op, const Operand& lhs, const Operand& rhs, Location where) {
  if (!lhs.is_tensor() && !rhs.is_tensor()) {
    return {number(op, lhs, scalar_type(lhs), where), number(op, rhs, scalar_type(rhs), where)};
  }
  for (const Operand* side : {&lhs, &rhs}) {
    if (side->is_tensor() && side->tensor().is_empty()) {
      raise(where, "tensor.empty", format("{}: an operand is an empty tensor", op),
            "a default-constructed Tensor holds nothing; assign to it first");
    }
  }
  if (!lhs.is_tensor()) return {number(op, lhs, rhs.tensor().type(), where), rhs.tensor().ref()};
  if (!rhs.is_tensor()) return {lhs.tensor().ref(), number(op, rhs, lhs.tensor().type(), where)};
  const DType a = lhs.tensor().dtype(), b = rhs.tensor().dtype();
  if (a == b) return {lhs.tensor().ref(), rhs.tensor().ref()};
  const std::optional<DType> common = promote_types(a, b);
  if (!common) {
    raise(where, "tensor.promotion",
          format("{}: operands have types {} and {}, which do not mix", op, dtype_name(a), dtype_name(b)),
          "convert one of them with to(DType::...)");
  }
  return {cast(lhs.tensor().ref(), *common, where), cast(rhs.tensor().ref(), *common, where)};
}

Matched match(std::string_view op, const Operand& lhs, const Operand& rhs, Location where) {
  Matched both = match_types(op, lhs, rhs, where);
  const Type types[] = {both.lhs.type(), both.rhs.type()};
  if (std::ranges::equal(types[0].dims(), types[1].dims())) return both;
  const std::vector<Dim> dims = broadcast_dims(op, types, where);
  return {broadcast(both.lhs, dims, where), broadcast(both.rhs, dims, where)};
}

}  // namespace frontend
}  // namespace hyperion

// promotion.hpp: which element type two operands meet in. One table, the array API's, and one rule for plain numbers.
//
//   bool             meets only bool
//   signed integers  meet in the wider one; likewise unsigned integers
//   i x u            meets in the smallest signed type that holds both; u64 with a signed type is an error
//   floats           meet in the smallest type that holds both: f16 x bf16 = f32, f8e4m3 x f8e5m2 = f16
//   other kinds      are an error: i32 + f32 would hide a rounding, so the program says which it means
//
// A plain number takes the tensor's type when its kind allows it: bool with bool; whole numbers with integers and
// floats; reals with floats. A whole number that the type cannot hold is an error.
#pragma once

#include <optional>

#include "frontend/tensor.hpp"

namespace hyperion {

// nullopt: the types do not mix.
std::optional<DType> promote_types(DType a, DType b);

namespace frontend {

// The type of which a plain number makes a tensor when no tensor is near: bool, i64, f32.
DType default_dtype(Operand::Kind kind);

// Both operands as tensors of one type and shape, with casts and broadcasts recorded as needed. `op` names the
// operation in errors. REQUIRES: one of them is a tensor, or both are numbers of the same kind.
struct Matched {
  NodeRef lhs, rhs;
};
Matched match(std::string_view op, const Operand& lhs, const Operand& rhs, Location where);
// The same without broadcasting: only the types meet.
Matched match_types(std::string_view op, const Operand& lhs, const Operand& rhs, Location where);

// A number as a splat of `type`; checks that its kind fits.
NodeRef number(std::string_view op, const Operand& value, Type type, Location where);
NodeRef splat(Type type, double value, Location where);

// The shape that several shapes broadcast to.
std::vector<Dim> broadcast_dims(std::string_view op, std::span<const Type> types, Location where);
NodeRef broadcast(const NodeRef& x, std::span<const Dim> dims, Location where);
NodeRef cast(const NodeRef& x, DType dtype, Location where);
NodeRef reshape(const NodeRef& x, std::span<const Dim> dims, Location where);

}  // namespace frontend
}  // namespace hyperion

// nextafter.cpp: the neighbouring number in the direction of another.
//
// Numbers of one sign are ordered like their bits, so a step is one more or one less. Works in the width of the element
// type itself: the neighbour of an f16 is an f16.
#include "ir/logic/scalar.hpp"
#include "ir/ops/ops.hpp"

namespace hyperion::ir::ops {
namespace {

DType bits_of_width(DType dtype) {
  switch (byte_size(dtype)) {
    case 8: return DType::i64;
    case 4: return DType::i32;
    case 2: return DType::i16;
    default: return DType::i8;
  }
}

Scalar expand_nextafter(const ExpandContext& c) {
  const DType bits = bits_of_width(c.dtype);
  const DType compared = accumulation_dtype(c.dtype);  // small floats compare in f32
  const Scalar x = cast(c[0], compared), y = cast(c[1], compared);
  const Scalar x_bits = bitcast(c[0], bits), y_bits = bitcast(c[1], bits);
  const Scalar zero = c.integer(bits, 0), one = c.integer(bits, 1);
  const Scalar lowest = c.integer(bits, std::int64_t{1} << (8 * byte_size(bits) - 1));  // the sign bit
  const Scalar grows = ~((y > x) ^ (x_bits >= zero));  // away from zero
  const Scalar stepped = x_bits + select(grows, one, -one);
  const Scalar smallest = (y_bits & lowest) | one;  // from a zero to the first subnormal on y's side
  const Scalar moved = select(x == number(x, 0.0), smallest, stepped);
  const Scalar result = select(is_nan(x), x_bits, select(is_nan(y) | (x == y), y_bits, moved));
  return bitcast(result, c.dtype);
}

}  // namespace

OpDefinition op_nextafter() {
  OpDefinition op = binary_op("nextafter", "The next number after lhs towards rhs; rhs where they are equal; NaN with NaN.",
                              floating_dtype, "a floating-point type");
  op.expand = expand_nextafter;
  op.expands_any_dtype = true;
  op.is_smooth = false;
  op.jvp = [](JvpContext& c) { return only(c.tangent(0)); };  // a step is x, and next to nothing
  op.example = "nextafter %x, %y";
  return op;
}

}  // namespace hyperion::ir::ops

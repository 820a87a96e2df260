#include "codegen/cpp/cpp_scalars.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ir/logic/scalar_program.hpp"
#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"
#include "ir/text/element_text.hpp"

namespace hyperion::codegen {

bool has_cpp_type(DType dtype) { return !is_complex(dtype); }

namespace {

bool is_small_float(DType dtype) { return is_floating(dtype) && byte_size(dtype) < 4; }

std::string float_text(float value) {
  return ir::element_text(DType::f32, reinterpret_cast<const std::byte*>(&value)) + "f";
}

}  // namespace

std::string cpp_type(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "double";
    case DType::f32:
      return "float";
    // Types of the prelude: no C++20 compiler need have them.
    case DType::f16:
      return "F16";
    case DType::bf16:
      return "BF16";
    case DType::f8e4m3:
      return "F8E4M3";
    case DType::f8e5m2:
      return "F8E5M2";
    case DType::bool_:
      return "bool";
    default:
      return format("std::{}int{}_t", is_unsigned_integer(dtype) ? "u" : "", 8 * byte_size(dtype));
  }
}

std::string cpp_type(Type type) {
  if (type.rank() == 0) return cpp_type(type.dtype());
  return format("Lanes<{}, {}>", cpp_type(type.dtype()), type.element_count());
}

std::string cpp_literal(DType dtype, const std::byte* bytes) {
  const std::string text = ir::element_text(dtype, bytes);
  if (is_floating(dtype)) {
    const double value = element_to_double(dtype, bytes);
    if (std::isfinite(value)) {
      if (dtype == DType::f64) return text;
      // As a float, whose text is exact: the shorter one would be rounded twice.
      const std::string narrow = float_text(static_cast<float>(value));
      return dtype == DType::f32 ? narrow : format("{}({})", cpp_type(dtype), narrow);
    }
    std::uint64_t bits = 0;
    std::memcpy(&bits, bytes, byte_size(dtype));
    return format("std::bit_cast<{}>(std::uint{}_t(0x{:x}))", cpp_type(dtype), 8 * byte_size(dtype),
                  bits);
  }
  if (is_boolean(dtype)) return text;
  if (text == "-9223372036854775808") return "std::numeric_limits<std::int64_t>::min()";
  return format("{}({}{})", cpp_type(dtype), text, dtype == DType::u64 ? "u" : "");
}

std::string cpp_primitive(ir::Primitive primitive, DType result, DType argument,
                          const std::vector<std::string>& a, std::int64_t immediate) {
  constexpr std::string_view comparisons[] = {"==", "!=", "<", "<=", ">", ">="};
  const bool infix = is_floating(argument);
  switch (primitive) {
    case ir::Primitive::add:
      if (infix) return format("({} + {})", a[0], a[1]);
      break;
    case ir::Primitive::sub:
      if (infix) return format("({} - {})", a[0], a[1]);
      break;
    case ir::Primitive::mul:
      if (infix) return format("({} * {})", a[0], a[1]);
      break;
    case ir::Primitive::div:
      if (infix) return format("({} / {})", a[0], a[1]);
      break;
    case ir::Primitive::compare:
      return format("({} {} {})", a[0], comparisons[static_cast<std::size_t>(immediate)], a[1]);
    case ir::Primitive::select:
      return format("({} ? {} : {})", a[0], a[1], a[2]);
    case ir::Primitive::cast:
      return format("cast<{}>({})", cpp_type(result), a[0]);
    case ir::Primitive::bitcast:
      return format("std::bit_cast<{}>({})", cpp_type(result), a[0]);
    default:
      break;
  }
  constexpr std::string_view names[] = {
      "none",
#define HYP_PRIMITIVE(name, arity, semantics) #name,
#include "ir/logic/primitives.def"
#undef HYP_PRIMITIVE
  };
  return format("{}({})", names[static_cast<std::size_t>(primitive)], fmt::join(a, ", "));
}

namespace {

std::string function(const std::string& name, const ir::ScalarProgram& program) {
  const auto count = static_cast<std::int32_t>(program.arguments.size());
  const auto value = [&](std::int32_t v) {
    return v < count ? format("x{}", v) : format("t{}", v - count);
  };
  std::vector<std::string> parameters;
  for (std::int32_t k = 0; k < count; ++k) {
    parameters.push_back(
        format("{} x{}", cpp_type(program.arguments[static_cast<std::size_t>(k)]), k));
  }
  std::string out = format("\n{} {}({}) {{\n", cpp_type(program.dtype_of(program.result)), name,
                           fmt::join(parameters, ", "));
  std::int32_t number = count;
  for (const ir::ScalarInstruction& one : program.instructions) {
    std::vector<std::string> arguments;
    DType argument = one.dtype;
    for (std::int32_t v : one.args) {
      if (v < 0) continue;
      arguments.push_back(value(v));
      argument = program.dtype_of(v);
    }
    const std::string text =
        one.primitive == ir::Primitive::none
            ? cpp_literal(one.dtype, reinterpret_cast<const std::byte*>(&one.bits))
            : cpp_primitive(one.primitive, one.dtype, argument, arguments, one.bits);
    out += format("  const {} {} = {};\n", cpp_type(one.dtype), value(number++), text);
  }
  return out + format("  return {};\n}}\n", value(program.result));
}

}  // namespace

std::string CppScalarFunctions::apply(const ir::Op& op, const std::vector<DType>& dtypes,
                                      DType result, const std::vector<std::string>& a) {
  const std::int64_t immediate =
      op.is("compare") ? ir::ops::comparison_code(op.attributes.text("direction")) : 0;
  const bool small = is_small_float(result) || std::ranges::any_of(dtypes, is_small_float);
  const ir::Primitive primitive = op.definition->primitive;
  if (primitive != ir::Primitive::none && !small)
    return cpp_primitive(primitive, result, dtypes.back(), a, immediate);
  std::string name = format("{}_{}", op.name(), dtype_name(result));
  for (DType dtype : dtypes) name += dtype == result ? "" : format("_{}", dtype_name(dtype));
  if (immediate != 0) name += "_" + op.attributes.text("direction");
  if (known_.insert(name).second) {
    functions_.emplace_back(name, function(name, ir::scalar_program(*op.definition, dtypes, result, immediate)));
  }
  return format("{}({})", name, fmt::join(a, ", "));
}

void CppScalarFunctions::add(const CppScalarFunctions& others) {
  for (const auto& function : others.functions_) {
    if (known_.insert(function.first).second) functions_.push_back(function);
  }
}

std::string CppScalarFunctions::text() const {
  std::string all;
  for (const auto& [name, text] : functions_) all += text;
  return all;
}

}  // namespace hyperion::codegen

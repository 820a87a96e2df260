#include "codegen/cpp/emit_cpp.hpp"

#include <cctype>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "codegen/cpp/prelude.hpp"
#include "ir/logic/scalar_program.hpp"
#include "ir/ops/ops.hpp"
#include "ir/support/format.hpp"
#include "ir/text/element_text.hpp"

namespace hyperion::codegen {
namespace {

using ir::Op;
using ir::OpId;
using ir::ValueId;

bool has_cpp_type(DType dtype) {
  return !is_complex(dtype) && dtype != DType::bf16 && dtype != DType::f8e4m3 &&
         dtype != DType::f8e5m2;
}

std::string cpp_type(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return "double";
    case DType::f32:
      return "float";
    case DType::f16:
      return "_Float16";
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

std::string literal(DType dtype, const std::byte* bytes) {
  const std::string text = ir::element_text(dtype, bytes);
  if (is_floating(dtype)) {
    if (std::isfinite(element_to_double(dtype, bytes))) {
      return dtype == DType::f64   ? text
             : dtype == DType::f32 ? text + "f"
                                   : format("_Float16({}f)", text);
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

// Float arithmetic reads best as operators; everything else is a function of the prelude.
std::string primitive_text(ir::Primitive primitive, DType result, DType argument,
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

// The scalar functions that kernels call, each a function of its own in front of them.
class ScalarFunctions {
 public:
  // The text that applies `op` to scalars.
  std::string apply(const Op& op, const std::vector<DType>& dtypes, DType result,
                    const std::vector<std::string>& a) {
    const std::int64_t immediate =
        op.is("compare") ? ir::ops::comparison_code(op.attributes.text("direction")) : 0;
    bool small = result == DType::f16;
    for (DType dtype : dtypes) small |= dtype == DType::f16;
    const ir::Primitive primitive = op.definition->primitive;
    if (primitive != ir::Primitive::none && !small)
      return primitive_text(primitive, result, dtypes.back(), a, immediate);
    std::string name = format("{}_{}", op.name(), dtype_name(result));
    for (DType dtype : dtypes) name += dtype == result ? "" : format("_{}", dtype_name(dtype));
    if (immediate != 0) name += "_" + op.attributes.text("direction");
    if (known_.insert(name).second) {
      text_ += function(name, ir::scalar_program(*op.definition, dtypes, result, immediate));
    }
    return format("{}({})", name, fmt::join(a, ", "));
  }
  const std::string& text() const { return text_; }

 private:
  static std::string function(const std::string& name, const ir::ScalarProgram& program) {
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
              ? literal(one.dtype, reinterpret_cast<const std::byte*>(&one.bits))
              : primitive_text(one.primitive, one.dtype, argument, arguments, one.bits);
      out += format("  const {} {} = {};\n", cpp_type(one.dtype), value(number++), text);
    }
    return out + format("  return {};\n}}\n", value(program.result));
  }

  std::set<std::string> known_;
  std::string text_;
};

class KernelTranslator {
 public:
  KernelTranslator(const ir::Function& kernel, ScalarFunctions& scalars)
      : kernel_(kernel), scalars_(scalars) {}

  StatusOr<std::string> run() {
    std::vector<std::string> parameters;
    for (std::size_t k = 0; k < kernel_.parameters().size(); ++k) {
      const ValueId id = kernel_.parameters()[k];
      const bool is_input = kernel_.roles[k] == ir::ParameterRole::in;
      parameters.push_back(format("{}{}* {}", is_input ? "const " : "",
                                  cpp_type(kernel_.type(id).dtype()), name(id)));
    }
    out_ = format("\nextern \"C\" void {}({}) {{\n", identifier(kernel_.name),
                  fmt::join(parameters, ", "));
    block(kernel_.body());
    if (!refused_.empty()) return error_status(Code::unimplemented, refused_, "@" + kernel_.name);
    return out_ + "}\n";
  }

 private:
  static std::string identifier(const std::string& name) {
    std::string out;
    for (char c : name) out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    return out;
  }
  // Names of the kernel's values keep their user's spelling, with an underscore so that none is a
  // word of C++.
  const std::string& name(ValueId id) {
    std::string& known = names_[id];
    if (!known.empty()) return known;
    const ir::ValueData& value = kernel_.value(id);
    if (!has_cpp_type(value.type.dtype()))
      refused_ = format("C++ has no type for {}", dtype_name(value.type.dtype()));
    known = value.name.empty() ? format("v{}", next_++) : identifier(value.name) + "_";
    while (!taken_.insert(known).second) known += "_";
    return known;
  }
  DType dtype(ValueId id) const { return kernel_.type(id).dtype(); }
  int lanes(ValueId id) const { return static_cast<int>(kernel_.type(id).element_count()); }
  bool is_vector(ValueId id) const { return kernel_.type(id).rank() == 1; }
  // Lane l of a vector, or the scalar.
  std::string lane(ValueId id) { return is_vector(id) ? name(id) + ".at[l]" : name(id); }

  void line(const std::string& text) { out_ += std::string(2 * depth_, ' ') + text + "\n"; }
  void open(const std::string& text) { line(text + " {"), ++depth_; }
  void close() { --depth_, line("}"); }
  void define(ValueId id, const std::string& text) {
    line(format("const {} {} = {};", cpp_type(kernel_.type(id)), name(id), text));
  }
  // Defines a value from the text of one lane.
  void define_lanes(ValueId id, const std::string& of_lane) {
    if (!is_vector(id)) return define(id, of_lane);
    define(id, format("lanes<{}>([&](int l) -> {} {{ return {}; }})", lanes(id),
                      cpp_type(dtype(id)), of_lane));
  }

  // Depth is that of the kernel's loops, which the verifier and the parser bound.
  void block(ir::BlockId id) {
    for (OpId op : kernel_.ops_of(id)) translate(op, kernel_.op(op));
  }

  void translate(OpId id, const Op& op) {
    if (op.is("return")) return;
    if (op.is("yield")) return yield(op);
    if (op.is("for")) return loop(op);
    if (op.is("contract")) return contract(op);
    if (op.is("convolve")) return convolve(op);
    if (op.is("store")) return store(op);
    if (op.is("scratch")) {
      return line(format("std::vector<{}> {}({});", cpp_type(dtype(op.results[0])),
                         name(op.results[0]), op.attributes.integer("size")));
    }
    if (op.is("constant")) {
      const LiteralPtr& value = op.attributes.literal("value");
      if (!value->is_splat()) return define(op.results[0], elements(*value));
      return define_lanes(op.results[0],
                          literal(value->type().dtype(), value->stored_bytes().data()));
    }
    if (op.is("broadcast")) return define_lanes(op.results[0], lane(op.operands[0]));
    if (op.is("load")) return load(op);
    if (op.is("affine")) return affine(op);
    if (op.is("reduce")) return reduce(op);
    if (!op.definition->is_elementwise) return refuse(id);
    std::vector<DType> dtypes;
    std::vector<std::string> arguments;
    for (ValueId operand : op.operands) {
      dtypes.push_back(dtype(operand));
      arguments.push_back(lane(operand));
    }
    define_lanes(op.results[0], scalars_.apply(op, dtypes, dtype(op.results[0]), arguments));
  }

  static std::string elements(const Literal& value) {
    std::vector<std::string> out;
    for (std::int64_t l = 0; l < value.type().element_count(); ++l) {
      out.push_back(literal(value.type().dtype(), value.element(l).data()));
    }
    return format("{{{{{}}}}}", fmt::join(out, ", "));
  }

  void refuse(OpId id) {
    refused_ = format("op '{}' has no translation to C++", kernel_.op(id).name());
  }

  void affine(const Op& op) {
    std::string sum;
    const ir::Integers& coefficients = op.attributes.integers("coefficients");
    for (std::size_t k = 0; k < coefficients.size(); ++k) {
      sum += format("{}{}{}", k == 0 ? "" : " + ",
                    coefficients[k] == 1 ? "" : format("{} * ", coefficients[k]),
                    lane(op.operands[k]));
    }
    const std::int64_t constant = op.attributes.integer("constant");
    if (constant != 0 || sum.empty()) sum += format("{}{}", sum.empty() ? "" : " + ", constant);
    define_lanes(op.results[0], sum);
  }

  // What has to hold for a lane to be read or written; empty: nothing.
  std::string lane_condition(const Op& op, std::size_t mask_operand, bool vector) {
    std::string condition = vector && in_contraction_ ? "l < valid" : "";
    if (op.operands.size() > mask_operand)
      condition += (condition.empty() ? "" : " && ") + lane(op.operands[mask_operand]);
    return condition;
  }
  std::string element(ValueId buffer, ValueId offset, bool vector) {
    return format("{}[{}{}]", name(buffer), lane(offset),
                  vector && !is_vector(offset) ? " + l" : "");
  }

  void load(const Op& op) {
    const bool vector = is_vector(op.results[0]);
    const std::string condition = lane_condition(op, 2, vector),
                      read = element(op.operands[0], op.operands[1], vector);
    define_lanes(op.results[0], condition.empty() ? read
                                                  : format("{} ? {} : {}(0)", condition, read,
                                                           cpp_type(dtype(op.results[0]))));
  }

  void store(const Op& op) {
    const bool vector = is_vector(op.operands[0]);
    const std::string condition = lane_condition(op, 3, vector);
    const std::string loop =
        vector ? format("for (int l = 0; l < {}; ++l) ", lanes(op.operands[0])) : "";
    line(format("{}{}{} = {};", loop, condition.empty() ? "" : format("if ({}) ", condition),
                element(op.operands[1], op.operands[2], vector), lane(op.operands[0])));
  }

  void reduce(const Op& op) {
    const DType type = dtype(op.results[0]);
    const ir::Monoid monoid = *ir::parse_monoid(op.attributes.text("kind"));
    const std::uint64_t identity = ir::identity_bits(monoid, type);
    const std::string combined =
        primitive_text(ir::combine_op(monoid).primitive, type, type, {"a", "b"}, 0);
    define(op.results[0],
           format("reduce_{}({}, {}, [](auto a, auto b) {{ return {}; }})",
                  op.attributes.text("order"), name(op.operands[0]),
                  literal(type, reinterpret_cast<const std::byte*>(&identity)), combined));
  }

  void loop(const Op& op) {
    const auto& arguments = kernel_.block(op.blocks[0]).arguments;
    for (std::size_t k = 0; k < op.results.size(); ++k) {
      line(format("{} {} = {};", cpp_type(kernel_.type(arguments[k + 1])), name(arguments[k + 1]),
                  name(op.operands[k + 2])));
    }
    const std::string& i = name(arguments[0]);
    open(format("for (std::int64_t {0} = {1}; {0} < {2}; {0} += {3})", i, name(op.operands[0]),
                name(op.operands[1]), op.attributes.integer("step")));
    block(op.blocks[0]);
    close();
    for (std::size_t k = 0; k < op.results.size(); ++k)
      names_[op.results[k]] = name(arguments[k + 1]);
  }

  // All next values are computed before any is assigned.
  void yield(const Op& op) {
    if (op.operands.empty()) return;
    const auto& arguments = kernel_.block(op.parent).arguments;
    const bool several = op.operands.size() > 1;
    for (std::size_t k = 0; several && k < op.operands.size(); ++k) {
      line(format("const auto next{} = {};", k, name(op.operands[k])));
    }
    for (std::size_t k = 0; k < op.operands.size(); ++k) {
      line(format("{} = {};", name(arguments[k + 1]),
                  several ? format("next{}", k) : name(op.operands[k])));
    }
  }

  // The names that the body, or the plain store, uses for the sums and where they belong.
  struct Sums {
    std::string sum = "sum", batch = "batch", row = "row", column = "column";
  };
  Sums sums_of(const Op& op) {
    if (op.blocks.empty()) return {};
    const auto& arguments = kernel_.block(op.blocks[0]).arguments;
    return {name(arguments[0]), name(arguments[1]), name(arguments[2]), name(arguments[3])};
  }

  static std::string batch_offset(const std::string& batch, const ir::Integers& extents,
                                  const ir::Integers& strides) {
    std::string out;
    std::int64_t inner = 1;
    for (std::size_t k = extents.size(); k-- > 0; inner *= extents[k]) {
      out += format("{} / {} % {} * {} + ", batch, inner, extents[k], strides[k]);
    }
    return out;
  }

  void contract(const Op& op) {
    const ir::Attributes& a = op.attributes;
    const Sums s = sums_of(op);
    std::int64_t batches = 1;
    for (std::int64_t extent : a.integers("batch")) batches *= extent;
    const std::string element = cpp_type(accumulation_dtype(dtype(op.operands[0])));
    open(format("for (std::int64_t {0} = 0; {0} < {1}; ++{0})", s.batch, batches));
    open(format("for (std::int64_t {0} = 0; {0} < {1}; ++{0})", s.row, a.integer("rows")));
    open_columns(op, s, a.integer("columns"));
    open(format("for (std::int64_t k = 0; k < {}; ++k)", a.integer("depth")));
    line(format(
        "s = fma({0}({1}[{2}{3} * {4} + k * {5}]), {0}({6}[{7}k * {8} + ({9} + l) * {10}]), s);",
        element, name(op.operands[0]),
        batch_offset(s.batch, a.integers("batch"), a.integers("lhs_batch")), s.row,
        a.integer("lhs_row"), a.integer("lhs_depth"), name(op.operands[1]),
        batch_offset(s.batch, a.integers("batch"), a.integers("rhs_batch")), a.integer("rhs_depth"),
        s.column, a.integer("rhs_column")));
    close();
    close_columns(op, s,
                  format("({} * {} + {}) * {} + {} + l", s.batch, a.integer("rows"), s.row,
                         a.integer("columns"), s.column));
    close();
    close();
  }

  // Opens the loop over vectors of columns and the lambda that sums one lane.
  void open_columns(const Op& op, const Sums& s, std::int64_t columns,
                    const std::string& begin = "0") {
    const std::int64_t step = op.attributes.integer("lanes");
    open(format("for (std::int64_t {0} = {1}; {0} < {1} + {2}; {0} += {3})", s.column, begin,
                columns, step));
    line(format("const int valid = static_cast<int>(std::min<std::int64_t>({}, {} + {} - {}));",
                step, begin, columns, s.column));
    const std::string element = cpp_type(accumulation_dtype(dtype(op.operands[0])));
    open(format("const auto {} = lanes<{}>([&](int l) -> {}", s.sum, step, element));
    line(format("{} s = 0;", element));
    line("if (l >= valid) return s;");
  }

  void close_columns(const Op& op, const Sums& s, const std::string& output) {
    line("return s;");
    --depth_;
    line("});");
    if (op.blocks.empty()) {
      const ValueId to = op.operands[2];
      line(format("for (int l = 0; l < valid; ++l) {}[{}] = cast<{}>({}.at[l]);", name(to), output,
                  cpp_type(dtype(to)), s.sum));
    } else {
      in_contraction_ = true;
      block(op.blocks[0]);
      in_contraction_ = false;
    }
    close();
  }

  void convolve(const Op& op) {
    const auto list = [&](std::string_view attribute) { return op.attributes.integers(attribute); };
    const ir::Integers extents = list("extents"), h = list("height"), w = list("width"),
                       lhs = list("lhs"), rhs = list("rhs");
    const Sums s = sums_of(op);
    const std::string element = cpp_type(accumulation_dtype(dtype(op.operands[0])));
    const auto tap = [](const std::string& o, const char* t, const ir::Integers& axis) {
      return format("source({}, {}, {}, {}, {}, {}, {})", o, t, axis[2], axis[3], axis[4], axis[5],
                    axis[6]);
    };
    open(format("for (std::int64_t {0} = 0; {0} < {1}; ++{0})", s.batch, extents[0] * h[0]));
    line(format("const std::int64_t n = {0} / {1}, oh = {0} % {1};", s.batch, h[0]));
    open(format("for (std::int64_t {0} = 0; {0} < {1}; ++{0})", s.row, w[0]));
    open(format("for (std::int64_t g = 0; g < {}; ++g)", extents[1]));
    open_columns(op, s, extents[3], format("g * {}", extents[3]));
    open(format("for (std::int64_t th = 0; th < {}; ++th)", h[1]));
    open(format("for (std::int64_t tw = 0; tw < {}; ++tw)", w[1]));
    line(format("const std::int64_t ih = {}, iw = {};", tap("oh", "th", h), tap(s.row, "tw", w)));
    line("if (ih < 0 || iw < 0) continue;");
    open(format("for (std::int64_t c = 0; c < {}; ++c)", extents[2]));
    line(format("s = fma({0}({1}[n * {2} + g * {3} + ih * {4} + iw * {5} + c * {6} + {7}]),",
                element, name(op.operands[0]), lhs[0], lhs[1], h[7], w[7], lhs[2], lhs[3]));
    line(
        format("        {0}({1}[g * {2} + th * {3} + tw * {4} + c * {5} + ({6} + l - g * {7}) * "
               "{8} + {9}]), s);",
               element, name(op.operands[1]), rhs[0], h[8], w[8], rhs[1], s.column, extents[3],
               rhs[2], rhs[3]));
    close();
    close();
    close();
    const ir::Integers output = list("output");
    close_columns(op, s,
                  format("n * {} + g * {} + oh * {} + {} * {} + ({} + l - g * {}) * {}", output[0],
                         output[1], output[2], s.row, output[3], s.column, extents[3], output[4]));
    close();
    close();
    close();
  }

  const ir::Function& kernel_;
  ScalarFunctions& scalars_;
  std::map<ValueId, std::string> names_;
  std::set<std::string> taken_;
  std::string out_, refused_;
  std::size_t next_ = 0, depth_ = 1;
  bool in_contraction_ = false;
};

}  // namespace

StatusOr<std::string> emit_cpp(const ir::Module& module) {
  ScalarFunctions scalars;
  std::string kernels;
  for (const auto& function : module.functions()) {
    if (function->kind != ir::FunctionKind::kernel) continue;
    HYP_TRY(const std::string text, KernelTranslator(*function, scalars).run());
    kernels += text;
  }
  return format(
      "// The kernels of module @{}, translated to C++20. -ffp-contract=off keeps every "
      "bit.\n{}{}\n}}  // namespace\n{}",
      module.name, kCppPrelude, scalars.text(), kernels);
}

}  // namespace hyperion::codegen

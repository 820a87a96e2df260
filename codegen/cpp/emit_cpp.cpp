#include "codegen/cpp/emit_cpp.hpp"

#include <array>
#include <cctype>
#include <map>
#include <set>

#include "codegen/cpp/cpp_scalars.hpp"
#include "codegen/cpp/prelude.hpp"
#include "ir/contraction_blocks.hpp"
#include "ir/support/format.hpp"

namespace hyperion::codegen {
namespace {

using ir::Op;
using ir::OpId;
using ir::ValueId;

class KernelTranslator {
 public:
  KernelTranslator(const ir::Function& kernel, CppScalarFunctions& scalars)
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
                          cpp_literal(value->type().dtype(), value->stored_bytes().data()));
    }
    if (op.is("broadcast")) return define_lanes(op.results[0], lane(op.operands[0]));
    if (op.is("load")) return load(op);
    if (op.is("affine")) return affine(op);
    if (op.is("reduce")) return reduce(op);
    if (op.is("transpose_lanes")) return transpose_lanes(op);
    if (!op.definition->is_elementwise) return refuse(id);
    std::vector<DType> dtypes;
    std::vector<std::string> arguments;
    for (ValueId operand : op.operands) {
      dtypes.push_back(dtype(operand));
      arguments.push_back(lane(operand));
    }
    define_lanes(op.results[0], scalars_.apply(op, dtypes, dtype(op.results[0]), arguments));
  }

  void transpose_lanes(const Op& op) {
    std::vector<std::string> columns;
    for (ValueId operand : op.operands) columns.push_back(name(operand));
    const std::string& square = name(op.results[0]) + "_square";
    line(format("const {} {}[] = {{{}}};", cpp_type(kernel_.type(op.results[0])), square, fmt::join(columns, ", ")));
    for (std::size_t row = 0; row < op.results.size(); ++row) {
      define_lanes(op.results[row], format("{}[l].at[{}]", square, row));
    }
  }

  static std::string elements(const Literal& value) {
    std::vector<std::string> out;
    for (std::int64_t l = 0; l < value.type().element_count(); ++l) {
      out.push_back(cpp_literal(value.type().dtype(), value.element(l).data()));
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
        cpp_primitive(ir::combine_op(monoid).primitive, type, type, {"a", "b"}, 0);
    define(op.results[0],
           format("reduce_{}({}, {}, [](auto a, auto b) {{ return {}; }})",
                  op.attributes.text("order"), name(op.operands[0]),
                  cpp_literal(type, reinterpret_cast<const std::byte*>(&identity)), combined));
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
    if (op.operands.empty() || !kernel_.op(kernel_.block(op.parent).owner).is("for")) return;
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
    const auto epilogue = ir::contraction_blocks(op).epilogue;
    if (!epilogue) return {};
    const auto& arguments = kernel_.block(*epilogue).arguments;
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
    const std::int64_t rows = a.integer("rows"), columns = a.integer("columns"), depth = a.integer("depth");
    const std::string element = cpp_type(ir::contraction_sum_dtype(kernel_, op));
    const auto factor = [&](std::size_t k, const std::string& mapped, const std::string& strided) {
      return has_map(op, k) ? mapped : format("{}({}[{}])", element, name(op.operands[k]), strided);
    };
    const std::string lhs =
        factor(0, format("lhs[({} * {} + {}) * {} + k]", s.batch, rows, s.row, depth),
               format("{}{} * {} + k * {}", batch_offset(s.batch, a.integers("batch"), a.integers("lhs_batch")),
                      s.row, a.integer("lhs_row"), a.integer("lhs_depth")));
    const std::string rhs =
        factor(1, format("rhs[({} * {} + k) * {} + {} + l]", s.batch, depth, columns, s.column),
               format("{}k * {} + ({} + l) * {}",
                      batch_offset(s.batch, a.integers("batch"), a.integers("rhs_batch")),
                      a.integer("rhs_depth"), s.column, a.integer("rhs_column")));
    open_maps(op, {{{batches, rows, depth}, {batches, depth, columns}}});
    open(format("for (std::int64_t {0} = 0; {0} < {1}; ++{0})", s.batch, batches));
    open(format("for (std::int64_t {0} = 0; {0} < {1}; ++{0})", s.row, rows));
    open_columns(op, s, columns);
    open(format("for (std::int64_t k = 0; k < {}; ++k)", depth));
    line(format("s = fma({}, {}, s);", lhs, rhs));
    close();
    close_columns(op, s,
                  format("({} * {} + {}) * {} + {} + l", s.batch, rows, s.row, columns, s.column));
    close();
    close();
    close_maps(op);
  }

  static bool has_map(const Op& op, std::size_t factor) {
    return !op.attributes.text(factor == 0 ? "lhs_map" : "rhs_map").empty();
  }

  // Operands with a map are computed whole, by the indices that the map is given, before the sums.
  void open_maps(const Op& op, const std::array<std::array<std::int64_t, 3>, 2>& extents) {
    const ir::ContractionBlocks blocks = ir::contraction_blocks(op);
    if (!blocks.lhs_map && !blocks.rhs_map) return;
    line("{"), ++depth_;
    if (blocks.lhs_map) map(op, "lhs", *blocks.lhs_map, extents[0], op.attributes.text("lhs_map") == "row" ? 1 : 2);
    if (blocks.rhs_map) map(op, "rhs", *blocks.rhs_map, extents[1], op.attributes.text("rhs_map") == "depth" ? 1 : 2);
  }
  void close_maps(const Op& op) {
    if (has_map(op, 0) || has_map(op, 1)) close();
  }

  void map(const Op& op, std::string_view to, ir::BlockId body, const std::array<std::int64_t, 3>& extents,
           std::size_t lanes_along) {
    const std::int64_t step = op.attributes.integer("lanes");
    line(format("std::vector<{}> {}({});", cpp_type(ir::contraction_sum_dtype(kernel_, op)), to,
                extents[0] * extents[1] * extents[2]));
    std::array<std::string, 3> at;
    for (std::size_t k = 0; k < at.size(); ++k) {
      at[k] = name(kernel_.block(body).arguments[k]);
      open(format("for (std::int64_t {0} = 0; {0} < {1}; {0} += {2})", at[k], extents[k],
                  k == lanes_along ? step : 1));
    }
    line(format("const int valid = static_cast<int>(std::min<std::int64_t>({}, {} - {}));", step,
                extents[lanes_along], at[lanes_along]));
    in_contraction_ = true;
    block(body);
    in_contraction_ = false;
    const ValueId yielded = kernel_.op(kernel_.block(body).last).operands[0];
    line(format("for (int l = 0; l < valid; ++l) {}[({} * {} + {}{}) * {} + {}{}] = {}.at[l];", to, at[0], extents[1],
                at[1], lanes_along == 1 ? " + l" : "", extents[2], at[2], lanes_along == 2 ? " + l" : "",
                name(yielded)));
    for (std::size_t k = 0; k < at.size(); ++k) close();
  }

  // Opens the loop over vectors of columns and the lambda that sums one lane.
  void open_columns(const Op& op, const Sums& s, std::int64_t columns,
                    const std::string& begin = "0") {
    const std::int64_t step = op.attributes.integer("lanes");
    open(format("for (std::int64_t {0} = {1}; {0} < {1} + {2}; {0} += {3})", s.column, begin,
                columns, step));
    line(format("const int valid = static_cast<int>(std::min<std::int64_t>({}, {} + {} - {}));",
                step, begin, columns, s.column));
    const std::string element = cpp_type(ir::contraction_sum_dtype(kernel_, op));
    open(format("const auto {} = lanes<{}>([&](int l) -> {}", s.sum, step, element));
    line(format("{} s = 0;", element));
    line("if (l >= valid) return s;");
  }

  void close_columns(const Op& op, const Sums& s, const std::string& output) {
    line("return s;");
    --depth_;
    line("});");
    const auto epilogue = ir::contraction_blocks(op).epilogue;
    if (!epilogue) {
      const ValueId to = op.operands[2];
      line(format("for (int l = 0; l < valid; ++l) {}[{}] = cast<{}>({}.at[l]);", name(to), output,
                  cpp_type(dtype(to)), s.sum));
    } else {
      in_contraction_ = true;
      block(*epilogue);
      in_contraction_ = false;
    }
    close();
  }

  void convolve(const Op& op) {
    const auto list = [&](std::string_view attribute) { return op.attributes.integers(attribute); };
    const ir::Integers extents = list("extents"), h = list("height"), w = list("width"),
                       lhs = list("lhs"), rhs = list("rhs");
    const Sums s = sums_of(op);
    const std::string element = cpp_type(ir::contraction_sum_dtype(kernel_, op));
    const std::int64_t channels = extents[1] * extents[2], columns = extents[1] * extents[3];
    const auto factor = [&](std::size_t k, const std::string& mapped, const std::string& strided) {
      return has_map(op, k) ? mapped : format("{}({}[{}])", element, name(op.operands[k]), strided);
    };
    const std::string left =
        factor(0, format("lhs[((n * {} + ih) * {} + iw) * {} + g * {} + c]", h[2], w[2], channels, extents[2]),
               format("n * {} + g * {} + ih * {} + iw * {} + c * {} + {}", lhs[0], lhs[1], h[7], w[7], lhs[2], lhs[3]));
    const std::string right =
        factor(1, format("rhs[((th * {} + tw) * {} + c) * {} + {} + l]", w[1], extents[2], columns, s.column),
               format("g * {} + th * {} + tw * {} + c * {} + ({} + l - g * {}) * {} + {}", rhs[0], h[8], w[8], rhs[1],
                      s.column, extents[3], rhs[2], rhs[3]));
    open_maps(op, {{{extents[0] * h[2], w[2], channels}, {h[1] * w[1], extents[2], columns}}});
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
    line(format("s = fma({},", left));
    line(format("        {}, s);", right));
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
    close_maps(op);
  }

  const ir::Function& kernel_;
  CppScalarFunctions& scalars_;
  std::map<ValueId, std::string> names_;
  std::set<std::string> taken_;
  std::string out_, refused_;
  std::size_t next_ = 0, depth_ = 1;
  bool in_contraction_ = false;
};

}  // namespace

StatusOr<std::string> emit_cpp(const ir::Module& module) {
  CppScalarFunctions scalars;
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

#include "codegen/cuda/kernel_translator.hpp"

#include <algorithm>
#include <cctype>

#include "ir/support/format.hpp"

namespace hyperion::codegen {

using ir::Op;
using ir::OpId;
using ir::ValueId;

std::string cuda_identifier(const std::string& name) {
  std::string out;
  for (char c : name) out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return out;
}

bool is_cuda_anchor(const Op& op) {
  return op.is("contract") || op.is("convolve") || op.is("scatter_lines") || op.is("sort_lines");
}

std::string open_cuda_kernel(int threads, const std::string& name, const std::string& parameters,
                             const std::string& before) {
  return format(
      "extern \"C\" __global__ void __launch_bounds__({}) {}({}) {{\n  after_previous();\n{}  constexpr int thread = "
      "0;\n",
      threads, name, parameters, before);
}

void add_buffers(runtime::cuda::KernelEntry& entry, std::size_t count) {
  for (std::uint32_t k = 0; k < count; ++k) entry.parameters.push_back(runtime::cuda::BufferParameter{k});
}

// ---- names and types ------------------------------------------------------------------------------------------

// Names of the kernel's values keep their user's spelling, with an underscore so that none is a word of C++.
const std::string& CudaKernelTranslator::name(ValueId id) {
  std::string& known = names_[id];
  if (!known.empty()) return known;
  const ir::ValueData& value = kernel_.value(id);
  if (!has_cpp_type(value.type.dtype()))
    refused_ = format("CUDA C++ has no type for {}", dtype_name(value.type.dtype()));
  known = value.name.empty() ? format("v{}", next_++) : cuda_identifier(value.name) + "_";
  while (!taken_.insert(known).second) known += "_";
  return known;
}

std::string CudaKernelTranslator::pointer_type(std::size_t k) const {
  const bool is_input = kernel_.roles[k] == ir::ParameterRole::in;
  return format("{}{}*", is_input ? "const " : "", cpp_type(dtype(kernel_.parameters()[k])));
}

std::string CudaKernelTranslator::parameter(std::size_t k, bool restrict_pointer) {
  return format("{} {}{}", pointer_type(k), restrict_pointer ? "__restrict__ " : "", name(kernel_.parameters()[k]));
}

std::vector<std::string> CudaKernelTranslator::parameters(bool restrict_pointers) {
  std::vector<std::string> all;
  for (std::size_t k = 0; k < kernel_.parameters().size(); ++k) all.push_back(parameter(k, restrict_pointers));
  return all;
}

std::string CudaKernelTranslator::type(ValueId id) const { return is_int(id) ? "int" : cpp_type(dtype(id)); }

std::string CudaKernelTranslator::element(ValueId id) {
  if (const auto found = inline_.find(id); found != inline_.end()) return found->second;
  return is_vector(id) && !scalar_vectors_.contains(id) ? name(id) + "[i]" : name(id);
}

std::string CudaKernelTranslator::widened(ValueId id) {
  return is_int(id) ? format("std::int64_t({})", element(id)) : element(id);
}

void CudaKernelTranslator::define(ValueId id, const std::string& text) {
  if (!is_vector(id)) return line(format("const {} {} = {};", type(id), name(id), text));
  line(format("{} {}[{}];", type(id), name(id), registers(id)));
  line(format("HYP_EACH(i, {}) {}[i] = {};", registers(id), name(id), text));
}

// ---- blocks ---------------------------------------------------------------------------------------------------

std::string CudaKernelTranslator::translate(ir::BlockId id, const Tile& tile, std::size_t depth) {
  tile_ = tile;
  depth_ = depth;
  block(id);
  return std::exchange(out_, {});
}

std::string CudaKernelTranslator::translate_body(ir::BlockId id, const std::string& valid, std::size_t depth) {
  valid_ = valid;
  depth_ = depth;
  block(id);
  valid_.clear();
  return std::exchange(out_, {});
}

std::string CudaKernelTranslator::translate_prefetches(ir::BlockId id, std::size_t depth) {
  depth_ = depth;
  // Nothing that was loaded takes part, so an address is known as soon as what it is computed from is.
  std::set<ValueId> loaded;
  for (OpId op_id : kernel_.ops_of(id)) {
    const Op& op = kernel_.op(op_id);
    if (op.results.size() != 1) continue;
    const bool is_known = std::ranges::none_of(op.operands, [&](ValueId operand) { return loaded.contains(operand); });
    if (!is_known || op.is("load")) loaded.insert(op.results[0]);
    if (!is_known) continue;
    if (!op.is("load")) {
      translate(op);
    } else if (is_vector(op.results[0]) && !is_vector(op.operands[1])) {
      line(format("prefetch_line({} + {});", name(op.operands[0]), element(op.operands[1])));
    }
  }
  return std::exchange(out_, {});
}

std::string CudaKernelTranslator::translate_staged(ir::BlockId id, const std::array<std::string, 3>& place,
                                                   std::size_t depth) {
  const auto& arguments = kernel_.block(id).arguments;
  define_name(arguments[0], "sums");
  for (std::size_t k = 0; k < place.size(); ++k) define_name(arguments[k + 1], place[k]);
  is_staged_ = true;
  return translate_body(id, "", depth);
}

// Depth is that of the kernel's loops, which the verifier and the parser bound.
void CudaKernelTranslator::block(ir::BlockId id) {
  for (OpId op : kernel_.ops_of(id)) translate(kernel_.op(op));
}

void CudaKernelTranslator::translate(const Op& op) {
  using Translate = void (CudaKernelTranslator::*)(const Op&);
  static const std::map<std::string_view, Translate> translations = {
      {"for", &CudaKernelTranslator::loop},
      {"yield", &CudaKernelTranslator::yield},
      {"load", &CudaKernelTranslator::load},
      {"store", &CudaKernelTranslator::store},
      {"affine", &CudaKernelTranslator::affine},
      {"constant", &CudaKernelTranslator::constant},
      {"reduce", &CudaKernelTranslator::reduce},
      {"reduce_columns", &CudaKernelTranslator::reduce_columns},
      {"transpose_lanes", &CudaKernelTranslator::transpose_lanes},
  };
  if (op.is("return") || is_cuda_anchor(op)) return;
  if (const auto found = translations.find(op.name()); found != translations.end()) return (this->*found->second)(op);
  const ValueId result = op.results.empty() ? ValueId{} : op.results[0];
  if (op.is("broadcast")) {
    inline_[result] = element(op.operands[0]);
    scalar_vectors_.insert(result);
  } else if (op.is("iota")) {
    inline_[result] = lane_text();
  } else if (op.definition->is_elementwise) {
    elementwise(op);
  } else {
    refused_ = format("op '{}' has no translation to CUDA C++", op.name());
  }
}

void CudaKernelTranslator::constant(const Op& op) {
  const Literal& value = *op.attributes.literal("value");
  const ValueId result = op.results[0];
  if (value.is_splat()) {
    const bool plain = is_int(result);
    inline_[result] = plain ? format("{}", element_to_integer(DType::i64, value.element(0).data()))
                            : cpp_literal(value.type().dtype(), value.stored_bytes().data());
    if (plain && inline_[result][0] == '-') inline_[result] = "(" + inline_[result] + ")";
    return;
  }
  // The only vector of unequal constants that lowering writes.
  for (std::int64_t l = 0; l < value.type().element_count(); ++l) {
    HYP_CHECK(dtype(result) == DType::i64 && element_to_integer(DType::i64, value.element(l).data()) == l,
              "a vector constant in a kernel for a team is not its lane numbers");
  }
  inline_[result] = lane_text();
}

void CudaKernelTranslator::affine(const Op& op) {
  const ValueId result = op.results[0];
  const bool narrow = is_int(result);
  std::string sum;
  const ir::Integers& coefficients = op.attributes.integers("coefficients");
  for (std::size_t k = 0; k < coefficients.size(); ++k) {
    const std::string term = narrow && is_int(op.operands[k]) ? element(op.operands[k]) : widened(op.operands[k]);
    sum += format("{}{}{}", k == 0 ? "" : " + ", coefficients[k] == 1 ? "" : format("{} * ", coefficients[k]), term);
  }
  const std::int64_t constant = op.attributes.integer("constant");
  if (constant != 0 || sum.empty()) sum += format("{}{}", sum.empty() ? "" : " + ", constant);
  define(result, sum);
}

void CudaKernelTranslator::elementwise(const Op& op) {
  const ValueId result = op.results[0];
  // A conversion of an int gives what one of the same number in 64 bits would.
  bool narrow = is_int(result) || is_boolean(dtype(result)) || op.is("cast");
  for (ValueId operand : op.operands) narrow &= is_int(operand) || is_boolean(dtype(operand));
  std::vector<DType> dtypes;
  std::vector<std::string> arguments;
  for (ValueId operand : op.operands) {
    dtypes.push_back(dtype(operand));
    arguments.push_back(narrow ? element(operand) : widened(operand));
    if (narrow && is_int(operand)) arguments.back() = format("int({})", arguments.back());
    if (op.is("select") && is_zero(operand)) arguments.back() = format("unknown({})", arguments.back());
  }
  define(result, scalars_.apply(op, dtypes, dtype(result), arguments));
}

// Zero, of either sign, as a constant of a float type.
bool CudaKernelTranslator::is_zero(ValueId id) const {
  const Op* op = kernel_.producer(id);
  while (op != nullptr && op->is("broadcast")) op = kernel_.producer(op->operands[0]);
  if (op == nullptr || !op->is("constant") || !is_floating(dtype(id))) return false;
  const Literal& value = *op->attributes.literal("value");
  return value.is_splat() && element_to_double(value.type().dtype(), value.stored_bytes().data()) == 0;
}

// ---- memory ---------------------------------------------------------------------------------------------------

std::string CudaKernelTranslator::mask_of(const Op& op, std::size_t mask_operand) const {
  if (op.operands.size() <= mask_operand) return {};
  const auto found = names_.find(op.operands[mask_operand]);
  return found == names_.end() ? std::string() : found->second;
}

// What has to hold for element i to be read or written; empty: nothing.
std::string CudaKernelTranslator::conditions(const Op& op, std::size_t mask_operand, bool stores) {
  std::vector<std::string> all;
  if (stores && !tile_.live.empty()) all.push_back(tile_.live);
  if (!valid_.empty() && is_vector(stores ? op.operands[0] : op.results[0])) all.push_back(format("i < {}", valid_));
  if (op.operands.size() > mask_operand) all.push_back(element(op.operands[mask_operand]));
  return fmt::format("{}", fmt::join(all, " && "));
}

bool CudaKernelTranslator::moves_chunks(ValueId offset, const Op& op, std::size_t mask_operand) const {
  if (team_.chunk == 1 || (is_vector(offset) && !facts_.is_consecutive(offset, team_.chunk))) return false;
  // In a body the lanes beyond the last column are cut off one by one.
  if (!valid_.empty()) return false;
  if (facts_.of(offset).divisor % team_.chunk != 0) return false;
  return op.operands.size() <= mask_operand || facts_.is_uniform(op.operands[mask_operand], team_.chunk);
}

void CudaKernelTranslator::load(const Op& op) {
  const ValueId result = op.results[0], buffer = op.operands[0], offset = op.operands[1];
  if (is_vector(result) && moves_chunks(offset, op, 2) &&
      (op.operands.size() <= 2 || names_.contains(op.operands[2]))) {
    line(format("{} {}[{}];", type(result), name(result), registers(result)));
    const std::string mask = mask_of(op, 2);
    if (is_vector(offset)) {
      return line(format("HYP_CHUNKS(i, {0}, {1}) load_chunk<{1}>({2} + i, {3} + {4}{5});", registers(result),
                         team_.chunk, name(result), name(buffer), element(offset),
                         mask.empty() ? "" : ", " + mask + "[i]"));
    }
    return line(format("load<{}, {}>({}, {} + {}, thread{}{});", team_.threads, team_.chunk, name(result), name(buffer),
                       element(offset), mask.empty() ? "" : ", ", mask));
  }
  const std::string from = format("{}[{}{}]", name(buffer), element(offset),
                                  is_vector(result) && !is_vector(offset) ? " + " + lane_text() : "");
  const std::string condition = conditions(op, 2, false);
  define(result, condition.empty() ? from : format("{} ? {} : {}(0)", condition, from, cpp_type(dtype(result))));
}

void CudaKernelTranslator::store(const Op& op) {
  const ValueId value = op.operands[0], buffer = op.operands[1], offset = op.operands[2];
  if (is_staged_) return stage(value);
  if (!is_vector(value)) {
    std::string condition = conditions(op, 3, true);
    if (team_.threads > 1) condition = "thread == 0" + (condition.empty() ? "" : " && " + condition);
    return line(format("{}{}[{}] = {};", condition.empty() ? "" : format("if ({}) ", condition), name(buffer),
                       element(offset), element(value)));
  }
  // An array of the buffer's own elements: indices may be held in fewer bits.
  const bool is_array = !scalar_vectors_.contains(value) && !inline_.contains(value) && !is_int(value);
  if (is_array && moves_chunks(offset, op, 3) && (op.operands.size() <= 3 || names_.contains(op.operands[3]))) {
    const std::string mask = mask_of(op, 3), live = tile_.live.empty() ? "" : format("if ({}) ", tile_.live);
    if (is_vector(offset)) {
      return line(format("HYP_CHUNKS(i, {0}, {1}) {2}store_chunk<{1}>({3} + i, {4} + {5}{6});", registers(value),
                         team_.chunk, live, name(value), name(buffer), element(offset),
                         mask.empty() ? "" : ", " + mask + "[i]"));
    }
    return line(format("{}store<{}, {}>({}, {} + {}, thread{}{});", live, team_.threads, team_.chunk, name(value),
                       name(buffer), element(offset), mask.empty() ? "" : ", ", mask));
  }
  const std::string condition = conditions(op, 3, true);
  line(format("HYP_EACH(i, {}) {}{}[{}{}] = {};", registers(value),
              condition.empty() ? "" : format("if ({}) ", condition), name(buffer), element(offset),
              is_vector(offset) ? "" : " + " + lane_text(), element(value)));
}

// Two elements of 16 bits as one word. One instruction rounds both.
void CudaKernelTranslator::stage(ValueId value) {
  const Op* last = kernel_.producer(value);
  if (last != nullptr && last->is("cast") && dtype(last->operands[0]) == DType::f32) {
    return line(format("word = rounded_pair<{}>({});", cpp_type(dtype(value)), array(last->operands[0])));
  }
  line(format("word = pair_of({});", array(value)));
}

// How two elements become one, as a function of C++.
std::string CudaKernelTranslator::combination(const Op& op) const {
  const DType type = dtype(op.results[0]);
  const ir::Monoid monoid = *ir::parse_monoid(op.attributes.text("kind"));
  return format("[]({0} a, {0} b) {{ return {1}; }}", cpp_type(type),
                cpp_primitive(ir::combine_op(monoid).primitive, type, type, {"a", "b"}, 0));
}

// The vector's name, after it was given one if it has none.
std::string CudaKernelTranslator::array(ValueId vector) {
  if (!inline_.contains(vector) && !scalar_vectors_.contains(vector)) return name(vector);
  const std::string spread = format("spread{}", next_++);
  line(format("{} {}[{}];", type(vector), spread, registers(vector)));
  line(format("HYP_EACH(i, {}) {}[i] = {};", registers(vector), spread, element(vector)));
  return spread;
}

std::string CudaKernelTranslator::declare_shared(std::string_view name, DType dtype, std::initializer_list<int> extents,
                                                 std::string_view alignment) {
  std::int64_t bytes = static_cast<std::int64_t>(byte_size(dtype)) * team_.per_block();
  const std::string numbered = format("{}_{}", name, shared_count_++);
  shared_ += format("  __shared__ {}{} {}[{}]", alignment, cpp_type(dtype), numbered, team_.per_block());
  for (const int extent : extents) {
    shared_ += format("[{}]", extent);
    bytes *= extent;
  }
  shared_ += ";\n";
  shared_bytes_ += bytes;
  return numbered + "[team]";
}

void CudaKernelTranslator::reduce(const Op& op) {
  const ValueId x = op.operands[0];
  const DType type = dtype(op.results[0]);
  const ir::Monoid monoid = *ir::parse_monoid(op.attributes.text("kind"));
  const std::string element_type = cpp_type(type), &order = op.attributes.text("order");
  const std::string combine = combination(op), from = array(x);
  if (order == "lanes") {
    HYP_CHECK(team_.threads <= 32,
              "@" + kernel_.name + " reduces a vector in the CPU's order that more than a warp holds");
    return define(op.results[0], format("reduce_lanes<{}, {}>({}, {})", team_.threads, team_.chunk, from, combine));
  }
  if (order == "ascending") {
    const std::uint64_t identity = ir::identity_bits(monoid, type);
    return define(op.results[0], format("reduce_ascending<{}, {}>({}, {}, {})", team_.threads, team_.chunk, from,
                                        cpp_literal(type, reinterpret_cast<const std::byte*>(&identity)), combine));
  }
  std::string shared = format("static_cast<{}*>(nullptr)", element_type);
  if (team_.threads > 32) {
    // A reduction's memory is its own, so that the next one need not wait.
    shared = declare_shared("shared", type, {team_.threads / 32});
  }
  define(op.results[0], format("reduce_team<{}>({}, {}, {}, thread)", team_.threads, from, combine, shared));
}

void CudaKernelTranslator::reduce_columns(const Op& op) {
  const ValueId x = op.operands[0], result = op.results[0];
  const std::string from = array(x), combine = combination(op);
  const std::string shared = declare_shared("matrix", dtype(result), {registers(x) * team_.threads}, "alignas(16) ");
  line(format("{} {}[{}];", type(result), name(result), registers(result)));
  line(format("reduce_columns<{}, {}, {}>({}, {}, {}, {}, thread);", team_.threads, team_.chunk,
              op.attributes.integer("columns"), name(result), from, combine, shared));
}

// Through shared memory: vector r is row r of a square, a column of which is a result.
void CudaKernelTranslator::transpose_lanes(const Op& op) {
  const auto count = static_cast<int>(op.operands.size());
  // One element more than a row: then neighbours of a column lie in different banks.
  const std::string square = declare_shared("square", dtype(op.results[0]), {count, count + 1});
  const std::string wait = team_.threads > 32 ? "__syncthreads();" : "__syncwarp();";
  for (int row = 0; row < count; ++row) {
    line(format("HYP_EACH(i, {}) {}[{}][{}] = {};", count / team_.threads, square, row, lane_text(),
                element(op.operands[static_cast<std::size_t>(row)])));
  }
  line(wait);
  for (int row = 0; row < count; ++row) {
    define(op.results[static_cast<std::size_t>(row)], format("{}[{}][{}]", square, lane_text(), row));
  }
  line(wait);
}

// ---- loops ----------------------------------------------------------------------------------------------------

void CudaKernelTranslator::loop(const Op& op) {
  const auto& arguments = kernel_.block(op.blocks[0]).arguments;
  if (op.attributes.boolean("parallel")) {
    line(format("const {} {} = {};", type(arguments[0]), name(arguments[0]), tile_.number));
    return block(op.blocks[0]);
  }
  for (std::size_t k = 0; k < op.results.size(); ++k) {
    const ValueId carried = arguments[k + 1];
    const std::string initial = element(op.operands[k + 2]);
    if (is_vector(carried)) {
      line(format("{} {}[{}];", type(carried), name(carried), registers(carried)));
      line(format("HYP_EACH(i, {}) {}[i] = {};", registers(carried), name(carried), initial));
    } else {
      line(format("{} {} = {};", type(carried), name(carried), initial));
    }
  }
  const std::string& index = name(arguments[0]);
  // Loads of several iterations under way at once: nothing else hides how far memory is.
  if (is_short_loop(op)) line("#pragma unroll 8");
  open(format("for ({0} {1} = {2}; {1} < {3}; {1} += {4})", type(arguments[0]), index, element(op.operands[0]),
              element(op.operands[1]), op.attributes.integer("step")));
  block(op.blocks[0]);
  close();
  for (std::size_t k = 0; k < op.results.size(); ++k) names_[op.results[k]] = name(arguments[k + 1]);
}

bool CudaKernelTranslator::is_short_loop(const Op& op) const {
  constexpr std::size_t kShortLoop = 16;
  const std::vector<OpId> body = kernel_.ops_of(op.blocks[0]);
  bool loads = false, nests = false;
  int most_registers = 1;
  for (OpId id : body) {
    const Op& inner = kernel_.op(id);
    nests |= inner.is("for") || inner.is("reduce");
    if (!inner.is("load") || !is_vector(inner.results[0])) continue;
    loads = true;
    most_registers = std::max(most_registers, registers(inner.results[0]));
  }
  return loads && !nests && body.size() <= kShortLoop && most_registers <= 8;
}

// All next values are computed before any is assigned.
void CudaKernelTranslator::yield(const Op& op) {
  if (op.operands.empty()) return;
  if (is_cuda_anchor(kernel_.op(kernel_.block(op.parent).owner))) return;
  const auto& arguments = kernel_.block(op.parent).arguments;
  std::vector<std::string> next;
  for (std::size_t k = 0; k < op.operands.size(); ++k) {
    const ValueId value = op.operands[k];
    const bool is_other_carried = std::ranges::find(arguments, value) != arguments.end() && value != arguments[k + 1];
    next.push_back(element(value));
    if (!is_other_carried) continue;
    const std::string copy = format("next{}", next_++);
    if (is_vector(value)) {
      line(format("{} {}[{}];", type(value), copy, registers(value)));
      line(format("HYP_EACH(i, {}) {}[i] = {};", registers(value), copy, next.back()));
      next.back() = copy + "[i]";
    } else {
      line(format("const {} {} = {};", type(value), copy, next.back()));
      next.back() = copy;
    }
  }
  for (std::size_t k = 0; k < op.operands.size(); ++k) {
    const ValueId carried = arguments[k + 1];
    if (op.operands[k] == carried) continue;
    if (is_vector(carried)) {
      line(format("HYP_EACH(i, {}) {}[i] = {};", registers(carried), name(carried), next[k]));
    } else {
      line(format("{} = {};", name(carried), next[k]));
    }
  }
}

}  // namespace hyperion::codegen

// op_definition.hpp: the shape of an op's one home.
//
// Every op is one file under ir/ops/ that returns an OpDefinition: type rule with numbered constraints, definition as
// index notation (or, for control flow, an evaluation), jvp, transpose if it is linear, batching rule, and
// documentation. Everything else in Hyperion reads this record: verifier, builder, parser, printer, interpreter,
// code generators, autodiff, vmap, tests, generated reference. ir/ops/ops.def lists the files.
//
// What the record leaves empty follows from its traits where a rule exists: an elementwise op with a primitive or an
// expansion needs no `define`; a linear op needs no `jvp`; an elementwise op needs no `batch`.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/attributes.hpp"
#include "ir/logic/term.hpp"
#include "ir/support/diagnostics.hpp"
#include "ir/support/status.hpp"
#include "ir/type.hpp"

namespace hyperion::ir {

class Builder;
class Module;
struct Op;

// What a backend must know how to compute on one element (or one vector of elements). Everything scalar expands to
// these. Semantics: ir/logic/primitives.def.
enum class Primitive : std::uint8_t {
  none,
#define HYP_PRIMITIVE(name, arity, semantics) name,
#include "ir/logic/primitives.def"
#undef HYP_PRIMITIVE
};

enum class OpGroup : std::uint8_t {
  source, unary, binary, typed, view, indexed, reduction, contraction, control, structure, composite, kernel
};
std::string_view group_name(OpGroup group);

// How an op is linear. `jointly`: f(a + da, b + db) = f(a, b) + f(da, db) in its linear operands together, like add.
// `separately`: in each linear operand while the others stay, like mul.
enum class Linearity : std::uint8_t { none, jointly, separately };

// What lowering builds a fusion group around; `none` fuses as a map over its results.
enum class Anchor : std::uint8_t { none, reduction, contraction, scatter, cumulative, opaque };

struct OperandSpec {
  std::string_view name;
  std::string_view doc;
  bool variadic = false;  // only the last operand: zero or more
  bool linear = false;    // see Linearity
};

struct AttributeSpec {
  std::string_view name;
  AttributeKind kind;
  std::string_view doc;
  std::optional<AttributeValue> default_value;  // absent: required
};

struct ConstraintSpec {
  std::string_view id;    // "c1"
  std::string_view rule;  // "(C1) both operands have the same type"
};

// ---- type rule ------------------------------------------------------------------------------------------------

struct InferContext {
  const OpDefinition& op;
  std::span<const Type> operands;
  const Attributes& attributes;
  const Module* module = nullptr;  // where called functions live; null only for ops that call none
  Diagnostics& diagnostics;
  Location location;
  SourceRange range;                                  // of the op in the text being parsed, if any
  std::span<const SourceRange> operand_ranges = {};   // likewise

  // Reports "<op>: <message> [<op>.<constraint>]" and marks the culprits. Use: return context.fail("c2", ..., {0, 1}).
  std::unexpected<Failure> fail(std::string_view constraint, std::string message,
                                std::initializer_list<int> culprits = {}) const;
};
using InferResult = Result<std::vector<Type>>;

// ---- definition -----------------------------------------------------------------------------------------------

struct DefineContext {
  TermPool& pool;
  std::span<const Type> operands;
  std::span<const Type> results;
  const Attributes& attributes;

  // operand(k)[indices]
  TermId access(int k, std::vector<TermId> indices) const {
    return pool.access(k, operands[static_cast<std::size_t>(k)].dtype(), std::move(indices));
  }
};

// ---- evaluation of ops without an index form ------------------------------------------------------------------

struct EvaluateContext {
  const OpDefinition& definition;
  std::span<const LiteralPtr> operands;
  std::span<const Type> results;  // static
  const Attributes& attributes;
  // The results of a function of the module.
  std::function<StatusOr<std::vector<LiteralPtr>>(std::string_view function, std::span<const LiteralPtr> arguments)>
      call;

  const LiteralPtr& operand(int k) const { return operands[static_cast<std::size_t>(k)]; }
};

// A scalar program under construction: operators build primitive terms. See ir/logic/scalar.hpp.
struct Scalar;
struct ExpandContext;

// ---- derivative and batching ----------------------------------------------------------------------------------

struct JvpContext;        // ir/transforms.hpp
struct TransposeContext;
struct BatchContext;
struct DecomposeContext;

struct OpDefinition {
  std::string_view name;
  OpGroup group = OpGroup::unary;
  std::string_view doc;
  std::vector<OperandSpec> operands;
  std::vector<AttributeSpec> attributes;
  std::vector<ConstraintSpec> constraints;
  int result_count = 1;  // -1: as many as its type rule says

  bool is_elementwise = false;   // result[i] depends on operand elements [i] only, all shapes equal
  bool is_commutative = false;   // in its first two operands
  bool is_pure = true;           // may be removed, merged and recomputed
  bool is_expensive = false;     // worth storing rather than recomputing in each consumer (exp, div, ...)
  bool is_smooth = true;         // second derivatives exist almost everywhere and are tested
  Linearity linearity = Linearity::none;
  Anchor anchor = Anchor::none;
  std::string_view example;      // one line of .hir, printed by `explain` and executed by a test

  std::function<InferResult(const InferContext&)> infer;
  // One lambda per result. Empty for ops that are evaluated, and for elementwise ops, whose definition is
  // result[i...] = function(operand[i...], ...).
  std::function<std::vector<Lambda>(const DefineContext&)> define;
  // The values of the results, for ops without a (complete) index form: control flow, constants, sorting.
  std::function<StatusOr<std::vector<LiteralPtr>>(const EvaluateContext&)> evaluate;

  // Elementwise ops: exactly one of the two.
  Primitive primitive = Primitive::none;
  // A term over primitives, for f32 and f64 operands. 16- and 8-bit floats compute in f32 and round once at the end.
  // `any_dtype`: the expansion accepts every dtype the op accepts and does its own conversions.
  std::function<Scalar(const ExpandContext&)> expand;
  bool expands_any_dtype = false;
  // Largest error of the expansion against the exact value, in units in the last place; 0 = correctly rounded.
  double ulp_f32 = 0;
  double ulp_f64 = 0;

  // Tangents of the results; an invalid id means zero. Empty: derived from linearity; not linear and empty means the
  // op has zero derivative (floor, compare, integer ops).
  std::function<std::vector<struct Value>(JvpContext&)> jvp;
  // Cotangents of the linear operands; REQUIRED when linearity != none.
  std::function<std::vector<struct Value>(TransposeContext&)> transpose;
  // Results with the batch as axis 0. Empty for elementwise ops only.
  std::function<std::vector<struct Value>(BatchContext&)> batch;

  // Composites (softmax, layer_norm, ...): the op written in other ops. It is the meaning of the composite: the
  // interpreter evaluates it, autodiff and vmap work on it, and the pass `expand` replaces the op by it unless a backend
  // has something better. A composite needs no define, jvp, transpose or batch; its infer may be empty too, and then
  // the types are those of the decomposition.
  std::function<std::vector<struct Value>(DecomposeContext&)> decompose;
  bool is_composite() const { return decompose != nullptr; }

  std::uint16_t index = 0;  // position in all_ops(); set by the registry

  const AttributeSpec* attribute(std::string_view attribute_name) const;
  bool differentiable() const { return jvp != nullptr || linearity != Linearity::none || is_composite(); }
};

// ---- registry -------------------------------------------------------------------------------------------------

const OpDefinition* find_op(std::string_view name);  // null: no such op
const OpDefinition& op(std::string_view name);       // REQUIRES: it exists
std::span<const OpDefinition* const> all_ops();      // sorted by name
// Adds an op at run time (plugins). ENSURES: its name was free, else already reported as false.
bool register_op(OpDefinition definition);

// Checks operand count and attributes against the record, fills in defaults, then applies the type rule. This is the
// verifier, the builder's check and the parser's inference in one.
InferResult infer_types(const OpDefinition& op, std::span<const Type> operands, Attributes& attributes,
                        const Module* module, Diagnostics& diagnostics, Location location = {},
                        SourceRange range = {}, std::span<const SourceRange> operand_ranges = {});

// The definition of one application of an op: its own `define`, or the lifted scalar function.
std::vector<Lambda> define(const OpDefinition& op, const DefineContext& context);

// f's primitive term over the arguments: primitives stay, expansions unfold (with the f32 detour for small floats).
// `arguments` are element terms of the pool.
TermId expand_scalar(TermPool& pool, const OpDefinition& function, DType result,
                     std::span<const TermId> arguments, std::int64_t immediate);

}  // namespace hyperion::ir

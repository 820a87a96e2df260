// module.hpp: what a program is made of: values, ops, blocks, functions, modules.
//
// A Function owns its values, ops and blocks; typed ids name them. A `func` has one block of graph ops (tensors in,
// tensors out, no memory). A `kernel` has nested blocks (loops), and its parameters are buffers. Both end in `return`.
// A kernel computes on scalars (rank 0) and vectors (rank 1), so elementwise ops mean the same on both levels.
//
// Invariants, checked by verify():
//   (F1) every value is defined before its uses: by a parameter, a block argument of an enclosing block, or an op above.
//   (F2) every op has the types its definition infers.
//   (F3) uses(v) lists exactly the operand positions that hold v; its order means nothing.
//   (F4) names are unique within the function, and empty for unnamed values.
//   (F5) memory and loops are for kernels, which stay inside their buffers as far as can be told (ir/verify_bounds.hpp).
// Mutation goes through Builder (creation) and Rewriter (passes/rewriter.hpp), so that uses stay right and every change
// is an event. Thread safety: one thread may change a function or a module; any number may read it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/attributes.hpp"
#include "ir/op_definition.hpp"
#include "ir/support/ids.hpp"
#include "ir/support/location.hpp"
#include "ir/type.hpp"

namespace hyperion::ir {

using ValueId = Id<struct ValueTag>;
using OpId = Id<struct OpTag>;
using BlockId = Id<struct BlockTag>;

struct Use {
  OpId op;
  std::uint32_t operand = 0;
  friend bool operator==(Use, Use) = default;
};

struct ValueData {
  Type type;
  OpId producer;                   // none: a parameter or block argument
  std::uint32_t result_index = 0;  // among the producer's results or the block's arguments
  BlockId block;                   // of which it is an argument; none for op results
  std::string name;                // from the user where known; empty: numbered when printed
  Location location;
  std::vector<Use> uses;
};

struct Op {
  const OpDefinition* definition = nullptr;  // null: erased
  std::vector<ValueId> operands;
  std::vector<ValueId> results;
  Attributes attributes;
  Location location;
  std::vector<BlockId> blocks;  // loop bodies; kernel level only
  std::vector<std::uint32_t> use_positions;  // operand k is entry use_positions[k] of its value's uses
  BlockId parent;
  OpId previous, next;  // order within the parent block

  std::string_view name() const { return definition->name; }
  bool is(std::string_view op_name) const { return definition->name == op_name; }
};

struct Block {
  std::vector<ValueId> arguments;
  OpId first, last;
  OpId owner;  // the op whose body this is; none for a function's body
};

enum class FunctionKind : std::uint8_t { func, kernel };
enum class ParameterRole : std::uint8_t { in, out, in_out };  // kernels; a func's parameters are all `in`

class Function {
 public:
  Function(std::string name, FunctionKind kind);

  std::string name;
  FunctionKind kind;
  Attributes attributes;   // a kernel's schedule, a func's markers
  Location location;
  std::vector<ParameterRole> roles;  // per parameter, kernels only

  BlockId body() const { return BlockId{0}; }
  std::span<const ValueId> parameters() const { return blocks_[body()].arguments; }
  std::vector<Type> parameter_types() const;
  // Operands of the final `return`. REQUIRES: the function is complete.
  std::span<const ValueId> results() const;
  std::vector<Type> result_types() const;
  bool is_complete() const;

  const ValueData& value(ValueId id) const { return values_[id]; }
  const Op& op(OpId id) const { return ops_[id]; }
  const Block& block(BlockId id) const { return blocks_[id]; }
  Type type(ValueId id) const { return values_[id].type; }
  const Op* producer(ValueId id) const;  // null for parameters

  // The ops of a block in order. Erasing the current op while iterating is allowed.
  std::vector<OpId> ops_of(BlockId block) const;
  std::vector<OpId> ops() const { return ops_of(body()); }
  std::size_t op_count() const;          // live ops in all blocks
  std::size_t value_slots() const { return values_.size(); }  // for side tables
  std::size_t op_slots() const { return ops_.size(); }

  // Construction and mutation: the only doors. Users go through Builder and Rewriter.
  ValueId add_parameter(Type type, std::string value_name = {}, Location where = {},
                        ParameterRole role = ParameterRole::in);
  BlockId add_block(OpId owner);
  ValueId add_block_argument(BlockId block, Type type, std::string value_name = {});
  // Appends, or inserts before `before`.
  OpId insert_op(BlockId block, OpId before, const OpDefinition& definition,
                 std::vector<ValueId> operands, std::span<const Type> result_types,
                 Attributes attributes, Location where);
  void set_operand(OpId op, std::uint32_t operand, ValueId value);
  void replace_uses(ValueId from, ValueId to);
  void erase_op(OpId op);  // REQUIRES: its results have no uses
  void move_before(OpId op, OpId before);
  void set_name(ValueId value, std::string value_name) { values_[value].name = std::move(value_name); }
  void set_type(ValueId value, Type type) { values_[value].type = type; }
  void set_attribute(OpId op, std::string_view attribute, AttributeValue value);

 private:
  void link(OpId op, BlockId block, OpId before);
  void unlink(OpId op);
  void add_use(ValueId value, Use use);
  void remove_use(ValueId value, Use use);

  Store<ValueId, ValueData> values_;
  Store<OpId, Op> ops_;
  Store<BlockId, Block> blocks_;
};

class Module {
 public:
  explicit Module(std::string module_name = "main") : name(std::move(module_name)) {}
  Module(Module&&) noexcept = default;
  Module& operator=(Module&&) noexcept = default;
  std::unique_ptr<Module> clone() const;

  std::string name;

  // In order of insertion, which is the order of printing.
  const std::vector<std::unique_ptr<Function>>& functions() const { return functions_; }
  Function* find(std::string_view function) const;  // null: none
  // REQUIRES: no function of that name yet.
  Function& add(std::string function, FunctionKind kind = FunctionKind::func);
  Function& add(std::unique_ptr<Function> function);
  void erase(std::string_view function);
  // `base`, or base_1, base_2, ... whichever is free.
  std::string unique_name(std::string_view base) const;

 private:
  std::vector<std::unique_ptr<Function>> functions_;
  std::map<std::string, Function*, std::less<>> by_name_;
  // For a base, a suffix below which all names are taken: asking often for names of one base costs little.
  mutable std::map<std::string, int, std::less<>> first_free_suffix_;
};

// Reports every broken invariant; true if there is none.
bool verify(const Module& module, Diagnostics& diagnostics);
bool verify(const Function& function, const Module* module, Diagnostics& diagnostics);

// Same structure: ops, attributes, operands, types and order; names and locations are not compared.
bool structurally_equal(const Function& a, const Function& b);
Hash128 structural_hash(const Function& function);
// A copy of `function` under a new name.
std::unique_ptr<Function> clone(const Function& function, std::string new_name);

}  // namespace hyperion::ir

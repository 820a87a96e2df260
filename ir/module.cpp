#include "ir/module.hpp"

#include <algorithm>
#include <unordered_map>

#include "ir/support/hash.hpp"

namespace hyperion::ir {

Function::Function(std::string function_name, FunctionKind function_kind)
    : name(std::move(function_name)), kind(function_kind) {
  blocks_.add(Block{});
}

std::vector<Type> Function::parameter_types() const {
  std::vector<Type> types;
  for (ValueId id : parameters()) types.push_back(type(id));
  return types;
}

bool Function::is_complete() const {
  const OpId last = blocks_[body()].last;
  return last.valid() && ops_[last].is("return");
}

std::span<const ValueId> Function::results() const {
  HYP_CHECK(is_complete(), "results of a function without return");
  return ops_[blocks_[body()].last].operands;
}

std::vector<Type> Function::result_types() const {
  std::vector<Type> types;
  for (ValueId id : results()) types.push_back(type(id));
  return types;
}

const Op* Function::producer(ValueId id) const {
  const OpId op = values_[id].producer;
  return op.valid() ? &ops_[op] : nullptr;
}

std::vector<OpId> Function::ops_of(BlockId block) const {
  std::vector<OpId> out;
  for (OpId id = blocks_[block].first; id.valid(); id = ops_[id].next) out.push_back(id);
  return out;
}

std::size_t Function::op_count() const {
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < ops_.size(); ++i) count += ops_[OpId{i}].definition != nullptr;
  return count;
}

ValueId Function::add_parameter(Type type, std::string value_name, Location where, ParameterRole role) {
  const ValueId id = add_block_argument(body(), type, std::move(value_name));
  values_[id].location = where;
  roles.push_back(role);
  return id;
}

BlockId Function::add_block(OpId owner) {
  const BlockId id = blocks_.add(Block{});
  blocks_[id].owner = owner;
  ops_[owner].blocks.push_back(id);
  return id;
}

ValueId Function::add_block_argument(BlockId block, Type type, std::string value_name) {
  const auto index = static_cast<std::uint32_t>(blocks_[block].arguments.size());
  const ValueId id = values_.add({.type = type,
                                  .producer = {},
                                  .result_index = index,
                                  .block = block,
                                  .name = std::move(value_name),
                                  .location = {},
                                  .uses = {}});
  blocks_[block].arguments.push_back(id);
  return id;
}

OpId Function::insert_op(BlockId block, OpId before, const OpDefinition& definition,
                         std::vector<ValueId> operands, std::span<const Type> result_types,
                         Attributes attributes, Location where) {
  const OpId id = ops_.add({.definition = &definition,
                            .operands = std::move(operands),
                            .results = {},
                            .attributes = std::move(attributes),
                            .location = where,
                            .blocks = {},
                            .use_positions = {}});
  Op& op = ops_[id];
  op.use_positions.resize(op.operands.size());
  for (std::uint32_t k = 0; k < op.operands.size(); ++k) add_use(op.operands[k], {id, k});
  for (std::uint32_t k = 0; k < result_types.size(); ++k) {
    op.results.push_back(values_.add({.type = result_types[k],
                                      .producer = id,
                                      .result_index = k,
                                      .block = {},
                                      .name = {},
                                      .location = where,
                                      .uses = {}}));
  }
  link(id, block, before);
  return id;
}

void Function::link(OpId id, BlockId block_id, OpId before) {
  Op& op = ops_[id];
  Block& block = blocks_[block_id];
  op.parent = block_id;
  op.next = before;
  op.previous = before.valid() ? ops_[before].previous : block.last;
  (op.previous.valid() ? ops_[op.previous].next : block.first) = id;
  (before.valid() ? ops_[before].previous : block.last) = id;
}

void Function::unlink(OpId id) {
  Op& op = ops_[id];
  Block& block = blocks_[op.parent];
  (op.previous.valid() ? ops_[op.previous].next : block.first) = op.next;
  (op.next.valid() ? ops_[op.next].previous : block.last) = op.previous;
}

void Function::add_use(ValueId value, Use use) {
  std::vector<Use>& uses = values_[value].uses;
  ops_[use.op].use_positions[use.operand] = static_cast<std::uint32_t>(uses.size());
  uses.push_back(use);
}

// The last use takes the place of the removed one, so that a value with many users costs no more than others.
void Function::remove_use(ValueId value, Use use) {
  std::vector<Use>& uses = values_[value].uses;
  const std::uint32_t position = ops_[use.op].use_positions[use.operand];
  HYP_CHECK(position < uses.size() && uses[position] == use, "use list out of step with operands");
  uses[position] = uses.back();
  ops_[uses[position].op].use_positions[uses[position].operand] = position;
  uses.pop_back();
}

void Function::set_operand(OpId op, std::uint32_t operand, ValueId value) {
  ValueId& slot = ops_[op].operands[operand];
  remove_use(slot, {op, operand});
  slot = value;
  add_use(value, {op, operand});
}

void Function::replace_uses(ValueId from, ValueId to) {
  if (from == to) return;
  std::vector<Use> uses = std::move(values_[from].uses);
  values_[from].uses.clear();
  for (Use use : uses) {
    ops_[use.op].operands[use.operand] = to;
    add_use(to, use);
  }
}

void Function::erase_op(OpId id) {
  Op& op = ops_[id];
  for (ValueId result : op.results) HYP_CHECK(values_[result].uses.empty(), "erased op has users");
  for (std::uint32_t k = 0; k < op.operands.size(); ++k) remove_use(op.operands[k], {id, k});
  unlink(id);
  op.definition = nullptr;
  op.operands.clear();
  op.use_positions.clear();
  op.attributes = {};
}

void Function::move_before(OpId id, OpId before) {
  unlink(id);
  link(id, ops_[before].parent, before);
}

void Function::set_attribute(OpId id, std::string_view attribute, AttributeValue value) {
  ops_[id].attributes.set(attribute, std::move(value));
}

Function* Module::find(std::string_view function) const {
  const auto found = by_name_.find(function);
  return found == by_name_.end() ? nullptr : found->second;
}

Function& Module::add(std::string function, FunctionKind kind) {
  return add(std::make_unique<Function>(std::move(function), kind));
}

Function& Module::add(std::unique_ptr<Function> function) {
  HYP_CHECK(!by_name_.contains(function->name), "two functions of one name");
  by_name_.emplace(function->name, function.get());
  functions_.push_back(std::move(function));
  return *functions_.back();
}

void Module::erase(std::string_view function) {
  const auto found = by_name_.find(function);
  if (found == by_name_.end()) return;
  std::erase_if(functions_, [&](const auto& owned) { return owned.get() == found->second; });
  by_name_.erase(found);
  first_free_suffix_.clear();
}

std::string Module::unique_name(std::string_view base) const {
  if (!by_name_.contains(base)) return std::string(base);
  int& suffix = first_free_suffix_.try_emplace(std::string(base), 1).first->second;
  for (;; ++suffix) {
    std::string candidate = std::string(base) + "_" + std::to_string(suffix);
    if (!by_name_.contains(candidate)) return candidate;
  }
}

std::unique_ptr<Module> Module::clone() const {
  auto copy = std::make_unique<Module>(name);
  for (const auto& function : functions_) copy->add(ir::clone(*function, function->name));
  return copy;
}

namespace {

// Walks two functions in step, or one function alone, giving every value a number in order of definition.
class Numbering {
 public:
  void define(ValueId id) { numbers_[id] = static_cast<std::uint32_t>(count_++); }
  std::uint32_t operator[](ValueId id) const { return numbers_.get(id); }

 private:
  IdMap<ValueId, std::uint32_t> numbers_;
  std::size_t count_ = 0;
};

class StructuralHasher {
 public:
  explicit StructuralHasher(const Function& function) : function_(function) {}

  Hash128 run() {
    mix(static_cast<std::uint64_t>(function_.kind));
    mix(function_.attributes.hash());
    block(function_.body());
    return {a_, b_};
  }

 private:
  void mix(std::uint64_t value) {
    a_ = hash_combine(a_, value);
    b_ = hash_combine(b_, value * 0x9ddfea08eb382d69ull + 1);
  }
  void block(BlockId id) {
    for (ValueId argument : function_.block(id).arguments) {
      numbers_.define(argument);
      mix(function_.type(argument).hash());
    }
    for (OpId op_id = function_.block(id).first; op_id.valid(); op_id = function_.op(op_id).next) {
      const Op& op = function_.op(op_id);
      mix(hash_text(op.name()).low);
      for (ValueId operand : op.operands) mix(numbers_[operand]);
      mix(op.attributes.hash());
      for (BlockId inner : op.blocks) block(inner);  // depth: nesting of loops
      for (ValueId result : op.results) {
        numbers_.define(result);
        mix(function_.type(result).hash());
      }
    }
    mix(0xb10c);
  }

  const Function& function_;
  Numbering numbers_;
  std::uint64_t a_ = 0x243f6a8885a308d3ull;
  std::uint64_t b_ = 0x13198a2e03707344ull;
};

class Cloner {
 public:
  Cloner(const Function& from, Function& to) : from_(from), to_(to) {}

  void run() {
    to_.attributes = from_.attributes;
    to_.location = from_.location;
    for (std::size_t k = 0; k < from_.parameters().size(); ++k) {
      const ValueData& value = from_.value(from_.parameters()[k]);
      map_[from_.parameters()[k]] = to_.add_parameter(value.type, value.name, value.location, from_.roles[k]);
    }
    block(from_.body(), to_.body());
  }

 private:
  void block(BlockId from, BlockId to) {
    for (OpId id = from_.block(from).first; id.valid(); id = from_.op(id).next) {
      const Op& op = from_.op(id);
      std::vector<ValueId> operands;
      for (ValueId operand : op.operands) operands.push_back(map_[operand]);
      std::vector<Type> types;
      for (ValueId result : op.results) types.push_back(from_.type(result));
      const OpId copy = to_.insert_op(to, {}, *op.definition, std::move(operands), types, op.attributes,
                                      op.location);
      for (std::size_t k = 0; k < op.results.size(); ++k) {
        map_[op.results[k]] = to_.op(copy).results[k];
        to_.set_name(to_.op(copy).results[k], from_.value(op.results[k]).name);
      }
      for (BlockId inner : op.blocks) {
        const BlockId inner_copy = to_.add_block(copy);
        for (ValueId argument : from_.block(inner).arguments) {
          map_[argument] = to_.add_block_argument(inner_copy, from_.type(argument), from_.value(argument).name);
        }
        block(inner, inner_copy);
      }
    }
  }

  const Function& from_;
  Function& to_;
  IdMap<ValueId, ValueId> map_;
};

bool blocks_equal(const Function& a, BlockId block_a, Numbering& numbers_a, const Function& b,
                  BlockId block_b, Numbering& numbers_b) {
  const auto& arguments_a = a.block(block_a).arguments;
  const auto& arguments_b = b.block(block_b).arguments;
  if (arguments_a.size() != arguments_b.size()) return false;
  const auto define_both = [&](ValueId x, ValueId y) {
    numbers_a.define(x);
    numbers_b.define(y);
    return a.type(x) == b.type(y);
  };
  for (std::size_t k = 0; k < arguments_a.size(); ++k) {
    if (!define_both(arguments_a[k], arguments_b[k])) return false;
  }
  OpId id_a = a.block(block_a).first, id_b = b.block(block_b).first;
  for (; id_a.valid() && id_b.valid(); id_a = a.op(id_a).next, id_b = b.op(id_b).next) {
    const Op& x = a.op(id_a);
    const Op& y = b.op(id_b);
    if (x.definition != y.definition || x.operands.size() != y.operands.size() ||
        x.results.size() != y.results.size() || x.blocks.size() != y.blocks.size() ||
        !(x.attributes == y.attributes)) {
      return false;
    }
    for (std::size_t k = 0; k < x.operands.size(); ++k) {
      if (numbers_a[x.operands[k]] != numbers_b[y.operands[k]]) return false;
    }
    for (std::size_t k = 0; k < x.blocks.size(); ++k) {
      if (!blocks_equal(a, x.blocks[k], numbers_a, b, y.blocks[k], numbers_b)) return false;
    }
    for (std::size_t k = 0; k < x.results.size(); ++k) {
      if (!define_both(x.results[k], y.results[k])) return false;
    }
  }
  return !id_a.valid() && !id_b.valid();
}

}  // namespace

bool structurally_equal(const Function& a, const Function& b) {
  if (a.kind != b.kind || !(a.attributes == b.attributes) || a.roles != b.roles) return false;
  Numbering numbers_a, numbers_b;
  return blocks_equal(a, a.body(), numbers_a, b, b.body(), numbers_b);
}

Hash128 structural_hash(const Function& function) { return StructuralHasher(function).run(); }

std::unique_ptr<Function> clone(const Function& function, std::string new_name) {
  auto copy = std::make_unique<Function>(std::move(new_name), function.kind);
  Cloner(function, *copy).run();
  return copy;
}

}  // namespace hyperion::ir

// verify.cpp: the invariants of ir/module.hpp, checked. Verification only reads: op types are
// inferred again and compared.
#include <map>
#include <set>
#include <unordered_set>

#include "ir/contraction_blocks.hpp"
#include "ir/line_blocks.hpp"
#include "ir/module.hpp"
#include "ir/support/format.hpp"
#include "ir/text/print.hpp"
#include "ir/verify_bounds.hpp"

namespace hyperion::ir {
namespace {

class FunctionVerifier {
 public:
  FunctionVerifier(const Function& function, const Module* module, Diagnostics& diagnostics)
      : function_(function),
        module_(module),
        diagnostics_(diagnostics),
        visible_(function.value_slots()) {}

  bool run() {
    const std::size_t errors_before = diagnostics_.error_count();
    if (!function_.is_complete()) complain(function_.location, "does not end in return");
    if (function_.roles.size() != function_.parameters().size()) {
      complain(function_.location, "has a different number of parameters and roles");
    }
    walk();
    check_uses();
    const auto is_sound = [&] { return diagnostics_.error_count() == errors_before; };
    if (function_.kind == FunctionKind::kernel && is_sound()) check_blocks();
    if (function_.kind == FunctionKind::kernel && is_sound()) check_bounds();
    return diagnostics_.error_count() == errors_before;
  }

 private:
  void complain(Location where, std::string what) {
    diagnostics_.error("verify.function", format("@{}: {}", function_.name, what), {}, where);
  }
  void complain(OpId id, std::string_view what) {
    const Op& op = function_.op(id);
    complain(op.location,
             format("{}; in: {}", what, print_op(function_, id, {.locations = false})));
  }

  // All blocks in the order of the text, with an explicit stack. A value is visible from its
  // definition to the end of its block.
  void walk() {
    struct Frame {
      BlockId block;
      OpId op;
      std::size_t next_block = 0;
    };
    std::vector<Frame> stack;
    const auto enter = [&](BlockId block) {
      for (ValueId argument : function_.block(block).arguments) define(argument);
      stack.push_back({block, function_.block(block).first, 0});
    };
    enter(function_.body());
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (!frame.op.valid()) {
        leave(frame.block);
        stack.pop_back();
        continue;
      }
      const Op& op = function_.op(frame.op);
      if (frame.next_block == 0) check_op(frame.op, frame.block);
      if (frame.next_block < op.blocks.size()) {
        const BlockId inner = op.blocks[frame.next_block++];
        if (function_.block(inner).owner != frame.op)
          complain(frame.op, "a block does not know the op it belongs to");
        enter(inner);
        continue;
      }
      for (ValueId result : op.results) define(result);
      frame.op = op.next;
      frame.next_block = 0;
    }
  }

  void define(ValueId id) {
    visible_[id.index] = true;
    const ValueData& value = function_.value(id);
    if (!value.type.valid()) complain(value.location, "a value has no type");
    if (!value.name.empty() && !names_.insert(value.name).second) {
      complain(value.location, format("two values are called %{}", value.name));  // (F4)
    }
  }

  void leave(BlockId block) {
    for (ValueId argument : function_.block(block).arguments) visible_[argument.index] = false;
    for (OpId id = function_.block(block).first; id.valid(); id = function_.op(id).next) {
      for (ValueId result : function_.op(id).results) visible_[result.index] = false;
    }
  }

  void check_op(OpId id, BlockId block) {
    const Op& op = function_.op(id);
    if (op.parent != block) complain(id, "an op does not know the block it is in");
    if (op.is("return") && op.next.valid()) complain(id, "ops follow a return");
    if (function_.kind == FunctionKind::func) {
      if (!op.blocks.empty()) complain(id, "only kernels have nested blocks");
      if (op.definition->group == OpGroup::kernel) complain(id, "only kernels have memory and loops");
    }
    std::vector<Type> types;
    for (std::uint32_t k = 0; k < op.operands.size(); ++k) {
      const ValueId operand = op.operands[k];
      if (operand.index >= visible_.size() || !visible_[operand.index]) {
        return complain(id, format("operand {} is used before it is defined, or outside its block",
                                   k));  // (F1)
      }
      ++operand_count_;
      types.push_back(function_.type(operand));
    }
    check_types(id, types);
  }

  void check_types(OpId id, const std::vector<Type>& operands) {  // (F2)
    const Op& op = function_.op(id);
    Attributes attributes = op.attributes;
    const InferResult inferred =
        infer_types(*op.definition, operands, attributes, module_, diagnostics_, op.location);
    if (!inferred) return;
    if (!(attributes == op.attributes)) complain(id, "attributes are not complete");
    if (inferred->size() != op.results.size()) {
      return complain(id, format("has {} results, its type rule gives {}", op.results.size(),
                                 inferred->size()));
    }
    for (std::size_t k = 0; k < inferred->size(); ++k) {
      const Type type = function_.type(op.results[k]);
      if (type != (*inferred)[k]) {
        complain(id, format("result {} is {}, its type rule gives {}", k, type.text(),
                            (*inferred)[k].text()));
      }
    }
  }

  void check_blocks() {
    for (std::uint32_t i = 0; i < function_.op_slots(); ++i) {
      const Op& op = function_.op(OpId{i});
      if (op.definition == nullptr) continue;
      std::string defect;
      if (op.is("contract") || op.is("convolve")) defect = defect_of_contraction_blocks(function_, op);
      if (op.is("scatter_lines") || op.is("sort_lines")) defect = defect_of_line_blocks(function_, op);
      if (!defect.empty()) complain(OpId{i}, defect);
    }
  }

  void check_bounds() {  // (F5)
    for (const auto& [id, what] : accesses_out_of_bounds(function_)) {
      diagnostics_.error("verify.bounds",
                         format("@{}: {}; in: {}", function_.name, what, print_op(function_, id, {.locations = false})),
                         {}, function_.op(id).location);
    }
  }

  // (F3), in linear time: every listed use is an operand position that holds the value, none is
  // listed twice, and there are as many as operand positions.
  void check_uses() {
    std::unordered_set<std::uint64_t> positions;
    for (std::uint32_t i = 0; i < function_.value_slots(); ++i) {
      const ValueData& value = function_.value(ValueId{i});
      for (Use use : value.uses) {
        const Op& op = function_.op(use.op);
        const bool held = op.definition != nullptr && use.operand < op.operands.size() &&
                          op.operands[use.operand] == ValueId{i};
        const bool is_new =
            positions.insert((std::uint64_t{use.op.index} << 32) | use.operand).second;
        if (!held || !is_new) complain(value.location, "a value lists a use that does not exist");
      }
    }
    if (positions.size() != operand_count_) {
      complain(function_.location, format("{} uses are listed, but ops have {} operands",
                                          positions.size(), operand_count_));
    }
  }

  const Function& function_;
  const Module* module_;
  Diagnostics& diagnostics_;
  std::vector<bool> visible_;
  std::set<std::string_view> names_;
  std::size_t operand_count_ = 0;
};

// The functions that ops of `function` refer to.
std::vector<const Function*> callees(const Function& function, const Module& module) {
  std::vector<const Function*> out;
  for (std::uint32_t i = 0; i < function.op_slots(); ++i) {
    const Op& op = function.op(OpId{i});
    if (op.definition == nullptr) continue;
    for (const auto& [name, value] : op.attributes) {
      const auto* symbol = std::get_if<SymbolReference>(&value);
      const Function* callee = symbol == nullptr ? nullptr : module.find(symbol->name);
      if (callee != nullptr) out.push_back(callee);
    }
  }
  return out;
}

// A call means the body of its callee, so a cycle of calls means nothing.
bool reports_recursion(const Module& module, Diagnostics& diagnostics) {
  enum class Mark : std::uint8_t { none, open, done };
  struct Frame {
    const Function* function;
    std::vector<const Function*> callees;
    std::size_t next = 0;
  };
  std::map<const Function*, Mark> marks;
  bool found = false;
  std::vector<Frame> stack;
  const auto open = [&](const Function* function) {
    marks[function] = Mark::open;
    stack.push_back({function, callees(*function, module)});
  };
  for (const auto& root : module.functions()) {
    if (marks[root.get()] == Mark::none) open(root.get());
    while (!stack.empty()) {
      Frame& frame = stack.back();
      if (frame.next == frame.callees.size()) {
        marks[frame.function] = Mark::done;
        stack.pop_back();
        continue;
      }
      const Function* callee = frame.callees[frame.next++];
      if (marks[callee] == Mark::open) {
        diagnostics.error("parse.recursion", format("@{} calls itself", callee->name), {},
                          callee->location);
        found = true;
      } else if (marks[callee] == Mark::none) {
        open(callee);
      }
    }
  }
  return found;
}

}  // namespace

bool verify(const Function& function, const Module* module, Diagnostics& diagnostics) {
  return FunctionVerifier(function, module, diagnostics).run();
}

bool verify(const Module& module, Diagnostics& diagnostics) {
  if (reports_recursion(module, diagnostics)) return false;
  bool good = true;
  for (const auto& function : module.functions()) good &= verify(*function, &module, diagnostics);
  return good;
}

}  // namespace hyperion::ir

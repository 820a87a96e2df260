// rewriter.hpp: the one door through which a pass changes a function that exists.
//
// Every change becomes an event for the pass's listener, so printing each rewrite, counting them, bisecting and (later)
// certificates need no help from the pass. New ops get the fused location of the ops they replace, and a user's name for
// a value moves to the value that takes its place.
//
//   Rewriter rewriter(module, function, context);
//   ir::Builder builder = rewriter.before(op);                       // or before(op, {the other matched ops})
//   const ir::Value sum = builder.wrap(a) + builder.wrap(b);
//   rewriter.replace(op, {{sum.id}}, "add.reassociate");
//
// Thread safety: one thread per function.
#pragma once

#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "ir/builder.hpp"
#include "ir/module.hpp"
#include "passes/pass.hpp"

namespace hyperion::passes {

// One rewrite. While the listener hears of it, `before` is still in place and its results still have their uses, and so are
// the ops that produce `after`.
struct RewriteEvent {
  std::string_view pass;
  std::string_view rule;  // the rule's name ("add.zero"), or what the pass calls the step
  const ir::Function& function;
  ir::OpId before;
  std::span<const ir::ValueId> after;  // one per result; empty: the op goes away

  Location location() const { return function.op(before).location; }
  // The op, and the ops that produce `after`, as lines of .hir. Costs only whoever asks.
  std::string before_text() const;
  std::string after_text() const;
};

class RewriteListener {
 public:
  virtual ~RewriteListener() = default;
  virtual void rewritten(const RewriteEvent& event) = 0;
};

class Rewriter {
 public:
  Rewriter(const ir::Module& module, ir::Function& function, PassContext& context)
      : module_(module), function_(function), context_(context) {}

  const ir::Function& function() const { return function_; }
  const ir::Module& module() const { return module_; }

  // A builder that inserts in front of `op`; what it builds is located at `op` and the other ops it stands for.
  ir::Builder before(ir::OpId op, std::span<const ir::OpId> others = {});
  // Like `before`, for a builder at the end of the function's body, in front of its return.
  ir::Builder at_end();

  // Makes `values` take the place of the op's results, then erases the op.
  // REQUIRES: one value of the same type per result, each defined above every use.
  void replace(ir::OpId op, std::span<const ir::ValueId> values, std::string_view rule);
  void replace(ir::OpId op, std::initializer_list<ir::ValueId> values, std::string_view rule) {
    replace(op, std::span(values.begin(), values.size()), rule);
  }
  // REQUIRES: no result of `op` has a use.
  void erase(ir::OpId op, std::string_view rule);
  // Smaller changes, which keep the op. REQUIRES: the op's types stay as its definition infers them.
  void set_operand(ir::OpId op, std::uint32_t operand, ir::ValueId value);
  void set_attribute(ir::OpId op, std::string_view attribute, ir::AttributeValue value);
  void move_before(ir::OpId op, ir::OpId position);
  // For passes that change types throughout, such as specialize. REQUIRES: afterwards all ops have the inferred types.
  void set_type(ir::ValueId value, Type type);

  std::size_t change_count() const { return change_count_; }
  Changed changed() const { return changed_if(change_count_ != 0); }

 private:
  const ir::Module& module_;
  ir::Function& function_;
  PassContext& context_;
  std::size_t change_count_ = 0;
};

// For passes that look at each op by itself: `rewrite` once for every op that each func has when the pass begins.
Changed rewrite_each_op(ir::Module& module, PassContext& context, const std::function<void(Rewriter&, ir::OpId)>& rewrite);

}  // namespace hyperion::passes

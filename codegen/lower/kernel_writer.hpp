// kernel_writer.hpp: writes terms as kernel code: loops, vectors, loads, stores.
//
// The writer keeps a stack of scopes, one per open loop. A variable of a term is bound in some scope, to a scalar index or,
// for the one *lane variable*, to a vector of consecutive indices. Each term is emitted once, in the outermost scope
// where all its variables are bound: loop-invariant code is hoisted by construction, and softmax's row maximum is simply
// a term that does not depend on the column.
//
// Masks. Lanes past the end of a vector loop are masked for loads and stores alone; arithmetic on them is harmless. Under
// an `ite`, vector loads are masked by the guard, and other loads have their offset clamped into the buffer: both sides
// of a choice are evaluated and one is selected.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ir/builder.hpp"
#include "ir/logic/term.hpp"

namespace hyperion::codegen {

// What a reduction starts from, as a constant of `type`, whose elements are of its dtype.
ir::Value identity_of(ir::Builder& builder, const ir::Term& reduce, Type type);

class KernelWriter {
 public:
  // `buffers[k]` is what access number k reads.
  KernelWriter(ir::Function& kernel, ir::TermPool& pool, std::vector<ir::ValueId> buffers);

  ir::Builder& builder() { return builder_; }
  ir::TermPool& pool() { return pool_; }
  ir::Value constant_index(std::int64_t value);

  // Opens a loop in the innermost scope; its body becomes the innermost scope. Returns the index.
  ir::Value open_loop(ir::Value begin, ir::Value end, std::int64_t step, std::span<const ir::Value> initial = {},
                      bool parallel = false);
  ir::Value carried(int k) const;  // of the innermost loop
  // Ends the innermost loop, handing on `next`; returns the loop's results.
  std::vector<ir::Value> close_loop(std::span<const ir::Value> next = {});
  // Enters a block that exists already (of `contract`), and ends it with what it yields.
  void open_block(ir::OpId owner, ir::BlockId block);
  void close_block(std::span<const ir::Value> yielded = {});

  // Binds a variable in the innermost scope.
  void bind(ir::VariableId variable, ir::Value index);
  void bind_lanes(ir::VariableId variable, ir::Value first, int lanes, ir::Value mask = {});

  // Binds the lane variable to the whole of a row of `length` elements: reductions over it need no loop.
  void bind_row(ir::VariableId variable, int lanes, std::int64_t length);
  // Of vectors that row reductions run over: a multiple of `unit`, at most `most`, combined in any order. Without this,
  // at most 64, combined as Order::lanes says.
  void set_reduction_lanes(int unit, int most) { reduction_unit_ = unit, most_reduction_lanes_ = most; }

  // Runs `body` for base = 0, lanes, 2*lanes, ... below `end`, with `variable` bound to the lanes; a last partial vector
  // is masked. `end` may be known (then the loop over a remainder exists only if there is one). `body` maps the carried
  // values to the next ones.
  using Body = std::function<std::vector<ir::Value>(std::span<const ir::Value> carried)>;
  std::vector<ir::Value> for_lanes(ir::VariableId variable, ir::Value begin, ir::Value end,
                                   std::optional<std::int64_t> known_end, int lanes,
                                   std::vector<ir::Value> initial, const Body& body);

  // The same where end - begin is known to be a multiple of `lanes`: no remainder, nothing carried.
  void for_even_lanes(ir::VariableId variable, ir::Value begin, ir::Value end, int lanes, const Body& body);

  // The value of an element term, or of an index term, in the current scopes: rank 0, or rank 1 if it varies by lane.
  ir::Value element(ir::TermId term);
  ir::Value index(ir::TermId term);
  // `value` as a vector of the current lanes.
  ir::Value splat(ir::Value value);
  int lanes() const { return lanes_; }
  ir::Value lane_mask() const { return lane_mask_; }
  bool varies_by_lane(ir::TermId term);
  // Of a reduce or fold: whether it varies by a lane other than its own variables.
  bool result_varies_by_lane(const ir::Term& term);

  // Every access number `input` reads this value, wherever it reads.
  void define_access(int input, ir::Value value) { defined_accesses_[input] = value; }

  // In the innermost scope, `term` is this value.
  void define(ir::TermId term, ir::Value value) { scopes_.back().cache[{term, ir::ValueId{}}] = value; }
  // What stores need besides their lanes' masks; an invalid value: nothing.
  void set_store_mask(ir::Value mask) { store_mask_ = mask; }

  ir::Value buffer(int access) { return builder_.wrap(buffers_[static_cast<std::size_t>(access)]); }
  ir::Value first_lane() const { return binding(lane_variable_).index; }

  // Stores the element of `term` at linear offset `offset` of `buffer`; `streaming`: past the caches.
  void store(ir::TermId term, ir::ValueId buffer, ir::TermId offset, bool streaming = false);

  // From now on the first lane loop that computes `term` also keeps it in scratch memory for the later ones.
  void keep(ir::TermId term, std::int64_t extent);
  void kept_terms_are_complete();  // call between the loops

 private:
  struct Scope {
    ir::BlockId block;
    ir::OpId before;  // insert before this op; none: append
    ir::OpId loop;    // that owns the block; none for the body
    std::map<std::pair<ir::TermId, ir::ValueId>, ir::Value> cache;  // by term and guard mask
  };
  struct Binding {
    ir::Value index;
    std::size_t level = 0;
    int lanes = 0;
    bool is_vector_state = false;
  };
  // Only what is written inside `scope` may keep or read the values: a reduction that is hoisted out of it stands before
  // the loops that keep them.
  struct Kept {
    ir::Value buffer;
    ir::BlockId scope;
    bool complete = false;
  };

  std::vector<ir::Value> lane_loop(ir::VariableId variable, ir::Value begin, ir::Value end, bool masked, int lanes,
                                   std::vector<ir::Value> initial, const Body& body);
  bool is_open(ir::BlockId scope) const;
  void place();  // moves the builder to the end of the innermost scope
  ir::Value at_level(std::size_t level, ir::TermId term, const std::function<ir::Value()>& emit);
  const std::vector<ir::VariableId>& free_variables(ir::TermId term);
  std::size_t level(ir::TermId term);
  const Binding& binding(ir::VariableId variable) const;
  // The states of a fold change where its first variable does, but they may vary by lane where the variable does not:
  // in the book-keeping of free variables they stand for a variable of their own.
  static ir::VariableId state_variable(ir::VariableId first) { return {first.index | kStateBit}; }
  static bool is_bound_by(const ir::Term& term, ir::VariableId variable);
  static constexpr std::uint32_t kStateBit = 0x80000000u;

  ir::Value emit_element(ir::TermId term);
  ir::Value emit_access(const ir::Term& term);
  ir::Value emit_scalar(const ir::Term& term);
  ir::Value emit_choice(const ir::Term& term);
  ir::Value emit_reduce(const ir::Term& term);
  ir::Value emit_lane_reduce(const ir::Term& term);
  ir::Value combine_lanes(const ir::Term& term, ir::Value partials);
  int reduction_lanes(std::int64_t length) const;
  ir::Value emit_unrolled_lanes(const ir::Term& term);
  ir::Value emit_fold(const ir::Term& term);
  ir::Value emit_index(ir::TermId term);
  ir::Value emit_index_sum(ir::TermId term);
  ir::Value emit_division(const ir::Term& term);
  ir::Value emit_guard(ir::TermId term);
  ir::Value guarded(ir::TermId term, ir::Value mask);
  ir::Value clamp_offset(ir::Value offset, ir::Value buffer);
  ir::Value logical_and(ir::Value a, ir::Value b);
  // Loops over variables in lexicographic order, the last innermost; `body` as in for_lanes.
  std::vector<ir::Value> nest(std::span<const ir::TermId> extents, ir::VariableId first,
                              std::vector<ir::Value> initial, const Body& body);
  ir::Value apply(std::string_view op, std::vector<ir::Value> operands, ir::Attributes attributes = {});
  ir::Value lane_numbers();

  ir::Function& kernel_;
  ir::TermPool& pool_;
  ir::Builder builder_;
  std::vector<ir::ValueId> buffers_;
  std::vector<Scope> scopes_;
  std::map<ir::VariableId, Binding> bindings_;
  std::map<std::pair<ir::VariableId, int>, ir::Value> states_;
  std::unordered_map<ir::TermId, std::vector<ir::VariableId>> free_variables_;
  std::map<ir::TermId, Kept> kept_;
  std::vector<ir::TermId> being_kept_;
  std::map<int, ir::Value> defined_accesses_;
  ir::VariableId lane_variable_;
  ir::VariableId row_variable_;  // that bind_row() bound; none
  int reduction_unit_ = 0;       // 0: reductions are in the order of their definition
  int most_reduction_lanes_ = ir::kReductionLanes;
  int lanes_ = 0;
  ir::Value lane_mask_;
  ir::Value store_mask_;
  ir::Value guard_mask_;   // of the choices we are inside of
  bool is_guarded_ = false;
};

}  // namespace hyperion::codegen

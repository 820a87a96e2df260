// slab_kernel.hpp: the frame of kernels that walk one axis of a tensor in order, with all other axes independent.
//
//   tensor = [outer][length][inner]       a slab is one index of outer and a piece of inner
//
// Slabs are the tiles of the parallel loop, and vectors run along inner. What happens at each step along the axis is the
// op's own (lower_cumulative.cpp, lower_scatter.cpp).
#pragma once

#include <functional>

#include "codegen/lower/anchored_kernel.hpp"

namespace hyperion::codegen {

struct SlabShape {
  std::int64_t outer = 1, length = 1, inner = 1;

  static SlabShape of(Type type, std::int64_t axis);
};

class SlabWriter {
 public:
  // `op` is the only op of the group that is not a view, and stands behind its only result.
  SlabWriter(Lowered& out, const ir::Function& group, const ir::Op& op, const SlabShape& shape,
             const LoweringTarget& target);

  // Writes the kernel: `slab` once for each vector of each slab, inside its loops.
  void write(const std::function<void()>& slab);

  KernelWriter& writer() { return writer_; }
  ir::Builder& builder() { return writer_.builder(); }
  ir::TermPool& pool() { return composed_.pool; }
  ir::TermId outer() { return pool().index(outer_); }
  // A new variable, for the index of a loop.
  ir::VariableId variable(std::int64_t extent) { return pool().variable(Dim(extent)); }
  // An operand's element at a row-major position: a term, since the operand may be a view.
  ir::TermId operand(std::size_t k, ir::TermId position);
  // The row-major position, of each lane, in a tensor whose lines of inner elements are numbered.
  ir::TermId inner_of(ir::TermId line);
  // The lanes' elements of that line of the result.
  ir::Value load(ir::TermId line);
  void store(ir::Value value, ir::TermId line);
  // A scalar as a vector of the lanes, if there are any.
  ir::Value splat(ir::Value value) { return writer_.splat(value); }
  // Runs `body` for each index below `end`, bound to `variable`, with the values it carries on.
  using Body = std::function<std::vector<ir::Value>(std::span<const ir::Value> carried)>;
  void loop(ir::VariableId variable, ir::Value begin, ir::Value end, std::span<const ir::Value> initial,
            const Body& body);

 private:
  bool has_lanes() const { return shape_.inner > 1; }
  ir::Value place(ir::TermId line);

  Lowered& out_;
  ir::Function& kernel_;
  const ir::Op& op_;
  const ir::Function& group_;
  SlabShape shape_;
  Composition composed_;
  KernelWriter writer_;
  ir::ValueId result_;
  ir::VariableId outer_, inner_;
  int lanes_;
};

// The op called `name` of a group that is only views besides it; null if the group is another.
const ir::Op* lone_op(const ir::Function& group, std::string_view name);

}  // namespace hyperion::codegen

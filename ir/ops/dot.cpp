// dot.cpp: contraction of two tensors.
//
//   out[b..., i..., j...] = sum[k...] lhs[b, i, k] * rhs[b, k, j]
//
// Order and rounding are part of the meaning: every element is one chain acc = fma(lhs, rhs, acc) from 0, over the
// contracted axes in the order listed, in the accumulation dtype (f32 for 16- and 8-bit floats), rounded once at the end.
// Tiles, k-blocks that carry the accumulator, and threads therefore never change bits. bool is not accepted.
#include <algorithm>

#include "ir/ops/shapes.hpp"
#include "ir/support/format.hpp"

namespace hyperion::ir::ops {
namespace {

struct Axes {
  Integers lhs_batch, rhs_batch, lhs_contract, rhs_contract;
  Integers lhs_free, rhs_free;

  Axes(const Attributes& a, int lhs_rank, int rhs_rank)
      : lhs_batch(a.integers("lhs_batch")),
        rhs_batch(a.integers("rhs_batch")),
        lhs_contract(a.integers("lhs_contract")),
        rhs_contract(a.integers("rhs_contract")) {
    const auto free = [](int rank, const Integers& batch, const Integers& contract) {
      Integers rest;
      for (std::int64_t axis = 0; axis < rank; ++axis) {
        if (std::ranges::find(batch, axis) == batch.end() && std::ranges::find(contract, axis) == contract.end()) {
          rest.push_back(axis);
        }
      }
      return rest;
    };
    lhs_free = free(lhs_rank, lhs_batch, lhs_contract);
    rhs_free = free(rhs_rank, rhs_batch, rhs_contract);
  }
};

InferResult infer_dot(const InferContext& c) {
  const Type lhs = c.operands[0], rhs = c.operands[1];
  if (lhs.dtype() != rhs.dtype() || !numeric_dtype(lhs.dtype())) {
    return c.fail("c1", format("operands are {} and {}, not the same number type", dtype_name(lhs.dtype()),
                               dtype_name(rhs.dtype())),
                  {0, 1});
  }
  const Axes axes(c.attributes, lhs.rank(), rhs.rank());
  const auto named_once = [](const Integers& batch, const Integers& contract, int rank) {
    return distinct_axes(joined(batch, contract), rank);
  };
  if (axes.lhs_batch.size() != axes.rhs_batch.size() || axes.lhs_contract.size() != axes.rhs_contract.size() ||
      !named_once(axes.lhs_batch, axes.lhs_contract, lhs.rank()) ||
      !named_once(axes.rhs_batch, axes.rhs_contract, rhs.rank())) {
    return c.fail("c3", "batch and contracted axes do not pair up axes of both operands", {0, 1});
  }
  for (std::size_t k = 0; k < axes.lhs_contract.size(); ++k) {
    const Dim a = lhs.dim(static_cast<int>(axes.lhs_contract[k])), b = rhs.dim(static_cast<int>(axes.rhs_contract[k]));
    if (a != b) return c.fail("c2", format("contracted dimensions differ: {} and {}", a.text(), b.text()), {0, 1});
  }
  std::vector<Dim> dims;
  for (std::size_t k = 0; k < axes.lhs_batch.size(); ++k) {
    const Dim a = lhs.dim(static_cast<int>(axes.lhs_batch[k])), b = rhs.dim(static_cast<int>(axes.rhs_batch[k]));
    if (a != b) return c.fail("c4", format("batch dimensions differ: {} and {}", a.text(), b.text()), {0, 1});
    dims.push_back(a);
  }
  for (std::int64_t axis : axes.lhs_free) dims.push_back(lhs.dim(static_cast<int>(axis)));
  for (std::int64_t axis : axes.rhs_free) dims.push_back(rhs.dim(static_cast<int>(axis)));
  if (dims.size() > kMaxRank) return c.fail("c5", format("the result would have rank {}", dims.size()), {0, 1});
  return std::vector{lhs.with_dims(dims)};
}

std::vector<Lambda> define_dot(const DefineContext& c) {
  TermPool& pool = c.pool;
  const Type lhs = c.operands[0], rhs = c.operands[1];
  const Axes axes(c.attributes, lhs.rank(), rhs.rank());
  const std::vector<VariableId> out = pool.variables(c.results[0].dims());
  std::vector<Dim> extents;
  for (std::int64_t axis : axes.lhs_contract) extents.push_back(lhs.dim(static_cast<int>(axis)));
  if (extents.empty()) extents.push_back(Dim(1));  // an outer product is a fold of length one
  const std::vector<VariableId> bound = pool.variables(extents);
  const auto place = [&](int rank, const Integers& batch, const Integers& contract, const Integers& free,
                         std::size_t free_offset) {
    std::vector<TermId> indices(static_cast<std::size_t>(rank));
    for (std::size_t k = 0; k < batch.size(); ++k) indices[static_cast<std::size_t>(batch[k])] = pool.index(out[k]);
    for (std::size_t k = 0; k < contract.size(); ++k) indices[static_cast<std::size_t>(contract[k])] = pool.index(bound[k]);
    for (std::size_t k = 0; k < free.size(); ++k) {
      indices[static_cast<std::size_t>(free[k])] = pool.index(out[free_offset + k]);
    }
    return indices;
  };
  const std::size_t batches = axes.lhs_batch.size();
  const DType carried = accumulation_dtype(lhs.dtype());
  const Scalar a = cast(Scalar{&pool, c.access(0, place(lhs.rank(), axes.lhs_batch, axes.lhs_contract, axes.lhs_free, batches))}, carried);
  const Scalar b = cast(Scalar{&pool, c.access(1, place(rhs.rank(), axes.rhs_batch, axes.rhs_contract, axes.rhs_free,
                                                        batches + axes.lhs_free.size()))}, carried);
  const Scalar sum{&pool, pool.state(bound[0], 0, carried)};
  const TermId total = pool.fold(bound, {pool.literal(carried, 0.0)}, {fma(a, b, sum).id}, 0);
  return {{out, cast(Scalar{&pool, total}, lhs.dtype()).id}};
}

// The cotangent of one side is the dot of the result's cotangent with the other side, over the other side's free axes.
// Its axes come out as batch, this side's free axes, then the contracted axes in this side's order; a transposition
// puts them where the operand has them.
Value transpose_side(TransposeContext& c, bool left) {
  const Axes axes(c.attributes, c.type(0).rank(), c.type(1).rank());
  const std::size_t batches = axes.lhs_batch.size();
  const Integers& free = left ? axes.lhs_free : axes.rhs_free;
  const Integers& other_free = left ? axes.rhs_free : axes.lhs_free;
  const Integers& batch = left ? axes.lhs_batch : axes.rhs_batch;
  const Integers& contract = left ? axes.lhs_contract : axes.rhs_contract;
  const Integers& other_contract = left ? axes.rhs_contract : axes.lhs_contract;
  const Value other = c.operand(left ? 1 : 0);
  const std::size_t other_start = left ? batches + axes.lhs_free.size() : batches;
  const Value raw = c.builder.apply("dot", {c.cotangent(), other},
                                    {{"lhs_batch", counting(0, std::int64_t(batches))},
                                     {"rhs_batch", left ? axes.rhs_batch : axes.lhs_batch},
                                     {"lhs_contract", counting(std::int64_t(other_start), std::ssize(other_free))},
                                     {"rhs_contract", other_free}});
  // The other side's contracted axes appear in increasing order of its axes.
  std::vector<std::size_t> order(contract.size());
  for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
  std::ranges::sort(order, {}, [&](std::size_t k) { return other_contract[k]; });
  Integers position(static_cast<std::size_t>(raw.rank()));
  std::size_t next = 0;
  for (std::int64_t axis : batch) position[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(next++);
  for (std::int64_t axis : free) position[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(next++);
  for (std::size_t k : order) position[static_cast<std::size_t>(contract[k])] = static_cast<std::int64_t>(next++);
  return c.builder.transpose(raw, std::move(position));
}

std::vector<Value> batch_dot(BatchContext& c) {
  const Axes axes(c.attributes, c.operand(0).rank() - c.is_batched(0), c.operand(1).rank() - c.is_batched(1));
  const auto shifted = [](Integers list, bool batched) {
    for (std::int64_t& axis : list) axis += batched;
    return list;
  };
  Attributes attributes = c.attributes;
  const bool both = c.is_batched(0) && c.is_batched(1);
  for (bool left : {true, false}) {
    const bool batched = c.is_batched(left ? 0 : 1);
    Integers batch = shifted(left ? axes.lhs_batch : axes.rhs_batch, batched);
    if (both) batch.insert(batch.begin(), 0);
    attributes.set(left ? "lhs_batch" : "rhs_batch", std::move(batch));
    attributes.set(left ? "lhs_contract" : "rhs_contract", shifted(left ? axes.lhs_contract : axes.rhs_contract, batched));
  }
  const Value raw = c.builder.apply("dot", {c.operand(0), c.operand(1)}, std::move(attributes));
  if (both) return only(raw);
  // One side carries the new axis as its first free axis; bring it to the front.
  const std::size_t at = axes.lhs_batch.size() + (c.is_batched(0) ? 0 : axes.lhs_free.size());
  Integers permutation{static_cast<std::int64_t>(at)};
  for (std::int64_t axis = 0; axis < raw.rank(); ++axis) {
    if (axis != static_cast<std::int64_t>(at)) permutation.push_back(axis);
  }
  return only(c.builder.transpose(raw, std::move(permutation)));
}

}  // namespace

OpDefinition op_dot() {
  OpDefinition op;
  op.name = "dot";
  op.group = OpGroup::contraction;
  op.doc = "Sum of products over the contracted axes; result axes are batch, lhs free, rhs free. One fma chain per "
           "element, in ascending order.";
  op.operands = {{.name = "lhs", .doc = "the left factor", .linear = true},
                 {.name = "rhs", .doc = "the right factor", .linear = true}};
  const AttributeValue none = Integers{};
  op.attributes = {{"lhs_batch", AttributeKind::integers, "batch axes of lhs", none},
                   {"rhs_batch", AttributeKind::integers, "batch axes of rhs, in the same order", none},
                   {"lhs_contract", AttributeKind::integers, "contracted axes of lhs", none},
                   {"rhs_contract", AttributeKind::integers, "contracted axes of rhs, in the same order", none}};
  op.constraints = {{"c1", "(C1) both operands have the same number type"},
                    {"c2", "(C2) contracted dimensions are equal"},
                    {"c3", "(C3) batch and contracted axes pair up and are distinct"},
                    {"c4", "(C4) batch dimensions are equal"},
                    {"c5", "(C5) the result has rank at most 8"}};
  op.anchor = Anchor::contraction;
  op.infer = infer_dot;
  op.define = define_dot;
  op.linearity = Linearity::separately;
  op.transpose = [](TransposeContext& c) {
    return std::vector{c.is_linear(0) ? transpose_side(c, true) : Value{},
                       c.is_linear(1) ? transpose_side(c, false) : Value{}};
  };
  op.batch = batch_dot;
  op.example = "dot %x, %w {lhs_contract = [1], rhs_contract = [0]}";
  return op;
}

}  // namespace hyperion::ir::ops

// contract.cpp: kernel level: a packed, register-blocked contraction with an epilogue.
//
//   acc[b, i, j] = sum over k of lhs[b, i, k] * rhs[b, k, j]      one ascending fma chain per element, as `dot` says
//
// Strides count elements of the operand's buffer. The last block is the epilogue: it is given a vector of accumulators of
// row `row`, whose lane l belongs to column `column` + l, and stores what the kernel returns. It reads and writes with
// ordinary loads and stores, whose lanes beyond the last column are masked off. With a third operand there is no
// epilogue: the sums are stored there, row-major over batch, rows and columns.
//
// Blocks before it are maps, of lhs and of rhs: with `lhs_map` lhs is not what lies in the buffer, but what the map
// yields. It is given `batch`, `row` and `depth` (of rhs: `batch`, `depth` and `column`), and yields a vector of the sums'
// type whose lane l belongs to the l-th index after the one that the attribute names. Lanes out of bounds are no part of
// any sum. An element may be asked for more than once. The operand is then one of the buffers that the map reads, and its
// row and depth strides say nothing; a batch stride of 0 still says that all batches along it are the same.
//
// How it is tiled and packed is a schedule that the target chooses; no choice changes a bit.
#include "ir/ops/contraction_maps.hpp"
#include "ir/ops/kernel_attributes.hpp"

namespace hyperion::ir::ops {

OpDefinition op_contract() {
  OpDefinition op;
  op.name = "contract";
  op.group = OpGroup::kernel;
  op.doc = "Contracts two strided operands in registers and hands each vector of sums to its body.";
  op.operands = {{.name = "lhs", .doc = "the buffer of the left factor"},
                 {.name = "rhs", .doc = "the buffer of the right factor"},
                 {.name = "output", .doc = "where the sums go if there is no body", .variadic = true}};
  op.attributes = {required_list("batch", "extents of the batch dimensions"),
                   required_number("rows", "extent of i"),
                   required_number("columns", "extent of j"),
                   required_number("depth", "extent of k"),
                   required_list("lhs_batch", "strides of the batch dimensions in lhs"),
                   required_list("rhs_batch", "strides of the batch dimensions in rhs"),
                   required_number("lhs_row", "stride of i in lhs"),
                   required_number("lhs_depth", "stride of k in lhs"),
                   required_number("rhs_depth", "stride of k in rhs"),
                   required_number("rhs_column", "stride of j in rhs"),
                   required_number("lanes", "columns in one vector of accumulators"),
                   lhs_map_attribute(),
                   rhs_map_attribute()};
  op.constraints = contraction_constraints();
  op.result_count = 0;
  op.is_pure = false;
  op.infer = infer_contraction;
  op.example = "contract %x, %w, %y {batch = [], columns = 10, depth = 784, lanes = 16, lhs_batch = [], lhs_depth = 1, "
               "lhs_row = 784, rhs_batch = [], rhs_column = 1, rhs_depth = 10, rows = 32}";
  return op;
}

}  // namespace hyperion::ir::ops

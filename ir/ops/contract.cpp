// contract.cpp: kernel level: a packed, register-blocked contraction with an epilogue.
//
//   acc[b, i, j] = sum over k of lhs[b, i, k] * rhs[b, k, j]      one ascending fma chain per element, as `dot` says
//
// Strides count elements of the operand's buffer. The body is the epilogue: it is given a vector of accumulators of row
// `row`, whose lane l belongs to column `column` + l, and stores what the kernel returns. It reads and writes with
// ordinary loads and stores, whose lanes beyond the last column are masked off. With a third operand there is no body:
// the sums are stored there, row-major over batch, rows and columns. How it is tiled and packed is a schedule that the
// target chooses; no choice changes a bit.
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
                   required_number("lanes", "columns in one vector of accumulators")};
  op.constraints = {{"c1", "(C1) both operands have the same element type"}};
  op.result_count = 0;
  op.is_pure = false;
  op.infer = [](const InferContext& c) -> InferResult {
    if (c.operands[0].dtype() != c.operands[1].dtype()) return c.fail("c1", "element types differ", {0, 1});
    return std::vector<Type>{};
  };
  op.example = "contract %x, %w {batch = [], columns = 10, depth = 784, lanes = 16, lhs_batch = [], lhs_depth = 1, "
               "lhs_row = 784, rhs_batch = [], rhs_column = 1, rhs_depth = 10, rows = 32}";
  return op;
}

}  // namespace hyperion::ir::ops

#include "passes/simplify/rules/rules.hpp"

namespace hyperion::passes {

// Reductions and contractions. A sum keeps its bits only while its order stays: in row-major order of the reduced axes, so
// a transposition passes if it keeps those in order. A dot's order is that of its contracted axes as listed, so
// transpositions of its operands always pass.
std::string_view reduction_rules() {
  return R"hyr(
rule reduce.nothing : Z, int B     reduce(%x) {axes = [], kind = k, order = o} => %x
rule reduce.units_sum : Z, int B   reduce(%x) {axes = a, kind = "sum", order = o} => reshape(%x) {shape = shape_of(%root)}    if unit_axes(a, %x)
rule reduce.units_max : B          reduce(%x) {axes = a, kind = "max", order = o} => reshape(%x) {shape = shape_of(%root)}    if unit_axes(a, %x)
rule reduce.units_min : B          reduce(%x) {axes = a, kind = "min", order = o} => reshape(%x) {shape = shape_of(%root)}    if unit_axes(a, %x)
rule reduce.sum_of_sum : R, int B  reduce(reduce(%x) {axes = a, kind = "sum", order = o}) {axes = b, kind = "sum", order = o} => reduce(%x) {axes = merged_axes(a, b, %x), kind = "sum", order = o}
rule reduce.max_of_max : B         reduce(reduce(%x) {axes = a, kind = "max", order = o}) {axes = b, kind = "max", order = r} => reduce(%x) {axes = merged_axes(a, b, %x), kind = "max", order = o}
rule reduce.min_of_min : B         reduce(reduce(%x) {axes = a, kind = "min", order = o}) {axes = b, kind = "min", order = r} => reduce(%x) {axes = merged_axes(a, b, %x), kind = "min", order = o}
rule reduce.broadcast_sum : R, int B  reduce(broadcast(%x) {shape = s, dims = d}) {axes = a, kind = "sum", order = o} => mul(%x, count_splat(s, a, %x))    if disjoint(a, d), same_type(%x, %root)
rule reduce.broadcast_max : B      reduce(broadcast(%x) {shape = s, dims = d}) {axes = a, kind = "max", order = o} => %x    if disjoint(a, d), same_type(%x, %root), nothing_empty(s)
rule reduce.broadcast_min : B      reduce(broadcast(%x) {shape = s, dims = d}) {axes = a, kind = "min", order = o} => %x    if disjoint(a, d), same_type(%x, %root), nothing_empty(s)
rule reduce.transposed : B         reduce(transpose(%x) {permutation = p}) {axes = a, kind = k, order = o} => transpose(reduce(%x) {axes = gather(p, a), kind = k, order = o}) {permutation = kept_permutation(p, a)}    if increasing(gather(p, a))
rule reduce.neg_sum : Z, int B     reduce(neg(%x)) {axes = a, kind = "sum", order = o} => neg(reduce(%x) {axes = a, kind = "sum", order = o})
rule reduce.scaled_sum : R, int B  reduce(mul(%x, %c)) {axes = a, kind = "sum", order = o} => mul(reduce(%x) {axes = a, kind = "sum", order = o}, like(%c, %root))    if splat(%c)

rule dot.transposed_lhs : B        dot(transpose(%x) {permutation = p}, %y) {lhs_batch = b, rhs_batch = c, lhs_contract = k, rhs_contract = l} => dot(%x, %y) {lhs_batch = gather(p, b), rhs_batch = c, lhs_contract = gather(p, k), rhs_contract = l}    if keeps_free_order(p, b, k)
rule dot.transposed_rhs : B        dot(%x, transpose(%y) {permutation = p}) {lhs_batch = b, rhs_batch = c, lhs_contract = k, rhs_contract = l} => dot(%x, %y) {lhs_batch = b, rhs_batch = gather(p, c), lhs_contract = k, rhs_contract = gather(p, l)}    if keeps_free_order(p, c, l)
rule dot.transposed : B            transpose(dot(%x, %y) {lhs_batch = b, rhs_batch = c, lhs_contract = k, rhs_contract = l}) {permutation = p} => dot(%y, %x) {lhs_batch = c, rhs_batch = b, lhs_contract = l, rhs_contract = k}    if swaps_sides(p, b, k, %x)
rule dot.neg_lhs : Z, int B        dot(neg(%x), %y) {lhs_batch = b, rhs_batch = c, lhs_contract = k, rhs_contract = l} => neg(dot(%x, %y) {lhs_batch = b, rhs_batch = c, lhs_contract = k, rhs_contract = l})
rule dot.neg_rhs : Z, int B        dot(%x, neg(%y)) {lhs_batch = b, rhs_batch = c, lhs_contract = k, rhs_contract = l} => neg(dot(%x, %y) {lhs_batch = b, rhs_batch = c, lhs_contract = k, rhs_contract = l})
rule dot.scaled_lhs : R, int B     dot(mul(%x, %s), %y) {lhs_batch = b, rhs_batch = c, lhs_contract = k, rhs_contract = l} => mul(dot(%x, %y) {lhs_batch = b, rhs_batch = c, lhs_contract = k, rhs_contract = l}, like(%s, %root))    if splat(%s)
rule dot.scaled_rhs : R, int B     dot(%x, mul(%y, %s)) {lhs_batch = b, rhs_batch = c, lhs_contract = k, rhs_contract = l} => mul(dot(%x, %y) {lhs_batch = b, rhs_batch = c, lhs_contract = k, rhs_contract = l}, like(%s, %root))    if splat(%s)
)hyr";
}

}  // namespace hyperion::passes

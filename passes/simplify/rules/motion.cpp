#include "passes/simplify/rules/rules.hpp"

namespace hyperion::passes {

// Views sink through elementwise ops, towards the results: a transposition meets the next one, or a contraction that takes
// it in; a broadcast leaves less to compute.
std::string_view motion_rules() {
  return R"hyr(
rule map.transpose : B             *f(transpose(%x) {permutation = p}) => transpose(*f(%x)) {permutation = p}
rule map.transpose_both : B        *f(transpose(%x) {permutation = p}, transpose(%y) {permutation = p}) => transpose(*f(%x, %y)) {permutation = p}
rule map.transpose_all : B         *f(transpose(%x) {permutation = p}, transpose(%y) {permutation = p}, transpose(%z) {permutation = p}) => transpose(*f(%x, %y, %z)) {permutation = p}
rule map.transpose_both_splat : B  *f(transpose(%x) {permutation = p}, transpose(%y) {permutation = p}, %c) => transpose(*f(%x, %y, like(%c, %x))) {permutation = p}    if splat(%c)
rule map.transpose_splat_both : B  *f(transpose(%x) {permutation = p}, %c, transpose(%y) {permutation = p}) => transpose(*f(%x, like(%c, %x), %y)) {permutation = p}    if splat(%c)
rule map.transpose_broadcast_splat : B*f(transpose(%x) {permutation = p}, broadcast(%y) {shape = s, dims = d}, %c) => transpose(*f(%x, broadcast(transpose(%y) {permutation = transposed_order(d, inverse(p))}) {shape = gather(s, inverse(p)), dims = transposed_dims(d, inverse(p))}, like(%c, %x))) {permutation = p}    if splat(%c)
rule map.transpose_splat_broadcast : B*f(transpose(%x) {permutation = p}, %c, broadcast(%y) {shape = s, dims = d}) => transpose(*f(%x, like(%c, %x), broadcast(transpose(%y) {permutation = transposed_order(d, inverse(p))}) {shape = gather(s, inverse(p)), dims = transposed_dims(d, inverse(p))})) {permutation = p}    if splat(%c)
rule map.transpose_both_broadcast : B*f(transpose(%x) {permutation = p}, transpose(%y) {permutation = p}, broadcast(%z) {shape = s, dims = d}) => transpose(*f(%x, %y, broadcast(transpose(%z) {permutation = transposed_order(d, inverse(p))}) {shape = gather(s, inverse(p)), dims = transposed_dims(d, inverse(p))})) {permutation = p}
rule map.transpose_broadcast_transpose : B*f(transpose(%x) {permutation = p}, broadcast(%y) {shape = s, dims = d}, transpose(%z) {permutation = p}) => transpose(*f(%x, broadcast(transpose(%y) {permutation = transposed_order(d, inverse(p))}) {shape = gather(s, inverse(p)), dims = transposed_dims(d, inverse(p))}, %z)) {permutation = p}
rule map.broadcast_transpose_splat : B*f(broadcast(%x) {shape = s, dims = d}, transpose(%y) {permutation = p}, %c) => transpose(*f(broadcast(transpose(%x) {permutation = transposed_order(d, inverse(p))}) {shape = gather(s, inverse(p)), dims = transposed_dims(d, inverse(p))}, %y, like(%c, %y))) {permutation = p}    if splat(%c)
rule map.broadcast_splat_transpose : B*f(broadcast(%x) {shape = s, dims = d}, %c, transpose(%y) {permutation = p}) => transpose(*f(broadcast(transpose(%x) {permutation = transposed_order(d, inverse(p))}) {shape = gather(s, inverse(p)), dims = transposed_dims(d, inverse(p))}, like(%c, %y), %y)) {permutation = p}    if splat(%c)
rule map.transpose_splat : B       *f(transpose(%x) {permutation = p}, %c) => transpose(*f(%x, like(%c, %x))) {permutation = p}    if splat(%c)
rule map.splat_transpose : B       *f(%c, transpose(%x) {permutation = p}) => transpose(*f(like(%c, %x), %x)) {permutation = p}    if splat(%c)
rule map.transpose_broadcast : B   *f(transpose(%x) {permutation = p}, broadcast(%y) {shape = s, dims = d}) => transpose(*f(%x, broadcast(transpose(%y) {permutation = transposed_order(d, inverse(p))}) {shape = gather(s, inverse(p)), dims = transposed_dims(d, inverse(p))})) {permutation = p}
rule map.broadcast_transpose : B   *f(broadcast(%y) {shape = s, dims = d}, transpose(%x) {permutation = p}) => transpose(*f(broadcast(transpose(%y) {permutation = transposed_order(d, inverse(p))}) {shape = gather(s, inverse(p)), dims = transposed_dims(d, inverse(p))}, %x)) {permutation = p}
rule reshape.transposed : B        reshape(transpose(%x) {permutation = p}) {shape = s} => transpose(reshape(%x) {shape = regrouped_shape(p, s, %x)}) {permutation = regrouped_permutation(p, s, %x)}
rule map.reshape : B               *f(reshape(%x) {shape = s}) => reshape(*f(%x)) {shape = s}
rule map.reshape_both : B          *f(reshape(%x) {shape = s}, reshape(%y) {shape = s}) => reshape(*f(%x, %y)) {shape = s}    if same_shape(%x, %y)
rule map.reshape_splat : B         *f(reshape(%x) {shape = s}, %c) => reshape(*f(%x, like(%c, %x))) {shape = s}    if splat(%c)
rule map.splat_reshape : B         *f(%c, reshape(%x) {shape = s}) => reshape(*f(like(%c, %x), %x)) {shape = s}    if splat(%c)
rule map.broadcast : B             *f(broadcast(%x) {shape = s, dims = d}) => broadcast(*f(%x)) {shape = s, dims = d}
rule map.broadcast_both : B        *f(broadcast(%x) {shape = s, dims = d}, broadcast(%y) {shape = s, dims = d}) => broadcast(*f(%x, %y)) {shape = s, dims = d}    if same_shape(%x, %y)
rule map.broadcast_splat : B       *f(broadcast(%x) {shape = s, dims = d}, %c) => broadcast(*f(%x, like(%c, %x))) {shape = s, dims = d}    if splat(%c)
rule map.splat_broadcast : B       *f(%c, broadcast(%x) {shape = s, dims = d}) => broadcast(*f(like(%c, %x), %x)) {shape = s, dims = d}    if splat(%c)
)hyr";
}

}  // namespace hyperion::passes

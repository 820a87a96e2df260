#include "passes/simplify/rules/rules.hpp"

namespace hyperion::passes {

// Views of views are one view; views that change nothing go away; views of equal elements are constants.
std::string_view view_rules() {
  return R"hyr(
rule transpose.identity : B    transpose(%x) {permutation = p} => %x    if identity(p)
rule transpose.compose : B     transpose(transpose(%x) {permutation = p}) {permutation = q} => transpose(%x) {permutation = compose(p, q)}
rule transpose.units : B       transpose(%x) {permutation = p} => reshape(%x) {shape = shape_of(%root)}    if moves_only_units(p, %x)
rule transpose.splat : B       transpose(%c) {permutation = p} => like(%c, %root)    if splat(%c)
rule reshape.identity : B      reshape(%x) {shape = s} => %x    if same_type(%x, %root)
rule reshape.compose : B       reshape(reshape(%x) {shape = s}) {shape = t} => reshape(%x) {shape = t}
rule reshape.splat : B         reshape(%c) {shape = s} => like(%c, %root)    if splat(%c)
rule broadcast.identity : B    broadcast(%x) {shape = s, dims = d} => %x    if same_type(%x, %root)
rule broadcast.compose : B     broadcast(broadcast(%x) {shape = s, dims = d}) {shape = t, dims = e} => broadcast(%x) {shape = t, dims = compose(e, d)}
rule broadcast.units : B       broadcast(%x) {shape = s, dims = d} => reshape(%x) {shape = s}    if same_count(%x, %root)
rule broadcast.splat : B       broadcast(%c) {shape = s, dims = d} => like(%c, %root)    if splat(%c)
rule broadcast.transposed : B  transpose(broadcast(%x) {shape = s, dims = d}) {permutation = p} => broadcast(transpose(%x) {permutation = transposed_order(d, p)}) {shape = gather(s, p), dims = transposed_dims(d, p)}
rule slice.identity : B        slice(%x) {starts = a, limits = b, strides = s} => %x    if same_type(%x, %root)
rule slice.compose : B         slice(slice(%x) {starts = a, limits = b, strides = s}) {starts = c, limits = d, strides = t} => slice(%x) {starts = plus(a, times(c, s)), limits = slice_limits(a, s, c, d, t), strides = times(s, t)}
rule slice.transposed : B      slice(transpose(%x) {permutation = p}) {starts = a, limits = b, strides = s} => transpose(slice(%x) {starts = gather(a, inverse(p)), limits = gather(b, inverse(p)), strides = gather(s, inverse(p))}) {permutation = p}
rule slice.splat : B           slice(%c) {starts = a, limits = b, strides = s} => like(%c, %root)    if splat(%c)
rule slice.pad : B             slice(pad(%x, %v) {low = l, high = h, interior = i}) {starts = a, limits = b, strides = s} => %x    if all_zero(i), slice_undoes_pad(l, a, b, s, %x)
rule pad.nothing : B           pad(%x, %v) {low = l, high = h, interior = i} => %x    if all_zero(l), all_zero(h), all_zero(i)
rule pad.pad : B               pad(pad(%x, %v) {low = l, high = h, interior = i}, %v) {low = m, high = g, interior = j} => pad(%x, %v) {low = plus(l, m), high = plus(h, g), interior = i}    if all_zero(j), non_negative(l), non_negative(h), non_negative(m), non_negative(g)
rule pad.splat : B             pad(%c, %v) {low = l, high = h, interior = i} => like(%c, %root)    if same_element(%c, %v)
rule concatenate.one : B       concatenate(%x) {axis = a} => %x
rule reverse.nothing : B       reverse(%x) {axes = []} => %x
rule reverse.reverse : B       reverse(reverse(%x) {axes = a}) {axes = a} => %x
rule reverse.units : B         reverse(%x) {axes = a} => %x    if unit_axes(a, %x)
rule reverse.splat : B         reverse(%c) {axes = a} => %c    if splat(%c)
)hyr";
}

}  // namespace hyperion::passes

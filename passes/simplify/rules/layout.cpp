#include "passes/simplify/rules/rules.hpp"

namespace hyperion::passes {

// A convolution reads its channels innermost, where vectors load them together. The order of its sums is that of kernel
// positions and channels, whatever the layout, so the bits stay.
std::string_view convolution_layout_rules() {
  return R"hyr(
rule layout.conv : B
  conv(%x, %w) {layout = "channels_first", strides = s, padding_low = l, padding_high = h, dilations = d, groups = g}
  => transpose(conv(transpose(%x) {permutation = channels_last(%x)}, transpose(%w) {permutation = kernel_first(%w)})
       {layout = "channels_last", strides = s, padding_low = l, padding_high = h, dilations = d, groups = g})
     {permutation = inverse(channels_last(%root))}
rule layout.conv_input_gradient : B
  conv_input_gradient(%y, %w) {layout = "channels_first", strides = s, padding_low = l, padding_high = h, dilations = d, groups = g, shape = t}
  => transpose(conv_input_gradient(transpose(%y) {permutation = channels_last(%y)}, transpose(%w) {permutation = kernel_first(%w)})
       {layout = "channels_last", strides = s, padding_low = l, padding_high = h, dilations = d, groups = g, shape = t})
     {permutation = inverse(channels_last(%root))}
rule layout.conv_weight_gradient : B
  conv_weight_gradient(%x, %y) {layout = "channels_first", strides = s, padding_low = l, padding_high = h, dilations = d, groups = g, shape = t}
  => transpose(conv_weight_gradient(transpose(%x) {permutation = channels_last(%x)}, transpose(%y) {permutation = channels_last(%y)})
       {layout = "channels_last", strides = s, padding_low = l, padding_high = h, dilations = d, groups = g, shape = t})
     {permutation = inverse(kernel_first(%root))}
)hyr";
}

}  // namespace hyperion::passes

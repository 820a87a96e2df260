// rules.hpp: the built-in rules, as text, one source a family. Order matters only where two rules match the same op: the
// first one wins.
#pragma once

#include <string_view>

namespace hyperion::passes {

std::string_view scalar_rules();
std::string_view logic_rules();
std::string_view view_rules();
std::string_view motion_rules();
std::string_view reduction_rules();
std::string_view convolution_layout_rules();

}  // namespace hyperion::passes

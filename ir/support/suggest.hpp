// suggest.hpp: "did you mean": the known name that is closest to a misspelt one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hyperion {

// The candidate with the smallest edit distance to `name`, the first of equals; empty if none is near (more than a
// third of the name's letters, at least two, would have to change).
std::string_view closest_name(std::string_view name, std::span<const std::string_view> candidates);
// ", did you mean 'canonicalize'?", or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace hyperion

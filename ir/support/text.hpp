// text.hpp: small text helpers that several rooms share: quoting, suggestions.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hyperion {

// "text" in double quotes; quotes, backslashes and control characters escaped as \" \\ \n \t \xNN. The inverse is the
// lexer's unquoted() (ir/text/lexer.hpp).
std::string quoted(std::string_view text);

// The candidate closest to `wrong` by edit distance, if it is close enough to be a typing mistake; else empty.
std::string_view closest(std::string_view wrong, std::span<const std::string_view> candidates);

// "; did you mean 'check'?", or nothing.
std::string did_you_mean(std::string_view wrong, std::span<const std::string_view> candidates);

}  // namespace hyperion

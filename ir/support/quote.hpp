// quote.hpp: text in double quotes, the same in every file format of ours that has strings.
#pragma once

#include <string>
#include <string_view>

namespace hyperion {

// "text" in double quotes; quotes, backslashes and control characters escaped as \" \\ \n \t \xNN. The inverse is
// Token::name() of the lexer (ir/text/lexer.hpp).
std::string quoted(std::string_view text);

// The same where a format writes other control characters (below 0x20, and 0x7f) in its own way.
std::string quoted(std::string_view text, std::string (*escape_control)(unsigned char));

}  // namespace hyperion

// quote.hpp: text in double quotes, the same in every file format of ours that has strings.
#pragma once

#include <string>
#include <string_view>

namespace hyperion {

// "text" in double quotes; quotes, backslashes and control characters escaped as \" \\ \n \t \xNN. The inverse is
// Token::name() of the lexer (ir/text/lexer.hpp).
std::string quoted(std::string_view text);

}  // namespace hyperion

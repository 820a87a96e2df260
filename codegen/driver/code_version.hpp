// code_version.hpp: which build of the compiler made a piece of code.
#pragma once

#include <string>
#include <string_view>

namespace hyperion::codegen {

// A hash of the compiler's own sources and LLVM's version (cmake/CodeVersion.cmake): it changes whenever generated code
// or plans may change for the same input. Equal for equal sources, wherever they are built. A hash rather than a number
// that somebody raises by hand: a number is forgotten, and old code runs.
std::string_view code_version();

// What stamps compiled modules, and the producer of cache entries for a target whose key() this is.
std::string producer(std::string_view target_key);

}  // namespace hyperion::codegen

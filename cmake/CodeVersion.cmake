# Writes OUTPUT, the C++ source of hyperion::codegen::code_version(): a hash over the content of everything that decides
# which code is generated for a program and how plans are laid out, so that no cache entry outlives the code that made
# it.
#
#   cmake -DSOURCE_DIR=... -DTOOLCHAIN=... -DOUTPUT=... -P CodeVersion.cmake
#
# Included from a CMakeLists.txt, it only defines hyperion_code_sources(), so that the build's dependencies and the hash
# speak of the same files.

# The rooms that code generation stands on, and itself; tests decide nothing.
function(hyperion_code_sources result source_dir)
  set(patterns)
  foreach(room IN ITEMS ir passes runtime codegen)
    list(APPEND patterns ${source_dir}/${room}/*.cpp ${source_dir}/${room}/*.hpp ${source_dir}/${room}/*.def)
  endforeach()
  if(CMAKE_SCRIPT_MODE_FILE)
    file(GLOB_RECURSE files ${patterns})
  else()
    file(GLOB_RECURSE files CONFIGURE_DEPENDS ${patterns})
  endif()
  list(FILTER files EXCLUDE REGEX "_test\\.cpp$")
  list(SORT files)
  set(${result} ${files} PARENT_SCOPE)
endfunction()

if(NOT CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
  return()
endif()
hyperion_code_sources(files ${SOURCE_DIR})
set(contents "${TOOLCHAIN}")
foreach(file IN LISTS files)
  file(SHA256 ${file} hash)
  file(RELATIVE_PATH name ${SOURCE_DIR} ${file})
  string(APPEND contents "\n${name} ${hash}")
endforeach()
string(SHA256 version "${contents}")
string(SUBSTRING ${version} 0 32 version)
file(WRITE ${OUTPUT} "// Written by cmake/CodeVersion.cmake.
#include \"codegen/driver/code_version.hpp\"

namespace hyperion::codegen {
std::string_view code_version() { return \"${version}\"; }
}  // namespace hyperion::codegen
")

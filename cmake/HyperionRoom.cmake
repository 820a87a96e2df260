# What every room shares: flags, and one way to declare its library and its tests.
#
#   hyperion_room(ir)                               enters the folder if it has a CMakeLists.txt
#   hyperion_library(hyperion_ir DEPENDS ...)       all *.cpp below this folder but *_test.cpp; include root is the repo
#   hyperion_tests(hyperion_ir_tests DEPENDS ...)   all *_test.cpp below this folder, one ctest entry a test case
#   hyperion_join_tests()                           after the last room: one program of all tests, for archives

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()
find_package(Threads REQUIRED)
include(HyperionPortable)

# -ffp-contract=off: the interpreter and the compiled code must agree to the bit, so a*b+c in our C++ is two
# roundings unless it says std::fma.
add_compile_options(-Wall -Wextra -Wno-missing-field-initializers -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 warns about std::string's own copying: gcc.gnu.org/PR105651.
  add_compile_options(-Wno-restrict)
  if(CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
    # Ubuntu's GCC 13 calls a reference dangling if a temporary was among the arguments that led to it (PR107532), and what
    # a std::variant does not hold uninitialised (PR80635). GCC 12, which CI builds with, looks for both without that.
    add_compile_options(-Wno-dangling-reference -Wno-maybe-uninitialized)
  endif()
else()
  # Fields that a designated initialiser leaves out have defaults; GCC has one switch for both forms.
  add_compile_options(-Wno-missing-designated-field-initializers)
  # libstdc++ 12's own stable_sort calls what C++17 deprecated, and clang blames the caller; GCC still looks at ours.
  add_compile_options(-Wno-deprecated-declarations)
endif()
add_compile_options(-ffunction-sections -fdata-sections)
add_link_options(-Wl,--gc-sections)
if(HYPERION_WARNINGS_AS_ERRORS)
  add_compile_options(-Werror)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()
set(HYPERION_TEST_SECONDS 600)  # no test comes near; it ends those that hang
if(HYPERION_SANITIZE)
  set(HYPERION_TEST_SECONDS 3000)  # sanitizers cost up to ten times the work, and machines that run them are busy
  add_compile_options(-fsanitize=${HYPERION_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HYPERION_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Instrumented code hides from GCC what is initialised (its manual, at -fsanitize); the plain presets look for that.
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
endif()

include(HyperionInstall)

macro(hyperion_room room)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${room}/CMakeLists.txt)
    add_subdirectory(${room})
  endif()
endmacro()

# Below a room, folders listed in EXCLUDE (regular expressions) belong to another target. UNITY_EXCLUDE says that with
# HYPERION_UNITY the sources are compiled a dozen at a time, but for those named, whose local names meet others'.
function(hyperion_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;PRIVATE_DEPENDS;EXCLUDE;UNITY_EXCLUDE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cpp)
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  foreach(pattern IN LISTS ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX ${pattern})
  endforeach()
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                            $<INSTALL_INTERFACE:include/hyperion>)
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
  target_compile_features(${name} PUBLIC cxx_std_23)  # for consumers, whose default may be older
  if(HYPERION_UNITY AND DEFINED ARG_UNITY_EXCLUDE)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
    set_source_files_properties(${ARG_UNITY_EXCLUDE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    # In so much text GCC 12 inlines until it takes what a std::variant does not hold for uninitialised (PR80635), and a
    # vector's memory for not its own. ci-release compiles each file by itself, and looks for both.
    target_compile_options(${name} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-free-nonheap-object>)
  endif()
  hyperion_install_library(${name})
endfunction()

function(hyperion_tests name)
  if(NOT HYPERION_DEVELOPER)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "DEPENDS;EXCLUDE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *_test.cpp)
  foreach(pattern IN LISTS ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX ${pattern})
  endforeach()
  if(NOT sources)
    return()
  endif()
  find_package(GTest REQUIRED)
  if(HYPERION_PORTABLE)
    add_library(${name} OBJECT ${sources})
    set_property(GLOBAL APPEND PROPERTY HYPERION_TEST_OBJECTS ${name})
  else()
    add_executable(${name} ${sources})
    hyperion_discover_tests(${name})
  endif()
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} GTest::gtest GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE HYPERION_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  # What tests call is optimized; the tests themselves run once, and -O3 made a full build a sixth longer.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()

function(hyperion_discover_tests name)
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${HYPERION_TEST_SECONDS})
endfunction()

# An archive would carry LLVM once for every test program, so there all tests are one program: bin/hyperion_tests.
function(hyperion_join_tests)
  get_property(objects GLOBAL PROPERTY HYPERION_TEST_OBJECTS)
  if(objects)
    add_executable(hyperion_tests)
    target_link_libraries(hyperion_tests PRIVATE ${objects})
    hyperion_discover_tests(hyperion_tests)
  endif()
endfunction()

# HYPERION_PORTABLE: executables that need nothing at run time but libc, so that an archive of them runs on any
# Linux with the same or a newer glibc (./run package).
#
# LLVM and googletest are static libraries on Debian anyway. Everything else is switched to a static or header-only
# form here, in one place; the rest of the build only names HYPERION_FMT and HYPERION_SPDLOG.
set(HYPERION_FMT fmt::fmt)
set(HYPERION_SPDLOG spdlog::spdlog)
if(NOT HYPERION_PORTABLE)
  return()
endif()

# Debian ships these two as shared libraries or headers only.
set(HYPERION_FMT fmt::fmt-header-only)
set(HYPERION_SPDLOG spdlog::spdlog_header_only)

set(ZLIB_USE_STATIC_LIBS ON)
# What find_package(SQLite3) takes for its library.
find_library(SQLite3_LIBRARY libsqlite3.a REQUIRED)
# LLVM's package asks for the shared zstd by this name and uses a target of that name when there is one.
find_library(HYPERION_ZSTD_STATIC libzstd.a REQUIRED)
add_library(zstd::libzstd_shared STATIC IMPORTED GLOBAL)
set_target_properties(zstd::libzstd_shared PROPERTIES IMPORTED_LOCATION ${HYPERION_ZSTD_STATIC})

# -no-pie: a static position-dependent executable starts 1.3 times faster (no relocations) and is 8 % smaller.
# --as-needed drops libz3 and libxml2, which LLVM's package lists and code generation never calls.
add_link_options(-static-libstdc++ -static-libgcc -Wl,--as-needed -no-pie)

# What an installed Hyperion consists of: headers under include/hyperion, one static library a room, the tools, and a
# CMake package, so that a user writes
#
#   find_package(Hyperion REQUIRED)
#   target_link_libraries(app PRIVATE Hyperion::hyperion)
#
# Rooms need not care: hyperion_library() installs what a consumer may link, which is everything declared before
# hyperion_install_package(); tests, tools and plugins come after it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(HYPERION_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Hyperion)

function(hyperion_install_library name)
  get_property(closed GLOBAL PROPERTY HYPERION_PACKAGE_CLOSED)
  if(closed)
    return()
  endif()
  string(REGEX REPLACE "^hyperion_" "" short_name ${name})
  set_target_properties(${name} PROPERTIES EXPORT_NAME ${short_name})
  add_library(Hyperion::${short_name} ALIAS ${name})
  install(TARGETS ${name} EXPORT HyperionTargets ARCHIVE COMPONENT library)
  set_property(GLOBAL APPEND PROPERTY HYPERION_LIBRARIES ${name})
  # A room's headers keep their path from the repository's root, so that includes read the same everywhere.
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hyperion/${folder} COMPONENT library
          FILES_MATCHING PATTERN "*.hpp" PATTERN "*.def")
endfunction()

function(hyperion_install_package)
  get_property(libraries GLOBAL PROPERTY HYPERION_LIBRARIES)
  add_library(hyperion_everything INTERFACE)
  target_link_libraries(hyperion_everything INTERFACE ${libraries})
  set_target_properties(hyperion_everything PROPERTIES EXPORT_NAME hyperion)
  add_library(Hyperion::hyperion ALIAS hyperion_everything)
  install(TARGETS hyperion_everything EXPORT HyperionTargets COMPONENT library)
  install(EXPORT HyperionTargets NAMESPACE Hyperion:: DESTINATION ${HYPERION_PACKAGE_DIR}
          COMPONENT library)
  configure_package_config_file(
    ${PROJECT_SOURCE_DIR}/cmake/HyperionConfig.cmake.in
    ${PROJECT_BINARY_DIR}/cmake/HyperionConfig.cmake INSTALL_DESTINATION ${HYPERION_PACKAGE_DIR})
  write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/cmake/HyperionConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/cmake/HyperionConfig.cmake
                ${PROJECT_BINARY_DIR}/cmake/HyperionConfigVersion.cmake
          DESTINATION ${HYPERION_PACKAGE_DIR} COMPONENT library)
  set_property(GLOBAL PROPERTY HYPERION_PACKAGE_CLOSED TRUE)
endfunction()

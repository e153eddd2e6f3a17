# What `cmake --install` puts where: the program, its manual, its completion, the examples, and the libraries with what
# find_package(nutshell) needs. Each library is a component with an export set of its own, so that who uses
# nutshell::netlink alone needs neither SQLite nor fmt.
include(CMakePackageConfigHelpers)

set(NUTSHELL_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/nutshell)

install(TARGETS nutshell RUNTIME)

foreach(component netlink core store)
  set_target_properties(nutshell_${component} PROPERTIES EXPORT_NAME ${component})
  install(TARGETS nutshell_${component} EXPORT nutshell-${component} ARCHIVE)
  install(EXPORT nutshell-${component} NAMESPACE nutshell:: DESTINATION ${NUTSHELL_PACKAGE_DIR})
endforeach()
install(DIRECTORY netlink/include/nl TYPE INCLUDE FILES_MATCHING PATTERN *.hpp)
install(DIRECTORY include/nutshell TYPE INCLUDE FILES_MATCHING PATTERN *.hpp)

configure_package_config_file(cmake/nutshellConfig.cmake.in nutshellConfig.cmake
  INSTALL_DESTINATION ${NUTSHELL_PACKAGE_DIR} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(nutshellConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/nutshellConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/nutshellConfigVersion.cmake
  DESTINATION ${NUTSHELL_PACKAGE_DIR})

install(FILES man/nutshell.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES man/cloud.toml.5 man/nutshell.toml.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES man/nutshell.7 DESTINATION ${CMAKE_INSTALL_MANDIR}/man7)
install(FILES examples/nutshell.toml examples/nutshell@.service examples/nutshell-adoptions.service
  examples/nutshell-adoptions.timer examples/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
install(DIRECTORY examples/ciab examples/frontend-nodes examples/routed-public examples/two-clouds examples/zero-config
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples FILES_MATCHING PATTERN *.toml)

# The completion comes from the program itself; --root keeps it from reading any configuration of this machine.
set(completion ${CMAKE_CURRENT_BINARY_DIR}/completions/nutshell)
file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/completions)
add_custom_command(OUTPUT ${completion}
  COMMAND nutshell --root /nonexistent completion bash > ${completion} DEPENDS nutshell VERBATIM)
add_custom_target(bash_completion ALL DEPENDS ${completion})
install(FILES ${completion} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)

add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -DMANIFEST=${CMAKE_CURRENT_BINARY_DIR}/install_manifest.txt
  -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/uninstall.cmake VERBATIM)

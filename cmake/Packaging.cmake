# The Debian package: cmake --build build/release && cd build/release && cpack makes switchyard_VERSION_ARCHITECTURE.deb.
# It holds the programs for production with their systemd units, so a build that leaves one of them out makes none, nor
# does a container image's, which has not all of the source.
if(NOT EXISTS ${PROJECT_SOURCE_DIR}/deploy/systemd)
  return()
endif()
set(daemons auth-api core-api psp-connector psp-events)
foreach(program switchyard ${daemons})
  if(NOT TARGET ${program})
    return()
  endif()
  # All addresses of functions are resolved at the start, and then cannot be overwritten any more.
  target_link_options(${program} PRIVATE LINKER:-z,relro,-z,now)
endforeach()

# Packaging takes what is built: it would otherwise begin with the unit tests.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

include(GNUInstallDirs)
set(systemd ${PROJECT_SOURCE_DIR}/deploy/systemd)
set(debian ${PROJECT_SOURCE_DIR}/deploy/debian)
# The names of the services are too general for /usr/bin.
install(TARGETS switchyard RUNTIME DESTINATION bin)
install(TARGETS ${daemons} RUNTIME DESTINATION libexec/switchyard)
install(FILES ${systemd}/switchyard.service DESTINATION lib/systemd/system)
install(FILES ${systemd}/switchyard.env DESTINATION share/switchyard)
foreach(daemon ${daemons})
  install(FILES ${systemd}/switchyard-${daemon}.service DESTINATION lib/systemd/system)
  install(FILES ${systemd}/${daemon}.env DESTINATION /etc/switchyard)
endforeach()

set(CPACK_PACKAGE_CONTACT "The Switchyard maintainers <maintainers@switchyard.invalid>"
    CACHE STRING "Who looks after the package: NAME <ADDRESS>")

# What Debian wants to see in the folder for documentation, compressed without a time in it.
string(TIMESTAMP package_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
configure_file(${debian}/changelog.in ${PROJECT_BINARY_DIR}/package/changelog @ONLY)
set(compressed ${PROJECT_BINARY_DIR}/package/changelog.gz)
execute_process(COMMAND gzip --best --no-name --stdout ${PROJECT_BINARY_DIR}/package/changelog
                OUTPUT_FILE ${compressed} COMMAND_ERROR_IS_FATAL ANY)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/docs/settings.md ${debian}/copyright ${compressed} DESTINATION share/doc/switchyard)
install(FILES ${debian}/lintian-overrides DESTINATION share/lintian/overrides RENAME switchyard)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME switchyard)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "payment switch between merchants and payment service providers")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"Merchants send it transactions; it writes each one to disk, answers, and takes
it to a payment service provider: once in effect, whatever is killed, lost or
late in between. The store is SQLite or PostgreSQL, the queue may be in Redis.
.
The only provider in this version is a simulated one: no money moves.")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, ca-certificates, init-system-helpers (>= 1.54~)")
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${debian}/postinst ${debian}/prerm ${debian}/postrm ${debian}/conffiles)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)

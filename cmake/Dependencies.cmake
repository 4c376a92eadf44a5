# Everything comes from the distribution's packages; setup.sh names them.
find_package(Threads REQUIRED)
# 1.81 is the first release with everything used here; Debian 12 has it beside its default 1.74.
if(SWITCHYARD_FUZZ)
  # The fuzzers watch Boost.JSON, too, which its package has only compiled: tests/fuzz compiles it.
  find_package(Boost 1.81 REQUIRED)
else()
  find_package(Boost 1.81 REQUIRED COMPONENTS json)
endif()
find_package(OpenSSL 3 REQUIRED)
find_package(CURL REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(prometheus-cpp REQUIRED CONFIG)
if(BUILD_TESTING)
  find_package(GTest REQUIRED)
endif()

find_package(PkgConfig REQUIRED)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc>=2.6)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium>=1.0.18)
# Its header only.
pkg_check_modules(TOMLPLUSPLUS REQUIRED tomlplusplus>=3.3)
find_package(ZLIB REQUIRED)
# The sanitizers bring allocators of their own.
if(NOT SWITCHYARD_SANITIZE)
  pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc>=5.3)
endif()
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis>=0.14)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.40)
# Pipeline mode came with libpq 14.
pkg_check_modules(POSTGRES REQUIRED IMPORTED_TARGET libpq>=14)

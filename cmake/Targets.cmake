include(GoogleTest)

if(BUILD_TESTING)
  foreach(what start stop)
    add_test(NAME postgres.${what}
      COMMAND /usr/bin/python3 ${PROJECT_SOURCE_DIR}/tests/support/postgres_for_unit_tests.py ${what}
              ${PROJECT_BINARY_DIR}/postgres-for-tests)
  endforeach()
  set_tests_properties(postgres.start PROPERTIES FIXTURES_SETUP postgres)
  set_tests_properties(postgres.stop PROPERTIES FIXTURES_CLEANUP postgres)
endif()

# With a sanitizer, what nearly every file reads is compiled once for the libraries and programs, and once for the unit tests: a
# sixth of the time to compile them all. Without, optimising, g++ 12 then warns of the standard library's own strings. Those
# builds and clang-tidy's find a file that forgets one of them.
set(precompiled <algorithm> <array> <atomic> <charconv> <chrono> <expected> <functional> <map> <memory> <mutex> <optional> <span>
    <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector> <boost/asio/awaitable.hpp>
    <boost/asio/co_spawn.hpp> <boost/asio/io_context.hpp> <boost/asio/ip/tcp.hpp> <boost/asio/post.hpp>
    <boost/asio/steady_timer.hpp> <fmt/format.h>)
function(switchyard_precompile target first)
  if(NOT SWITCHYARD_SANITIZE)
    return()
  endif()
  if(target STREQUAL first)
    target_precompile_headers(${target} PRIVATE ${precompiled} ${ARGN})
  else()
    target_precompile_headers(${target} REUSE_FROM ${first})
  endif()
endfunction()

# The unit tests of what threads are made with, for ThreadSanitizer. What is built on that, stores and services, it sees at work
# in the functional tests.
add_custom_target(tests_with_threads)

# switchyard_library(<name> SOURCES ... DEPENDS ... [TESTS ... [TEST_NEEDS_POSTGRES] [TEST_HAS_THREADS]])
# A static library libs/<name>, included as "<name>/file.hpp", and its unit tests, which stand beside the sources.
function(switchyard_library name)
  cmake_parse_arguments(ARG "TEST_NEEDS_POSTGRES;TEST_HAS_THREADS" "" "SOURCES;DEPENDS;TESTS;TEST_DEPENDS" ${ARGN})
  add_library(switchyard_${name} STATIC ${ARG_SOURCES})
  target_include_directories(switchyard_${name} PUBLIC "${PROJECT_SOURCE_DIR}/libs" "${PROJECT_SOURCE_DIR}/services")
  target_link_libraries(switchyard_${name} PUBLIC ${ARG_DEPENDS})
  switchyard_precompile(switchyard_${name} switchyard_base)
  if(ARG_TESTS AND BUILD_TESTING)
    set(options)
    if(ARG_TEST_NEEDS_POSTGRES)
      list(APPEND options NEEDS_POSTGRES)
    endif()
    if(ARG_TEST_HAS_THREADS)
      list(APPEND options HAS_THREADS)
    endif()
    switchyard_unit_test(${name} SOURCES ${ARG_TESTS} DEPENDS switchyard_${name} ${ARG_TEST_DEPENDS} ${options})
  endif()
endfunction()

# For what is compiled to test something else. In a sanitizer's build that is most of the code, and optimising and
# instrumenting it most of the time, where UBSan is to look at what it calls; ASan and TSan look at both.
function(switchyard_compile_fast target)
  if(SWITCHYARD_SANITIZE)
    target_compile_options(${target} PRIVATE -O0 -fno-sanitize=undefined)
  endif()
endfunction()

# NEEDS_POSTGRES: a server is started before the first test that needs one and stopped after the last. HAS_THREADS: its tests
# have the label `threads`, and `tests_with_threads` builds it.
function(switchyard_unit_test name)
  cmake_parse_arguments(ARG "NEEDS_POSTGRES;HAS_THREADS" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name}_test ${ARG_SOURCES})
  target_link_libraries(${name}_test PRIVATE ${ARG_DEPENDS} GTest::gmock GTest::gtest_main)
  set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/unit")
  switchyard_compile_fast(${name}_test)
  switchyard_precompile(${name}_test base_test <gmock/gmock.h> <gtest/gtest.h>)
  set(labels unit)
  if(ARG_HAS_THREADS)
    set(labels threads)
    add_dependencies(tests_with_threads ${name}_test)
  endif()
  set(properties LABELS ${labels} TIMEOUT 120)
  if(ARG_NEEDS_POSTGRES)
    list(APPEND properties FIXTURES_REQUIRED postgres
         ENVIRONMENT "SWITCHYARD_TEST_POSTGRES=${PROJECT_BINARY_DIR}/postgres-for-tests")
  endif()
  gtest_discover_tests(${name}_test TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST PROPERTIES ${properties})
endfunction()

# switchyard_program(<name> SOURCES ... DEPENDS ...): an executable in <build>/bin. What one thread allocates another one frees,
# in batches, which jemalloc is quicker at than libc.
function(switchyard_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
  if(NOT SWITCHYARD_SANITIZE)
    target_link_libraries(${name} PRIVATE PkgConfig::JEMALLOC)
  endif()
  switchyard_precompile(${name} switchyard_base)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()

# Makes openapi.cpp, which holds docs/openapi/<program>.json as the openapi_document of switchyard::<name_space>.
function(switchyard_openapi program name_space)
  set(document "${PROJECT_SOURCE_DIR}/docs/openapi/${program}.json")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${document}")
  file(READ "${document}" OPENAPI_DOCUMENT)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/openapi.cpp.in" openapi.cpp @ONLY)
endfunction()

# Makes <database>_migrations.cpp from all of libs/store/<database>/schema/, 1.sql and so on: the statements of each, and their
# number as <newest>, for store/migrations.hpp. A statement ends with a semicolon at the end of a line.
function(switchyard_migrations database newest)
  file(GLOB files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/libs/store/${database}/schema/*.sql")
  list(LENGTH files count)
  foreach(version RANGE 1 ${count})
    set(file "${PROJECT_SOURCE_DIR}/libs/store/${database}/schema/${version}.sql")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(READ "${file}" statements)
    string(REGEX REPLACE ";\n$" "" statements "${statements}")
    string(REPLACE ";\n" ")sql\",\nR\"sql(" statements "${statements}")
    string(APPEND MIGRATIONS "{R\"sql(${statements})sql\"},\n")
  endforeach()
  configure_file("${PROJECT_SOURCE_DIR}/cmake/migrations.cpp.in" ${database}_migrations.cpp @ONLY)
endfunction()

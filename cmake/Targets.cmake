include(GoogleTest)

# switchyard_library(<name> SOURCES ... DEPENDS ... [TESTS ...])
# A static library libs/<name>, included as "<name>/file.hpp", and its unit tests, which stand beside the sources.
function(switchyard_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;TESTS;TEST_DEPENDS" ${ARGN})
  add_library(switchyard_${name} STATIC ${ARG_SOURCES})
  target_include_directories(switchyard_${name} PUBLIC "${PROJECT_SOURCE_DIR}/libs" "${PROJECT_SOURCE_DIR}/services")
  target_link_libraries(switchyard_${name} PUBLIC ${ARG_DEPENDS})
  if(ARG_TESTS)
    switchyard_unit_test(${name} SOURCES ${ARG_TESTS} DEPENDS switchyard_${name} ${ARG_TEST_DEPENDS})
  endif()
endfunction()

function(switchyard_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name}_test ${ARG_SOURCES})
  target_link_libraries(${name}_test PRIVATE ${ARG_DEPENDS} GTest::gmock GTest::gtest_main)
  # Each test file may have helpers of the same name.
  set_target_properties(${name}_test PROPERTIES UNITY_BUILD OFF RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/unit")
  gtest_discover_tests(${name}_test TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

# switchyard_program(<name> SOURCES ... DEPENDS ...): an executable in <build>/bin.
function(switchyard_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endfunction()

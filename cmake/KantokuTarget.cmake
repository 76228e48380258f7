# How targets are declared here. Sources are listed, never globbed; a target's public headers may show what stands in DEPS,
# its sources also what stands in PRIVATE_DEPS.
#
#   kantoku_library(NAME x SOURCES x.cc HEADERS x.h DEPS … PRIVATE_DEPS … [INCLUDES dir…] [USE_PROTO_PCH])
#     → target kantoku_x, alias kantoku::x; without SOURCES a header-only library
#   kantoku_executable(NAME kantoku-x SOURCES main.cc DEPS … [USE_PROTO_PCH])
#     → build/<preset>/bin/kantoku-x, which allocates with mimalloc unless it is sanitized
#   kantoku_test(NAME x_test LABEL unit SOURCES x_test.cc DEPS … [BINARIES kantoku-x…] [BACKENDS sqlite…] [TIMEOUT s] [WHOLE]
#                [USE_PROTO_PCH])
#     → one ctest entry per test case (with WHOLE, one for the program), labelled; LABEL may be a list. BINARIES are built
#       first and lie in the directory that the environment variable KANTOKU_BIN_DIR names. With BACKENDS each case is an entry
#       `x_test:sqlite:…` of every one of them, and the program says who they are (tests/support/backend.h); a case with the
#       tag [sqlite] is one of that backend alone, one with [not-memory] of all but that.
#   kantoku_fuzz(NAME x_fuzz SOURCES x_fuzz.cc CORPUS dir DEPS … [LABEL unit security])
#     → a libFuzzer program in the fuzz preset, of the target kantoku_fuzzers; elsewhere a unit test that runs the property
#       over the corpus. Its label is `unit` when none is given
#
# USE_PROTO_PCH shares the precompiled header of gRPC and the generated code (protos/CMakeLists.txt); use it where sources
# include either. Tests always share a precompiled header with Catch2 in it.

include(Catch OPTIONAL)

# A designated initializer that leaves fields to their defaults is meant so.
set(KANTOKU_WARNINGS -Wall -Wextra -Werror -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Optimizing, GCC 12 finds overlaps where strings are joined that are none (its bug 105651).
  list(APPEND KANTOKU_WARNINGS -Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND KANTOKU_WARNINGS -Wthread-safety -Werror=thread-safety)
endif()

function(_kantoku_target target scope)
  if(scope STREQUAL "INTERFACE")
    target_compile_features(${target} INTERFACE cxx_std_20)
  else()
    target_compile_options(${target} PRIVATE ${KANTOKU_WARNINGS})
    target_compile_features(${target} ${scope} cxx_std_20)
  endif()
  target_include_directories(${target} ${scope} "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>")
endfunction()

function(kantoku_library)
  cmake_parse_arguments(PARSE_ARGV 0 arg "USE_PROTO_PCH" "NAME" "SOURCES;HEADERS;DEPS;PRIVATE_DEPS;INCLUDES")
  _kantoku_check_arguments(kantoku_library NAME)
  set(target kantoku_${arg_NAME})
  if(arg_SOURCES)
    set(scope PUBLIC)
    add_library(${target} STATIC ${arg_SOURCES} ${arg_HEADERS})
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE_DEPS})
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE ${arg_HEADERS})
  endif()
  add_library(kantoku::${arg_NAME} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${arg_NAME})
  _kantoku_target(${target} ${scope})
  target_link_libraries(${target} ${scope} ${arg_DEPS})
  foreach(dir IN LISTS arg_INCLUDES)
    cmake_path(ABSOLUTE_PATH dir NORMALIZE)
    target_include_directories(${target} ${scope} "$<BUILD_INTERFACE:${dir}>")
  endforeach()
  if(arg_USE_PROTO_PCH)
    target_precompile_headers(${target} REUSE_FROM kantoku_proto_pch)
  endif()
endfunction()

function(kantoku_executable)
  cmake_parse_arguments(PARSE_ARGV 0 arg "USE_PROTO_PCH" "NAME" "SOURCES;DEPS")
  _kantoku_check_arguments(kantoku_executable NAME SOURCES)
  add_executable(${arg_NAME} ${arg_SOURCES})
  _kantoku_target(${arg_NAME} PRIVATE)
  # First, so that it is found before the C library: the program allocates with it.
  target_link_libraries(${arg_NAME} PRIVATE $<TARGET_NAME_IF_EXISTS:mimalloc> ${arg_DEPS})
  _kantoku_sanitizer_options(${arg_NAME})
  if(arg_USE_PROTO_PCH)
    target_precompile_headers(${arg_NAME} REUSE_FROM kantoku_proto_pch)
  endif()
endfunction()

function(kantoku_test)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 0 arg "USE_PROTO_PCH;WHOLE" "NAME;TIMEOUT" "LABEL;SOURCES;DEPS;BINARIES;BACKENDS")
  _kantoku_check_arguments(kantoku_test NAME LABEL SOURCES)
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${arg_NAME} ${arg_SOURCES})
  _kantoku_target(${arg_NAME} PRIVATE)
  set_target_properties(${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/bin")
  target_link_libraries(${arg_NAME} PRIVATE ${arg_DEPS} kantoku::test_main)
  _kantoku_sanitizer_options(${arg_NAME})
  if(arg_USE_PROTO_PCH)
    target_precompile_headers(${arg_NAME} REUSE_FROM kantoku_proto_test_pch)
  else()
    target_precompile_headers(${arg_NAME} REUSE_FROM kantoku_test_pch)
  endif()
  if(arg_BINARIES)
    add_dependencies(${arg_NAME} ${arg_BINARIES})
  endif()
  set(serial FALSE)
  if("bench" IN_LIST arg_LABEL)
    set(serial TRUE)  # Who measures is alone.
  endif()
  set(environment "KANTOKU_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  if(KANTOKU_SANITIZER STREQUAL "thread")
    # What gRPC and Abseil do within themselves is not watched: Debian's are not instrumented.
    list(APPEND environment
         "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/cmake/tsan_suppressions.txt:ignore_noninstrumented_modules=1")
  endif()
  if(arg_WHOLE)
    add_test(NAME ${arg_NAME} COMMAND ${arg_NAME})
    set_tests_properties(${arg_NAME} PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT} ENVIRONMENT "${environment}" RUN_SERIAL ${serial})
  else()
    set(lists ${arg_NAME}_TESTS)
    if(arg_BACKENDS)
      list(JOIN arg_BACKENDS "," backends)
      target_compile_definitions(${arg_NAME} PRIVATE "KANTOKU_BACKENDS=\"${backends}\"")
      list(TRANSFORM arg_BACKENDS PREPEND ${arg_NAME}_ OUTPUT_VARIABLE lists)
      foreach(backend IN LISTS arg_BACKENDS)
        set(others ${arg_BACKENDS})
        list(REMOVE_ITEM others ${backend})
        list(JOIN others "]~[" others)
        catch_discover_tests(
          ${arg_NAME}
          TEST_SPEC "~[not-${backend}]~[${others}]"
          TEST_PREFIX "${arg_NAME}:${backend}:"
          TEST_LIST ${arg_NAME}_${backend}
          EXTRA_ARGS --backend ${backend})
      endforeach()
    else()
      catch_discover_tests(${arg_NAME} TEST_PREFIX "${arg_NAME}:" TEST_LIST ${lists})
    endif()
    # Not catch_discover_tests' own PROPERTIES: they cannot carry a list, and a test may have several labels.
    set(script "${CMAKE_CURRENT_BINARY_DIR}/${arg_NAME}_properties.cmake")
    file(CONFIGURE OUTPUT "${script}" @ONLY CONTENT [[
foreach(tests @lists@)
  if(${tests})
    set_tests_properties(${${tests}} PROPERTIES LABELS "@arg_LABEL@" TIMEOUT @arg_TIMEOUT@ ENVIRONMENT "@environment@" RUN_SERIAL @serial@)
  endif()
endforeach()
]])
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${script}")
  endif()
endfunction()

if(KANTOKU_SANITIZER STREQUAL "fuzzer")
  add_custom_target(kantoku_fuzzers)
endif()

function(kantoku_fuzz)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 0 arg "USE_PROTO_PCH" "NAME;CORPUS" "LABEL;SOURCES;DEPS")
  _kantoku_check_arguments(kantoku_fuzz NAME CORPUS SOURCES)
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  cmake_path(ABSOLUTE_PATH arg_CORPUS NORMALIZE)
  add_executable(${arg_NAME} ${arg_SOURCES})
  _kantoku_target(${arg_NAME} PRIVATE)
  set_target_properties(${arg_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests/bin")
  target_link_libraries(${arg_NAME} PRIVATE ${arg_DEPS})
  _kantoku_sanitizer_options(${arg_NAME})
  if(KANTOKU_SANITIZER STREQUAL "fuzzer")
    target_link_options(${arg_NAME} PRIVATE -fsanitize=fuzzer)
    add_test(NAME ${arg_NAME} COMMAND "${PROJECT_SOURCE_DIR}/scripts/fuzz.sh" "$<TARGET_FILE:${arg_NAME}>" "${arg_CORPUS}")
    add_dependencies(kantoku_fuzzers ${arg_NAME})
    list(APPEND arg_LABEL fuzz)
    set(timeout 86400)  # FUZZ_SECONDS says for how long.
  else()
    target_sources(${arg_NAME} PRIVATE "${PROJECT_SOURCE_DIR}/tests/fuzz/corpus_main.cc")
    add_test(NAME ${arg_NAME} COMMAND ${arg_NAME} "${arg_CORPUS}")
    set(timeout 120)
  endif()
  set_tests_properties(${arg_NAME} PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${timeout})
  if(arg_USE_PROTO_PCH)
    target_precompile_headers(${arg_NAME} REUSE_FROM kantoku_proto_pch)
  endif()
endfunction()

# Sanitizers read their defaults from functions of the program, so a server that a test starts has them as well.
function(_kantoku_sanitizer_options target)
  if(KANTOKU_SANITIZER)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:kantoku_sanitizer_options>)
  endif()
endfunction()

macro(_kantoku_check_arguments function)
  foreach(_required ${ARGN})
    if(NOT arg_${_required})
      message(FATAL_ERROR "${function}(NAME ${arg_NAME}): ${_required} is missing")
    endif()
  endforeach()
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${function}(NAME ${arg_NAME}): does not know ${arg_UNPARSED_ARGUMENTS}")
  endif()
endmacro()

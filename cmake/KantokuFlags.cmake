# Flags that hold for every object of a build, generated code included. Warnings are not here: they belong to our own
# targets only (KantokuTarget.cmake). Everything below must be equal for all targets, or precompiled headers stop matching.

set(KANTOKU_SANITIZER "" CACHE STRING "address (ASan and UBSan), thread (TSan), fuzzer (libFuzzer, ASan and UBSan) or empty")
set_property(CACHE KANTOKU_SANITIZER PROPERTY STRINGS "" address thread fuzzer)

# One cache serves every checkout: paths are hashed and recorded relative to the checkout. -fpch-preprocess and
# -fno-pch-timestamp let ccache and other checkouts share precompiled headers.
find_program(KANTOKU_CCACHE ccache)
if(KANTOKU_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${PROJECT_SOURCE_DIR}/cmake/ccache.sh" "${PROJECT_SOURCE_DIR}" "${KANTOKU_CCACHE}")
endif()
add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-fpch-preprocess)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()

add_link_options(-fuse-ld=mold -Wl,--as-needed)

if(KANTOKU_SANITIZER STREQUAL "address")
  set(_sanitize -fsanitize=address,undefined)
elseif(KANTOKU_SANITIZER STREQUAL "thread")
  set(_sanitize -fsanitize=thread)
  add_compile_options(-fsanitize-ignorelist=${PROJECT_SOURCE_DIR}/cmake/tsan_ignore.txt)
elseif(KANTOKU_SANITIZER STREQUAL "fuzzer")
  set(_sanitize -fsanitize=fuzzer-no-link,address,undefined)
elseif(KANTOKU_SANITIZER)
  message(FATAL_ERROR "KANTOKU_SANITIZER is '${KANTOKU_SANITIZER}'; it can be address, thread, fuzzer or empty")
endif()
if(KANTOKU_SANITIZER)
  list(JOIN _sanitize " " KANTOKU_SANITIZER_FLAGS)
  add_compile_options(${_sanitize} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(${_sanitize})
endif()

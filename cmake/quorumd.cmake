# How every target of this project is compiled, and the two functions that declare one.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)

find_package(Threads REQUIRED)

add_library(quorumd_flags INTERFACE)
target_compile_options(quorumd_flags INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -Werror -fno-omit-frame-pointer)
# The sanitizers' binaries and the inner loop's are bounded by compile time, the release's is not.
target_compile_definitions(quorumd_flags INTERFACE
  BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=16 BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_REGEX
  QUORUMD_VERSION="${PROJECT_VERSION}")
target_include_directories(quorumd_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_link_libraries(quorumd_flags INTERFACE Threads::Threads)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(quorumd_flags INTERFACE -O2 -g1 -UNDEBUG)
endif()
if(QUORUMD_FUZZ)
  target_compile_options(quorumd_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_link_options(quorumd_flags INTERFACE -fuse-ld=lld)
endif()
if(QUORUMD_SANITIZE STREQUAL "asan")
  target_compile_options(quorumd_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -O1 -g1)
  target_link_options(quorumd_flags INTERFACE -fsanitize=address,undefined)
elseif(QUORUMD_SANITIZE STREQUAL "tsan")
  target_compile_options(quorumd_flags INTERFACE -fsanitize=thread -O1 -g1)
  target_link_options(quorumd_flags INTERFACE -fsanitize=thread)
elseif(QUORUMD_SANITIZE)
  message(FATAL_ERROR "QUORUMD_SANITIZE is '${QUORUMD_SANITIZE}': expected asan, tsan or nothing")
endif()

# Most of a compiler's time is for headers and templates. The common ones are read once for a build, and several sources
# are compiled at a time: a name in an anonymous namespace is one per library. -DCMAKE_UNITY_BUILD=OFF
# -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON, as in ./dev's debug build, is what notices that a source does not include what it
# uses.
if(NOT DEFINED CMAKE_UNITY_BUILD)
  set(CMAKE_UNITY_BUILD ON)
endif()
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
add_library(quorumd_headers OBJECT ${PROJECT_SOURCE_DIR}/cmake/precompiled.cpp)
target_link_libraries(quorumd_headers PRIVATE quorumd_flags)
target_precompile_headers(quorumd_headers PRIVATE ${PROJECT_SOURCE_DIR}/cmake/precompiled.hpp)

# quorumd_library(NAME SOURCES a.cpp ... USES lib ...): the library quorumd_NAME. USES is the permission to
# include: a module may include exactly the folders of what it names here (tests/tidy checks).
function(quorumd_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
  if(arg_SOURCES)
    add_library(quorumd_${name} STATIC ${arg_SOURCES})
    target_link_libraries(quorumd_${name} PUBLIC quorumd_flags ${arg_USES})
    target_precompile_headers(quorumd_${name} REUSE_FROM quorumd_headers)
  else()
    add_library(quorumd_${name} INTERFACE)
    target_link_libraries(quorumd_${name} INTERFACE quorumd_flags ${arg_USES})
  endif()
endfunction()

# What runs on several threads carries the label `pool`: this builds just that, for ThreadSanitizer.
add_custom_target(pool_tests)

# quorumd_test(NAME SOURCES a.cpp ... USES lib ...): the doctest executable test_NAME, each of whose cases is a
# CTest test named NAME/case.
function(quorumd_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;USES;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  string(REPLACE "/" "_" target ${name})
  add_executable(test_${target} ${arg_SOURCES})
  target_link_libraries(test_${target} PRIVATE quorumd_test_main quorumd_flags ${arg_USES})
  target_precompile_headers(test_${target} REUSE_FROM quorumd_test_main)
  if("pool" IN_LIST arg_LABELS)
    add_dependencies(pool_tests test_${target})
  endif()
  # CTest reads what the executable lists; doctest's own script loses the cases whose names hold commas or brackets.
  set(list ${CMAKE_CURRENT_BINARY_DIR}/test_${target}_tests.cmake)
  add_custom_command(TARGET test_${target} POST_BUILD VERBATIM
    COMMAND sh ${PROJECT_SOURCE_DIR}/cmake/list_tests.sh $<TARGET_FILE:test_${target}> ${name}/ ${arg_TIMEOUT} "${arg_LABELS}"
            > ${list})
  # What was not built is a test that cannot run, and fails where it is asked for.
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/test_${target}_include.cmake
    "if(EXISTS \"${list}\")\n  include(\"${list}\")\nelse()\n  add_test(${name}_NOT_BUILT NOT_BUILT)\n"
    "  set_tests_properties(${name}_NOT_BUILT PROPERTIES LABELS \"${arg_LABELS}\")\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${CMAKE_CURRENT_BINARY_DIR}/test_${target}_include.cmake)
endfunction()

# Not by its CMake package, which wants OpenSSL for a part that is not used here.
find_program(CAPNP_EXECUTABLE capnp REQUIRED)
find_path(CAPNP_INCLUDE_DIRECTORY capnp/c++.capnp REQUIRED)
find_library(CAPNP_LIBRARY capnp REQUIRED)
find_library(KJ_LIBRARY kj REQUIRED)

# quorumd_schema(NAME schema ...): the library quorumd_NAME_schema of schema/*.capnp, included by their path from the
# root. The generated code is compiled once, without this project's warnings.
function(quorumd_schema name)
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(sources)
  foreach(schema ${ARGN})
    set(generated ${CMAKE_CURRENT_BINARY_DIR}/schema/${schema}.capnp.c++ ${CMAKE_CURRENT_BINARY_DIR}/schema/${schema}.capnp.h)
    add_custom_command(OUTPUT ${generated}
      COMMAND ${CAPNP_EXECUTABLE} compile -I${PROJECT_SOURCE_DIR} -I${CAPNP_INCLUDE_DIRECTORY} -oc++:${PROJECT_BINARY_DIR}
              ${folder}/schema/${schema}.capnp
      WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/schema/${schema}.capnp ${PROJECT_SOURCE_DIR}/daemon/kv/codec/schema/command.capnp
      VERBATIM)
    list(APPEND sources ${generated})
  endforeach()
  add_library(quorumd_${name}_schema STATIC ${sources})
  target_compile_options(quorumd_${name}_schema PRIVATE -w "SHELL:-include ${PROJECT_SOURCE_DIR}/wire/capnp.hpp")
  target_link_libraries(quorumd_${name}_schema PUBLIC ${CAPNP_LIBRARY} ${KJ_LIBRARY})
  target_include_directories(quorumd_${name}_schema SYSTEM PUBLIC ${PROJECT_BINARY_DIR})
endfunction()

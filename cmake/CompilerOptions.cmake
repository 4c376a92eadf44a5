# Language, warnings and sanitizers, the same for every target.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(SWITCHYARD_SANITIZE "" CACHE STRING "Sanitizers to build with: empty, 'address,undefined' or 'thread'")
option(SWITCHYARD_FUZZ "Build tests/fuzz as libFuzzer's programs, instead of replaying their corpora; needs clang" OFF)

add_compile_options(-Wall -Wextra -Wconversion -Werror)
if(SWITCHYARD_SANITIZE)
  add_compile_options(-fsanitize=${SWITCHYARD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SWITCHYARD_SANITIZE})
  if(SWITCHYARD_SANITIZE MATCHES "undefined")
    # Two checks that were a fifth of the time to compile: what they find, AddressSanitizer finds. vptr needs file descriptors
    # of its own, too, and reports an error where there are none.
    add_compile_options(-fno-sanitize=vptr,object-size)
  endif()
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A coroutine's frame is freed by Asio's awaitable_frame_base::operator delete, which belongs to its operator new. Where
  # g++ 12 inlines one of the two only, it takes them for a mismatch.
  add_compile_options(-Wno-mismatched-new-delete)
endif()
if(SWITCHYARD_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # What the sanitizers put in lets g++ 12 see uninitialised values in Asio's headers; other builds keep the warning.
  add_compile_options(-Wno-maybe-uninitialized)
endif()
if(SWITCHYARD_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Asio uses atomic_thread_fence, which g++ reports under TSan although the code around it is right.
  add_compile_options(-Wno-tsan)
endif()

if(CMAKE_UNITY_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # A coroutine's frame holds its locals, also those of types that are local to its file. In a unity build that file is
  # an included one, and g++ takes it for a header.
  add_compile_options(-Wno-subobject-linkage)
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # It collects garbage, again and again, from 128 MB on; what is compiled here needs some 900.
  add_compile_options(--param ggc-min-heapsize=1000000)
  # What ccache needs to see a precompiled header.
  add_compile_options(-fpch-preprocess)
endif()
# Some packages ask for it and others do not, and a precompiled header fits those only that agree.
add_compile_definitions(_FILE_OFFSET_BITS=64)

find_program(CCACHE ccache)
if(CCACHE)
  # ccache's manual, "Precompiled headers".
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${CCACHE}")
endif()

# Read by CMake as soon as llama.cpp's own project begins; the Makefile hands it over.

# Its "common" tools (argument parsing, HTTP, chat templates) are forced on and never loaded from
# Python. A normal variable shadows the forced cache entry. Measured: 7 instead of 14 minutes.
set(LLAMA_BUILD_COMMON OFF)

# GCC 12 drops what llama.cpp stores for configuring AMX's registers just before they are configured:
# on a processor that has AMX, a prompt of some length ends in an illegal instruction.
include(CheckCXXCompilerFlag)
check_cxx_compiler_flag(-mno-amx-int8 PILCROW_AMX_CAN_BE_LEFT_OUT)
if(PILCROW_AMX_CAN_BE_LEFT_OUT)
  add_compile_options(-mno-amx-int8)
endif()

# Writes the commit of the sources into a file: cmake -D commit= -D sources=DIR -D from=TEMPLATE -D to=FILE -P this
if(commit STREQUAL "")
  # Only where git's tree is this one: a tarball may lie within another repository.
  execute_process(COMMAND git -C ${sources} rev-parse --show-cdup
    OUTPUT_VARIABLE above RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(failed EQUAL 0 AND above STREQUAL "")
    execute_process(COMMAND git -C ${sources} describe --always --exclude=* --abbrev=12 --dirty=-modified
      OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
endif()
if(NOT commit MATCHES "^[0-9A-Za-z._-]+$")
  set(commit unknown)
endif()
configure_file(${from} ${to} @ONLY)

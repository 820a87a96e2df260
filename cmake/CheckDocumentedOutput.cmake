# A test: PROGRAM succeeds, and DOCUMENT holds its whole output word for word.
#   cmake -DPROGRAM=... -DDOCUMENT=... -P CheckDocumentedOutput.cmake
execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE output RESULT_VARIABLE code)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} exited with ${code}:\n${output}")
endif()
file(READ ${DOCUMENT} document)
string(FIND "${document}" "${output}" position)
if(position EQUAL -1)
  message(FATAL_ERROR "${DOCUMENT} does not show what ${PROGRAM} prints:\n${output}")
endif()

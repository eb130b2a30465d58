# Run by CPack between the installation into the package's tree and the packing of it.
set(tree ${CPACK_TEMPORARY_DIRECTORY})
set(documents ${tree}/usr/share/doc/quorumd)
file(MAKE_DIRECTORY ${tree}/etc/quorumd ${documents})
configure_file(${CPACK_QUORUMD_SOURCES}/config/quorumd.example.yaml ${tree}/etc/quorumd/quorumd.yaml COPYONLY)
configure_file(${CPACK_QUORUMD_SOURCES}/packaging/copyright ${documents}/copyright COPYONLY)

# When it was made: SOURCE_DATE_EPOCH, else the newest commit, else now.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  execute_process(COMMAND git -C ${CPACK_QUORUMD_SOURCES} log -1 --format=%ct
    OUTPUT_VARIABLE epoch ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(epoch)
    set(ENV{SOURCE_DATE_EPOCH} ${epoch})
  endif()
endif()
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${documents}/changelog "quorumd (${CPACK_PACKAGE_VERSION}) stable; urgency=medium

  * See CHANGELOG.md.gz.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
configure_file(${CPACK_QUORUMD_SOURCES}/CHANGELOG.md ${documents}/CHANGELOG.md COPYONLY)
execute_process(COMMAND gzip -9nf ${documents}/changelog ${documents}/CHANGELOG.md COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND chmod -R u=rwX,go=rX ${tree} COMMAND_ERROR_IS_FATAL ANY)

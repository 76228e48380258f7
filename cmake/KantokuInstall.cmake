# What `cmake --install build/release --prefix X` puts there, in two components:
#   programs     bin/kantoku, bin/kantoku-…
#   development  what find_package(kantoku) needs: headers, static libraries, targets
# Users name kantoku::client and kantoku::executor. A static library does not contain those that it uses, so these come along.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(_programs kantoku kantoku-inputs kantoku-outputs kantoku-events kantoku-executor kantoku-conformance)
set(_libraries
    kantoku_client
    kantoku_executor_runtime
    kantoku_platform_access
    kantoku_platform_auth
    kantoku_platform_base
    kantoku_platform_client_rpc
    kantoku_platform_grpc_status
    kantoku_platform_http_client
    kantoku_platform_log
    kantoku_platform_oauth
    kantoku_platform_oauth_token
    kantoku_platform_proto_time
    kantoku_platform_stop_signal
    kantoku_platform_tls
    kantoku_protos)
# What kantoku/executor.h includes; kept apart, so that nobody's include path has a folder `services`.
set(_executor_headers
    services/executor-runtime/executor.h
    services/executor-runtime/handler.h
    services/executor-runtime/run_until_signal.h
    services/platform/clock.h
    services/platform/ids.h
    services/platform/log/log.h
    services/platform/mutex.h
    services/platform/status.h)
set(_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/kantoku")
set(_inner_dir "${CMAKE_INSTALL_INCLUDEDIR}/kantoku/inner")

install(TARGETS ${_programs} RUNTIME COMPONENT programs)

install(
  TARGETS ${_libraries}
  EXPORT kantoku
  ARCHIVE COMPONENT development
  INCLUDES
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
target_include_directories(kantoku_executor_runtime PUBLIC "$<INSTALL_INTERFACE:${_inner_dir}>")
install(
  DIRECTORY client/cpp/include/ services/executor-runtime/include/
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  COMPONENT development
  FILES_MATCHING
  PATTERN "*.h")
foreach(_header IN LISTS _executor_headers)
  cmake_path(GET _header PARENT_PATH _folder)
  install(FILES "${_header}" DESTINATION "${_inner_dir}/${_folder}" COMPONENT development)
endforeach()

install(EXPORT kantoku NAMESPACE kantoku:: FILE kantokuTargets.cmake DESTINATION "${_package_dir}" COMPONENT development)
configure_package_config_file(cmake/kantokuConfig.cmake.in "${PROJECT_BINARY_DIR}/kantokuConfig.cmake" INSTALL_DESTINATION
                              "${_package_dir}")
# Before 1.0 a minor version may change what a program sees.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/kantokuConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/kantokuConfig.cmake" "${PROJECT_BINARY_DIR}/kantokuConfigVersion.cmake"
        DESTINATION "${_package_dir}" COMPONENT development)

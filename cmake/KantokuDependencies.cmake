# Everything comes from the distribution's packages (scripts/packages.txt); nothing is fetched or vendored.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)  # OpenSSL::SSL OpenSSL::Crypto
find_package(Protobuf 3.21 REQUIRED)  # protobuf::libprotobuf protobuf::protoc (CMake's own module: Debian ships no config)
find_package(absl CONFIG REQUIRED)  # absl::status absl::flat_hash_map …
find_package(gRPC CONFIG REQUIRED)  # gRPC::grpc++ gRPC::grpc_cpp_plugin
find_package(spdlog CONFIG REQUIRED)  # spdlog::spdlog
find_package(yaml-cpp CONFIG REQUIRED)  # yaml-cpp
find_package(CLI11 CONFIG REQUIRED)  # CLI11::CLI11
find_package(nlohmann_json CONFIG REQUIRED)  # nlohmann_json::nlohmann_json
find_package(prometheus-cpp CONFIG REQUIRED)  # prometheus-cpp::core prometheus-cpp::pull
find_package(CURL REQUIRED)  # CURL::libcurl
find_package(PkgConfig REQUIRED)
pkg_check_modules(cjose REQUIRED IMPORTED_TARGET cjose)  # PkgConfig::cjose
pkg_check_modules(libpq REQUIRED IMPORTED_TARGET libpq)  # PkgConfig::libpq, which comes with libpqxx
pkg_check_modules(libpqxx REQUIRED IMPORTED_TARGET libpqxx)  # PkgConfig::libpqxx
find_package(SQLite3 3.40 REQUIRED)  # SQLite::SQLite3
if(NOT KANTOKU_SANITIZER)  # A sanitizer's allocator is its own.
  find_package(mimalloc CONFIG REQUIRED)  # mimalloc
endif()
find_package(Catch2 2.13 CONFIG REQUIRED)  # Catch2::Catch2: tests, and the exams that are installed

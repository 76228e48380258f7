#define CATCH_CONFIG_RUNNER
#include <openssl/crypto.h>

#include <catch2/catch.hpp>

int main(int argc, char** argv) {
  // As our programs (services/platform/process.cc): threads of gRPC use it to the very end.
  ::OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  return Catch::Session().run(argc, argv);
}

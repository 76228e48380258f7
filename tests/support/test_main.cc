#define CATCH_CONFIG_RUNNER
#include <openssl/crypto.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>

#include "tests/support/backend.h"

namespace kantoku::test {
namespace {

std::string& Chosen() {
  static std::string backend;
  return backend;
}

}  // namespace

const std::string& ChosenBackend() { return Chosen(); }

void CheckBackends(const std::vector<std::string>& sitting, std::string_view listed) {
  std::string names;
  for (const std::string& name : sitting) names += (names.empty() ? "" : ",") + name;
  const bool known =
      Chosen().empty() || std::find(sitting.begin(), sitting.end(), Chosen()) != sitting.end();
  if (names == listed && known) return;
  std::cerr << "the exam is sat by " << names << "; BACKENDS in CMakeLists.txt are " << listed
            << "; --backend " << Chosen() << "\n";
  std::abort();
}

}  // namespace kantoku::test

int main(int argc, char** argv) {
  // As our programs (services/platform/process.cc): threads of gRPC use it to the very end.
  ::OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  Catch::Session session;
  session.cli(session.cli() | Catch::clara::Opt(kantoku::test::Chosen(), "name")["--backend"](
                                  "run an exam with this backend alone"));
  const int refused = session.applyCommandLine(argc, argv);
  return refused != 0 ? refused : session.run();
}

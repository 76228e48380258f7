#include "client/cpp/src/environment.h"

#include <random>

namespace kantoku::internal {
namespace {

// The kernel's own source: request ids of two processes must not meet, forks included.
uint64_t Random() {
  thread_local std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

Environment Environment::Real() { return {.clock = platform::Clock::Real(), .random = Random}; }

}  // namespace kantoku::internal

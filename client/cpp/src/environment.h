#ifndef KANTOKU_CLIENT_CPP_SRC_ENVIRONMENT_H_
#define KANTOKU_CLIENT_CPP_SRC_ENVIRONMENT_H_

#include <cstdint>
#include <functional>

#include "services/platform/clock.h"

namespace kantoku::internal {

// What a connection takes from the machine it runs on.
struct Environment {
  platform::Clock& clock;
  std::function<uint64_t()> random;  // Uniform; from any thread.

  static Environment Real();
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_ENVIRONMENT_H_

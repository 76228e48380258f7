#ifndef KANTOKU_SERVICES_PLATFORM_RANDOM_H_
#define KANTOKU_SERVICES_PLATFORM_RANDOM_H_

#include <cstdint>

namespace kantoku::platform {

// 64 random bits of the operating system, fit for ids that nobody is to guess. Thread-safe.
uint64_t SystemRandom();

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RANDOM_H_

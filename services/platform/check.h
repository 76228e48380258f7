#ifndef KANTOKU_SERVICES_PLATFORM_CHECK_H_
#define KANTOKU_SERVICES_PLATFORM_CHECK_H_

namespace kantoku::platform {

// Writes `file:line: broken invariant: expression` to standard error and aborts.
[[noreturn]] void DieOfBrokenInvariant(const char* file, int line, const char* expression);

}  // namespace kantoku::platform

// For what can only be false through a fault of ours. Whatever the world can cause is a Status.
#define KANTOKU_CHECK(condition)      \
  ((condition) ? static_cast<void>(0) \
               : ::kantoku::platform::DieOfBrokenInvariant(__FILE__, __LINE__, #condition))

#endif  // KANTOKU_SERVICES_PLATFORM_CHECK_H_

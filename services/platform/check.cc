#include "services/platform/check.h"

#include <cstdio>
#include <cstdlib>

namespace kantoku::platform {

void DieOfBrokenInvariant(const char* file, int line, const char* expression) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, expression);
  std::abort();
}

}  // namespace kantoku::platform

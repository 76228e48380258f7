#ifndef KANTOKU_SERVICES_PLATFORM_PROCESS_H_
#define KANTOKU_SERVICES_PLATFORM_PROCESS_H_

namespace kantoku::platform {

// What our programs, and they alone, decide for the whole process; first in main.
void SetUpProcess();

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_PROCESS_H_

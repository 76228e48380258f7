#ifndef KANTOKU_SERVICES_PLATFORM_PROCESS_H_
#define KANTOKU_SERVICES_PLATFORM_PROCESS_H_

namespace kantoku::platform {

// What our programs, and they alone, decide for the whole process; first in main.
void SetUpProcess();

// For programs with thousands of connections: as many descriptors as the system lets this user have
// (`ulimit -Hn`); a shell allows 1,024 at first. Not for what starts commands of others, which may
// count on few.
void RaiseDescriptorLimit();

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_PROCESS_H_

#ifndef KANTOKU_TESTS_CHAOS_SOAK_OWN_NETWORK_H_
#define KANTOKU_TESTS_CHAOS_SOAK_OWN_NETWORK_H_

#include "absl/status/status.h"

namespace kantoku::soak {

// A network namespace of this process and of all that it starts from then on, with nothing in it
// but 127.0.0.1. Packets can be lost there without anybody being told, which no proxy can do. To be
// called before the process has threads. What the system said when it lets nobody have one.
absl::Status EnterOwnNetwork();

// While it is silent, every packet between two processes in it vanishes; connections stay. Only in
// a network of one's own.
absl::Status SetSilence(bool silent);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_OWN_NETWORK_H_

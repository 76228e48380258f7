#ifndef KANTOKU_TESTS_CHAOS_SOAK_SOCKETS_H_
#define KANTOKU_TESTS_CHAOS_SOAK_SOCKETS_H_

#include <cstdint>
#include <string>

namespace kantoku::soak {

// TCP on 127.0.0.1, non-blocking. What cannot fail on a healthy machine is checked.

struct Listener {
  int socket = -1;
  std::string address;
};
Listener Listen();
// -1 when there is none.
int AcceptConnection(int listener);
// Under way, perhaps failed: the next write says.
int Connect(uint16_t port);
// Closes with a reset, whatever is on its way.
void ResetSocket(int socket);
// Of host:port.
uint16_t PortOf(const std::string& address);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_SOCKETS_H_

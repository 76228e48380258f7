#include "tests/chaos/soak/own_network.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kantoku::soak {

absl::Status EnterOwnNetwork() {
  if (::unshare(CLONE_NEWNET) != 0) return absl::ErrnoToStatus(errno, "a network of our own");
  return SetSilence(false);
}

absl::Status SetSilence(bool silent) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request = {};
  std::strncpy(request.ifr_name, "lo", sizeof(request.ifr_name) - 1);
  request.ifr_flags = static_cast<short>(silent ? 0 : IFF_UP | IFF_RUNNING);
  const int result = ::ioctl(socket, SIOCSIFFLAGS, &request);
  const int error = errno;
  ::close(socket);
  return result == 0 ? absl::OkStatus() : absl::ErrnoToStatus(error, "switch 127.0.0.1");
}

}  // namespace kantoku::soak

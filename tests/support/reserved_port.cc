#include "tests/support/reserved_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"

namespace kantoku::test {

// Two sockets may be bound to one port if both say SO_REUSEADDR and only one listens.
ReservedPort::ReservedPort() {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  KANTOKU_CHECK(::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  KANTOKU_CHECK(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  KANTOKU_CHECK(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
}

ReservedPort::~ReservedPort() { ::close(fd_); }

std::string ReservedPort::address() const { return absl::StrCat("127.0.0.1:", port_); }

}  // namespace kantoku::test

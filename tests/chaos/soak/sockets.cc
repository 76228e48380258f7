#include "tests/chaos/soak/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"

namespace kantoku::soak {
namespace {

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int Socket() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  KANTOKU_CHECK(socket >= 0);
  return socket;
}

void SendAtOnce(int socket) {
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

}  // namespace

Listener Listen() {
  Listener listener = {.socket = Socket()};
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  KANTOKU_CHECK(::bind(listener.socket, generic, size) == 0);
  KANTOKU_CHECK(::listen(listener.socket, SOMAXCONN) == 0);
  KANTOKU_CHECK(::getsockname(listener.socket, generic, &size) == 0);
  listener.address = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  return listener;
}

int AcceptConnection(int listener) {
  const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (socket >= 0) SendAtOnce(socket);
  return socket;
}

int Connect(uint16_t port) {
  const int socket = Socket();
  SendAtOnce(socket);
  const sockaddr_in address = Loopback(port);
  // What comes of it, whoever polls the socket is told.
  (void)::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return socket;
}

void ResetSocket(int socket) {
  const linger at_once = {.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  ::close(socket);
}

uint16_t PortOf(const std::string& address) {
  const size_t colon = address.rfind(':');
  KANTOKU_CHECK(colon != std::string::npos);
  return static_cast<uint16_t>(std::stoi(address.substr(colon + 1)));
}

}  // namespace kantoku::soak

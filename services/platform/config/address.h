#ifndef KANTOKU_SERVICES_PLATFORM_CONFIG_ADDRESS_H_
#define KANTOKU_SERVICES_PLATFORM_CONFIG_ADDRESS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::platform {

// What `server.metrics_listen` says when there shall be none.
inline constexpr std::string_view kNoMetrics = "none";

// Where a server listens: an IP address and a port.
struct ListenAddress {
  std::string host;  // An IPv4 or IPv6 address, without brackets.
  uint16_t port = 0;
  bool ipv6 = false;

  // "127.0.0.1:6330" or "[::1]:6330".
  std::string ToString() const;
  // Whether other computers cannot reach it.
  bool is_loopback() const;
};

// Reads "host:port", where host is an IP address, "[" IPv6 address "]" or "localhost" (127.0.0.1).
// INVALID_ARGUMENT, INVALID_CONFIG names `field` and the value when it is something else.
absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view field, std::string_view text);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_CONFIG_ADDRESS_H_

#include "services/platform/config/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/platform/config/fields.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr uint32_t kLoopbackNetwork = 127;

absl::Status Invalid(std::string_view field, std::string_view text, std::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_CONFIG",
               absl::StrCat(ToAbsl(field), ": ", Clipped(text), " ", ToAbsl(why)));
}

}  // namespace

std::string ListenAddress::ToString() const {
  return ipv6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

bool ListenAddress::is_loopback() const {
  in_addr v4{};
  in6_addr v6{};
  if (ipv6) return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
  return ::inet_pton(AF_INET, host.c_str(), &v4) == 1 && ntohl(v4.s_addr) >> 24 == kLoopbackNetwork;
}

absl::StatusOr<ListenAddress> ParseListenAddress(std::string_view field, std::string_view text) {
  const size_t colon = text.rfind(':');
  uint32_t port = 0;
  if (colon == std::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(ToAbsl(text.substr(colon + 1)), &port) || port > UINT16_MAX) {
    return Invalid(field, text, "is not of the form host:port");
  }
  std::string_view host = text.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  ListenAddress address{.host = std::string(host), .port = static_cast<uint16_t>(port)};
  address.ipv6 = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (address.ipv6) address.host = std::string(host.substr(1, host.size() - 2));

  in_addr v4{};
  in6_addr v6{};
  if (::inet_pton(address.ipv6 ? AF_INET6 : AF_INET, address.host.c_str(),
                  address.ipv6 ? static_cast<void*>(&v6) : &v4) != 1) {
    return Invalid(field, text, "has a host that is neither an IP address nor localhost");
  }
  return address;
}

}  // namespace kantoku::platform

#include "services/platform/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>

namespace kantoku::platform {
namespace {

constexpr size_t kNetworkBytes = 8;  // Of an IPv6 address.

std::string TextOf(int family, const void* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return ::inet_ntop(family, address, text.data(), text.size());
}

}  // namespace

std::string HostOfPeer(std::string_view peer) {
  constexpr std::string_view kOpen = "%5B";
  constexpr std::string_view kClose = "%5D";
  if (peer.starts_with("unix")) return "unix";
  if (!peer.starts_with("ipv4:") && !peer.starts_with("ipv6:")) return std::string(peer);
  peer.remove_prefix(peer.find(':') + 1);
  peer = peer.substr(0, peer.rfind(':'));
  if (peer.starts_with(kOpen)) peer.remove_prefix(kOpen.size());
  if (peer.ends_with(kClose)) peer.remove_suffix(kClose.size());
  if (peer.starts_with('[') && peer.ends_with(']')) peer = peer.substr(1, peer.size() - 2);
  return std::string(peer);
}

std::string SourceOfHost(std::string_view host) {
  in6_addr address{};
  // Without the zone, which follows a percent sign.
  const std::string text(host.substr(0, host.find('%')));
  if (::inet_pton(AF_INET6, text.c_str(), &address) != 1) return std::string(host);
  if (IN6_IS_ADDR_V4MAPPED(&address)) return TextOf(AF_INET, &address.s6_addr[12]);
  std::fill(std::begin(address.s6_addr) + kNetworkBytes, std::end(address.s6_addr), uint8_t{0});
  return TextOf(AF_INET6, &address) + "/64";
}

}  // namespace kantoku::platform

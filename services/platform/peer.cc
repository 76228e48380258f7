#include "services/platform/peer.h"

namespace kantoku::platform {

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

}  // namespace kantoku::platform

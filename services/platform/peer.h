#ifndef KANTOKU_SERVICES_PLATFORM_PEER_H_
#define KANTOKU_SERVICES_PLATFORM_PEER_H_

#include <string>
#include <string_view>

namespace kantoku::platform {

// The computer that a call comes from: "10.0.0.7" of gRPC's "ipv4:10.0.0.7:4711", whose port is
// another one for each connection, "fe80::1" of "ipv6:%5Bfe80::1%5D:4711"; of a socket of this
// computer "unix". What has neither form stays as it is.
std::string HostOfPeer(std::string_view peer);

// Who is to be told apart where something is counted by the host that it comes from: the host, but
// of an IPv6 address the /64 that it is in, "2001:db8:0:1::/64", whose addresses one computer may
// all have, and of one that holds an IPv4 address ("::ffff:10.0.0.7") that.
std::string SourceOfHost(std::string_view host);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_PEER_H_

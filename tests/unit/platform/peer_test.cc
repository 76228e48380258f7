#include "services/platform/peer.h"

#include <catch2/catch.hpp>

namespace kantoku::platform {
namespace {

TEST_CASE("The host of a peer is there without the port, as people write it") {
  CHECK(HostOfPeer("ipv4:10.0.0.7:4711") == "10.0.0.7");
  CHECK(HostOfPeer("ipv6:%5Bfe80::1%5D:4711") == "fe80::1");
  CHECK(HostOfPeer("ipv6:[::1]:4711") == "::1");
  CHECK(HostOfPeer("unix-abstract:kantoku-00ff") == "unix");
  CHECK(HostOfPeer("unix:") == "unix");
  CHECK(HostOfPeer("10.0.0.7") == "10.0.0.7");
  CHECK(HostOfPeer("").empty());
}

TEST_CASE("The addresses of one IPv6 network count as one source, and those of two as two") {
  CHECK(SourceOfHost("2001:db8:0:1::7") == "2001:db8:0:1::/64");
  CHECK(SourceOfHost("2001:DB8:0:1:ffff:ffff:ffff:ffff") == "2001:db8:0:1::/64");
  CHECK(SourceOfHost("2001:db8:0:2::7") == "2001:db8:0:2::/64");
  CHECK(SourceOfHost("fe80::1%25eth0") == "fe80::/64");
  CHECK(SourceOfHost("::1") == "::/64");
}

TEST_CASE("An IPv4 address is a source of its own, also written as one of IPv6") {
  CHECK(SourceOfHost("10.0.0.7") == "10.0.0.7");
  CHECK(SourceOfHost("::ffff:10.0.0.7") == "10.0.0.7");
  CHECK(SourceOfHost("::ffff:a00:8") == "10.0.0.8");
  CHECK(SourceOfHost("unix") == "unix");
  CHECK(SourceOfHost("").empty());
  CHECK(SourceOfHost("2001:db8::x") == "2001:db8::x");
}

}  // namespace
}  // namespace kantoku::platform

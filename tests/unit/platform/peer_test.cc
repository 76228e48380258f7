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

}  // namespace
}  // namespace kantoku::platform

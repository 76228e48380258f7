#include "services/platform/config/address.h"

#include <catch2/catch.hpp>

#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

TEST_CASE("Loopback addresses are read") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"127.0.0.1:6330", "127.0.0.1:6330"},
      {"127.9.9.9:0", "127.9.9.9:0"},
      {"localhost:1", "127.0.0.1:1"},
      {"[::1]:65535", "[::1]:65535"},
  }));
  const auto address = ParseListenAddress("server.listen", text);
  REQUIRE(address.ok());
  CHECK(address->ToString() == expected);
}

TEST_CASE("What is no address is refused with field and value") {
  const auto* const text = GENERATE("", "127.0.0.1", ":6330", "127.0.0.1:", "127.0.0.1:65536",
                                    "127.0.0.1:x", "::1:6330", "host.example:1", "[127.0.0.1]:1");
  const auto address = ParseListenAddress("server.listen", text);
  CHECK(ReasonOf(address.status()) == "INVALID_CONFIG");
  CHECK_THAT(std::string(address.status().message()),
             Catch::StartsWith(std::string("server.listen: ") + (*text == 0 ? "\"\"" : text)));
}

TEST_CASE("An address says whether other computers can reach it") {
  for (const char* const own : {"127.0.0.1:1", "127.8.9.1:1", "localhost:1", "[::1]:1"}) {
    CAPTURE(own);
    CHECK(ParseListenAddress("server.listen", own)->is_loopback());
  }
  for (const char* const other :
       {"0.0.0.0:1", "10.0.0.1:1", "128.0.0.1:1", "[::]:1", "[fe80::1]:1"}) {
    CAPTURE(other);
    CHECK_FALSE(ParseListenAddress("server.listen", other)->is_loopback());
  }
}

}  // namespace
}  // namespace kantoku::platform

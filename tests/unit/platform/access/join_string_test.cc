#include "services/platform/access/join_string.h"

#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_replace.h"
#include "services/platform/auth/secret.h"
#include "services/platform/status.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

JoinString Sample(const std::string& server = "lab.example:6330") {
  JoinString join;
  join.server = server;
  join.grant = "0123456789abcdef";
  join.secret = std::string(kSecretSize, 's');
  for (size_t i = 0; i < join.authority.size(); ++i) {
    join.authority[i] = static_cast<uint8_t>(200 + i);
  }
  return join;
}

TEST_CASE("A join string is read back as it was written") {
  for (const char* const server : {"lab.example:6330", "[2001:db8::1]:6330", "10.0.0.1:1"}) {
    const JoinString join = Sample(server);
    const auto read = ParseJoinString(ToText(join));
    REQUIRE(read.ok());
    CHECK(read->server == join.server);
    CHECK(read->grant == join.grant);
    CHECK(read->secret == join.secret);
    CHECK(read->authority == join.authority);
  }
}

TEST_CASE("What is no join string is refused without being repeated") {
  const std::string good = ToText(Sample());
  const auto replaced = [&](const std::string& from, const std::string& to) {
    return absl::StrReplaceAll(good, {{from, to}});
  };
  for (const std::string& text :
       {std::string(), std::string("kantoku1"), replaced("kantoku1", "kantoku2"),
        replaced("0123456789abcdef", "0123"), replaced("0123456789abcdef", "0123456789ABCDEF"),
        replaced("sss", "ss"), replaced("sss", "s/s"), replaced("@", ""), replaced(":6330", ""),
        good.substr(0, good.find('@') - 1) + "@lab.example:6330", replaced(".sss", "..sss")}) {
    CAPTURE(text);
    const absl::Status status = ParseJoinString(text).status();
    CHECK(ReasonOf(status) == "INVALID_JOIN_STRING");
    CHECK_THAT(std::string(status.message()), !Catch::Contains("sss"));
  }
}

TEST_CASE("A server that does not answer is no reason to keep anything") {
  const test::TempDir directory;
  const auto path =
      AcceptJoinString(ToText(Sample("127.0.0.1:1")), directory.File("joined"), absl::Seconds(5));
  CHECK(absl::IsUnavailable(path.status()));
}

}  // namespace
}  // namespace kantoku::platform

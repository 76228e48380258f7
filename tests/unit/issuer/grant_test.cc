#include "services/issuer/grant.h"

#include <catch2/catch.hpp>
#include <string>

#include "services/platform/status.h"

namespace kantoku::issuer {
namespace {

Grant Whole() {
  Grant grant;
  grant.id = 0x0123456789abcdef;
  grant.user = "anna";
  grant.app = "microscope";
  grant.scopes = {"inputs:pull:segment-*", "outputs:write"};
  grant.namespaces = {"default", "lab"};
  grant.labels = {{"site", "lab"}};
  grant.created_by = "local";
  grant.created = absl::FromUnixSeconds(1'000);
  grant.expires = absl::FromUnixSeconds(2'000);
  grant.taken = absl::FromUnixSeconds(1'500);
  grant.secret = platform::DigestOf("secret");
  grant.holder_secret = platform::DigestOf("holder");
  return grant;
}

TEST_CASE("A grant is read back as it was written") {
  const Grant grant = Whole();
  const auto read = DecodeGrant(grant.id, EncodeGrant(grant));
  REQUIRE(read.ok());
  CHECK(read->id == grant.id);
  CHECK(read->user == grant.user);
  CHECK(read->app == grant.app);
  CHECK(read->scopes == grant.scopes);
  CHECK(read->namespaces == grant.namespaces);
  CHECK(read->labels == grant.labels);
  CHECK(read->reusable == grant.reusable);
  CHECK(read->created_by == grant.created_by);
  CHECK(read->created == grant.created);
  CHECK(read->expires == grant.expires);
  CHECK(read->taken == grant.taken);
  CHECK_FALSE(read->revoked.has_value());
  CHECK(read->secret == grant.secret);
  CHECK(read->holder_secret == grant.holder_secret);
}

TEST_CASE("A record that is cut off or longer than it should be is damaged") {
  const std::string record = EncodeGrant(Whole());
  for (size_t size = 0; size < record.size(); ++size) {
    CHECK(platform::ReasonOf(DecodeGrant(1, record.substr(0, size)).status()) == "DAMAGED_GRANT");
  }
  CHECK_FALSE(DecodeGrant(1, record + "x").ok());
}

TEST_CASE("An id is sixteen hexadecimal digits in small letters, and nothing else") {
  CHECK(ToText(0x1f) == "000000000000001f");
  CHECK(GrantIdOf("000000000000001f") == GrantId{0x1f});
  for (const char* const text : {"", "1f", "000000000000001F", "00000000000000001f",
                                 "00000000000000-1", "000000000000001g"}) {
    CAPTURE(text);
    CHECK_FALSE(GrantIdOf(text).has_value());
  }
}

}  // namespace
}  // namespace kantoku::issuer

#include "services/issuer/grant_audit.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "services/platform/status.h"

namespace kantoku::issuer {
namespace {

using Details = std::map<std::string, std::string>;

Grant AGrant() {
  Grant grant;
  grant.id = 0xab;
  grant.user = "anna";
  grant.app = "laptop";
  grant.scopes = {"inputs:pull", "outputs:write"};
  grant.namespaces = {"lab"};
  grant.expires = absl::FromUnixSeconds(1'800'000'000);
  return grant;
}

TEST_CASE("That a grant was made says for whom, for what, until when, and by whom") {
  const auto event =
      GrantCreated(AGrant(), {.by = "root", .why = "for the new rig", .peer = "10.0.0.7"});
  CHECK(event.type == "audit.grant_created");
  CHECK(event.name_space == "lab");
  CHECK(event.details == Details{{"grant", "00000000000000ab"},
                                 {"user", "anna"},
                                 {"app", "laptop"},
                                 {"scopes", "inputs:pull outputs:write"},
                                 {"namespaces", "lab"},
                                 {"reusable", "false"},
                                 {"expires", "2027-01-15T08:00:00+00:00"},
                                 {"by", "root"},
                                 {"why", "for the new rig"},
                                 {"peer", "10.0.0.7"}});
}

TEST_CASE("What is about a grant of several namespaces, or of all, is about the installation") {
  Grant grant = AGrant();
  grant.namespaces = {"lab", "default"};
  CHECK(GrantTaken(grant, "10.0.0.7").name_space == platform::kEveryNamespace);
  grant.namespaces = {"*"};
  CHECK(GrantRevoked(grant, true, {.by = "root", .peer = "10.0.0.7"}).name_space ==
        platform::kEveryNamespace);
}

TEST_CASE("That a grant was refused names it to whom it may matter, and none that was guessed") {
  const auto refused = [](std::string_view reason) {
    return GrantRefused(
        0xab, platform::Error(absl::StatusCode::kUnauthenticated, reason, "because"), "10.0.0.7");
  };
  CHECK(refused("GRANT_TAKEN").details == Details{{"grant", "00000000000000ab"},
                                                  {"reason", "GRANT_TAKEN"},
                                                  {"message", "because"},
                                                  {"peer", "10.0.0.7"}});
  CHECK_FALSE(refused("INVALID_GRANT").details.contains("grant"));
}

}  // namespace
}  // namespace kantoku::issuer

#include "services/issuer/token_desk.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "services/platform/auth/secret.h"
#include "tests/unit/issuer/desk_scene.h"

namespace kantoku::issuer {
namespace {

using Scene = DeskScene;

TEST_CASE("A secret is exchanged for a token of its grant, and who was first is told once") {
  Scene scene;
  const auto created = scene.Create(/*reusable=*/false);
  const std::string holder = platform::MakeSecret();
  for (int i = 0; i < 2; ++i) {
    const auto token = scene.Exchange(created.grant.id, created.secret, holder);
    REQUIRE(token.ok());
    CHECK(token->access_token.starts_with("eyJ"));
    CHECK(token->lifetime == Issuer::kTokenLifetime);
    CHECK(token->scopes == created.grant.scopes);
  }
  CHECK(scene.audit.all() ==
        std::vector<std::string>{"audit.grant_taken app=laptop grant=" + ToText(created.grant.id) +
                                 " peer=10.0.0.7 user=anna"});
}

TEST_CASE("What is refused is told, but for what has not the form of a secret") {
  Scene scene;
  const auto created = scene.Create(/*reusable=*/true);
  CHECK(scene.Why(created.grant.id, "short") == "INVALID_GRANT");
  CHECK(scene.audit.all().empty());
  CHECK(scene.Why(created.grant.id, platform::MakeSecret()) == "INVALID_GRANT");
  scene.clock.Advance(absl::Hours(1));
  CHECK(scene.Why(created.grant.id, created.secret) == "GRANT_ENDED");
  CHECK(scene.audit.all() ==
        std::vector<std::string>{"audit.grant_refused peer=10.0.0.7 reason=INVALID_GRANT",
                                 "audit.grant_refused grant=" + ToText(created.grant.id) +
                                     " peer=10.0.0.7 reason=GRANT_ENDED"});
}

TEST_CASE(
    "What is told names the whole address, though the addresses of a network are counted as one") {
  Scene scene;
  const auto created = scene.Create(/*reusable=*/true);
  CHECK(scene.Why(created.grant.id, platform::MakeSecret(), "2001:db8::7") == "INVALID_GRANT");
  CHECK(scene.audit.all() ==
        std::vector<std::string>{"audit.grant_refused peer=2001:db8::7 reason=INVALID_GRANT"});
}

TEST_CASE("However many wrong secrets come from somewhere, who has a good one there gets a token") {
  Scene scene;
  const auto created = scene.Create(/*reusable=*/true);
  for (int i = 0; i < 1'000; ++i) {
    REQUIRE(scene.Why(created.grant.id, platform::MakeSecret()) == "INVALID_GRANT");
  }
  CHECK(scene.Exchange(created.grant.id, created.secret).ok());
  CHECK(scene.Exchange(created.grant.id, created.secret, "", "10.0.0.8").ok());
}

TEST_CASE("Who comes again and again with a secret that was good once is not one who guesses") {
  Scene scene;
  const auto created = scene.Create(/*reusable=*/true);
  scene.clock.Advance(absl::Hours(1));
  for (int i = 0; i < 300; ++i) {
    REQUIRE(scene.Why(created.grant.id, created.secret) == "GRANT_ENDED");
  }
}

}  // namespace
}  // namespace kantoku::issuer

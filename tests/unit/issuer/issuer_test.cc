#include "services/issuer/issuer.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "services/platform/status.h"
#include "tests/support/temp_dir.h"

namespace kantoku::issuer {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

platform::Now At(absl::Time wall) { return {.wall = wall, .steady = absl::Hours(1)}; }

class StoppedClock final : public platform::Clock {
 public:
  platform::Now Read() const override { return At(kNow); }
  void Wait(platform::Mutex&, platform::CondVar&, absl::Duration) override {}
};

std::shared_ptr<Issuer> Open(const std::string& key_file) {
  static StoppedClock clock;
  static uint64_t random = 0;
  auto issuer = Issuer::Open({.key_file = key_file,
                              .times = {.leeway = absl::ZeroDuration()},
                              .random = [] { return ++random; }},
                             clock);
  REQUIRE(issuer.ok());
  return *std::move(issuer);
}

Grant Anna() {
  Grant grant;
  grant.id = 7;
  grant.user = "anna";
  grant.app = "microscope";
  grant.scopes = {"inputs:pull:segment-*", "outputs:write"};
  grant.namespaces = {"lab"};
  grant.labels = {{"site", "lab"}};
  grant.expires = kNow + absl::Hours(1);
  return grant;
}

std::string Why(Issuer& issuer, const std::string& token, absl::Time at) {
  const auto identity = issuer.Authenticate(
      token, [] { return std::string("peer"); }, At(at));
  return identity.ok() ? (*identity)->subject : platform::ReasonOf(identity.status());
}

TEST_CASE("A token of a grant says what the grant says, for ten minutes") {
  const test::TempDir directory;
  const auto issuer = Open(directory.File("issuer.key"));
  const std::string token = issuer->TokenOf(Anna(), kNow);
  const auto identity = issuer->Authenticate(
      token, [] { return std::string("peer"); }, At(kNow + absl::Minutes(9)));
  REQUIRE(identity.ok());
  CHECK((*identity)->subject == "anna");
  CHECK((*identity)->client_id == "microscope");
  CHECK((*identity)->scopes.Allows(platform::Verb::kPull, "segment-cells"));
  CHECK_FALSE((*identity)->scopes.Allows(platform::Verb::kPull, "other"));
  CHECK_FALSE((*identity)->scopes.Allows(platform::Verb::kSpawn));
  CHECK((*identity)->MayUse("lab"));
  CHECK_FALSE((*identity)->MayUse("default"));
  CHECK((*identity)->labels.at("trusted/site") == "lab");
  CHECK(Why(*issuer, token, kNow + absl::Minutes(10)) == "TOKEN_EXPIRED");
}

TEST_CASE("No token outlives its grant") {
  const test::TempDir directory;
  const auto issuer = Open(directory.File("issuer.key"));
  Grant grant = Anna();
  grant.expires = kNow + absl::Minutes(1);
  const std::string token = issuer->TokenOf(grant, kNow);
  CHECK(Why(*issuer, token, kNow + absl::Seconds(59)) == "anna");
  CHECK(Why(*issuer, token, kNow + absl::Seconds(60)) == "TOKEN_EXPIRED");
}

TEST_CASE("Tokens of a refused grant are refused, known ones too, and no others") {
  const test::TempDir directory;
  const auto issuer = Open(directory.File("issuer.key"));
  Grant ben = Anna();
  ben.id = 8;
  ben.user = "ben";
  const std::string of_anna = issuer->TokenOf(Anna(), kNow);
  const std::string of_ben = issuer->TokenOf(ben, kNow);
  CHECK(Why(*issuer, of_anna, kNow) == "anna");
  issuer->Refuse(Anna().id);
  CHECK(Why(*issuer, of_anna, kNow) == "TOKEN_REVOKED");
  CHECK(Why(*issuer, issuer->TokenOf(Anna(), kNow), kNow) == "TOKEN_REVOKED");
  CHECK(Why(*issuer, of_ben, kNow) == "ben");
  CHECK(Why(*issuer, issuer->AdministratorToken(kNow), kNow) == "local");
}

TEST_CASE("The administrator of the data directory may do everything everywhere for a day") {
  const test::TempDir directory;
  const auto issuer = Open(directory.File("issuer.key"));
  const std::string token = issuer->AdministratorToken(kNow);
  const auto identity = issuer->Authenticate(
      token, [] { return std::string("peer"); }, At(kNow));
  REQUIRE(identity.ok());
  CHECK((*identity)->IsAdminOf("anywhere"));
  CHECK(Why(*issuer, token, kNow + absl::Hours(24) - absl::Seconds(1)) == "local");
  CHECK(Why(*issuer, token, kNow + absl::Hours(24)) == "TOKEN_EXPIRED");
}

TEST_CASE("Tokens outlive a restart, and are no good for another installation") {
  const test::TempDir directory;
  const std::string token = Open(directory.File("issuer.key"))->TokenOf(Anna(), kNow);
  CHECK(Why(*Open(directory.File("issuer.key")), token, kNow) == "anna");
  CHECK(Why(*Open(directory.File("other.key")), token, kNow) == "INVALID_TOKEN");
}

TEST_CASE("A grant whose tokens nobody would take is refused when it is made") {
  const test::TempDir directory;
  const auto issuer = Open(directory.File("issuer.key"));
  CHECK(issuer->Check(Anna(), kNow).ok());
  Grant long_name = Anna();
  long_name.user = std::string(256, 'x');
  Grant control = Anna();
  control.app = "a\nb";
  Grant much = Anna();
  much.scopes.assign(100, "inputs:pull:" + std::string(80, 'x'));
  Grant many = Anna();
  many.namespaces.assign(101, "x");
  for (const Grant& grant : {long_name, control, much, many}) {
    CHECK(platform::ReasonOf(issuer->Check(grant, kNow)) == "INVALID_GRANT");
  }
}

TEST_CASE("The key is for its owner alone, and what is no key is said so") {
  const test::TempDir directory;
  const std::string path = directory.File("issuer.key");
  Open(path);
  CHECK(std::filesystem::status(path).permissions() ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  const auto why = [&] {
    StoppedClock clock;
    return platform::ReasonOf(
        Issuer::Open({.key_file = path, .times = {}, .random = [] { return 1; }}, clock).status());
  };
  std::filesystem::permissions(path, std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  CHECK(why() == "FILE_EXPOSED");
  std::filesystem::permissions(path, std::filesystem::perms::group_read,
                               std::filesystem::perm_options::remove);
  const std::string public_half =
      R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
      R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
  std::string padded = public_half;
  padded.replace(padded.size() - 1, 1, R"(,"d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X=fCE9-xERs"})");
  for (const std::string& text : {std::string("{}"), std::string("garbage"), public_half, padded}) {
    std::ofstream(path) << text;
    CHECK(why() == "INVALID_SIGNING_KEY");
  }
}

}  // namespace
}  // namespace kantoku::issuer

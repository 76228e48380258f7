#include "services/platform/identity/block_book.h"

#include <catch2/catch.hpp>
#include <memory>

#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

const absl::Time kThen = absl::FromUnixSeconds(1'700'000'000);

Identity Of(std::string user, std::string app, absl::Time issued = kThen) {
  Identity identity = Administrator(std::move(user), std::move(app));
  identity.issued = issued;
  return identity;
}

KnownBlocks Known(uint64_t version, std::vector<Block> blocks) {
  BlockList list;
  for (Block& block : blocks) list.Set(std::move(block));
  return {.version = {1, version}, .list = std::make_shared<const BlockList>(std::move(list))};
}

// Takes whoever is named by the token.
class Trusting final : public Authenticator {
 public:
  absl::StatusOr<std::shared_ptr<const Identity>> Authenticate(std::string_view token,
                                                               absl::FunctionRef<std::string()>,
                                                               const Now&) override {
    if (token.empty()) return Error(absl::StatusCode::kUnauthenticated, "NO_TOKEN", "none");
    return std::make_shared<const Identity>(Of(std::string(token), "app"));
  }
};

TEST_CASE("Nobody is refused before blocks are known") {
  const BlockBook book;
  CHECK(book.Check(Of("ada", "notebook")).ok());
}

TEST_CASE("A block refuses users and apps by all their names, and says why") {
  BlockBook book;
  book.Replace(Known(1, {{.names = {"ada", "", ""}, .reason = "left the lab"},
                         {.names = {"", "stolen", ""}},
                         {.names = {"bob", "notebook", ""}}}));
  const absl::Status ada = book.Check(Of("ada", "notebook"));
  CHECK(absl::IsUnauthenticated(ada));
  CHECK(ReasonOf(ada) == "BLOCKED");
  CHECK(ada.message() == "the user is blocked: left the lab");
  CHECK(book.Check(Of("eve", "stolen")).message() == "the app is blocked");
  CHECK_FALSE(book.Check(Of("bob", "notebook")).ok());
  CHECK(book.Check(Of("bob", "cluster")).ok());
  CHECK(book.Check(Of("eve", "notebook")).ok());
}

TEST_CASE("A block of old tokens lets newer ones in, and is not hidden by one of other names") {
  BlockBook book;
  book.Replace(Known(
      1, {{.names = {"ada", "", ""}, .tokens_until = kThen}, {.names = {"ada", "stolen", ""}}}));
  CHECK(ReasonOf(book.Check(Of("ada", "notebook", kThen))) == "TOKEN_BLOCKED");
  CHECK(book.Check(Of("ada", "notebook", kThen + absl::Seconds(1))).ok());
  CHECK_FALSE(book.Check(Of("ada", "stolen", kThen + absl::Seconds(1))).ok());
}

TEST_CASE("Neither services nor the names of executors are looked at") {
  BlockBook book;
  book.Replace(Known(1, {{.names = {"", "", "rig"}}, {.names = {"ada", "", ""}}}));
  CHECK(book.Check(Of("rig", "rig")).ok());
  Identity service = Of("ada", "notebook");
  service.service = "inputs";
  CHECK(book.Check(service).ok());
}

TEST_CASE("Of two tellings that with the higher version counts, whichever comes first") {
  BlockBook book;
  book.Replace(Known(2, {{.names = {"ada", "", ""}}}));
  book.Replace(Known(1, {}));
  CHECK_FALSE(book.Check(Of("ada", "notebook")).ok());
  KnownBlocks later = Known(0, {});
  later.version.first = 2;  // A later start of who says it.
  book.Replace(later);
  CHECK(book.Check(Of("ada", "notebook")).ok());
  CHECK(book.known().version == KnownBlocks::Version{2, 0});
}

TEST_CASE("However good a token is, who is blocked is refused, and so are his streams") {
  BlockBook book;
  BlockingAuthenticator gate(std::make_shared<Trusting>(), book);
  const auto peer = [] { return std::string(); };
  const auto ada = gate.Authenticate("ada", peer, {});
  REQUIRE(ada.ok());
  book.Replace(Known(1, {{.names = {"ada", "", ""}}}));
  CHECK(ReasonOf(gate.Authenticate("ada", peer, {}).status()) == "BLOCKED");
  CHECK(ReasonOf(gate.CheckStill(**ada, {})) == "BLOCKED");
  CHECK(gate.Authenticate("bob", peer, {}).ok());
  CHECK(ReasonOf(gate.Authenticate("", peer, {}).status()) == "NO_TOKEN");
}

}  // namespace
}  // namespace kantoku::platform

#include "services/platform/rpc/stream_watch.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/status.h"
#include "tests/support/fake_clock.h"

namespace kantoku::platform {
namespace {

// Takes everybody for good until his token ends, or all are revoked.
class Revoker final : public Authenticator {
 public:
  absl::StatusOr<std::shared_ptr<const Identity>> Authenticate(std::string_view,
                                                               absl::FunctionRef<std::string()>,
                                                               const Now&) override {
    return absl::UnimplementedError("not asked here");
  }
  absl::Status CheckStill(const Identity& identity, const Now& now) override {
    if (revoked) return Error(absl::StatusCode::kUnauthenticated, "TOKEN_REVOKED", "revoked");
    return Authenticator::CheckStill(identity, now);
  }

  bool revoked = false;
};

// A watched stream of anna's, whose token is good for so long.
struct Scene final : private StreamWatch::Stream {
  explicit Scene(absl::Duration life)
      : watch(*this, AToken(clock.Read().wall + life), clock.Read()) {}

  static std::shared_ptr<const Identity> AToken(absl::Time expires) {
    auto identity = std::make_shared<Identity>();
    identity->subject = "anna";
    identity->client_id = "laptop";
    identity->scopes = Scopes::Parse("inputs:pull:a inputs:pull:b");
    identity->namespaces = {"default", "lab"};
    identity->expires = expires;
    return identity;
  }
  absl::Status Renew(const std::shared_ptr<const Identity>& identity) {
    return watch.Renew(identity, clock.Read());
  }
  // Lets so much time go by, with a look every 250 ms, and returns how often a token was asked for.
  size_t AsksWithin(absl::Duration time) {
    const size_t before = asks.size();
    for (absl::Duration gone; gone < time; gone += absl::Milliseconds(250)) {
      clock.Advance(absl::Milliseconds(250));
      watch.Look(authenticator, clock.Read());
    }
    return asks.size() - before;
  }

  FakeClock clock;
  Revoker authenticator;
  std::vector<absl::Duration> asks;
  std::string refusal;
  int cancels = 0;
  StreamWatch watch;

 private:
  void WantToken(absl::Duration within) override { asks.push_back(within); }
  void Refuse(const absl::Status& why) override {
    CHECK(refusal.empty());
    CHECK(absl::IsUnauthenticated(why));
    refusal = ReasonOf(why);
  }
  void Cancel() override { ++cancels; }
};

TEST_CASE("A newer token is asked for when a fifth of its time is left, a minute at most") {
  const auto [life, notice] =
      GENERATE(table<int, int>({{5, 1}, {50, 10}, {300, 60}, {600, 60}, {86'400, 60}}));
  Scene scene(absl::Seconds(life));
  CHECK(scene.AsksWithin(absl::Seconds(life - notice) - absl::Milliseconds(250)) == 0);
  REQUIRE(scene.AsksWithin(absl::Milliseconds(250)) == 1);
  CHECK(scene.asks.front() == absl::Seconds(notice));
}

TEST_CASE("It is asked for again every few seconds, also after the end, and no more often") {
  Scene scene(absl::Minutes(10));
  REQUIRE(scene.AsksWithin(absl::Minutes(9)) == 1);
  CHECK(scene.AsksWithin(absl::Milliseconds(2'250)) == 0);
  CHECK(scene.AsksWithin(absl::Milliseconds(250)) == 1);
  CHECK(scene.AsksWithin(absl::Milliseconds(57'500)) == 23);
  CHECK(scene.asks.back() == absl::ZeroDuration());
  CHECK(scene.AsksWithin(absl::Milliseconds(4'750)) == 1);
  CHECK(scene.asks.back() == absl::ZeroDuration());
}

TEST_CASE("A token without an end is never asked for") {
  Scene scene(absl::InfiniteDuration());
  CHECK(scene.AsksWithin(absl::Hours(1)) == 0);
  CHECK(scene.refusal.empty());
}

TEST_CASE("Who shows no newer token is refused five seconds after the end, and not before") {
  Scene scene(absl::Minutes(1));
  scene.AsksWithin(absl::Minutes(1) + StreamWatch::kGrace - absl::Milliseconds(250));
  CHECK(scene.refusal.empty());
  scene.AsksWithin(absl::Milliseconds(250));
  CHECK(scene.refusal == "TOKEN_EXPIRED");
  CHECK(scene.AsksWithin(absl::Minutes(1)) == 0);
}

TEST_CASE("A newer token takes the place of the one before, also in the seconds after its end") {
  const auto shown_after = GENERATE(absl::Minutes(1), absl::Minutes(9), absl::Seconds(604));
  Scene scene(absl::Minutes(10));
  scene.AsksWithin(shown_after);
  REQUIRE(scene.Renew(Scene::AToken(scene.clock.Read().wall + absl::Minutes(10))).ok());
  CHECK(scene.AsksWithin(absl::Minutes(9) - absl::Milliseconds(250)) == 0);
  CHECK(scene.AsksWithin(absl::Milliseconds(250)) == 1);
  CHECK(scene.refusal.empty());
}

TEST_CASE("A token that ends no later changes nothing") {
  Scene scene(absl::Minutes(10));
  REQUIRE(scene.AsksWithin(absl::Minutes(9)) == 1);
  const auto left = GENERATE(absl::Seconds(30), absl::Seconds(60));
  CHECK(scene.Renew(Scene::AToken(scene.clock.Read().wall + left)).ok());
  CHECK(scene.AsksWithin(absl::Minutes(1) + StreamWatch::kGrace) > 20);
  CHECK(scene.refusal == "TOKEN_EXPIRED");
}

TEST_CASE("A token of another user, app or executor, or with other rights, differs") {
  const absl::Time expires = FakeClock().Read().wall + absl::Hours(1);
  auto other = std::make_shared<Identity>(*Scene::AToken(expires));
  const int what = GENERATE(0, 1, 2, 3, 4, 5, 6);
  if (what == 0) other->subject = "bert";
  if (what == 1) other->client_id = "phone";
  if (what == 2) other->scopes = Scopes::Parse("inputs:pull:a");
  if (what == 3) other->scopes = Scopes::Parse("inputs:pull:a inputs:pull:b admin");
  if (what == 4) other->namespaces = {"default"};
  if (what == 5) other->labels = {{"trusted/zone", "clean"}};
  if (what == 6) other->service = "outputs";
  Scene scene(absl::Minutes(1));
  const absl::Status renewed = scene.Renew(other);
  CHECK(absl::IsAborted(renewed));
  CHECK(ReasonOf(renewed) == "TOKEN_DIFFERS");
  CHECK(scene.AsksWithin(absl::Minutes(1)) > 0);  // What was known still counts.
}

TEST_CASE("Scopes and namespaces in another order are the same") {
  Scene scene(absl::Minutes(1));
  auto same = std::make_shared<Identity>(*Scene::AToken(absl::InfiniteFuture()));
  same->scopes = Scopes::Parse("inputs:pull:b openid inputs:pull:a inputs:pull:b");
  same->namespaces = {"lab", "default"};
  same->token_id = "another";
  CHECK(scene.Renew(same).ok());
}

TEST_CASE("Who is revoked is refused at the next look, and cancelled when it lasts a second more") {
  Scene scene(absl::Hours(1));
  scene.AsksWithin(absl::Seconds(1));
  CHECK(scene.refusal.empty());
  scene.authenticator.revoked = true;
  scene.AsksWithin(absl::Milliseconds(250));
  CHECK(scene.refusal == "TOKEN_REVOKED");
  scene.AsksWithin(absl::Milliseconds(750));
  CHECK(scene.cancels == 0);
  scene.AsksWithin(absl::Milliseconds(250));
  CHECK(scene.cancels == 1);
}

TEST_CASE("A stream that is gone is neither asked nor refused nor cancelled") {
  Scene scene(absl::Minutes(1));
  scene.watch.Forget();
  CHECK(scene.AsksWithin(absl::Minutes(2)) == 0);
  CHECK(scene.refusal.empty());
  CHECK(scene.cancels == 0);
}

}  // namespace
}  // namespace kantoku::platform

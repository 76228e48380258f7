#include "services/platform/rpc/stream_watch.h"

#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/platform/status.h"
#include "tests/support/fake_clock.h"

namespace kantoku::platform {
namespace {

using Answer = absl::StatusOr<std::shared_ptr<const Identity>>;

// Gives the answer that there is for a token, and takes everybody for good until his token ends, or
// all are revoked.
class Door final : public Authenticator {
 public:
  Answer Authenticate(std::string_view token, absl::FunctionRef<std::string()> peer,
                      const Now&) override {
    shown.push_back(std::string(token) + " from " + peer());
    if (meanwhile != nullptr) std::exchange(meanwhile, nullptr)();
    return answers.at(std::string(token));
  }
  absl::Status CheckStill(const Identity& identity, const Now& now) override {
    if (revoked) return Error(absl::StatusCode::kUnauthenticated, "TOKEN_REVOKED", "revoked");
    return Authenticator::CheckStill(identity, now);
  }

  std::map<std::string, Answer> answers;
  std::vector<std::string> shown;
  std::function<void()> meanwhile;  // Happens while the next token is looked at.
  bool revoked = false;
};

absl::Status KeysUnknown() {
  return Error(absl::StatusCode::kUnavailable, "KEYS_UNKNOWN", "being fetched");
}
absl::Status TooManyBadTokens() {
  return Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_BAD_TOKENS", "later");
}

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
  // The stream shows this token, of which the authenticator says that.
  absl::Status Show(const std::string& token, const Answer& answer) {
    authenticator.answers.insert_or_assign(token, answer);
    return watch.Show(
        token, [] { return "peer"; }, authenticator, clock.Read());
  }
  absl::Status Renew(const std::shared_ptr<const Identity>& identity) {
    return Show("newer", identity);
  }
  std::shared_ptr<const Identity> GoodFor(absl::Duration life) {
    return AToken(clock.Read().wall + life);
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
  Door authenticator;
  std::vector<absl::Duration> asks;
  std::string refusal;
  int cancels = 0;
  StreamWatch watch;

 private:
  void WantToken(absl::Duration within) override { asks.push_back(within); }
  void Refuse(const absl::Status& why) override {
    CHECK(refusal.empty());
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

TEST_CASE("A stream that is ended by who serves it is cancelled when it lasts a second more") {
  Scene scene(absl::Hours(1));
  scene.watch.EndSoon(scene.clock.Read());
  scene.AsksWithin(absl::Milliseconds(750));
  CHECK(scene.cancels == 0);
  scene.AsksWithin(absl::Milliseconds(250));
  CHECK(scene.cancels == 1);
  CHECK(scene.refusal.empty());
}

TEST_CASE(
    "A newer token that nobody can look at just now is tried with each look until it is good") {
  Scene scene(absl::Minutes(10));
  REQUIRE(scene.AsksWithin(absl::Minutes(9)) == 1);
  REQUIRE(scene.Show("kept", GENERATE(KeysUnknown(), TooManyBadTokens())).ok());
  // Meanwhile no other is asked for.
  CHECK(scene.AsksWithin(absl::Seconds(5)) == 0);
  CHECK(scene.authenticator.shown == std::vector<std::string>(21, "kept from peer"));
  scene.authenticator.answers["kept"] = scene.GoodFor(absl::Minutes(10));
  CHECK(scene.AsksWithin(absl::Minutes(9) - absl::Milliseconds(250)) == 0);
  CHECK(scene.AsksWithin(absl::Milliseconds(500)) == 1);
  CHECK(scene.refusal.empty());
  CHECK(scene.authenticator.shown.size() == 22);
}

TEST_CASE("A kept token gives nobody more than the seconds of grace") {
  Scene scene(absl::Minutes(1));
  REQUIRE(scene.Show("kept", KeysUnknown()).ok());
  scene.AsksWithin(absl::Minutes(1) + StreamWatch::kGrace - absl::Milliseconds(250));
  CHECK(scene.refusal.empty());
  scene.AsksWithin(absl::Milliseconds(250));
  CHECK(scene.refusal == "TOKEN_EXPIRED");
  // It comes too late.
  scene.authenticator.answers["kept"] = scene.GoodFor(absl::Minutes(10));
  scene.AsksWithin(absl::Seconds(1));
  CHECK(scene.cancels == 1);
}

TEST_CASE(
    "A kept token that turns out to be no good, or of somebody else, ends the stream at once") {
  Scene scene(absl::Minutes(10));
  REQUIRE(scene.Show("kept", TooManyBadTokens()).ok());
  auto other = std::make_shared<Identity>(*scene.GoodFor(absl::Minutes(10)));
  other->subject = "bert";
  const bool forged = GENERATE(true, false);
  if (forged) {
    scene.authenticator.answers["kept"] =
        Error(absl::StatusCode::kUnauthenticated, "INVALID_TOKEN", "forged");
  } else {
    scene.authenticator.answers["kept"] = other;
  }
  scene.AsksWithin(absl::Milliseconds(250));
  CHECK(scene.refusal == (forged ? "INVALID_TOKEN" : "TOKEN_DIFFERS"));
  scene.AsksWithin(absl::Seconds(1));
  CHECK(scene.cancels == 1);
}

TEST_CASE("Of all that a stream shows the newest token alone is kept") {
  Scene scene(absl::Minutes(10));
  REQUIRE(scene.Show("first", KeysUnknown()).ok());
  REQUIRE(scene.Show("second", KeysUnknown()).ok());
  scene.authenticator.shown.clear();
  scene.AsksWithin(absl::Milliseconds(500));
  CHECK(scene.authenticator.shown == std::vector<std::string>(2, "second from peer"));
  REQUIRE(scene.Show("third", scene.GoodFor(absl::Minutes(20))).ok());
  scene.authenticator.shown.clear();
  scene.AsksWithin(absl::Minutes(1));
  CHECK(scene.authenticator.shown.empty());
}

TEST_CASE("What a stream shows while the token before is looked at counts, and waits for nothing") {
  Scene scene(absl::Minutes(10));
  REQUIRE(scene.Show("kept", KeysUnknown()).ok());
  scene.authenticator.answers["kept"] =
      Error(absl::StatusCode::kUnauthenticated, "INVALID_TOKEN", "forged");
  scene.authenticator.meanwhile = [&] {
    CHECK(scene.Renew(scene.GoodFor(absl::Minutes(20))).ok());
  };
  scene.AsksWithin(absl::Minutes(15));
  CHECK(scene.refusal.empty());
}

TEST_CASE("A token that is longer than any good one is not kept") {
  Scene scene(absl::Minutes(10));
  const std::string longest(kMaxTokenBytes, 'x');
  CHECK(scene.Show(longest, TooManyBadTokens()).ok());
  CHECK(ReasonOf(scene.Show(longest + "x", TooManyBadTokens())) == "TOO_MANY_BAD_TOKENS");
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

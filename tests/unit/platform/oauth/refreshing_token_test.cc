#include "services/platform/oauth/refreshing_token.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"
#include "tests/support/fake_clock.h"

namespace kantoku::platform {
namespace {

absl::Status Unreachable() {
  return Error(absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE", "nothing is there");
}

// A clock that stands still and tells what is waited for.
class WatchedClock final : public Clock {
 public:
  Now Read() const override { return clock_.Read(); }
  void Wait(Mutex& mutex, CondVar& changed, absl::Duration deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) override {
    SetDeadline(deadline);
    clock_.Wait(mutex, changed, deadline);
    SetDeadline(std::nullopt);
  }

  // Whether somebody waits for exactly this much, sooner or later.
  bool AwaitDue(absl::Duration in) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    const absl::Duration wanted = Read().steady + in;
    MutexLock lock(mutex_);
    while (deadline_ != wanted && std::chrono::steady_clock::now() < give_up) {
      changed_.WaitFor(mutex_, std::chrono::seconds(1));
    }
    return deadline_ == wanted;
  }
  void Advance(absl::Duration by) { clock_.Advance(by); }

 private:
  void SetDeadline(std::optional<absl::Duration> deadline) {
    MutexLock lock(mutex_);
    deadline_ = deadline;
    changed_.SignalAll();
  }

  FakeClock clock_;
  Mutex mutex_;
  CondVar changed_;
  std::optional<absl::Duration> deadline_ ABSL_GUARDED_BY(mutex_);  // Of who waits.
};

// Gives tokens "1", "2", …, good for ten minutes, to a source on a clock that stands still.
class Scene {
 public:
  absl::Status Open(uint64_t random = 0, bool may_come_later = false) {
    auto opened = OpenRefreshingToken({.fetch = [this] { return Fetch(); },
                                       .stop = [this] { Stop(); },
                                       .random = [=] { return random; },
                                       .first_may_come_later = may_come_later},
                                      clock);
    absl::Status status = opened.status();
    if (status.ok()) source = *std::move(opened);
    return status;
  }

  // What the next fetches give instead of a token; OK: tokens again.
  void Fail(const absl::Status& status) {
    MutexLock lock(mutex_);
    failure_ = status;
  }
  // Lets fetches wait for their end, or for no more.
  void Hold(bool held = true) {
    MutexLock lock(mutex_);
    held_ = held;
    changed_.SignalAll();
  }
  void AwaitFetches(int count) {
    MutexLock lock(mutex_);
    while (fetches_ < count) changed_.Wait(mutex_);
  }
  // To the time of the next fetch, which is so far away; returns when that was begun.
  void Advance(absl::Duration by) {
    REQUIRE(clock.AwaitDue(by));
    const int before = fetches();
    clock.Advance(by);
    AwaitFetches(before + 1);
  }
  int fetches() {
    MutexLock lock(mutex_);
    return fetches_;
  }

  WatchedClock clock;
  absl::Duration lifetime = absl::Minutes(10);

 private:
  absl::StatusOr<AccessToken> Fetch() {
    MutexLock lock(mutex_);
    ++fetches_;
    changed_.SignalAll();
    while (held_ && !stopped_) changed_.Wait(mutex_);
    if (stopped_) return Unreachable();
    if (!failure_.ok()) return failure_;
    return AccessToken{absl::StrCat(++tokens_), clock.Read().wall + lifetime};
  }
  void Stop() {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.SignalAll();
  }

  Mutex mutex_;
  CondVar changed_;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  int fetches_ ABSL_GUARDED_BY(mutex_) = 0;
  int tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

 public:
  std::shared_ptr<TokenSource> source;  // Its thread uses all of the above.
};

TEST_CASE("A source has a token from the start, or there is none, and why") {
  Scene scene;
  scene.Fail(Unreachable());
  CHECK(ReasonOf(scene.Open()) == "ISSUER_UNREACHABLE");
  scene.Fail(absl::OkStatus());
  REQUIRE(scene.Open().ok());
  CHECK(scene.source->Token() == "1");
}

TEST_CASE("A token is replaced when about two thirds of its life are over") {
  const auto [random, seconds] =
      GENERATE(table<uint64_t, int>({{0, 360}, {500, 400}, {1'750, 420}}));
  Scene scene;
  REQUIRE(scene.Open(random).ok());
  CHECK(scene.source->Token() == "1");
  scene.Advance(absl::Seconds(seconds));
  REQUIRE(scene.clock.AwaitDue(absl::Seconds(seconds)));
  CHECK(scene.source->Token() == "2");
  scene.Advance(absl::Seconds(seconds));
  REQUIRE(scene.clock.AwaitDue(absl::Seconds(seconds)));
  CHECK(scene.source->Token() == "3");
}

TEST_CASE("A token that is wanted newer is replaced at once, and once") {
  Scene scene;
  REQUIRE(scene.Open().ok());
  REQUIRE(scene.clock.AwaitDue(absl::Minutes(6)));
  for (int i = 0; i < 1'000; ++i) scene.source->Renew("1");
  scene.AwaitFetches(2);
  REQUIRE(scene.clock.AwaitDue(absl::Minutes(6)));
  CHECK(scene.source->Token() == "2");
}

TEST_CASE("A wish that comes when the token is another already changes nothing") {
  Scene scene;
  REQUIRE(scene.Open().ok());
  scene.Advance(absl::Minutes(6));
  REQUIRE(scene.clock.AwaitDue(absl::Minutes(6)));
  scene.Hold();
  scene.Advance(absl::Minutes(6));
  scene.source->Renew("1");  // Of a call that was under way for long.
  scene.Hold(false);
  REQUIRE(scene.clock.AwaitDue(absl::Minutes(6)));
  CHECK(scene.fetches() == 3);
  // Else this one would have to wait.
  scene.source->Renew("3");
  scene.AwaitFetches(4);
}

TEST_CASE(
    "When each token is found wanting the next comes ever later, and at once after a good one") {
  Scene scene;
  REQUIRE(scene.Open().ok());
  scene.source->Renew("1");
  scene.AwaitFetches(2);
  const auto refuse = [&] {
    REQUIRE(scene.clock.AwaitDue(absl::Minutes(6)));
    scene.source->Renew(scene.source->Token());
  };
  for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
    refuse();
    scene.Advance(absl::Seconds(seconds));
  }
  scene.Advance(absl::Minutes(6));  // This one nobody refuses,
  const int fetches = scene.fetches();
  refuse();
  scene.AwaitFetches(fetches + 1);
  refuse();
  scene.Advance(absl::Seconds(1));  // so the pauses begin anew.
}

TEST_CASE("A fetch that fails is repeated ever later, and until then the token stays") {
  Scene scene;
  REQUIRE(scene.Open().ok());
  scene.Fail(Unreachable());
  scene.Advance(absl::Minutes(6));
  for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60, 60, 60}) {
    REQUIRE(scene.clock.AwaitDue(absl::Seconds(seconds)));
    CHECK(scene.source->Token() == "1");
    scene.source->Renew("1");  // It is not to be had sooner for that.
    scene.Advance(absl::Seconds(seconds));
  }
  REQUIRE(scene.clock.AwaitDue(absl::Minutes(1)));
  scene.Fail(absl::OkStatus());
  scene.Advance(absl::Minutes(1));
  REQUIRE(scene.clock.AwaitDue(absl::Minutes(6)));
  CHECK(scene.source->Token() == "2");
}

TEST_CASE("A login that is good no more is tried once a minute, as somebody may log in again") {
  Scene scene;
  REQUIRE(scene.Open().ok());
  scene.Fail(Error(absl::StatusCode::kUnauthenticated, "INVALID_GRANT", "it was revoked"));
  scene.Advance(absl::Minutes(6));
  scene.Advance(absl::Minutes(1));
  REQUIRE(scene.clock.AwaitDue(absl::Minutes(1)));
  scene.Fail(absl::OkStatus());
  scene.Advance(absl::Minutes(1));
  REQUIRE(scene.clock.AwaitDue(absl::Minutes(6)));
  CHECK(scene.source->Token() == "2");
}

TEST_CASE("A newer token is likely, unless the last fetch failed for a reason that stays") {
  Scene scene;
  REQUIRE(scene.Open().ok());
  scene.Fail(Unreachable());
  scene.Advance(absl::Minutes(6));
  REQUIRE(scene.clock.AwaitDue(absl::Seconds(1)));
  CHECK(scene.source->Renew("1"));
  scene.Fail(Error(absl::StatusCode::kUnauthenticated, "INVALID_GRANT", "it was revoked"));
  scene.Advance(absl::Seconds(1));
  REQUIRE(scene.clock.AwaitDue(absl::Minutes(1)));
  CHECK_FALSE(scene.source->Renew("1"));
  CHECK(scene.source->Renew("0"));  // There is one that is newer than this.
  scene.Fail(absl::OkStatus());
  scene.Advance(absl::Minutes(1));
  REQUIRE(scene.clock.AwaitDue(absl::Minutes(6)));
  CHECK(scene.source->Renew("2"));
}

TEST_CASE("A token that ends at once, or has ended, is not fetched without a pause") {
  Scene scene;
  scene.lifetime = GENERATE(-absl::Hours(1), absl::ZeroDuration(), absl::Milliseconds(1));
  REQUIRE(scene.Open().ok());
  scene.Advance(absl::Seconds(1));
  scene.Advance(absl::Seconds(1));
}

TEST_CASE("While a token is fetched the one before is shown, and the end does not wait for it") {
  Scene scene;
  REQUIRE(scene.Open().ok());
  scene.Hold();
  scene.Advance(absl::Minutes(6));
  CHECK(scene.source->Token() == "1");
  scene.source->Renew("1");
  scene.source.reset();
}

TEST_CASE("The first token may come later while the issuer is away, but not when it refuses") {
  Scene scene;
  scene.Fail(Unreachable());
  REQUIRE(scene.Open(0, /*may_come_later=*/true).ok());
  CHECK(scene.source->Token().empty());
  REQUIRE(scene.clock.AwaitDue(absl::Seconds(1)));
  scene.Fail(absl::OkStatus());
  scene.clock.Advance(absl::Seconds(1));
  REQUIRE(scene.clock.AwaitDue(absl::Minutes(6)));
  CHECK_FALSE(scene.source->Token().empty());
  Scene refused;
  refused.Fail(absl::UnauthenticatedError("no"));
  CHECK(absl::IsUnauthenticated(refused.Open(0, /*may_come_later=*/true)));
}

}  // namespace
}  // namespace kantoku::platform

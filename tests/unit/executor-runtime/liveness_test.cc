#include "services/executor-runtime/liveness.h"

#include <catch2/catch.hpp>

#include "services/executor-runtime/backoff.h"

namespace kantoku::executor {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(2);
constexpr absl::Duration kGrace = absl::Seconds(20);

absl::Duration At(double seconds) { return absl::Seconds(seconds); }

TEST_CASE("Nothing has to stop before the first welcome") {
  Liveness liveness;
  liveness.OnHelloSent(At(1));
  CHECK(liveness.stop_at() == absl::InfiniteDuration());
  CHECK(liveness.silent_at() == absl::InfiniteDuration());
  CHECK_FALSE(liveness.PingDue(At(1000)));
}

TEST_CASE("Handlers stop at 80 % of the grace after sending the last ping that was answered") {
  Liveness liveness;
  liveness.OnHelloSent(At(1));
  liveness.OnWelcome(kInterval, kGrace);
  CHECK(liveness.stop_at() == At(17));
  REQUIRE(liveness.PingDue(At(3)));
  const uint64_t first = liveness.OnPingSent(At(3));
  CHECK(liveness.stop_at() == At(17));
  liveness.OnPong(first);
  CHECK(liveness.stop_at() == At(19));
  SECTION("and losing the connection does not change it") {
    liveness.OnPingSent(At(5));
    liveness.OnDisconnected();
    CHECK(liveness.stop_at() == At(19));
  }
}

TEST_CASE("A pong answers the pings before its own, too") {
  Liveness liveness;
  liveness.OnHelloSent(At(0));
  liveness.OnWelcome(kInterval, kGrace);
  liveness.OnPingSent(At(2));
  const uint64_t second = liveness.OnPingSent(At(4));
  liveness.OnPong(second);
  CHECK_FALSE(liveness.awaiting_pong());
  CHECK(liveness.stop_at() == At(20));
}

TEST_CASE("A connection is silent three intervals after the first ping without an answer") {
  Liveness liveness;
  liveness.OnHelloSent(At(0));
  liveness.OnWelcome(kInterval, kGrace);
  liveness.OnPingSent(At(2));
  liveness.OnPingSent(At(4));
  CHECK(liveness.silent_at() == At(8));
}

TEST_CASE("However short the grace, a connection is silent before handlers have to stop") {
  for (const absl::Duration grace : {At(1), At(3), At(5), kGrace}) {
    Liveness liveness;
    liveness.OnHelloSent(At(0));
    liveness.OnWelcome(kInterval, grace);
    const absl::Duration due = liveness.next_ping();
    REQUIRE(liveness.PingDue(due));
    liveness.OnPingSent(due);
    CHECK(liveness.silent_at() < liveness.stop_at());
  }
}

TEST_CASE("A ping that could not even be sent makes a connection silent") {
  Liveness liveness;
  liveness.OnHelloSent(At(0));
  liveness.OnWelcome(kInterval, kGrace);
  CHECK(liveness.silent_at() == At(8));
}

TEST_CASE("Pings of a lost connection are not waited for on the next") {
  Liveness liveness;
  liveness.OnHelloSent(At(0));
  liveness.OnWelcome(kInterval, kGrace);
  const uint64_t lost = liveness.OnPingSent(At(2));
  liveness.OnHelloSent(At(10));
  CHECK_FALSE(liveness.awaiting_pong());
  liveness.OnWelcome(kInterval, kGrace);
  CHECK(liveness.stop_at() == At(26));
  liveness.OnPong(lost);
  CHECK(liveness.stop_at() == At(26));
  CHECK(liveness.next_number() > lost);
}

TEST_CASE("Pauses double up to their bound and keep at least half") {
  Backoff backoff(absl::Milliseconds(50), absl::Milliseconds(300));
  CHECK(backoff.Next(0) == absl::Milliseconds(25));
  CHECK(backoff.Next(0) == absl::Milliseconds(50));
  CHECK(backoff.Next(0) == absl::Milliseconds(100));
  CHECK(backoff.Next(0) == absl::Milliseconds(150));
  CHECK(backoff.Next(~uint64_t{0}) <= absl::Milliseconds(300));
  CHECK(backoff.Next(~uint64_t{0}) > absl::Milliseconds(299));
  backoff.Reset();
  CHECK(backoff.Next(0) == absl::Milliseconds(25));
}

}  // namespace
}  // namespace kantoku::executor

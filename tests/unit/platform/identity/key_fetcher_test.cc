#include "services/platform/identity/key_fetcher.h"

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/platform/status.h"
#include "tests/support/fake_clock.h"

namespace kantoku::platform {
namespace {

// Documents by their address. Counts who asks.
class Web final : public HttpClient {
 public:
  absl::StatusOr<std::string> Get(const std::string& url) override {
    MutexLock lock(mutex_);
    ++asked_[url];
    ++requests_;
    changed_.SignalAll();
    const auto found = documents_.find(url);
    if (found != documents_.end()) return found->second;
    return Error(absl::StatusCode::kUnavailable, "FETCH_FAILED", "nothing is there");
  }
  absl::StatusOr<HttpAnswer> Post(const HttpPost&) override {
    return Error(absl::StatusCode::kUnavailable, "FETCH_FAILED", "nothing is sent here");
  }
  void Stop() override {}

  void Set(const std::string& url, const std::string& text) {
    MutexLock lock(mutex_);
    documents_[url] = text;
  }
  void Remove(const std::string& url) {
    MutexLock lock(mutex_);
    documents_.erase(url);
  }
  int requests() {
    MutexLock lock(mutex_);
    return requests_;
  }
  void AwaitRequestsBeyond(int count) {
    MutexLock lock(mutex_);
    while (requests_ <= count) changed_.Wait(mutex_);
  }
  int asked(const std::string& url) {
    MutexLock lock(mutex_);
    return asked_[url];
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int requests_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::string> documents_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> asked_ ABSL_GUARDED_BY(mutex_);
};

// Answers nobody until it is stopped.
class StuckWeb final : public HttpClient {
 public:
  absl::StatusOr<std::string> Get(const std::string&) override {
    MutexLock lock(mutex_);
    asked_ = true;
    changed_.SignalAll();
    while (!stopped_) changed_.Wait(mutex_);
    return Error(absl::StatusCode::kUnavailable, "FETCH_FAILED", "stopped");
  }
  absl::StatusOr<HttpAnswer> Post(const HttpPost&) override {
    return Error(absl::StatusCode::kUnavailable, "FETCH_FAILED", "nothing is sent here");
  }
  void Stop() override {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.SignalAll();
  }
  void AwaitRequest() {
    MutexLock lock(mutex_);
    while (!asked_) changed_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

constexpr char kDiscovery[] = "https://id.example/.well-known/openid-configuration";
constexpr char kKeys[] = "https://id.example/keys";

class Scene {
 public:
  explicit Scene(const std::string& jwks_uri = "", const std::string& issuer = "https://id.example")
      : issuer_(issuer), jwks_uri_(jwks_uri) {
    web.Set(kDiscovery, R"({"issuer":")" + issuer + R"(","jwks_uri":"https://id.example/keys"})");
    web.Set(kKeys, "first");
  }

  void Start() { Start({{.issuer = issuer_, .jwks_uri = jwks_uri_, .http = web}}); }
  void Start(std::vector<KeySource> sources) {
    fetcher = std::make_unique<KeyFetcher>(
        std::move(sources), KeyFetcher::Options{}, clock, [this](size_t, std::string_view text) {
          MutexLock lock(mutex_);
          if (text == "bad")
            return Error(absl::StatusCode::kInvalidArgument, "INVALID_KEY_SET", "");
          taken_.emplace_back(text);
          return absl::OkStatus();
        });
  }
  // To a time when something is due; returns when that has begun.
  void Advance(absl::Duration by) {
    const int before = web.requests();
    clock.Advance(by);
    web.AwaitRequestsBeyond(before);
  }
  // Waits until the fetcher waits for what is due within this time; what it has taken by then.
  std::vector<std::string> TakenWhenIdle(absl::Duration within) {
    REQUIRE(clock.AwaitWaiter(within));
    MutexLock lock(mutex_);
    return taken_;
  }

  FakeClock clock;
  Web web;

 private:
  const std::string issuer_;
  const std::string jwks_uri_;
  Mutex mutex_;
  std::vector<std::string> taken_ ABSL_GUARDED_BY(mutex_);

 public:
  std::unique_ptr<KeyFetcher> fetcher;  // Its thread uses all of the above.
};

using Texts = std::vector<std::string>;

TEST_CASE("Keys are found by discovery, and fetched again every ten minutes") {
  Scene scene;
  scene.Start();
  CHECK(scene.TakenWhenIdle(absl::Minutes(10)) == Texts{"first"});
  scene.web.Set(kKeys, "second");
  scene.Advance(absl::Minutes(10));
  CHECK(scene.TakenWhenIdle(absl::Minutes(10)) == (Texts{"first", "second"}));
}

TEST_CASE("Keys whose place is configured are fetched there, without discovery") {
  Scene scene(kKeys);
  scene.web.Remove(kDiscovery);
  scene.Start();
  CHECK(scene.TakenWhenIdle(absl::Minutes(10)) == Texts{"first"});
  CHECK(scene.web.asked(kDiscovery) == 0);
}

TEST_CASE("An issuer with a slash at its end is asked without it, and named with it") {
  Scene scene("", "https://id.example/");
  scene.Start();
  CHECK(scene.TakenWhenIdle(absl::Minutes(10)) == Texts{"first"});
}

TEST_CASE("A discovery document that speaks for somebody else, or names no keys, is not followed") {
  Scene scene;
  scene.web.Set(
      kDiscovery,
      GENERATE(as<std::string>(),
               R"({"issuer":"https://evil.example","jwks_uri":"https://id.example/keys"})",
               R"({"jwks_uri":"https://id.example/keys"})", R"({"issuer":"https://id.example"})",
               "<html>", "[]",
               R"({"issuer":"https://id.example","jwks_uri":"http://id.example/keys"})",
               R"({"issuer":"https://id.example","jwks_uri":"file:///etc/passwd"})",
               R"({"issuer":"https://id.example","jwks_uri":"http://127.0.0.1:1/keys"})",
               R"({"issuer":"https://id.example","jwks_uri":7})"));
  scene.Start();
  CHECK(scene.TakenWhenIdle(absl::Seconds(1)).empty());
  CHECK(scene.web.asked(kKeys) == 0);
}

TEST_CASE("After a failure the next try comes soon, then ever later, up to a minute") {
  Scene scene(kKeys);
  const bool unreachable = GENERATE(true, false);
  unreachable ? scene.web.Remove(kKeys) : scene.web.Set(kKeys, "bad");
  scene.Start();
  int tries = 1;
  for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
    CHECK(scene.TakenWhenIdle(absl::Seconds(seconds)).empty());
    CHECK(scene.web.asked(kKeys) == tries++);
    scene.Advance(absl::Seconds(seconds));
  }
  scene.web.Set(kKeys, "good");
  CHECK(scene.TakenWhenIdle(absl::Minutes(1)).empty());
  scene.Advance(absl::Minutes(1));
  CHECK(scene.TakenWhenIdle(absl::Minutes(10)) == Texts{"good"});
}

TEST_CASE("Whoever wants keys gets them at once, but for ten seconds after the last time") {
  Scene scene(kKeys);
  scene.Start();
  REQUIRE(scene.TakenWhenIdle(absl::Minutes(10)) == Texts{"first"});
  scene.web.Set(kKeys, "second");
  for (int i = 0; i < 1'000; ++i) scene.fetcher->Want(0);
  CHECK(scene.TakenWhenIdle(absl::Seconds(10)) == Texts{"first"});
  scene.Advance(absl::Seconds(10));
  CHECK(scene.TakenWhenIdle(absl::Minutes(10)) == (Texts{"first", "second"}));
  CHECK(scene.web.asked(kKeys) == 2);
}

TEST_CASE("An issuer that does not answer holds up no other") {
  StuckWeb stuck;
  Scene scene;
  scene.Start({{.issuer = "https://stuck.example", .jwks_uri = "", .http = stuck},
               {.issuer = "https://id.example", .jwks_uri = kKeys, .http = scene.web}});
  stuck.AwaitRequest();
  CHECK(scene.TakenWhenIdle(absl::Minutes(10)) == Texts{"first"});
  scene.web.Set(kKeys, "second");
  scene.fetcher->Want(0);
  scene.fetcher->Want(1);
  REQUIRE(scene.TakenWhenIdle(absl::Seconds(10)) == Texts{"first"});
  scene.Advance(absl::Seconds(10));
  CHECK(scene.TakenWhenIdle(absl::Minutes(10)) == (Texts{"first", "second"}));
}

}  // namespace
}  // namespace kantoku::platform

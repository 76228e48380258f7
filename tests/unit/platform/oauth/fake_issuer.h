#ifndef KANTOKU_TESTS_UNIT_PLATFORM_OAUTH_FAKE_ISSUER_H_
#define KANTOKU_TESTS_UNIT_PLATFORM_OAUTH_FAKE_ISSUER_H_

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "services/platform/identity/http_client.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"

namespace kantoku::platform {

// An issuer whose answers are written by the test, without a network in between.
//
// Thread-safe.
class FakeIssuer final : public HttpClient {
 public:
  using Answer = std::function<HttpAnswer(const HttpPost&)>;

  static constexpr char kUrl[] = "https://id.example";

  explicit FakeIssuer(Answer answer) : answer_(std::move(answer)) {}
  // That always answers the same.
  FakeIssuer(int status, const std::string& body)
      : FakeIssuer([=](const HttpPost&) {
          return HttpAnswer{status, body};
        }) {}

  void Discover(const std::string& name, const nlohmann::json& value) {
    MutexLock lock(mutex_);
    discovery_[name] = value;
  }
  // Every form that came.
  std::vector<HttpPost> posts() {
    MutexLock lock(mutex_);
    return posts_;
  }

  absl::StatusOr<std::string> Get(const std::string& url) override {
    MutexLock lock(mutex_);
    if (stopped_ || url != std::string(kUrl) + "/.well-known/openid-configuration") {
      return Failed(url);
    }
    return discovery_.dump();
  }
  absl::StatusOr<HttpAnswer> Post(const HttpPost& post) override {
    {
      MutexLock lock(mutex_);
      if (stopped_) return Failed(post.url);
      posts_.push_back(post);
    }
    HttpAnswer answer = answer_(post);
    if (answer.status != 200 && answer.status / 100 != 4) return Failed(post.url);
    return answer;
  }
  void Stop() override {
    MutexLock lock(mutex_);
    stopped_ = true;
  }

 private:
  static absl::Status Failed(const std::string& url) {
    return Error(absl::StatusCode::kUnavailable, "FETCH_FAILED", "cannot fetch " + url);
  }

  const Answer answer_;

  Mutex mutex_;
  nlohmann::json discovery_ ABSL_GUARDED_BY(mutex_) = {
      {"issuer", kUrl},
      {"token_endpoint", "https://id.example/token"},
      {"device_authorization_endpoint", "https://id.example/device"}};
  std::vector<HttpPost> posts_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

// A field of a form; empty when it has none.
inline std::string FieldOf(const HttpPost& post, const std::string& name) {
  for (const auto& [each, value] : post.form) {
    if (each == name) return value;
  }
  return "";
}

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_UNIT_PLATFORM_OAUTH_FAKE_ISSUER_H_

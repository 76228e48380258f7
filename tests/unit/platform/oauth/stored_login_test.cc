#include "services/platform/oauth/stored_login.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/platform/oauth/fake_issuer.h"

namespace kantoku::platform {
namespace {

// An issuer that takes each refresh token once, "refresh-1" first; and a file with that login.
class Scene {
 public:
  explicit Scene(absl::Duration left = -absl::Seconds(1)) {
    login.client = {.issuer = FakeIssuer::kUrl,
                    .client_id = "cli",
                    .scope = "openid",
                    .resource = "urn:kantoku"};
    login.refresh_token = "refresh-1";
    login.access_token = {"access-1", clock.Read().wall + left};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit_) == 0);
    REQUIRE(Open()->Save(login).ok());
  }
  ~Scene() { Clear(); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  std::unique_ptr<StoredLogin> Open() { return std::make_unique<StoredLogin>(path, issuer, clock); }
  nlohmann::json File() const {
    std::ifstream file(path);
    return nlohmann::json::parse(file);
  }
  void Write(const std::string& text) const { std::ofstream(path) << text; }
  // From now on no file can be written, also by root; or again.
  void Obstruct() {
    ::signal(SIGXFSZ, SIG_IGN);
    SetLimit(0);
  }
  void Clear() { SetLimit(limit_.rlim_max); }

  FakeClock clock;
  test::TempDir directory;
  const std::string path = directory.File("login.json");
  Login login;
  std::function<void()> during;  // A refresh.
  FakeIssuer issuer{[this](const HttpPost& post) { return Answer(post); }};

 private:
  void SetLimit(rlim_t bytes) {
    limit_.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit_);
  }
  HttpAnswer Answer(const HttpPost& post) {
    MutexLock lock(mutex_);
    if (during) during();
    if (FieldOf(post, "refresh_token") != absl::StrCat("refresh-", turn_)) {
      return {400, R"({"error":"invalid_grant"})"};
    }
    ++turn_;
    return {200, nlohmann::json{{"access_token", absl::StrCat("access-", turn_)},
                                {"refresh_token", absl::StrCat("refresh-", turn_)},
                                {"token_type", "Bearer"},
                                {"expires_in", 600}}
                     .dump()};
  }

  rlimit limit_{};
  Mutex mutex_;
  int turn_ ABSL_GUARDED_BY(mutex_) = 1;
};

std::string SilentReason(const absl::Status& status) {
  for (const char* const secret : {"refresh-", "access-"}) {
    CHECK_THAT(status.ToString(), !Catch::Contains(secret));
  }
  return ReasonOf(status);
}

TEST_CASE("The access token of the file is used as long as it is good, without asking anybody") {
  Scene scene(absl::Seconds(10));
  const auto token = scene.Open()->Next();
  REQUIRE(token.ok());
  CHECK(token->text == "access-1");
  CHECK(token->expires == scene.login.access_token.expires);
  CHECK(scene.issuer.posts().empty());
  scene.clock.Advance(absl::Seconds(1));
  CHECK(scene.Open()->Next()->text == "access-2");
}

TEST_CASE("A new access token comes with a new refresh token, and both are in the file") {
  Scene scene;
  const auto token = scene.Open()->Next();
  REQUIRE(token.ok());
  CHECK(token->text == "access-2");
  CHECK(scene.File() ==
        nlohmann::json{{"issuer", FakeIssuer::kUrl},
                       {"client_id", "cli"},
                       {"scope", "openid"},
                       {"audience", ""},
                       {"resource", "urn:kantoku"},
                       {"refresh_token", "refresh-2"},
                       {"access_token", "access-2"},
                       {"access_token_expires", absl::ToUnixSeconds(token->expires)}});
  struct stat info;
  REQUIRE(::stat(scene.path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  CHECK(scene.issuer.posts().front().form ==
        decltype(HttpPost::form){{"grant_type", "refresh_token"},
                                 {"refresh_token", "refresh-1"},
                                 {"resource", "urn:kantoku"},
                                 {"client_id", "cli"}});
}

TEST_CASE("Whoever wants another token than the one before gets a new one, though that is good") {
  Scene scene(absl::Minutes(10));
  const auto login = scene.Open();
  CHECK(login->Next()->text == "access-1");
  CHECK(login->Next()->text == "access-2");
  // And what others have got meanwhile.
  CHECK(scene.Open()->Next()->text == "access-2");
  const auto other = scene.Open();
  CHECK(other->Next()->text == "access-2");
  CHECK(other->Next()->text == "access-3");
  CHECK(login->Next()->text == "access-3");
  CHECK(scene.issuer.posts().size() == 2);
}

TEST_CASE("Where nothing can be written the issuer is not asked, so that the login is not lost") {
  Scene scene;
  scene.Obstruct();
  CHECK_FALSE(scene.Open()->Next().ok());
  CHECK(scene.issuer.posts().empty());
  scene.Clear();
  CHECK(scene.Open()->Next().ok());
}

TEST_CASE("An access token whose refresh token could not be kept is not used") {
  Scene scene;
  scene.during = [&] { scene.Obstruct(); };
  const auto token = scene.Open()->Next();
  scene.Clear();
  CHECK_FALSE(token.ok());
  CHECK(SilentReason(token.status()).empty());
  CHECK(scene.File()["refresh_token"] == "refresh-1");
}

TEST_CASE("What a program left that died while it wrote is in nobody's way") {
  Scene scene;
  std::ofstream(scene.path + ".new.AAAAAA") << "{";
  CHECK(scene.Open()->Next()->text == "access-2");
}

TEST_CASE("Programs that want a new token at the same time share one, and keep the login") {
  Scene scene;
  for (int round = 2; round < 12; ++round) {
    nlohmann::json ended = scene.File();
    ended["access_token_expires"] = 0;
    scene.Write(ended.dump());
    std::vector<std::unique_ptr<StoredLogin>> logins;
    std::vector<std::string> tokens(8);
    std::vector<std::thread> threads;
    for (std::string& token : tokens) {
      logins.push_back(std::make_unique<StoredLogin>(scene.path, scene.issuer, Clock::Real()));
      threads.emplace_back([&token, login = logins.back().get()] {
        const auto next = login->Next();
        token = next.ok() ? next->text : next.status().ToString();
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(tokens == std::vector<std::string>(8, absl::StrCat("access-", round)));
  }
  CHECK(scene.issuer.posts().size() == 10);
}

TEST_CASE("Who logs in while another refreshes has the last word") {
  Scene scene;
  const auto saver = scene.Open();
  std::thread save;
  absl::Status saved;
  bool waited = false;
  scene.during = [&] {
    Login next = scene.login;
    next.refresh_token = "refresh-of-ben";
    save = std::thread([&, next] { saved = saver->Save(next); });
    waited = scene.clock.AwaitWaiter(absl::Milliseconds(20));
  };
  CHECK(scene.Open()->Next()->text == "access-2");
  CHECK(scene.File()["refresh_token"] == "refresh-2");
  scene.clock.Advance(absl::Milliseconds(20));
  save.join();
  CHECK(waited);
  CHECK(saved.ok());
  CHECK(scene.File()["refresh_token"] == "refresh-of-ben");
}

TEST_CASE("Who holds the file for ever holds nobody for ever") {
  Scene scene;
  const int holder = ::open((scene.path + ".lock").c_str(), O_RDWR);
  REQUIRE(::flock(holder, LOCK_EX) == 0);
  const auto login = scene.Open();
  absl::Status status;
  std::thread next([&] { status = login->Next().status(); });
  CHECK(scene.clock.AwaitWaiter(absl::Milliseconds(20)));
  SECTION("after 15 s it is an error that may be repeated") {
    scene.clock.Advance(absl::Seconds(15));
    next.join();
    CHECK(absl::IsUnavailable(status));
    CHECK(SilentReason(status) == "LOGIN_LOCKED");
    ::close(holder);
    CHECK(login->Next()->text == "access-2");
  }
  SECTION("a stop ends the wait") {
    login->Stop();
    next.join();
    CHECK(absl::IsUnavailable(status));
    ::close(holder);
    CHECK_FALSE(login->Next().ok());
  }
}

TEST_CASE("A login that was revoked stays as it is, and says so") {
  Scene scene;
  scene.login.refresh_token = "refresh-of-old";
  REQUIRE(scene.Open()->Save(scene.login).ok());
  const auto login = scene.Open();
  const auto token = login->Next();
  CHECK(absl::IsUnauthenticated(token.status()));
  CHECK(SilentReason(token.status()) == "INVALID_GRANT");
  scene.login.refresh_token = "refresh-1";  // Its user logs in again.
  REQUIRE(scene.Open()->Save(scene.login).ok());
  CHECK(login->Next()->text == "access-2");
}

TEST_CASE("A file that is not there, that others can read or that is no login is said") {
  Scene scene;
  const auto why = [&] { return SilentReason(scene.Open()->Next().status()); };
  for (const std::string text : {"", "{", "[]", "refresh-1", R"({"refresh_token":"refresh-1"})"}) {
    scene.Write(text);
    CHECK(why() == "INVALID_LOGIN_FILE");
  }
  for (const char* const name : {"issuer", "client_id", "refresh_token", "access_token_expires"}) {
    REQUIRE(scene.Open()->Save(scene.login).ok());
    nlohmann::json file = scene.File();
    file[name] = nullptr;
    scene.Write(file.dump());
    CHECK(why() == "INVALID_LOGIN_FILE");
  }
  REQUIRE(scene.Open()->Save(scene.login).ok());
  REQUIRE(::chmod(scene.path.c_str(), 0640) == 0);
  CHECK(why() == "FILE_EXPOSED");
  std::filesystem::remove(scene.path);
  CHECK(why() == "NO_LOGIN");
  CHECK(scene.issuer.posts().empty());
}

}  // namespace
}  // namespace kantoku::platform

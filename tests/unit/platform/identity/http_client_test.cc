#include "services/platform/identity/http_client.h"

#include <CivetServer.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"
#include "services/platform/url.h"

namespace kantoku::platform {
namespace {

// A web server whose answers are written by the test.
class WebServer final : public CivetHandler {
 public:
  explicit WebServer(std::function<void(mg_connection*)> answer)
      : answer_(std::move(answer)),
        server_(std::vector<std::string>{"listening_ports", "127.0.0.1:0", "num_threads", "2"}) {
    server_.addHandler("/", *this);
  }
  std::string url() {
    return "http://127.0.0.1:" + std::to_string(server_.getListeningPorts().front()) + "/keys";
  }
  bool handleGet(CivetServer*, mg_connection* connection) override {
    answer_(connection);
    return true;
  }
  bool handlePost(CivetServer*, mg_connection* connection) override {
    answer_(connection);
    return true;
  }

 private:
  const std::function<void(mg_connection*)> answer_;
  CivetServer server_;
};

std::function<void(mg_connection*)> Text(const std::string& text) {
  return [text](mg_connection* connection) { mg_write(connection, text.data(), text.size()); };
}

std::string Ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

template <typename Result>
std::string WhyNot(const absl::StatusOr<Result>& got) {
  REQUIRE_FALSE(got.ok());
  CHECK(ReasonOf(got.status()) == "FETCH_FAILED");
  return std::string(got.status().message());
}

TEST_CASE("The body of a document is what was asked for") {
  WebServer server(Text(Ok("{}")));
  CHECK(MakeHttpClient({})->Get(server.url()).value() == "{}");
}

TEST_CASE("A redirect is not followed, and other answers are none") {
  WebServer moved(Text("HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"));
  CHECK_THAT(WhyNot(MakeHttpClient({})->Get(moved.url())), Catch::Contains("status 302"));
  WebServer broken(Text("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"));
  CHECK_THAT(WhyNot(MakeHttpClient({})->Get(broken.url())), Catch::Contains("status 500"));
}

TEST_CASE("A document that is too large is not read to its end, whether it says so or not") {
  const HttpOptions options{.ca_file = "", .max_bytes = 1'000};
  WebServer honest(Text(Ok(std::string(1'001, 'x'))));
  CHECK_THAT(WhyNot(MakeHttpClient(options)->Get(honest.url())),
             Catch::Contains("larger than 1000"));
  WebServer endless([](mg_connection* connection) {
    const std::string start = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    mg_write(connection, start.data(), start.size());
    const std::string part(1'000, 'x');
    while (mg_write(connection, part.data(), part.size()) > 0) continue;
  });
  CHECK_THAT(WhyNot(MakeHttpClient(options)->Get(endless.url())),
             Catch::Contains("larger than 1000"));
  WebServer fits(Text(Ok(std::string(1'000, 'x'))));
  CHECK(MakeHttpClient(options)->Get(fits.url())->size() == 1'000);
}

TEST_CASE("A form arrives with every name and value encoded, and with who sends it") {
  std::string body(1'000, '\0');
  std::string type;
  std::string authorization;
  WebServer server([&](mg_connection* connection) {
    const auto header = [&](const char* name) {
      const char* const value = mg_get_header(connection, name);
      return std::string(value == nullptr ? "" : value);
    };
    type = header("Content-Type");
    authorization = header("Authorization");
    body.resize(static_cast<size_t>(std::max(0, mg_read(connection, body.data(), body.size()))));
    const std::string answer = Ok("{}");
    mg_write(connection, answer.data(), answer.size());
  });
  HttpPost post{.url = server.url(),
                .form = {{"a", "b c&d=e+%"}, {"x", "\xc3\xa9\n"}, {"plain", "Az09-._~"}},
                .user = "ann%3A",
                .password = "pass:word"};
  REQUIRE(MakeHttpClient({})->Post(post).ok());
  CHECK(body == "a=b%20c%26d%3De%2B%25&x=%C3%A9%0A&plain=Az09-._~");
  CHECK(type == "application/x-www-form-urlencoded");
  CHECK(authorization == "Basic YW5uJTNBOnBhc3M6d29yZA==");
  post.user.clear();
  REQUIRE(MakeHttpClient({})->Post(post).ok());
  CHECK(authorization.empty());
}

TEST_CASE("A refusal of a form is an answer, and a redirect or a failure is none") {
  int status = 0;
  WebServer server([&](mg_connection* connection) {
    mg_printf(connection, "HTTP/1.1 %d X\r\nLocation: /x\r\nContent-Length: 4\r\n\r\nbody", status);
  });
  const auto client = MakeHttpClient({});
  const HttpPost post{.url = server.url(), .form = {{"secret", "s3cret"}}};
  for (const int refusal : {400, 401, 403, 429}) {
    status = refusal;
    const auto answer = client->Post(post);
    REQUIRE(answer.ok());
    CHECK(answer->status == refusal);
    CHECK(answer->body == "body");
  }
  for (const int failure : {201, 302, 307, 500, 503}) {
    status = failure;
    const std::string why = WhyNot(client->Post(post));
    CHECK_THAT(why, Catch::Contains("status " + std::to_string(failure)));
    CHECK_THAT(why, !Catch::Contains("s3cret"));
  }
}

TEST_CASE("A form has the bounds of a document: address, size, and an end") {
  const auto client = MakeHttpClient({.ca_file = "", .max_bytes = 1'000});
  WebServer large(
      Text("HTTP/1.1 400 No\r\nContent-Length: 1001\r\n\r\n" + std::string(1'001, 'x')));
  CHECK_THAT(WhyNot(client->Post({.url = large.url()})), Catch::Contains("larger than 1000"));
  CHECK(ReasonOf(client->Post({.url = "http://id.example/token"}).status()) == "INVALID_URL");
  client->Stop();
  CHECK_THAT(WhyNot(client->Post({.url = large.url()})), Catch::Contains("stops"));
}

// Lets its requests wait for the end of the test.
class Gatekeeper {
 public:
  void Wait() {
    MutexLock lock(mutex_);
    ++waiting_;
    changed_.SignalAll();
    while (!open_) changed_.Wait(mutex_);
  }
  void AwaitOne() {
    MutexLock lock(mutex_);
    while (waiting_ == 0) changed_.Wait(mutex_);
  }
  void Open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.SignalAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST_CASE("A server that falls silent is given up") {
  Gatekeeper gatekeeper;
  WebServer silent([&](mg_connection*) { gatekeeper.Wait(); });
  const absl::Cleanup open = [&] { gatekeeper.Open(); };  // Before the server waits for its end.
  const auto client = MakeHttpClient({.ca_file = "", .timeout = absl::Milliseconds(50)});
  WhyNot(client->Get(silent.url()));
}

TEST_CASE("A stop does not wait for a server that is silent") {
  Gatekeeper gatekeeper;
  WebServer silent([&](mg_connection*) { gatekeeper.Wait(); });
  const absl::Cleanup open = [&] { gatekeeper.Open(); };  // Before the server waits for its end.
  const auto client = MakeHttpClient({.ca_file = "", .timeout = absl::Hours(1)});
  absl::Status got;
  std::thread get([&] { got = client->Get(silent.url()).status(); });
  gatekeeper.AwaitOne();
  client->Stop();
  get.join();
  CHECK(ReasonOf(got) == "FETCH_FAILED");
}

TEST_CASE("Only https, and http of this computer, is asked") {
  for (const char* const good :
       {"https://id.example", "https://id.example/realms/a", "https://id.example:8443/x",
        "http://127.0.0.1:1", "http://localhost/x", "http://[::1]:80/x"}) {
    CAPTURE(good);
    CHECK(CheckUrl(good).ok());
  }
  for (const char* const bad :
       {"", "id.example", "http://id.example", "http://127.0.0.1.evil.example", "http://localhostx",
        "https://", "https:///x", "file:///etc/passwd", "ftp://127.0.0.1/", "https://a b",
        "https://id.example/?x", "https://id.example/#x", "https://127.0.0.1@evil.example/",
        "http://127.0.0.1@evil.example", "http://localhost\\@evil", "HTTPS://id.example",
        " https://x"}) {
    CAPTURE(bad);
    CHECK(ReasonOf(CheckUrl(bad)) == "INVALID_URL");
    CHECK(ReasonOf(MakeHttpClient({})->Get(bad).status()) == "INVALID_URL");
  }
}

}  // namespace
}  // namespace kantoku::platform

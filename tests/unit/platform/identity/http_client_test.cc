#include "services/platform/identity/http_client.h"

#include <CivetServer.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"
#include "services/platform/tls/certificate_authority.h"
#include "services/platform/url.h"
#include "tests/support/temp_dir.h"

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

// A web server with TLS: whoever comes through the handshake and asks is answered "{}".
class TlsServer {
 public:
  explicit TlsServer(const KeyAndChain& pair)
      : context_(::SSL_CTX_new(::TLS_server_method()), &::SSL_CTX_free),
        socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const test::TempDir directory;
    const std::string path = directory.File("pair.pem");
    std::ofstream(path) << pair.key_pem << pair.chain_pem;
    REQUIRE(::SSL_CTX_use_certificate_chain_file(context_.get(), path.c_str()) == 1);
    REQUIRE(::SSL_CTX_use_PrivateKey_file(context_.get(), path.c_str(), SSL_FILETYPE_PEM) == 1);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const at = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket_, at, size) == 0);
    REQUIRE(::listen(socket_, 8) == 0);
    REQUIRE(::getsockname(socket_, at, &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~TlsServer() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  std::string url(const std::string& host) const {
    return "https://" + host + ":" + std::to_string(port_) + "/keys";
  }
  // How many have said anything to it that they would not say to just anybody.
  int requests() const { return requests_; }

 private:
  void Serve() {
    // OpenSSL's sockets raise it; it is the client that must not, on its own thread.
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    for (int fd = 0; (fd = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(fd)) {
      const std::unique_ptr<SSL, decltype(&::SSL_free)> ssl(::SSL_new(context_.get()), &::SSL_free);
      ::SSL_set_fd(ssl.get(), fd);
      std::string request(1'000, '\0');
      if (::SSL_accept(ssl.get()) != 1) continue;
      if (::SSL_read(ssl.get(), request.data(), static_cast<int>(request.size())) <= 0) continue;
      ++requests_;
      const std::string answer = Ok("{}");
      ::SSL_write(ssl.get(), answer.data(), static_cast<int>(answer.size()));
      ::SSL_shutdown(ssl.get());
    }
    ::ERR_clear_error();
  }

  const std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> context_;
  const int socket_;
  uint16_t port_ = 0;
  std::atomic<int> requests_ = 0;
  std::thread thread_;
};

KeyAndChain IssueFor(const std::string& directory, const std::string& host) {
  const auto authority = CertificateAuthority::LoadOrCreate(directory, absl::Now());
  REQUIRE(authority.ok());
  const auto pair = (*authority)
                        ->Issue({.kind = CertificateAuthority::Kind::kServer,
                                 .names = {host},
                                 .lifetime = absl::Hours(1)},
                                absl::Now());
  REQUIRE(pair.ok());
  return *pair;
}

TEST_CASE(
    "A server whose certificate is of another authority, or for another name, is told nothing") {
  const test::TempDir directory;
  const TlsServer server(IssueFor(directory.File("ca"), "127.0.0.1"));
  IssueFor(directory.File("other"), "127.0.0.1");
  const auto trusting = [&](const std::string& ca_file) {
    return MakeHttpClient({.ca_file = ca_file});
  };
  const std::string authority = directory.File("ca/ca.pem");
  CHECK(trusting(authority)->Get(server.url("127.0.0.1")).value() == "{}");
  HttpPost post{.url = server.url("127.0.0.1"), .form = {{"client_secret", "s3cret"}}};
  CHECK(trusting(authority)->Post(post)->status == 200);
  REQUIRE(server.requests() == 2);

  const auto refused = [&](const std::string& ca_file, const std::string& host) {
    const auto client = trusting(ca_file);
    post.url = server.url(host);
    CHECK_THAT(WhyNot(client->Get(post.url)), Catch::Contains("certificate"));
    CHECK_THAT(WhyNot(client->Post(post)), Catch::Contains("certificate"));
  };
  refused(directory.File("other/ca.pem"), "127.0.0.1");
  refused("", "127.0.0.1");  // Those of the system.
  refused(authority, "localhost");
  CHECK(server.requests() == 2);
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

#include "services/platform/tls/pin.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/clock.h"
#include "services/platform/status.h"
#include "tests/unit/platform/tls/certificates_kit.h"

namespace kantoku::platform {
namespace {

using test::IssueServer;
using test::kNow;
using test::MakeAuthority;
using test::Verify;
using tls::Owned;

constexpr absl::Duration kLong = absl::Minutes(2);  // Nothing should take it.
constexpr absl::Duration kShort = absl::Milliseconds(200);

// Listens on a port of its own and does to each connection what it was made for, until it ends.
class FakeServer {
 public:
  using Serve = std::function<void(int connection, int stop)>;

  explicit FakeServer(Serve serve)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        stop_(::eventfd(0, EFD_CLOEXEC)),
        serve_(std::move(serve)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    KANTOKU_CHECK(::bind(socket_, generic, size) == 0 && ::listen(socket_, 8) == 0);
    KANTOKU_CHECK(::getsockname(socket_, generic, &size) == 0);
    port_ = ntohs(address.sin_port);
    if (serve_ != nullptr) thread_ = std::thread([this] { Run(); });
  }
  ~FakeServer() {
    KANTOKU_CHECK(::eventfd_write(stop_, 1) == 0);
    if (thread_.joinable()) thread_.join();
    ::close(socket_);
    ::close(stop_);
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  int port() const { return port_; }

 private:
  void Run() const {
    // OpenSSL's sockets raise it; it is the client that must not, on its own thread.
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    while (true) {
      pollfd waited[] = {{.fd = socket_, .events = POLLIN}, {.fd = stop_, .events = POLLIN}};
      ::poll(waited, 2, -1);
      if (waited[1].revents != 0) return;
      const int connection = ::accept(socket_, nullptr, nullptr);
      if (connection < 0) continue;
      serve_(connection, stop_);
      ::close(connection);
    }
  }

  const int socket_;
  const int stop_;
  const Serve serve_;
  uint16_t port_ = 0;
  std::thread thread_;
};

bool IsStopped(int stop, int milliseconds) {
  pollfd waited{.fd = stop, .events = POLLIN};
  return ::poll(&waited, 1, milliseconds) > 0;
}

// What a client should have told.
struct Asked {
  std::string alpn;
  std::string name;
  int version = 0;
  int bytes_after = 0;
};

int TakeHttp2(SSL* /*tls*/, const unsigned char** chosen, unsigned char* size,
              const unsigned char* offered, unsigned int offered_size, void* asked) {
  static_cast<Asked*>(asked)->alpn.assign(reinterpret_cast<const char*>(offered), offered_size);
  *chosen = offered + 1;
  *size = offered[0];
  return SSL_TLSEXT_ERR_OK;
}

// Shows this pair, by TLS up to this version.
Owned<SSL> MakeTls(const KeyAndChain& pair, Asked& asked, int version) {
  const Owned<SSL_CTX> context(::SSL_CTX_new(::TLS_server_method()));
  ::SSL_CTX_set_security_level(context.get(), 0);
  ::SSL_CTX_set_max_proto_version(context.get(), version);
  ::SSL_CTX_set_alpn_select_cb(context.get(), TakeHttp2, &asked);
  const auto key = tls::ParseKey(pair.key_pem);
  const auto chain = tls::ParseCertificates(pair.chain_pem);
  ::SSL_CTX_use_certificate(context.get(), chain->front().get());
  for (size_t i = 1; i < chain->size(); ++i) {
    ::SSL_CTX_add1_chain_cert(context.get(), (*chain)[i].get());
  }
  ::SSL_CTX_use_PrivateKey(context.get(), key->get());
  return Owned<SSL>(::SSL_new(context.get()));
}

// A server as gRPC's is.
FakeServer::Serve ServeTls(const KeyAndChain& pair, Asked& asked, int version = TLS1_3_VERSION) {
  return [pair, &asked, version](int connection, int /*stop*/) {
    const Owned<SSL> tls = MakeTls(pair, asked, version);
    ::SSL_set_fd(tls.get(), connection);
    if (::SSL_accept(tls.get()) != 1) return;
    const char* const name = ::SSL_get_servername(tls.get(), TLSEXT_NAMETYPE_host_name);
    asked.name = name != nullptr ? name : "";
    asked.version = ::SSL_version(tls.get());
    char byte = 0;
    asked.bytes_after = ::SSL_read(tls.get(), &byte, 1) > 0 ? 1 : 0;
  };
}

void ResetOnClose(int connection) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

// A server that is gone when its half of the handshake comes, and the client has to say more.
FakeServer::Serve AnswerAndReset(const KeyAndChain& pair, Asked& asked) {
  return [pair, &asked](int connection, int /*stop*/) {
    const Owned<SSL> tls = MakeTls(pair, asked, TLS1_3_VERSION);
    ::SSL_set0_rbio(tls.get(), ::BIO_new_socket(connection, BIO_NOCLOSE));
    BIO* const out = ::BIO_new(::BIO_s_mem());
    ::SSL_set0_wbio(tls.get(), out);
    // Has said all that it has to say first when it would wait for more of the client.
    ::fcntl(connection, F_SETFL, O_NONBLOCK);
    pollfd waited{.fd = connection, .events = POLLIN};
    while (BIO_pending(out) == 0 && ::poll(&waited, 1, -1) > 0) ::SSL_accept(tls.get());
    char* data = nullptr;
    const auto size = ::BIO_get_mem_data(out, &data);
    const int corked = 1;
    ::setsockopt(connection, IPPROTO_TCP, TCP_CORK, &corked, sizeof(corked));
    static_cast<void>(::send(connection, data, static_cast<size_t>(size), MSG_NOSIGNAL));
    ::shutdown(connection, SHUT_WR);
    ResetOnClose(connection);
  };
}

struct Fixture {
  test::TempDir directory;
  test::TempDir other_directory;
  std::unique_ptr<CertificateAuthority> authority = MakeAuthority(directory);
  std::unique_ptr<CertificateAuthority> other = MakeAuthority(other_directory);
  Fingerprint pin = *SpkiFingerprint(authority->certificate());
};

void CheckCannotConnect(const absl::Status& status, std::string_view why) {
  CAPTURE(status, why);
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(status) == "CANNOT_CONNECT");
  CHECK(absl::StrContains(status.message(), "the server at "));
  CHECK(absl::StrContains(status.message(), ToAbsl(why)));
}

TEST_CASE("The pinned authority is taken from the chain that a server shows, and nothing is sent") {
  const Fixture f;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Asked asked;
    {
      const FakeServer server(ServeTls(IssueServer(*f.authority), asked, version));
      const auto fetched = FetchAuthority(server.address(), f.pin, kLong);
      CAPTURE(fetched.status());
      REQUIRE(fetched.ok());
      CHECK(*fetched == f.authority->certificate());
    }
    CHECK(asked.alpn == "\x02h2");
    CHECK(asked.name == kInternalName);
    CHECK(asked.version == version);
    CHECK(asked.bytes_after == 0);
  }
}

TEST_CASE("A server is reached by name and by IPv6 address") {
  const Fixture f;
  Asked asked;
  const FakeServer server(ServeTls(IssueServer(*f.authority), asked));
  // On most machines ::1 first, where nobody listens.
  CHECK(FetchAuthority(absl::StrCat("localhost:", server.port()), f.pin, kLong).ok());
  // Of IPv6, but also where this computer has no such address.
  CHECK(FetchAuthority(absl::StrCat("[::ffff:127.0.0.1]:", server.port()), f.pin, kLong).ok());
}

TEST_CASE("A server of another authority is told apart") {
  const Fixture f;
  Asked asked;
  const FakeServer server(ServeTls(IssueServer(*f.other), asked));
  const absl::Status status = FetchAuthority(server.address(), f.pin, kLong).status();
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(status) == "PIN_MISMATCH");
  CHECK(
      absl::StrContains(status.message(), "shows no certificate authority with the fingerprint "));
}

TEST_CASE("A leaf is not taken for an authority, though its fingerprint be the pinned one") {
  const Fixture f;
  Asked asked;
  const KeyAndChain pair = IssueServer(*f.authority);
  const Fingerprint pin_of_leaf = *SpkiFingerprint(test::LeafOf(pair.chain_pem));
  const FakeServer server(ServeTls(pair, asked));
  CHECK(ReasonOf(FetchAuthority(server.address(), pin_of_leaf, kLong).status()) == "PIN_MISMATCH");
}

TEST_CASE("A server that does not show its authority cannot be pinned") {
  const Fixture f;
  Asked asked;
  KeyAndChain pair = IssueServer(*f.authority);
  pair.chain_pem = test::LeafOf(pair.chain_pem);
  const FakeServer server(ServeTls(pair, asked));
  CHECK(ReasonOf(FetchAuthority(server.address(), f.pin, kLong).status()) == "PIN_MISMATCH");
}

TEST_CASE("An attacker who appends the genuine authority gains nothing: his leaf does not verify") {
  const Fixture f;
  Asked asked;
  KeyAndChain forged = IssueServer(*f.other, kNow, {kInternalName});
  forged.chain_pem = test::LeafOf(forged.chain_pem) + f.authority->certificate();
  const FakeServer server(ServeTls(forged, asked));
  const auto fetched = FetchAuthority(server.address(), f.pin, kLong);
  REQUIRE(fetched.ok());
  CHECK(*fetched == f.authority->certificate());
  CHECK(Verify(forged.chain_pem, *fetched, kNow) != X509_V_OK);
  CHECK(Verify(IssueServer(*f.authority).chain_pem, *fetched, kNow) == X509_V_OK);
}

TEST_CASE("A server without certificates worth the name, of an old TLS or of none is no harm") {
  const Fixture f;
  Asked asked;
  const FakeServer old(ServeTls(IssueServer(*f.authority), asked, TLS1_1_VERSION));
  CheckCannotConnect(FetchAuthority(old.address(), f.pin, kLong).status(), "does not agree on TLS");
  const FakeServer plain([](int connection, int stop) {
    constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);  // HTTP/2 without TLS.
    static_cast<void>(::send(connection, kSettings.data(), kSettings.size(), MSG_NOSIGNAL));
    IsStopped(stop, -1);
  });
  CheckCannotConnect(FetchAuthority(plain.address(), f.pin, kLong).status(),
                     "does not agree on TLS");
}

TEST_CASE("A server that closes or resets the connection ends the attempt and not the program") {
  const Fixture f;
  const FakeServer closing([](int /*connection*/, int /*stop*/) {});
  const FakeServer resetting([](int connection, int /*stop*/) { ResetOnClose(connection); });
  Asked asked;
  const FakeServer answering(AnswerAndReset(IssueServer(*f.authority), asked));
  for (int i = 0; i < 50; ++i) {
    CheckCannotConnect(FetchAuthority(closing.address(), f.pin, kLong).status(), "");
    CheckCannotConnect(FetchAuthority(resetting.address(), f.pin, kLong).status(), "");
    // It may be that what the client says last is still taken.
    static_cast<void>(FetchAuthority(answering.address(), f.pin, kLong));
  }
}

TEST_CASE("A server that hangs or drips does not hold a caller longer than it wanted") {
  const Fixture f;
  const FakeServer hanging(nullptr);  // The system accepts for it; nobody answers.
  const FakeServer dripping([](int connection, int stop) {
    // A record of 16 KiB whose last byte would come after minutes.
    std::string bytes("\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", 9);
    for (size_t i = 0; !IsStopped(stop, 10); ++i) {
      const char byte = i < bytes.size() ? bytes[i] : '\0';
      if (::send(connection, &byte, 1, MSG_NOSIGNAL) <= 0) return;
    }
  });
  for (const FakeServer* server : {&hanging, &dripping}) {
    const absl::Duration began = Clock::Real().Read().steady;
    const auto fetched = FetchAuthority(server->address(), f.pin, kShort);
    CheckCannotConnect(fetched.status(), "it takes too long");
    const absl::Duration took = Clock::Real().Read().steady - began;
    CHECK(took >= kShort);
    CHECK(took < absl::Seconds(30));
  }
}

TEST_CASE("Where nobody listens there is nothing to fetch") {
  const Fixture f;
  std::string address;
  {
    const FakeServer gone(nullptr);
    address = gone.address();
  }
  CheckCannotConnect(FetchAuthority(address, f.pin, kLong).status(), address);
  CheckCannotConnect(FetchAuthority("no-such-host.invalid:1", f.pin, kLong).status(),
                     "no-such-host.invalid:1");
}

TEST_CASE("What is no address is refused before anybody is asked") {
  const Fixture f;
  for (const char* address : {"", "a", ":1", "a:", "a:0", "a:65536", "a:b", "a:-1", "::1:80",
                              "[]:1", "https://a:1", "a:1/b"}) {
    CAPTURE(address);
    const absl::Status status = FetchAuthority(address, f.pin, kShort).status();
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(ReasonOf(status) == "INVALID_ADDRESS");
  }
}

}  // namespace
}  // namespace kantoku::platform

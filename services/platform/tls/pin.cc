#include "services/platform/tls/pin.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/clock.h"
#include "services/platform/status.h"
#include "services/platform/tls/certificate_authority.h"
#include "services/platform/tls/x509.h"

namespace kantoku::platform {
namespace {

using tls::Owned;

constexpr unsigned char kHttp2[] = {2, 'h', '2'};

absl::Status CannotConnect(std::string_view why) {
  return Error(absl::StatusCode::kUnavailable, "CANNOT_CONNECT", why);
}

absl::Duration SteadyNow() { return Clock::Real().Read().steady; }

struct FreeAddresses {
  void operator()(addrinfo* addresses) const { ::freeaddrinfo(addresses); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

absl::StatusOr<Addresses> Resolve(const std::string& address) {
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  std::string host = address.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (colon == std::string::npos || host.empty() ||
      host.find_first_of(bracketed ? "[]" : "[]:") != std::string::npos ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port == 0 || port > UINT16_MAX) {
    return Error(absl::StatusCode::kInvalidArgument, "INVALID_ADDRESS",
                 absl::StrCat("'", absl::CHexEscape(address), "' is not of the form host:port"));
  }
  const addrinfo hints{.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), absl::StrCat(port).c_str(), &hints, &found);
  if (error != 0) return CannotConnect(::gai_strerror(error));
  return Addresses(found);
}

// A TCP connection that is given up at a steady time.
class Connection {
 public:
  explicit Connection(absl::Duration deadline) : deadline_(deadline) {}
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  absl::Status Connect(const addrinfo& to) {
    fd_ = ::socket(to.ai_family, to.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, to.ai_protocol);
    if (fd_ < 0) return FromErrno(errno);
    if (::connect(fd_, to.ai_addr, to.ai_addrlen) == 0) return absl::OkStatus();
    if (errno != EINPROGRESS && errno != EINTR) return FromErrno(errno);
    KANTOKU_RETURN_IF_ERROR(WaitFor(POLLOUT));
    int error = 0;
    socklen_t size = sizeof(error);
    if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    return error == 0 ? absl::OkStatus() : FromErrno(error);
  }

  absl::Status Send(std::string_view bytes) {
    while (!bytes.empty()) {
      KANTOKU_RETURN_IF_ERROR(WaitFor(POLLOUT));
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
      } else if (errno != EAGAIN && errno != EINTR) {
        return FromErrno(errno);
      }
    }
    return absl::OkStatus();
  }

  // At least one byte.
  absl::StatusOr<std::string_view> Receive() {
    while (true) {
      KANTOKU_RETURN_IF_ERROR(WaitFor(POLLIN));
      const ssize_t got = ::recv(fd_, buffer_.data(), buffer_.size(), 0);
      if (got > 0) return std::string_view(buffer_.data(), static_cast<size_t>(got));
      if (got == 0) return CannotConnect("it has closed the connection");
      if (errno != EAGAIN && errno != EINTR) return FromErrno(errno);
    }
  }

 private:
  static absl::Status FromErrno(int error) { return CannotConnect(std::strerror(error)); }

  absl::Status WaitFor(int16_t events) const {
    while (true) {
      // Also when there is something at once: a server may go on for ever.
      const absl::Duration left = deadline_ - SteadyNow();
      if (left <= absl::ZeroDuration()) return CannotConnect("it takes too long");
      pollfd waited{.fd = fd_, .events = events, .revents = 0};
      constexpr absl::Duration kLongest = absl::Minutes(1);
      const auto milliseconds =
          absl::ToInt64Milliseconds(std::min(left, kLongest) + absl::Milliseconds(1));
      const int ready = ::poll(&waited, 1, static_cast<int>(milliseconds));
      if (ready > 0) return absl::OkStatus();
      if (ready < 0 && errno != EINTR) return FromErrno(errno);
    }
  }

  const absl::Duration deadline_;
  int fd_ = -1;
  std::array<char, 4'096> buffer_;
};

Owned<SSL_CTX> NewContext() {
  Owned<SSL_CTX> context(::SSL_CTX_new(::TLS_client_method()));
  KANTOKU_CHECK(context != nullptr &&
                ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1 &&
                ::SSL_CTX_set_alpn_protos(context.get(), kHttp2, sizeof(kHttp2)) == 0);
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
  return context;
}

// A handshake over memory: OpenSSL's own sockets would neither keep the deadline nor stop a signal
// of a broken connection.
absl::StatusOr<Owned<SSL>> ShakeHands(SSL_CTX& context, Connection& connection) {
  Owned<SSL> shaken(::SSL_new(&context));
  BIO* const in = ::BIO_new(::BIO_s_mem());
  BIO* const out = ::BIO_new(::BIO_s_mem());
  KANTOKU_CHECK(shaken != nullptr && in != nullptr && out != nullptr);
  ::SSL_set_bio(shaken.get(), in, out);  // Takes both.
  // As the connection that follows will ask.
  KANTOKU_CHECK(::SSL_set_tlsext_host_name(shaken.get(), kInternalName) == 1);
  while (true) {
    const int done = ::SSL_connect(shaken.get());
    const int error = ::SSL_get_error(shaken.get(), done);
    char* data = nullptr;
    const auto size = ::BIO_get_mem_data(out, &data);
    KANTOKU_RETURN_IF_ERROR(connection.Send({data, static_cast<size_t>(size)}));
    static_cast<void>(BIO_reset(out));
    if (done == 1) return shaken;
    if (error != SSL_ERROR_WANT_READ) return CannotConnect("it does not agree on TLS");
    KANTOKU_ASSIGN_OR_RETURN(const std::string_view bytes, connection.Receive());
    KANTOKU_CHECK(::BIO_write(in, bytes.data(), static_cast<int>(bytes.size())) ==
                  static_cast<int>(bytes.size()));
  }
}

// Of the first of the addresses that answers. Each has its share of the time.
absl::StatusOr<Owned<SSL>> ShakeHandsWithAny(const addrinfo* addresses, absl::Duration deadline) {
  const Owned<SSL_CTX> context = NewContext();
  int left = 0;
  for (const addrinfo* each = addresses; each != nullptr; each = each->ai_next) ++left;
  absl::Status failed = CannotConnect("it has no address");
  for (const addrinfo* each = addresses; each != nullptr; each = each->ai_next, --left) {
    const absl::Duration now = SteadyNow();
    Connection connection(now + (deadline - now) / left);
    failed = connection.Connect(*each);
    if (!failed.ok()) continue;
    auto shaken = ShakeHands(*context, connection);
    if (shaken.ok()) return shaken;
    failed = shaken.status();
  }
  return failed;
}

}  // namespace

absl::StatusOr<std::string> FetchAuthority(const std::string& address, const Fingerprint& pin,
                                           absl::Duration timeout) {
  const tls::ErrorQueue errors;
  const absl::Duration deadline = SteadyNow() + timeout;
  const std::string what = absl::StrCat("the server at ", address);
  auto addresses = Resolve(address);
  if (absl::IsInvalidArgument(addresses.status())) return addresses.status();
  if (!addresses.ok()) return Annotate(addresses.status(), what);
  const auto shaken = ShakeHandsWithAny(addresses->get(), deadline);
  if (!shaken.ok()) return Annotate(shaken.status(), what);
  STACK_OF(X509)* const chain = ::SSL_get_peer_cert_chain(shaken->get());
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    X509* const certificate = sk_X509_value(chain, i);
    if (tls::SpkiFingerprint(*certificate) == pin && ::X509_check_ca(certificate) >= 1) {
      return tls::PemOf(*certificate);
    }
  }
  const absl::string_view bytes(reinterpret_cast<const char*>(pin.data()), pin.size());
  return Error(absl::StatusCode::kFailedPrecondition, "PIN_MISMATCH",
               absl::StrCat(what, " shows no certificate authority with the fingerprint ",
                            absl::BytesToHexString(bytes),
                            ": it is another one, or somebody is in between"));
}

}  // namespace kantoku::platform

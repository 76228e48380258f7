#include "services/platform/access/target.h"

#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/access/access_file.h"
#include "services/platform/access/grant_token.h"
#include "services/platform/access/issuer_token.h"
#include "services/platform/directories.h"
#include "services/platform/status.h"
#include "services/platform/tls/client_files.h"

namespace kantoku::platform {
namespace {

constexpr char kVariable[] = "KANTOKU_ACCESS";

// Whether both are ports of this computer, or the same text.
bool IsSameServer(std::string_view one, std::string_view other) {
  if (one == other) return true;
  const auto port = [](std::string_view address) { return address.substr(address.rfind(':') + 1); };
  return IsOwnAddress(one) && IsOwnAddress(other) && port(one) == port(other);
}

struct FoundAccess {
  std::string path;
  Access access;

  // Whoever shows a certificate of this authority is the server, wherever it is.
  bool pins() const { return !access.server_name.empty(); }
};

absl::Status CheckIsFor(const FoundAccess& found, const TargetOptions& options) {
  const bool other_server = !options.server.empty() && !found.pins() &&
                            !IsSameServer(options.server, found.access.server);
  const bool other_authority = !options.ca_file.empty() && found.pins() && options.token.empty() &&
                               options.token_file.empty();
  if (!other_server && !other_authority) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "ACCESS_OF_ANOTHER_SERVER",
               absl::StrCat(found.path, " is for ", found.access.server, ", and not for ",
                            other_server ? options.server : "one with another authority"));
}

// That was named, or that is there anyway and fits.
absl::StatusOr<std::optional<FoundAccess>> FindAccess(const TargetOptions& options) {
  const char* const variable = std::getenv(kVariable);
  std::string path = options.access_file;
  if (path.empty() && variable != nullptr) path = variable;
  const bool is_named = !path.empty();
  if (!is_named) path = AccessFileIn(DefaultDataDir());
  auto access = ReadAccessFile(path);
  if (!is_named && absl::IsNotFound(access.status())) return std::nullopt;
  if (!access.ok()) return access.status();
  const bool fits = options.server.empty() || IsSameServer(options.server, access->server);
  if (!is_named && !fits) return std::nullopt;
  FoundAccess found{std::move(path), *std::move(access)};
  KANTOKU_RETURN_IF_ERROR(CheckIsFor(found, options));
  return found;
}

absl::StatusOr<std::string> TokenIn(const std::string& path) {
  KANTOKU_ASSIGN_OR_RETURN(Access access, ReadAccessFile(path));
  return std::move(access.token);
}

absl::StatusOr<std::string> ReadPem(std::string_view option, const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (file && !text.str().empty()) return std::move(text).str();
  return Error(absl::StatusCode::kInvalidArgument, "UNREADABLE_FILE",
               absl::StrCat(ToAbsl(option), ": cannot read ", path));
}

// Where the server is and why it is trusted.
absl::StatusOr<Access> ServerOf(const TargetOptions& options,
                                const std::optional<FoundAccess>& found,
                                const std::string& otherwise) {
  Access server;
  server.server = !options.server.empty() ? options.server
                  : found.has_value()     ? found->access.server
                                          : otherwise;
  if (options.ca_file == kSystemAuthorities) {
    server.authorities = kSystemAuthorities;
  } else if (!options.ca_file.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(server.authorities, ReadPem("ca_file", options.ca_file));
  } else if (found.has_value()) {
    server.authorities = found->access.authorities;
    server.server_name = found->access.server_name;
  }
  return server;
}

absl::StatusOr<LiveFiles> Watch(const ClientFiles& files) {
  auto live = WatchClientFiles(files);
  if (absl::IsNotFound(live.status())) {
    return Error(absl::StatusCode::kInvalidArgument, "UNREADABLE_FILE",
                 absl::StrCat("certificate_file, key_file: ", live.status().message()));
  }
  return live;
}

absl::StatusOr<std::optional<ChannelTls>> TlsOf(const TargetOptions& options,
                                                const Access& server) {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "HALF_A_PAIR",
                 "certificate_file and key_file: one of them is missing");
  }
  const bool may_be_plain =
      IsOwnAddress(server.server) || options.insecure_plaintext_beyond_loopback;
  if (server.authorities.empty() && may_be_plain) return std::nullopt;
  ChannelTls tls;
  tls.server_name = server.server_name;
  // As gRPC has it, which takes those of the system where none are named.
  const bool are_systems = server.authorities == kSystemAuthorities;
  if (!are_systems) tls.authorities = server.authorities;
  ClientFiles files = {.certificate_file = options.certificate_file, .key_file = options.key_file};
  if (!are_systems) files.ca_file = options.ca_file;
  if (files == ClientFiles()) return tls;
  if (files.ca_file.empty()) files.authorities = tls.authorities;
  KANTOKU_ASSIGN_OR_RETURN(LiveFiles live, Watch(files));
  tls.authorities_file = std::move(live.authorities);
  tls.identity_file = std::move(live.identity);
  return tls;
}

}  // namespace

absl::StatusOr<Target> FindTarget(const TargetOptions& options, const std::string& otherwise,
                                  Clock& clock) {
  KANTOKU_ASSIGN_OR_RETURN(const std::optional<FoundAccess> found, FindAccess(options));
  KANTOKU_ASSIGN_OR_RETURN(const Access server, ServerOf(options, found, otherwise));
  Target target;
  target.server = server.server;
  target.channel.insecure_plaintext_beyond_loopback = options.insecure_plaintext_beyond_loopback;
  KANTOKU_ASSIGN_OR_RETURN(target.channel.tls, TlsOf(options, server));
  KANTOKU_ASSIGN_OR_RETURN(target.channel.tokens,
                           MakeTokenSource(options.token, options.token_file, clock));
  if (target.channel.tokens != nullptr || !found.has_value()) return target;
  const Access& access = found->access;
  const TokenWait wait = {.may_come_later = options.token_may_come_later,
                          .patience = options.patience};
  if (!access.token.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(target.channel.tokens, MakeTokenFile(found->path, clock, TokenIn));
  } else if (!access.grant.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(const auto channel, MakeChannel(target.server, target.channel));
    KANTOKU_ASSIGN_OR_RETURN(target.channel.tokens, OpenGrantToken(channel, access, wait, clock));
  } else if (!access.login_file.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(target.channel.tokens, OpenLoginToken(access.login_file, wait, clock));
  } else if (!access.issuer.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(target.channel.tokens, OpenClientToken(access, wait, clock));
  }
  return target;
}

absl::StatusOr<Access> FindServer(const TargetOptions& options, const std::string& otherwise) {
  KANTOKU_ASSIGN_OR_RETURN(const std::optional<FoundAccess> found, FindAccess(options));
  return ServerOf(options, found, otherwise);
}

}  // namespace kantoku::platform

#include "services/platform/access/join_string.h"

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/platform/access/access_file.h"
#include "services/platform/auth/secret.h"
#include "services/platform/directories.h"
#include "services/platform/status.h"
#include "services/platform/tls/certificate_authority.h"
#include "services/platform/tls/pin.h"

namespace kantoku::platform {
namespace {

constexpr absl::string_view kForm = "kantoku1";

bool IsGrantId(absl::string_view text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

bool ReadFingerprint(absl::string_view text, Fingerprint& fingerprint) {
  std::string bytes;
  if (!IsSecretText(ToStd(text)) || !absl::WebSafeBase64Unescape(text, &bytes) ||
      bytes.size() != fingerprint.size()) {
    return false;
  }
  std::copy(bytes.begin(), bytes.end(), fingerprint.begin());
  return true;
}

}  // namespace

std::string ToText(const JoinString& join) {
  const absl::string_view pin(reinterpret_cast<const char*>(join.authority.data()),
                              join.authority.size());
  return absl::StrCat(kForm, ".", join.grant, ".", join.secret, ".", absl::WebSafeBase64Escape(pin),
                      "@", join.server);
}

absl::StatusOr<JoinString> ParseJoinString(std::string_view text) {
  const std::vector<absl::string_view> sides =
      absl::StrSplit(ToAbsl(text), absl::MaxSplits('@', 1));
  const std::vector<absl::string_view> parts = absl::StrSplit(sides.front(), '.');
  JoinString join;
  const bool good = sides.size() == 2 && parts.size() == 4 && parts[0] == kForm &&
                    IsGrantId(parts[1]) && IsSecretText(ToStd(parts[2])) &&
                    ReadFingerprint(parts[3], join.authority) &&
                    sides[1].find(':') != absl::string_view::npos;
  if (!good) {
    return Error(absl::StatusCode::kInvalidArgument, "INVALID_JOIN_STRING",
                 "it is no join string as `kantoku token create` prints one");
  }
  join.grant = std::string(parts[1]);
  join.secret = std::string(parts[2]);
  join.server = std::string(sides[1]);
  return join;
}

absl::StatusOr<std::string> AcceptJoinString(std::string_view text, const std::string& directory,
                                             absl::Duration timeout) {
  KANTOKU_ASSIGN_OR_RETURN(const JoinString join, ParseJoinString(text));
  const std::string path = absl::StrCat(directory, "/", join.grant, ".json");
  const auto before = ReadAccessFile(path);
  if (before.ok() && before->server == join.server) return path;
  if (before.ok()) {
    return Error(absl::StatusCode::kFailedPrecondition, "JOINED_ELSEWHERE",
                 absl::StrCat(path, ": was made for ", before->server, "; change it there if ",
                              join.server, " is the same server"));
  }
  // A file that is there has the holder's secret, without which the grant is lost.
  if (!absl::IsNotFound(before.status())) return before.status();
  KANTOKU_RETURN_IF_ERROR(MakeDirectory(directory).status());
  Access access;
  KANTOKU_ASSIGN_OR_RETURN(access.authorities,
                           FetchAuthority(join.server, join.authority, timeout));
  access.server = join.server;
  access.server_name = kInternalName;
  access.grant = join.grant;
  access.secret = join.secret;
  access.holder_secret = MakeSecret();
  const absl::Status created = CreateAccessFile(path, access);
  // Of two programs that join at once both use the secret of the first.
  if (!created.ok() && !absl::IsAlreadyExists(created)) return created;
  return path;
}

std::string DefaultJoinedDir() {
  const auto from = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  if (const std::string state = from("XDG_STATE_HOME"); !state.empty()) {
    return state + "/kantoku/joined";
  }
  return from("HOME") + "/.local/state/kantoku/joined";
}

}  // namespace kantoku::platform

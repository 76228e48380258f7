#ifndef KANTOKU_SERVICES_PLATFORM_ACCESS_JOIN_STRING_H_
#define KANTOKU_SERVICES_PLATFORM_ACCESS_JOIN_STRING_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/tls/certificates.h"

namespace kantoku::platform {

// All that another computer needs to join: where the server is, how its authority is known, and a
// grant. As text: `kantoku1.GRANT.SECRET.FINGERPRINT@HOST:PORT`, the fingerprint in base64url.
struct JoinString {
  std::string server;
  std::string grant;
  std::string secret;
  Fingerprint authority{};
};

std::string ToText(const JoinString& join);

// INVALID_ARGUMENT, INVALID_JOIN_STRING says nothing of what is in it.
absl::StatusOr<JoinString> ParseJoinString(std::string_view text);

// Accepts it: makes an access file in `directory`, named after the grant, and answers its path. The
// server shows its authority, which is compared with the fingerprint; nothing is sent before. What
// was accepted before is left as it is, without asking anybody. Blocks for at most `timeout`.
//
// Errors as ParseJoinString, FetchAuthority and the access file's, which is never replaced;
// FAILED_PRECONDITION, JOINED_ELSEWHERE when it is for another server.
absl::StatusOr<std::string> AcceptJoinString(std::string_view text, const std::string& directory,
                                             absl::Duration timeout);

// Where what was joined is kept for the user: `$XDG_STATE_HOME/kantoku/joined`, else
// `~/.local/state/kantoku/joined`.
std::string DefaultJoinedDir();

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_ACCESS_JOIN_STRING_H_

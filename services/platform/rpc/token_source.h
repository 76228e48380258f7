#ifndef KANTOKU_SERVICES_PLATFORM_RPC_TOKEN_SOURCE_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_TOKEN_SOURCE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/clock.h"

namespace kantoku::platform {

// Where a client gets the access token that its calls show.
//
// Thread-safe. Never blocks for long.
class TokenSource {
 public:
  virtual ~TokenSource() = default;

  // As it is now; empty: none is shown.
  virtual std::string Token() = 0;
  // A newer one than this is wanted: a server did not take it (UNAUTHENTICATED), or will not for
  // long. Who can get one gets it, in the background, some time later. True when Token() is another
  // already, or is likely to be one soon. May be told for every call.
  virtual bool Renew(std::string_view token) = 0;
};

// One that is the same for ever; there is none newer. INVALID_ARGUMENT, INVALID_TOKEN as
// CheckToken.
absl::StatusOr<std::shared_ptr<TokenSource>> MakeFixedToken(std::string token);

// Takes the token out of a file.
using TokenReader = std::function<absl::StatusOr<std::string>(const std::string& path)>;

// What a file holds, as `read` finds it, else without the white space around it; read again when
// the file has changed (to be replaced as a whole, by a rename: of one that is being written half
// may be read), which is looked at once a second at most, and when a newer one is wanted. A token
// that can no more be read stays as it was. NOT_FOUND, NO_TOKEN_FILE when there is none;
// INVALID_TOKEN as above. The clock outlives it.
absl::StatusOr<std::shared_ptr<TokenSource>> MakeTokenFile(std::string path, Clock& clock,
                                                           TokenReader read = {});

// Of whichever is given, null of neither. INVALID_ARGUMENT, TWO_TOKENS of both; else as above.
absl::StatusOr<std::shared_ptr<TokenSource>> MakeTokenSource(const std::string& token,
                                                             const std::string& file, Clock& clock);

// INVALID_ARGUMENT, INVALID_TOKEN unless it is 1 to 8,192 of the characters that a bearer token may
// have (RFC 6750, section 2.1); says nothing of the token.
absl::Status CheckToken(std::string_view token);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_TOKEN_SOURCE_H_

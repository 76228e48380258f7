#ifndef KANTOKU_SERVICES_PLATFORM_ACCESS_GRANT_TOKEN_H_
#define KANTOKU_SERVICES_PLATFORM_ACCESS_GRANT_TOKEN_H_

#include <grpcpp/channel.h>

#include <memory>

#include "absl/status/statusor.h"
#include "services/platform/access/access_file.h"
#include "services/platform/access/token_wait.h"
#include "services/platform/clock.h"
#include "services/platform/rpc/token_source.h"

namespace kantoku::platform {

// A source of access tokens for the grant of `access`, which are fetched from the server that
// `channel` goes to, and again in time. The first is fetched before it returns: UNAVAILABLE when
// the server cannot be reached in time, unless the token may come later; else as
// GrantsService.ExchangeGrant. The clock outlives it.
absl::StatusOr<std::shared_ptr<TokenSource>> OpenGrantToken(
    const std::shared_ptr<grpc::Channel>& channel, const Access& access, const TokenWait& wait,
    Clock& clock);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_ACCESS_GRANT_TOKEN_H_

#ifndef KANTOKU_CLIENT_CPP_SRC_BLOCKING_CALL_H_
#define KANTOKU_CLIENT_CPP_SRC_BLOCKING_CALL_H_

#include <utility>

#include "absl/status/statusor.h"
#include "client/cpp/src/answer.h"
#include "client/cpp/src/grpc_connection.h"
#include "services/platform/status.h"

namespace kantoku::internal {

// Runs one RPC, with its repeats, and waits for it.
template <typename Request, typename Response, typename Rpc>
absl::StatusOr<Response> Block(const CallRuntime& runtime, const RetryLimits& limits, Rpc rpc,
                               Request request) {
  KANTOKU_RETURN_IF_ERROR(LibraryThreadScope::CheckMayWait());
  Answer<absl::StatusOr<Response>> answer;
  RetryingCall<Request, Response>::Start(
      runtime, limits, std::move(rpc), std::move(request),
      [&answer](absl::StatusOr<Response> response) { answer.Set(std::move(response)); });
  return answer.Take();
}

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_BLOCKING_CALL_H_

#ifndef KANTOKU_SERVICES_PLATFORM_STORE_REMOTE_STORE_STATUS_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_REMOTE_STORE_STATUS_H_

#include <grpcpp/support/status.h>

#include <string_view>

#include "absl/status/status.h"

namespace kantoku::platform {

// What a call of kantoku.store.v1 ended with, in the codes and reasons of record_store.h. A program
// that gives no reasons of its own gets ours by the code, `unmet` for a FAILED_PRECONDITION. A code
// that the protocol does not have is UNAVAILABLE, STORE_FAILING, with that code in the message.
absl::Status FromStore(const grpc::Status& status, std::string_view unmet);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_REMOTE_STORE_STATUS_H_

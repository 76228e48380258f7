#ifndef KANTOKU_SERVICES_PLATFORM_RPC_GRPC_STATUS_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace kantoku::platform {

// The one bridge between our statuses and gRPC's: code, message and reason (as
// google.rpc.ErrorInfo in the details) survive it in both directions.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_GRPC_STATUS_H_

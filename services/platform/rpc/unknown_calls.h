#ifndef KANTOKU_SERVICES_PLATFORM_RPC_UNKNOWN_CALLS_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_UNKNOWN_CALLS_H_

#include <grpcpp/generic/async_generic_service.h>

#include "services/platform/rpc/call_queue.h"

namespace kantoku::platform {

// Begins to answer UNIMPLEMENTED to the calls of `queue` whose method no service has; before its
// thread starts. Without it they would wait for ever on a server that has queues alone.
void RefuseUnknownCalls(grpc::AsyncGenericService& unknown, ServerCallQueue& queue);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_UNKNOWN_CALLS_H_

#ifndef KANTOKU_CLIENT_CLI_SERVER_STUB_H_
#define KANTOKU_CLIENT_CLI_SERVER_STUB_H_

#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cli/commands.h"
#include "services/platform/access/target.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"

namespace kantoku::cli {

// A service of the server that a command is for, which the client library has no part for: what
// administrators ask.
//
// Thread-compatible.
template <typename Service>
class ServerStub {
 public:
  using Stub = typename Service::StubInterface;

  static absl::StatusOr<ServerStub> Connect(const Context& context) {
    KANTOKU_ASSIGN_OR_RETURN(platform::Target target, context.FindTarget());
    KANTOKU_ASSIGN_OR_RETURN(const auto channel,
                             platform::MakeChannel(target.server, target.channel));
    return ServerStub(std::min(context.call_options().timeout, kPatience), std::move(target),
                      Service::NewStub(channel));
  }

  const platform::Target& target() const { return target_; }

  // One call: `(stub.*method)(context, request, response)`.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*),
                               const Request& request) const {
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(patience_));
    call.set_wait_for_ready(true);
    Response response;
    absl::Status status = platform::FromGrpc((stub_.get()->*method)(&call, request, &response));
    if (!status.ok()) return status;
    return response;
  }

 private:
  static constexpr absl::Duration kPatience = absl::Seconds(30);

  ServerStub(absl::Duration patience, platform::Target target, std::unique_ptr<Stub> stub)
      : patience_(patience), target_(std::move(target)), stub_(std::move(stub)) {}

  absl::Duration patience_;
  platform::Target target_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_SERVER_STUB_H_

#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_SERVER_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_SERVER_H_

#include <grpcpp/impl/service_type.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/config/address.h"
#include "services/platform/rpc/call_queue.h"
#include "services/platform/rpc/gate.h"

namespace kantoku::platform {

// A gRPC server as all our programs open it: messages up to 32 MiB both ways, pings of clients
// welcome, standard health and reflection. A platform::Service gets its calls on queues of the
// server's own, other services as gRPC does it, which starts threads that cost the rest.
//
// Thread-safe. The services and the gate, through which their calls go, outlive it.
class Server {
 public:
  struct Options {
    ListenAddress address;
    std::shared_ptr<grpc::ServerCredentials> credentials;  // Null: plaintext.
    // A second address, in plaintext, for calls of this very computer: "unix-abstract:…". Empty:
    // none.
    std::string inner_address;
  };

  // UNAVAILABLE, CANNOT_LISTEN says why an address cannot be had. Health says NOT_SERVING at first.
  static absl::StatusOr<std::unique_ptr<Server>> Listen(const Options& options,
                                                        const std::vector<grpc::Service*>& services,
                                                        const Gate& gate);
  ~Server();

  // Where it listens, with the port that it got.
  const ListenAddress& address() const { return address_; }

  // What health checks of `service` say; the empty name stands for the whole server.
  void SetServing(const std::string& service, bool serving);

  // Health says NOT_SERVING for good; calls go on.
  void StopServing();

  // Refuses new calls, cancels those that have not ended within `limit`, and returns when every
  // call has ended. Idempotent.
  void Shutdown(absl::Duration limit);

 private:
  // What every server answers by itself.
  struct Standard;

  Server(ListenAddress address, std::unique_ptr<Standard> standard,
         std::vector<std::unique_ptr<ServerCallQueue>> queues,
         std::unique_ptr<grpc::Server> server);

  const ListenAddress address_;
  const std::unique_ptr<Standard> standard_;                    // Outlives the queues.
  const std::vector<std::unique_ptr<ServerCallQueue>> queues_;  // Outlive the server.
  const std::unique_ptr<grpc::Server> server_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_SERVER_H_

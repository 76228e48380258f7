#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_HEALTH_SERVICE_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_HEALTH_SERVICE_H_

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "grpc/health/v1/health.pb.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/service.h"

namespace kantoku::platform {

// grpc.health.v1.Health. gRPC's own would bring threads that poll beside those of the queues, each
// of which then costs a message a change of threads (DECISIONS.md).
//
// Thread-safe.
class HealthService final : public Service {
 public:
  HealthService();

  void SetServing(const std::string& service, bool serving);
  // Every service is NOT_SERVING for good.
  void Stop();
  // Ends all watches, also those that still come; before the server is shut down. Not earlier, for
  // clients watch again at once.
  void EndWatches();

 private:
  using Request = grpc::health::v1::HealthCheckRequest;
  using Response = grpc::health::v1::HealthCheckResponse;
  using WatchCall = ServerStreamCall<Request, Response>;
  class Watcher;

  void Check(UnaryCall* call, const Request* request, Response* response);
  void Watch(WatchCall* call, const Request* request);
  Response::ServingStatus StatusOf(const std::string& service) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  absl::flat_hash_map<std::string, Response::ServingStatus> statuses_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::shared_ptr<Watcher>> watchers_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_HEALTH_SERVICE_H_

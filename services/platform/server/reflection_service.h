#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_REFLECTION_SERVICE_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_REFLECTION_SERVICE_H_

#include <string>
#include <vector>

#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "services/platform/rpc/service.h"

namespace kantoku::platform {

// grpc.reflection.v1alpha.ServerReflection over the descriptors of this program. Ours, because
// gRPC's own brings threads that poll beside those of the queues (see HealthService).
//
// Thread-safe.
class ReflectionService final : public Service {
 public:
  // `services` are the full names that it lists, besides its own.
  explicit ReflectionService(std::vector<std::string> services);

 private:
  using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
  using Response = grpc::reflection::v1alpha::ServerReflectionResponse;
  class Stream;

  void Open(BidiCall<Request, Response>* call);

  std::vector<std::string> services_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_REFLECTION_SERVICE_H_

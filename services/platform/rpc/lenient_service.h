#ifndef KANTOKU_SERVICES_PLATFORM_RPC_LENIENT_SERVICE_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_LENIENT_SERVICE_H_

#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <string>

#include "services/platform/check.h"
#include "services/platform/rpc/received.h"
#include "services/platform/rpc/unary.h"

namespace kantoku::platform {

// Base of a service, `class InputsServiceImpl : public LenientService<v1::InputsService>`, whose
// methods read requests as Received: each is to be named once in the constructor.
template <typename Generated>
class LenientService : public Generated::CallbackService {
 protected:
  // An ordinary method: requests that are not sound are refused before it is called.
  template <typename Impl, typename Request, typename Response>
  void Receive(const std::string& method, CallMonitor::Method& monitor,
               grpc::ServerUnaryReactor* (Impl::*handle)(grpc::CallbackServerContext*,
                                                         const Request*, Response*)) {
    MarkUnary<Request, Response>(method, [this, &monitor, handle](
                                             grpc::CallbackServerContext* context,
                                             const Received<Request>* request, Response* response) {
      const absl::Status sound = CheckReceived(*request);
      if (sound.ok()) {
        return (static_cast<Impl*>(this)->*handle)(context, &request->message, response);
      }
      return HandleUnary(context, monitor, [&sound](const Caller&, Reply reply) { reply(sound); });
    });
  }

  // A method that looks at what is not sound by itself.
  template <typename Impl, typename Request, typename Response>
  void Receive(const std::string& method,
               grpc::ServerUnaryReactor* (Impl::*handle)(grpc::CallbackServerContext*,
                                                         const Received<Request>*, Response*)) {
    MarkUnary<Request, Response>(
        method, [this, handle](grpc::CallbackServerContext* context,
                               const Received<Request>* request, Response* response) {
          return (static_cast<Impl*>(this)->*handle)(context, request, response);
        });
  }

  // A stream that does.
  template <typename Impl, typename Request, typename Response>
  void Receive(const std::string& method, grpc::ServerBidiReactor<Received<Request>, Response>* (
                                              Impl::*open)(grpc::CallbackServerContext*)) {
    this->MarkMethodCallback(IndexOf(method),
                             new grpc::internal::CallbackBidiHandler<Received<Request>, Response>(
                                 [this, open](grpc::CallbackServerContext* context) {
                                   return (static_cast<Impl*>(this)->*open)(context);
                                 }));
  }

 private:
  template <typename Request, typename Response, typename Handle>
  void MarkUnary(const std::string& method, Handle handle) {
    this->MarkMethodCallback(
        IndexOf(method),
        new grpc::internal::CallbackUnaryHandler<Received<Request>, Response>(std::move(handle)));
  }

  // gRPC knows methods by their place in the .proto file.
  static int IndexOf(const std::string& method) {
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
        Generated::service_full_name());
    KANTOKU_CHECK(service != nullptr);
    const auto* descriptor = service->FindMethodByName(method);
    KANTOKU_CHECK(descriptor != nullptr);
    return descriptor->index();
  }
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_LENIENT_SERVICE_H_

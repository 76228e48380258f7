#ifndef KANTOKU_SERVICES_PLATFORM_RPC_SERVICE_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_SERVICE_H_

#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "services/platform/check.h"
#include "services/platform/rpc/call_queue.h"
#include "services/platform/rpc/received.h"
#include "services/platform/rpc/stream_call.h"
#include "services/platform/rpc/unary.h"
#include "services/platform/rpc/unary_call.h"

namespace kantoku::platform {

// Base of a service that takes its calls from queues; each of its methods is named once in the
// constructor. Calls of different queues run at the same time. What is not named answers
// UNIMPLEMENTED.
class Service : public grpc::Service {
 public:
  // "kantoku.outputs.v1.OutputsService".
  explicit Service(std::string full_name) : full_name_(std::move(full_name)) {}

  const std::string& full_name() const { return full_name_; }

  // Begins to take calls from `queue`; once for each queue, before its thread starts.
  void Serve(ServerCallQueue& queue) {
    for (const auto& expect : methods_) expect(queue);
  }

 protected:
  // A method with one request and one answer.
  template <typename Impl, typename Request, typename Response>
  void Handle(const std::string& method,
              void (Impl::*handle)(UnaryCall*, const Request*, Response*)) {
    HandleUnaryWith<Request, Response>(
        method, [this, handle](UnaryCall* call, const Request* request, Response* response) {
          (static_cast<Impl*>(this)->*handle)(call, request, response);
        });
  }

  // The same, of which requests that are not sound, or ask for more than this program knows
  // (received.h), are refused before it is called.
  template <typename Impl, typename Request, typename Response>
  void HandleSound(const std::string& method, CallMonitor::Method& monitor,
                   void (Impl::*handle)(UnaryCall*, const Request*, Response*)) {
    HandleUnaryWith<Received<Request>, Response>(
        method, [this, &monitor, handle](UnaryCall* call, const Received<Request>* request,
                                         Response* response) {
          absl::Status sound = CheckReceived(*request);
          if (sound.ok()) sound = CheckAllKnown(request->message);
          if (sound.ok()) {
            return (static_cast<Impl*>(this)->*handle)(call, &request->message, response);
          }
          HandleUnary(call, monitor, [&sound](const Caller&, Reply reply) { reply(sound); });
        });
  }

  // A method with streams both ways.
  template <typename Impl, typename Request, typename Response>
  void Handle(const std::string& method, void (Impl::*open)(BidiCall<Request, Response>*)) {
    using Call = BidiCall<Request, Response>;
    const int index = Add(method, grpc::internal::RpcMethod::BIDI_STREAMING);
    Expect<Call>({.ask =
                      [this, index](Call& call, ServerCallQueue& queue, void* tag) {
                        RequestAsyncBidiStreaming(index, &call, &call.stream, queue.get(),
                                                  queue.get(), tag);
                      },
                  .handle = [this, open](Call* call) { (static_cast<Impl*>(this)->*open)(call); }});
  }

  // A method that answers with a stream.
  template <typename Impl, typename Request, typename Response>
  void Handle(const std::string& method,
              void (Impl::*open)(ServerStreamCall<Request, Response>*, const Request*)) {
    using Call = ServerStreamCall<Request, Response>;
    const int index = Add(method, grpc::internal::RpcMethod::SERVER_STREAMING);
    Expect<Call>({.ask =
                      [this, index](Call& call, ServerCallQueue& queue, void* tag) {
                        RequestAsyncServerStreaming(index, &call, &call.request, &call.stream,
                                                    queue.get(), queue.get(), tag);
                      },
                  .handle =
                      [this, open](Call* call, const Request* request) {
                        (static_cast<Impl*>(this)->*open)(call, request);
                      }});
  }

 private:
  template <typename Request, typename Response, typename Function>
  void HandleUnaryWith(const std::string& method, Function handle) {
    using Call = UnaryCallOf<Request, Response>;
    const int index = Add(method, grpc::internal::RpcMethod::NORMAL_RPC);
    Expect<Call>({.ask =
                      [this, index](Call& call, ServerCallQueue& queue, void* tag) {
                        RequestAsyncUnary(index, &call, &call.request, &call.writer, queue.get(),
                                          queue.get(), tag);
                      },
                  .handle = std::move(handle)});
  }

  template <typename Call>
  void Expect(typename Call::Method method) {
    methods_.push_back([method = std::make_unique<typename Call::Method>(std::move(method))](
                           ServerCallQueue& queue) { Call::Expect(*method, queue); });
  }

  // Returns the number under which gRPC knows the method.
  int Add(const std::string& method, grpc::internal::RpcMethod::RpcType type) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(full_name_);
    KANTOKU_CHECK(service != nullptr && service->FindMethodByName(method) != nullptr);
    const std::string& path = paths_.emplace_back("/" + full_name_ + "/" + method);
    AddMethod(new grpc::internal::RpcServiceMethod(path.c_str(), type, nullptr));
    return static_cast<int>(paths_.size()) - 1;
  }

  const std::string full_name_;
  std::deque<std::string> paths_;  // Lent to gRPC: they never move.
  std::vector<absl::AnyInvocable<void(ServerCallQueue&) const>> methods_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_SERVICE_H_

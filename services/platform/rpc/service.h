#ifndef KANTOKU_SERVICES_PLATFORM_RPC_SERVICE_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_SERVICE_H_

#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>

#include <deque>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "services/platform/check.h"
#include "services/platform/identity/right.h"
#include "services/platform/rpc/call_queue.h"
#include "services/platform/rpc/gate.h"
#include "services/platform/rpc/received.h"
#include "services/platform/rpc/stream_call.h"
#include "services/platform/rpc/unary.h"
#include "services/platform/rpc/unary_call.h"

namespace kantoku::platform {

// Base of a service that takes its calls from queues; each of its methods is named once in the
// constructor. Calls of different queues run at the same time. What is not named answers
// UNIMPLEMENTED. Each call is taken through the gate before its method gets it; one that is not let
// through is refused, and its method never sees it.
class Service : public grpc::Service {
 public:
  // "kantoku.outputs.v1.OutputsService".
  explicit Service(std::string full_name) : full_name_(std::move(full_name)) {}

  const std::string& full_name() const { return full_name_; }

  // Begins to take calls from `queue`; once for each queue, before its thread starts. The gate, the
  // same for all, outlives the calls.
  void Serve(ServerCallQueue& queue, const Gate& gate) {
    gate_ = &gate;
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
    HandleSoundWith<Request, Response>(
        method, monitor,
        [this, handle](UnaryCall* call, const Request* request, Response* response) {
          (static_cast<Impl*>(this)->*handle)(call, request, response);
        });
  }

  // With any function that takes what a method takes.
  template <typename Request, typename Response, typename Function>
  void HandleSoundWith(const std::string& method, CallMonitor::Method& monitor, Function handle) {
    HandleUnaryWith<Received<Request>, Response>(
        method, [&monitor, handle = std::move(handle)](
                    UnaryCall* call, const Received<Request>* request, Response* response) {
          absl::Status sound = CheckReceived(*request);
          if (sound.ok()) sound = CheckAllKnown(request->message);
          if (sound.ok()) return handle(call, &request->message, response);
          HandleUnary(call, monitor, [&sound](const Identity&, Reply reply) { reply(sound); });
        });
  }

  // A method with streams both ways.
  template <typename Impl, typename Request, typename Response>
  void Handle(const std::string& method, void (Impl::*open)(BidiCall<Request, Response>*)) {
    using Call = BidiCall<Request, Response>;
    const auto [index, entrance] = Add(method, grpc::internal::RpcMethod::BIDI_STREAMING);
    Expect<Call>(
        [this, index = index](Call& call, ServerCallQueue& queue, void* tag) {
          RequestAsyncBidiStreaming(index, &call, &call.stream, queue.get(), queue.get(), tag);
        },
        [this, open, &entrance = entrance](Call* call) {
          if (Enter(*call, entrance)) (static_cast<Impl*>(this)->*open)(call);
        });
  }

  // A method that answers with a stream.
  template <typename Impl, typename Request, typename Response>
  void Handle(const std::string& method,
              void (Impl::*open)(ServerStreamCall<Request, Response>*, const Request*)) {
    using Call = ServerStreamCall<Request, Response>;
    const auto [index, entrance] = Add(method, grpc::internal::RpcMethod::SERVER_STREAMING);
    Expect<Call>(
        [this, index = index](Call& call, ServerCallQueue& queue, void* tag) {
          RequestAsyncServerStreaming(index, &call, &call.request, &call.stream, queue.get(),
                                      queue.get(), tag);
        },
        [this, open, &entrance = entrance](Call* call, const Request* request) {
          if (Enter(*call, entrance)) {
            (static_cast<Impl*>(this)->*open)(call, request);
          }
        });
  }

  template <typename Request, typename Response, typename Function>
  void HandleUnaryWith(const std::string& method, Function handle) {
    using Call = UnaryCallOf<Request, Response>;
    const auto [index, entrance] = Add(method, grpc::internal::RpcMethod::NORMAL_RPC);
    Expect<Call>(
        [this, index = index](Call& call, ServerCallQueue& queue, void* tag) {
          RequestAsyncUnary(index, &call, call.request.get(), &call.writer, queue.get(),
                            queue.get(), tag);
        },
        [this, &entrance = entrance, handle = std::move(handle)](
            UnaryCall* call, const Request* request, Response* response) {
          if (Enter(*call, entrance)) handle(call, request, response);
        });
  }

 private:
  template <typename Call, typename Ask, typename Handle>
  void Expect(Ask ask, Handle handle) {
    auto method = std::make_unique<typename Call::Method>();
    method->ask = std::move(ask);
    method->handle = std::move(handle);
    methods_.push_back(
        [method = std::move(method)](ServerCallQueue& queue) { Call::Expect(*method, queue); });
  }

  // Where calls of a method come in.
  struct Entrance {
    std::string name;  // "InputsService/Spawn".
    Right right;       // Who may call it.
  };
  struct Added {
    int index;  // The number under which gRPC knows the method.
    const Entrance& entrance;
  };

  // Whether the gate lets the call through; refused if not.
  template <typename Call>
  bool Enter(Call& call, const Entrance& entrance) const {
    call.Admit(*gate_, entrance.name, entrance.right);
    if (call.identity().ok()) {
      if constexpr (std::is_base_of_v<StreamCall, Call>) call.Watch(*gate_);
      return true;
    }
    call.Finish(call.identity().status());
    return false;
  }

  Added Add(const std::string& method, grpc::internal::RpcMethod::RpcType type) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(full_name_);
    KANTOKU_CHECK(service != nullptr);
    const auto* described = service->FindMethodByName(method);
    KANTOKU_CHECK(described != nullptr);
    const auto right = RightOf(*described);
    KANTOKU_CHECK(right.has_value());  // The method says who may call it (auth/v1/right.proto).
    const std::string& path = paths_.emplace_back("/" + full_name_ + "/" + method);
    AddMethod(new grpc::internal::RpcServiceMethod(path.c_str(), type, nullptr));
    return {static_cast<int>(paths_.size()) - 1,
            entrances_.emplace_back(Entrance{service->name() + "/" + method, *right})};
  }

  const std::string full_name_;
  const Gate* gate_ = nullptr;      // From the first queue on.
  std::deque<std::string> paths_;   // Lent to gRPC: they never move.
  std::deque<Entrance> entrances_;  // Lent to the methods.
  std::vector<absl::AnyInvocable<void(ServerCallQueue&) const>> methods_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_SERVICE_H_

#include "tests/support/health_check.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/generic/generic_stub.h>

#include <chrono>

namespace kantoku::test {

// By hand: Debian has no generated stub of the health service, and its messages have one field
// each.
std::string HealthOf(const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  grpc::CompletionQueue queue;
  const std::string request =
      service.empty() ? "" : std::string("\n") + static_cast<char>(service.size()) + service;
  grpc::Slice slice(request);
  auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check",
                                    grpc::ByteBuffer(&slice, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  if (!status.ok()) return status.error_message();
  grpc::Slice bytes;
  if (!response.DumpToSingleSlice(&bytes).ok()) return "no bytes";
  const std::string text(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
  return text == "\x08\x01" ? "SERVING" : text == "\x08\x02" ? "NOT_SERVING" : text;
}

}  // namespace kantoku::test

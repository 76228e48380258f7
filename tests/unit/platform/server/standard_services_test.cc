#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "absl/synchronization/notification.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/rpc/call_queue.h"
#include "services/platform/rpc/client_call.h"
#include "services/platform/rpc/service.h"
#include "services/platform/server/server.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;
namespace healthpb = ::grpc::health::v1;
namespace reflectionpb = ::grpc::reflection::v1alpha;

class NoService final : public Service {
 public:
  NoService() : Service(outputspb::OutputsService::service_full_name()) {}
};

struct Fixture {
  Fixture() {
    auto listening =
        Server::Listen({.address = {.host = "127.0.0.1", .port = 0}}, {&service}, gate.get());
    REQUIRE(listening.ok());
    server = *std::move(listening);
    channel = grpc::CreateChannel(server->address().ToString(), grpc::InsecureChannelCredentials());
  }

  OpenGate gate;
  NoService service;
  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
};

// One Watch.
class Watch {
 public:
  Watch(const std::shared_ptr<grpc::Channel>& channel, const std::string& service)
      : stub_(healthpb::Health::NewStub(channel)) {
    healthpb::HealthCheckRequest request;
    request.set_service(service);
    reader_ = stub_->Watch(&context_, request);
  }
  // Its next status; -1 when it has ended.
  int Next() {
    healthpb::HealthCheckResponse response;
    return reader_->Read(&response) ? response.status() : -1;
  }
  grpc::Status Finish() { return reader_->Finish(); }
  void Leave() { context_.TryCancel(); }

 private:
  std::unique_ptr<healthpb::Health::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<healthpb::HealthCheckResponse>> reader_;
};

TEST_CASE("Who watches a service's health is told at once, at each change and at the stop") {
  Fixture fixture;
  Watch unknown(fixture.channel, "later");
  CHECK(unknown.Next() == healthpb::HealthCheckResponse::SERVICE_UNKNOWN);
  Watch whole(fixture.channel, "");
  CHECK(whole.Next() == healthpb::HealthCheckResponse::NOT_SERVING);

  fixture.server->SetServing("later", true);
  CHECK(unknown.Next() == healthpb::HealthCheckResponse::SERVING);
  fixture.server->SetServing("", true);
  CHECK(whole.Next() == healthpb::HealthCheckResponse::SERVING);

  fixture.server->StopServing();
  CHECK(unknown.Next() == healthpb::HealthCheckResponse::NOT_SERVING);
  CHECK(whole.Next() == healthpb::HealthCheckResponse::NOT_SERVING);

  fixture.server->SetServing("", true);  // For good means for good.
  Watch late(fixture.channel, "");
  CHECK(late.Next() == healthpb::HealthCheckResponse::NOT_SERVING);

  fixture.server->Shutdown(absl::Minutes(10));
  CHECK(unknown.Next() == -1);
  CHECK(unknown.Finish().error_code() == grpc::StatusCode::UNAVAILABLE);
  CHECK(late.Next() == -1);
}

TEST_CASE("A watcher that leaves, or is there at the end, holds up nothing") {
  Fixture fixture;
  Watch leaves(fixture.channel, "");
  CHECK(leaves.Next() == healthpb::HealthCheckResponse::NOT_SERVING);
  leaves.Leave();
  CHECK(leaves.Next() == -1);
  Watch stays(fixture.channel, "");
  CHECK(stays.Next() == healthpb::HealthCheckResponse::NOT_SERVING);
  fixture.server->Shutdown(absl::ZeroDuration());
  CHECK(stays.Next() == -1);
  CHECK_FALSE(stays.Finish().ok());
}

TEST_CASE("The health of an unknown service is NOT_FOUND, and a name has bounds") {
  Fixture fixture;
  const auto stub = healthpb::Health::NewStub(fixture.channel);
  healthpb::HealthCheckRequest request;
  request.set_service("nobody");
  healthpb::HealthCheckResponse response;
  grpc::ClientContext context;
  CHECK(stub->Check(&context, request, &response).error_code() == grpc::StatusCode::NOT_FOUND);
  Watch endless(fixture.channel, std::string(1'000'000, 'x'));
  CHECK(endless.Next() == -1);
  CHECK(endless.Finish().error_code() == grpc::StatusCode::INVALID_ARGUMENT);
}

// One conversation with the reflection service.
class Reflection {
 public:
  explicit Reflection(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(reflectionpb::ServerReflection::NewStub(channel)),
        stream_(stub_->ServerReflectionInfo(&context_)) {}

  template <typename Fill>
  reflectionpb::ServerReflectionResponse Ask(Fill fill) {
    reflectionpb::ServerReflectionRequest request;
    fill(request);
    REQUIRE(stream_->Write(request));
    reflectionpb::ServerReflectionResponse response;
    REQUIRE(stream_->Read(&response));
    CHECK(response.original_request().SerializeAsString() == request.SerializeAsString());
    return response;
  }
  // Whether the conversation ends instead of an answer.
  template <typename Fill>
  bool Refuses(Fill fill) {
    reflectionpb::ServerReflectionRequest request;
    fill(request);
    REQUIRE(stream_->Write(request));
    reflectionpb::ServerReflectionResponse response;
    return !stream_->Read(&response);
  }
  grpc::Status Finish() {
    stream_->WritesDone();
    return stream_->Finish();
  }

 private:
  std::unique_ptr<reflectionpb::ServerReflection::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<reflectionpb::ServerReflectionRequest,
                                           reflectionpb::ServerReflectionResponse>>
      stream_;
};

std::set<std::string> FilesIn(const reflectionpb::ServerReflectionResponse& response) {
  std::set<std::string> names;
  for (const std::string& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    google::protobuf::FileDescriptorProto file;
    REQUIRE(file.ParseFromString(bytes));
    CHECK(names.insert(file.name()).second);
  }
  return names;
}

TEST_CASE("Reflection lists the services and gives their files, each once in a conversation") {
  Fixture fixture;
  Reflection reflection(fixture.channel);
  std::set<std::string> services;
  const auto listed = reflection.Ask([](auto& request) { request.set_list_services("*"); });
  for (const auto& service : listed.list_services_response().service()) {
    services.insert(service.name());
  }
  CHECK(services == std::set<std::string>{outputspb::OutputsService::service_full_name(),
                                          healthpb::Health::service_full_name(),
                                          reflectionpb::ServerReflection::service_full_name()});

  const std::string outputs = "kantoku/outputs/v1/outputs.proto";
  const auto files = FilesIn(reflection.Ask([](auto& request) {
    request.set_file_containing_symbol("kantoku.outputs.v1.OutputsService.Put");
  }));
  CHECK(files.contains(outputs));
  CHECK(files.contains("kantoku/task/v1/task.proto"));
  CHECK(FilesIn(reflection.Ask([&](auto& request) { request.set_file_by_filename(outputs); })) ==
        std::set<std::string>{outputs});
  CHECK(reflection.Finish().ok());
}

TEST_CASE("Reflection says what it does not know") {
  Fixture fixture;
  Reflection reflection(fixture.channel);
  const auto code_of = [&](auto fill) {
    return reflection.Ask(fill).error_response().error_code();
  };
  CHECK(code_of([](auto& request) { request.set_file_by_filename("x.proto"); }) ==
        grpc::StatusCode::NOT_FOUND);
  CHECK(code_of([](auto& request) { request.set_file_containing_symbol("x.Y"); }) ==
        grpc::StatusCode::NOT_FOUND);
  CHECK(code_of([](auto& request) { request.set_all_extension_numbers_of_type("x.Y"); }) ==
        grpc::StatusCode::NOT_FOUND);
  CHECK(code_of([](auto& request) {
          auto& extension = *request.mutable_file_containing_extension();
          extension.set_containing_type("kantoku.task.v1.TaskSpec");
          extension.set_extension_number(7);
        }) == grpc::StatusCode::NOT_FOUND);
  CHECK(code_of([](auto&) {}) == grpc::StatusCode::UNIMPLEMENTED);
  const auto none = reflection.Ask(
      [](auto& request) { request.set_all_extension_numbers_of_type("kantoku.task.v1.TaskSpec"); });
  CHECK(none.all_extension_numbers_response().base_type_name() == "kantoku.task.v1.TaskSpec");
  CHECK(none.all_extension_numbers_response().extension_number_size() == 0);
  CHECK(reflection.Finish().ok());
}

TEST_CASE("A long name of many dots costs the server nothing") {
  Fixture fixture;
  Reflection reflection(fixture.channel);
  CHECK(reflection.Refuses([](auto& request) {
    request.set_file_containing_symbol(std::string(size_t{30} << 20, '.'));
  }));
  CHECK(reflection.Finish().error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  fixture.server->Shutdown(absl::ZeroDuration());
}

TEST_CASE("A method that nobody has is UNIMPLEMENTED, as often as it is called") {
  Fixture fixture;
  grpc::GenericStub stub(fixture.channel);
  CallQueue queue;
  queue.Start();
  for (int i = 0; i < 3; ++i) {
    grpc::ClientContext context;
    absl::Status status;
    grpc::ByteBuffer response;
    auto call = stub.PrepareUnaryCall(&context, "/kantoku.none.v1.NoService/Nothing",
                                      grpc::ByteBuffer(nullptr, 0), queue.get());
    call->StartCall();
    absl::Notification done;
    ReceiveAnswer(queue, std::move(call), &response, [&](const absl::Status& answer) {
      status = answer;
      done.Notify();
    });
    done.WaitForNotification();
    CHECK(absl::IsUnimplemented(status));
  }
}

TEST_CASE("Only the queues' own threads wait for messages") {
  const Fixture fixture;
  REQUIRE(Watch(fixture.channel, "").Next() >= 0);  // They all run by now.
  size_t queues = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    INFO(name);
    CHECK(name != "nexting_thread");   // Behind gRPC's callback API.
    CHECK(name != "grpcpp_sync_ser");  // Behind its synchronous one.
    queues += name == "rpc" ? 1 : 0;
  }
  CHECK(queues > 0);
}

}  // namespace
}  // namespace kantoku::platform

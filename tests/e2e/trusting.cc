#include "tests/e2e/trusting.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"

namespace kantoku::test {

const std::vector<std::string> kServerServices = {
    "kantoku.inputs.v1.InputsService", "kantoku.outputs.v1.OutputsService",
    "kantoku.events.v1.EventsService", "kantoku.auth.v1.BlocksService"};

Issuing::Issuing() : maker_("ES256") { issuer.SetKeys({maker_.Jwk()}); }

std::string Issuing::Sign(const std::string& subject, const nlohmann::json& claims,
                          absl::Duration lifetime) const {
  nlohmann::json all = Claims(absl::Now());
  all["exp"] = absl::ToUnixSeconds(absl::Now() + lifetime);
  all["iss"] = issuer.url();
  all["sub"] = subject;
  all.update(claims);
  return maker_.Sign(all);
}

std::string Issuing::Config() const {
  return absl::StrCat("auth:\n  issuers:\n  - issuer: ", issuer.url(), "\n    audiences: [",
                      kAudience, "]\n  leeway: 0s\n");
}

Trusting::Trusting() {
  const std::string config = directory_.File("config.yaml");
  std::ofstream(config) << Config()
                        << "inputs:\n  namespaces: [default, lab]\n  ping_interval: 1s\n";
  up = std::make_unique<Up>(UpOptions{.settings = {}, .config = config});
}

Client Trusting::As(const std::string& token, const std::string& name_space) const {
  ClientOptions options;
  options.namespace_name = name_space;
  options.access_file = up->access();
  options.token = token;
  options.retry_for = absl::Seconds(10);
  auto client = Client::Connect(up->address(), options);
  REQUIRE(client.ok());
  return *std::move(client);
}

std::string WhyNotAtAll(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                        const std::string& token) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, method, &queue);
  int one = 0;
  void* const mark = &one;
  void* tag = nullptr;
  bool ok = false;
  const auto done = [&] {
    REQUIRE(queue.Next(&tag, &ok));
    return ok;
  };
  call->StartCall(mark);
  done();
  const grpc::Slice nothing("", 0);
  if (ok) {
    call->WriteLast(grpc::ByteBuffer(&nothing, 1), {}, mark);
    done();
  }
  grpc::ByteBuffer answer;
  const auto read = [&] {
    call->Read(&answer, mark);
    return done();
  };
  while (read()) continue;
  grpc::Status status;
  call->Finish(&status, mark);
  done();
  queue.Shutdown();
  return status.ok() ? "OK" : platform::ReasonOf(platform::FromGrpc(status));
}

}  // namespace kantoku::test

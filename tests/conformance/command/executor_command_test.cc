// `kantoku conformance executor`, of ours and of one with a fault.
#include <grpcpp/client_context.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/rpc/channel.h"
#include "tests/conformance/command/command_bench.h"

namespace kantoku::test {
namespace {

using inputs::v1::InputsService;
using inputs::v1::PullRequest;
using inputs::v1::PullResponse;
using outputs::v1::OutputsService;

// The exam, which waits for an executor.
class Examination {
 public:
  Examination() {
    auto process = ChildProcess::Start({.argv = {Binary("kantoku"), "conformance", "executor",
                                                 "--target", "127.0.0.1:0", "--json", json()}});
    REQUIRE(process.ok());
    process_ = *std::move(process);
    const auto line = process_->AwaitLine("the Inputs and Outputs at ");
    REQUIRE(line.ok());
    address_ = line->substr(line->rfind(' ') + 1);
  }

  const std::string& address() const { return address_; }
  Ended Await() {
    const auto exit = process_->AwaitExit(kExamPatience);
    REQUIRE(exit.ok());
    return {exit->code.value_or(-1), process_->output()};
  }
  Json report() const { return Json::parse(Contents(json())); }

 private:
  std::string json() const { return directory_.File("report.json"); }

  const TempDir directory_;
  std::unique_ptr<ChildProcess> process_;
  std::string address_;
};

// The runtime of ours, with commands for the types of the exam.
std::unique_ptr<ChildProcess> StartExecutor(const std::string& address,
                                            const Strings& commands = {"exam.echo=cat",
                                                                       "exam.fail=false",
                                                                       "exam.wait=sleep 3600"}) {
  Strings argv = {
      Binary("kantoku-executor"), "--server", address, "--concurrency", "2", "--max-held", "4"};
  for (const std::string& command : commands) argv.insert(argv.end(), {"--run", command});
  auto executor = ChildProcess::Start({.argv = argv});
  REQUIRE(executor.ok());
  return *std::move(executor);
}

// Stands between an executor and its exam, and spoils what the executor says.
class Between final : public InputsService::Service, public OutputsService::Service {
 public:
  using Spoil = std::function<void(PullRequest&)>;

  Between(const std::string& exam, Spoil spoil)
      : spoil_(std::move(spoil)),
        inputs_(InputsService::NewStub(platform::MakeChannel(exam))),
        outputs_(OutputsService::NewStub(platform::MakeChannel(exam))) {}

  grpc::Status Pull(grpc::ServerContext* context,
                    grpc::ServerReaderWriter<PullResponse, PullRequest>* executor) override {
    const auto on = grpc::ClientContext::FromServerContext(*context);  // Ends with it.
    const auto exam = inputs_->Pull(on.get());
    std::thread answers([&] {
      PullResponse frame;
      while (exam->Read(&frame)) executor->Write(frame);
      context->TryCancel();  // As a connection that breaks.
    });
    PullRequest frame;
    while (executor->Read(&frame)) {
      spoil_(frame);
      exam->Write(frame);
    }
    exam->WritesDone();
    answers.join();
    (void)exam->Finish();
    return grpc::Status::CANCELLED;  // As gRPC wants it of a call that was cancelled.
  }
  grpc::Status Put(grpc::ServerContext* context, const outputs::v1::PutRequest* request,
                   outputs::v1::PutResponse* response) override {
    const auto on = grpc::ClientContext::FromServerContext(*context);
    return outputs_->Put(on.get(), *request, response);
  }

 private:
  const Spoil spoil_;
  const std::unique_ptr<InputsService::Stub> inputs_;
  const std::unique_ptr<OutputsService::Stub> outputs_;
};

TEST_CASE("An executor passes its exam with a command for each of its types") {
  Examination exam;
  const auto executor = StartExecutor(exam.address());
  const Ended ended = exam.Await();
  INFO(ended.output);
  INFO(executor->output());
  CHECK(ended.code == 0);
  CHECK(exam.report()["failed"] == 0);
  CHECK(exam.report()["skipped"] == 0);
  CHECK(exam.report()["passed"] == 14);
  CHECK(executor->running());
}

TEST_CASE("Of each fault planted in an executor the exam names the promise, and what was said") {
  struct Planted {
    Between::Spoil spoil;
    std::string promise;
  };
  const Planted made_up = {[](PullRequest& frame) {
                             for (auto& ack : *frame.mutable_acks()) ack.set_receipt("made up");
                           },
                           "A task is run, its result put, and acknowledged with the receipt of "
                           "Outputs"};
  const Planted stranger = {[](PullRequest& frame) {
                              static std::atomic<int> hellos = 0;
                              if (!frame.has_hello()) return;
                              frame.mutable_hello()->mutable_session_id()->back() =
                                  static_cast<char>(++hellos);
                            },
                            "The session survives its connection, says what it holds, and goes on "
                            "with it"};
  const Planted dear = {[](PullRequest& frame) {
                          for (auto& nack : *frame.mutable_nacks()) {
                            nack.set_kind(inputs::v1::NACK_KIND_FAILED);
                            nack.mutable_error()->set_reason("BROKEN");
                          }
                        },
                        "A fenced result is handed back, and costs no attempt"};
  const Planted unpaid = {[](PullRequest& frame) {
                            if (!frame.has_hello()) return;
                            for (auto& held : *frame.mutable_hello()->mutable_held()) {
                              held.clear_receipt();
                            }
                          },
                          "A receipt is shown on the next connection unless it was confirmed"};
  const Planted mute = {[](PullRequest& frame) {
                          for (auto& nack : *frame.mutable_nacks()) nack.clear_error();
                        },
                        "A handler that fails has begun and failed, says why, and nothing is put"};
  const Planted planted = GENERATE_COPY(values<Planted>({made_up, stranger, dear, unpaid, mute}));
  Examination exam;
  Between between(exam.address(), planted.spoil);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(static_cast<InputsService::Service*>(&between));
  builder.RegisterService(static_cast<OutputsService::Service*>(&between));
  const auto server = builder.BuildAndStart();
  REQUIRE(server != nullptr);
  const auto executor = StartExecutor("127.0.0.1:" + std::to_string(port));
  const Ended ended = exam.Await();
  executor->Kill();
  server->Shutdown(std::chrono::system_clock::now());
  INFO(ended.output);
  CHECK(ended.code == 1);
  CheckNamed(exam.report(), planted.promise, "the executor says: Pull {");
}

TEST_CASE("An executor in use, which looks for its own Inputs, is not examined") {
  Examination exam;
  const auto executor = StartExecutor(exam.address(), {"count=wc -c"});
  const Ended ended = exam.Await();
  INFO(ended.output);
  CHECK(ended.code == 2);
  CHECK(ended.output.find("does not implement exam.echo, exam.fail and exam.wait") !=
        std::string::npos);
  CHECK(executor->running());
}

TEST_CASE("Where an exam of executors cannot listen, it says so and ends") {
  const auto check = [](const Strings& arguments, const std::string& says) {
    const Ended ended = Run(arguments);
    INFO(ended.output);
    CHECK(ended.code == 2);
    CHECK(ended.output.find(says) != std::string::npos);
    CHECK(std::ranges::count(ended.output, '\n') == 1);
  };
  const Examination exam;
  check({"executor", "--target", exam.address()}, "cannot listen there");
  check({"executor", "--target", "192.0.2.1:1"}, "on this computer alone");
  check({"executor", "--target", "unix:/nowhere/at/all"}, "cannot listen there");
  check({"executor", "--target", "127.0.0.1:0", "--namespace", "exam"},
        "an executor connects to the exam");
}

}  // namespace
}  // namespace kantoku::test

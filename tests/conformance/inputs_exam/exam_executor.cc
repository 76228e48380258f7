#include "tests/conformance/inputs_exam/exam_executor.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "services/platform/rpc/grpc_status.h"
#include "tests/conformance/inputs_exam/exam_names.h"

namespace kantoku::inputs {
namespace {

// What a test waits for comes within this time, or never.
void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
}

}  // namespace

ExamExecutor::ExamExecutor(const std::shared_ptr<grpc::Channel>& channel)
    : inputs_(v1::InputsService::NewStub(channel)),
      outputs_(outputs::v1::OutputsService::NewStub(channel)) {
  SetDeadline(context_);
  stream_ = inputs_->Pull(&context_);
}

ExamExecutor::~ExamExecutor() {
  if (ended_) return;
  context_.TryCancel();
  (void)stream_->Finish();
}

v1::PullRequest ExamExecutor::HelloOf(uint8_t session, uint32_t credit,
                                      const std::vector<v1::Held>& held) {
  v1::PullRequest request;
  auto& hello = *request.mutable_hello();
  hello.set_session_id(SessionId(session));
  hello.set_namespace_(Namespace());
  hello.add_types(Fresh("x"));
  hello.set_name("exam");
  hello.mutable_credit()->set_max_held(credit);
  hello.mutable_held()->Assign(held.begin(), held.end());
  return request;
}

bool ExamExecutor::Hear(const std::function<bool(const v1::PullResponse&)>& enough) {
  v1::PullResponse frame;
  while (!enough(heard_)) {
    if (!stream_->Read(&frame)) return false;
    heard_.MergeFrom(frame);
  }
  return true;
}

v1::Dispatch ExamExecutor::Task(int n) {
  REQUIRE(Hear([n](const auto& heard) { return heard.tasks_size() >= n; }));
  return heard_.tasks(n - 1);
}

v1::Refused ExamExecutor::Refusal(int n) {
  REQUIRE(Hear([n](const auto& heard) { return heard.refused_size() >= n; }));
  return heard_.refused(n - 1);
}

absl::Status ExamExecutor::AwaitEnd() {
  v1::PullResponse frame;
  while (stream_->Read(&frame)) heard_.MergeFrom(frame);
  ended_ = true;
  return platform::FromGrpc(stream_->Finish());
}

void ExamExecutor::Nack(const v1::Dispatch& task, v1::NackKind kind) {
  v1::PullRequest request;
  v1::Nack& nack = *request.add_nacks();
  nack.set_task_id(task.task_id());
  nack.set_dispatch(task.dispatch());
  nack.set_kind(kind);
  nack.mutable_error()->set_reason("HANDLER_FAILED");
  nack.mutable_error()->set_message("broken");
  Say(request);
}

void ExamExecutor::Ack(const v1::Dispatch& task, const std::string& receipt) {
  v1::PullRequest request;
  v1::Ack& ack = *request.add_acks();
  ack.set_task_id(task.task_id());
  ack.set_dispatch(task.dispatch());
  ack.set_receipt(receipt);
  Say(request);
}

std::string ExamExecutor::Put(const v1::Dispatch& task, const std::string& result) {
  grpc::ClientContext context;
  SetDeadline(context);
  outputs::v1::PutRequest request;
  request.set_session_id(session_id_);
  auto& item = *request.add_items();
  item.set_lease_token(task.lease_token());
  item.set_data(result);
  outputs::v1::PutResponse response;
  REQUIRE(outputs_->Put(&context, request, &response).ok());
  REQUIRE(response.results_size() == 1);
  CHECK(response.results(0).status().code() == 0);
  return response.results(0).receipt();
}

void ExamExecutor::FinishAll(int n, int count) {
  REQUIRE(heard_.tasks_size() >= n + count - 1);
  outputs::v1::PutRequest put;
  put.set_session_id(session_id_);
  for (int i = n; i < n + count; ++i) {
    auto& item = *put.add_items();
    item.set_lease_token(heard_.tasks(i - 1).lease_token());
    item.set_data("done");
  }
  grpc::ClientContext context;
  SetDeadline(context);
  outputs::v1::PutResponse response;
  REQUIRE(outputs_->Put(&context, put, &response).ok());
  REQUIRE(response.results_size() == count);
  v1::PullRequest request;
  for (int i = 0; i < count; ++i) {
    v1::Ack& ack = *request.add_acks();
    ack.set_task_id(heard_.tasks(n + i - 1).task_id());
    ack.set_dispatch(heard_.tasks(n + i - 1).dispatch());
    ack.set_receipt(response.results(i).receipt());
  }
  Say(request);
}

}  // namespace kantoku::inputs

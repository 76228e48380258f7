#include "tests/e2e/rogue.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "services/platform/rpc/grpc_status.h"
#include "tests/chaos/work.h"
#include "tests/support/process.h"

namespace kantoku::test {
namespace {

std::chrono::system_clock::time_point Deadline() {
  return std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience);
}

}  // namespace

Rogue::Rogue(const std::shared_ptr<grpc::Channel>& channel)
    : inputs_(inputs::v1::InputsService::NewStub(channel)),
      outputs_(outputs::v1::OutputsService::NewStub(channel)) {
  // What a test waits for comes within this time, or never.
  context_.set_deadline(Deadline());
  stream_ = inputs_->Pull(&context_);
}

Rogue::~Rogue() {
  if (ended_) return;
  context_.TryCancel();
  (void)stream_->Finish();
}

inputs::v1::PullRequest Rogue::Hello(const std::string& session, uint32_t credit) {
  inputs::v1::PullRequest request;
  inputs::v1::Hello& hello = *request.mutable_hello();
  hello.set_session_id(session);
  hello.add_types(kWorkType);
  hello.set_name("rogue");
  hello.mutable_credit()->set_max_held(credit);
  return request;
}

std::string Rogue::NoTask() {
  std::string id(16, '\1');
  id[6] = '\x70';  // Version 7 ...
  id[8] = '\x80';  // ... and variant of a UUID.
  return id;
}

inputs::v1::Held Rogue::HeldOf(const std::string& task, uint32_t dispatch) {
  inputs::v1::Held held;
  held.set_task_id(task);
  held.set_dispatch(dispatch);
  held.set_started(true);
  return held;
}

void Rogue::Ack(const std::string& task, uint32_t dispatch, const std::string& receipt) {
  inputs::v1::PullRequest request;
  inputs::v1::Ack& ack = *request.add_acks();
  ack.set_task_id(task);
  ack.set_dispatch(dispatch);
  ack.set_receipt(receipt);
  Say(request);
}

void Rogue::Nack(const std::string& task, uint32_t dispatch, inputs::v1::NackKind kind) {
  inputs::v1::PullRequest request;
  inputs::v1::Nack& nack = *request.add_nacks();
  nack.set_task_id(task);
  nack.set_dispatch(dispatch);
  nack.set_kind(kind);
  nack.mutable_error()->set_reason("SABOTAGE");
  Say(request);
}

void Rogue::Hear(const std::function<bool(const inputs::v1::PullResponse&)>& enough) {
  REQUIRE(HearsOrEnds(enough));
}

bool Rogue::HearsOrEnds(const std::function<bool(const inputs::v1::PullResponse&)>& enough) {
  inputs::v1::PullResponse frame;
  while (!enough(heard_)) {
    if (!stream_->Read(&frame)) return false;
    heard_.MergeFrom(frame);
  }
  return true;
}

inputs::v1::Dispatch Rogue::Task(int number) {
  Hear([number](const inputs::v1::PullResponse& heard) { return heard.tasks_size() >= number; });
  return heard_.tasks(number - 1);
}

std::vector<inputs::v1::Refused> Rogue::Refusals() {
  inputs::v1::PullRequest request;
  inputs::v1::Started& question = *request.add_started();
  question.set_task_id(NoTask());
  question.set_dispatch(++questions_);
  Say(request);
  std::vector<inputs::v1::Refused> refusals;
  while (true) {
    Hear([this](const auto& heard) { return heard.refused_size() > refusals_taken_; });
    const inputs::v1::Refused& refused = heard_.refused(refusals_taken_++);
    if (refused.task_id() == NoTask() && refused.dispatch() == questions_) return refusals;
    refusals.push_back(refused);
  }
}

absl::Status Rogue::AwaitEnd() {
  inputs::v1::PullResponse frame;
  while (stream_->Read(&frame)) heard_.MergeFrom(frame);
  ended_ = true;
  return platform::FromGrpc(stream_->Finish());
}

absl::StatusOr<outputs::v1::PutResult> Rogue::Put(const std::string& token,
                                                  const std::string& data) {
  grpc::ClientContext context;
  context.set_deadline(Deadline());
  outputs::v1::PutRequest request;
  request.set_session_id(session_);
  outputs::v1::PutItem& item = *request.add_items();
  item.set_lease_token(token);
  item.set_data(data);
  outputs::v1::PutResponse response;
  const grpc::Status status = outputs_->Put(&context, request, &response);
  if (!status.ok()) return platform::FromGrpc(status);
  REQUIRE(response.results_size() == 1);
  return response.results(0);
}

}  // namespace kantoku::test

#ifndef KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EXAM_CLIENT_H_
#define KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EXAM_CLIENT_H_

#include <grpcpp/client_context.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kantoku/events/v1/events.grpc.pb.h"
#include "services/platform/ids.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/status.h"
#include "tests/conformance/answer.h"
#include "tests/conformance/events_exam/events_service_exam.h"
#include "tests/conformance/events_exam/exam_place.h"

// How the exam of EventsService speaks to what sits it.
namespace kantoku::events {

using conformance::Answer;
using Types = std::vector<std::string>;

inline std::string TaskBytes(uint64_t sequence) {
  const absl::Time wall = absl::FromUnixSeconds(1'700'000'000);
  return std::string(platform::TaskId::Make(wall, 0, sequence, 0).bytes());
}

inline v1::EventRun Run(const std::string& type, const std::vector<uint64_t>& tasks = {}) {
  v1::EventRun run;
  run.set_type(type);
  run.set_namespace_(Namespace());
  run.mutable_at()->set_seconds(1'700'000'000);
  if (!tasks.empty()) run.set_owner("local");  // Who the exam is to the service.
  for (const uint64_t task : tasks) run.mutable_task_ids()->append(TaskBytes(task));
  return run;
}

inline std::string Encode(const std::vector<v1::EventRun>& runs, uint64_t previous = 0) {
  v1::EventBatch batch;
  batch.set_previous(previous);
  for (const v1::EventRun& run : runs) *batch.add_runs() = run;
  return batch.SerializeAsString();
}

inline v1::AppendRequest Request(const std::string& source, uint64_t number,
                                 const std::string& batch) {
  v1::AppendRequest request;
  request.set_source(source);
  v1::NumberedBatch& numbered = *request.add_batches();
  numbered.set_number(number);
  numbered.set_batch(batch);
  return request;
}

inline Types TypesOf(const google::protobuf::RepeatedPtrField<v1::Event>& events) {
  Types types;
  for (const v1::Event& event : events) types.push_back(event.type());
  return types;
}

inline void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  context.set_wait_for_ready(true);
}

// A subscription that a test reads message by message.
class Subscription {
 public:
  Subscription(v1::EventsService::Stub& stub, const v1::SubscribeRequest& request) {
    SetDeadline(context_);
    reader_ = stub.Subscribe(&context_, request);
  }
  ~Subscription() {
    context_.TryCancel();
    if (!finished_) static_cast<void>(Finish());
  }

  // The next message; false when the stream has ended.
  bool Next(v1::SubscribeResponse& message) { return reader_->Read(&message); }
  v1::SubscribeResponse Next() {
    v1::SubscribeResponse message;
    REQUIRE(Next(message));
    return message;
  }
  // The types of events until there are `count`; remembers the last `next`.
  Types Take(size_t count) {
    Types types;
    while (types.size() < count) {
      const v1::SubscribeResponse message = Next();
      CHECK_FALSE(message.gap());
      for (const v1::Event& event : message.events()) types.push_back(event.type());
      next_ = message.next();
    }
    return types;
  }
  const std::string& next() const { return next_; }
  absl::Status Finish() {
    finished_ = true;
    v1::SubscribeResponse ignored;
    while (reader_->Read(&ignored)) {
    }
    return platform::FromGrpc(reader_->Finish());
  }
  void Cancel() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::SubscribeResponse>> reader_;
  std::string next_;
  bool finished_ = false;
};

// A service under test, and the calls that tests like.
class Exam {
 public:
  explicit Exam(const ServiceEntry& entry) : subject_(entry.make()) { Connect(); }

  Answer<uint64_t> TryAppend(const v1::AppendRequest& request, bool as_service = true) {
    grpc::ClientContext context;
    SetDeadline(context);
    if (as_service) platform::PresentAsService(context, subject_->keys(), "inputs", absl::Now());
    v1::AppendResponse response;
    const auto status = platform::FromGrpc(stub_->Append(&context, request, &response));
    if (!status.ok()) return status;
    return response.durable_number();
  }
  // One more batch of the case's source.
  void Append(const std::vector<v1::EventRun>& runs) {
    const auto number = TryAppend(Request(Fresh("inputs/0"), ++number_, Encode(runs)));
    REQUIRE(number.ok());
    CHECK(*number == number_);
  }
  void Append(const std::string& type) { Append({Run(type)}); }

  // The request, of the place that the case is in, where it names no other.
  template <typename Request>
  static Request Here(Request request) {
    if (request.filter().namespace_().empty()) {
      request.mutable_filter()->set_namespace_(Namespace());
    }
    bool begins_elsewhere = !request.after().empty();
    if constexpr (requires { request.start(); }) {
      begins_elsewhere = begins_elsewhere || request.start() != 0;
    }
    if (!begins_elsewhere) request.set_after(Beginning());
    return request;
  }
  Answer<v1::ReadResponse> TryRead(const v1::ReadRequest& request, bool as_service = false) {
    grpc::ClientContext context;
    SetDeadline(context);
    if (as_service) platform::PresentAsService(context, subject_->keys(), "inputs", absl::Now());
    v1::ReadResponse response;
    const auto status = platform::FromGrpc(stub_->Read(&context, Here(request), &response));
    if (!status.ok()) return status;
    return response;
  }
  v1::ReadResponse Read(const v1::ReadRequest& request = {}) {
    auto response = TryRead(request);
    REQUIRE(response.ok());
    return *response;
  }

  Subscription Subscribe(const v1::SubscribeRequest& request = {}) {
    return Subscription(*stub_, Here(request));
  }

  void Restart() {
    subject_->Stop();
    subject_->Start();
    Connect();
  }
  ServiceSubject& subject() { return *subject_; }
  uint64_t number() const { return number_; }

 private:
  void Connect() { stub_ = v1::EventsService::NewStub(subject_->channel()); }

  const std::unique_ptr<ServiceSubject> subject_;
  std::unique_ptr<v1::EventsService::Stub> stub_;
  uint64_t number_ = 0;
};

#define FOR_EVERY_SERVICE(entry)                                                              \
  const ServiceEntry entry = AllServices()[GENERATE(range(size_t{0}, AllServices().size()))]; \
  INFO("service: " << entry.name)

#define CHECK_REFUSED(outcome, expected_code, expected_reason)          \
  do {                                                                  \
    const absl::Status refused = (outcome);                             \
    CHECK(refused.code() == absl::StatusCode::expected_code);           \
    CHECK(platform::ReasonOf(refused) == std::string(expected_reason)); \
  } while (false)

}  // namespace kantoku::events

#endif  // KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EXAM_CLIENT_H_

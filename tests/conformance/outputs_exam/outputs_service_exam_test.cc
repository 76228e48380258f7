// The exam of OutputsService: what outputs.proto promises, asked through gRPC of every build of it.
#include "tests/conformance/outputs_exam/outputs_service_exam.h"

#include <grpcpp/client_context.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/ids.h"
#include "services/platform/rpc/caller.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::TaskId;

constexpr int kOk = static_cast<int>(absl::StatusCode::kOk);
constexpr int kInvalidArgument = static_cast<int>(absl::StatusCode::kInvalidArgument);
constexpr int kNotFound = static_cast<int>(absl::StatusCode::kNotFound);
constexpr int kAlreadyExists = static_cast<int>(absl::StatusCode::kAlreadyExists);
constexpr int kPermissionDenied = static_cast<int>(absl::StatusCode::kPermissionDenied);
constexpr int kFailedPrecondition = static_cast<int>(absl::StatusCode::kFailedPrecondition);
constexpr int kResourceExhausted = static_cast<int>(absl::StatusCode::kResourceExhausted);

TaskId Task(uint64_t sequence, uint64_t random = 5) {
  return TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, sequence, random);
}
std::string Id(TaskId task) { return std::string(task.bytes()); }
std::string Id(uint64_t sequence) { return Id(Task(sequence)); }

const platform::SessionId kSession(platform::Uuid::FromBytes("0123456789abcdef").value());

platform::Lease LeaseOf(TaskId task, uint32_t dispatch) {
  return {.task = task,
          .dispatch = dispatch,
          .session = kSession,
          .holder = {.subject = "local", .client_id = "local"},
          .name_space = "default",
          .owner = "local",
          .expires = absl::Now() + absl::Hours(1),
          .retention = absl::Hours(24)};
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  context.set_wait_for_ready(true);
}

// An Await call that a test reads answer by answer.
class Futures {
 public:
  explicit Futures(v1::OutputsService::Stub& stub) {
    SetDeadline(context_);
    stream_ = stub.Await(&context_);
  }
  ~Futures() {
    context_.TryCancel();
    if (!finished_) static_cast<void>(Finish());
  }

  void Add(const std::vector<std::string>& ids, const std::vector<std::string>& forget = {}) {
    v1::AwaitRequest request;
    for (const std::string& id : ids) request.add_task_ids(id);
    for (const std::string& id : forget) request.add_forget(id);
    REQUIRE(stream_->Write(request));
  }
  void HalfClose() { stream_->WritesDone(); }

  // The next answer; false when the stream has ended.
  bool Next(v1::AwaitResult& result) {
    while (next_ == response_.results_size()) {
      next_ = 0;
      response_.Clear();
      if (!stream_->Read(&response_)) return false;
    }
    result = response_.results(next_++);
    return true;
  }
  v1::AwaitResult Next() {
    v1::AwaitResult result;
    REQUIRE(Next(result));
    return result;
  }
  absl::Status Finish() {
    finished_ = true;
    v1::AwaitResponse ignored;
    while (stream_->Read(&ignored)) {
    }
    return platform::FromGrpc(stream_->Finish());
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AwaitRequest, v1::AwaitResponse>> stream_;
  v1::AwaitResponse response_;
  int next_ = 0;
  bool finished_ = false;
};

class Exam {
 public:
  explicit Exam(const ServiceEntry& entry) : subject_(entry.make()) { Connect(); }

  v1::PutItem Item(const platform::Lease& lease, const std::string& data = "data") {
    v1::PutItem item;
    item.set_lease_token(platform::SealLease(subject_->keys(), lease));
    item.set_data(data);
    item.set_content_type("text/plain");
    return item;
  }
  v1::PutItem Item(uint64_t task, uint32_t dispatch, const std::string& data = "data") {
    return Item(LeaseOf(Task(task), dispatch), data);
  }
  absl::StatusOr<v1::PutResponse> TryPut(const v1::PutRequest& request) {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::PutResponse response;
    const auto status = platform::FromGrpc(stub_->Put(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
  std::vector<v1::PutResult> Put(const std::vector<v1::PutItem>& items) {
    v1::PutRequest request;
    request.set_session_id(std::string(kSession.bytes()));
    for (const v1::PutItem& item : items) *request.add_items() = item;
    const auto response = TryPut(request);
    REQUIRE(response.ok());
    REQUIRE(response->results_size() == request.items_size());
    return {response->results().begin(), response->results().end()};
  }
  v1::PutResult Put(const v1::PutItem& item) { return Put(std::vector<v1::PutItem>{item})[0]; }

  absl::StatusOr<v1::GetResponse> TryGet(const std::vector<std::string>& ids) {
    v1::GetRequest request;
    for (const std::string& id : ids) request.add_task_ids(id);
    grpc::ClientContext context;
    SetDeadline(context);
    v1::GetResponse response;
    const auto status = platform::FromGrpc(stub_->Get(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
  v1::GetResult Get(const std::string& id) {
    const auto response = TryGet({id});
    REQUIRE(response.ok());
    return response->results(0);
  }

  static v1::FenceItem Closing(uint64_t task, uint32_t dispatch) {
    v1::FenceItem item;
    item.set_task_id(Id(task));
    item.set_dispatch(dispatch);
    return item;
  }
  static v1::FenceItem Settling(uint64_t task, v1::ResultStatus status) {
    v1::FenceItem item = Closing(task, 1);
    item.set_namespace_("default");
    item.set_owner("local");
    item.mutable_settlement()->set_status(status);
    item.mutable_settlement()->mutable_error()->set_reason("TIMEOUT");
    item.mutable_settlement()->mutable_error()->set_message("took too long");
    return item;
  }
  absl::StatusOr<v1::FenceResponse> TryFence(const std::vector<v1::FenceItem>& items,
                                             uint64_t epoch = 1,
                                             const std::string& service = "inputs") {
    v1::FenceRequest request;
    request.set_epoch(epoch);
    for (const v1::FenceItem& item : items) *request.add_items() = item;
    grpc::ClientContext context;
    SetDeadline(context);
    if (!service.empty()) {
      platform::PresentAsService(context, subject_->keys(), service, absl::Now());
    }
    v1::FenceResponse response;
    const auto status = platform::FromGrpc(stub_->Fence(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
  v1::FenceResult Fence(const v1::FenceItem& item, uint64_t epoch = 1) {
    const auto response = TryFence({item}, epoch);
    REQUIRE(response.ok());
    REQUIRE(response->results_size() == 1);
    return response->results(0);
  }

  Futures Await() { return Futures(*stub_); }

  void Restart() {
    subject_->Stop();
    subject_->Start();
    Connect();
  }
  ServiceSubject& subject() { return *subject_; }

 private:
  void Connect() { stub_ = v1::OutputsService::NewStub(subject_->channel()); }

  std::unique_ptr<ServiceSubject> subject_;
  std::unique_ptr<v1::OutputsService::Stub> stub_;
};

void CheckStatus(const task::v1::ItemStatus& status, int code, const std::string& reason) {
  CHECK(status.code() == code);
  CHECK(status.reason() == reason);
  CHECK(status.message().empty() == (code == kOk));
}

TEST_CASE("A result is there as it was put, with a receipt that proves it") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const std::string data("\0\xff any bytes", 12);
      const auto put = exam.Put(exam.Item(1, 2, data));
      CheckStatus(put.status(), kOk, "");
      const auto receipt = platform::OpenReceipt(exam.subject().keys(), put.receipt());
      REQUIRE(receipt.ok());
      CHECK(receipt->task == Task(1));
      CHECK(receipt->dispatch == 2);
      CHECK(receipt->status == v1::RESULT_STATUS_SUCCEEDED);

      const auto got = exam.Get(Id(1));
      CheckStatus(got.status(), kOk, "");
      CHECK(got.result().task_id() == Id(1));
      CHECK(got.result().status() == v1::RESULT_STATUS_SUCCEEDED);
      CHECK(got.result().data() == data);
      CHECK(got.result().content_type() == "text/plain");
      CHECK(got.result().dispatch() == 2);
      CHECK_FALSE(got.result().has_error());
      CHECK(got.result().ended_at().seconds() > 1'700'000'000);
    }
  }
}

TEST_CASE("The first result of a task wins for good") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const auto first = exam.Put(exam.Item(1, 2, "first"));
      const auto repeated = exam.Put(exam.Item(1, 2, "again"));
      CheckStatus(repeated.status(), kOk, "");
      CHECK(repeated.receipt() == first.receipt());
      for (const uint32_t dispatch : {1, 3}) {
        const auto other = exam.Put(exam.Item(1, dispatch, "other"));
        CheckStatus(other.status(), kAlreadyExists, "HAS_RESULT");
        CHECK(other.receipt().empty());
        CHECK(other.winner() == v1::RESULT_STATUS_SUCCEEDED);
      }
      CHECK(exam.Fence(Exam::Settling(1, v1::RESULT_STATUS_FAILED)).terminal() ==
            v1::RESULT_STATUS_SUCCEEDED);
      CHECK(exam.Get(Id(1)).result().data() == "first");

      // Within one request as well.
      const auto both = exam.Put({exam.Item(2, 1, "first"), exam.Item(2, 2, "second")});
      CheckStatus(both[0].status(), kOk, "");
      CheckStatus(both[1].status(), kAlreadyExists, "HAS_RESULT");
    }
  }
}

TEST_CASE("A result needs a genuine lease of its caller, and bad items stop no good ones") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      platform::Lease ended = LeaseOf(Task(1), 1);
      ended.expires = absl::Now() - absl::Seconds(1);
      platform::Lease of_another = LeaseOf(Task(2), 1);
      of_another.holder.client_id = "another";
      v1::PutItem forged = exam.Item(3, 1);
      forged.mutable_lease_token()->back() ^= 1;
      v1::PutItem empty = exam.Item(4, 1);
      empty.clear_lease_token();
      const auto results = exam.Put({exam.Item(ended), exam.Item(5, 1), exam.Item(of_another),
                                     forged, exam.Item(6, 1), empty});
      for (const size_t bad : {0, 2, 3, 5}) {
        INFO("item " << bad);
        CheckStatus(results[bad].status(), kPermissionDenied, "INVALID_LEASE");
        CHECK(results[bad].receipt().empty());
      }
      CheckStatus(results[1].status(), kOk, "");
      CheckStatus(results[4].status(), kOk, "");
      for (uint64_t task = 1; task <= 4; ++task) {
        CheckStatus(exam.Get(Id(task)).status(), kNotFound, "UNKNOWN_TASK");
      }
      CheckStatus(exam.Get(Id(6)).status(), kOk, "");
    }
  }
}

TEST_CASE("A lease is good in its own session only, which every Put names") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      platform::Lease of_another = LeaseOf(Task(1), 1);
      of_another.session =
          platform::SessionId(platform::Uuid::FromBytes("fedcba9876543210").value());
      const auto results = exam.Put({exam.Item(of_another, "forged"), exam.Item(2, 1)});
      CheckStatus(results[0].status(), kPermissionDenied, "INVALID_LEASE");
      CHECK(results[0].receipt().empty());
      CheckStatus(results[1].status(), kOk, "");
      CheckStatus(exam.Get(Id(1)).status(), kNotFound, "UNKNOWN_TASK");
      // The door stays open for the session that holds the dispatch.
      CheckStatus(exam.Put(exam.Item(1, 1, "genuine")).status(), kOk, "");
      CHECK(exam.Get(Id(1)).result().data() == "genuine");

      v1::PutRequest request;
      *request.add_items() = exam.Item(3, 1);
      for (const char* const bad : {"", "short"}) {
        request.set_session_id(bad);
        const absl::Status refused = exam.TryPut(request).status();
        CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
        CHECK(platform::ReasonOf(refused) == "INVALID_ID");
        CHECK(std::string(refused.message()).starts_with("session_id: "));
      }
    }
  }
}

TEST_CASE("What is too large or too many is refused with value and limit") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const auto large = exam.Put({exam.Item(1, 1, std::string((4 << 20) + 1, 'x')),
                                   exam.Item(2, 1, std::string(4 << 20, 'x'))});
      CheckStatus(large[0].status(), kInvalidArgument, "RESULT_TOO_LARGE");
      CHECK(large[0].status().message() == "data has 4194305 bytes; at most 4194304 are taken");
      CheckStatus(large[1].status(), kOk, "");
      CHECK(exam.Get(Id(2)).result().data().size() == 4 << 20);

      v1::PutItem long_type = exam.Item(3, 1);
      long_type.set_content_type(std::string(256, 'x'));
      CheckStatus(exam.Put(long_type).status(), kInvalidArgument, "TEXT_TOO_LONG");

      v1::PutRequest request;
      request.set_session_id(std::string(kSession.bytes()));
      CHECK(exam.TryPut(request).status().code() == absl::StatusCode::kInvalidArgument);
      for (int i = 0; i < 10'001; ++i) request.add_items();
      CHECK(exam.TryPut(request).status().code() == absl::StatusCode::kInvalidArgument);
      CHECK(exam.TryGet({}).status().code() == absl::StatusCode::kInvalidArgument);
      CHECK(exam.TryGet(std::vector<std::string>(10'001, Id(1))).status().code() ==
            absl::StatusCode::kInvalidArgument);
      CHECK(exam.TryFence({}).status().code() == absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST_CASE("Get answers item by item, and says what it has no room for") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      std::vector<std::string> ids;
      for (uint64_t task = 1; task <= 6; ++task) {
        exam.Put(exam.Item(task, 1, std::string(3 << 20, 'x')));
        ids.push_back(Id(task));
      }
      const auto response = exam.TryGet(ids);
      REQUIRE(response.ok());
      int there = 0;
      for (int i = 0; i < 6; ++i) {
        const v1::GetResult& result = response->results(i);
        if (result.status().code() == kOk) {
          ++there;
          CHECK(result.result().task_id() == ids[i]);
        } else {
          CheckStatus(result.status(), kResourceExhausted, "ANSWER_TOO_LARGE");
        }
      }
      CHECK(there == 5);

      const auto mixed = exam.TryGet({Id(1), "no id", Id(Task(1, 6)), Id(1), Id(99)});
      REQUIRE(mixed.ok());
      CHECK(mixed->results(0).status().code() == kOk);
      CheckStatus(mixed->results(1).status(), kInvalidArgument, "INVALID_ID");
      CheckStatus(mixed->results(2).status(), kNotFound, "UNKNOWN_TASK");  // A guessed id.
      CHECK(mixed->results(3).status().code() == kOk);
      CheckStatus(mixed->results(4).status(), kNotFound, "UNKNOWN_TASK");
    }
  }
}

TEST_CASE("Only Inputs may fence") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const auto nobody = exam.TryFence({Exam::Closing(1, 1)}, 1, "");
      CHECK(nobody.status().code() == absl::StatusCode::kPermissionDenied);
      CHECK(platform::ReasonOf(nobody.status()) == "NOT_A_SERVICE");
      const auto events = exam.TryFence({Exam::Closing(1, 1)}, 1, "events");
      CHECK(events.status().code() == absl::StatusCode::kPermissionDenied);
      CheckStatus(exam.Put(exam.Item(1, 1)).status(), kOk, "");
    }
  }
}

TEST_CASE("A fence keeps out its dispatch and earlier ones") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const auto closed = exam.Fence(Exam::Closing(1, 2));
      CheckStatus(closed.status(), kOk, "");
      CHECK(closed.terminal() == v1::RESULT_STATUS_UNSPECIFIED);
      if (entry.durable) exam.Restart();
      for (const uint32_t dispatch : {1, 2}) {
        const auto refused = exam.Put(exam.Item(1, dispatch));
        CheckStatus(refused.status(), kFailedPrecondition, "FENCED");
        CHECK(refused.receipt().empty());
      }
      CheckStatus(exam.Put(exam.Item(1, 3)).status(), kOk, "");
      CHECK(exam.Fence(Exam::Closing(1, 3)).terminal() == v1::RESULT_STATUS_SUCCEEDED);
    }
  }
}

TEST_CASE("A settlement becomes the result of a task that has none") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      CHECK(exam.Fence(Exam::Settling(1, v1::RESULT_STATUS_FAILED)).terminal() ==
            v1::RESULT_STATUS_FAILED);
      CHECK(exam.Fence(Exam::Settling(1, v1::RESULT_STATUS_CANCELLED)).terminal() ==
            v1::RESULT_STATUS_FAILED);
      const auto put = exam.Put(exam.Item(1, 1));
      CheckStatus(put.status(), kAlreadyExists, "HAS_RESULT");
      CHECK(put.winner() == v1::RESULT_STATUS_FAILED);
      const v1::Result result = exam.Get(Id(1)).result();
      CHECK(result.status() == v1::RESULT_STATUS_FAILED);
      CHECK(result.error().reason() == "TIMEOUT");
      CHECK(result.error().message() == "took too long");
      CHECK(result.data().empty());

      v1::FenceItem lie = Exam::Settling(2, v1::RESULT_STATUS_SUCCEEDED);
      CheckStatus(exam.Fence(lie).status(), kInvalidArgument, "INVALID_STATUS");
      v1::FenceItem chatty = Exam::Settling(3, v1::RESULT_STATUS_FAILED);
      chatty.mutable_settlement()->mutable_error()->set_message(std::string(5000, 'x'));
      CheckStatus(exam.Fence(chatty).status(), kOk, "");
      CHECK(exam.Get(Id(3)).result().error().message().size() == 4096);
    }
  }
}

TEST_CASE("Without room Put is refused with a hint; fences and settlements go on, nothing leaves") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetMaxBytes(2'000'000);
      exam.Restart();
      const std::string data(1'000'000, 'x');
      const auto puts = exam.Put({exam.Item(1, 1, data), exam.Item(2, 1, data), exam.Item(3, 1)});
      CheckStatus(puts[0].status(), kOk, "");
      CheckStatus(puts[1].status(), kOk, "");
      CheckStatus(puts[2].status(), kResourceExhausted, "OUTPUTS_FULL");
      CHECK(puts[2].receipt().empty());
      CHECK(puts[2].status().retry_after().seconds() >= 1);
      CHECK(exam.Put(exam.Item(1, 1, data)).receipt() == puts[0].receipt());

      CheckStatus(exam.Fence(Exam::Closing(3, 1)).status(), kOk, "");
      CHECK(exam.Fence(Exam::Settling(4, v1::RESULT_STATUS_FAILED)).terminal() ==
            v1::RESULT_STATUS_FAILED);
      if (entry.durable) {
        exam.Restart();
        CheckStatus(exam.Put(exam.Item(5, 1)).status(), kResourceExhausted, "OUTPUTS_FULL");
        CHECK(exam.Get(Id(1)).result().data() == data);
        exam.subject().SetMaxBytes(4'000'000);
        exam.Restart();
      } else {
        exam.Restart();
      }
      CheckStatus(exam.Put(exam.Item(5, 1)).status(), kOk, "");
    }
  }
}

TEST_CASE("An epoch that is over cannot fence") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.Fence(Exam::Closing(1, 1), 5);
      if (entry.durable) exam.Restart();
      const auto stale = exam.TryFence({Exam::Closing(2, 1)}, 4);
      CHECK(stale.status().code() == absl::StatusCode::kAborted);
      CheckStatus(exam.Put(exam.Item(2, 1)).status(), kOk, "");
      CHECK(exam.TryFence({Exam::Closing(3, 1)}, 6).ok());
    }
  }
}

TEST_CASE("Futures are resolved by what is there and by what comes") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      for (uint64_t task = 1; task <= 4; ++task) {
        exam.subject().SetTask(Id(task), task::v1::TASK_STATE_RUNNING);
      }
      exam.Put(exam.Item(1, 1, "before"));
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2), Id(3)});
      const auto before = futures.Next();
      CHECK(before.task_id() == Id(1));
      CHECK(before.status().code() == kOk);
      CHECK(before.result().data() == "before");
      exam.Put(exam.Item(2, 1, "after"));
      CHECK(futures.Next().result().data() == "after");
      // However long a task lives: Inputs knows it, so it is waited for.
      exam.subject().AwaitQuestions(1);
      exam.Fence(Exam::Settling(3, v1::RESULT_STATUS_CANCELLED));
      CHECK(futures.Next().result().status() == v1::RESULT_STATUS_CANCELLED);
      futures.Add({Id(2)});
      CHECK(futures.Next().result().data() == "after");
    }
  }
}

TEST_CASE("What nobody knows, what is gone and what is no id is answered as such") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetTask(Id(2), task::v1::TASK_STATE_SUCCEEDED);
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2), "no id"});
      std::map<std::string, v1::AwaitResult> answers;
      for (int i = 0; i < 3; ++i) {
        const v1::AwaitResult answer = futures.Next();
        answers[answer.task_id()] = answer;
      }
      CheckStatus(answers[Id(1)].status(), kNotFound, "UNKNOWN_TASK");
      CheckStatus(answers[Id(2)].status(), kNotFound, "RESULT_GONE");
      CheckStatus(answers["no id"].status(), kInvalidArgument, "INVALID_ID");
    }
  }
}

TEST_CASE("A result is gone once its retention is over") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      platform::Lease brief = LeaseOf(Task(1), 1);
      brief.retention = absl::ZeroDuration();
      CheckStatus(exam.Put(exam.Item(brief)).status(), kOk, "");
      // The millisecond that it is kept passes meanwhile.
      exam.Put(exam.Item(2, 1));
      Futures futures = exam.Await();
      futures.Add({Id(2)});
      futures.Next();
      CheckStatus(exam.Get(Id(1)).status(), kNotFound, "RESULT_GONE");
      futures.Add({Id(1)});
      CheckStatus(futures.Next().status(), kNotFound, "RESULT_GONE");
      CheckStatus(exam.Put(exam.Item(1, 2)).status(), kAlreadyExists, "HAS_RESULT");
    }
  }
}

TEST_CASE("While Inputs is away futures wait") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetInputsThere(false);
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2)});
      exam.subject().AwaitQuestions(2);
      exam.Put(exam.Item(2, 1, "came anyway"));
      CHECK(futures.Next().result().data() == "came anyway");
      exam.subject().SetInputsThere(true);
      CheckStatus(futures.Next().status(), kNotFound, "UNKNOWN_TASK");
    }
  }
}

TEST_CASE("A task of which Inputs cannot say anything waits, and the others do not wait with it") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().DamageTask(Id(1));
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2)});
      CHECK(futures.Next().task_id() == Id(2));
      futures.Add({Id(3)});
      CheckStatus(futures.Next().status(), kNotFound, "UNKNOWN_TASK");
      exam.Put(exam.Item(1, 1, "came anyway"));
      CHECK(futures.Next().result().data() == "came anyway");
    }
  }
}

TEST_CASE("What was forgotten is not answered") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      for (uint64_t task = 1; task <= 2; ++task) {
        exam.subject().SetTask(Id(task), task::v1::TASK_STATE_RUNNING);
      }
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2)});
      futures.Add({"ping"}, {Id(1)});
      CHECK(futures.Next().task_id() == "ping");
      exam.Put(exam.Item(3, 1));
      futures.Add({Id(3)});  // When it is answered, what was asked before it has been applied.
      CHECK(futures.Next().task_id() == Id(3));
      exam.Put({exam.Item(1, 1), exam.Item(2, 1)});
      CHECK(futures.Next().task_id() == Id(2));
      futures.HalfClose();
      CHECK(futures.Finish().ok());
    }
  }
}

TEST_CASE("A client that asks for no more gets all its answers, then the end") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      exam.subject().SetTask(Id(2), task::v1::TASK_STATE_RUNNING);
      exam.Put(exam.Item(1, 1));
      Futures futures = exam.Await();
      futures.Add({Id(1), Id(2)});
      futures.HalfClose();
      CHECK(futures.Next().task_id() == Id(1));
      exam.Put(exam.Item(2, 1));
      CHECK(futures.Next().task_id() == Id(2));
      v1::AwaitResult none;
      CHECK_FALSE(futures.Next(none));
      CHECK(futures.Finish().ok());
    }
  }
}

TEST_CASE("A stream that asks for too much is ended") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      Futures at_once = exam.Await();
      at_once.Add(std::vector<std::string>(10'001, Id(1)));
      CHECK(at_once.Finish().code() == absl::StatusCode::kResourceExhausted);

      exam.subject().SetInputsThere(false);
      Futures in_all = exam.Await();
      for (uint64_t begin = 0; begin < 30'000; begin += 10'000) {
        std::vector<std::string> ids;
        for (uint64_t i = begin; i < begin + 10'000; ++i) ids.push_back(Id(i));
        in_all.Add(ids);
      }
      CHECK(in_all.Finish().code() == absl::StatusCode::kResourceExhausted);
    }
  }
}

TEST_CASE("A client that reads slowly misses nothing") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      constexpr uint64_t kResults = 100;
      const std::string data(1 << 20, 'x');
      Futures futures = exam.Await();
      std::vector<std::string> early;
      std::vector<std::string> late;
      for (uint64_t task = 0; task < kResults; ++task) {
        exam.subject().SetTask(Id(task), task::v1::TASK_STATE_RUNNING);
        (task < kResults / 2 ? early : late).push_back(Id(task));
      }
      futures.Add(early);
      for (uint64_t task = 0; task < kResults; task += 10) {
        std::vector<v1::PutItem> items;
        for (uint64_t i = task; i < task + 10; ++i) items.push_back(exam.Item(i, 1, data));
        for (const auto& result : exam.Put(items)) CHECK(result.status().code() == kOk);
      }
      futures.Add(late);
      futures.HalfClose();
      std::set<std::string> answered;
      v1::AwaitResult answer;
      while (futures.Next(answer)) {
        CHECK(answer.result().data().size() == data.size());
        CHECK(answered.insert(answer.task_id()).second);
      }
      CHECK(answered.size() == kResults);
      CHECK(futures.Finish().ok());
    }
  }
}

TEST_CASE("A restart ends futures, and keeps what is durable") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      const auto put = exam.Put(exam.Item(1, 1, "kept"));
      exam.subject().SetTask(Id(2), task::v1::TASK_STATE_RUNNING);
      {
        Futures futures = exam.Await();
        futures.Add({Id(1), Id(2)});
        CHECK(futures.Next().task_id() == Id(1));
        exam.subject().Stop();
        CHECK(futures.Finish().code() == absl::StatusCode::kUnavailable);
      }
      exam.Restart();
      const auto got = exam.Get(Id(1));
      CHECK(got.status().code() == (entry.durable ? kOk : kNotFound));
      if (entry.durable) {
        CHECK(got.result().data() == "kept");
        CHECK(exam.Put(exam.Item(1, 1)).receipt() == put.receipt());
        CheckStatus(exam.Put(exam.Item(1, 2)).status(), kAlreadyExists, "HAS_RESULT");
      }
    }
  }
}

// Several executors claim the same tasks under different dispatches, while several users wait.
TEST_CASE("Of many who put at once one wins each task, and every waiter hears of that one") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      constexpr uint64_t kTasks = 1000;
      constexpr uint32_t kExecutors = 4;
      std::vector<std::string> ids;
      for (uint64_t task = 0; task < kTasks; ++task) {
        ids.push_back(Id(task));
        exam.subject().SetTask(Id(task), task::v1::TASK_STATE_RUNNING);
      }
      std::vector<std::map<std::string, std::string>> heard(2);
      std::vector<std::map<uint64_t, int>> won(kExecutors);
      std::vector<std::thread> threads;
      threads.reserve(heard.size() + kExecutors);
      // Catch2 checks on one thread only.
      std::atomic<int> odd = 0;
      for (auto& mine : heard) {
        threads.emplace_back([&] {
          Futures futures = exam.Await();
          for (size_t begin = 0; begin < ids.size(); begin += 100) {
            futures.Add({ids.begin() + begin, ids.begin() + begin + 100});
          }
          futures.HalfClose();
          v1::AwaitResult answer;
          while (futures.Next(answer)) {
            const bool fresh = mine.emplace(answer.task_id(), answer.result().data()).second;
            if (!fresh || answer.status().code() != kOk) ++odd;
          }
          if (!futures.Finish().ok()) ++odd;
        });
      }
      for (uint32_t executor = 0; executor < kExecutors; ++executor) {
        threads.emplace_back([&, executor] {
          for (uint64_t begin = 0; begin < kTasks; begin += 50) {
            v1::PutRequest request;
            request.set_session_id(std::string(kSession.bytes()));
            for (uint64_t i = begin; i < begin + 50; ++i) {
              const uint64_t task = executor % 2 == 0 ? i : kTasks - 1 - i;
              *request.add_items() = exam.Item(task, executor + 1, std::to_string(executor));
            }
            const auto response = exam.TryPut(request);
            if (!response.ok()) {
              ++odd;
              continue;
            }
            for (uint64_t i = begin; i < begin + 50; ++i) {
              const uint64_t task = executor % 2 == 0 ? i : kTasks - 1 - i;
              const int code = response->results(static_cast<int>(i - begin)).status().code();
              if (code == kOk) ++won[executor][task];
              if (code != kOk && code != kAlreadyExists) ++odd;
            }
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      CHECK(odd == 0);
      for (uint64_t task = 0; task < kTasks; ++task) {
        int winners = 0;
        std::string winner;
        for (uint32_t executor = 0; executor < kExecutors; ++executor) {
          if (won[executor].contains(task)) {
            ++winners;
            winner = std::to_string(executor);
          }
        }
        REQUIRE(winners == 1);
        for (const auto& mine : heard) REQUIRE(mine.at(Id(task)) == winner);
      }
    }
  }
}

TEST_CASE("In a random walk the service does what a model does") {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      Exam exam(entry);
      std::mt19937 random(20'240'229);
      const auto pick = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
      struct Model {
        v1::ResultStatus end = v1::RESULT_STATUS_UNSPECIFIED;
        uint32_t winner = 0;
        uint32_t fence = 0;
      };
      std::map<uint64_t, Model> models;
      for (int step = 0; step < 500; ++step) {
        INFO("step " << step);
        const uint64_t number = pick(60);
        const uint32_t dispatch = 1 + pick(4);
        Model& model = models[number];
        const bool ended = model.end != v1::RESULT_STATUS_UNSPECIFIED;
        switch (pick(entry.durable && step % 50 == 0 ? 5 : 4)) {
          case 0: {
            const bool wins = model.end == v1::RESULT_STATUS_SUCCEEDED && model.winner == dispatch;
            const bool stored = !ended && dispatch > model.fence;
            const int expected = wins || stored ? kOk
                                 : ended        ? kAlreadyExists
                                                : kFailedPrecondition;
            REQUIRE(exam.Put(exam.Item(number, dispatch)).status().code() == expected);
            if (stored) model = {v1::RESULT_STATUS_SUCCEEDED, dispatch, 0};
            break;
          }
          case 1: {
            REQUIRE(exam.Fence(Exam::Closing(number, dispatch)).terminal() == model.end);
            if (!ended) model.fence = std::max(model.fence, dispatch);
            break;
          }
          case 2: {
            if (!ended && pick(3) == 0) model.end = v1::RESULT_STATUS_CANCELLED;
            if (model.end == v1::RESULT_STATUS_UNSPECIFIED) break;
            REQUIRE(exam.Fence(Exam::Settling(number, v1::RESULT_STATUS_CANCELLED)).terminal() ==
                    model.end);
            break;
          }
          case 3: {
            const auto got = exam.Get(Id(number));
            REQUIRE(got.status().code() == (ended ? kOk : kNotFound));
            REQUIRE(got.result().status() == model.end);
            break;
          }
          case 4:
            exam.Restart();
            break;
        }
      }
    }
  }
}

}  // namespace
}  // namespace kantoku::outputs

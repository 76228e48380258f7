#ifndef KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_EXAM_CLIENT_H_
#define KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_EXAM_CLIENT_H_

#include <grpcpp/client_context.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/ids.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/status.h"
#include "tests/conformance/answer.h"
#include "tests/conformance/outputs_exam/exam_tasks.h"
#include "tests/conformance/outputs_exam/outputs_service_exam.h"

// How the exam of OutputsService asks.
namespace kantoku::outputs {

using conformance::Answer;

inline constexpr int kOk = static_cast<int>(absl::StatusCode::kOk);
inline constexpr int kInvalidArgument = static_cast<int>(absl::StatusCode::kInvalidArgument);
inline constexpr int kNotFound = static_cast<int>(absl::StatusCode::kNotFound);
inline constexpr int kAlreadyExists = static_cast<int>(absl::StatusCode::kAlreadyExists);
inline constexpr int kPermissionDenied = static_cast<int>(absl::StatusCode::kPermissionDenied);
inline constexpr int kFailedPrecondition = static_cast<int>(absl::StatusCode::kFailedPrecondition);
inline constexpr int kResourceExhausted = static_cast<int>(absl::StatusCode::kResourceExhausted);

inline void SetDeadline(grpc::ClientContext& context) {
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
    // No check: Next finds a stream that has ended, and not every thread may check.
    stream_->Write(request);
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

// A Stream call that a test reads message by message.
class ItemsRead {
 public:
  ItemsRead(v1::OutputsService::Stub& stub, const std::string& task, uint32_t dispatch,
            uint64_t sequence) {
    SetDeadline(context_);
    v1::StreamRequest request;
    request.set_task_id(task);
    request.set_dispatch(dispatch);
    request.set_sequence(sequence);
    stream_ = stub.Stream(&context_, request);
  }
  ~ItemsRead() {
    context_.TryCancel();
    if (!finished_) static_cast<void>(Finish());
  }

  // False when the stream has ended.
  bool Next(v1::StreamResponse& message) { return stream_->Read(&message); }
  // The next item as "dispatch:sequence:data", with a "!" in front where the handler began again;
  // the end as "end:data"; empty when the stream has ended without one.
  std::string NextText() {
    while (next_ == message_.items_size()) {
      next_ = 0;
      message_.Clear();
      if (!stream_->Read(&message_)) return "";
      if (message_.has_result()) return "end:" + message_.result().data();
    }
    const std::string again = message_.restarted() && next_ == 0 ? "!" : "";
    const uint64_t sequence = message_.first_sequence() + static_cast<uint64_t>(next_);
    return again + std::to_string(message_.dispatch()) + ":" + std::to_string(sequence) + ":" +
           message_.items(next_++).data();
  }
  std::vector<std::string> NextTexts(size_t count) {
    std::vector<std::string> texts;
    while (texts.size() < count) texts.push_back(NextText());
    return texts;
  }
  absl::Status Finish() {
    finished_ = true;
    v1::StreamResponse ignored;
    while (stream_->Read(&ignored)) {
    }
    return platform::FromGrpc(stream_->Finish());
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::StreamResponse>> stream_;
  v1::StreamResponse message_;
  int next_ = 0;
  bool finished_ = false;
};

class Exam {
 public:
  explicit Exam(const ServiceEntry& entry)
      : subject_(entry.make()), durable_(*subject_, entry.durable) {
    Connect();
  }

  v1::PutItem Item(const platform::Lease& lease, const std::string& data = "data") {
    return Item(platform::SealLease(subject_->keys(), lease), data);
  }
  static v1::PutItem Item(const std::string& lease_token, const std::string& data) {
    v1::PutItem item;
    item.set_lease_token(lease_token);
    item.set_data(data);
    item.set_content_type("text/plain");
    return item;
  }
  v1::PutItem Item(uint64_t task, uint32_t dispatch, const std::string& data = "data") {
    return Item(subject_->LeaseToken(task, dispatch), data);
  }
  Answer<v1::PutResponse> TryPut(const v1::PutRequest& request) {
    grpc::ClientContext context;
    SetDeadline(context);
    v1::PutResponse response;
    const auto status = platform::FromGrpc(stub_->Put(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }
  std::vector<v1::PutResult> Put(const std::vector<v1::PutItem>& items) {
    v1::PutRequest request;
    request.set_session_id(std::string(Session().bytes()));
    for (const v1::PutItem& item : items) *request.add_items() = item;
    const auto response = TryPut(request);
    REQUIRE(response.ok());
    REQUIRE(response->results_size() == request.items_size());
    return {response->results().begin(), response->results().end()};
  }
  v1::PutResult Put(const v1::PutItem& item) { return Put(std::vector<v1::PutItem>{item})[0]; }

  v1::ItemBatch Batch(const platform::Lease& lease, uint64_t first,
                      const std::vector<std::string>& items) {
    return Batch(platform::SealLease(subject_->keys(), lease), first, items);
  }
  static v1::ItemBatch Batch(const std::string& lease_token, uint64_t first,
                             const std::vector<std::string>& items) {
    v1::ItemBatch batch;
    batch.set_lease_token(lease_token);
    batch.set_first_sequence(first);
    for (const std::string& data : items) {
      batch.add_items()->set_data(data);
      batch.mutable_items(batch.items_size() - 1)->set_content_type("text/plain");
    }
    return batch;
  }
  v1::ItemBatch Batch(uint64_t task, uint32_t dispatch, uint64_t first,
                      const std::vector<std::string>& items) {
    return Batch(subject_->LeaseToken(task, dispatch), first, items);
  }
  Answer<v1::PutItemsResponse> TryPutItems(const std::vector<v1::ItemBatch>& batches) {
    v1::PutItemsRequest request;
    request.set_session_id(std::string(Session().bytes()));
    for (const v1::ItemBatch& batch : batches) *request.add_batches() = batch;
    grpc::ClientContext context;
    SetDeadline(context);
    v1::PutItemsResponse response;
    const auto status = platform::FromGrpc(stub_->PutItems(&context, request, &response));
    if (!status.ok()) return status;
    REQUIRE(response.results_size() == request.batches_size());
    return response;
  }
  v1::ItemBatchResult PutItems(const v1::ItemBatch& batch) {
    const auto response = TryPutItems({batch});
    REQUIRE(response.ok());
    return response->results(0);
  }
  // Puts items that are to be taken.
  void Yield(uint64_t task, uint32_t dispatch, uint64_t first,
             const std::vector<std::string>& items) {
    const auto result = PutItems(Batch(task, dispatch, first, items));
    REQUIRE(result.status().code() == kOk);
    REQUIRE(result.durable_sequence() >= first + items.size() - 1);
  }
  // Puts the result of a dispatch that has yielded so many items.
  v1::PutResult PutEnd(uint64_t task, uint32_t dispatch, uint64_t items,
                       const std::string& data = "done") {
    v1::PutItem item = Item(task, dispatch, data);
    item.set_item_count(items);
    return Put(item);
  }
  ItemsRead Read(const std::string& task, uint32_t dispatch = 0, uint64_t sequence = 0) {
    return ItemsRead(*stub_, task, dispatch, sequence);
  }
  ItemsRead Read(uint64_t task, uint32_t dispatch = 0, uint64_t sequence = 0) {
    return Read(Id(task), dispatch, sequence);
  }

  Answer<v1::GetResponse> TryGet(const std::vector<std::string>& ids) {
    v1::GetRequest request;
    for (const std::string& id : ids) request.add_task_ids(id);
    return TryRead(request);
  }
  Answer<v1::GetResponse> TryRead(const v1::GetRequest& request, const std::string& service = "") {
    grpc::ClientContext context;
    SetDeadline(context);
    if (!service.empty()) {
      platform::PresentAsService(context, subject_->keys(), service, absl::Now());
    }
    v1::GetResponse response;
    const auto status = platform::FromGrpc(stub_->Get(&context, request, &response));
    if (!status.ok()) return status;
    REQUIRE(response.results_size() == request.task_ids_size());
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
    item.set_namespace_(Namespace());
    item.set_owner("local");
    item.mutable_settlement()->set_status(status);
    item.mutable_settlement()->mutable_error()->set_reason("TIMEOUT");
    item.mutable_settlement()->mutable_error()->set_message("took too long");
    return item;
  }
  Answer<v1::FenceResponse> TryFence(const std::vector<v1::FenceItem>& items, uint64_t epoch = 1,
                                     const std::string& service = "inputs") {
    v1::FenceRequest request;
    request.set_epoch(Epoch(epoch));
    for (const v1::FenceItem& item : items) *request.add_items() = item;
    grpc::ClientContext context;
    SetDeadline(context);
    if (!service.empty()) {
      platform::PresentAsService(context, subject_->keys(), service, absl::Now());
    }
    v1::FenceResponse response;
    const auto status = platform::FromGrpc(stub_->Fence(&context, request, &response));
    if (!status.ok()) return status;
    REQUIRE(response.results_size() == request.items_size());
    return response;
  }
  v1::FenceResult Fence(const v1::FenceItem& item, uint64_t epoch = 1) {
    const auto response = TryFence({item}, epoch);
    REQUIRE(response.ok());
    return response->results(0);
  }

  // Returns once a result that is kept for no time is gone, which is a millisecond later: until
  // then the result of task 2 is put again and again.
  void PassTheShortestRetention() {
    const absl::Time until = absl::Now() + absl::Milliseconds(2);
    while (absl::Now() < until) Put(Item(2, 1));
    Put(Item(2, 1));
  }

  Futures Await() { return Futures(*stub_); }

  void Restart() {
    subject_->Stop();
    subject_->Start();
    Connect();
  }
  ServiceSubject& subject() { return *subject_; }
  // Whether a restart keeps what is there.
  const Durable& durable() const { return durable_; }

  // Whether a receipt proves this, which only services can see.
  void CheckReceipt(const std::string& sealed, uint64_t task, uint32_t dispatch,
                    uint64_t item_count = 0) {
    REQUIRE_FALSE(sealed.empty());
    if (!subject_->HasKeys()) return;
    const auto receipt = platform::OpenReceipt(subject_->keys(), sealed);
    REQUIRE(receipt.ok());
    CHECK(receipt->task == Task(task));
    CHECK(receipt->dispatch == dispatch);
    CHECK(receipt->status == v1::RESULT_STATUS_SUCCEEDED);
    CHECK(receipt->item_count == item_count);
  }

 private:
  void Connect() { stub_ = v1::OutputsService::NewStub(subject_->channel()); }

  const std::unique_ptr<ServiceSubject> subject_;
  const Durable durable_;
  std::unique_ptr<v1::OutputsService::Stub> stub_;
};

inline void CheckStatus(const task::v1::ItemStatus& status, int code, const std::string& reason) {
  CHECK(status.code() == code);
  CHECK(status.reason() == reason);
  CHECK(status.message().empty() == (code == kOk));
}

}  // namespace kantoku::outputs

#endif  // KANTOKU_TESTS_CONFORMANCE_OUTPUTS_EXAM_EXAM_CLIENT_H_

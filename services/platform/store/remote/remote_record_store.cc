#include "services/platform/store/remote/remote_record_store.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/store/v1/store.grpc.pb.h"
#include "services/platform/check.h"
#include "services/platform/status.h"
#include "services/platform/store/remote/store_status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

using store::v1::StoreService;

absl::Status NotAsked(std::string_view what) {
  return Error(absl::StatusCode::kDataLoss, kStoreDamaged,
               absl::StrCat("remote store: it answers with ", ToAbsl(what)));
}

void EndIn(absl::Duration timeout, grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout));
}

// Cuts a batch into messages.
class Parts {
 public:
  Parts(const WriteBatch& batch, const store::v1::Owner& owner, uint64_t previous)
      : batch_(batch), operations_(batch.operations()) {
    *part_.mutable_owner() = owner;
    part_.set_number(batch.number());
    part_.set_previous(previous);
  }

  // Null after the last one. Good until the next.
  const store::v1::CommitRequest* Next() {
    if (part_.last()) return nullptr;
    if (next_ > 0) part_.Clear();
    size_t bytes = 0;
    while (next_ < operations_.size()) {
      bytes += operations_[next_].size + kChangeBytes;
      if (bytes > kPartBytes && part_.changes_size() > 0) return &part_;
      Add(operations_[next_++]);
    }
    part_.set_last(true);
    return &part_;
  }

 private:
  void Add(const WriteBatch::Operation& operation) {
    store::v1::Change& change = *part_.add_changes();
    change.set_kind(operation.kind);
    switch (operation.type) {
      case WriteBatch::Operation::Type::kPut:
        change.mutable_put()->set_key(operation.first);
        change.mutable_put()->set_value(std::string(batch_.value(operation)));
        return;
      case WriteBatch::Operation::Type::kErase:
        change.mutable_erase()->set_first(operation.first);
        change.mutable_erase()->set_last(operation.last);
        return;
    }
  }

  static constexpr size_t kPartBytes = size_t{1} << 20;
  static constexpr size_t kChangeBytes = 32;  // Of one without its value.

  const WriteBatch& batch_;
  const std::vector<WriteBatch::Operation>& operations_;
  size_t next_ = 0;
  store::v1::CommitRequest part_;
};

// The records of a call as they come, each message in time.
template <typename Response>
class RecordReader {
 public:
  // `start` makes the call on a queue.
  template <typename Start>
  RecordReader(absl::Duration timeout, Start&& start) : timeout_(timeout) {
    reader_ = start(&context_, &queue_);
    started_ = Await();
  }
  ~RecordReader() {
    context_.TryCancel();
    if (!finished_) Finish();
    queue_.Shutdown();
    bool ok = false;
    for (void* tag = nullptr; queue_.Next(&tag, &ok);) continue;
  }

  // The next ones, at least one; nothing at the end, which Finish tells of.
  const google::protobuf::RepeatedPtrField<store::v1::Record>* Next() {
    response_.Clear();
    if (!started_) return nullptr;
    reader_->Read(&response_, this);
    return Await() ? &response_.records() : nullptr;
  }
  grpc::Status Finish() {
    grpc::Status status;
    reader_->Finish(&status, this);
    finished_ = true;
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    return late_ ? grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "no answer in time") : status;
  }

 private:
  // Whether what was begun came about. What takes too long ends the call.
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    const auto deadline = std::chrono::system_clock::now() + absl::ToChronoNanoseconds(timeout_);
    if (queue_.AsyncNext(&tag, &ok, deadline) == grpc::CompletionQueue::TIMEOUT) {
      late_ = true;
      context_.TryCancel();
      queue_.Next(&tag, &ok);
    }
    return ok && !late_;
  }

  const absl::Duration timeout_;
  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReader<Response>> reader_;
  Response response_;
  bool started_ = false;
  bool finished_ = false;
  bool late_ = false;
};

class RemoteRecordStore final : public RecordStore {
 public:
  RemoteRecordStore(std::shared_ptr<StoreService::Stub> stub, absl::Duration timeout,
                    store::v1::Owner owner, uint64_t last_batch)
      : stub_(std::move(stub)),
        timeout_(timeout),
        owner_(std::move(owner)),
        name_(PartitionName(owner_.component(), owner_.partition())),
        last_batch_(last_batch) {}

  uint64_t epoch() const override { return owner_.epoch(); }

  absl::StatusOr<uint64_t> LastBatch() override {
    store::v1::GetLastBatchRequest request;
    *request.mutable_owner() = owner_;
    store::v1::GetLastBatchResponse response;
    grpc::ClientContext context;
    EndIn(timeout_, context);
    KANTOKU_RETURN_IF_ERROR(Named(stub_->GetLastBatch(&context, request, &response)));
    return response.number();
  }

  absl::Status Commit(const WriteBatch& batch) override {
    KANTOKU_CHECK(batch.number() > 0);
    store::v1::CommitResponse response;
    grpc::ClientContext context;
    EndIn(timeout_, context);
    const auto writer = stub_->Commit(&context, &response);
    Parts parts(batch, owner_, last_batch_);
    // A part that cannot be written has a cause, which the end tells.
    for (const auto* part = parts.Next(); part != nullptr && writer->Write(*part);) {
      part = parts.Next();
    }
    writer->WritesDone();
    const grpc::Status end = writer->Finish();
    if (end.ok()) last_batch_ = std::max(last_batch_, batch.number());
    return Annotate(FromStore(end, kBatchOutOfOrder), name_);
  }

  absl::Status Read(const RecordKeys& keys, RecordVisitor visit) override {
    store::v1::ReadRequest request;
    *request.mutable_owner() = owner_;
    request.set_kind(keys.kind);
    request.mutable_keys()->Add(keys.keys.begin(), keys.keys.end());
    RecordReader<store::v1::ReadResponse> reader(timeout_, [&](auto* context, auto* queue) {
      return stub_->AsyncRead(context, request, queue, nullptr);
    });
    auto asked = keys.keys.begin();
    return Visit(reader, [&](const store::v1::Record& record) {
      asked = std::find(asked, keys.keys.end(), record.key());
      if (asked == keys.keys.end()) return false;
      ++asked;
      visit(record.key(), record.value());
      return true;
    });
  }

  absl::Status Scan(const RecordRange& range, RecordVisitor visit) override {
    if (range.limit == 0 || range.first > range.last) return absl::OkStatus();
    store::v1::ScanRequest request;
    *request.mutable_owner() = owner_;
    request.set_kind(range.kind);
    request.mutable_range()->set_first(range.first);
    request.mutable_range()->set_last(range.last);
    request.set_limit(range.limit == SIZE_MAX ? 0 : range.limit);
    request.set_descending(range.descending);
    RecordReader<store::v1::ScanResponse> reader(timeout_, [&](auto* context, auto* queue) {
      return stub_->AsyncScan(context, request, queue, nullptr);
    });
    RecordRange left = range;
    return Visit(reader, [&](const store::v1::Record& record) {
      const RecordKey key = record.key();
      if (left.limit == 0 || left.first > left.last || key < left.first || key > left.last) {
        return false;
      }
      visit(key, record.value());
      --left.limit;
      // What may come next; nothing any more at the end of all keys.
      if (!range.descending) {
        left.first = key + 1;
      } else if (key == 0) {
        left.limit = 0;
      } else {
        left.last = key - 1;
      }
      return true;
    });
  }

 private:
  absl::Status Named(const grpc::Status& status) const {
    return Annotate(FromStore(status, kStoreForeign), name_);
  }

  // All records of a call, as long as `take` says that they were asked for.
  template <typename Reader, typename Take>
  absl::Status Visit(Reader& reader, Take&& take) const {
    for (const auto* records = reader.Next(); records != nullptr; records = reader.Next()) {
      if (records->empty()) return Annotate(NotAsked("a message without records"), name_);
      if (!std::ranges::all_of(*records, take)) {
        return Annotate(NotAsked("records that nobody asked for"), name_);
      }
    }
    return Named(reader.Finish());
  }

  const std::shared_ptr<StoreService::Stub> stub_;
  const absl::Duration timeout_;
  const store::v1::Owner owner_;
  const std::string name_;
  uint64_t last_batch_;  // That is known to be durable. On the thread of Commit.
};

class RemoteRecordStoreFactory final : public RecordStoreFactory {
 public:
  RemoteRecordStoreFactory(StoreSchema schema, RemoteStoreOptions options)
      : schema_(std::move(schema)),
        timeout_(options.timeout),
        stub_(StoreService::NewStub(options.channel)) {}

  StoreTraits traits() const override { return {.name = "remote", .durable = true}; }

  absl::StatusOr<std::unique_ptr<RecordStore>> Open(uint32_t partition) override {
    store::v1::OpenRequest request;
    store::v1::Owner& owner = *request.mutable_owner();
    owner.set_component(std::string(schema_.component));
    owner.set_partition(partition);
    request.set_format(schema_.format);
    for (const StoreSchema::Kind& kind : schema_.kinds) {
      store::v1::Kind& proto = *request.add_kinds();
      proto.set_kind(kind.kind);
      proto.set_name(std::string(kind.name));
    }
    store::v1::OpenResponse response;
    grpc::ClientContext context;
    EndIn(timeout_, context);
    context.set_wait_for_ready(true);
    const std::string name = PartitionName(schema_.component, partition);
    KANTOKU_RETURN_IF_ERROR(
        Annotate(FromStore(stub_->Open(&context, request, &response), kStoreTooNew),
                 absl::StrCat("open ", name)));
    if (response.epoch() == 0) return Annotate(NotAsked("epoch 0"), absl::StrCat("open ", name));
    owner.set_epoch(response.epoch());
    return std::make_unique<RemoteRecordStore>(stub_, timeout_, owner, response.last_batch());
  }

 private:
  const StoreSchema schema_;
  const absl::Duration timeout_;
  const std::shared_ptr<StoreService::Stub> stub_;
};

}  // namespace

std::unique_ptr<RecordStoreFactory> MakeRemoteRecordStoreFactory(StoreSchema schema,
                                                                 RemoteStoreOptions options) {
  return std::make_unique<RemoteRecordStoreFactory>(std::move(schema), std::move(options));
}

}  // namespace kantoku::platform

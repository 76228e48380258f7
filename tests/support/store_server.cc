#include "tests/support/store_server.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::test {
namespace {

using platform::FencedError;
using platform::RecordKind;
using platform::ToGrpc;

constexpr size_t kMessageBytes = size_t{1} << 20;

// Sends records in messages of some size.
template <typename Response>
class RecordWriter {
 public:
  explicit RecordWriter(grpc::ServerWriter<Response>& writer) : writer_(writer) {}
  void Add(platform::RecordKey key, std::string_view value) {
    if (bytes_ + value.size() > kMessageBytes) Flush();
    store::v1::Record& record = *next_.add_records();
    record.set_key(key);
    record.set_value(std::string(value));
    bytes_ += value.size() + 16;
  }
  void Flush() {
    if (bytes_ > 0) writer_.Write(next_);
    next_.Clear();
    bytes_ = 0;
  }

 private:
  grpc::ServerWriter<Response>& writer_;
  Response next_;
  size_t bytes_ = 0;
};

// Adds a change, unless it is of a kind that this server does not know.
bool Add(const store::v1::Change& change, platform::WriteBatch& batch) {
  const auto kind = static_cast<RecordKind>(change.kind());
  switch (change.change_case()) {
    case store::v1::Change::kPut:
      batch.Put(kind, change.put().key(), change.put().value());
      return true;
    case store::v1::Change::kErase:
      batch.EraseRange(kind, change.erase().first(), change.erase().last());
      return true;
    case store::v1::Change::CHANGE_NOT_SET:
      return false;
  }
  return false;
}

absl::Status Commit(platform::RecordStore& store, const platform::WriteBatch& batch,
                    uint64_t previous) {
  const auto last = store.LastBatch();
  if (!last.ok()) return last.status();
  if (batch.number() > *last && previous != *last) {
    return absl::DataLossError(
        absl::StrCat("batch ", previous, " is not the last, ", *last, " is"));
  }
  return store.Commit(batch);
}

}  // namespace

StoreServer::StoreServer(Factories factories) : factories_(std::move(factories)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.SetMaxReceiveMessageSize(platform::kMaxMessageBytes);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  KANTOKU_CHECK(server_ != nullptr);
}

StoreServer::~StoreServer() { server_->Shutdown(); }

std::string StoreServer::address() const { return absl::StrCat("127.0.0.1:", port_); }

std::shared_ptr<grpc::Channel> StoreServer::Connect() const {
  return platform::MakeChannel(address());
}

grpc::Status StoreServer::Open(grpc::ServerContext*, const store::v1::OpenRequest* request,
                               store::v1::OpenResponse* response) {
  const Partition partition(request->owner().component(), request->owner().partition());
  const auto factory = factories_.find(partition.first);
  if (factory == factories_.end()) {
    return ToGrpc(absl::FailedPreconditionError("an unknown component"));
  }
  auto opened = factory->second->Open(partition.second);
  if (!opened.ok()) return ToGrpc(opened.status());
  const auto last_batch = (*opened)->LastBatch();
  if (!last_batch.ok()) return ToGrpc(last_batch.status());
  response->set_epoch((*opened)->epoch());
  response->set_last_batch(*last_batch);
  platform::MutexLock lock(mutex_);
  auto& owned = owned_[partition];
  if (owned == nullptr || owned->epoch() < (*opened)->epoch()) owned = *std::move(opened);
  return grpc::Status::OK;
}

grpc::Status StoreServer::GetLastBatch(grpc::ServerContext*,
                                       const store::v1::GetLastBatchRequest* request,
                                       store::v1::GetLastBatchResponse* response) {
  const auto store = StoreOf(request->owner());
  if (store == nullptr) return ToGrpc(FencedError());
  const auto number = store->LastBatch();
  if (number.ok()) response->set_number(*number);
  return ToGrpc(number.status());
}

grpc::Status StoreServer::Commit(grpc::ServerContext*,
                                 grpc::ServerReader<store::v1::CommitRequest>* reader,
                                 store::v1::CommitResponse*) {
  platform::WriteBatch batch;
  store::v1::CommitRequest first;
  store::v1::CommitRequest part;
  while (!part.last() && reader->Read(&part)) {
    if (part.has_owner()) first = part;
    for (const store::v1::Change& change : part.changes()) {
      if (!Add(change, batch)) return ToGrpc(absl::FailedPreconditionError("an unknown change"));
    }
  }
  if (!part.last()) return ToGrpc(absl::CancelledError("the last part did not come"));
  batch.set_number(first.number());
  const auto store = StoreOf(first.owner());
  if (store == nullptr) return ToGrpc(FencedError());
  return ToGrpc(test::Commit(*store, batch, first.previous()));
}

grpc::Status StoreServer::Read(grpc::ServerContext*, const store::v1::ReadRequest* request,
                               grpc::ServerWriter<store::v1::ReadResponse>* writer) {
  const auto store = StoreOf(request->owner());
  if (store == nullptr) return ToGrpc(FencedError());
  RecordWriter<store::v1::ReadResponse> records(*writer);
  const std::vector<platform::RecordKey> keys(request->keys().begin(), request->keys().end());
  const absl::Status read =
      store->Read({.kind = static_cast<RecordKind>(request->kind()), .keys = keys},
                  [&](auto key, auto value) { records.Add(key, value); });
  records.Flush();
  return ToGrpc(read);
}

grpc::Status StoreServer::Scan(grpc::ServerContext*, const store::v1::ScanRequest* request,
                               grpc::ServerWriter<store::v1::ScanResponse>* writer) {
  const auto store = StoreOf(request->owner());
  if (store == nullptr) return ToGrpc(FencedError());
  RecordWriter<store::v1::ScanResponse> records(*writer);
  const absl::Status scanned =
      store->Scan({.kind = static_cast<RecordKind>(request->kind()),
                   .first = request->range().first(),
                   .last = request->range().last(),
                   .limit = request->limit() == 0 ? SIZE_MAX : request->limit(),
                   .descending = request->descending()},
                  [&](auto key, auto value) { records.Add(key, value); });
  records.Flush();
  return ToGrpc(scanned);
}

std::shared_ptr<platform::RecordStore> StoreServer::StoreOf(const store::v1::Owner& owner) {
  platform::MutexLock lock(mutex_);
  const auto found = owned_.find({owner.component(), owner.partition()});
  const bool owns = found != owned_.end() && found->second->epoch() == owner.epoch();
  return owns ? found->second : nullptr;
}

}  // namespace kantoku::test

// What programs answer that do not keep the protocol; those that do sit the exam.
#include "services/platform/store/remote/remote_record_store.h"

#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/store/v1/store.grpc.pb.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "services/platform/store/remote/store_status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

constexpr RecordKind kKind = 1;

// What a program answers, whatever it is asked.
struct Script {
  uint64_t epoch = 5;
  uint64_t last_batch = 0;
  std::vector<RecordKey> keys;  // Of the records that are read.
  bool empty = false;           // These come in messages without records.
  bool silent = false;          // All but Open are answered when the caller has gone.
};

class Scripted final : private store::v1::StoreService::Service {
 public:
  explicit Scripted(Script script = {}) : script_(std::move(script)) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    stores_ = MakeRemoteRecordStoreFactory(
        {.component = "exam", .format = 3, .kinds = {{kKind, "thing"}}},
        {.channel = MakeChannel(absl::StrCat("127.0.0.1:", port)),
         .timeout = script_.silent ? absl::Milliseconds(300) : absl::Minutes(1)});
  }
  ~Scripted() override { server_->Shutdown(); }

  absl::StatusOr<std::unique_ptr<RecordStore>> Open() { return stores_->Open(7); }
  std::unique_ptr<RecordStore> OpenOrFail() {
    auto store = Open();
    REQUIRE(store.ok());
    return *std::move(store);
  }
  void Hold(std::vector<RecordKey> keys) {
    MutexLock lock(mutex_);
    script_.keys = std::move(keys);
  }
  store::v1::OpenRequest opened() {
    MutexLock lock(mutex_);
    return opened_;
  }
  // All parts of all commits.
  std::vector<store::v1::CommitRequest> parts() {
    MutexLock lock(mutex_);
    return parts_;
  }

 private:
  Script script() {
    MutexLock lock(mutex_);
    return script_;
  }
  grpc::Status End(grpc::ServerContext* context) {
    for (const bool silent = script().silent; silent && !context->IsCancelled();) {
      std::this_thread::yield();
    }
    return grpc::Status::OK;
  }
  template <typename Response>
  grpc::Status Write(grpc::ServerContext* context, grpc::ServerWriter<Response>* writer) {
    for (const RecordKey key : script().keys) {
      Response response;
      if (!script().empty) response.add_records()->set_key(key);
      writer->Write(response);
    }
    return End(context);
  }
  grpc::Status Open(grpc::ServerContext*, const store::v1::OpenRequest* request,
                    store::v1::OpenResponse* response) override {
    MutexLock lock(mutex_);
    opened_ = *request;
    response->set_epoch(script_.epoch);
    response->set_last_batch(script_.last_batch);
    return grpc::Status::OK;
  }
  grpc::Status GetLastBatch(grpc::ServerContext* context, const store::v1::GetLastBatchRequest*,
                            store::v1::GetLastBatchResponse*) override {
    return End(context);
  }
  grpc::Status Commit(grpc::ServerContext* context,
                      grpc::ServerReader<store::v1::CommitRequest>* reader,
                      store::v1::CommitResponse*) override {
    for (store::v1::CommitRequest part; reader->Read(&part);) {
      MutexLock lock(mutex_);
      parts_.push_back(part);
    }
    return End(context);
  }
  grpc::Status Read(grpc::ServerContext* context, const store::v1::ReadRequest*,
                    grpc::ServerWriter<store::v1::ReadResponse>* writer) override {
    return Write(context, writer);
  }
  grpc::Status Scan(grpc::ServerContext* context, const store::v1::ScanRequest*,
                    grpc::ServerWriter<store::v1::ScanResponse>* writer) override {
    return Write(context, writer);
  }

  Mutex mutex_;
  Script script_ ABSL_GUARDED_BY(mutex_);
  store::v1::OpenRequest opened_ ABSL_GUARDED_BY(mutex_);
  std::vector<store::v1::CommitRequest> parts_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<RecordStoreFactory> stores_;
  std::unique_ptr<grpc::Server> server_;
};

// What came, and how it ended.
struct Visited {
  std::vector<RecordKey> keys;
  absl::Status status;
};

Visited ReadAll(RecordStore& store, const std::vector<RecordKey>& keys) {
  Visited visited;
  visited.status = store.Read({.kind = kKind, .keys = keys},
                              [&](RecordKey key, auto) { visited.keys.push_back(key); });
  return visited;
}

Visited ScanAll(RecordStore& store, const RecordRange& range) {
  Visited visited;
  visited.status = store.Scan(range, [&](RecordKey key, auto) { visited.keys.push_back(key); });
  return visited;
}

WriteBatch OneRecord() {
  WriteBatch batch;
  batch.set_number(1);
  batch.Put(kKind, 1, "x");
  return batch;
}

TEST_CASE("A program is told who opens what") {
  Scripted program;
  CHECK(program.OpenOrFail()->epoch() == 5);
  const store::v1::OpenRequest opened = program.opened();
  CHECK(opened.owner().component() == "exam");
  CHECK(opened.owner().partition() == 7);
  CHECK(opened.format() == 3);
  REQUIRE(opened.kinds_size() == 1);
  CHECK(opened.kinds(0).kind() == kKind);
  CHECK(opened.kinds(0).name() == "thing");
}

TEST_CASE("A program that gives no epoch is damaged") {
  Scripted program({.epoch = 0});
  const absl::Status status = program.Open().status();
  CHECK(absl::IsDataLoss(status));
  CHECK(ReasonOf(status) == kStoreDamaged);
}

TEST_CASE("Records that were not asked for are damage, and are not shown") {
  Scripted program;
  const auto store = program.OpenOrFail();
  const RecordRange up = {.kind = kKind, .first = 1, .last = 9, .limit = 2};
  const RecordRange down = {.kind = kKind, .first = 1, .last = 9, .descending = true};
  const std::map<std::string, std::pair<std::vector<RecordKey>, std::vector<RecordKey>>> cases = {
      {"read: another", {{1, 8, 2}, {1}}},   {"read: out of order", {{2, 1}, {2}}},
      {"read: twice", {{1, 1}, {1}}},        {"up: out of order", {{2, 1}, {2}}},
      {"up: twice", {{2, 2}, {2}}},          {"up: outside", {{10}, {}}},
      {"up: too many", {{1, 2, 3}, {1, 2}}}, {"down: out of order", {{1, 2}, {1}}},
      {"down: outside", {{9, 0}, {9}}},
  };
  for (const auto& [name, keys] : cases) {
    CAPTURE(name);
    program.Hold(keys.first);
    const Visited visited = name.starts_with("read") ? ReadAll(*store, {1, 2, 3})
                            : name.starts_with("up") ? ScanAll(*store, up)
                                                     : ScanAll(*store, down);
    CHECK(visited.keys == keys.second);
    CHECK(absl::IsDataLoss(visited.status));
    CHECK(ReasonOf(visited.status) == kStoreDamaged);
  }
}

TEST_CASE("The ends of all keys can be scanned both ways") {
  Scripted program;
  const auto store = program.OpenOrFail();
  program.Hold({0, kMaxRecordKey});
  CHECK(ScanAll(*store, {.kind = kKind}).status.ok());
  program.Hold({kMaxRecordKey, 0});
  CHECK(ScanAll(*store, {.kind = kKind, .descending = true}).status.ok());
}

TEST_CASE("A program that does not answer in time is unavailable") {
  Scripted program({.silent = true});
  const auto store = program.OpenOrFail();
  CHECK(absl::IsUnavailable(store->Commit(OneRecord())));
  CHECK(absl::IsUnavailable(store->LastBatch().status()));
  CHECK(absl::IsUnavailable(ReadAll(*store, {1}).status));
  CHECK(absl::IsUnavailable(ScanAll(*store, {.kind = kKind}).status));
}

TEST_CASE("A program that sends messages without records is damaged") {
  Scripted program({.keys = {1, 2, 3}, .empty = true});
  const auto store = program.OpenOrFail();
  CHECK(absl::IsDataLoss(ScanAll(*store, {.kind = kKind}).status));
  CHECK(absl::IsDataLoss(ReadAll(*store, {1, 2, 3}).status));
}

TEST_CASE("A batch comes in parts that servers take by themselves, but for what is larger alone") {
  Scripted program;
  const auto store = program.OpenOrFail();
  WriteBatch batch;
  batch.set_number(1);
  constexpr RecordKey kLarge = 1'500;
  for (RecordKey key = 0; key < 3'000; ++key) {
    batch.Put(kKind, key, std::string(key == kLarge ? size_t{3} << 20 : 2'000, 'x'));
  }
  batch.EraseRange(kKind, 7, 9);
  REQUIRE(store->Commit(batch).ok());
  const auto parts = program.parts();
  RecordKey key = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    CHECK(parts[i].has_owner() == (i == 0));
    CHECK(parts[i].last() == (i + 1 == parts.size()));
    CHECK((parts[i].changes_size() == 1 || parts[i].ByteSizeLong() < (size_t{1} << 20) + 1'000));
    for (const store::v1::Change& change : parts[i].changes()) {
      if (change.has_put()) CHECK(change.put().key() == key++);
    }
  }
  CHECK(key == 3'000);
  CHECK(parts.front().number() == 1);
  CHECK(parts.back().changes().rbegin()->erase().last() == 9);
}

TEST_CASE("A batch names the one before it that is known to be durable") {
  Scripted program({.last_batch = 4});
  const auto store = program.OpenOrFail();
  for (const uint64_t number : {6, 7}) {
    WriteBatch batch;
    batch.set_number(number);
    REQUIRE(store->Commit(batch).ok());
  }
  const auto parts = program.parts();
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].previous() == 4);
  CHECK(parts[1].previous() == 6);
}

TEST_CASE("Errors of programs have the codes and reasons of stores") {
  struct Case {
    grpc::StatusCode code;
    absl::StatusCode expected;
    std::string_view reason;
  };
  const std::vector<Case> cases = {
      {grpc::StatusCode::ABORTED, absl::StatusCode::kAborted, kStoreFenced},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, absl::StatusCode::kResourceExhausted, kStoreFull},
      {grpc::StatusCode::UNAVAILABLE, absl::StatusCode::kUnavailable, kStoreFailing},
      {grpc::StatusCode::DATA_LOSS, absl::StatusCode::kDataLoss, kStoreDamaged},
      {grpc::StatusCode::FAILED_PRECONDITION, absl::StatusCode::kFailedPrecondition, kStoreTooNew},
      {grpc::StatusCode::CANCELLED, absl::StatusCode::kUnavailable, kStoreFailing},
      {grpc::StatusCode::UNKNOWN, absl::StatusCode::kUnavailable, kStoreFailing},
      {grpc::StatusCode::INVALID_ARGUMENT, absl::StatusCode::kUnavailable, kStoreFailing},
      {grpc::StatusCode::DEADLINE_EXCEEDED, absl::StatusCode::kUnavailable, kStoreFailing},
      {grpc::StatusCode::NOT_FOUND, absl::StatusCode::kUnavailable, kStoreFailing},
      {grpc::StatusCode::ALREADY_EXISTS, absl::StatusCode::kUnavailable, kStoreFailing},
      {grpc::StatusCode::PERMISSION_DENIED, absl::StatusCode::kUnavailable, kStoreFailing},
      {grpc::StatusCode::OUT_OF_RANGE, absl::StatusCode::kUnavailable, kStoreFailing},
      {grpc::StatusCode::UNIMPLEMENTED, absl::StatusCode::kUnavailable, kStoreFailing},
      {grpc::StatusCode::INTERNAL, absl::StatusCode::kUnavailable, kStoreFailing},
      {grpc::StatusCode::UNAUTHENTICATED, absl::StatusCode::kUnavailable, kStoreFailing},
  };
  for (const Case& each : cases) {
    CAPTURE(each.code);
    const absl::Status status = FromStore(grpc::Status(each.code, "as it says"), kStoreTooNew);
    CHECK(status.code() == each.expected);
    CHECK(ReasonOf(status) == each.reason);
    CHECK(std::string(status.message()).find("as it says") != std::string::npos);
  }
  CHECK(FromStore(grpc::Status::OK, kStoreTooNew).ok());
  CHECK(ReasonOf(FromStore(ToGrpc(BatchOutOfOrderError(1, 2)), kStoreTooNew)) == kBatchOutOfOrder);
}

}  // namespace
}  // namespace kantoku::platform

// Two servers of Outputs, each with one of two partitions. Clients call the near one.
#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/auth/tokens.h"
#include "services/platform/mutex.h"
#include "tests/unit/outputs/test_replica.h"

namespace kantoku::outputs {
namespace {

using platform::PartitionMap;
using platform::TaskId;

constexpr size_t kMiB = size_t{1} << 20;
constexpr uint32_t kNear = 0;
constexpr uint32_t kFar = 1;

// Slots are dealt out in turn.
TaskId NearTask(uint64_t sequence) { return Task(sequence, 2); }
TaskId FarTask(uint64_t sequence) { return Task(sequence, 3); }
std::string Id(const TaskId& task) { return std::string(task.bytes()); }

// Where a test says that they are.
class TestMap final : public PartitionMap {
 public:
  uint32_t count() const override { return 2; }
  Place Find(uint32_t partition) const override {
    platform::MutexLock lock(mutex_);
    return places_[partition];
  }
  void Set(uint32_t partition, Place place) {
    platform::MutexLock lock(mutex_);
    places_[partition] = std::move(place);
  }

 private:
  mutable platform::Mutex mutex_;
  Place places_[2] ABSL_GUARDED_BY(mutex_);
};

class Scene {
 public:
  explicit Scene(const OutputsServiceImpl::Options& options = {})
      : far_(std::make_unique<TestReplica>(options, far_map_)), near_(options, near_map_) {
    near_.Open(kNear);
    far_->Open(kFar);
    near_map_.Set(kNear, {.here = true});
    near_map_.Set(kFar, {.address = far_->address()});
    far_map_.Set(kNear, {.address = near_.address()});
    far_map_.Set(kFar, {.here = true});
  }
  // Its calls end before what they are relayed to.
  ~Scene() { near_.StopServer(); }

  TestReplica& near() { return near_; }
  TestReplica& far() { return *far_; }
  v1::OutputsService::Stub& stub() { return near_.stub(); }
  TestMap& near_map() { return near_map_; }
  TestMap& far_map() { return far_map_; }

  void PutNear(uint64_t sequence, size_t bytes = 1) {
    near_.Put(kNear, NearTask(sequence), bytes).wait();
  }
  void PutFar(uint64_t sequence, size_t bytes = 1) {
    far_->Put(kFar, FarTask(sequence), bytes).wait();
  }
  void AwaitWaiters(double near, double far) {
    near_.Until(kNear, [&] { return near_.waiters() == near; });
    far_->Until(kFar, [&] { return far_->waiters() == far; });
  }

 private:
  TestMap near_map_;
  TestMap far_map_;
  std::unique_ptr<TestReplica> far_;
  TestReplica near_;
};

const std::string kSession = "0123456789abcdef";

std::string LeaseToken(const platform::MacKeys& keys, const TaskId& task) {
  return platform::SealLease(
      keys, {.task = task,
             .dispatch = 1,
             .session = platform::SessionId(platform::Uuid::FromBytes(kSession).value()),
             .holder = {.subject = "local", .client_id = "local"},
             .name_space = "default",
             .owner = "local",
             .expires = absl::InfiniteFuture(),
             .retention = absl::Hours(24)});
}

v1::GetResponse Get(v1::OutputsService::Stub& stub, const std::vector<std::string>& ids) {
  grpc::ClientContext context;
  v1::GetRequest request;
  for (const std::string& id : ids) request.add_task_ids(id);
  v1::GetResponse response;
  const absl::Status status = platform::FromGrpc(stub.Get(&context, request, &response));
  INFO(status);
  REQUIRE(status.ok());
  return response;
}

TEST_CASE("Results of several partitions are put and read in one call, each at its place") {
  Scene scene;
  v1::PutRequest request;
  request.set_session_id(kSession);
  const std::vector<TaskId> tasks = {FarTask(1), NearTask(1), FarTask(2), NearTask(2)};
  for (size_t i = 0; i < tasks.size(); ++i) {
    v1::PutItem& item = *request.add_items();
    item.set_lease_token(LeaseToken(scene.near().keys(), tasks[i]));
    item.set_data("result " + std::to_string(i));
  }
  request.add_items()->set_lease_token("forged");
  grpc::ClientContext context;
  v1::PutResponse put;
  const absl::Status status = platform::FromGrpc(scene.stub().Put(&context, request, &put));
  INFO(status);
  REQUIRE(status.ok());
  REQUIRE(put.results_size() == 5);
  for (int i = 0; i < 4; ++i) CHECK(put.results(i).status().code() == 0);
  CHECK(put.results(4).status().reason() == "INVALID_LEASE");

  const auto got = Get(scene.stub(), {Id(tasks[3]), Id(tasks[0]), "none", Id(tasks[2])});
  REQUIRE(got.results_size() == 4);
  CHECK(got.results(0).result().data() == "result 3");
  CHECK(got.results(1).result().data() == "result 0");
  CHECK(got.results(2).status().code() == static_cast<int>(absl::StatusCode::kInvalidArgument));
  CHECK(got.results(3).result().data() == "result 2");
}

TEST_CASE(
    "An answer of several partitions is no larger than one of one, and the rest is asked again") {
  Scene scene;
  std::vector<std::string> ids;
  for (uint64_t i = 1; i <= 5; ++i) {
    scene.PutNear(i, 2 * kMiB);
    scene.PutFar(i, 2 * kMiB);
    ids.push_back(Id(NearTask(i)));
    ids.push_back(Id(FarTask(i)));
  }
  const auto got = Get(scene.stub(), ids);
  CHECK(got.ByteSizeLong() <= 16 * kMiB + 1024);
  size_t had = 0;
  for (const auto& result : got.results()) {
    if (result.has_result()) {
      ++had;
    } else {
      CHECK(result.status().reason() == "ANSWER_TOO_LARGE");
    }
  }
  CHECK(had == 7);
}

TEST_CASE("A batch that is refused as a whole is refused, wherever its items are") {
  Scene scene;
  grpc::ClientContext context;
  v1::GetRequest request;
  for (uint64_t i = 0; i < 5'001; ++i) {
    request.add_task_ids(Id(NearTask(i)));
    request.add_task_ids(Id(FarTask(i)));
  }
  v1::GetResponse response;
  const absl::Status status = platform::FromGrpc(scene.stub().Get(&context, request, &response));
  CHECK(platform::ReasonOf(status) == "BAD_BATCH_SIZE");
}

TEST_CASE("A call for a partition that is nowhere is to be repeated") {
  Scene scene;
  grpc::ClientContext context;
  v1::GetRequest request;
  request.add_task_ids(Id(FarTask(1)));
  v1::GetResponse response;
  SECTION("Nobody has it") { scene.near_map().Set(kFar, {}); }
  SECTION("Whoever is said to have it has it no more") {
    scene.far_map().Set(kFar, {.address = scene.near().address()});
  }
  const absl::Status status = platform::FromGrpc(scene.stub().Get(&context, request, &response));
  CHECK(absl::IsUnavailable(status));
  CHECK(platform::ReasonOf(status) == "NOT_OWNER");
}

TEST_CASE("One Await call waits for tasks of several replicas, and ends when all are answered") {
  Scene scene;
  AwaitClient client(scene.stub());
  client.Ask({Id(NearTask(1)), Id(FarTask(1)), Id(FarTask(2))});
  client.Ask({"no id"});
  CHECK(client.ReadUntil(1).back() == "no id");
  client.HalfClose();
  scene.AwaitWaiters(1, 2);
  scene.PutFar(1);
  CHECK(client.ReadUntil(2).back() == Id(FarTask(1)));
  scene.PutNear(1);
  CHECK(client.ReadUntil(3).back() == Id(NearTask(1)));
  scene.PutFar(2);
  CHECK(client.ReadUntil(5).back() == Id(FarTask(2)));
  CHECK(client.CountRead() == 4);
  CHECK(client.Finish().ok());
}

TEST_CASE("What was answered elsewhere first does not end what is waited for here") {
  Scene scene;
  scene.PutFar(1);
  AwaitClient client(scene.stub());
  client.Ask({Id(NearTask(1)), Id(FarTask(1))});
  client.HalfClose();
  CHECK(client.ReadUntil(1).back() == Id(FarTask(1)));
  scene.far().Until(kFar, [&] { return scene.far().waiters() == 0; });
  scene.PutNear(1);
  CHECK(client.ReadUntil(3).back() == Id(NearTask(1)));
  CHECK(client.Finish().ok());
}

TEST_CASE("A task of another replica is forgotten there") {
  Scene scene;
  AwaitClient client(scene.stub());
  client.Ask({Id(NearTask(1)), Id(FarTask(1)), Id(FarTask(2))});
  scene.AwaitWaiters(1, 2);
  client.Ask({}, {Id(FarTask(1)), Id(NearTask(1))});
  scene.AwaitWaiters(0, 1);
  client.HalfClose();
  scene.PutFar(2);
  CHECK(client.ReadUntil(2) == std::vector<std::string>{Id(FarTask(2))});
  CHECK(client.Finish().ok());
}

TEST_CASE("A client that leaves waits nowhere any more") {
  Scene scene;
  {
    AwaitClient client(scene.stub());
    client.Ask({Id(NearTask(1)), Id(FarTask(1))});
    scene.AwaitWaiters(1, 1);
  }
  scene.AwaitWaiters(0, 0);
}

TEST_CASE("An Await call of which a partition is lost is UNAVAILABLE") {
  Scene scene;
  AwaitClient client(scene.stub());
  client.Ask({Id(NearTask(1)), Id(FarTask(1))});
  scene.AwaitWaiters(1, 1);
  SECTION("Its replica is gone") { scene.far().StopServer(); }
  SECTION("It closes at another replica") { scene.far().Close(kFar); }
  SECTION("It closes here") { scene.near().Close(kNear); }
  client.ReadUntil(1);
  CHECK(absl::IsUnavailable(client.Finish()));
}

TEST_CASE("A client that reads slowly gets every answer of every replica once") {
  Scene scene({.max_answer_bytes_per_stream = 4 * kMiB});
  std::vector<std::string> ids;
  for (uint64_t i = 1; i <= 20; ++i) {
    scene.PutNear(i, kMiB);
    scene.PutFar(i, kMiB);
    ids.push_back(Id(NearTask(i)));
    ids.push_back(Id(FarTask(i)));
  }
  AwaitClient client(scene.stub());
  client.Ask(ids);
  client.HalfClose();
  // Neither keeps what the client has no room for.
  scene.near().Until(kNear, [&] { return scene.near().partition(kNear).deferred() > 0; });
  scene.far().Until(kFar, [&] { return scene.far().partition(kFar).deferred() > 0; });
  CHECK(client.ReadUntil(41).size() == 40);
  CHECK(client.CountRead() == 40);
  CHECK(client.Finish().ok());
}

// Reads the items of a task from the near one.
class ItemsClient {
 public:
  ItemsClient(v1::OutputsService::Stub& stub, const TaskId& task) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    v1::StreamRequest request;
    request.set_task_id(Id(task));
    stream_ = stub.Stream(&context_, request);
  }
  ~ItemsClient() {
    context_.TryCancel();
    if (!finished_) static_cast<void>(Finish());
  }

  // False: the stream has ended.
  bool Next(v1::StreamResponse& message) { return stream_->Read(&message); }
  absl::Status Finish() {
    finished_ = true;
    return platform::FromGrpc(stream_->Finish());
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::StreamResponse>> stream_;
  bool finished_ = false;
};

TEST_CASE("Items and the end of a task of another replica are read through this one") {
  Scene scene;
  ItemsClient items(scene.stub(), FarTask(1));
  v1::StreamResponse message;
  REQUIRE(items.Next(message));  // It is heard.
  CHECK(message.items().empty());

  v1::PutItemsRequest request;
  request.set_session_id(kSession);
  for (const TaskId& task : {NearTask(1), FarTask(1)}) {
    v1::ItemBatch& batch = *request.add_batches();
    batch.set_lease_token(LeaseToken(scene.near().keys(), task));
    batch.set_first_sequence(1);
    batch.add_items()->set_data("item");
  }
  grpc::ClientContext context;
  v1::PutItemsResponse put;
  REQUIRE(scene.stub().PutItems(&context, request, &put).ok());
  REQUIRE(put.results_size() == 2);
  CHECK(put.results(0).durable_sequence() == 1);
  CHECK(put.results(1).durable_sequence() == 1);
  REQUIRE(items.Next(message));
  REQUIRE(message.items_size() == 1);
  CHECK(message.items(0).data() == "item");

  SECTION("It ends there") {
    v1::PutRequest end;
    end.set_session_id(kSession);
    end.add_items()->set_lease_token(LeaseToken(scene.near().keys(), FarTask(1)));
    end.mutable_items(0)->set_item_count(1);
    end.mutable_items(0)->set_data("end");
    grpc::ClientContext ending;
    v1::PutResponse ended;
    REQUIRE(scene.stub().Put(&ending, end, &ended).ok());
    REQUIRE(items.Next(message));
    CHECK(message.result().data() == "end");
    CHECK_FALSE(items.Next(message));
    CHECK(items.Finish().ok());
  }
  SECTION("Its partition closes there") {
    scene.far().Close(kFar);
    CHECK_FALSE(items.Next(message));
    CHECK(absl::IsUnavailable(items.Finish()));
  }
}

}  // namespace
}  // namespace kantoku::outputs

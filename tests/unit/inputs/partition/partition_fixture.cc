#include "tests/unit/inputs/partition/partition_fixture.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <future>

#include "services/inputs/frame_reader.h"
#include "services/inputs/store.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/status.h"
#include "services/platform/store/memory/memory_record_store.h"

namespace kantoku::inputs::testing {
namespace {

// Calls `ask` with a callback, and waits until that is called.
template <typename Result, typename Ask>
absl::StatusOr<Result> Sync(Ask ask) {
  auto answer = std::make_shared<std::promise<absl::StatusOr<Result>>>();
  auto future = answer->get_future();
  ask([answer](absl::StatusOr<Result> result) { answer->set_value(std::move(result)); });
  REQUIRE(future.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
  return future.get();
}

template <typename Result>
absl::StatusOr<Result> Only(absl::StatusOr<std::vector<absl::StatusOr<Result>>> results) {
  if (!results.ok()) return results.status();
  REQUIRE(results->size() == 1);
  return results->front();
}

}  // namespace

void FakeOutputs::AskEnds(EndsQuestion question,
                          absl::AnyInvocable<void(const absl::StatusOr<Ends>&)> done) {
  auto asked = std::make_shared<AskedEnds>(AskedEnds{std::move(question), std::move(done)});
  asked_ends_.Update([&](auto& all) { all.push_back(std::move(asked)); });
}

EndsQuestion FakeOutputs::AnswerEnds(
    const std::function<absl::StatusOr<Ends>(const EndsQuestion&)>& answer) {
  const size_t place = answered_ends_++;
  REQUIRE(asked_ends_.Becomes([&](const auto& all) { return all.size() > place; }));
  const std::shared_ptr<AskedEnds> asked = asked_ends_.Get()[place];
  asked->done(answer(asked->question));
  return asked->question;
}

outputs::v1::FenceItem FakeOutputs::Asked(size_t n) const {
  REQUIRE(asked_.Becomes([n](const Items& items) { return items.size() >= n; }));
  return asked_.Get()[n - 1];
}

std::vector<std::string> FakeEvents::TypesIn(const Lines& lines) {
  std::vector<std::string> types;
  for (const auto& [number, bytes] : lines) {
    events::v1::EventBatch batch;
    if (!batch.ParseFromString(bytes)) types.push_back("damaged");
    for (const auto& run : batch.runs()) {
      types.insert(types.end(), static_cast<size_t>(std::max(1, run.dispatches_size())),
                   run.type());
    }
  }
  return types;
}

std::vector<std::string> FakeEvents::Types() const { return TypesIn(sent_.Get()); }

bool FakeEvents::AwaitType(const std::string& type) const {
  return sent_.Becomes([&](const Lines& lines) {
    const auto types = TypesIn(lines);
    return std::ranges::find(types, type) != types.end();
  });
}

SessionId MakeSession(uint8_t number) {
  std::array<uint8_t, 16> bytes{};
  bytes[15] = number;
  return SessionId(platform::Uuid(bytes));
}

// ---- FakeChannel ----

void FakeChannel::Send(v1::PullResponse& frame) {
  size_t bytes = 0;
  for (const v1::Dispatch& task : frame.tasks()) bytes += WeightOf(task);
  heard_.Update([&](Heard& heard) { heard.all.MergeFrom(frame); });
  {
    platform::MutexLock lock(mutex_);
    if (!reading_) {
      held_back_ += bytes;
      return;
    }
  }
  Left(bytes);
}

void FakeChannel::NotifyDrained(size_t bytes, absl::AnyInvocable<void()> drained) {
  {
    platform::MutexLock lock(mutex_);
    drain_bytes_ = bytes;
    drained_ = std::move(drained);
  }
  Left(0);
}

void FakeChannel::StopReading() {
  platform::MutexLock lock(mutex_);
  reading_ = false;
}

void FakeChannel::Read() {
  size_t bytes = 0;
  {
    platform::MutexLock lock(mutex_);
    reading_ = true;
    std::swap(bytes, held_back_);
  }
  Left(bytes);
}

void FakeChannel::Left(size_t bytes) {
  unsent_ -= bytes;
  absl::AnyInvocable<void()> drained;
  {
    platform::MutexLock lock(mutex_);
    if (drained_ == nullptr || unsent_ > drain_bytes_) return;
    drained = std::exchange(drained_, nullptr);
  }
  drained();
}

// ---- PartitionFixture ----

PartitionFixture::PartitionFixture() : PartitionFixture(PartitionOptions()) {}

PartitionFixture::PartitionFixture(PartitionOptions chosen)
    : keys(*platform::MacKeys::Make({{1, std::string(32, 'k')}})),
      options(std::move(chosen)),
      stores_(platform::MakeMemoryRecordStoreFactory(InputsSchema())) {
  Open();
}

PartitionFixture::~PartitionFixture() {
  faults.OpenGate();
  partition_.reset();
}

void PartitionFixture::Open() {
  options.patience = absl::ZeroDuration();  // The clock stands still.
  options.read_inbox = nullptr;
  if (!roles.empty()) {
    options.read_inbox = [reader = std::make_shared<InboxReader>(roles, SpecLimits(), blocks)](
                             const StoredInbox& record, absl::Time now) {
      return reader->Read(record, now);
    };
  }
  auto store = stores_->Open(0);
  REQUIRE(store.ok());
  auto partition = Partition::Open(
      options, std::make_unique<platform::FaultInjectingRecordStore>(*std::move(store), faults),
      clock, *keys, [this] { return random_++ * 0x9E3779B97F4A7C15; });
  REQUIRE(partition.ok());
  partition_ = *std::move(partition);
  outputs = std::make_unique<FakeOutputs>();
  events = std::make_unique<FakeEvents>();
  REQUIRE(partition_->Start(*outputs, events.get()).ok());
}

void PartitionFixture::Restart() {
  partition_.reset();
  Open();
}

void PartitionFixture::Crash() {
  faults.FailAllCommits(absl::UnavailableError("killed"));
  faults.OpenGate();
  partition_.reset();
  faults.FailAllCommits(absl::OkStatus());
  Open();
}

void PartitionFixture::PutInInbox(const std::vector<StoredInbox>& records) {
  (void)ReopenAfter([&](platform::WriteBatch& batch) {
    for (const StoredInbox& record : records) {
      std::string bytes;
      Encode(record, bytes);
      batch.Put(ToKind(RecordKind::kInbox), record.id.key(), bytes);
    }
  });
  Open();
}

absl::StatusOr<InboxStep> PartitionFixture::TakeInbox(const std::vector<TaskKey>& keys) {
  return Sync<InboxStep>([&](auto done) { partition_->TakeInbox(keys, std::move(done)); });
}

std::vector<TaskKey> PartitionFixture::InboxKeys() {
  std::vector<TaskKey> keys;
  partition_.reset();
  const auto store = stores_->Open(0);
  REQUIRE(store.ok());
  REQUIRE((*store)
              ->Scan({.kind = ToKind(RecordKind::kInbox)},
                     [&](TaskKey key, std::string_view) { keys.push_back(key); })
              .ok());
  Open();
  return keys;
}

absl::Status PartitionFixture::ReopenAfter(
    const std::function<void(platform::WriteBatch&)>& change) {
  partition_.reset();
  auto store = stores_->Open(0);
  REQUIRE(store.ok());
  platform::WriteBatch batch;
  batch.set_number(*(*store)->LastBatch() + 1);
  change(batch);
  REQUIRE((*store)->Commit(batch).ok());
  auto again = stores_->Open(0);
  REQUIRE(again.ok());
  auto partition = Partition::Open(options, *std::move(again), clock, *keys, [] { return 1; });
  return partition.status();
}

absl::StatusOr<SpawnOutcome> PartitionFixture::Spawn(const v1::SpawnRequest& request,
                                                     const platform::Identity& caller) {
  platform::Received<v1::SpawnRequest> received;
  received.message = request;
  auto checked = ReadSpawn(received, caller, {}, clock.Read().wall);
  if (!checked.ok()) return checked.status();
  return Sync<SpawnOutcome>([&](auto done) { partition_->Spawn(checked->batch, std::move(done)); });
}

void PartitionFixture::Post(const v1::SpawnRequest& request, Partition::Done<SpawnOutcome> done) {
  platform::Received<v1::SpawnRequest> received;
  received.message = request;
  auto checked =
      ReadSpawn(received, platform::Administrator("alice", "laptop"), {}, clock.Read().wall);
  partition_->Spawn(checked.value().batch, std::move(done));
}

TaskId PartitionFixture::SpawnOne(const std::string& payload, const std::string& type) {
  v1::SpawnRequest request;
  request.set_request_id("one " + std::to_string(++requests_));
  request.add_specs()->set_type(type);
  request.mutable_specs(0)->set_payload(payload);
  const auto outcome = Spawn(request);
  REQUIRE(outcome.ok());
  return outcome->items[0].id;
}

absl::StatusOr<TaskState> PartitionFixture::Control(const TaskId& task, const ControlCommand& what,
                                                    const std::string& owner) {
  return Only(Sync<std::vector<absl::StatusOr<TaskState>>>([&](auto done) {
    partition_->Control({.tasks = {task}, .what = what, .viewer = As(owner)}, std::move(done));
  }));
}

absl::StatusOr<TaskView> PartitionFixture::Get(const TaskId& task, const std::string& owner) {
  return Only(Sync<std::vector<absl::StatusOr<TaskView>>>(
      [&](auto done) { partition_->GetTasks({task}, {As(owner)}, true, std::move(done)); }));
}

std::vector<absl::StatusOr<TaskView>> PartitionFixture::GetAll(const std::vector<TaskId>& tasks,
                                                               const std::string& owner) {
  auto views = Sync<std::vector<absl::StatusOr<TaskView>>>(
      [&](auto done) { partition_->GetTasks(tasks, {As(owner)}, true, std::move(done)); });
  REQUIRE(views.ok());
  REQUIRE(views->size() == tasks.size());
  return *std::move(views);
}

std::vector<TaskId> PartitionFixture::EndInOneRow(int count) {
  v1::SpawnRequest request;
  request.set_request_id("row " + std::to_string(++requests_));
  for (int i = 0; i < count; ++i) request.add_specs()->set_type("in.a.row");
  const auto outcome = Spawn(request);
  REQUIRE(outcome.ok());
  std::vector<TaskId> tasks;
  std::vector<FenceAnswer> answers;
  for (const auto& item : outcome->items) {
    tasks.push_back(item.id);
    answers.push_back({item.id, 0, TaskState::kCancelled});
  }
  REQUIRE(tasks.size() == static_cast<size_t>(count));
  REQUIRE(Sync<std::vector<absl::StatusOr<TaskState>>>([&](auto done) {
            partition_->Control({.tasks = tasks, .what = {}, .viewer = As("alice")},
                                std::move(done));
          }).ok());
  partition_->AnswerFences(std::move(answers));
  Settle();
  return tasks;
}

absl::StatusOr<TaskPage> PartitionFixture::List(ListCommand command) {
  return Sync<TaskPage>(
      [&](auto done) { partition_->ListTasks(std::move(command), std::move(done)); });
}

std::vector<InfoAnswer> PartitionFixture::Patch(std::vector<InfoPatch> patches,
                                                const std::string& owner) {
  auto answers = Sync<std::vector<InfoAnswer>>([&](auto done) {
    partition_->PatchInfo({.patches = std::move(patches), .viewer = As(owner)}, std::move(done));
  });
  REQUIRE(answers.ok());
  return *std::move(answers);
}

absl::StatusOr<RestartPage> PartitionFixture::Restart(RestartCommand command) {
  return Sync<RestartPage>(
      [&](auto done) { partition_->RestartTasks(std::move(command), std::move(done)); });
}

std::vector<SessionView> PartitionFixture::Executors() {
  auto sessions = Sync<std::vector<SessionView>>(
      [&](auto done) { partition_->ListExecutors("default", std::move(done)); });
  REQUIRE(sessions.ok());
  return *std::move(sessions);
}

bool PartitionFixture::Reaches(const TaskId& task, TaskState state) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < give_up) {
    const auto view = Get(task);
    if (view.ok() && view->state == state) return true;
  }
  return false;
}

void PartitionFixture::Answer(const outputs::v1::FenceItem& item,
                              std::optional<TaskState> terminal) {
  partition_->AnswerFences({{*TaskId::FromBytes(item.task_id()), item.dispatch(), terminal}});
}

// ---- TestExecutor ----

TestExecutor::TestExecutor(PartitionFixture& fixture, uint8_t session, uint32_t credit,
                           std::vector<std::string> types)
    : fixture_(fixture),
      session_(MakeSession(session)),
      credit_(credit),
      types_(std::move(types)) {}

void TestExecutor::Receive(const v1::PullRequest& request, bool first) {
  platform::Received<v1::PullRequest> received;
  received.message = request;
  auto frame = ReadFrame(received, caller, first, *fixture_.keys);
  REQUIRE(frame.ok());
  const absl::Status taken = fixture_.partition().Receive(connection, *std::move(frame));
  REQUIRE(taken.ok());
}

void TestExecutor::Connect(const std::vector<v1::Held>& held) {
  channel = std::make_shared<FakeChannel>();
  const auto opened = fixture_.partition().Connect(channel);
  REQUIRE(opened.ok());
  connection = *opened;
  v1::PullRequest request;
  auto& hello = *request.mutable_hello();
  hello.set_session_id(std::string(session_.bytes()));
  hello.set_namespace_(name_space);
  hello.mutable_types()->Assign(types_.begin(), types_.end());
  hello.mutable_credit()->set_max_held(credit_);
  hello.mutable_held()->Assign(held.begin(), held.end());
  Receive(request, true);
  REQUIRE(channel->Await(
      [](const auto& heard) { return heard.all.has_welcome() || heard.closed.has_value(); }));
}

void TestExecutor::Disconnect() { fixture_.partition().Disconnect(connection); }

void TestExecutor::Say(const v1::PullRequest& request) { Receive(request, false); }

v1::Dispatch TestExecutor::Task(int n) const {
  REQUIRE(channel->Await([n](const auto& heard) { return heard.all.tasks_size() >= n; }));
  return channel->heard().all.tasks(n - 1);
}

v1::Refused TestExecutor::Refusal(int n) const {
  REQUIRE(channel->Await([n](const auto& heard) { return heard.all.refused_size() >= n; }));
  return channel->heard().all.refused(n - 1);
}

v1::HandlerControl TestExecutor::Control(int n) const {
  REQUIRE(channel->Await([n](const auto& heard) { return heard.all.controls_size() >= n; }));
  return channel->heard().all.controls(n - 1);
}

void TestExecutor::Start(const v1::Dispatch& task) {
  v1::PullRequest request;
  v1::Started& started = *request.add_started();
  started.set_task_id(task.task_id());
  started.set_dispatch(task.dispatch());
  Say(request);
}

std::string TestExecutor::ReceiptFor(const v1::Dispatch& task) const {
  return platform::SealReceipt(*fixture_.keys, {.task = IdOf(task),
                                                .dispatch = task.dispatch(),
                                                .status = outputs::v1::RESULT_STATUS_SUCCEEDED});
}

void TestExecutor::Ack(const v1::Dispatch& task) { AckWith(task, ReceiptFor(task)); }

void TestExecutor::AckWith(const v1::Dispatch& task, const std::string& receipt) {
  v1::PullRequest request;
  v1::Ack& ack = *request.add_acks();
  ack.set_task_id(task.task_id());
  ack.set_dispatch(task.dispatch());
  ack.set_receipt(receipt);
  Say(request);
}

bool TestExecutor::AwaitConfirmed(int count) const {
  return channel->Await([count](const auto& heard) { return heard.all.confirmed_size() >= count; });
}

void TestExecutor::Nack(const v1::Dispatch& task, v1::NackKind kind, const std::string& message) {
  v1::PullRequest request;
  v1::Nack& nack = *request.add_nacks();
  nack.set_task_id(task.task_id());
  nack.set_dispatch(task.dispatch());
  nack.set_kind(kind);
  nack.mutable_error()->set_reason("HANDLER_FAILED");
  nack.mutable_error()->set_message(message);
  Say(request);
}

TaskId IdOf(const v1::Dispatch& task) {
  const auto id = TaskId::FromBytes(task.task_id());
  REQUIRE(id.ok());
  return *id;
}

v1::Held HeldOf(const v1::Dispatch& task, bool started, const std::string& receipt) {
  v1::Held held;
  held.set_task_id(task.task_id());
  held.set_dispatch(task.dispatch());
  held.set_started(started);
  held.set_receipt(receipt);
  return held;
}

}  // namespace kantoku::inputs::testing

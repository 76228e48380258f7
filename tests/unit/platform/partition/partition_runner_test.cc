#include "services/platform/partition/partition_runner.h"

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "services/platform/after_event.h"
#include "services/platform/status.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_injecting_record_store.h"
#include "tests/support/journal.h"

namespace kantoku::platform {
namespace {

using Lines = Journal::Lines;
using Urgency = PartitionRunner::Urgency;

constexpr RecordKind kThing = 1;

StoreSchema Schema() {
  return {.component = "test", .format = 1, .kinds = {{.kind = kThing, .name = "thing"}}};
}

std::string Code(const absl::Status& status) {
  return std::string(absl::StatusCodeToString(status.code()));
}

// Remembers the batches that were committed.
class RecordingStore final : public ForwardingRecordStore {
 public:
  using ForwardingRecordStore::ForwardingRecordStore;

  absl::Status Commit(const WriteBatch& batch) override {
    KANTOKU_RETURN_IF_ERROR(ForwardingRecordStore::Commit(batch));
    MutexLock lock(mu_);
    batches_.push_back(batch);
    return absl::OkStatus();
  }
  std::vector<WriteBatch> batches() const {
    MutexLock lock(mu_);
    return batches_;
  }

 private:
  mutable Mutex mu_;
  std::vector<WriteBatch> batches_ ABSL_GUARDED_BY(mu_);
};

// Does at the end of a group what a test wants, and wakes when it says.
class TestMachine final : public PartitionMachine {
 public:
  void FinishGroup(Transaction& transaction) override {
    if (on_finish) on_finish(transaction);
  }
  absl::Duration NextWake() const override { return wake; }
  bool IsImpatient() const override { return impatient; }

  bool impatient = false;
  absl::AnyInvocable<void(Transaction&)> on_finish;
  absl::Duration wake = absl::InfiniteDuration();
};

// A runner over a store in memory that fails as the test tells it.
class Stage {
 public:
  Stage() : factory(MakeMemoryRecordStoreFactory(Schema())) {
    auto recording = std::make_unique<RecordingStore>(*factory->Open(0));
    recorded = recording.get();
    store = std::make_unique<FaultInjectingRecordStore>(std::move(recording), faults);
    options.name = "test/0";
    options.on_health = [this](const absl::Status& status) { health.Add(Code(status)); };
  }

  PartitionRunner& Start() {
    runner = *PartitionRunner::Start(std::move(options), *store, machine, clock);
    return *runner;
  }

  // Posts a command that puts a record and leaves "`name` durable" and "`name` CODE".
  absl::Status PostPut(RecordKey key, Urgency urgency = Urgency::kNormal) {
    return runner->Post(
        [this, key](Transaction& transaction) {
          transaction.batch().Put(kThing, key, "value");
          transaction.OnDurable([this, key] { journal.Add(std::to_string(key) + " durable"); });
          transaction.Reply([this, key](const absl::Status& status) {
            journal.Add(std::to_string(key) + " " + Code(status));
          });
        },
        urgency);
  }

  // Waits until every command posted before was applied.
  void AwaitApplied() {
    Journal applied;
    REQUIRE(runner->Post([&](Transaction&) { applied.Add("applied"); }, Urgency::kUrgent).ok());
    applied.Await(1);
  }

  std::unique_ptr<RecordStoreFactory> factory;
  StoreFaults faults;
  RecordingStore* recorded;
  std::unique_ptr<RecordStore> store;
  TestMachine machine;
  FakeClock clock;
  Journal journal;
  Journal health;
  PartitionRunner::Options options;
  std::unique_ptr<PartitionRunner> runner;  // Ends before what it uses.
};

TEST_CASE("Nothing is released before its batch is durable") {
  Stage stage;
  stage.faults.CloseGate();
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  stage.faults.AwaitCommits(1);
  CHECK(stage.journal.lines().empty());
  stage.faults.OpenGate();
  CHECK(stage.journal.Await(2) == Lines{"1 durable", "1 OK"});
}

TEST_CASE("What comes while the store is busy becomes one group, in the order of Post") {
  Stage stage;
  stage.faults.CloseGate();
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  stage.faults.AwaitCommits(1);
  Lines released;
  Lines answered;
  for (int key = 2; key < 100; ++key) {
    REQUIRE(stage.PostPut(key).ok());
    released.push_back(std::to_string(key) + " durable");
    answered.push_back(std::to_string(key) + " OK");
  }
  Lines expected{"1 durable", "1 OK"};
  expected.insert(expected.end(), released.begin(), released.end());
  expected.insert(expected.end(), answered.begin(), answered.end());
  stage.AwaitApplied();
  stage.faults.OpenGate();
  CHECK(stage.journal.Await(expected.size()) == expected);
  stage.runner->Stop();
  CHECK(stage.recorded->batches().size() == 2);
}

TEST_CASE("Numbers of batches go on after the store's last") {
  Stage stage;
  WriteBatch earlier;
  earlier.set_number(41);
  earlier.Put(kThing, 9, "value");
  REQUIRE(stage.store->Commit(earlier).ok());
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  stage.journal.Await(2);
  CHECK(*stage.store->LastBatch() == 42);
}

TEST_CASE("The machine finishes each group after its commands and in their batch") {
  Stage stage;
  stage.machine.on_finish = [&stage, count = 0](Transaction& transaction) mutable {
    transaction.batch().Put(kThing, 1000 + count++, "finished");
    transaction.OnDurable([&stage] { stage.journal.Add("finished"); });
  };
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  CHECK(stage.journal.Await(3) == Lines{"1 durable", "finished", "1 OK"});
  stage.runner->Stop();
  REQUIRE(stage.recorded->batches().size() == 1);
  CHECK(stage.recorded->batches()[0].operations().size() == 2);
}

TEST_CASE(
    "Replies learn of the first failure, and the same batch is repeated until it is durable") {
  Stage stage;
  stage.faults.FailCommit(absl::ResourceExhaustedError("full"));
  stage.faults.FailCommit(absl::UnavailableError("busy"));
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  CHECK(stage.journal.Await(1) == Lines{"1 RESOURCE_EXHAUSTED"});
  CHECK(stage.runner->health().message() == "full");

  REQUIRE(stage.clock.AwaitWaiter(absl::Milliseconds(100)));
  stage.clock.Advance(absl::Milliseconds(99));
  CHECK(stage.faults.commits() == 1);
  stage.clock.Advance(absl::Milliseconds(1));
  stage.faults.AwaitCommits(2);
  REQUIRE(stage.clock.AwaitWaiter(absl::Milliseconds(100)));
  CHECK(stage.journal.lines() == Lines{"1 RESOURCE_EXHAUSTED"});

  stage.clock.Advance(absl::Milliseconds(100));
  CHECK(stage.journal.Await(2) == Lines{"1 RESOURCE_EXHAUSTED", "1 durable"});
  CHECK(stage.runner->health().ok());
  CHECK(*stage.store->LastBatch() == 1);
  CHECK(stage.health.lines() == Lines{"RESOURCE_EXHAUSTED", "OK"});
}

TEST_CASE("A commit whose outcome got lost is repeated under its number and happens once") {
  Stage stage;
  stage.faults.LoseOutcome(absl::UnavailableError("connection lost"));
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  CHECK(stage.journal.Await(1) == Lines{"1 UNAVAILABLE"});
  REQUIRE(stage.clock.AwaitWaiter(absl::Milliseconds(100)));
  stage.clock.Advance(absl::Milliseconds(100));
  CHECK(stage.journal.Await(2) == Lines{"1 UNAVAILABLE", "1 durable"});
  CHECK(stage.faults.commits() == 2);
  CHECK(*stage.store->LastBatch() == 1);
}

TEST_CASE("While commits fail, new commands are refused and urgent ones answered with the error") {
  Stage stage;
  stage.faults.FailAllCommits(Error(absl::StatusCode::kResourceExhausted, "STORE_FULL", "full"));
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  stage.journal.Await(1);
  CHECK(ReasonOf(stage.PostPut(2)) == "STORE_FULL");
  REQUIRE(stage.PostPut(3, Urgency::kUrgent).ok());
  CHECK(stage.journal.Await(2) == Lines{"1 RESOURCE_EXHAUSTED", "3 RESOURCE_EXHAUSTED"});

  stage.faults.FailAllCommits(absl::OkStatus());
  REQUIRE(stage.clock.AwaitWaiter(absl::Milliseconds(100)));
  stage.clock.Advance(absl::Milliseconds(100));
  CHECK(stage.journal.Await(4) ==
        Lines{"1 RESOURCE_EXHAUSTED", "3 RESOURCE_EXHAUSTED", "1 durable", "3 durable"});
  CHECK(stage.PostPut(2).ok());
}

TEST_CASE("Commands that were applied behind a failing commit are answered with its error") {
  Stage stage;
  stage.faults.CloseGate();
  stage.faults.FailCommit(absl::UnavailableError("busy"));
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  stage.faults.AwaitCommits(1);
  REQUIRE(stage.PostPut(2).ok());
  stage.AwaitApplied();
  CHECK(stage.journal.lines().empty());
  stage.faults.OpenGate();
  Lines lines = stage.journal.Await(2);
  std::sort(lines.begin(), lines.end());  // The two threads answer side by side.
  CHECK(lines == Lines{"1 UNAVAILABLE", "2 UNAVAILABLE"});
}

TEST_CASE("A fenced owner releases nothing and runs nothing any more") {
  Stage stage;
  stage.faults.CloseGate();
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  stage.faults.AwaitCommits(1);
  REQUIRE(stage.PostPut(2).ok());
  stage.AwaitApplied();
  REQUIRE(stage.factory->Open(0).ok());
  stage.faults.OpenGate();
  Lines lines = stage.journal.Await(2);
  std::sort(lines.begin(), lines.end());
  CHECK(lines == Lines{"1 ABORTED", "2 ABORTED"});
  CHECK(stage.PostPut(3).code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(stage.PostPut(3, Urgency::kUrgent)) == "PARTITION_LOST");
  stage.runner->Stop();
  CHECK(ReasonOf(stage.runner->health()) == "STORE_FENCED");
  CHECK(stage.health.lines() == Lines{"ABORTED"});
  CHECK(stage.journal.lines().size() == 2);
  CHECK(stage.faults.commits() == 1);
}

TEST_CASE("Commands that wait when the runner is lost are destroyed without having run") {
  Stage stage;
  stage.options.max_group_bytes = 1;
  stage.faults.CloseGate();
  stage.faults.FailCommit(absl::DataLossError("damaged"));
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  stage.faults.AwaitCommits(1);
  REQUIRE(stage.runner
              ->Post([&](Transaction& transaction) {
                transaction.batch().Put(kThing, 2, "fills the group");
                stage.journal.Add("2 applied");
              })
              .ok());
  stage.journal.Await(1);
  auto held = std::make_shared<int>();
  REQUIRE(stage.runner->Post([held](Transaction&) { FAIL("ran after the loss"); }).ok());
  stage.faults.OpenGate();
  CHECK(stage.journal.Await(2) == Lines{"2 applied", "1 DATA_LOSS"});
  stage.runner->Stop();
  CHECK(held.use_count() == 1);
}

TEST_CASE("A command that changes nothing waits for the batches before it, and needs none") {
  Stage stage;
  stage.faults.CloseGate();
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  stage.faults.AwaitCommits(1);
  REQUIRE(stage.runner
              ->Post([&](Transaction& transaction) {
                transaction.OnDurable([&] { stage.journal.Add("read"); });
              })
              .ok());
  stage.AwaitApplied();
  CHECK(stage.journal.lines().empty());
  stage.faults.OpenGate();
  CHECK(stage.journal.Await(3) == Lines{"1 durable", "1 OK", "read"});
  stage.runner->Stop();
  CHECK(stage.faults.commits() == 1);
}

TEST_CASE("A full mailbox refuses all but urgent commands") {
  Stage stage;
  stage.options.max_mailbox = 2;
  stage.Start();
  Journal entered;
  Journal go_on;
  REQUIRE(stage.runner
              ->Post([&](Transaction&) {
                entered.Add("");
                go_on.Await(1);
              })
              .ok());
  entered.Await(1);  // The command that runs counts until it has run.
  REQUIRE(stage.PostPut(1).ok());
  const absl::Status refused = stage.PostPut(2);
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReasonOf(refused) == "MAILBOX_FULL");
  CHECK(stage.PostPut(3, Urgency::kUrgent).ok());
  go_on.Add("");
  CHECK(stage.journal.Await(4) == Lines{"1 durable", "1 OK", "3 durable", "3 OK"});
  CHECK(stage.PostPut(2).ok());
}

TEST_CASE("A group takes no more commands once its batch is large enough") {
  Stage stage;
  stage.options.max_group_bytes = 1000;
  stage.faults.CloseGate();
  stage.Start();
  constexpr int kCommands = 50;
  const std::string value(300, 'x');
  for (int i = 0; i < kCommands; ++i) {
    REQUIRE(stage.runner
                ->Post([&, i](Transaction& transaction) {
                  transaction.batch().Put(kThing, i, value);
                  transaction.OnDurable([&] { stage.journal.Add(""); });
                })
                .ok());
  }
  stage.faults.OpenGate();
  CHECK(stage.journal.Await(kCommands).size() == kCommands);
  stage.runner->Stop();
  for (const WriteBatch& batch : stage.recorded->batches()) {
    CHECK(batch.operations().size() <= 3);  // Of about 340 bytes each.
  }
}

TEST_CASE("A patient command is applied at once and waits for the commit of one that is not") {
  Stage stage;
  stage.Start();
  REQUIRE(stage.PostPut(1, Urgency::kPatient).ok());
  REQUIRE(stage.clock.AwaitWaiter(absl::Milliseconds(1)));
  CHECK(stage.faults.commits() == 0);
  REQUIRE(stage.PostPut(2).ok());
  CHECK(stage.journal.Await(4) == Lines{"1 durable", "2 durable", "1 OK", "2 OK"});
  stage.runner->Stop();
  CHECK(stage.recorded->batches().size() == 1);
}

TEST_CASE("A patient command that nobody joins is committed when its patience ends") {
  Stage stage;
  stage.Start();
  REQUIRE(stage.PostPut(1, Urgency::kPatient).ok());
  REQUIRE(stage.clock.AwaitWaiter(absl::Milliseconds(1)));
  stage.clock.Advance(absl::Microseconds(900));
  REQUIRE(stage.PostPut(2, Urgency::kPatient).ok());
  REQUIRE(stage.clock.AwaitWaiter(absl::Microseconds(100)));
  CHECK(stage.faults.commits() == 0);
  stage.clock.Advance(absl::Microseconds(100));
  CHECK(stage.journal.Await(4) == Lines{"1 durable", "2 durable", "1 OK", "2 OK"});
}

TEST_CASE("What patient commands bring about is not kept waiting when the machine is impatient") {
  Stage stage;
  stage.machine.impatient = true;
  stage.Start();
  REQUIRE(stage.PostPut(1, Urgency::kPatient).ok());
  CHECK(stage.journal.Await(2) == Lines{"1 durable", "1 OK"});
}

TEST_CASE("Stop waits for no patience") {
  Stage stage;
  stage.Start();
  REQUIRE(stage.PostPut(1, Urgency::kPatient).ok());
  stage.runner->Stop();
  CHECK(stage.journal.lines() == Lines{"1 durable", "1 OK"});
}

TEST_CASE("Questions are answered however long the store fails, and leave nothing behind") {
  Stage stage;
  stage.options.max_mailbox = 4;
  stage.faults.FailAllCommits(absl::ResourceExhaustedError("full"));
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  stage.journal.Await(1);
  for (size_t asked = 1; asked <= 20; ++asked) {
    const auto ask = [&stage](Transaction& transaction) {
      transaction.Reply([&stage](const absl::Status& status) { stage.journal.Add(Code(status)); });
    };
    REQUIRE(stage.runner->Post(ask, Urgency::kUrgent).ok());
    CHECK(stage.journal.Await(1 + asked).back() == "RESOURCE_EXHAUSTED");
  }
}

TEST_CASE("The machine is woken when its time has come, though no command came") {
  Stage stage;
  const absl::Duration due = stage.clock.Read().steady + absl::Seconds(10);
  stage.machine.wake = due;
  stage.machine.on_finish = [&](Transaction& transaction) {
    stage.machine.wake = absl::InfiniteDuration();
    CHECK(transaction.now().steady == due);
    transaction.batch().Put(kThing, 1, "woke");
    transaction.OnDurable([&] { stage.journal.Add("woke"); });
  };
  stage.Start();
  REQUIRE(stage.clock.AwaitWaiter(absl::Seconds(10)));
  stage.clock.Advance(absl::Seconds(9));
  REQUIRE(stage.clock.AwaitWaiter(absl::Seconds(1)));
  CHECK(stage.journal.lines().empty());
  stage.clock.Advance(absl::Seconds(1));
  CHECK(stage.journal.Await(1) == Lines{"woke"});
}

TEST_CASE("Stop runs and commits what was posted, and may come twice") {
  Stage stage;
  stage.faults.CloseGate();
  stage.Start();
  for (int key = 0; key < 10; ++key) REQUIRE(stage.PostPut(key).ok());
  std::thread stopper([&] { stage.runner->Stop(); });
  stage.faults.AwaitCommits(1);
  stage.faults.OpenGate();
  stopper.join();
  CHECK(stage.journal.lines().size() == 20);
  stage.runner->Stop();
  CHECK(ReasonOf(stage.PostPut(11)) == "PARTITION_STOPPED");
}

TEST_CASE("Stop tries once more when the store is failing, and answers every reply") {
  Stage stage;
  stage.faults.FailAllCommits(absl::UnavailableError("gone"));
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  REQUIRE(stage.clock.AwaitWaiter(absl::Milliseconds(100)));
  REQUIRE(stage.PostPut(2, Urgency::kUrgent).ok());
  stage.runner->Stop();
  CHECK(stage.faults.commits() == 2);
  CHECK(stage.journal.lines() == Lines{"1 UNAVAILABLE", "2 UNAVAILABLE"});
}

TEST_CASE("Stop runs what there was no room for, so that it is answered") {
  Stage stage;
  stage.options.max_group_bytes = 1;
  stage.faults.FailAllCommits(absl::UnavailableError("gone"));
  stage.Start();
  REQUIRE(stage.PostPut(1).ok());
  REQUIRE(stage.clock.AwaitWaiter(absl::Milliseconds(100)));
  REQUIRE(stage.PostPut(2, Urgency::kUrgent).ok());
  stage.journal.Await(2);  // Now the group behind the failing one is full.
  REQUIRE(stage.PostPut(3, Urgency::kUrgent).ok());
  stage.runner->Stop();
  CHECK(stage.journal.lines() == Lines{"1 UNAVAILABLE", "2 UNAVAILABLE", "3 UNAVAILABLE"});
}

// A thread that runs events, which is the test's, and a runner with nothing to do.
class EventStage : public Stage {
 public:
  PartitionRunner& StartIdle() {
    Start();
    AwaitIdle();
    return *runner;
  }
  void AwaitIdle() { REQUIRE(clock.AwaitWaiters(2)); }

  // Whether a command of this event is run by its thread.
  bool IsLent(RecordKey key) {
    std::thread::id applied;
    Journal answered;
    REQUIRE(runner
                ->Post([&](Transaction& transaction) {
                  applied = std::this_thread::get_id();
                  transaction.batch().Put(kThing, key, "value");
                  transaction.Reply([&](const absl::Status&) { answered.Add("answered"); });
                })
                .ok());
    after.Run();
    answered.Await(1);
    return applied == std::this_thread::get_id();
  }

  AfterEvent after;
};

TEST_CASE("Who posts to an idle runner in an event does the work after it") {
  EventStage stage;
  stage.StartIdle();
  REQUIRE(stage.PostPut(1).ok());
  REQUIRE(stage.PostPut(2).ok());
  CHECK(stage.journal.lines().empty());
  CHECK(stage.faults.commits() == 0);
  stage.after.Run();
  CHECK(stage.journal.lines() == Lines{"1 durable", "2 durable", "1 OK", "2 OK"});
  CHECK(stage.recorded->batches().size() == 1);
}

TEST_CASE("What is patient is left to the runner's threads") {
  EventStage stage;
  stage.StartIdle();
  REQUIRE(stage.PostPut(1, Urgency::kPatient).ok());
  stage.after.Run();
  REQUIRE(stage.clock.AwaitWaiter(absl::Milliseconds(1)));
  CHECK(stage.journal.lines().empty());
  stage.clock.Advance(absl::Milliseconds(1));
  CHECK(stage.journal.Await(2) == Lines{"1 durable", "1 OK"});
}

TEST_CASE("No event is held up by large commits") {
  EventStage stage;
  stage.StartIdle();
  CHECK(stage.IsLent(1));
  stage.AwaitIdle();
  REQUIRE(stage.runner
              ->Post([&](Transaction& transaction) {
                transaction.batch().Put(kThing, 2, std::string(100'000, 'x'));
              })
              .ok());
  stage.after.Run();
  stage.AwaitIdle();
  CHECK_FALSE(stage.IsLent(3));
  stage.AwaitIdle();
  CHECK(stage.IsLent(4));  // The last one was small.
}

TEST_CASE("No event is held up by slow commits") {
  EventStage stage;
  stage.faults.CloseGate();
  stage.StartIdle();
  std::thread disk([&] {
    stage.faults.AwaitCommits(1);
    stage.clock.Advance(absl::Milliseconds(2));
    stage.faults.OpenGate();
  });
  REQUIRE(stage.PostPut(1).ok());
  stage.after.Run();
  disk.join();
  stage.AwaitIdle();
  CHECK_FALSE(stage.IsLent(2));
  stage.AwaitIdle();
  CHECK(stage.IsLent(3));
}

TEST_CASE("No event is held up by slow commands, though they commit nothing") {
  EventStage stage;
  stage.StartIdle();
  REQUIRE(
      stage.runner->Post([&](Transaction&) { stage.clock.Advance(absl::Milliseconds(2)); }).ok());
  stage.after.Run();
  stage.AwaitIdle();
  CHECK_FALSE(stage.IsLent(1));
  stage.AwaitIdle();
  CHECK(stage.IsLent(2));
}

TEST_CASE("What an event could not commit is answered at once, and repeated after a pause") {
  EventStage stage;
  stage.StartIdle();
  stage.faults.FailCommit(absl::UnavailableError("full"));
  REQUIRE(stage.PostPut(1).ok());
  stage.after.Run();
  CHECK(stage.journal.lines() == Lines{"1 UNAVAILABLE"});
  CHECK(stage.health.lines() == Lines{"UNAVAILABLE"});
  REQUIRE(stage.clock.AwaitWaiter(absl::Milliseconds(100)));
  CHECK(stage.faults.commits() == 1);
  stage.clock.Advance(absl::Milliseconds(100));
  CHECK(stage.journal.Await(2) == Lines{"1 UNAVAILABLE", "1 durable"});
  CHECK(stage.health.Await(2) == Lines{"UNAVAILABLE", "OK"});
}

TEST_CASE("A store that an event has found lost is lost, and not tried again") {
  EventStage stage;
  stage.StartIdle();
  stage.faults.FailCommit(absl::DataLossError("damaged"));
  REQUIRE(stage.PostPut(1).ok());
  stage.after.Run();
  CHECK(stage.journal.lines() == Lines{"1 DATA_LOSS"});
  CHECK(stage.health.lines() == Lines{"DATA_LOSS"});
  CHECK_FALSE(stage.PostPut(2).ok());
  stage.runner->Stop();
  CHECK(stage.faults.commits() == 1);
}

TEST_CASE("What becomes due when an event has done its work is done in time") {
  EventStage stage;
  stage.machine.on_finish = [&stage, count = 0](Transaction& transaction) mutable {
    stage.machine.wake =
        ++count == 1 ? transaction.now().steady + absl::Seconds(5) : absl::InfiniteDuration();
    stage.journal.Add("finished");
  };
  stage.StartIdle();
  REQUIRE(stage.PostPut(1).ok());
  stage.after.Run();
  REQUIRE(stage.clock.AwaitWaiter(absl::Seconds(5)));
  stage.clock.Advance(absl::Seconds(5));
  CHECK(stage.journal.Await(4).back() == "finished");
}

TEST_CASE("Stop waits for an event that works for the runner") {
  EventStage stage;
  stage.StartIdle();
  Journal stopped;
  std::thread stopper;
  const auto release = [&] {
    stopper = std::thread([&] {
      stage.runner->Stop();
      stopped.Add("stopped");
    });
    // It would return meanwhile.
    for (int i = 0; i < 20'000; ++i) std::this_thread::yield();
    CHECK(stopped.lines().empty());
  };
  REQUIRE(
      stage.runner->Post([&](Transaction& transaction) { transaction.OnDurable(release); }).ok());
  stage.after.Run();
  CHECK(stopped.Await(1) == Lines{"stopped"});
  stopper.join();
}

TEST_CASE("A runner does not start over a store that cannot say where it is") {
  Stage stage;
  REQUIRE(stage.factory->Open(0).ok());
  const auto runner =
      PartitionRunner::Start(std::move(stage.options), *stage.store, stage.machine, stage.clock);
  CHECK(runner.status().code() == absl::StatusCode::kAborted);
}

TEST_CASE("Threads and events that post, and a store that fails at times, lose nothing") {
  Stage stage;
  stage.options.retry_pause = absl::ZeroDuration();
  stage.options.max_group_bytes = 2000;
  stage.Start();
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  Journal released[kThreads];
  Journal answered;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::optional<AfterEvent> after;  // Half of them run events.
      if (t % 2 == 0) after.emplace();
      for (int i = 0; i < kEach; ++i) {
        if (i % 50 == 0) stage.faults.FailCommit(absl::UnavailableError("at times"));
        if (i % 70 == 0) stage.faults.LoseOutcome(absl::UnavailableError("at times"));
        const auto command = [&, t, i](Transaction& transaction) {
          transaction.batch().Put(kThing, t * kEach + i, "value");
          transaction.OnDurable([&, t, i] { released[t].Add(std::to_string(i)); });
          transaction.Reply([&](const absl::Status&) { answered.Add(""); });
        };
        while (!stage.runner->Post(command, Urgency::kUrgent).ok()) {
        }
        if (after.has_value()) after->Run();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  Lines expected;
  expected.reserve(kEach);
  for (int i = 0; i < kEach; ++i) expected.push_back(std::to_string(i));
  for (Journal& lines : released) CHECK(lines.Await(kEach) == expected);
  stage.runner->Stop();
  CHECK(answered.lines().size() == kThreads * kEach);
  int records = 0;
  REQUIRE(
      stage.store->Scan({.kind = kThing}, [&](RecordKey, std::string_view) { ++records; }).ok());
  CHECK(records == kThreads * kEach);
}

}  // namespace
}  // namespace kantoku::platform

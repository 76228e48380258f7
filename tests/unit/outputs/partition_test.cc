#include "services/outputs/partition.h"

#include <prometheus/registry.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "services/outputs/store.h"
#include "services/platform/check.h"
#include "services/platform/mutex.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_injecting_record_store.h"

namespace kantoku::outputs {
namespace {

using platform::MutexLock;
using platform::TaskId;
using platform::Transaction;
using Kind = AnswerBatch::Kind;
using Outcome = ResultBook::Outcome;

TaskId Task(uint64_t sequence) {
  return TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, sequence, 5);
}

ResultBook::Offer Offer(TaskId task, uint32_t dispatch = 1, std::string_view data = "data") {
  return {.result = {.task = task,
                     .status = ResultStatus::kSucceeded,
                     .dispatch = dispatch,
                     .name_space = "default",
                     .owner = "local",
                     .data = data},
          .retention = absl::Hours(24)};
}

// Notes what happens on other threads, for a test that waits for it.
template <typename T>
class Notes {
 public:
  void Add(T note) {
    MutexLock lock(mutex_);
    notes_.push_back(std::move(note));
    changed_.SignalAll();
  }
  // Waits until there are so many; all of them then.
  std::vector<T> AwaitCount(size_t count) {
    MutexLock lock(mutex_);
    const absl::Duration deadline = platform::Clock::Real().Read().steady + absl::Seconds(30);
    while (notes_.size() < count && platform::Clock::Real().Read().steady < deadline) {
      platform::Clock::Real().Wait(mutex_, changed_, deadline);
    }
    return notes_;
  }
  std::vector<T> all() { return AwaitCount(0); }

 private:
  platform::Mutex mutex_;
  platform::CondVar changed_;
  std::vector<T> notes_;
};

// A stream with room for so many answers.
class Listener final : public AwaitSink {
 public:
  explicit Listener(std::string subject = "local")
      : caller_(std::make_shared<const platform::Identity>(
            platform::Onlooker(std::move(subject), {platform::kEveryNamespace}))) {}

  struct Heard {
    TaskId task;
    Kind kind;
    std::string data;
    bool operator==(const Heard&) const = default;
  };

  const std::shared_ptr<const platform::Identity>& caller() const override { return caller_; }
  bool Deliver(const AnswerBatch& answers) override {
    for (const auto& answer : answers.answers()) {
      if (room_ == 0) return false;
      --room_;
      const auto result = DecodeResult(answers.record(answer));
      heard.Add({answer.task, answer.kind, result.ok() ? std::string(result->data) : ""});
    }
    return room_ > 0;
  }
  void Defer(std::span<const TaskId> tasks) override {
    for (const TaskId& task : tasks) deferred.Add(task);
  }
  void Finish() override { finished.Add(true); }
  void Fail(const absl::Status& status) override { failed.Add(status); }

  void set_room(int room) { room_ = room; }

  Notes<Heard> heard;
  Notes<TaskId> deferred;
  Notes<bool> finished;
  Notes<absl::Status> failed;

 private:
  const std::shared_ptr<const platform::Identity> caller_;
  std::atomic<int> room_ = 1'000'000;
};

// An Inputs whose answers a test gives.
class ScriptedInputs final : public TaskLives {
 public:
  void Ask(std::vector<Question> questions, Done done) override {
    std::vector<TaskId> tasks;
    std::vector<std::shared_ptr<const platform::Identity>> whose;
    for (const Question& question : questions) {
      tasks.push_back(question.task);
      whose.push_back(question.asked_for);
    }
    MutexLock lock(mutex_);
    done_.push_back(std::move(done));
    asked_for.Add(std::move(whose));
    asked.Add(std::move(tasks));
  }
  void Answer(absl::StatusOr<std::vector<TaskLife>> lives) {
    Done done;
    {
      MutexLock lock(mutex_);
      REQUIRE(done_.size() == 1);
      done = std::move(done_.back());
      done_.pop_back();
    }
    done(std::move(lives));
  }

  Notes<std::vector<TaskId>> asked;
  Notes<std::vector<std::shared_ptr<const platform::Identity>>> asked_for;

 private:
  platform::Mutex mutex_;
  std::vector<Done> done_;
};

class House {
 public:
  House() {
    auto partition = OutputsPartition::Start(
        {.runner = {.name = "outputs/0", .retry_pause = absl::ZeroDuration()},
         .random = [] { return uint64_t{0}; }},
        store_, clock_, inputs, metrics_);
    REQUIRE(partition.ok());
    partition_ = *std::move(partition);
    Run([this](OutputsPartition& partition, Transaction&) {
      stream = partition.OpenStream(listener);
    });
  }

  // Returns once it was applied; what it wrote need not be durable.
  void Run(OutputsPartition::Command command) {
    // Shared, because the other thread may not be done with it when this one goes on.
    const auto applied = std::make_shared<std::promise<void>>();
    const absl::Status posted = partition_->Post(
        [applied, command = std::move(command)](OutputsPartition& partition,
                                                Transaction& transaction) mutable {
          command(partition, transaction);
          applied->set_value();
        },
        OutputsPartition::Urgency::kUrgent);
    REQUIRE(posted.ok());
    applied->get_future().wait();
  }
  Outcome Put(TaskId task, uint32_t dispatch = 1, std::string_view data = "data") {
    Outcome outcome{};
    Run([&](OutputsPartition& partition, Transaction& transaction) {
      const ResultBook::Offer offers[] = {Offer(task, dispatch, data)};
      outcome = (*partition.Put(offers, transaction))[0].outcome;
    });
    return outcome;
  }
  void PutDurably(TaskId task, std::string_view data = "data") {
    const auto replied = std::make_shared<std::promise<absl::Status>>();
    Run([&](OutputsPartition& partition, Transaction& transaction) {
      const ResultBook::Offer offers[] = {Offer(task, 1, data)};
      KANTOKU_CHECK(partition.Put(offers, transaction).ok());
      transaction.Reply([replied](const absl::Status& status) { replied->set_value(status); });
    });
    REQUIRE(replied->get_future().get().ok());
  }
  // Returns once all that was applied before is durable and released.
  void Settle() {
    const auto settled = std::make_shared<std::promise<void>>();
    Run([&](OutputsPartition&, Transaction& transaction) {
      transaction.Reply([settled](const absl::Status&) { settled->set_value(); });
    });
    settled->get_future().wait();
  }
  void Await(const std::vector<TaskId>& tasks) {
    Run([&](OutputsPartition& partition, Transaction& transaction) {
      partition.Await(stream, tasks, transaction);
    });
  }

  platform::StoreFaults faults;
  ScriptedInputs inputs;
  std::shared_ptr<Listener> listener = std::make_shared<Listener>();
  AwaitHub::StreamId stream = 0;

  OutputsPartition& partition() { return *partition_; }
  platform::FakeClock& clock() { return clock_; }
  // Until the partition has nothing to do before so long from now.
  void PassTo(absl::Duration time) {
    REQUIRE(clock_.AwaitWaiter(time));
    clock_.Advance(time);
  }

 private:
  platform::FakeClock clock_;
  std::unique_ptr<platform::RecordStoreFactory> factory_ =
      platform::MakeMemoryRecordStoreFactory(OutputsSchema());
  platform::FaultInjectingRecordStore store_{*factory_->Open(0), faults};
  prometheus::Registry registry_;
  Metrics metrics_{registry_};
  std::unique_ptr<OutputsPartition> partition_;
};

TEST_CASE("A waiter hears of a result when it is durable, not before") {
  House house;
  house.Await({Task(1)});
  house.faults.CloseGate();
  house.Put(Task(1), 1, "hello");
  house.faults.AwaitCommits(1);
  CHECK(house.listener->heard.all().empty());
  house.faults.OpenGate();
  const auto heard = house.listener->heard.AwaitCount(1);
  CHECK(heard == std::vector<Listener::Heard>{{Task(1), Kind::kResult, "hello"}});
}

TEST_CASE("Who begins to wait while a result is on its way hears of it as well") {
  House house;
  house.faults.CloseGate();
  house.Put(Task(1), 1, "hello");
  house.faults.AwaitCommits(1);
  house.Await({Task(1)});
  CHECK(house.listener->heard.all().empty());
  house.faults.OpenGate();
  const auto heard = house.listener->heard.AwaitCount(1);
  CHECK(heard == std::vector<Listener::Heard>{{Task(1), Kind::kResult, "hello"}});
}

TEST_CASE("A durable result is there at once, also while the store takes no more") {
  House house;
  house.PutDurably(Task(1), "hello");
  house.faults.FailAllCommits(absl::ResourceExhaustedError("disk is full"));
  house.Put(Task(2));
  house.Await({Task(1), Task(2)});
  CHECK(house.listener->heard.AwaitCount(1).size() == 1);
  // The other one waits, and comes when there is space again.
  house.faults.FailAllCommits(absl::OkStatus());
  CHECK(house.listener->heard.AwaitCount(2)[1].task == Task(2));
}

TEST_CASE("While the store takes no commits new calls are refused with its error, and then taken") {
  House house;
  const auto call = [&] { return house.partition().Post([](OutputsPartition&, Transaction&) {}); };
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  house.faults.FailAllCommits(absl::ResourceExhaustedError("disk is full"));
  house.Put(Task(1));
  while (call().ok() && absl::Now() < give_up) std::this_thread::yield();
  CHECK(call().code() == absl::StatusCode::kResourceExhausted);
  house.faults.FailAllCommits(absl::OkStatus());
  while (!call().ok() && absl::Now() < give_up) std::this_thread::yield();
  CHECK(call().ok());
  house.Await({Task(1)});
  CHECK(house.listener->heard.AwaitCount(1)[0].kind == Kind::kResult);
}

TEST_CASE("A task that nobody knows is answered after Inputs was asked") {
  House house;
  house.Await({Task(1), Task(2), Task(3)});
  house.PassTo(absl::Milliseconds(100));
  CHECK(house.inputs.asked.AwaitCount(1)[0] == std::vector<TaskId>{Task(1), Task(2), Task(3)});
  house.inputs.Answer(
      std::vector<TaskLife>{TaskLife::kUnknown, TaskLife::kEnded, TaskLife::kLives});
  auto heard = house.listener->heard.AwaitCount(2);
  CHECK(heard ==
        std::vector<Listener::Heard>{{Task(1), Kind::kUnknown, ""}, {Task(2), Kind::kGone, ""}});
  // The one that lives waits for its end.
  house.Put(Task(3), 1, "late");
  heard = house.listener->heard.AwaitCount(3);
  CHECK(heard[2] == Listener::Heard{Task(3), Kind::kResult, "late"});
  CHECK(house.inputs.asked.all().size() == 1);
}

TEST_CASE("Inputs is asked for each who waits, and each hears what Inputs says to them") {
  House house;
  const auto stranger = std::make_shared<Listener>("stranger");
  house.Await({Task(1)});
  house.Run([&](OutputsPartition& partition, Transaction& transaction) {
    const TaskId tasks[] = {Task(1)};
    partition.Await(partition.OpenStream(stranger), tasks, transaction);
  });
  house.PassTo(absl::Milliseconds(100));
  CHECK(house.inputs.asked.AwaitCount(1)[0] == std::vector<TaskId>{Task(1), Task(1)});
  // The whole caller: what it sees hangs on its namespaces, and on whether it is an administrator.
  CHECK(house.inputs.asked_for.all()[0] ==
        std::vector{house.listener->caller(), stranger->caller()});
  house.inputs.Answer(std::vector<TaskLife>{TaskLife::kLives, TaskLife::kUnknown});
  CHECK(stranger->heard.AwaitCount(1)[0] == Listener::Heard{Task(1), Kind::kUnknown, ""});
  house.Put(Task(1), 1, "for its owner");
  CHECK(house.listener->heard.AwaitCount(1)[0].data == "for its owner");
  CHECK(stranger->heard.all().size() == 1);
}

TEST_CASE("A result that came while Inputs was asked wins over what Inputs said") {
  House house;
  house.Await({Task(1)});
  house.PassTo(absl::Milliseconds(100));
  house.inputs.asked.AwaitCount(1);
  house.Put(Task(1), 1, "just in time");
  house.inputs.Answer(std::vector<TaskLife>{TaskLife::kEnded});
  const auto heard = house.listener->heard.AwaitCount(1);
  CHECK(heard[0].data == "just in time");
  house.Await({});
  CHECK(house.listener->heard.all().size() == 1);
}

TEST_CASE("While Inputs is away a waiter waits, and Inputs is asked again") {
  House house;
  house.Await({Task(1)});
  house.PassTo(absl::Milliseconds(100));
  for (size_t i = 1; i <= 5; ++i) {
    CHECK(house.inputs.asked.AwaitCount(i).size() == i);
    house.inputs.Answer(absl::UnavailableError("away"));
    house.Await({});  // By then the answer was applied, at this time and no later one.
    house.PassTo(absl::Seconds(5));
  }
  house.inputs.asked.AwaitCount(6);
  CHECK(house.listener->heard.all().empty());
  house.inputs.Answer(std::vector<TaskLife>{TaskLife::kUnknown});
  CHECK(house.listener->heard.AwaitCount(1)[0].kind == Kind::kUnknown);
}

TEST_CASE("What a stream has no room for is deferred, unread") {
  House house;
  for (uint64_t i = 1; i <= 100; ++i) house.PutDurably(Task(i));
  std::vector<TaskId> tasks;
  for (uint64_t i = 1; i <= 100; ++i) tasks.push_back(Task(i));
  house.listener->set_room(16);
  house.Await(tasks);
  CHECK(house.listener->heard.all().size() == 16);
  CHECK(house.listener->deferred.all().size() == 84);
  // Asked for again, as a sink does when there is room.
  house.listener->set_room(1000);
  house.Await(house.listener->deferred.all());
  CHECK(house.listener->heard.AwaitCount(100).size() == 100);
}

TEST_CASE("A stream that is full does not keep another from its answers") {
  House house;
  for (uint64_t i = 1; i <= 100; ++i) house.PutDurably(Task(i));
  // Both wait for one result, which is on its way.
  house.faults.CloseGate();
  const int commits = house.faults.commits();
  house.Put(Task(1000));
  house.faults.AwaitCommits(commits + 1);
  house.listener->set_room(0);
  house.Await({Task(1000)});
  // The apply thread is held up until it is durable; then, at once, the other one asks.
  const auto other = std::make_shared<Listener>();
  std::vector<TaskId> tasks = {Task(1000)};
  for (uint64_t i = 1; i <= 100; ++i) tasks.push_back(Task(i));
  house.Run([&](OutputsPartition& partition, Transaction& transaction) {
    house.faults.OpenGate();
    bool durable = false;
    const auto look = [&](size_t, ResultBook::Presence presence, const StoredResult*) {
      durable = presence == ResultBook::Presence::kHeld;
      return true;
    };
    while (!durable) {
      KANTOKU_CHECK(partition.Get(std::span(tasks).first(1), transaction.now().wall, look).ok());
    }
    partition.Await(partition.OpenStream(other), tasks, transaction);
  });
  CHECK(other->heard.AwaitCount(101).size() == 101);
  CHECK(other->deferred.all().empty());
}

TEST_CASE("A store that cannot be read ends the stream with its error") {
  House house;
  house.faults.FailRead(absl::UnavailableError("cannot read"));
  house.Await({Task(1)});
  CHECK(house.listener->failed.AwaitCount(1)[0].code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("A stream that asks for no more is finished after its last answer") {
  House house;
  house.Await({Task(1)});
  house.Run([&](OutputsPartition& partition, Transaction&) {
    partition.EndStreamWhenIdle(house.stream);
  });
  CHECK(house.listener->finished.all().empty());
  house.Put(Task(1));
  house.listener->finished.AwaitCount(1);
  CHECK(house.listener->heard.all().size() == 1);
}

TEST_CASE("Results leave by themselves when their time is over") {
  House house;
  house.PutDurably(Task(1));
  house.Settle();
  REQUIRE(house.clock().AwaitWaiter(absl::Minutes(10)));
  house.clock().Advance(absl::Hours(26));
  house.Settle();
  house.Await({Task(1)});
  house.PassTo(absl::Milliseconds(100));
  CHECK(house.inputs.asked.AwaitCount(1)[0] == std::vector<TaskId>{Task(1)});
}

TEST_CASE("Partitions share a gauge, and what one has leaves with it") {
  prometheus::Gauge gauge;
  GaugeShare one(gauge);
  one.Set(3);
  {
    GaugeShare other(gauge);
    other.Set(4);
    one.Set(2);
    CHECK(gauge.Value() == 6);
  }
  CHECK(gauge.Value() == 2);
}

}  // namespace
}  // namespace kantoku::outputs

#include "services/outputs/await_hub.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

namespace kantoku::outputs {
namespace {

using platform::TaskId;
using Kind = AnswerBatch::Kind;

TaskId Task(uint64_t sequence) {
  return TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, sequence, 5);
}

// Remembers what it was given, and has room when a test says so.
class Listener final : public AwaitSink {
 public:
  explicit Listener(std::string subject = "local")
      : caller_(std::make_shared<const platform::Identity>(
            platform::Onlooker(std::move(subject), {platform::kEveryNamespace}))) {}

  const std::shared_ptr<const platform::Identity>& caller() const override { return caller_; }
  bool Deliver(const AnswerBatch& answers) override {
    for (const auto& answer : answers.answers()) {
      heard.emplace_back(answer.task, answer.kind);
      records.emplace_back(answers.record(answer));
      where = answers.record(answer).data();
    }
    return room;
  }
  void Defer(std::span<const TaskId>) override {}
  void Finish() override {}
  void Fail(const absl::Status& status) override { failed = status; }

  bool room = true;
  absl::Status failed;
  std::vector<std::pair<TaskId, Kind>> heard;
  std::vector<std::string> records;
  const void* where = nullptr;  // The last record was, in memory.

 private:
  std::shared_ptr<const platform::Identity> caller_;
};

struct Room {
  explicit Room(AwaitHub::Limits limits = {}) : hub(limits) {}

  std::vector<TaskId> Add(AwaitHub::StreamId stream, const std::vector<TaskId>& tasks) {
    std::vector<TaskId> fresh;
    REQUIRE(hub.Add(stream, tasks, fresh).ok());
    return fresh;
  }
  void Resolve(TaskId task, std::string_view record = "record") {
    Deliveries deliveries;
    hub.Resolve({.task = task, .status = ResultStatus::kSucceeded, .owner = "local"}, Kind::kResult,
                record, deliveries);
    deliveries.Send();
  }

  AwaitHub hub;
  std::shared_ptr<Listener> a = std::make_shared<Listener>();
  std::shared_ptr<Listener> b = std::make_shared<Listener>();
  AwaitHub::StreamId stream_a = hub.Open(a);
  AwaitHub::StreamId stream_b = hub.Open(b);
};

TEST_CASE("Everybody who waits for a task gets its result, once") {
  Room room;
  CHECK(room.Add(room.stream_a, {Task(1), Task(2), Task(1)}).size() == 2);
  CHECK(room.Add(room.stream_a, {Task(1)}).empty());
  CHECK(room.Add(room.stream_b, {Task(1)}).size() == 1);
  CHECK(room.hub.waiters() == 3);
  room.Resolve(Task(1), "one");
  room.Resolve(Task(1), "again");
  CHECK(room.a->heard == std::vector<std::pair<TaskId, Kind>>{{Task(1), Kind::kResult}});
  CHECK(room.a->records == std::vector<std::string>{"one"});
  CHECK(room.b->heard.size() == 1);
  CHECK(room.hub.waiters() == 1);
  CHECK(room.hub.WaitersFor(Task(1)).empty());
}

TEST_CASE("However many wait, a result is in memory once until it is sent") {
  Room room;
  room.Add(room.stream_a, {Task(1)});
  room.Add(room.stream_b, {Task(1)});
  room.Resolve(Task(1), std::string(1000, 'x'));
  CHECK(room.b->records == room.a->records);
  CHECK(room.b->where == room.a->where);
}

TEST_CASE("A task can be awaited again after its answer") {
  Room room;
  room.Add(room.stream_a, {Task(1)});
  room.Resolve(Task(1));
  CHECK(room.Add(room.stream_a, {Task(1)}).size() == 1);
  room.Resolve(Task(1));
  CHECK(room.a->heard.size() == 2);
}

TEST_CASE("To those who may not see a result its task is unknown") {
  Room room;
  auto stranger = std::make_shared<Listener>("somebody else");
  const auto stream = room.hub.Open(stranger);
  room.Add(stream, {Task(1)});
  room.Add(room.stream_a, {Task(1)});
  room.Resolve(Task(1), "secret");
  CHECK(stranger->heard == std::vector<std::pair<TaskId, Kind>>{{Task(1), Kind::kUnknown}});
  CHECK(stranger->records == std::vector<std::string>{""});
  CHECK(room.a->records == std::vector<std::string>{"secret"});
}

TEST_CASE("One of those who wait can be answered, and the others wait on") {
  Room room;
  room.Add(room.stream_a, {Task(1)});
  room.Add(room.stream_b, {Task(1)});
  Deliveries deliveries;
  room.hub.Resolve(Task(1), room.stream_b, Kind::kUnknown, deliveries);
  room.hub.Resolve(Task(1), room.stream_b, Kind::kUnknown, deliveries);
  room.hub.Resolve(Task(2), room.stream_b, Kind::kUnknown, deliveries);
  deliveries.Send();
  CHECK(room.a->heard.empty());
  CHECK(room.b->heard == std::vector<std::pair<TaskId, Kind>>{{Task(1), Kind::kUnknown}});
  CHECK(room.hub.waiters() == 1);
  CHECK(room.hub.Waits(Task(1), room.stream_a));
  CHECK_FALSE(room.hub.Waits(Task(1), room.stream_b));
}

TEST_CASE("What is forgotten is not answered") {
  Room room;
  room.Add(room.stream_a, {Task(1), Task(2)});
  const std::vector<TaskId> forgotten = {Task(1), Task(7)};
  room.hub.Forget(room.stream_a, forgotten);
  room.Resolve(Task(1));
  room.Resolve(Task(2));
  CHECK(room.a->heard.size() == 1);
}

TEST_CASE("A closed stream gets nothing and its tasks leave bit by bit") {
  Room room;
  std::vector<TaskId> tasks;
  for (uint64_t i = 0; i < 25'000; ++i) tasks.push_back(Task(i));
  room.Add(room.stream_a, tasks);
  room.Add(room.stream_b, {Task(3)});
  room.hub.Close(room.stream_a);
  room.hub.Close(room.stream_a);
  CHECK(room.hub.waiters() == 1);
  CHECK(room.hub.Find(room.stream_a) == nullptr);
  room.Resolve(Task(4));
  int steps = 1;
  while (room.hub.CleanUp()) ++steps;
  CHECK(steps == 3);
  CHECK(room.hub.WaitersFor(Task(5)).empty());
  CHECK(room.hub.WaitersFor(Task(3)).size() == 1);
  CHECK(room.a->heard.empty());
  // What comes for it afterwards is harmless.
  CHECK(room.Add(room.stream_a, {Task(1)}).empty());
  CHECK(room.hub.WaitersFor(Task(1)).empty());
}

TEST_CASE("The number of awaits is bounded, per stream and in all") {
  Room room({.per_stream = 3, .in_all = 4});
  std::vector<TaskId> fresh;
  const std::vector<TaskId> four = {Task(1), Task(2), Task(3), Task(4)};
  const auto refused = room.hub.Add(room.stream_a, four, fresh);
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(fresh.empty());
  room.Add(room.stream_a, {Task(1), Task(2), Task(3)});
  const std::vector<TaskId> two = {Task(5), Task(6)};
  const auto full = room.hub.Add(room.stream_b, two, fresh);
  CHECK(full.code() == absl::StatusCode::kResourceExhausted);
  // Of what others have it says nothing.
  CHECK(full.message() == "task_ids: 2 more exceed the server's limit of 4 that wait");
  room.Resolve(Task(1));
  CHECK(room.hub.Add(room.stream_b, two, fresh).ok());
}

TEST_CASE("A stream that asks for no more is idle once it waits for nothing") {
  Room room;
  room.Add(room.stream_a, {Task(1), Task(2)});
  room.Resolve(Task(1));
  room.hub.EndWhenIdle(room.stream_a);
  CHECK(room.hub.TakeIdle().empty());
  room.Resolve(Task(2));
  const auto idle = room.hub.TakeIdle();
  REQUIRE(idle.size() == 1);
  CHECK(idle[0] == room.a);
  CHECK(room.hub.TakeIdle().empty());
  room.hub.EndWhenIdle(room.stream_b);
  CHECK(room.hub.TakeIdle().size() == 1);
}

TEST_CASE("What sinks have deferred counts as waiting") {
  Room room({.per_stream = 10, .in_all = 4});
  room.Add(room.stream_a, {Task(1)});
  room.hub.CountDeferred(2);
  std::vector<TaskId> fresh;
  const std::vector<TaskId> two = {Task(2), Task(3)};
  CHECK(room.hub.Add(room.stream_b, two, fresh).code() == absl::StatusCode::kResourceExhausted);
  room.hub.CountDeferred(-1);
  CHECK(room.hub.Add(room.stream_b, two, fresh).ok());
}

TEST_CASE("A stream that began to wait again is not idle") {
  Room room;
  room.Add(room.stream_a, {Task(1)});
  room.hub.EndWhenIdle(room.stream_a);
  room.Resolve(Task(1));
  room.Add(room.stream_a, {Task(2)});
  CHECK(room.hub.TakeIdle().empty());
  room.Resolve(Task(2));
  CHECK(room.hub.TakeIdle() == std::vector<std::shared_ptr<AwaitSink>>{room.a});
}

TEST_CASE("A stream that lives long keeps only what it waits for") {
  Room room;
  for (uint64_t i = 0; i < 10'000; ++i) {
    room.Add(room.stream_a, {Task(i)});
    if (i % 100 != 0) room.Resolve(Task(i));
  }
  CHECK(room.hub.waiters() == 100);
  room.hub.Close(room.stream_a);
  CHECK_FALSE(room.hub.CleanUp());
  CHECK(room.hub.WaitersFor(Task(100)).empty());
}

TEST_CASE("Whether the one who asks had room for all answers is told") {
  Room room;
  room.Add(room.stream_a, {Task(1)});
  room.Add(room.stream_b, {Task(1)});
  room.a->room = false;
  Deliveries deliveries;
  room.hub.Resolve(Task(1), Kind::kGone, deliveries);
  CHECK_FALSE(deliveries.Send(room.a.get()));
  CHECK(deliveries.empty());

  room.Add(room.stream_a, {Task(1)});
  room.Add(room.stream_b, {Task(1)});
  room.hub.Resolve(Task(1), Kind::kGone, deliveries);
  CHECK(deliveries.Send(room.b.get()));
}

TEST_CASE("When all streams fail each hears why, and nobody waits or is owned") {
  Room room;
  room.Add(room.stream_a, {Task(1), Task(2)});
  room.Add(room.stream_b, {Task(1)});
  room.hub.FailAll(absl::UnavailableError("closed"));
  CHECK(absl::IsUnavailable(room.a->failed));
  CHECK(absl::IsUnavailable(room.b->failed));
  CHECK(room.hub.waiters() == 0);
  CHECK(room.a.use_count() == 1);
  room.Resolve(Task(1));
  CHECK(room.a->heard.empty());
}

TEST_CASE("Hubs of one process share the bound of what all may wait for") {
  const auto all = std::make_shared<AwaitCount>();
  std::vector<TaskId> fresh;
  AwaitHub one({.in_all = 3}, all);
  const auto stream = one.Open(std::make_shared<Listener>());
  REQUIRE(one.Add(stream, std::vector<TaskId>{Task(1), Task(2)}, fresh).ok());
  one.TakeIdle();
  {
    AwaitHub other({.in_all = 3}, all);
    const auto others = other.Open(std::make_shared<Listener>());
    const std::vector<TaskId> two = {Task(3), Task(4)};
    CHECK(absl::IsResourceExhausted(other.Add(others, two, fresh)));
    one.Close(stream);
    one.TakeIdle();
    CHECK(other.Add(others, two, fresh).ok());
    other.TakeIdle();
    CHECK(all->value() == 2);
  }
  CHECK(all->value() == 0);
}

}  // namespace
}  // namespace kantoku::outputs

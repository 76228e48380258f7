#include "services/inputs/partition/event_packer.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

namespace kantoku::inputs {
namespace {

namespace eventspb = ::kantoku::events::v1;

const absl::Time kTime = absl::FromUnixMillis(1'790'000'000'123);

TaskId Id(uint64_t sequence) { return TaskId::Make(kTime, 7, sequence, 0); }

SessionId Session(uint8_t first) {
  std::array<uint8_t, 16> bytes{};
  bytes[0] = first;
  return SessionId(platform::Uuid(bytes));
}

EventMessage Event(uint64_t sequence, EventType type = EventType::kTaskReceived) {
  return {.type = type,
          .task = Id(sequence),
          .name_space = "default",
          .owner = "alice",
          .task_type = "x",
          .dispatch = 1,
          .session = Session(1)};
}

eventspb::EventBatch Pack(const std::vector<EventMessage>& events) {
  EventPacker packer;
  packer.Add(events, kTime);
  eventspb::EventBatch batch;
  REQUIRE(batch.ParseFromString(packer.TakeLine(0)));
  CHECK(packer.empty());
  return batch;
}

// The tasks of a run, as their numbers.
std::vector<uint64_t> SequencesOf(const eventspb::EventRun& run) {
  std::vector<uint64_t> sequences;
  for (size_t at = 0; at < run.task_ids().size(); at += 16) {
    sequences.push_back(TaskId::FromBytes(run.task_ids().substr(at, 16))->sequence());
  }
  return sequences;
}

TEST_CASE("Neighbours that differ only in task and dispatch share a run") {
  std::vector<EventMessage> events = {Event(1), Event(2), Event(3)};
  events[2].dispatch = 9;
  const auto batch = Pack(events);
  REQUIRE(batch.runs_size() == 1);
  const eventspb::EventRun& run = batch.runs(0);
  CHECK(run.type() == "task.received");
  CHECK(run.namespace_() == "default");
  CHECK(run.owner() == "alice");
  CHECK(run.task_type() == "x");
  CHECK(run.session_id() == Session(1).bytes());
  CHECK(run.at().seconds() == 1'790'000'000);
  CHECK(run.at().nanos() == 123'000'000);
  CHECK(run.task_ids() ==
        std::string(Id(1).bytes()) + std::string(Id(2).bytes()) + std::string(Id(3).bytes()));
  CHECK(std::vector<uint32_t>(run.dispatches().begin(), run.dispatches().end()) ==
        std::vector<uint32_t>{1, 1, 9});
}

TEST_CASE("Whatever else differs begins a run") {
  std::vector<EventMessage> events(7, Event(1));
  events[1].type = EventType::kTaskStarted;
  events[2].owner = "bob";
  events[3].name_space = "other";
  events[4].task_type = "y";
  events[5].session = Session(2);
  events[6].session = SessionId();
  CHECK(Pack(events).runs_size() == 7);
}

TEST_CASE("What happened at once to tasks of many types in turn is a run for each type") {
  std::vector<EventMessage> events;
  for (uint64_t i = 0; i < 12; ++i) {
    events.push_back(Event(i));
    events.back().task_type = i % 3 == 0 ? "x" : i % 3 == 1 ? "y" : "z";
    if (i % 3 == 2 && i > 6) events.back().session = Session(2);
  }
  const auto batch = Pack(events);
  REQUIRE(batch.runs_size() == 4);
  CHECK(SequencesOf(batch.runs(0)) == std::vector<uint64_t>{0, 3, 6, 9});
  CHECK(batch.runs(1).task_type() == "y");
  CHECK(SequencesOf(batch.runs(1)) == std::vector<uint64_t>{1, 4, 7, 10});
  CHECK(batch.runs(2).session_id() == Session(1).bytes());
  CHECK(SequencesOf(batch.runs(2)) == std::vector<uint64_t>{2, 5});
  CHECK(batch.runs(3).session_id() == Session(2).bytes());
  CHECK(SequencesOf(batch.runs(3)) == std::vector<uint64_t>{8, 11});
}

TEST_CASE("Nothing passes an event of another kind, nor one with more to say") {
  std::vector<EventMessage> events(3, Event(1));
  events[1].task = events[2].task = Id(2);
  events[0].task_type = events[2].task_type = "x";
  SECTION("Of another type of event") { events[1].type = EventType::kTaskReturned; }
  SECTION("With another end") {
    for (EventMessage& event : events) event.type = EventType::kTaskFinished;
    events[0].state = events[2].state = TaskState::kSucceeded;
    events[1].state = TaskState::kCancelled;
  }
  SECTION("A failure") { events[1].failure = {"TIMEOUT", "ran longer than 5 ms"}; }
  SECTION("Progress") { events[1].progress = 0.5F; }
  SECTION("Reports that were left out") { events[1].skipped = 2; }
  SECTION("About no task") { events[1].task = TaskId(); }
  const auto batch = Pack(events);
  REQUIRE(batch.runs_size() == 3);
  CHECK(SequencesOf(batch.runs(0)) == std::vector<uint64_t>{1});
  CHECK(SequencesOf(batch.runs(2)) == std::vector<uint64_t>{2});
}

TEST_CASE("Nothing passes what somebody has asked for") {
  EventPacker packer;
  packer.Add(std::vector{Event(1)}, kTime);
  packer.Add(AuditNote{.type = "audit.control", .task = Id(1), .name_space = "default"}, kTime);
  packer.Add(std::vector{Event(2)}, kTime);
  eventspb::EventBatch batch;
  REQUIRE(batch.ParseFromString(packer.TakeLine(0)));
  REQUIRE(batch.runs_size() == 3);
  CHECK(batch.runs(1).type() == "audit.control");
}

TEST_CASE("Events of one task stand in their order, however many types and sessions there are") {
  // What may happen to a task, each of them in a line of its own from the others.
  const std::vector<EventType> life = {EventType::kTaskCreated,  EventType::kTaskReceived,
                                       EventType::kTaskStarted,  EventType::kTaskReturned,
                                       EventType::kTaskReceived, EventType::kTaskStarted,
                                       EventType::kTaskRetried,  EventType::kTaskReceived,
                                       EventType::kTaskStarted,  EventType::kTaskFinished};
  constexpr size_t kTasks = 20;
  std::minstd_rand random(1);
  std::vector<size_t> told(kTasks, 0);
  std::vector<EventMessage> events;
  while (events.size() < kTasks * life.size()) {
    const size_t task = random() % kTasks;
    if (told[task] == life.size()) continue;
    // Some at once, as one command does to many tasks.
    const EventType type = life[told[task]];
    for (size_t other = task; other < kTasks; ++other) {
      if (told[other] == life.size() || life[told[other]] != type) continue;
      EventMessage& event = events.emplace_back(Event(other, type));
      event.task_type = other % 3 == 0 ? "x" : "y";
      event.dispatch = static_cast<uint32_t>(++told[other]);  // Its number within the life.
      event.session = Session(static_cast<uint8_t>(random() % 3));
    }
  }
  const auto batch = Pack(events);
  CHECK(batch.runs_size() < static_cast<int>(events.size()));
  std::vector<uint32_t> seen(kTasks, 0);
  for (const auto& run : batch.runs()) {
    const std::vector<uint64_t> tasks = SequencesOf(run);
    for (size_t i = 0; i < tasks.size(); ++i) {
      REQUIRE(run.dispatches(static_cast<int>(i)) == ++seen[tasks[i]]);
    }
  }
  CHECK(seen == std::vector<uint32_t>(kTasks, static_cast<uint32_t>(life.size())));
}

TEST_CASE("Equal events make equal lines") {
  EventMessage event = Event(1, EventType::kTaskProgress);
  event.state = TaskState::kRunning;
  event.failure = {"REASON", "message"};
  event.progress = 0.5;
  event.skipped = 3;
  const auto line_of = [&] {
    EventPacker packer;
    packer.Add(std::vector{event}, kTime);
    return packer.TakeLine(0);
  };
  const std::string line = line_of();
  for (int i = 0; i < 50; ++i) CHECK(line_of() == line);
}

TEST_CASE("Another time begins a run") {
  EventPacker packer;
  packer.Add(std::vector{Event(1)}, kTime);
  packer.Add(std::vector{Event(2)}, kTime);
  packer.Add(std::vector{Event(3)}, kTime + absl::Seconds(1));
  eventspb::EventBatch batch;
  REQUIRE(batch.ParseFromString(packer.TakeLine(0)));
  CHECK(batch.runs_size() == 2);
}

TEST_CASE("Ends of the same kind share a run, and a failure has one to itself") {
  std::vector<EventMessage> events(5, Event(1, EventType::kTaskFinished));
  for (EventMessage& event : events) event.state = TaskState::kSucceeded;
  events[2].state = TaskState::kFailed;
  events[2].failure = {"TIMEOUT", "ran longer than 5 ms"};
  const auto batch = Pack(events);
  REQUIRE(batch.runs_size() == 3);
  CHECK(batch.runs(0).details().at("state") == "succeeded");
  CHECK(batch.runs(0).dispatches_size() == 2);
  CHECK(batch.runs(1).details().at("state") == "failed");
  CHECK(batch.runs(1).details().at("reason") == "TIMEOUT");
  CHECK(batch.runs(1).details().at("message") == "ran longer than 5 ms");
  CHECK(batch.runs(2).dispatches_size() == 2);
}

TEST_CASE("An event without details does not join a run that has some") {
  std::vector<EventMessage> events(2, Event(1, EventType::kTaskProgress));
  events[0].progress = 0.5F;
  events[0].skipped = 3;
  const auto batch = Pack(events);
  REQUIRE(batch.runs_size() == 2);
  CHECK(batch.runs(0).details().at("progress") == "0.5");
  CHECK(batch.runs(0).details().at("skipped") == "3");
  CHECK(batch.runs(1).details().empty());
}

TEST_CASE("Events of sessions are about no task") {
  EventMessage event;
  event.type = EventType::kExecutorConnected;
  event.name_space = "default";
  event.session = Session(1);
  const auto batch = Pack({event, event});
  REQUIRE(batch.runs_size() == 2);
  CHECK(batch.runs(0).type() == "executor.connected");
  CHECK(batch.runs(0).task_ids().empty());
  CHECK(batch.runs(0).dispatches().empty());
}

// What Events takes in one batch; its own constants are not for Inputs to see.
constexpr size_t kMaxBatchBytes = size_t{8} << 20;
constexpr size_t kMaxBatchEvents = 1'000'000;

// Checks each line against the bounds of Events, and returns how many events they hold together.
size_t CountWithinBounds(const std::vector<std::string>& lines) {
  size_t all = 0;
  for (const std::string& line : lines) {
    CHECK(line.size() <= kMaxBatchBytes);
    eventspb::EventBatch batch;
    REQUIRE(batch.ParseFromString(line));
    size_t events = 0;
    for (const auto& run : batch.runs()) events += std::max<size_t>(1, run.task_ids().size() / 16);
    CHECK(events <= kMaxBatchEvents);
    all += events;
  }
  return all;
}

TEST_CASE("A line ends before it is more than Events takes, and loses nothing") {
  EventPacker packer;
  std::vector<EventMessage> events;
  SECTION("Many runs: no two neighbours are alike") {
    for (uint64_t i = 0; i < 100'000; ++i) {
      events.push_back(Event(i, EventType::kTaskCreated));
      events.back().task_type = "a.type.of.20.letters";
      if (i % 2 == 0) events.back().type = EventType::kTaskFinished;
    }
  }
  SECTION("One run of very many tasks") {
    for (uint64_t i = 0; i < 1'100'000; ++i) events.push_back(Event(i));
  }
  SECTION("Long messages") {
    const std::string message(4'096, 'm');
    for (uint64_t i = 0; i < 4'000; ++i) {
      events.push_back(Event(i, EventType::kTaskRetried));
      events.back().failure = {"HANDLER_FAILED", message};
    }
  }
  packer.Add(events, kTime);
  std::vector<std::string> lines;
  while (!packer.empty()) lines.push_back(packer.TakeLine(7));
  CHECK(lines.size() > 1);
  CHECK(CountWithinBounds(lines) == events.size());
  CHECK(packer.empty());
}

TEST_CASE("Only starts and progress may wait for other events") {
  for (int type = 1; type <= static_cast<int>(EventType::kExecutorLost); ++type) {
    const auto event = static_cast<EventType>(type);
    CHECK(EventPacker::MayWait(event) ==
          (event == EventType::kTaskStarted || event == EventType::kTaskProgress));
    CHECK_FALSE(NameOf(event).empty());
  }
}

}  // namespace
}  // namespace kantoku::inputs

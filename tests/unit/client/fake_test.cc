#include "kantoku/fake.h"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "kantoku/plugins/logger.h"
#include "kantoku/status.h"

namespace kantoku {
namespace {

FakeKantoku::Handler Echo() {
  return [](const TaskSpec& spec) { return spec.payload; };
}

TEST_CASE("A fake runs its handlers and resolves futures") {
  FakeKantoku fake;
  fake.Handle("upper", [](const TaskSpec& spec) { return spec.payload + "!"; });
  Client kan = fake.Connect();
  const auto task = kan.Spawn(Task("upper", "hello"));
  REQUIRE(task.ok());
  const auto output = kan.Await(task->id);
  REQUIRE(output.ok());
  CHECK(output->succeeded());
  CHECK(output->data == "hello!");
  CHECK(output->id == task->id);
  CHECK(kan.Get(task->id)->state == TaskState::kSucceeded);
  CHECK(kan.GetOutput(task->id)->data == "hello!");
}

TEST_CASE("A fake's task without a handler waits for that cause, until there is one") {
  FakeKantoku fake;
  Client kan = fake.Connect();
  const auto task = kan.Spawn(Task("echo", "x"));
  CHECK(kan.Get(task->id)->wait_cause == WaitCause::kNoImplementation);
  CHECK(kan.GetOutput(task->id).status().code() == absl::StatusCode::kNotFound);
  auto output = kan.AwaitAsync(task->id);
  fake.Handle("echo", Echo());
  CHECK(output.get()->data == "x");
}

TEST_CASE("A fake runs a task after those that it depends on") {
  FakeKantoku fake;
  std::vector<std::string> order;
  fake.Handle("note", [&](const TaskSpec& spec) {
    order.push_back(spec.payload);
    return spec.payload;
  });
  Client kan = fake.Connect();
  fake.Pause();
  const auto tasks =
      kan.SpawnBatch({Task("note", "last").With(DependsOnIndex(2)), Task("note", "first"),
                      Task("note", "middle").With(ArgumentIndex(1))});
  const auto later = kan.Spawn(Task("note", "later").With(DependsOn(tasks[0]->id)));
  CHECK(kan.Get(tasks[0]->id)->state == TaskState::kBlocked);
  CHECK(kan.Get(tasks[0]->id)->wait_cause == WaitCause::kDependency);
  CHECK(kan.Get(tasks[0]->id)->open_dependencies == 1);
  fake.Resume();
  CHECK(order == std::vector<std::string>{"first", "middle", "last", "later"});
  CHECK(kan.Await(later->id)->succeeded());
}

TEST_CASE("A fake's task fails, is skipped or runs when what it depends on fails") {
  FakeKantoku fake;
  fake.Handle("echo", Echo());
  Client kan = fake.Connect();
  const auto task = kan.Spawn(Task("nobody"));
  const auto failed = kan.Spawn(Task("echo").With(DependsOn(task->id)));
  const auto behind = kan.Spawn(Task("echo").With(DependsOn(failed->id)));
  const auto skipped = kan.Spawn(Task("echo").With(DependsOn(task->id, OnFailure::kSkip)));
  const auto run = kan.Spawn(Task("echo").With(DependsOn(task->id, OnFailure::kRun)));
  REQUIRE(kan.Cancel(task->id).ok());
  CHECK(kan.Await(failed->id)->error.reason == "DEPENDENCY_FAILED");
  CHECK(kan.Await(behind->id)->error.reason == "DEPENDENCY_FAILED");
  CHECK(kan.Await(skipped->id)->status == OutputStatus::kCancelled);
  CHECK(kan.Await(skipped->id)->error.reason == "SKIPPED");
  CHECK(kan.Await(run->id)->succeeded());
}

TEST_CASE("A fake refuses what cannot be depended on") {
  FakeKantoku fake;
  Client kan = fake.Connect();
  const auto tasks = kan.SpawnBatch(
      {Task("t").With(DependsOnIndex(1)), Task("t").With(DependsOnIndex(0)),
       Task("t").With(DependsOnIndex(3)), Task("").With(), Task("t").With(DependsOnIndex(9)),
       Task("t").With(DependsOn(*TaskId::Parse("01900000-0000-7000-8000-000000000000")))});
  const std::vector<std::string> reasons = {"DEPENDENCY_CYCLE",   "DEPENDENCY_CYCLE",
                                            "DEPENDENCY_REFUSED", "INVALID_TYPE",
                                            "DEPENDENCY_INDEX",   "DEPENDENCY_UNKNOWN"};
  for (size_t i = 0; i < tasks.size(); ++i) {
    CAPTURE(i);
    CHECK(ReasonOf(tasks[i].status()) == reasons[i]);
  }
  CHECK(fake.spawned().empty());
}

TEST_CASE("A fake waits for not_before, and tells why") {
  FakeKantoku fake;
  fake.Handle("echo", Echo());
  Client kan = fake.Connect();
  const auto task = kan.Spawn(Task("echo").With(Delay(absl::Minutes(1))));
  CHECK(kan.Get(task->id)->state == TaskState::kScheduled);
  CHECK(kan.Get(task->id)->wait_cause == WaitCause::kDelay);
  fake.AdvanceTime(absl::Seconds(59));
  CHECK(kan.Get(task->id)->state == TaskState::kScheduled);
  fake.AdvanceTime(absl::Seconds(1));
  CHECK(kan.Get(task->id)->state == TaskState::kSucceeded);
}

TEST_CASE("A fake tries failed attempts again after the policy's pauses, then fails the task") {
  FakeKantoku fake;
  int runs = 0;
  fake.Handle("bad", [&](const TaskSpec&) {
    ++runs;
    return absl::InternalError("broken");
  });
  Client kan = fake.Connect();
  const auto task = kan.Spawn(Task("bad"));
  CHECK(runs == 1);
  CHECK(kan.Get(task->id)->wait_cause == WaitCause::kBackoff);
  CHECK(kan.Get(task->id)->last_error->message == "broken");
  CHECK(kan.Get(task->id)->attempts.back().error.message == "broken");
  fake.AdvanceTime(absl::Seconds(1));
  CHECK(runs == 2);
  fake.AdvanceTime(absl::Seconds(1));
  CHECK(runs == 2);
  fake.AdvanceTime(absl::Seconds(1));
  CHECK(runs == 3);
  const auto output = kan.Await(task->id);
  CHECK(output->status == OutputStatus::kFailed);
  CHECK(output->error.reason == "HANDLER_FAILED");
  CHECK(output->dispatch == 3);
}

TEST_CASE("A fake does not repeat a final failure, and tells its reason") {
  FakeKantoku fake;
  fake.Handle("bad", [](const TaskSpec&) {
    return FakeKantoku::FailFinally("NO_NUMBER", "seven is none");
  });
  Client kan = fake.Connect();
  const auto output = kan.Await(kan.Spawn(Task("bad"))->id);
  CHECK(output->status == OutputStatus::kFailed);
  CHECK(output->error.reason == "NO_NUMBER");
  CHECK(output->error.message == "seven is none");
  CHECK(output->dispatch == 1);
}

TEST_CASE("A fake repeats neither what its policy calls not retryable nor a ONCE task") {
  FakeKantoku fake;
  fake.Handle("bad", [](const TaskSpec&) { return absl::InternalError("broken"); });
  Client kan = fake.Connect();
  const auto named = kan.Spawn(
      Task("bad").With(Retry(RetryPolicy{.non_retryable_reasons = {"X", "HANDLER_FAILED"}})));
  CHECK(kan.Get(named->id)->state == TaskState::kFailed);
  const auto once = kan.Spawn(Task("bad").With(Effect(EffectClass::kOnce)));
  CHECK(kan.Get(once->id)->state == TaskState::kFailed);
  const auto other =
      kan.Spawn(Task("bad").With(Retry(RetryPolicy{.non_retryable_reasons = {"X"}})));
  CHECK(kan.Get(other->id)->state == TaskState::kScheduled);
}

TEST_CASE("A fake answers a PURE task with the result of an equal one that is young enough") {
  FakeKantoku fake;
  int runs = 0;
  fake.Handle("square", [&](const TaskSpec& spec) {
    ++runs;
    return spec.payload + spec.payload;
  });
  Client kan = fake.Connect();
  const auto pure = [](const std::string& payload) {
    return Task("square", payload).With(ReuseWithin(absl::Hours(1)));
  };
  const auto first = kan.Spawn(pure("a"));
  REQUIRE(first.ok());
  CHECK(first->created);
  fake.AdvanceTime(absl::Minutes(59));
  const auto again = kan.Spawn(pure("a"));
  CHECK(again->reused);
  CHECK_FALSE(again->created);
  CHECK(again->id == first->id);
  CHECK(kan.Await(again->id)->data == "aa");
  CHECK_FALSE(kan.Spawn(pure("b"))->reused);
  CHECK_FALSE(kan.Spawn(Task("square", "a").With(Effect(EffectClass::kPure)))->reused);
  CHECK(runs == 3);
  fake.AdvanceTime(absl::Hours(1));
  CHECK_FALSE(kan.Spawn(pure("a"))->reused);
  CHECK(kan.Spawn(Task("square", "a")
                      .With(ReuseWithin(absl::Hours(1)), Effect(EffectClass::kIdempotent)))
            .status()
            .code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("A fake reuses no result before what the task comes after has ended") {
  FakeKantoku fake;
  fake.Handle("square", [](const TaskSpec& spec) { return spec.payload + spec.payload; });
  Client kan = fake.Connect();
  const auto first = kan.Spawn(Task("square", "a").With(Effect(EffectClass::kPure)));
  const auto waits = kan.Spawn(Task("nobody's"));
  REQUIRE(waits.ok());
  const auto after = [&](TaskId task) {
    return kan.Spawn(Task("square", "a").With(ReuseWithin(absl::Hours(1)), DependsOn(task)));
  };
  CHECK(after(first->id)->reused);
  CHECK(after(waits->id)->created);
}

TEST_CASE("A fake neither reuses results beside arguments nor results that arguments made") {
  FakeKantoku fake;
  fake.Handle("square", [](const TaskSpec& spec) { return spec.payload + spec.payload; });
  Client kan = fake.Connect();
  const auto first = kan.Spawn(Task("square", "a"));
  REQUIRE(first.ok());
  const auto made = Task("square", "b").With(Effect(EffectClass::kPure), Argument(first->id));
  REQUIRE(kan.Spawn(made).ok());
  CHECK(kan.Spawn(Task("square", "b").With(ReuseWithin(absl::Hours(1))))->created);
  const auto refused =
      kan.Spawn(Task("square", "b").With(ReuseWithin(absl::Hours(1)), Argument(first->id)));
  CHECK(refused.status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("A fake refuses retries of a ONCE task, as the real one does") {
  FakeKantoku fake;
  const auto task = fake.Connect().Spawn(
      Task("x").With(Effect(EffectClass::kOnce), Retry(RetryPolicy{.max_attempts = 2})));
  CHECK(task.status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("A fake repeats a failure of any code that is not final, as executors do") {
  FakeKantoku fake;
  const auto code = GENERATE(absl::StatusCode::kInvalidArgument, absl::StatusCode::kNotFound,
                             absl::StatusCode::kFailedPrecondition);
  fake.Handle("bad", [&](const TaskSpec&) { return absl::Status(code, "no number"); });
  Client kan = fake.Connect();
  const auto task = kan.Spawn(Task("bad"));
  CHECK(kan.Get(task->id)->wait_cause == WaitCause::kBackoff);
}

TEST_CASE("What a fake's handler throws is a failed attempt") {
  FakeKantoku fake;
  fake.Handle("bad", [](const TaskSpec&) -> std::string { throw std::runtime_error("no film"); });
  Client kan = fake.Connect();
  const auto task = kan.Spawn(Task("bad"));
  CHECK(kan.Get(task->id)->last_error->reason == "HANDLER_THREW");
  CHECK(kan.Get(task->id)->last_error->message == "no film");
}

TEST_CASE("Pages of a fake's restarts end, also when all of it fails again") {
  FakeKantoku fake;
  fake.Handle("bad", [](const TaskSpec&) { return absl::InternalError("no luck"); });
  Client kan = fake.Connect();
  for (int i = 0; i < 3; ++i) {
    REQUIRE(kan.Spawn(Task("bad").With(Retry(RetryPolicy{.max_attempts = 1}))).ok());
  }
  DeadTaskQuery query{.page_size = 2};
  const auto first = kan.RestartMatching(query);
  REQUIRE(first->tasks.size() == 2);
  query.page_token = first->next_page_token;
  const auto second = kan.RestartMatching(query);
  CHECK(second->tasks.size() == 1);
  CHECK(second->next_page_token.empty());
  query.page_token = "2.9999";
  CHECK(kan.RestartMatching(query).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("A fake cancels what waits, and refuses to cancel what has ended") {
  FakeKantoku fake;
  Client kan = fake.Connect();
  const auto task = kan.Spawn(Task("t"));
  auto output = kan.AwaitAsync(task->id);
  CHECK(kan.Cancel(task->id).value() == TaskState::kCancelled);
  CHECK(output.get()->status == OutputStatus::kCancelled);
  CHECK(kan.Cancel(task->id).status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(kan.Cancel(TaskId()).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("A fake pauses and resumes, one task or a tree") {
  FakeKantoku fake;
  Client kan = fake.Connect();
  const auto root = kan.Spawn(Task("t"));
  const auto child = kan.Spawn(Task("t").With(ChildOf(root->id, root->id)));
  CHECK(kan.Get(child->id)->root == root->id);
  CHECK(kan.List({.root = root->id})->tasks.size() == 2);
  CHECK(kan.Control(root->id, ControlVerb::kPause, {.tree = true}).value() == TaskState::kPaused);
  fake.Handle("t", [](const TaskSpec&) -> absl::StatusOr<std::string> { return "done"; });
  CHECK(kan.Get(child->id)->state == TaskState::kPaused);
  CHECK(kan.Control(child->id, ControlVerb::kResume).ok());
  CHECK(kan.Get(child->id)->state == TaskState::kSucceeded);
  CHECK(kan.Get(root->id)->state == TaskState::kPaused);
  // Who joins a paused tree is paused, also when its parent has ended.
  const auto late = kan.Spawn(Task("t").With(ChildOf(child->id, root->id)));
  CHECK(kan.Get(late->id)->state == TaskState::kPaused);
  const auto reason = [&](TaskId parent, TaskId of_root) {
    return ReasonOf(kan.Spawn(Task("t").With(ChildOf(parent, of_root))).status());
  };
  CHECK(reason(TaskId(), root->id) == "CONTRADICTION");
  CHECK(reason(child->id, child->id) == "PARENT_UNKNOWN");
  CHECK(reason(root->id, child->id) == "ROOT_MISMATCH");
}

TEST_CASE("A fake keeps references unique per namespace") {
  FakeKantoku fake;
  Client kan = fake.Connect();
  const auto first = kan.Spawn(Task("t", "p").With(Reference("r")));
  const auto again = kan.Spawn(Task("t", "p").With(Reference("r")));
  CHECK(again->id == first->id);
  CHECK(first->created);
  CHECK_FALSE(again->created);
  const auto other = kan.Spawn(Task("t", "other").With(Reference("r")));
  CHECK(other.status().code() == absl::StatusCode::kAlreadyExists);
  CHECK(TaskIdOf(other.status()) == first->id);
  CHECK(kan.InNamespace("lab").Spawn(Task("t").With(Reference("r")))->created);
}

TEST_CASE("A fake runs higher priorities first, and nothing while it is paused") {
  FakeKantoku fake;
  std::vector<std::string> order;
  fake.Handle("t", [&](const TaskSpec& spec) {
    order.push_back(spec.payload);
    return "";
  });
  fake.Pause();
  Client kan = fake.Connect();
  for (const char* name : {"a", "b"}) CHECK(kan.Spawn(Task("t", name)).ok());
  const auto urgent = kan.Spawn(Task("t", "urgent").With(Priority(5)));
  CHECK(kan.Get(urgent->id)->wait_cause == WaitCause::kNoCredit);
  CHECK(order.empty());
  fake.Resume();
  CHECK(order == std::vector<std::string>{"urgent", "a", "b"});
}

TEST_CASE("A fake's spawn fails as a test tells it, and leaves nothing") {
  FakeKantoku fake;
  fake.FailNextSpawn(absl::UnavailableError("away"));
  Client kan = fake.Connect();
  CHECK(kan.Spawn(Task("t")).status() == absl::UnavailableError("away"));
  CHECK(fake.spawned().empty());
  CHECK(kan.Spawn(Task("t")).ok());
  CHECK(fake.spawned().size() == 1);
}

TEST_CASE("A fake's await ends when the time that it was given has passed") {
  FakeKantoku fake;
  Client kan = fake.Connect();
  const auto task = kan.Spawn(Task("t"));
  auto output = kan.AwaitAsync(task->id, {.timeout = absl::Seconds(5)});
  fake.AdvanceTime(absl::Seconds(5));
  CHECK(output.get().status().code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("A fake lists by type and state, in pages") {
  FakeKantoku fake;
  fake.Handle("done", Echo());
  Client kan = fake.Connect();
  for (int i = 0; i < 3; ++i) CHECK(kan.Spawn(Task("waiting")).ok());
  CHECK(kan.Spawn(Task("done")).ok());
  CHECK(kan.List()->tasks.size() == 4);
  CHECK(kan.List({.type = "done"})->tasks.size() == 1);
  CHECK(kan.List({.states = {TaskState::kReady}})->tasks.size() == 3);
  const auto page = kan.List({.page_size = 3});
  CHECK(page->tasks.size() == 3);
  const auto rest = kan.List({.page_size = 3, .page_token = page->next_page_token});
  CHECK(rest->tasks.size() == 1);
  CHECK(rest->next_page_token.empty());
  CHECK(kan.ListExecutors()->at(0).types == std::vector<std::string>{"done"});
}

TEST_CASE("A fake tells what happened, to pages and to streams") {
  FakeKantoku fake;
  fake.Handle("echo", Echo());
  Client kan = fake.Connect();
  const auto stream = kan.Subscribe({.filter = {.types = {"task.finished"}}});
  const auto task = kan.Spawn(Task("echo"));
  const auto page = kan.ReadEvents();
  REQUIRE(page->events.size() == 3);
  CHECK(page->events[0].type == "task.created");
  CHECK(page->events[1].type == "task.started");
  CHECK(page->end);
  CHECK(stream->Next()->events.at(0).task_id == task->id);
  CHECK(stream->Next(absl::ZeroDuration()).status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(kan.ReadEvents({.after = page->next})->events.empty());
}

TEST_CASE("Plugins take part in spawns of a fake's client as in those of a real one") {
  std::vector<std::string> lines;
  const LoggerPlugin logger([&](const std::string& line) { lines.push_back(line); });
  FakeKantoku fake;
  Client kan = fake.Connect();
  const auto task = kan.Spawn(Task("test-task", "Hello world").With(logger.LogEverything()));
  REQUIRE(task.ok());
  CHECK(lines == std::vector<std::string>{
                     "spawning task of type test-task, 11 bytes",
                     "spawned " + task->id.ToString() + ": task of type test-task, 11 bytes"});
}

TEST_CASE("A client's logger writes failures alone, unless a task says otherwise") {
  std::vector<std::string> lines;
  const LoggerPlugin logger([&](const std::string& line) { lines.push_back(line); });
  FakeKantoku fake;
  Client kan = fake.Connect({.plugins = {logger.plugin()}});
  CHECK(kan.Spawn(Task("t")).ok());
  CHECK(lines.empty());
  fake.FailNextSpawn(absl::UnavailableError("away"));
  CHECK_FALSE(kan.Spawn(Task("t").With(Reference("r7"))).ok());
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] == "not spawned: task of type t, 0 bytes, reference r7: UNAVAILABLE: away");
  fake.FailNextSpawn(absl::UnavailableError("away"));
  CHECK_FALSE(kan.Spawn(Task("t").With(logger.LogNothing())).ok());
  CHECK(lines.size() == 1);
}

}  // namespace
}  // namespace kantoku

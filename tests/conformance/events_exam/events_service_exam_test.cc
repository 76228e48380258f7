// The exam of EventsService, first part: appends and reads. What events.proto promises, asked
// through gRPC of every build of the service.
#include <catch2/catch.hpp>

#include "tests/conformance/events_exam/exam_client.h"

namespace kantoku::events {
namespace {

TEST_CASE("Only a service may append") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  const auto request = Request(Fresh("inputs/0"), 1, Encode({Run("task.created")}));
  CHECK_REFUSED(exam.TryAppend(request, false).status(), kPermissionDenied, "NOT_A_SERVICE");
  CHECK(exam.Read().events().empty());
}

TEST_CASE("A bad append is refused whole, with the reason", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  const std::string good = Encode({Run("task.created", {1})});
  CHECK_REFUSED(exam.TryAppend(Request("", 1, good)).status(), kInvalidArgument, "INVALID_SOURCE");
  CHECK_REFUSED(exam.TryAppend(Request(Fresh("inputs/0"), 0, good)).status(), kInvalidArgument,
                "INVALID_BATCH_NUMBER");
  CHECK_REFUSED(exam.TryAppend(Request(Fresh("inputs/0"), 1, "no batch")).status(),
                kInvalidArgument, "INVALID_BATCH");
  v1::EventRun cut = Run("task.created", {1});
  cut.mutable_task_ids()->pop_back();
  v1::AppendRequest second_is_bad = Request(Fresh("inputs/0"), 1, good);
  *second_is_bad.add_batches() = Request(Fresh("inputs/0"), 2, Encode({cut})).batches(0);
  CHECK_REFUSED(exam.TryAppend(second_is_bad).status(), kInvalidArgument, "INVALID_BATCH");
  second_is_bad.mutable_batches(1)->set_number(1);
  CHECK_REFUSED(exam.TryAppend(second_is_bad).status(), kInvalidArgument, "INVALID_BATCH_NUMBER");
  CHECK(exam.Read().events().empty());
}

TEST_CASE("A batch that was appended before is answered and changes nothing", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  const auto request = Request(Fresh("inputs/0"), 5, Encode({Run("one")}));
  CHECK(*exam.TryAppend(request) == 5);
  CHECK(*exam.TryAppend(request) == 5);
  CHECK(*exam.TryAppend(Request(Fresh("inputs/0"), 3, Encode({Run("late")}))) == 5);
  CHECK(*exam.TryAppend(Request(Fresh("inputs/1"), 3, Encode({Run("other")}))) == 3);
  v1::AppendRequest ask;
  ask.set_source(Fresh("inputs/0"));
  CHECK(*exam.TryAppend(ask) == 5);
  CHECK(TypesOf(exam.Read().events()) == Types{"one", "other"});
}

TEST_CASE("Readers see the tasks of their own, and what is about no task, and services see all",
          "[keys][owners]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  v1::EventRun foreign = Run("task.finished", {1});
  foreign.set_owner("somebody else");
  (*foreign.mutable_details())["message"] = "secret";
  exam.Append({Run("task.created", {2}), foreign, Run("executor.lost")});
  const Types visible = {"task.created", "executor.lost"};
  CHECK(TypesOf(exam.Read().events()) == visible);
  CHECK(exam.Subscribe().Take(2) == visible);
  // Neither does asking for the task by its id help.
  v1::ReadRequest by_id;
  by_id.mutable_filter()->add_task_ids(TaskBytes(1));
  CHECK(exam.Read(by_id).events().empty());
  const auto all = exam.TryRead({}, true);
  REQUIRE(all.ok());
  CHECK(TypesOf(all->events()) == Types{"task.created", "task.finished", "executor.lost"});
}

TEST_CASE("Runs are unfolded into events, each with a position of its own", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  v1::EventRun started = Run("task.started", {1, 2, 3});
  for (const uint32_t dispatch : {7, 8, 9}) started.add_dispatches(dispatch);
  started.set_owner("local");
  started.set_task_type("sum");
  started.set_session_id(std::string(16, 's'));
  (*started.mutable_details())["state"] = "RUNNING";
  exam.Append({started, Run("executor.lost")});

  const auto page = exam.Read();
  REQUIRE(page.events_size() == 4);
  for (int i = 0; i < 3; ++i) {
    const v1::Event& event = page.events(i);
    CHECK(event.type() == "task.started");
    CHECK(event.at().seconds() == 1'700'000'000);
    CHECK(event.task_id() == TaskBytes(static_cast<uint64_t>(i) + 1));
    CHECK(event.dispatch() == static_cast<uint32_t>(i) + 7);
    CHECK(event.namespace_() == Namespace());
    CHECK(event.owner() == "local");
    CHECK(event.task_type() == "sum");
    CHECK(event.session_id() == std::string(16, 's'));
    REQUIRE(event.details().contains("state"));  // Else `at` ends the program.
    CHECK(event.details().at("state") == "RUNNING");
    CHECK(event.position() < page.events(i + 1).position());
  }
  CHECK(page.events(3).task_id().empty());
  CHECK(page.events(3).details().empty());
  CHECK(page.next() >= page.events(3).position());
  CHECK(page.end());
}

TEST_CASE("Reads go on after any position", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  for (int batch = 0; batch < 5; ++batch) {
    exam.Append({Run("a" + std::to_string(batch), {1, 2}), Run("b" + std::to_string(batch))});
  }
  const auto all = exam.Read();
  REQUIRE(all.events_size() == 15);
  v1::ReadRequest request;
  request.set_limit(1);
  for (int i = 0; i < 15; ++i) {
    const auto page = exam.Read(request);
    REQUIRE(page.events_size() == 1);
    CHECK(page.events(0).SerializeAsString() == all.events(i).SerializeAsString());
    if (exam.subject().IsAlone()) CHECK(page.end() == (i == 14));
    request.set_after(i % 2 == 0 ? page.next() : page.events(0).position());
  }
  const auto rest = exam.Read(request);
  CHECK(rest.events().empty());
  CHECK(rest.end());
  exam.Append("later");
  request.set_after(rest.next());
  CHECK(TypesOf(exam.Read(request).events()) == Types{"later"});
}

TEST_CASE("A page holds 100 events unless more are asked for", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append({Run("many", std::vector<uint64_t>(2500, 1))});
  CHECK(exam.Read().events_size() == 100);
  v1::ReadRequest request;
  request.set_limit(10'000);
  int read = 0;
  bool end = false;
  while (!end) {  // A page may end sooner, by its bytes.
    const auto page = exam.Read(request);
    read += page.events_size();
    end = page.end();
    REQUIRE((end || page.events_size() > 100));
    request.set_after(page.next());
  }
  CHECK(read == 2500);
}

TEST_CASE("A source, a batch and a page have bounds, and what is beyond is refused",
          "[bounds][keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  const std::string good = Encode({Run("task.created", {1})});
  CHECK_REFUSED(exam.TryAppend(Request(std::string(64, 's'), 1, good)).status(), kInvalidArgument,
                "INVALID_SOURCE");
  CHECK_REFUSED(exam.TryAppend(Request(Fresh("inputs/0"), 1, std::string(9 << 20, '\0'))).status(),
                kInvalidArgument, "BATCH_TOO_LARGE");
  v1::ReadRequest read;
  read.set_limit(10'001);
  CHECK_REFUSED(exam.TryRead(read).status(), kInvalidArgument, "INVALID_LIMIT");
  CHECK(exam.Read().events().empty());
}

TEST_CASE("Only events that match are read, and the page says how far it looked", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  v1::EventRun elsewhere = Run("task.created", {1});
  elsewhere.set_namespace_(Fresh("lab"));
  exam.Append({Run("task.created", {1, 2}), Run("executor.lost"), elsewhere});
  exam.Append({Run("task.finished", {2, 1})});

  v1::ReadRequest by_type;
  by_type.mutable_filter()->add_types("task.f*");
  by_type.mutable_filter()->add_types("executor.lost");
  CHECK(TypesOf(exam.Read(by_type).events()) ==
        Types{"executor.lost", "task.finished", "task.finished"});

  v1::ReadRequest by_task;
  by_task.mutable_filter()->add_task_ids(TaskBytes(1));
  CHECK(TypesOf(exam.Read(by_task).events()) == Types{"task.created", "task.finished"});

  v1::ReadRequest by_namespace;
  by_namespace.mutable_filter()->set_namespace_(Fresh("lab"));
  const auto there = exam.TryRead(by_namespace, true);  // Others may have no right there.
  REQUIRE(there.ok());
  CHECK(there->events_size() == 1);

  v1::ReadRequest nothing;
  nothing.mutable_filter()->add_types("never");
  const auto page = exam.Read(nothing);
  CHECK(page.events().empty());
  CHECK(page.end());
  if (exam.subject().IsAlone()) CHECK(page.next() == exam.Read().next());
}

void CheckNoPosition(Exam& exam, const std::string& bad) {
  INFO(bad);
  v1::ReadRequest read;
  read.set_after(bad);
  CHECK_REFUSED(exam.TryRead(read).status(), kInvalidArgument, "INVALID_POSITION");
  v1::SubscribeRequest subscribe;
  subscribe.set_after(bad);
  CHECK_REFUSED(exam.Subscribe(subscribe).Finish(), kInvalidArgument, "INVALID_POSITION");
}

TEST_CASE("What is not a position is refused", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append("one");
  for (const std::string& bad : {std::string("no position"), exam.Read().next() + "?"}) {
    CheckNoPosition(exam, bad);
  }
}

TEST_CASE("A position that is cut, too long, or none of this log is refused", "[keys][positions]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append("one");
  const std::string next = exam.Read().next();
  REQUIRE(next.size() > 10);
  for (const std::string& bad : {std::string("1"), std::string(21, 'z'), next + "0"}) {
    CheckNoPosition(exam, bad);
  }
  v1::ReadRequest read;
  v1::SubscribeRequest subscribe;
  std::string beyond = next;
  beyond.replace(6, 4, "1111");
  std::string foreign = next;
  foreign[0] = foreign[0] == '0' ? '1' : '0';
  for (const std::string& unknown : {beyond, foreign}) {
    read.set_after(unknown);
    CHECK_REFUSED(exam.TryRead(read).status(), kOutOfRange, "UNKNOWN_POSITION");
    subscribe.set_after(unknown);
    CHECK_REFUSED(exam.Subscribe(subscribe).Finish(), kOutOfRange, "UNKNOWN_POSITION");
  }
}

TEST_CASE("A bad filter or start is refused") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  v1::ReadRequest read;
  read.mutable_filter()->add_task_ids("short");
  CHECK_REFUSED(exam.TryRead(read).status(), kInvalidArgument, "INVALID_ID");
  v1::SubscribeRequest subscribe;
  *subscribe.mutable_filter() = read.filter();
  CHECK_REFUSED(exam.Subscribe(subscribe).Finish(), kInvalidArgument, "INVALID_ID");
  subscribe.clear_filter();
  subscribe.set_start(static_cast<v1::StartAt>(99));
  CHECK_REFUSED(exam.Subscribe(subscribe).Finish(), kInvalidArgument, "INVALID_START");
}

}  // namespace
}  // namespace kantoku::events

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// Where tasks may run, over gRPC.
namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;

v1::PullRequest HelloWith(uint8_t session, const std::string& name,
                          const std::vector<std::pair<std::string, std::string>>& labels) {
  v1::PullRequest request = ExamExecutor::HelloOf(session);
  request.mutable_hello()->set_name(name);
  for (const auto& [label, value] : labels) {
    (*request.mutable_hello()->mutable_labels())[label] = value;
  }
  return request;
}

v1::SpawnRequest Placed(const std::string& id, const std::string& selector,
                        const std::string& executor = "") {
  v1::SpawnRequest request = Request(id);
  request.mutable_specs(0)->mutable_placement()->set_selector(selector);
  request.mutable_specs(0)->mutable_placement()->set_executor(executor);
  return request;
}

std::string SpawnPlaced(User& user, const v1::SpawnRequest& request) {
  const auto response = user.Spawn(request);
  REQUIRE(response.ok());
  REQUIRE(response->results(0).status().message().empty());
  return response->results(0).task_id();
}

TEST_CASE(
    "A task runs where its placement allows it, and waits with the reason while nobody fits") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    ExamExecutor small(subject.channel());
    small.Say(HelloWith(1, Fresh("small"), {{"mem_gib", "8"}}));
    REQUIRE(small.Hear([](const auto& heard) { return heard.has_welcome(); }));
    const std::string picky = SpawnPlaced(user, Placed("r1", "mem_gib>=16"));
    const std::string pinned = SpawnPlaced(user, Placed("r2", "", Fresh("large")));
    const auto info = user.Look(picky);
    CHECK(info.state() == taskpb::TASK_STATE_READY);
    CHECK(info.wait_cause() == taskpb::WAIT_CAUSE_PLACEMENT_UNMATCHED);
    CHECK(info.wait_detail() ==
          "executor \"" + Fresh("small") + R"(": mem_gib is "8", wanted >= 16)");
    CHECK(info.placement().selector() == "mem_gib >= 16");
    CHECK(user.Look(pinned).wait_detail() == "no executor \"" + Fresh("large") + "\" is connected");

    ExamExecutor large(subject.channel());
    large.Say(HelloWith(2, Fresh("large"), {{"mem_gib", "64"}}));
    CHECK(large.Task(2).task_id() != large.Task(1).task_id());
    CHECK(small.heard().tasks_size() == 0);
    CHECK(user.Look(picky).session_id() == HelloWith(2, "", {}).hello().session_id());
    CHECK(user.Look(pinned).wait_detail().empty());
  });
}

TEST_CASE("A restart forgets no placement", "[restart][not-memory]") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    if (!durable) return;
    std::string id;
    {
      User user(subject);
      id = SpawnPlaced(user, Placed("r", "has(gpu)", "lab-3"));
    }
    subject.Restart();
    User user(subject);
    CHECK(user.Look(id).placement().selector() == "has(gpu)");
    CHECK(user.Look(id).placement().executor() == "lab-3");
    ExamExecutor other(subject.channel());
    other.Say(HelloWith(1, "lab-4", {{"gpu", "true"}}));
    REQUIRE(other.Hear([](const auto& heard) { return heard.has_welcome(); }));
    CHECK(user.Look(id).wait_cause() == taskpb::WAIT_CAUSE_PLACEMENT_UNMATCHED);
    ExamExecutor wanted(subject.channel());
    wanted.Say(HelloWith(2, "lab-3", {{"gpu", "true"}}));
    CHECK(wanted.Task(1).task_id() == id);
  });
}

TEST_CASE("Executors are listed with their labels, the server's own among them") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    ExamExecutor executor(subject.channel());
    v1::PullRequest hello = HelloWith(1, "lab-3", {{"gpu", "true"}});
    hello.mutable_hello()->set_version("2.1");
    executor.Say(hello);
    REQUIRE(executor.Hear([](const auto& heard) { return heard.has_welcome(); }));
    const v1::ExecutorInfo info = User(subject).Executor(1);
    CHECK(info.version() == "2.1");
    CHECK(ValueOf(info.labels(), "gpu") == "true");
    CHECK(ValueOf(info.labels(), "executor") == "lab-3");
    CHECK(ValueOf(info.labels(), "version") == "2.1");
    CHECK(ValueOf(info.labels(), "owner") == info.executor_owner());
    CHECK(ValueOf(info.labels(), "app") == info.client_id());
    CHECK(info.labels().size() == 5);
  });
}

TEST_CASE("A placement that is bad fails its item with the column, and no other") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    auto request = Request("r", 3);
    request.mutable_specs(1)->mutable_placement()->set_selector("gpu ==");
    request.mutable_specs(2)->mutable_placement()->set_owner(std::string(300, 'o'));
    const auto response = user.Spawn(request);
    REQUIRE(response.ok());
    CHECK(response->results(0).status().code() == 0);
    CHECK(response->results(1).status().reason() == "BAD_SELECTOR");
    CHECK(response->results(1).status().message().starts_with("placement.selector: column 7: "));
    CHECK(response->results(2).status().reason() == "LABEL_LIMIT");
  });
}

TEST_CASE("A repeated reference with another placement is refused, and names it") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    auto request = Placed("r1", "has(gpu)");
    request.mutable_specs(0)->set_reference(Fresh("mine"));
    SpawnPlaced(user, request);
    request.set_request_id(Fresh("r2"));
    request.mutable_specs(0)->mutable_placement()->set_selector(" ( has(gpu) ) ");
    CHECK_FALSE(user.Spawn(request)->results(0).created());
    CHECK(user.Spawn(request)->results(0).status().code() == 0);
    request.set_request_id(Fresh("r3"));
    request.mutable_specs(0)->clear_placement();
    const auto refused = user.Spawn(request)->results(0).status();
    CHECK(refused.code() == static_cast<int>(absl::StatusCode::kAlreadyExists));
    CHECK(refused.message().ends_with("whose placement is another"));
  });
}

TEST_CASE("Placements beyond the bound are refused, and nothing of their call is applied",
          "[load]") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    auto request = Request("r1", 1'000);
    for (int i = 0; i < 1'000; ++i) {
      request.mutable_specs(i)->mutable_placement()->set_selector("a >= " + std::to_string(i));
    }
    REQUIRE(user.Spawn(request).ok());
    v1::ListTasksRequest all;
    all.set_page_size(1'000);
    const auto list = [&] {
      std::set<std::string> tasks;
      all.clear_page_token();
      do {
        const auto page = user.List(all);
        REQUIRE(page.ok());
        for (const auto& task : page->tasks()) tasks.insert(task.task_id());
        all.set_page_token(page->next_page_token());
      } while (!all.page_token().empty());
      return tasks;
    };
    const std::set<std::string> before = list();
    CHECK(before.size() == 1'000);
    // What would go alone, what is known, and what there is no room for; once it stands last.
    for (const int bad : {1, 2}) {
      auto mixed = Request("r2", 3);
      mixed.mutable_specs(0)->set_reference(Fresh("mine"));
      mixed.mutable_specs(3 - bad)->mutable_placement()->set_selector("a >= 999");
      mixed.mutable_specs(bad)->mutable_placement()->set_selector("b >= 1");
      const absl::Status refused = user.Spawn(mixed).status();
      CheckRefused(refused, absl::StatusCode::kResourceExhausted, "PLACEMENT_LIMIT");
      CHECK(std::string(refused.message()) ==
            "specs.placement.selector: 1000 selectors are in use in this namespace, 1 more exceed "
            "the limit of 1000");
      CHECK(list() == before);
    }
    // Neither its id nor its reference is taken, and what is there goes on.
    auto sound = Placed("r2", "a >= 999");
    sound.mutable_specs(0)->set_reference(Fresh("mine"));
    const auto spawned = user.Spawn(sound);
    REQUIRE(spawned.ok());
    CHECK(spawned->results(0).created());
    CHECK(user.Spawn(Placed("r3", "", "lab-3"))->results(0).created());
    CHECK(list().size() == 1'002);
  });
}

TEST_CASE("A hello with bad labels ends the stream with the label and why") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    const auto verdict = [&](const v1::PullRequest& hello) {
      ExamExecutor executor(subject.channel());
      executor.Say(hello);
      return executor.AwaitEnd();
    };
    const absl::Status reserved = verdict(HelloWith(1, "x", {{"owner", "mallory"}}));
    CheckRefused(reserved, absl::StatusCode::kInvalidArgument, "RESERVED_LABEL");
    CHECK(reserved.message() ==
          R"(hello.labels: label "owner" = "mallory": the server sets it itself)");
    v1::PullRequest many = HelloWith(1, "x", {});
    for (int i = 0; i < 10'000; ++i) {
      (*many.mutable_hello()->mutable_labels())["label-" + std::to_string(i)] = "x";
    }
    const absl::Status limit = verdict(many);
    CheckRefused(limit, absl::StatusCode::kInvalidArgument, "LABEL_LIMIT");
    CHECK(limit.message() == "hello.labels: 10000 labels exceed the limit of 60");
    CheckRefused(verdict(HelloWith(1, "x", {{"no name", "x"}})), absl::StatusCode::kInvalidArgument,
                 "BAD_LABEL");
    CheckRefused(verdict(HelloWith(1, "x", {{"a", "caf\xE9"}})), absl::StatusCode::kInvalidArgument,
                 "INVALID_UTF8");
  });
}

}  // namespace
}  // namespace kantoku::inputs

#include <catch2/catch.hpp>
#include <string>

#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// Info, contexts, filters and sorts, over gRPC.
namespace kantoku::inputs {
namespace {

v1::SpawnRequest Described(const std::string& id, const std::string& customer, int32_t priority) {
  auto request = Request(id);
  auto& spec = *request.mutable_specs(0);
  (*spec.mutable_info())["customer"] = customer;
  spec.set_context_id(Fresh("run"));
  spec.set_priority(priority);
  return request;
}

TEST_CASE("Info is shown, patched by its revision, and durable") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    std::string task;
    {
      User user(subject);
      task = user.Spawn(Described("a", "acme", 0))->results(0).task_id();
      CHECK(ValueOf(user.Look(task).info(), "customer") == "acme");
      CHECK(user.Look(task).info_revision() == 0);
      CHECK(user.Look(task).context_id() == Fresh("run"));
      v1::PatchInfoRequest patch;
      auto& first = *patch.add_patches();
      first.set_task_id(task);
      (*first.mutable_set())["try"] = "2";
      first.add_remove("customer");
      first.set_expected_revision(0);
      *patch.add_patches() = first;
      std::string unknown = task;
      unknown.back() ^= 1;
      (*patch.add_patches()).set_task_id(unknown);
      (*patch.add_patches()).set_task_id("x");
      const auto answer = user.Patch(patch);
      REQUIRE(answer.ok());
      CHECK(answer->results(0).revision() == 1);
      CHECK(answer->results(1).status().code() == static_cast<int>(absl::StatusCode::kAborted));
      CHECK(answer->results(1).status().reason() == "REVISION_DIFFERS");
      CHECK(answer->results(1).revision() == 1);
      CHECK(answer->results(2).status().reason() == "NO_SUCH_TASK");
      CHECK(answer->results(3).status().reason() == "INVALID_ID");
      CheckRefused(user.Patch({}).status(), absl::StatusCode::kInvalidArgument, "BAD_BATCH_SIZE");
    }
    if (durable) subject.Restart();
    User user(subject);
    const auto info = user.Look(task);
    CHECK(info.info().size() == 1);
    CHECK(ValueOf(info.info(), "try") == "2");
    CHECK(info.info_revision() == 1);
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1, 1));
    CHECK(executor.Task(1).context_id() == Fresh("run"));
  });
}

TEST_CASE("A spec whose info or context cannot be is refused, alone") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    auto request = Request("bad", 5);
    (*request.mutable_specs(0)->mutable_info())["no name"] = "x";
    (*request.mutable_specs(1)->mutable_info())["task.x"] = "x";
    for (int i = 0; i < 10'000; ++i) {
      (*request.mutable_specs(2)->mutable_info())["n" + std::to_string(i)] = "x";
    }
    request.mutable_specs(3)->set_context_id(std::string(256, 'x'));
    const auto answer = user.Spawn(request);
    REQUIRE(answer.ok());
    CHECK(answer->results(0).status().reason() == "BAD_LABEL");
    CHECK(answer->results(1).status().reason() == "BAD_LABEL");
    CHECK(answer->results(2).status().reason() == "LABEL_LIMIT");
    CHECK(answer->results(2).status().message() == "info: 10000 entries exceed the limit of 60");
    CHECK(answer->results(3).status().reason() == "TOO_LONG");
    CHECK(answer->results(4).status().code() == 0);
  });
}

TEST_CASE("Lists are filtered and sorted as asked, and refused where that cannot be read") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const std::string low = user.Spawn(Described("a", "acme", 1))->results(0).task_id();
    const std::string high = user.Spawn(Described("b", "acme", 5))->results(0).task_id();
    REQUIRE(user.Spawn(Described("c", "initech", 3)).ok());
    user.SpawnOne("plain");
    v1::ListTasksRequest list;
    list.set_context_id(Fresh("run"));
    CHECK(user.List(list)->tasks_size() == 3);
    list.set_filter("customer == 'acme' && task.priority >= 1");
    list.set_sort(v1::TASK_SORT_PRIORITY);
    list.set_descending(true);
    list.set_page_size(1);
    const auto first = user.List(list);
    REQUIRE(first->tasks_size() == 1);
    CHECK(first->tasks(0).task_id() == high);
    list.set_page_token(first->next_page_token());
    const auto second = user.List(list);
    REQUIRE(second->tasks_size() == 1);
    CHECK(second->tasks(0).task_id() == low);
    CHECK(second->next_page_token().empty());
    const auto refused = [&](const v1::ListTasksRequest& request, const std::string& reason) {
      CheckRefused(user.List(request).status(), absl::StatusCode::kInvalidArgument, reason);
    };
    v1::ListTasksRequest bad;
    bad.set_filter("customer = 1");
    refused(bad, "BAD_SELECTOR");
    bad.clear_filter();
    bad.set_descending(true);
    refused(bad, "CONTRADICTION");
    bad.set_sort(static_cast<v1::TaskSort>(99));
    refused(bad, "BAD_SORT");
    bad.set_sort(v1::TASK_SORT_CREATED);
    bad.set_page_token("L1");
    refused(bad, "BAD_PAGE_TOKEN");
  });
}

}  // namespace
}  // namespace kantoku::inputs

// Info over records, and sorted lists.
#include <catch2/catch.hpp>

#include "absl/strings/match.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

namespace kantoku::inputs::testing {
namespace {

using platform::ReasonOf;

v1::SpawnRequest Described(const std::string& id, const std::string& context,
                           const std::string& customer, int32_t priority = 0) {
  v1::SpawnRequest request;
  request.set_request_id(id);
  auto& spec = *request.add_specs();
  spec.set_type("x");
  spec.set_context_id(context);
  spec.set_priority(priority);
  if (!customer.empty()) (*spec.mutable_info())["customer"] = customer;
  return request;
}

TaskId SpawnOne(PartitionFixture& fixture, const v1::SpawnRequest& request) {
  const auto outcome = fixture.Spawn(request);
  REQUIRE(outcome.ok());
  return outcome->items[0].id;
}

ListCommand List() { return {.name_space = "default", .viewer = As("alice")}; }

std::vector<TaskId> IdsOf(const absl::StatusOr<TaskPage>& page) {
  REQUIRE(page.ok());
  std::vector<TaskId> ids;
  for (const TaskView& task : page->tasks) ids.push_back(task.id);
  return ids;
}

TEST_CASE("Info survives crashes, patched or not, and is kept with the end and the restart") {
  PartitionFixture fixture;
  const TaskId task = SpawnOne(fixture, Described("a", "run", "acme"));
  const bool patched = GENERATE(false, true);
  if (patched) {
    const auto answers = fixture.Patch({{.task = task, .set = {{"customer", "initech"}}}});
    REQUIRE(answers[0].status.ok());
    CHECK(answers[0].revision == 1);
  }
  fixture.Crash();
  const Info expected{"run", *MakeInfo({{"customer", patched ? "initech" : "acme"}}),
                      patched ? 1ULL : 0ULL};
  CHECK(*fixture.Get(task)->info == expected);
  REQUIRE(fixture.Cancel(task).ok());
  fixture.Answer(fixture.outputs->Asked(1), TaskState::kCancelled);
  REQUIRE(fixture.Reaches(task, TaskState::kCancelled));
  CHECK(ReasonOf(fixture.Patch({{.task = task}})[0].status) == "TASK_ENDED");
  fixture.Crash();
  CHECK(*fixture.Get(task)->info == expected);
  const auto restarted = fixture.Restart(
      {.name_space = "default",
       .viewer = As("alice"),
       .matching = true,
       .context = "run",
       .selector = *Selector::Parse(patched ? "customer == 'initech'" : "customer == 'acme'")});
  REQUIRE(restarted->tasks.size() == 1);
  const auto info = fixture.Get(*restarted->tasks[0].successor)->info;
  CHECK(info->labels == expected.labels);
  CHECK(info->context == "run");
  CHECK(info->revision == 0);
}

TEST_CASE("Info of others is not patched") {
  PartitionFixture fixture;
  const TaskId task = SpawnOne(fixture, Described("a", "", ""));
  CHECK(ReasonOf(fixture.Patch({{.task = task, .set = {{"a", "b"}}}}, "bob")[0].status) ==
        "NO_SUCH_TASK");
  CHECK(fixture.Get(task)->info == nullptr);
}

TEST_CASE("Lists are sorted, page by page, over living and ended tasks") {
  PartitionFixture fixture;
  const TaskId low = SpawnOne(fixture, Described("a", "run", "", -3));
  const TaskId high = SpawnOne(fixture, Described("b", "run", "", 9));
  const TaskId middle = SpawnOne(fixture, Described("c", "run", "", 1));
  const TaskId same = SpawnOne(fixture, Described("d", "run", "", 1));
  REQUIRE(fixture.Cancel(high).ok());
  fixture.Answer(fixture.outputs->Asked(1), TaskState::kCancelled);
  REQUIRE(fixture.Reaches(high, TaskState::kCancelled));
  const auto listed = [&](TaskSort sort, bool descending) {
    ListCommand command = List();
    command.sort = sort;
    command.descending = descending;
    command.limit = 1;
    std::vector<TaskId> ids;
    do {
      const auto page = fixture.List(command);
      for (const TaskId& id : IdsOf(page)) ids.push_back(id);
      command.page_token = page->next;
    } while (!command.page_token.empty());
    return ids;
  };
  CHECK(listed(TaskSort::kPriority, true) == std::vector{high, middle, same, low});
  CHECK(listed(TaskSort::kPriority, false) == std::vector{low, middle, same, high});
  CHECK(listed(TaskSort::kCreated, false) == std::vector{low, high, middle, same});
  CHECK(listed(TaskSort::kCreated, true) == std::vector{same, middle, high, low});
  CHECK(listed(TaskSort::kEnded, false) == std::vector{high, low, middle, same});
  ListCommand broken = List();
  broken.sort = TaskSort::kPriority;
  broken.page_token = "L5";
  CHECK(ReasonOf(fixture.List(broken).status()) == "BAD_PAGE_TOKEN");
}

TEST_CASE("A sorted list that would have to look at too much says so, and can be narrowed") {
  PartitionFixture fixture;
  v1::SpawnRequest many;
  many.set_request_id("many");
  for (int i = 0; i < 20'001; ++i) many.add_specs()->set_type("x");
  REQUIRE(fixture.Spawn(many).ok());
  const TaskId own = SpawnOne(fixture, Described("a", "run", ""));
  ListCommand command = List();
  command.sort = TaskSort::kPriority;
  const absl::Status refused = fixture.List(command).status();
  CHECK(ReasonOf(refused) == "SORT_LIMIT");
  CHECK(absl::StrContains(refused.message(), "20000 living tasks"));
  command.states = {TaskState::kFailed};
  CHECK(fixture.List(command)->tasks.empty());
  command.states.clear();
  command.context = "run";
  CHECK(IdsOf(fixture.List(command)) == std::vector{own});
}

TEST_CASE("A context and a filter show what fits, living and ended") {
  PartitionFixture fixture;
  const TaskId first = SpawnOne(fixture, Described("a", "run", "acme"));
  const TaskId second = SpawnOne(fixture, Described("b", "run", "initech"));
  SpawnOne(fixture, Described("c", "other", "acme"));
  REQUIRE(fixture.Cancel(second).ok());
  fixture.Answer(fixture.outputs->Asked(1), TaskState::kCancelled);
  REQUIRE(fixture.Reaches(second, TaskState::kCancelled));
  ListCommand command = List();
  command.context = "run";
  CHECK(IdsOf(fixture.List(command)) == std::vector{first, second});
  command.selector = *Selector::Parse("customer == 'initech' && task.state == 'cancelled'");
  CHECK(IdsOf(fixture.List(command)) == std::vector{second});
}

}  // namespace
}  // namespace kantoku::inputs::testing

#include "services/events/event_filter.h"

#include <catch2/catch.hpp>
#include <string>

#include "services/platform/ids.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

using platform::ReasonOf;

std::string TaskBytes(uint64_t sequence) {
  return std::string(
      platform::TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 0, sequence, 0).bytes());
}

platform::Identity AService() {
  platform::Identity identity;
  identity.service = "inputs";
  return identity;
}

const platform::Identity kAnn = platform::Onlooker("ann", {platform::kEveryNamespace});

v1::EventRun Run(const std::string& type, const std::string& name_space = "default") {
  v1::EventRun run;
  run.set_type(type);
  run.set_namespace_(name_space);
  run.set_owner("ann");
  run.set_task_ids(TaskBytes(1));
  return run;
}

TEST_CASE("An empty filter matches everything in the default namespace, and nothing else") {
  const auto filter = EventFilter::Make({}, kAnn);
  REQUIRE(filter.ok());
  CHECK(filter->MatchesRun(Run("task.created")));
  CHECK_FALSE(filter->MatchesRun(Run("task.created", "lab")));
  CHECK_FALSE(filter->names_tasks());
}

TEST_CASE("Types match whole, or by prefix") {
  v1::EventFilter wanted;
  wanted.add_types("task.created");
  wanted.add_types("executor.*");
  const auto filter = EventFilter::Make(wanted, kAnn);
  REQUIRE(filter.ok());
  CHECK(filter->MatchesRun(Run("task.created")));
  CHECK(filter->MatchesRun(Run("executor.lost")));
  CHECK_FALSE(filter->MatchesRun(Run("task.created.twice")));
  CHECK_FALSE(filter->MatchesRun(Run("task.finished")));
}

TEST_CASE("Every field that is set must match") {
  v1::EventFilter wanted;
  wanted.set_namespace_("lab");
  wanted.add_types("task.*");
  wanted.add_task_ids(TaskBytes(1));
  const auto filter = EventFilter::Make(wanted, kAnn);
  REQUIRE(filter.ok());
  CHECK(filter->MatchesRun(Run("task.created", "lab")));
  CHECK_FALSE(filter->MatchesRun(Run("task.created")));
  CHECK_FALSE(filter->MatchesRun(Run("executor.lost", "lab")));
  CHECK(filter->names_tasks());
  CHECK(filter->MatchesTask(TaskBytes(1)));
  CHECK_FALSE(filter->MatchesTask(TaskBytes(2)));

  v1::EventRun without_task = Run("task.none", "lab");
  without_task.clear_task_ids();
  CHECK_FALSE(filter->MatchesRun(without_task));
}

TEST_CASE("A reader sees the tasks of its own, and what is about no task, and a service sees all") {
  const v1::EventRun of_ann = Run("task.created");
  v1::EventRun of_nobody = Run("task.created");
  of_nobody.clear_owner();
  v1::EventRun about_no_task = Run("executor.lost");
  about_no_task.clear_owner();
  about_no_task.clear_task_ids();

  const auto ann = EventFilter::Make({}, kAnn);
  const auto ben = EventFilter::Make({}, platform::Onlooker("ben", {platform::kEveryNamespace}));
  const auto service = EventFilter::Make({}, AService());
  REQUIRE((ann.ok() && ben.ok() && service.ok()));
  CHECK(ann->MatchesRun(of_ann));
  CHECK_FALSE(ben->MatchesRun(of_ann));
  CHECK(ReasonOf(
            EventFilter::Make({}, platform::Onlooker("", {platform::kEveryNamespace})).status()) ==
        "NAMESPACE_FORBIDDEN");
  // Where it is an administrator, everybody's.
  platform::Identity ruler = platform::Administrator("root", "app");
  CHECK(EventFilter::Make({}, ruler)->MatchesRun(of_ann));
  ruler.namespaces = {"lab"};
  CHECK(ReasonOf(EventFilter::Make({}, ruler).status()) == "NAMESPACE_FORBIDDEN");
  CHECK(service->MatchesRun(of_ann));
  CHECK_FALSE(ben->MatchesRun(of_nobody));
  for (const auto& filter : {ann, ben, service}) CHECK(filter->MatchesRun(about_no_task));
}

v1::EventRun AboutNoTask(const std::string& type, const std::string& name_space = "default") {
  v1::EventRun run;
  run.set_type(type);
  run.set_namespace_(name_space);
  return run;
}

TEST_CASE("The audit trail of a namespace is for its administrators, and for services") {
  platform::Identity admin = platform::Administrator("root", "app");
  admin.namespaces = {"default"};
  CHECK(EventFilter::Make({}, admin)->MatchesRun(AboutNoTask("audit.grant_created")));
  CHECK(EventFilter::Make({}, AService())->MatchesRun(AboutNoTask("audit.grant_created")));
  CHECK_FALSE(EventFilter::Make({}, kAnn)->MatchesRun(AboutNoTask("audit.grant_created")));
  CHECK(EventFilter::Make({}, kAnn)->MatchesRun(AboutNoTask("executor.lost")));
}

TEST_CASE(
    "What is about the installation is for administrators of every namespace, who ask for it") {
  v1::EventFilter installation;
  installation.set_namespace_("*");
  const auto why = [&](const platform::Identity& reader) {
    return ReasonOf(EventFilter::Make(installation, reader).status());
  };
  const platform::Identity root = platform::Administrator("root", "app");
  platform::Identity of_lab = root;
  of_lab.namespaces = {"lab", "default"};
  CHECK(why(of_lab) == "NAMESPACE_FORBIDDEN");
  CHECK(why(kAnn) == "NOT_ADMINISTRATOR");  // Of whom all namespaces are.
  const v1::EventRun refused = AboutNoTask("audit.refused", "*");
  for (const platform::Identity& reader : {root, AService()}) {
    const auto filter = EventFilter::Make(installation, reader);
    REQUIRE(filter.ok());
    CHECK(filter->MatchesRun(refused));
    CHECK_FALSE(filter->MatchesRun(AboutNoTask("audit.grant_created")));
    CHECK_FALSE(EventFilter::Make({}, reader)->MatchesRun(refused));
  }
}

TEST_CASE("A bad filter is INVALID_ARGUMENT and names the entry") {
  v1::EventFilter empty_type;
  empty_type.add_types("task.*");
  empty_type.add_types("");
  const auto type = EventFilter::Make(empty_type, kAnn).status();
  CHECK(type.code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(type.message()).find("filter.types[1]") != std::string::npos);

  v1::EventFilter short_id;
  short_id.add_task_ids("short");
  const auto id = EventFilter::Make(short_id, kAnn).status();
  CHECK(id.code() == absl::StatusCode::kInvalidArgument);
  CHECK(platform::ReasonOf(id) == "INVALID_ID");
  CHECK(std::string(id.message()).find("filter.task_ids[0]") != std::string::npos);

  v1::EventFilter too_many;
  for (int i = 0; i <= EventFilter::kMaxTypes; ++i) too_many.add_types("t");
  CHECK(platform::ReasonOf(EventFilter::Make(too_many, kAnn).status()) == "FILTER_TOO_LARGE");
}

}  // namespace
}  // namespace kantoku::events

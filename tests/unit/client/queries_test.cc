#include <catch2/catch.hpp>

#include "kantoku/client.h"
#include "kantoku/status.h"
#include "tests/unit/client/scripted_server.h"

namespace kantoku {
namespace {

using testing::MakeTaskId;
using testing::ScriptedServer;

TEST_CASE("Cancel asks for it, and answers each task's state or why not") {
  ScriptedServer server;
  server.on_control = [](const inputs::v1::ControlRequest& request,
                         inputs::v1::ControlResponse& response) {
    CHECK(request.verb() == inputs::v1::CONTROL_VERB_CANCEL);
    REQUIRE(request.task_ids_size() == 2);
    CHECK(request.task_ids(0) == std::string(MakeTaskId(1).bytes()));
    response.add_results()->set_state(task::v1::TASK_STATE_CANCELLING);
    response.add_results()->mutable_status()->set_code(5);
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  const auto states = kan.CancelAll({MakeTaskId(1), MakeTaskId(2)});
  REQUIRE(states.size() == 2);
  CHECK(states[0].value() == TaskState::kCancelling);
  CHECK(states[1].status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("Control says what is asked, and of what") {
  ScriptedServer server;
  server.on_control = [](const inputs::v1::ControlRequest& request,
                         inputs::v1::ControlResponse& response) {
    CHECK(request.verb() == inputs::v1::CONTROL_VERB_INTERRUPT);
    CHECK(request.tree());
    CHECK(request.escalation().seconds() == 2);
    response.add_results()->set_state(task::v1::TASK_STATE_INTERRUPTING);
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  const ControlOptions tree{.tree = true, .escalation = absl::Seconds(2)};
  CHECK(kan.Control(MakeTaskId(1), ControlVerb::kInterrupt, tree).value() ==
        TaskState::kInterrupting);
  CHECK(
      kan.Control(MakeTaskId(1), ControlVerb::kInterrupt, {.escalation = absl::InfiniteDuration()})
          .status()
          .code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Get brings everything that the server tells of a task") {
  ScriptedServer server;
  server.on_get_tasks = [](const inputs::v1::GetTasksRequest&,
                           inputs::v1::GetTasksResponse& response) {
    auto& info = *response.add_results()->mutable_info();
    info.set_task_id(std::string(MakeTaskId(1).bytes()));
    info.set_namespace_("lab");
    info.set_owner("ada");
    info.set_type("resize");
    info.set_reference("r");
    info.set_priority(4);
    info.set_state(task::v1::TASK_STATE_READY);
    info.set_wait_cause(task::v1::WAIT_CAUSE_NO_IMPLEMENTATION);
    info.set_failed_attempts(2);
    info.set_dispatch(3);
    info.set_session_id(std::string(MakeTaskId(9).bytes()));
    info.mutable_created_at()->set_seconds(10);
    info.mutable_ended_at()->set_seconds(20);
    info.mutable_last_error()->set_reason("TIMEOUT");
    auto& attempt = *info.add_attempts();
    attempt.set_dispatch(3);
    attempt.mutable_ended_at()->set_seconds(7);
    attempt.mutable_error()->set_reason("TIMEOUT");
    info.set_progress(0.5);
    info.set_parent_id(std::string(MakeTaskId(7).bytes()));
    info.set_root_id(std::string(MakeTaskId(8).bytes()));
    return grpc::Status::OK;
  };
  const auto info = server.Connect().Get(MakeTaskId(1));
  REQUIRE(info.ok());
  CHECK(info->id == MakeTaskId(1));
  CHECK(info->namespace_name == "lab");
  CHECK(info->owner == "ada");
  CHECK(info->type == "resize");
  CHECK(info->reference == "r");
  CHECK(info->priority == 4);
  CHECK(info->state == TaskState::kReady);
  CHECK(info->wait_cause == WaitCause::kNoImplementation);
  CHECK(info->failed_attempts == 2);
  CHECK(info->dispatch == 3);
  CHECK(info->session_id == MakeTaskId(9).ToString());
  CHECK(info->created_at == absl::FromUnixSeconds(10));
  CHECK(info->ended_at == absl::FromUnixSeconds(20));
  CHECK(info->last_error->reason == "TIMEOUT");
  REQUIRE(info->attempts.size() == 1);
  CHECK(info->attempts[0].dispatch == 3);
  CHECK(info->attempts[0].ended_at == absl::FromUnixSeconds(7));
  CHECK(info->attempts[0].error.reason == "TIMEOUT");
  CHECK(info->progress == 0.5);
  CHECK(info->parent == MakeTaskId(7));
  CHECK(info->root == MakeTaskId(8));
}

TEST_CASE("More ids than a call takes are cut into several") {
  ScriptedServer server;
  std::vector<int> sizes;
  server.on_get_tasks = [&](const inputs::v1::GetTasksRequest& request,
                            inputs::v1::GetTasksResponse& response) {
    sizes.push_back(request.task_ids_size());
    for (const auto& id : request.task_ids()) {
      response.add_results()->mutable_info()->set_task_id(id);
    }
    return grpc::Status::OK;
  };
  std::vector<TaskId> ids;
  for (uint64_t i = 0; i < 10'001; ++i) ids.push_back(MakeTaskId(i));
  const auto infos = server.Connect().GetAll(ids);
  CHECK(sizes == std::vector<int>{10'000, 1});
  REQUIRE(infos.size() == ids.size());
  CHECK(infos[10'000]->id == ids[10'000]);
}

TEST_CASE("GetOutput answers at once what is there") {
  ScriptedServer server;
  server.on_get_outputs = [](const outputs::v1::GetRequest& request,
                             outputs::v1::GetResponse& response) {
    auto& result = *response.add_results();
    if (request.task_ids(0) == std::string(MakeTaskId(1).bytes())) {
      result.mutable_result()->set_status(outputs::v1::RESULT_STATUS_CANCELLED);
    } else {
      result.mutable_status()->set_code(5);
    }
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  CHECK(kan.GetOutput(MakeTaskId(1))->status == OutputStatus::kCancelled);
  CHECK(kan.GetOutput(MakeTaskId(1))->id == MakeTaskId(1));
  CHECK(kan.GetOutput(MakeTaskId(2)).status().code() == absl::StatusCode::kNotFound);
}

TEST_CASE("Results that do not fit into one answer are asked for again") {
  ScriptedServer server;
  std::vector<int> sizes;
  // Two results fit.
  server.on_get_outputs = [&](const outputs::v1::GetRequest& request,
                              outputs::v1::GetResponse& response) {
    sizes.push_back(request.task_ids_size());
    for (int i = 0; i < request.task_ids_size(); ++i) {
      auto& result = *response.add_results();
      if (i < 2) {
        result.mutable_result()->set_status(outputs::v1::RESULT_STATUS_SUCCEEDED);
        result.mutable_result()->set_data(request.task_ids(i));
      } else {
        result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
        result.mutable_status()->set_reason("ANSWER_TOO_LARGE");
      }
    }
    return grpc::Status::OK;
  };
  std::vector<TaskId> ids;
  for (uint64_t i = 0; i < 5; ++i) ids.push_back(MakeTaskId(i));
  testing::Inbox<std::vector<absl::StatusOr<Output>>> answers;
  const auto connection = server.ConnectPlain();
  connection->GetOutputs({.ids = ids}, [&](auto outputs) { answers.Put(std::move(outputs)); });
  const auto outputs = answers.Take();
  REQUIRE(outputs.size() == 5);
  for (size_t i = 0; i < 5; ++i) {
    REQUIRE(outputs[i].ok());
    CHECK(outputs[i]->data == std::string(ids[i].bytes()));
  }
  CHECK(sizes == std::vector<int>{5, 3, 1});
}

TEST_CASE("List sends the query and brings a page") {
  ScriptedServer server;
  server.on_list_tasks = [](const inputs::v1::ListTasksRequest& request,
                            inputs::v1::ListTasksResponse& response) {
    CHECK(request.namespace_() == "lab");
    CHECK(request.type() == "t");
    CHECK(request.states_size() == 1);
    CHECK(request.states(0) == task::v1::TASK_STATE_FAILED);
    CHECK(request.page_size() == 7);
    CHECK(request.page_token() == "from here");
    response.add_tasks()->set_task_id(std::string(MakeTaskId(1).bytes()));
    response.set_next_page_token("next");
    return grpc::Status::OK;
  };
  Client kan = server.Connect(absl::Minutes(5), {.namespace_name = "lab"});
  const auto page = kan.List(
      {.type = "t", .states = {TaskState::kFailed}, .page_size = 7, .page_token = "from here"});
  REQUIRE(page.ok());
  CHECK(page->tasks.size() == 1);
  CHECK(page->next_page_token == "next");
}

TEST_CASE("ListExecutors brings the sessions, and is repeated while the server is away") {
  ScriptedServer server;
  int tries = 0;
  server.on_list_executors = [&](const inputs::v1::ListExecutorsRequest&,
                                 inputs::v1::ListExecutorsResponse& response) {
    if (++tries == 1) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "");
    auto& executor = *response.add_executors();
    executor.set_session_id(std::string(MakeTaskId(9).bytes()));
    executor.set_name("bench 3");
    executor.add_types("a");
    executor.add_types("b");
    executor.set_connected(true);
    executor.set_held(2);
    return grpc::Status::OK;
  };
  const auto executors = server.Connect().ListExecutors();
  REQUIRE(executors.ok());
  REQUIRE(executors->size() == 1);
  CHECK(executors->front().session_id == MakeTaskId(9).ToString());
  CHECK(executors->front().name == "bench 3");
  CHECK(executors->front().types == std::vector<std::string>{"a", "b"});
  CHECK(executors->front().connected);
  CHECK(executors->front().held == 2);
  CHECK(tries == 2);
}

TEST_CASE("A query ends with the caller's timeout when the server does not come back") {
  ScriptedServer server;
  server.Stop();
  Client kan = server.Connect();
  const auto executors = kan.ListExecutors({.timeout = absl::Milliseconds(100)});
  CHECK(executors.status().code() == absl::StatusCode::kDeadlineExceeded);
  const absl::Status reachable = kan.WaitUntilReachable(absl::Milliseconds(50));
  CHECK(ReasonOf(reachable) == "UNREACHABLE");
}

TEST_CASE("Executors are asked by their sessions, and each has an answer") {
  ScriptedServer server;
  server.on_control_executors = [](const inputs::v1::ControlExecutorsRequest& request,
                                   inputs::v1::ControlExecutorsResponse& response) {
    CHECK(request.namespace_() == "default");
    REQUIRE(request.session_ids_size() == 2);
    CHECK(request.session_ids(1) == std::string(MakeTaskId(2).bytes()));
    CHECK(request.verb() == inputs::v1::EXECUTOR_VERB_BOUNCE);
    CHECK(request.delay().seconds() == 3);
    CHECK(request.why() == "upgrade");
    response.add_results();
    response.add_results()->set_code(static_cast<int>(absl::StatusCode::kFailedPrecondition));
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  const auto statuses =
      kan.ControlExecutors({MakeTaskId(1).ToString(), MakeTaskId(2).ToString()},
                           ExecutorVerb::kBounce, {.delay = absl::Seconds(3), .why = "upgrade"});
  REQUIRE(statuses.size() == 2);
  CHECK(statuses[0].ok());
  CHECK(absl::IsFailedPrecondition(statuses[1]));
  const auto bad = kan.ControlExecutors({"x", MakeTaskId(2).ToString()}, ExecutorVerb::kDrain);
  REQUIRE(bad.size() == 2);
  CHECK(ReasonOf(bad[0]) == "INVALID_ID");
}

TEST_CASE("Routes go to the server and come back") {
  ScriptedServer server;
  server.on_set_route = [](const inputs::v1::SetRouteRequest& request,
                           inputs::v1::SetRouteResponse&) {
    CHECK(request.namespace_() == "default");
    CHECK(request.type() == "t");
    CHECK(request.selector() == "has(gpu)");
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  CHECK(kan.SetRoute("t", "has(gpu)").ok());
  CHECK(ReasonOf(kan.SetRoute("t", "")) == "EMPTY_SELECTOR");
  server.on_set_route = [](const inputs::v1::SetRouteRequest& request,
                           inputs::v1::SetRouteResponse&) {
    CHECK(request.selector().empty());
    return grpc::Status::OK;
  };
  CHECK(kan.RemoveRoute("t").ok());
  server.on_list_routes = [](const inputs::v1::ListRoutesRequest&,
                             inputs::v1::ListRoutesResponse& response) {
    response.add_routes()->set_type("t");
    response.mutable_routes(0)->set_selector("has(gpu)");
    return grpc::Status::OK;
  };
  const auto routes = kan.ListRoutes();
  REQUIRE(routes.ok());
  REQUIRE(routes->size() == 1);
  CHECK(routes->at(0).type == "t");
  CHECK(routes->at(0).selector == "has(gpu)");
}

TEST_CASE("Limits and pauses go to the server and come back, page by page") {
  ScriptedServer server;
  server.on_set_limits = [](const inputs::v1::SetLimitsRequest& request,
                            inputs::v1::SetLimitsResponse& response) {
    CHECK(request.namespace_() == "default");
    for (const auto& limit : request.set()) {
      CHECK(limit.name().scope() == task::v1::KEY_SCOPE_TYPE);
      CHECK(limit.name().of() == "t");
      CHECK(limit.rate().period().seconds() == 60);
      response.add_set();
    }
    for (const auto& name : request.remove()) {
      CHECK(name.kind() == inputs::v1::LIMIT_KIND_CONCURRENCY);
      response.add_removed()->set_code(static_cast<int>(absl::StatusCode::kNotFound));
    }
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  const LimitName name{LimitKind::kRate, "api", KeyScope::kType, "t"};
  const auto set = kan.SetLimits({{.name = name, .rate = Rate{600, absl::Minutes(1), 50}}});
  REQUIRE(set.size() == 1);
  CHECK(set[0].ok());
  CHECK(absl::IsNotFound(kan.RemoveLimits({{.key = "db"}}).at(0)));
  server.on_list_limits = [](const inputs::v1::ListLimitsRequest& request,
                             inputs::v1::ListLimitsResponse& response) {
    auto& info = *response.add_limits();
    info.mutable_limit()->mutable_name()->set_kind(inputs::v1::LIMIT_KIND_CONCURRENCY);
    info.mutable_limit()->mutable_name()->set_key(request.page_token().empty() ? "a" : "b");
    info.mutable_limit()->set_max_running(3);
    info.set_running(2);
    if (request.page_token().empty()) response.set_next_page_token("next");
    return grpc::Status::OK;
  };
  const auto limits = kan.ListLimits();
  REQUIRE(limits.ok());
  REQUIRE(limits->size() == 2);
  CHECK(limits->at(1).limit.name.key == "b");
  CHECK(limits->at(1).limit.max_running == 3);
  CHECK(limits->at(1).running == 2);
  server.on_set_pause = [](const inputs::v1::SetPauseRequest& request,
                           inputs::v1::SetPauseResponse&) {
    CHECK(request.type() == "t");
    CHECK(request.paused() == (request.reason() == "because"));
    return grpc::Status::OK;
  };
  CHECK(kan.SetPause({"t", "because"}).ok());
  CHECK(kan.LiftPause("t").ok());
  server.on_list_pauses = [](const inputs::v1::ListPausesRequest&,
                             inputs::v1::ListPausesResponse& response) {
    response.add_pauses()->set_type("t");
    return grpc::Status::OK;
  };
  CHECK(*kan.ListPauses() == std::vector<TypePause>{{"t", ""}});
}

TEST_CASE("ReadEvents brings a page of events") {
  ScriptedServer server;
  server.on_read_events = [](const events::v1::ReadRequest& request,
                             events::v1::ReadResponse& response) {
    CHECK(request.after() == "p1");
    CHECK(request.limit() == 5);
    CHECK(request.filter().types(0) == "task.*");
    CHECK(request.filter().task_ids(0) == std::string(MakeTaskId(1).bytes()));
    CHECK(request.filter().namespace_() == "default");
    auto& event = *response.add_events();
    event.set_position("p2");
    event.set_type("task.created");
    event.mutable_at()->set_seconds(30);
    event.set_task_id(std::string(MakeTaskId(1).bytes()));
    (*event.mutable_details())["state"] = "ready";
    response.set_next("p2");
    response.set_end(true);
    return grpc::Status::OK;
  };
  const auto page = server.Connect().ReadEvents(
      {.after = "p1", .filter = {.types = {"task.*"}, .task_ids = {MakeTaskId(1)}}, .limit = 5});
  REQUIRE(page.ok());
  REQUIRE(page->events.size() == 1);
  CHECK(page->events[0].type == "task.created");
  CHECK(page->events[0].task_id == MakeTaskId(1));
  CHECK(page->events[0].at == absl::FromUnixSeconds(30));
  CHECK(page->events[0].details.at("state") == "ready");
  CHECK(page->next == "p2");
  CHECK(page->end);
  CHECK_FALSE(page->gap);
}

TEST_CASE("Restarts tell each task's successor, and ask again for those that had no room") {
  ScriptedServer server;
  int calls = 0;
  server.on_restart_tasks = [&](const inputs::v1::RestartTasksRequest& request,
                                inputs::v1::RestartTasksResponse& response) {
    ++calls;
    for (int i = 0; i < request.task_ids_size(); ++i) {
      auto& result = *response.add_results();
      result.set_task_id(request.task_ids(i));
      if (i > 0) {  // Only the first one has room.
        result.mutable_status()->set_code(8);
        result.mutable_status()->set_reason("ANSWER_TOO_LARGE");
        continue;
      }
      result.set_new_task_id(std::string(MakeTaskId(10).bytes()));
      result.set_created(true);
    }
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  const auto page = kan.RestartAll({MakeTaskId(1), MakeTaskId(2), MakeTaskId(3)});
  REQUIRE(page.ok());
  CHECK(calls == 3);
  REQUIRE(page->tasks.size() == 3);
  for (int i = 0; i < 3; ++i) {
    CHECK(page->tasks[i].status.ok());
    CHECK(page->tasks[i].dead == MakeTaskId(i + 1));
    CHECK(page->tasks[i].id == MakeTaskId(10));
    CHECK(page->tasks[i].created);
  }
}

TEST_CASE("A restart by filter sends all that narrows it") {
  ScriptedServer server;
  server.on_restart_tasks = [](const inputs::v1::RestartTasksRequest& request,
                               inputs::v1::RestartTasksResponse& response) {
    CHECK(request.namespace_() == "default");
    CHECK(request.dry_run());
    CHECK(request.page_size() == 7);
    CHECK(request.page_token() == "t");
    CHECK(request.matching().type() == "resize");
    CHECK(request.matching().reason() == "TIMEOUT");
    REQUIRE(request.matching().states_size() == 1);
    CHECK(request.matching().states(0) == task::v1::TASK_STATE_FAILED);
    CHECK(request.matching().root_id() == std::string(MakeTaskId(3).bytes()));
    CHECK(request.matching().ended_after().seconds() == 5);
    CHECK(request.matching().ended_before().seconds() == 6);
    response.set_next_page_token("u");
    return grpc::Status::OK;
  };
  const auto page = server.Connect().RestartMatching({.type = "resize",
                                                      .reason = "TIMEOUT",
                                                      .states = {TaskState::kFailed},
                                                      .root = MakeTaskId(3),
                                                      .ended_after = absl::FromUnixSeconds(5),
                                                      .ended_before = absl::FromUnixSeconds(6),
                                                      .page_size = 7,
                                                      .page_token = "t"},
                                                     {.dry_run = true});
  REQUIRE(page.ok());
  CHECK(page->next_page_token == "u");
}

TEST_CASE("A patch of info sends what changes, and tells the revision either way") {
  ScriptedServer server;
  server.on_patch_info = [](const inputs::v1::PatchInfoRequest& request,
                            inputs::v1::PatchInfoResponse& response) {
    REQUIRE(request.patches_size() == 1);
    const auto& patch = request.patches(0);
    CHECK(patch.task_id() == std::string(MakeTaskId(1).bytes()));
    CHECK(patch.set().at("a") == "b");
    CHECK(patch.remove(0) == "c");
    auto& result = *response.add_results();
    if (!patch.has_expected_revision()) {
      result.set_revision(4);
      return grpc::Status::OK;
    }
    result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kAborted));
    result.mutable_status()->set_reason("REVISION_DIFFERS");
    result.set_revision(7);
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  InfoPatch patch{.set = {{"a", "b"}}, .remove = {"c"}};
  CHECK(kan.PatchInfo(MakeTaskId(1), patch).value() == 4);
  patch.expected_revision = 6;
  const auto late = kan.PatchInfo(MakeTaskId(1), patch);
  CHECK(late.status().code() == absl::StatusCode::kAborted);
  CHECK(ReasonOf(late.status()) == "REVISION_DIFFERS");
  CHECK(RevisionOf(late.status()) == 7);
}

TEST_CASE("A list says by what it is filtered and sorted, and brings info") {
  ScriptedServer server;
  server.on_list_tasks = [](const inputs::v1::ListTasksRequest& request,
                            inputs::v1::ListTasksResponse& response) {
    CHECK(request.filter() == "a == 'b'");
    CHECK(request.context_id() == "run");
    CHECK(request.sort() == inputs::v1::TASK_SORT_PRIORITY);
    CHECK(request.descending());
    auto& info = *response.add_tasks();
    info.set_task_id(std::string(MakeTaskId(1).bytes()));
    (*info.mutable_info())["a"] = "b";
    info.set_info_revision(3);
    info.set_context_id("run");
    info.mutable_provenance()->set_user("anna");
    info.mutable_provenance()->set_app("laptop");
    info.mutable_provenance()->set_spawner_app("worker");
    info.mutable_provenance()->set_spawner_executor_owner("lab");
    info.mutable_provenance()->add_ancestors(std::string(MakeTaskId(2).bytes()));
    return grpc::Status::OK;
  };
  const auto page = server.Connect().List(
      {.filter = "a == 'b'", .context_id = "run", .sort = TaskSort::kPriority, .descending = true});
  REQUIRE(page.ok());
  REQUIRE(page->tasks.size() == 1);
  CHECK(page->tasks[0].info == std::map<std::string, std::string>{{"a", "b"}});
  CHECK(page->tasks[0].info_revision == 3);
  CHECK(page->tasks[0].context_id == "run");
  const Provenance& provenance = page->tasks[0].provenance;
  CHECK(provenance.user == "anna");
  CHECK(provenance.app == "laptop");
  CHECK(provenance.spawner_app == "worker");
  CHECK(provenance.spawner_executor_owner == "lab");
  CHECK(provenance.ancestors == std::vector<TaskId>{MakeTaskId(2)});
}

}  // namespace
}  // namespace kantoku

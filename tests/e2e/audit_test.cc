// Who did what, or was refused what, as administrators read it afterwards, with the real programs.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "tests/e2e/elsewhere.h"
#include "tests/e2e/rogue.h"
#include "tests/e2e/trusting.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

// The events of these types, once so many are there: then there are no more.
std::vector<Event> Told(Client reader, const std::string& types, size_t count) {
  std::vector<Event> events;
  REQUIRE(Becomes([&] {
    const auto page = reader.ReadEvents({.filter = {.types = {types}}});
    REQUIRE(page.ok());
    events = page->events;
    return events.size() >= count;
  }));
  REQUIRE(events.size() == count);
  return events;
}

std::vector<Event> Refusals(const Client& root, size_t count) {
  return Told(root, "audit.refused", count);
}

// An administrator of everything.
Client AsRoot(const Trusting& trusting) {
  return trusting.As(trusting.Token("root", "admin", "*"), "*");
}

TEST_CASE("What is asked of tasks and executors is told, with who and why, to whom it concerns") {
  const Up up;
  Client kan = up.Connect();
  const auto task = kan.Spawn(Task("work"));
  REQUIRE(task.ok());
  REQUIRE(kan.Control(task->id, ControlVerb::kPause, {.why = "the rig is hot"}).ok());
  REQUIRE(kan.SetPause({.type = "work", .reason = "maintenance"}).ok());
  std::vector<Event> events = Told(kan, "audit.*", 2);
  CHECK(events[0].type == "audit.control");
  CHECK(events[0].task_id == task->id);
  CHECK(events[0].details["verb"] == "pause");
  CHECK(events[0].details["by"] == "local");
  CHECK(events[0].details["why"] == "the rig is hot");
  CHECK(events[1].type == "audit.pause");
  CHECK(events[1].details["why"] == "maintenance");
}

// A command of an administrator, and the event that it leaves behind.
struct Deed {
  std::string type;
  std::vector<std::string> words;
};

// What there are commands for, but for those about tasks and grants that a test has to make first.
const std::vector<Deed> kDeeds = {
    {"audit.route", {"route", "set", "work", "has(gpu)"}},
    {"audit.route", {"route", "remove", "work"}},
    {"audit.limit", {"limits", "set", "concurrency", "db", "3"}},
    {"audit.limit", {"limits", "remove", "concurrency", "db"}},
    {"audit.pause", {"pause", "--type", "work", "--reason", "for all"}},
    {"audit.pause", {"resume", "--type", "work"}},
    {"audit.block", {"blocks", "set", "--user", "eve", "--reason", "for eve"}},
    {"audit.unblock", {"blocks", "lift", "--user", "eve"}},
    {"audit.grant_created", {"token", "create", "--app", "laptop", "--scope", "inputs:read"}},
};

// Does it with a reason, and gives back what was said; with one that is too long nothing is done.
std::string Do(const Up& up, std::vector<std::string> words, const std::string& why) {
  words.emplace_back("--why");
  words.push_back(std::string(257, 'x'));
  const Said refused = Administer(up, words);
  CAPTURE(words.front(), refused.text);
  CHECK(refused.code == 2);
  CHECK(refused.text.find("BAD_WHY") != std::string::npos);
  words.back() = why;
  const Said done = Administer(up, words);
  CAPTURE(done.text);
  CHECK(done.code == 0);
  return done.text;
}

TEST_CASE("Whatever an administrator changes, the audit trail has with the reason that he gave") {
  const Up up;
  Client kan = up.Connect();
  const auto dead = kan.Spawn(Task("work"));
  REQUIRE(dead.ok());
  const std::string id = dead->id.ToString();
  std::vector<std::pair<std::string, std::string>> asked;
  const auto next = [&](const std::string& type) {
    return asked.emplace_back(type, absl::StrCat("reason ", asked.size())).second;
  };
  Do(up, {"cancel", id}, next("audit.control"));
  REQUIRE(kan.Await(dead->id).ok());
  Do(up, {"restart", id}, next("audit.restart"));
  std::string said;
  for (const Deed& deed : kDeeds) said = Do(up, deed.words, next(deed.type));
  const std::string grant = nlohmann::json::parse(said)["id"];
  Do(up, {"token", "revoke", grant}, next("audit.grant_revoked"));

  const std::set<std::string> of_all = {"audit.block", "audit.unblock"};
  std::vector<std::pair<std::string, std::string>> told;
  REQUIRE(Becomes([&] {
    told.clear();
    for (const char* const place : {"default", "*"}) {
      const auto page = kan.InNamespace(place).ReadEvents({.filter = {.types = {"audit.*"}}});
      REQUIRE(page.ok());
      for (const Event& event : page->events) {
        CHECK((event.namespace_name == "*") == of_all.contains(event.type));
        CHECK(event.details.at("by") == "local");
        const auto why = event.details.find("why");
        told.emplace_back(event.type, why == event.details.end() ? "(none)" : why->second);
      }
    }
    return told.size() >= asked.size();
  }));
  std::ranges::sort(told);  // Grants are told apart from what a commit says.
  std::ranges::sort(asked);
  CHECK(told == asked);
}

TEST_CASE("Who changes the info of others' tasks is in the audit trail, and no owner's own patch") {
  const Trusting trusting;
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  Client root = AsRoot(trusting).InNamespace("default");
  const auto task = anna.Spawn(Task("work"));
  REQUIRE(task.ok());
  REQUIRE(anna.PatchInfo(task->id, {.set = {{"site", "lab"}, {"old", "x"}}}).ok());
  CHECK(WhyNot(root.PatchInfo(task->id, {.why = std::string(257, 'x')})) == "BAD_WHY");
  REQUIRE(root.PatchInfo(task->id, {.set = {{"customer", "acme"}, {"site", "s3cret"}},
                                    .remove = {"old"},
                                    .why = "a wrong customer"})
              .ok());
  const std::vector<Event> events = Told(anna, "audit.*", 1);
  CHECK(events[0].type == "audit.info");
  CHECK(events[0].task_id == task->id);
  CHECK(events[0].owner == "anna");
  // Names alone: whoever reads the trail need not know the values.
  CHECK(events[0].details == std::map<std::string, std::string>{{"by", "root"},
                                                                {"by_app", "laptop"},
                                                                {"why", "a wrong customer"},
                                                                {"set", "customer site"},
                                                                {"removed", "old"}});
}

TEST_CASE("A task that is refused for its type is in the audit trail, though its call is not") {
  const Trusting trusting;
  Client spawner = trusting.As(trusting.Token("anna", "inputs:spawn:segment-*"));
  CHECK(WhyNot(spawner.Spawn(Task("work"))) == "SCOPE_MISSING");
  const std::vector<Event> events = Refusals(AsRoot(trusting), 1);
  CHECK(events[0].details.at("method") == "InputsService/Spawn");
  CHECK(events[0].details.at("reason") == "SCOPE_MISSING");
  CHECK(events[0].details.at("user") == "anna");
  CHECK(WhyNot(trusting.As(trusting.Token("ben", kUserScope, "*"), "*").ReadEvents({})) ==
        "NOT_ADMINISTRATOR");
}

TEST_CASE(
    "Who asks for what others own is told that there is none, and an administrator that he did") {
  const Trusting trusting;
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  Client ben = trusting.As(trusting.Token("ben", kUserScope));
  Client eve = trusting.As(trusting.Token("eve", kUserScope));
  const auto task = anna.Spawn(Task("work"));
  const auto dead = anna.Spawn(Task("work"));
  REQUIRE(task.ok());
  REQUIRE(dead.ok());
  REQUIRE(anna.Cancel(dead->id).ok());
  REQUIRE(anna.Await(dead->id).ok());
  // Of what there is not, nothing is told.
  REQUIRE(WhyNot(eve.Cancel(*TaskId::FromBytes(Rogue::NoTask()))) == "NO_SUCH_TASK");
  REQUIRE(WhyNot(ben.Cancel(task->id)) == "NO_SUCH_TASK");
  REQUIRE(WhyNot(ben.Get(task->id)) == "NO_SUCH_TASK");
  REQUIRE(WhyNot(ben.PatchInfo(task->id, InfoPatch())) == "NO_SUCH_TASK");
  REQUIRE(ReasonOf(ben.RestartAll({dead->id})->tasks.front().status) == "NO_SUCH_TASK");
  REQUIRE_FALSE(ben.GetOutput(dead->id).ok());
  std::set<std::string> methods;
  for (const Event& event : Refusals(AsRoot(trusting), 5)) {
    CHECK(event.details.at("user") == "ben");
    CHECK(event.details.at("reason") ==
          (event.details.at("method") == "OutputsService/Get" ? "UNKNOWN_TASK" : "NO_SUCH_TASK"));
    methods.insert(event.details.at("method"));
  }
  CHECK(methods == std::set<std::string>{"InputsService/Control", "InputsService/GetTasks",
                                         "InputsService/PatchInfo", "InputsService/RestartTasks",
                                         "OutputsService/Get"});
}

TEST_CASE("A tree is as hidden as its tasks, and asking it to stop is told as well") {
  const Trusting trusting;
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  Client ben = trusting.As(trusting.Token("ben", kUserScope));
  const auto root = anna.Spawn(Task("work"));
  REQUIRE(root.ok());
  REQUIRE(anna.Spawn(Task("work").With(ChildOf(root->id, root->id))).ok());
  REQUIRE(WhyNot(ben.Control(root->id, ControlVerb::kCancel, {.tree = true})) == "NO_SUCH_TASK");
  CHECK(Refusals(AsRoot(trusting), 1)[0].details.at("method") == "InputsService/Control");
}

TEST_CASE(
    "A receipt that proves nothing is in the audit trail, whether a hello or an ack shows it") {
  const Up up;
  up.Spawn(1);
  Rogue rogue(up.Channel());
  inputs::v1::PullRequest hello = Rogue::Hello(Rogue::Session('r'), 1);
  SECTION("a hello") {
    *hello.mutable_hello()->add_held() = Rogue::HeldOf(Rogue::NoTask(), 1);
    hello.mutable_hello()->mutable_held(0)->set_receipt("forged");
    rogue.Say(hello);
  }
  SECTION("an ack") {
    rogue.Say(hello);
    const auto task = rogue.Task(1);
    rogue.Ack(task.task_id(), task.dispatch(), "forged");
  }
  const std::vector<Event> events = Refusals(up.Connect().InNamespace("*"), 1);
  CHECK(events[0].details.at("method") == "InputsService/Pull");
  CHECK(events[0].details.at("reason") == "INVALID_RECEIPT");
  CHECK(events[0].details.at("user") == "local");
}

TEST_CASE("A read grant that is none is in the audit trail") {
  const Up up;
  const auto stub = outputs::v1::OutputsService::NewStub(up.Channel());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience));
  outputs::v1::GetRequest request;
  request.set_session_id(Rogue::Session('r'));
  request.add_task_ids(Rogue::NoTask());
  request.add_read_grants("forged");
  outputs::v1::GetResponse response;
  REQUIRE(stub->Get(&context, request, &response).ok());
  REQUIRE(response.results(0).status().reason() == "INVALID_GRANT");
  const std::vector<Event> events = Refusals(up.Connect().InNamespace("*"), 1);
  CHECK(events[0].details.at("method") == "OutputsService/Get");
  CHECK(events[0].details.at("reason") == "INVALID_GRANT");
}

}  // namespace
}  // namespace kantoku::test

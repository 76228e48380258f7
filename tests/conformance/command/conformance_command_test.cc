// `kantoku conformance`, as somebody who has written a store calls it.
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "kantoku/store/v1/store.grpc.pb.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/store/remote/remote_record_store.h"
#include "tests/conformance/command/command_bench.h"
#include "tests/conformance/command/neighbour.h"
#include "tests/support/process.h"
#include "tests/support/python_store.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {
namespace {

// The Python store, with a fault perhaps, and what the exam says of it.
struct Examined {
  explicit Examined(const std::string& fault)
      : store(directory.File("records.sqlite"), "127.0.0.1:0", fault),
        ended(Run({"store", "--target", store.address(), "--json", directory.File("report.json"),
                   "--junit", directory.File("report.xml")})),
        report(Json::parse(Contents(directory.File("report.json")))),
        junit(Contents(directory.File("report.xml"))) {}

  TempDir directory;
  PythonStore store;
  Ended ended;
  Json report;
  std::string junit;
};

TEST_CASE("A store that keeps its promises passes, and is told what was not looked at") {
  const Examined honest("");
  INFO(honest.ended.output);
  CHECK(honest.ended.code == 0);
  CHECK(honest.report["failed"] == 0);
  CHECK(honest.report["passed"] > 15);
  const Strings skipped = {"A crash leaves every commit that returned",
                           "The owner after a crash may repeat the last batch"};
  CHECK(NamesOf(honest.report, "skipped") == skipped);
  for (const Json& one : honest.report["cases"]) {
    CHECK((one["outcome"] == "skipped") == (one["lacks"] == "crash"));
  }
  CHECK(honest.ended.output.find("crash: needs the program to be killed") != std::string::npos);
  CHECK(honest.junit.find(" failures=\"0\" skipped=\"2\" ") != std::string::npos);
}

TEST_CASE("Of each planted fault the exam names the promise, and shows the request") {
  struct Planted {
    std::string fault;
    std::string promise;
    std::string call;  // That is shown.
  };
  const Planted planted = GENERATE(
      Planted{"lost-commit", "What was committed is there, and after opening again", "Open {"},
      Planted{"repeated-batch", "Repeating the last batch changes nothing", "Commit {"},
      Planted{"short-scan", "Scan keeps to range, order and limit", "Scan {"},
      Planted{"old-owner", "An owner is shut out as soon as another has opened the partition",
              "Commit {"},
      Planted{"narrow-erase", "A range is erased with both its ends and nothing beside",
              "erase { first: 10 last: 20 }"});
  const Examined faulty(planted.fault);
  INFO(faulty.ended.output);
  CHECK(faulty.ended.code == 1);
  const Strings failed = NamesOf(faulty.report, "failed");
  CHECK(std::ranges::find(failed, planted.promise) != failed.end());
  for (const Json& one : faulty.report["cases"]) {
    if (one["name"] != planted.promise) continue;
    REQUIRE_FALSE(one["failures"].empty());
    const Json& failure = one["failures"][0];
    CHECK(failure["at"].get<std::string>().starts_with("tests/conformance/record_store_exam.cc:"));
    CHECK_FALSE(failure["found"].get<std::string>().empty());
    const std::string calls = failure["calls"].dump();
    CHECK(calls.find(planted.call) != std::string::npos);
  }
  CHECK(faulty.junit.find("<failure message=") != std::string::npos);
}

TEST_CASE("An exam leaves no record behind, and can be held again") {
  const TempDir directory;
  const PythonStore store(directory.File("records.sqlite"));
  for (int time = 0; time < 2; ++time) {
    const Ended ended = Run({"store", "--target", store.address()});
    INFO(ended.output);
    CHECK(ended.code == 0);
  }
  const auto process = ChildProcess::Start(
      {.argv = {"/usr/bin/python3", "-c",
                "import sqlite3, sys\n"
                "records = sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM record')\n"
                "print('records:', records.fetchone()[0])",
                directory.File("records.sqlite")}});
  REQUIRE(process.ok());
  REQUIRE((*process)->AwaitExit().ok());
  CHECK((*process)->output() == "records: 0\n");
}

TEST_CASE("Who owns another component of a store goes on as before, when an exam is over") {
  const TempDir directory;
  const std::string fault = GENERATE("", "old-owner");
  const PythonStore store(directory.File("records.sqlite"), "127.0.0.1:0", fault);
  const auto channel = platform::MakeChannel(store.address());
  const auto factory = platform::MakeRemoteRecordStoreFactory(
      {.component = "inputs", .format = 1, .kinds = {{.kind = 1, .name = "apple"}}},
      {.channel = channel});
  const auto mine = factory->Open(0);
  REQUIRE(mine.ok());
  platform::WriteBatch first;
  first.set_number(1);
  first.Put(1, 7, "mine");
  REQUIRE((*mine)->Commit(first).ok());
  const Ended ended = Run({"store", "--target", store.address()});
  INFO(ended.output);
  REQUIRE(ended.code == (fault.empty() ? 0 : 1));
  platform::WriteBatch second;
  second.set_number(2);
  second.Put(1, 8, "mine");
  CHECK((*mine)->Commit(second).ok());
  std::string values;
  CHECK(
      (*mine)
          ->Scan({.kind = 1}, [&](platform::RecordKey, std::string_view value) { values += value; })
          .ok());
  CHECK(values == "minemine");
}

// Kills the Python store, if it runs, starts it and waits until it serves; its process is of the
// group of whoever runs this.
std::string StartAgain(const TempDir& directory, const std::string& listen) {
  const ChildOptions store = PythonStore::Command(directory.File("records.sqlite"), listen);
  std::string line = "kill -9 $(cat pid 2>/dev/null) 2>/dev/null; (";
  for (const auto& [name, value] : store.env) absl::StrAppend(&line, " ", name, "='", value, "'");
  for (const std::string& word : store.argv) absl::StrAppend(&line, " '", word, "'");
  return "cd " + directory.path() + " && { " + line +
         " 2>/dev/null & echo $! > pid) | head -n 1 | grep serving; }";
}

TEST_CASE("Who lets the exam kill a store hears of its crashes as well") {
  const TempDir directory;
  const std::string address = "unix:" + directory.File("socket");
  const std::string command = StartAgain(directory, address);
  const auto first = ChildProcess::Start({.argv = {"/bin/sh", "-c", command}});
  REQUIRE(first.ok());
  REQUIRE((*first)->AwaitExit().ok());
  const Ended ended = Run(
      {"store", "--target", address, "--crash", command, "--json", directory.File("report.json")});
  INFO(ended.output);
  CHECK(ended.code == 0);
  const Json report = Json::parse(Contents(directory.File("report.json")));
  CHECK(report["failed"] == 0);
  CHECK(report["skipped"] == 0);
}

TEST_CASE("Inputs passes its exam again and again, in a namespace of a server that goes on") {
  const Server server;
  const TempDir directory;
  Neighbour neighbour(server.Connect());
  const std::string task = neighbour.Work("before");
  for (int time = 0; time < 2; ++time) {
    const Ended ended =
        server.Examine("inputs", {"--namespace", "exam", "--json", directory.File("report.json")});
    INFO(ended.output);
    CHECK(ended.code == 0);
    const Json report = Json::parse(Contents(directory.File("report.json")));
    CHECK(report["failed"] == 0);
    CHECK(report["passed"] > 35);
    CHECK(report["place"] == "the namespace exam");
    CHECK(ended.output.find("in the namespace exam\n") < ended.output.find("passed"));
    for (const Json& one : report["cases"]) {
      CHECK((one["outcome"] == "skipped") == one["lacks"].is_string());
      if (one["name"] == "A failed task is restarted once, and lives on as another") {
        CHECK(one["without"] == Json{"restart"});
      }
    }
    CHECK(report["left_behind"] == 0);
  }
  CHECK(neighbour.IsAloneWith({task}));
  CHECK(neighbour.Pauses() == 0);
  CHECK_FALSE(neighbour.Work("after").empty());
}

TEST_CASE("An exam that fails leaves no task alive and no pause, and touches nobody else's") {
  // With room for the neighbour's tasks alone.
  const Server server({"inputs.max_pending_tasks=2"});
  Neighbour neighbour(server.Connect());
  const Strings tasks = {neighbour.Work("one"), neighbour.Work("two")};
  const Ended ended = server.Examine("inputs", {"--namespace", "exam"});
  INFO(ended.output);
  CHECK(ended.code == 1);
  CHECK(neighbour.IsAloneWith(tasks));
  CHECK(neighbour.Pauses() == 0);
}

TEST_CASE("Without a namespace, or with a token that nobody gave, no service is examined") {
  const Server server;
  const Ended unnamed = server.Examine("inputs", {});
  CHECK(unnamed.code == 2);
  CHECK(unnamed.output == "kantoku conformance: --namespace: name one that the exam may be in\n");
  const Ended nowhere = server.Examine("inputs", {"--namespace", "nowhere"});
  CHECK(nowhere.code == 2);
  CHECK(nowhere.output.ends_with("namespace: there is no \"nowhere\"\n"));
  const TempDir directory;
  std::ofstream(directory.File("token")) << "made.up.token";
  const Ended stranger =
      server.Examine("inputs", {"--namespace", "exam", "--token-file", directory.File("token")});
  CHECK(stranger.code == 2);
  CHECK(stranger.output.find("the access token is refused") != std::string::npos);
}

// A server that says that there is no task, and can nothing else.
class Idle final : public inputs::v1::InputsService::Service {
  grpc::Status ListTasks(grpc::ServerContext* /*context*/,
                         const inputs::v1::ListTasksRequest* /*request*/,
                         inputs::v1::ListTasksResponse* /*response*/) override {
    return grpc::Status::OK;
  }
};

TEST_CASE("Of a service that answers nothing every case fails by itself, and tells the call") {
  const TempDir directory;
  const std::string address = "unix:" + directory.File("socket");
  Idle idle;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&idle);
  const auto server = builder.BuildAndStart();
  REQUIRE(server != nullptr);
  const Ended ended = Run({"inputs", "--target", address, "--namespace", "exam", "--json",
                           directory.File("report.json")});
  INFO(ended.output);
  CHECK(ended.code == 1);
  const Json report = Json::parse(Contents(directory.File("report.json")));
  CHECK(report["passed"] == 0);
  CHECK(report["failed"] > 35);
  CHECK(ended.output.find("Spawn {namespace: \"exam\"") != std::string::npos);
}

TEST_CASE("Without anybody to examine there is one line, and exit code 2") {
  const auto check = [](const Strings& arguments, const std::string& says) {
    const Ended ended = Run(arguments);
    INFO(ended.output);
    CHECK(ended.code == 2);
    CHECK(ended.output.starts_with("kantoku conformance: "));
    CHECK(ended.output.find(says) != std::string::npos);
    CHECK(std::ranges::count(ended.output, '\n') == 1);
  };
  check({}, "EXAM is required");
  check({"stone", "--target", "127.0.0.1:1"}, "stone");
  check({"store"}, "--target is required");
  check({"inputs", "--target", "127.0.0.1:1", "--crash", "true"}, "only a store is crashed");
  check({"store", "--target", "127.0.0.1:1", "--namespace", "exam"}, "a store has no namespaces");
  check({"store", "--target", "unix:/nowhere/at/all"}, "unix:/nowhere/at/all: cannot be reached");
  check({"store", "--target", "127.0.0.1:1", "--json", "/nowhere/report.json"},
        "--json: cannot write /nowhere/report.json");
  check({"store", "--target", "127.0.0.1:1", "--ca-file", "/nowhere/ca.pem"}, "/nowhere/ca.pem");
}

TEST_CASE("A report stays as it was until there is another") {
  const TempDir directory;
  const std::string path = directory.File("report.json");
  std::ofstream(path) << "of yesterday";
  CHECK(Run({"store", "--target", "unix:/nowhere/at/all", "--json", path}).code == 2);
  CHECK(Contents(path) == "of yesterday");
  CHECK(Contents(path + ".tmp").empty());
}

TEST_CASE("A server that is no store is told so") {
  const TempDir directory;
  const std::string address = "unix:" + directory.File("socket");
  store::v1::StoreService::Service nothing;  // Its calls are all unimplemented.
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&nothing);
  const auto server = builder.BuildAndStart();
  REQUIRE(server != nullptr);
  const Ended ended = Run({"store", "--target", address});
  INFO(ended.output);
  CHECK(ended.code == 2);
  CHECK(ended.output.starts_with("kantoku conformance: " + address +
                                 ": it does not serve kantoku.store.v1.StoreService"));
}

}  // namespace
}  // namespace kantoku::test

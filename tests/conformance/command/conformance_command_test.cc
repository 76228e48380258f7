// `kantoku conformance`, as somebody who has written a store calls it.
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kantoku/store/v1/store.grpc.pb.h"
#include "tests/support/process.h"
#include "tests/support/python_store.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {
namespace {

using Json = nlohmann::json;
using Strings = std::vector<std::string>;

constexpr absl::Duration kExamPatience = absl::Minutes(5);

struct Ended {
  int code = -1;
  std::string output;
};

Ended Run(const Strings& arguments) {
  Strings argv = {Binary("kantoku"), "conformance"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const auto process = ChildProcess::Start({.argv = argv});
  REQUIRE(process.ok());
  const auto exit = (*process)->AwaitExit(kExamPatience);
  REQUIRE(exit.ok());
  return {exit->code.value_or(-1), (*process)->output()};
}

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Strings NamesOf(const Json& report, const std::string& outcome) {
  Strings names;
  for (const Json& one : report["cases"]) {
    if (one["outcome"] == outcome) names.push_back(one["name"]);
  }
  return names;
}

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
  check({"store", "--target", "unix:/nowhere/at/all"}, "unix:/nowhere/at/all: cannot be reached");
  check({"store", "--target", "127.0.0.1:1", "--json", "/nowhere/report.json"},
        "--json: cannot write /nowhere/report.json");
  check({"store", "--target", "127.0.0.1:1", "--ca-file", "/nowhere/ca.pem"}, "/nowhere/ca.pem");
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
  CHECK(ended.code == 2);
  CHECK(ended.output.starts_with("kantoku conformance: " + address +
                                 ": it does not serve kantoku.store.v1.StoreService"));
}

}  // namespace
}  // namespace kantoku::test

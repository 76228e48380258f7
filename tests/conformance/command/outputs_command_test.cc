// `kantoku conformance outputs`, of ours and of somebody's own.
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>

#include "services/platform/auth/mac.h"
#include "tests/conformance/command/command_bench.h"
#include "tests/conformance/command/neighbour.h"
#include "tests/support/python_outputs.h"

namespace kantoku::test {
namespace {

// What README.md of the example says that it leaves out.
const Strings kLeftOutByPython = {"--without", "items",     "--without", "owners",    "--without",
                                  "retention", "--without", "unknown",   "--without", "bounds"};

// A directory with the keys of an Outputs that nobody uses.
class Bench {
 public:
  Bench() { REQUIRE(platform::MacKeys::LoadOrCreate(keys()).ok()); }

  std::string keys() const { return directory_.File("mac.keys"); }
  std::string File(const std::string& name) const { return directory_.File(name); }
  std::string inputs() const { return "unix:" + directory_.File("inputs"); }

  Ended Examine(const std::string& address, const Strings& more) const {
    Strings arguments = {"outputs", "--target",    address,  "--namespace",    "default", "--json",
                         json(),    "--as-inputs", inputs(), "--mac-key-file", keys()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }
  Json report() const { return Json::parse(Contents(json())); }

 private:
  std::string json() const { return directory_.File("report.json"); }

  const TempDir directory_;
};

// Ours, whose Inputs is the exam.
std::unique_ptr<ChildProcess> StartOutputs(const Bench& bench) {
  auto process = ChildProcess::Start(
      {.argv = {Binary("kantoku-outputs"), "--data", bench.File("data"), "--listen", "127.0.0.1:0",
                "--port-file", bench.File("port"), "--set", "server.mac_key_file=" + bench.keys(),
                "--set", "outputs.inputs_address=" + bench.inputs(), "--set",
                "auth.insecure_trust_everybody_on_loopback=true", "--set",
                "server.metrics_listen=none"}});
  REQUIRE(process.ok());
  return *std::move(process);
}

TEST_CASE("Outputs passes its exam again and again beside an Inputs in use, in a namespace of it") {
  const Server server;
  const TempDir directory;
  Neighbour neighbour(server.Connect());
  const std::string task = neighbour.Work("before");
  for (int time = 0; time < 2; ++time) {
    const Ended ended =
        server.Examine("outputs", {"--namespace", "exam", "--json", directory.File("report.json")});
    INFO(ended.output);
    CHECK(ended.code == 0);
    const Json report = Json::parse(Contents(directory.File("report.json")));
    CHECK(report["failed"] == 0);
    CHECK(report["passed"] == 15);
    CHECK(report["left_behind"] == 0);
    CHECK(report["place"] == "the namespace exam");
    for (const Json& one : report["cases"]) {
      if (one["name"] == "A result is there as it was put, with a receipt that proves it") {
        CHECK(one["without"] == Json{"keys"});
      }
    }
  }
  CHECK(neighbour.IsAloneWith({task}));
  CHECK(neighbour.CanCancel(task));
}

TEST_CASE("Whoever has the keys of an Outputs is its Inputs in the exam, again and again") {
  const Bench bench;
  const auto process = StartOutputs(bench);
  const auto port = process->AwaitFile(bench.File("port"));
  REQUIRE(port.ok());
  for (int time = 0; time < 2; ++time) {
    // Whoever calls it is an administrator there, who may see everything.
    const Ended ended = bench.Examine("127.0.0.1:" + *port, {"--without", "owners"});
    INFO(ended.output);
    CHECK(ended.code == 0);
    const Json report = bench.report();
    CHECK(report["failed"] == 0);
    CHECK(report["passed"] == 38);
    for (const Json& one : report["cases"]) {
      if (one["outcome"] != "skipped") continue;
      const std::string lacks = one["lacks"];
      CHECK((lacks == "limits" || lacks == "restart" || lacks == "owners"));
    }
  }
}

TEST_CASE("Somebody's own Outputs passes, but for the parts that are said to be left out") {
  const Bench bench;
  const PythonOutputs outputs(bench.File("results.sqlite"), bench.keys());
  const Ended ended = bench.Examine(outputs.address(), kLeftOutByPython);
  INFO(ended.output);
  CHECK(ended.code == 0);
  CHECK(bench.report()["failed"] == 0);
  CHECK(bench.report()["passed"] == 15);
  CHECK(ended.output.find("items: needs items of generators") != std::string::npos);
}

TEST_CASE("Of each fault planted in Outputs the exam names the promise, and shows the request") {
  struct Planted {
    std::string fault;
    std::string promise;
    std::string call;  // That is shown.
  };
  const Planted planted = GENERATE(
      Planted{"second-winner", "The first result of a task wins for good", "Put {"},
      Planted{"lost-fence", "A fence keeps out its dispatch and earlier ones", "Fence {"},
      Planted{"any-session", "A lease is good in its own session only, which every Put names",
              "fedcba9876543210"},
      Planted{"old-epoch", "An epoch that is over cannot fence", "Fence {"},
      Planted{"anybody-fences", "Only Inputs may fence", "Fence {"});
  const Bench bench;
  const PythonOutputs outputs(bench.File("results.sqlite"), bench.keys(), planted.fault);
  const Ended ended = bench.Examine(outputs.address(), kLeftOutByPython);
  INFO(ended.output);
  CHECK(ended.code == 1);
  CheckNamed(bench.report(), planted.promise, planted.call);
}

TEST_CASE("An Outputs that stands alone is examined with tasks of an Inputs elsewhere") {
  const Server server(kTrustEverybody);
  const TempDir directory;
  // With whose leases it goes, though that Inputs has another Outputs.
  const PythonOutputs outputs(directory.File("results.sqlite"), server.MacKeys());
  Strings arguments = {"outputs",     "--target", outputs.address(), "--inputs", server.address(),
                       "--namespace", "exam"};
  arguments.insert(arguments.end(), kLeftOutByPython.begin(), kLeftOutByPython.end());
  const Ended ended = Run(arguments);
  INFO(ended.output);
  CHECK(ended.code == 0);
  CHECK(ended.output.find("passed   The first result of a task wins for good (without keys)") !=
        std::string::npos);
}

TEST_CASE("An Outputs that has an Inputs is not fenced by an exam that has its keys") {
  const Server server;
  const Bench bench;
  Neighbour neighbour(server.Connect());
  const std::string task = neighbour.Work("before");
  Strings arguments = {"--namespace",    "exam",        "--mac-key-file",
                       server.MacKeys(), "--as-inputs", bench.inputs()};
  const auto more = GENERATE(Strings{}, Strings{"--without", "unknown"});
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Ended ended = server.Examine("outputs", arguments);
  INFO(ended.output);
  CHECK(ended.code == 2);
  CHECK(ended.output.find("does it have another one?") != std::string::npos);
  CHECK(neighbour.CanCancel(task));
}

TEST_CASE("An Outputs that has other keys than the exam is told so") {
  const Bench bench;
  const Bench other;
  const auto process = StartOutputs(bench);
  const auto port = process->AwaitFile(bench.File("port"));
  REQUIRE(port.ok());
  const Ended ended = Run({"outputs", "--target", "127.0.0.1:" + *port, "--namespace", "default",
                           "--as-inputs", bench.inputs(), "--mac-key-file", other.keys()});
  INFO(ended.output);
  CHECK(ended.code == 2);
  CHECK(ended.output.find("with other keys than --mac-key-file") != std::string::npos);
}

TEST_CASE("Keys alone, or what is lent to another exam, are no way into an exam of Outputs") {
  const Bench bench;
  const auto check = [](const Strings& arguments, const std::string& says) {
    const Ended ended = Run(arguments);
    INFO(ended.output);
    CHECK(ended.code == 2);
    CHECK(ended.output.find(says) != std::string::npos);
    CHECK(std::ranges::count(ended.output, '\n') == 1);
  };
  check(
      {"outputs", "--target", "127.0.0.1:1", "--namespace", "exam", "--mac-key-file", bench.keys()},
      "--mac-key-file and --as-inputs go together");
  check({"inputs", "--target", "127.0.0.1:1", "--namespace", "exam", "--without", "items"},
        "for those of Outputs and Events");
  check({"outputs", "--target", "127.0.0.1:1", "--namespace", "exam", "--without", "sense"},
        "sense");
  const Server server;
  const Ended beyond = server.Examine("outputs", {"--namespace", "exam", "--mac-key-file",
                                                  bench.keys(), "--as-inputs", "192.0.2.1:1"});
  CHECK(beyond.code == 2);
  CHECK(beyond.output.find("only this computer may reach it") != std::string::npos);
}

}  // namespace
}  // namespace kantoku::test

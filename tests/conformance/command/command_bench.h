#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_COMMAND_BENCH_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_COMMAND_BENCH_H_

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "services/platform/access/target.h"
#include "services/platform/clock.h"
#include "services/platform/rpc/channel.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

// What tests of `kantoku conformance` do often.
namespace kantoku::test {

using Json = nlohmann::json;
using Strings = std::vector<std::string>;

// Less than a test has, which may hold five exams one after another: what one says then is told.
inline constexpr absl::Duration kExamPatience = absl::Minutes(2);

// Settings of a Server in which everybody on this computer is an administrator.
inline const Strings kTrustEverybody = {"server.tls.off=true",
                                        "auth.insecure_trust_everybody_on_loopback=true"};

struct Ended {
  int code = -1;
  std::string output;
};

inline Ended Run(const Strings& arguments) {
  Strings argv = {Binary("kantoku"), "conformance"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const auto process = ChildProcess::Start({.argv = argv});
  REQUIRE(process.ok());
  const auto exit = (*process)->AwaitExit(kExamPatience);
  REQUIRE(exit.ok());
  return {exit->code.value_or(-1), (*process)->output()};
}

inline std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Strings NamesOf(const Json& report, const std::string& outcome) {
  Strings names;
  for (const Json& one : report["cases"]) {
    if (one["outcome"] == outcome) names.push_back(one["name"]);
  }
  return names;
}

// Whether the case of that promise has failed, and says so of a call that is shown.
inline void CheckNamed(const Json& report, const std::string& promise, const std::string& call) {
  const Strings failed = NamesOf(report, "failed");
  REQUIRE(std::ranges::find(failed, promise) != failed.end());
  for (const Json& one : report["cases"]) {
    if (one["name"] != promise) continue;
    CHECK(one["failures"].dump().find(call) != std::string::npos);
    for (const Json& failure : one["failures"]) {
      CHECK(failure["calls"].dump().find("lease_token") == std::string::npos);
    }
  }
}

// `kantoku up`, with a namespace for the exam, and much patience with who is there and says
// nothing.
class Server {
 public:
  // With such settings more.
  explicit Server(const Strings& settings = {}) {
    Strings argv = {Binary("kantoku"), "up",
                    "--data",          directory_.File("data"),
                    "--listen",        "127.0.0.1:0",
                    "--port-file",     directory_.File("port"),
                    "--set",           "inputs.namespaces=default,exam",
                    "--set",           "inputs.ping_interval=60s",
                    "--set",           "inputs.start_timeout=10m",
                    "--set",           "inputs.cancel_timeout=1s"};
    for (const std::string& setting : settings) argv.insert(argv.end(), {"--set", setting});
    auto process = ChildProcess::Start({.argv = argv});
    REQUIRE(process.ok());
    process_ = *std::move(process);
    const auto port = process_->AwaitFile(directory_.File("port"));
    REQUIRE(port.ok());
    address_ = "127.0.0.1:" + *port;
  }

  const std::string& address() const { return address_; }
  std::string MacKeys() const { return directory_.File("data/mac.keys"); }

  // As its administrator.
  std::shared_ptr<grpc::Channel> Connect() const {
    const auto target = platform::FindTarget(
        {.server = address_, .access_file = directory_.File("data/access.json")}, address_,
        platform::Clock::Real());
    REQUIRE(target.ok());
    const auto channel = platform::MakeChannel(target->server, target->channel);
    REQUIRE(channel.ok());
    return *channel;
  }

  Ended Examine(const std::string& exam, const Strings& more) const {
    Strings arguments = {exam, "--target", address_, "--access",
                         directory_.File("data/access.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Run(arguments);
  }

 private:
  const TempDir directory_;
  std::unique_ptr<ChildProcess> process_;
  std::string address_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_CONFORMANCE_COMMAND_COMMAND_BENCH_H_

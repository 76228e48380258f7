// MAC keys change while tasks run, with the real programs.
#include "services/platform/auth/key_rotation.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "services/platform/whole_file.h"
#include "tests/chaos/work.h"
#include "tests/e2e/rogue.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

using platform::KeyNote;
using platform::KeyRing;
using platform::KeyRole;

constexpr int kTasks = 200;

std::vector<std::string> Settings() { return {"server.metrics_listen=none", "inputs.grace=1s"}; }

std::string KeyFile(const Up& up) { return up.data() + "/mac.keys"; }

// Takes a step by the command line, and waits until the server's log says `line` of it.
void Rotate(Up& up, std::vector<std::string> words, const std::string& line) {
  const size_t from = up.process().output().size();
  words.insert(words.begin(), {Binary("kantoku"), "mac-keys"});
  words.insert(words.end(), {"--file", KeyFile(up)});
  const auto child = ChildProcess::Start({.argv = std::move(words)});
  REQUIRE(child.ok());
  const auto exit = (*child)->AwaitExit();
  REQUIRE(exit.ok());
  INFO((*child)->output());
  REQUIRE(exit->code == 0);
  REQUIRE(up.process().AwaitLine(line, kPatience, from).ok());
}

void RotateAtOnce(Up& up) {
  Rotate(up, {"add"}, R"("signs":1,"verify":2)");
  Rotate(up, {"use", "--now"}, R"("signs":2,"verify":2)");
}

void DropAtOnce(Up& up) { Rotate(up, {"drop", "--now"}, R"("signs":2,"verify":1)"); }

// A lease that was refused would have made another dispatch.
void CheckRanOnce(const Up& up, const std::vector<TaskId>& tasks) {
  Client client = up.Connect();
  for (const TaskId& task : tasks) {
    const auto info = client.Get(task, {.timeout = kPatience});
    REQUIRE(info.ok());
    CHECK(info->dispatch == 1);
  }
}

TEST_CASE("Keys change under load and no lease is refused, but those of a key that was dropped") {
  Up up({.settings = Settings()});
  const std::vector<TaskId> stolen = up.Spawn(1);
  auto rogue = std::make_unique<Rogue>(up.Channel());
  rogue->Say(Rogue::Hello(Rogue::Session('r'), 1));
  const std::string old_lease = rogue->Task(1).lease_token();

  const auto honest = up.StartHonestExecutor();
  const std::vector<TaskId> before = up.Spawn(kTasks);
  RotateAtOnce(up);
  const std::vector<TaskId> after = up.Spawn(kTasks);
  up.CheckHonestResults(before);
  up.CheckHonestResults(after);
  CheckRanOnce(up, before);
  CheckRanOnce(up, after);

  DropAtOnce(up);
  const auto put = rogue->Put(old_lease, "too late");
  REQUIRE(put.ok());
  CHECK(put->status().reason() == "INVALID_LEASE");
  rogue = nullptr;
  up.CheckHonestResults(stolen);
  const std::vector<TaskId> later = up.Spawn(kTasks);
  up.CheckHonestResults(later);
  CheckRanOnce(up, later);
}

TEST_CASE("A receipt of a dropped key proves nothing, and its task ends with its one result") {
  Up up({.settings = Settings()});
  const std::vector<TaskId> tasks = up.Spawn(1);
  Rogue executor(up.Channel());
  executor.Say(Rogue::Hello(Rogue::Session('r'), 1));
  const inputs::v1::Dispatch task = executor.Task(1);
  const auto put = executor.Put(task.lease_token(), ResultOf(task.payload()));
  REQUIRE(put.ok());
  REQUIRE(put->status().code() == 0);
  RotateAtOnce(up);
  DropAtOnce(up);
  executor.Ack(task.task_id(), task.dispatch(), put->receipt());
  const auto refused = executor.Refusals();
  REQUIRE(refused.size() == 1);
  CHECK(refused.front().status().reason() == "INVALID_RECEIPT");
  up.CheckHonestResults(tasks);
  CHECK(Becomes([&] {
    const auto info = up.Connect().Get(tasks.front());
    return info.ok() && info->state == TaskState::kSucceeded && info->dispatch == 1;
  }));
}

// Changes the times in the file, as if so much had passed.
void LetPass(const Up& up, absl::Duration time) {
  auto ring = platform::ReadKeyFile(KeyFile(up));
  REQUIRE(ring.ok());
  for (platform::FiledKey& each : *ring) each.note->since -= time;
  REQUIRE(platform::ReplaceWholeFile(KeyFile(up), platform::FormatKeyLines(*ring)).ok());
}

TEST_CASE("A server changes its keys by itself, and says so without saying them") {
  const TempDir home;
  const std::string data = home.File("data");
  REQUIRE(::mkdir(data.c_str(), 0700) == 0);
  const KeyRing old = {{.key = {.id = 1, .secret = std::string(32, 'o')},
                        .note = KeyNote{KeyRole::kSigns, absl::Now() - absl::Hours(2)}}};
  REQUIRE(platform::ReplaceWholeFile(data + "/mac.keys", platform::FormatKeyLines(old)).ok());
  std::vector<std::string> settings = Settings();
  settings.push_back("server.mac_key_lifetime=90m");
  Up up({.settings = settings, .data = data});
  const auto honest = up.StartHonestExecutor();
  REQUIRE(up.process().AwaitLine("a MAC key was added").ok());
  const auto ring = platform::ReadKeyFile(KeyFile(up));
  REQUIRE(ring.ok());
  REQUIRE(ring->size() == 2);
  LetPass(up, platform::kKeySpread);
  REQUIRE(up.process().AwaitLine("another MAC key signs").ok());
  LetPass(up, platform::kKeyRetention);
  REQUIRE(up.process().AwaitLine("a retired MAC key was dropped").ok());
  up.CheckHonestResults(up.Spawn(10));
  for (const platform::FiledKey& each : *ring) {
    CHECK_FALSE(absl::StrContains(up.process().output(), absl::BytesToHexString(each.key.secret)));
  }
}

TEST_CASE("A step that would make programs refuse each other's tokens is not taken by accident") {
  const TempDir home;
  const std::string file = home.File("mac.keys");
  const auto says = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {Binary("kantoku"), "mac-keys"});
    words.insert(words.end(), {"--file", file});
    const auto child = ChildProcess::Start({.argv = std::move(words)});
    REQUIRE(child.ok());
    const auto exit = (*child)->AwaitExit();
    REQUIRE(exit.ok());
    return std::to_string(exit->code.value_or(-1)) + " " + (*child)->output();
  };
  CHECK_THAT(says({"list"}), Catch::StartsWith("1 ") && Catch::Contains(file));
  CHECK_FALSE(platform::ReadKeyFile(file).ok());
  REQUIRE(platform::MacKeys::LoadOrCreate(file).ok());
  CHECK_THAT(says({"use"}), Catch::StartsWith("1 ") && Catch::Contains("NO_NEXT_KEY"));
  CHECK_THAT(says({"add", "--now"}), Catch::StartsWith("2 "));
  CHECK_THAT(says({"add"}), Catch::StartsWith("0 2  next"));
  CHECK_THAT(says({"use"}), Catch::StartsWith("1 ") && Catch::Contains("KEY_TOO_NEW"));
  CHECK_THAT(says({"use", "--now"}), Catch::StartsWith("0 2  signs"));
  CHECK_THAT(says({"drop"}), Catch::StartsWith("1 ") && Catch::Contains("KEY_IN_USE"));
  CHECK_THAT(says({"list"}), Catch::StartsWith("0 KEY") && Catch::Contains("retired"));
  CHECK_THAT(says({"drop", "--now"}), Catch::StartsWith("0 1  dropped"));
  CHECK(platform::ReadKeyFile(file)->size() == 1);
}

}  // namespace
}  // namespace kantoku::test

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/e2e/cli/system.h"
#include "tests/e2e/up.h"

// Control as a user has it, down to the processes that really stop.
namespace kantoku::test {
namespace {

// The state of the process whose number is in that file, as the kernel's letter; - when it is gone.
std::string ProcessState(const System& system, const std::string& file) {
  return system.Ask(
      absl::StrCat("ps -o state= -p $(cat ", file, ") 2>/dev/null | cut -c1 || true"));
}

bool ProcessBecomes(const System& system, const std::string& file, const std::string& state) {
  return Becomes([&] { return ProcessState(system, file) == state; });
}

std::string StateOf(const System& system, const std::string& id) {
  return nlohmann::json::parse(system.Ask("kantoku get --json " + id))["state"];
}

// Starts an executor for `root`, which spawns a `leaf` below it, both with a grandchild that writes
// down its number; the root's id.
std::string StartTree(System& system) {
  system.StartExecutor(
      {"--concurrency", "2", "--shell",
       "root=kantoku spawn leaf >&2; sleep 1000 & echo $! > root.tmp; mv root.tmp root.pid; wait",
       "--shell", "leaf=sleep 1000 & echo $! > leaf.tmp; mv leaf.tmp leaf.pid; wait"});
  std::string root = system.Ask("kantoku spawn root");
  REQUIRE(Becomes([&] { return system.Sh("test -e root.pid -a -e leaf.pid").code == 0; }));
  return root;
}

TEST_CASE("Who interrupts a tree stops its processes, and theirs") {
  System system;
  const std::string root = StartTree(system);
  CHECK(system.Ask("kantoku list --json --root " + root + " | wc -l") == "2");
  system.Ask("kantoku interrupt --tree " + root);
  CHECK(ProcessBecomes(system, "root.pid", ""));
  CHECK(ProcessBecomes(system, "leaf.pid", ""));
  CHECK(system.Sh("kantoku await " + root).code != 0);
  CHECK(Becomes([&] {
    return system.Ask("kantoku list --json --state cancelled --root " + root + " | wc -l") == "2";
  }));
}

TEST_CASE("A paused tree stands still down to its processes, and goes on when it is resumed") {
  System system;
  const std::string root = StartTree(system);
  system.Ask("kantoku pause --tree " + root);
  CHECK(ProcessBecomes(system, "root.pid", "T"));
  CHECK(ProcessBecomes(system, "leaf.pid", "T"));
  CHECK(Becomes([&] { return StateOf(system, root) == "paused"; }));
  system.Ask("kantoku resume --tree " + root);
  CHECK(ProcessBecomes(system, "root.pid", "S"));
  CHECK(ProcessBecomes(system, "leaf.pid", "S"));
  CHECK(Becomes([&] { return StateOf(system, root) == "running"; }));
  system.Ask("kantoku cancel --tree " + root);
  CHECK(ProcessBecomes(system, "leaf.pid", ""));
}

}  // namespace
}  // namespace kantoku::test

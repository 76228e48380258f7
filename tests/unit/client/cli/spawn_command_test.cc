#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/client/cli/cli_world.h"

// spawn and await, over the fake.
namespace kantoku::cli::testing {
namespace {

const std::string kBinary("\x00\xff\n\x1b[2J", 7);
constexpr char kUnknownId[] = "01900000-0000-7000-8000-000000000001";

absl::StatusOr<std::string> Echo(const TaskSpec& spec) { return spec.payload; }

absl::StatusOr<std::string> FailFinally(const TaskSpec& spec) {
  return FakeKantoku::FailFinally("HANDLER_FAILED", spec.payload);
}

TEST_CASE("spawn takes deadlines, and no timeout of attempts") {
  CliWorld world;
  const Said said = world.Run(
      {"spawn", "t", "--attempt-timeout", "none", "--expire-after", "1h", "--total-timeout", "2h"});
  REQUIRE(said.code == 0);
  const TaskSpec spec = world.fake.spawned()[0];
  CHECK(spec.timeout == absl::InfiniteDuration());
  CHECK(spec.expire_at == world.fake.Now() + absl::Hours(1));
  CHECK(spec.total_timeout == absl::Hours(2));
}

TEST_CASE("spawn prints the id of a task that is what the options say") {
  CliWorld world;
  const Said said = world.Run(
      {"spawn", "resize",     "bytes", "--content-type", "image/png",    "--reference",
       "mine",  "--priority", "-7",    "--delay",        "30s",          "--attempt-timeout",
       "1m30s", "--attempts", "4",     "--no-retry",     "NO_SUCH_FILE", "--no-retry",
       "FULL",  "--effect",   "pure",  "--server",       "far:1",        "--namespace",
       "lab"});
  CHECK(said.code == 0);
  CHECK(said.err.empty());
  REQUIRE(world.fake.spawned().size() == 1);
  const TaskSpec spec = world.fake.spawned()[0];
  CHECK(spec.type == "resize");
  CHECK(spec.payload == "bytes");
  CHECK(spec.content_type == "image/png");
  CHECK(spec.reference == "mine");
  CHECK(spec.priority == -7);
  CHECK(spec.not_before == world.fake.Now() + absl::Seconds(30));
  CHECK(spec.timeout == absl::Seconds(90));
  CHECK(spec.retry->max_attempts == 4);
  CHECK(spec.retry->non_retryable_reasons == std::vector<std::string>{"NO_SUCH_FILE", "FULL"});
  CHECK(spec.effect == EffectClass::kPure);
  CHECK(world.address == "far:1");
  CHECK(world.options.namespace_name == "lab");
  const auto id = TaskId::Parse(said.out_lines().at(0));
  REQUIRE(id.ok());
  CHECK(world.fake.Connect().Get(*id)->namespace_name == "lab");
}

TEST_CASE("spawn --reuse takes the result of an equal PURE task, and its id is printed") {
  CliWorld world;
  world.fake.Handle("square", [](const TaskSpec& spec) { return spec.payload + spec.payload; });
  const std::vector<std::string> spawn = {"spawn", "square",  "a", "--effect",
                                          "pure",  "--reuse", "1h"};
  const Said first = world.Run(spawn);
  CHECK(first.code == 0);
  CHECK(world.fake.spawned()[0].reuse_within == absl::Hours(1));
  CHECK(world.Run(spawn).out == first.out);
  CHECK(world.Run({"spawn", "square", "a", "--reuse", "1h", "--await"}).out == "aa");
  const Said json = world.Run({"spawn", "square", "a", "--reuse", "1h", "--json"});
  CHECK(nlohmann::json::parse(json.out)["reused"] == true);
  CHECK(world.fake.spawned().size() == 1);
  CHECK(world.Run({"spawn", "t", "--reuse", "1h", "--effect", "once"}).code != 0);
  CHECK(world.Run({"spawn", "t", "--reuse", "soon"}).code == 2);
}

TEST_CASE("spawn --on and its like say where the task may run") {
  CliWorld world;
  CHECK(world
            .Run({"spawn", "t", "--on", "gpu == \"true\"", "--on-executor", "lab-3", "--on-app",
                  "bench", "--on-owner", "anna"})
            .code == 0);
  CHECK(world.Run({"spawn", "t"}).code == 0);
  CHECK(world.fake.spawned()[0].placement ==
        PlacementPolicy{
            .selector = "gpu == \"true\"", .executor = "lab-3", .app = "bench", .owner = "anna"});
  CHECK(world.fake.spawned()[1].placement == std::nullopt);
}

TEST_CASE(
    "A payload comes from the command line, from a file or from standard input, to the byte") {
  CliWorld world;
  const test::TempDir directory;
  std::ofstream(directory.File("payload"), std::ios::binary) << kBinary;
  std::ofstream(directory.File("empty")) << "";
  world.in = kBinary;
  CHECK(world.Run({"spawn", "t", "--file", directory.File("payload")}).code == 0);
  CHECK(world.Run({"spawn", "t", "-"}).code == 0);
  CHECK(world.Run({"spawn", "t", "--file", "-"}).code == 0);
  CHECK(world.Run({"spawn", "t"}).code == 0);
  CHECK(world.Run({"spawn", "t", "--file", directory.File("empty")}).code == 0);
  const auto specs = world.fake.spawned();
  REQUIRE(specs.size() == 5);
  for (int i = 0; i < 3; ++i) CHECK(specs[i].payload == kBinary);
  for (int i = 3; i < 5; ++i) CHECK(specs[i].payload.empty());
}

TEST_CASE("spawn --json prints one object with the fields that are promised") {
  CliWorld world;
  const Said said = world.Run({"spawn", "t", "--json"});
  CHECK(said.code == 0);
  CHECK(said.out_fields() == "task_id created reused created_at");
  const auto again = nlohmann::json::parse(world.Run({"spawn", "t", "--json"}).out);
  CHECK(again["created"] == true);
  CHECK(again["created_at"] == "2026-01-01T00:00:00.000Z");
}

TEST_CASE("A result goes into a pipe to the byte, and onto a terminal as whole lines") {
  CliWorld world;
  world.fake.Handle("echo", Echo);
  CHECK(world.Run({"spawn", "echo", "no end", "--await"}).out == "no end");
  CHECK(world.Run({"spawn", "echo", "end\n", "--await"}).out == "end\n");
  world.in = kBinary;
  CHECK(world.Run({"spawn", "echo", "-", "--await"}).out == kBinary);
  world.out_is_terminal = true;
  CHECK(world.Run({"spawn", "echo", "no end", "--await"}).out == "no end\n");
  CHECK(world.Run({"spawn", "echo", "end\n", "--await"}).out == "end\n");
}

TEST_CASE("A result that is no text is kept off a terminal, and says so") {
  CliWorld world;
  world.fake.Handle("echo", Echo);
  world.out_is_terminal = true;
  world.in = kBinary;
  const Said said = world.Run({"spawn", "echo", "-", "--await"});
  CHECK(said.code == 0);
  CHECK(said.out.empty());
  CHECK(said.err.ends_with(
      "its result is no text (7 bytes); redirect the output into a file to get it\n"));
}

TEST_CASE("A task that failed is one line on standard error and exit code 5") {
  CliWorld world;
  world.fake.Handle("fail", FailFinally);
  const Said said = world.Run({"spawn", "fail", "two\nlines \x1b[31m", "--await"});
  CHECK(said.code == 5);
  CHECK(said.out.empty());
  CHECK(said.err.starts_with("kantoku: task "));
  CHECK(said.err.ends_with(" failed: HANDLER_FAILED: two lines [31m\n"));
}

TEST_CASE("As JSON every end is told with the same fields") {
  CliWorld world;
  world.fake.Handle("echo", Echo);
  world.fake.Handle("fail", FailFinally);
  const std::string fields = "task_id status dispatch ended_at data data_base64 content_type error";
  const Said good = world.Run({"spawn", "echo", "text", "--await", "--json"});
  CHECK(good.code == 0);
  CHECK(good.out_fields() == fields);
  const auto json = nlohmann::json::parse(good.out);
  CHECK(json["status"] == "succeeded");
  CHECK(json["data"] == "text");
  CHECK(json["data_base64"].is_null());
  CHECK(json["error"].is_null());

  world.in = "\xff\x00";
  const Said binary = world.Run({"spawn", "echo", "-", "--await", "--json"});
  CHECK(binary.out_fields() == fields);
  CHECK(nlohmann::json::parse(binary.out)["data"].is_null());
  CHECK(nlohmann::json::parse(binary.out)["data_base64"] == "/w==");

  const Said bad = world.Run({"spawn", "fail", "why", "--await", "--json"});
  CHECK(bad.code == 5);
  CHECK(bad.out_fields() == fields);
  CHECK(nlohmann::json::parse(bad.out)["error"] ==
        nlohmann::json({{"reason", "HANDLER_FAILED"}, {"message", "why"}}));
  CHECK(bad.err.empty());
}

TEST_CASE("What is wrong with a spawn is one line that names it, and exit code 2") {
  CliWorld world;
  const test::TempDir directory;
  const std::string missing = directory.File("missing");
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"spawn"}, "kantoku spawn: type is required; see kantoku spawn --help\n"},
      {{"spawn", "t", "p", "--file", missing}, "kantoku spawn: payload excludes --file; see "},
      {{"spawn", "t", "--file", missing},
       absl::StrCat("kantoku: ", missing,
                    ": No such file or directory (INVALID_ARGUMENT, UNREADABLE_FILE)\n")},
      {{"spawn", "t", "--file", directory.path()},
       absl::StrCat("kantoku: ", directory.path(),
                    ": Is a directory (INVALID_ARGUMENT, UNREADABLE_FILE)\n")},
      {{"spawn", "t", "--delay", "soon"},
       "kantoku: --delay: \"soon\" is no duration such as 500ms, 30s, 1h30m "
       "(INVALID_ARGUMENT, INVALID_DURATION)\n"},
      {{"spawn", "t", "--delay=-1s"}, "kantoku: "},
      {{"spawn", "t", "--attempt-timeout", "x"},
       "kantoku: --attempt-timeout: \"x\" is no duration"},
      {{"spawn", "t", "--priority", "high"}, "kantoku spawn: "},
      {{"spawn", "t", "--attempts", "many"}, "kantoku spawn: "},
      {{"spawn", "t", "--attempts", "0"}, "kantoku spawn: "},
      {{"spawn", "t", "--effect", "twice"},
       "kantoku spawn: --effect: twice not in {idempotent,once,pure}"},
      {{"spawn", "t", "--nonsense"}, "kantoku spawn: "},
      {{"spawn", ""}, "kantoku: type is empty (INVALID_ARGUMENT, INVALID_TYPE)\n"},
  };
  for (const auto& [arguments, line] : cases) {
    const Said said = world.Run(arguments);
    INFO(line << " but said " << said.err);
    CHECK(said.code == 2);
    CHECK(said.out.empty());
    CHECK(said.err.starts_with(line));
    CHECK(said.err.find('\n') == said.err.size() - 1);
  }
  CHECK(world.fake.spawned().empty());
}

TEST_CASE("A reference that is taken is refused with code and reason, and exit code 1") {
  CliWorld world;
  const std::string id = world.Spawn({"t", "a", "--reference", "r"});
  CHECK(world.Run({"spawn", "t", "a", "--reference", "r"}).out == id + "\n");
  const Said said = world.Run({"spawn", "t", "b", "--reference", "r"});
  CHECK(said.code == 1);
  CHECK(said.err ==
        "kantoku: reference r belongs to another task (ALREADY_EXISTS, REFERENCE_TAKEN)\n");
}

TEST_CASE("await prints several results as lines, in the order asked for") {
  CliWorld world;
  world.fake.Handle("echo", Echo);
  const std::string first = world.Spawn({"echo", "one"});
  const std::string second = world.Spawn({"echo", "two\n"});
  const Said said = world.Run({"await", second, first});
  CHECK(said.code == 0);
  CHECK(said.out == "two\none\n");
  CHECK(world.Run({"await", first}).out == "one");
}

TEST_CASE("Of several tasks the first that did not end well decides the exit code") {
  CliWorld world;
  world.fake.Handle("echo", Echo);
  world.fake.Handle("fail", FailFinally);
  const std::string good = world.Spawn({"echo", "one"});
  const std::string bad = world.Spawn({"fail"});
  CHECK(world.Run({"await", good, bad, kUnknownId}).code == 5);
  const Said said = world.Run({"await", kUnknownId, bad, good});
  CHECK(said.code == 3);
  CHECK(said.out == "one\n");
  CHECK(said.err.starts_with(
      absl::StrCat("kantoku: task ", kUnknownId, " is unknown (NOT_FOUND, UNKNOWN_TASK)\n")));
}

TEST_CASE("An id that is none is told before anything is asked") {
  CliWorld world;
  world.connection = std::make_shared<RefusingConnection>(absl::UnavailableError("away"));
  for (const std::string command : {"await", "get", "cancel"}) {
    const Said said = world.Run({command, "01900000"});
    INFO(said.err);
    CHECK(said.code == 2);
    CHECK(said.err.starts_with("kantoku: "));
    CHECK(said.err.find("\"01900000\"") != std::string::npos);
    CHECK(said.err.ends_with("(INVALID_ARGUMENT, INVALID_ID)\n"));
  }
}

}  // namespace
}  // namespace kantoku::cli::testing

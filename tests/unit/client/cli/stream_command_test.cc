#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "kantoku/fake.h"
#include "tests/unit/client/cli/cli_world.h"

namespace kantoku::cli::testing {
namespace {

using Lines = std::vector<std::string>;

// Yields two items; the first run fails after one of them.
class CountingWorld : public CliWorld {
 public:
  CountingWorld() {
    fake.HandleGenerator("count",
                         [this](const TaskSpec& spec,
                                const FakeKantoku::Yield& yield) -> absl::StatusOr<std::string> {
                           yield("one", "text/plain");
                           if (spec.payload == "restart" && ++runs_ == 1)
                             return absl::InternalError("broken");
                           yield("two\n", "text/plain");
                           if (spec.payload == "fail")
                             return FakeKantoku::FailFinally("BROKEN", "as was asked for");
                           return spec.payload == "restart" ? "done" : spec.payload;
                         });
  }

 private:
  int runs_ = 0;
};

TEST_CASE("stream prints each item on a line, and then a result that is not empty") {
  CountingWorld world;
  const Said said = world.Run({"stream", world.Spawn({"count", "the result"})});
  CHECK(said.code == 0);
  CHECK(said.out == "one\ntwo\nthe result\n");
  CHECK(said.err.empty());
  CHECK(world.Run({"stream", world.Spawn({"count", ""})}).out == "one\ntwo\n");
}

TEST_CASE("stream says that a task began again whose last run yields nothing") {
  CliWorld world;
  int runs = 0;
  world.fake.HandleGenerator(
      "once", [&](const TaskSpec&, const FakeKantoku::Yield& yield) -> absl::StatusOr<std::string> {
        if (++runs > 1) return "done";
        yield("one", "text/plain");
        return absl::InternalError("broken");
      });
  const std::string id = world.Spawn({"once", ""});
  world.fake.AdvanceTime(absl::Minutes(1));
  const Said said = world.Run({"stream", id});
  CHECK(said.out == "one\ndone\n");
  CHECK(said.err == "kantoku: the task began again (dispatch 2)\n");
  CHECK(world.Run({"stream", id, "--json"}).err.empty());
}

TEST_CASE("stream begins where --from says") {
  CountingWorld world;
  const std::string id = world.Spawn({"count", "restart"});
  world.fake.AdvanceTime(absl::Minutes(1));
  const Said all = world.Run({"stream", id});
  CHECK(all.out_lines() == Lines{"one", "one", "two", "done"});
  CHECK(all.err == "kantoku: the task began again (dispatch 2)\n");
  CHECK(world.Run({"stream", id, "--from", "2:2"}).out_lines() == Lines{"two", "done"});
  CHECK(world.Run({"stream", id, "--from", "2"}).out_lines() == Lines{"one", "two", "done"});
  for (const std::string from : {"0", "x", "0:1", "1:0", "1:", ":1", "1:2:3", "-1"}) {
    const Said said = world.Run({"stream", id, absl::StrCat("--from=", from)});
    INFO(from);
    CHECK(said.code == 2);
    CHECK(said.err.find("--from") != std::string::npos);
  }
}

TEST_CASE("stream --json prints an object for each item, and one for the end") {
  CountingWorld world;
  const Said said = world.Run({"stream", world.Spawn({"count", "done"}), "--json"});
  const Lines lines = said.out_lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == R"({"dispatch":1,"sequence":1,"data":"one","data_base64":null,)"
                    R"("content_type":"text/plain","restarted":false})");
  CHECK(lines[2].find(R"("status":"succeeded")") != std::string::npos);
}

TEST_CASE("stream says how a task ended that did not succeed, and that there is none") {
  CountingWorld world;
  const Said failed = world.Run({"stream", world.Spawn({"count", "fail"})});
  CHECK(failed.code == 5);
  CHECK(failed.out == "one\ntwo\n");
  CHECK(failed.err.find("BROKEN") != std::string::npos);
  CHECK(world.Run({"stream", "01900000-0000-7000-8000-000000000001"}).code == 3);
}

TEST_CASE("spawn --stream prints what the task yields") {
  CountingWorld world;
  CHECK(world.Run({"spawn", "count", "done", "--stream"}).out == "one\ntwo\ndone\n");
  CHECK(world.Run({"spawn", "count", "--stream", "--await"}).code == 2);
}

TEST_CASE("A terminal is spared items that are no text") {
  CliWorld world;
  world.out_is_terminal = true;
  world.fake.HandleGenerator(
      "bytes", [](const TaskSpec&, const FakeKantoku::Yield& yield) -> absl::StatusOr<std::string> {
        yield(std::string("\0\xff", 2), "");
        yield("text", "");
        return "";
      });
  const Said said = world.Run({"spawn", "bytes", "--stream"});
  CHECK(said.out == "text\n");
  CHECK(said.err.find("item 1 is no text (2 bytes)") != std::string::npos);
}

}  // namespace
}  // namespace kantoku::cli::testing

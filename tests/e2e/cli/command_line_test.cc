#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/e2e/cli/system.h"

// The real `kantoku` against a real server, as a user's script would use it.
namespace kantoku::test {
namespace {

using Json = nlohmann::json;

constexpr char kUnknownId[] = "01900000-0000-7000-8000-000000000001";

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("A task goes from spawn to its result, and every command knows of it") {
  System system;
  system.StartExecutor({"--name", "hasher", "--run", "file.sha256=sha256sum"});
  const std::string wanted = system.Ask("printf 'Hello world' | sha256sum");
  CHECK(system.Ask("kantoku spawn file.sha256 'Hello world' --await") == wanted);

  const std::string id = system.Ask("kantoku spawn file.sha256 'Hello world' --reference mine");
  CHECK(system.Ask("kantoku spawn file.sha256 'Hello world' --reference mine") == id);
  CHECK(system.Ask("kantoku await " + id) == wanted);
  const Json output = Json::parse(system.Ask("kantoku await --json " + id));
  CHECK(output["status"] == "succeeded");
  CHECK(output["data"] == wanted + "\n");

  const std::string details = system.Ask("kantoku get " + id);
  CHECK(Has(details, "state      succeeded\n"));
  CHECK(Has(details, "reference  mine\n"));
  CHECK(Json::parse(system.Ask("kantoku get --json " + id))["state"] == "succeeded");
  CHECK(system.Ask("kantoku list --state succeeded | grep -c file.sha256") == "2");
  CHECK(system.Ask("kantoku list --json | wc -l") == "2");
  CHECK(Has(system.Ask("kantoku executors"), "  hasher  connected  0/"));
  CHECK(Json::parse(system.Ask("kantoku executors --json"))["types"] == Json({"file.sha256"}));
}

TEST_CASE("events tells what happened to a task, now and as it happens") {
  System system;
  const auto follower = system.Start("exec kantoku events --follow --json --limit 1");
  // It hears what happens after it has subscribed, so something happens until it has heard.
  while (follower->running()) system.Ask("kantoku spawn some.type");
  CHECK(follower->AwaitExit()->code == 0);
  CHECK(Json::parse(follower->output())["type"] == "task.created");

  const std::string id = system.Ask("kantoku spawn other.type");
  system.Ask("kantoku cancel " + id);
  system.Ask(absl::StrCat("kantoku events --follow --limit 1 --type 'task.cancelled,task.finished'",
                          " --after $(kantoku events --json --task ", id,
                          " --limit 1 | sed 's/.*\"position\":\"\\([^\"]*\\)\".*/\\1/')"));
  const std::string events = system.Ask("kantoku events --task " + id);
  CHECK(Has(events, "  task.created  "));
  CHECK(Has(events, id + "  other.type"));
}

TEST_CASE("A command's lines are streamed as they are written, and again from any of them on") {
  System system;
  system.Write("executor.yaml",
               "types: {count: {shell: 'seq $(cat)', items: lines, content_type: text/plain}}");
  system.StartExecutor({"--config", system.File("executor.yaml")});
  CHECK(system.Ask("kantoku spawn count 3 --stream") == "1\n2\n3");
  const std::string id = system.Ask("kantoku spawn count 5000");
  CHECK(system.Ask("kantoku stream " + id + " | cmp - <(seq 5000)").empty());
  CHECK(system.Ask("kantoku stream " + id + " --from 4999") == "4999\n5000");
  CHECK(system.Ask("kantoku stream " + id + " --from 1:5000") == "5000");
  const Json item = Json::parse(system.Ask("kantoku stream --json " + id + " | head -n 1"));
  CHECK(item["sequence"] == 1);
  CHECK(item["data"] == "1");
  CHECK(item["content_type"] == "text/plain");
  CHECK(Json::parse(system.Ask("kantoku stream --json " + id + " | tail -n 1"))["status"] ==
        "succeeded");
}

TEST_CASE("map runs files and lines, prints results in order and is silent beside") {
  System system;
  system.StartExecutor({"--run", "file.sha256=sha256sum", "--shell", "text.upper=tr a-z A-Z"});
  system.Ask("mkdir files && for i in $(seq 9); do echo content $i > files/$i; done");
  const std::string wanted =
      system.Ask("for f in files/*; do printf '%s\\t%s\\n' $f \"$(sha256sum < $f)\"; done");
  CHECK(system.Ask("kantoku map --type file.sha256 files/*") == wanted);
  CHECK(system.Ask("printf 'one\\ntwo\\nthree' | kantoku map --type text.upper") ==
        "line 1\tONE\nline 2\tTWO\nline 3\tTHREE");
  const Json json =
      Json::parse(system.Ask("printf 'one\\n' | kantoku map --type text.upper --json"));
  CHECK(json["item"] == "line 1");
  CHECK(json["data"] == "ONE");
}

TEST_CASE("map shows its progress on a terminal") {
  System system;
  system.StartExecutor({"--shell", "text.upper=tr a-z A-Z"});
  // script(1) gives it a terminal.
  const std::string said =
      system.Ask("seq 20 > lines; script -qec 'kantoku map --type text.upper < lines' /dev/null");
  CHECK(Has(said, "20 of 20 done"));
  CHECK(Has(said, "\r\x1b[Kline 20\t20"));
}

TEST_CASE("Bytes go through as they are") {
  System system;
  system.StartExecutor({"--run", "cat=cat"});
  system.Ask("head -c 300000 /dev/urandom > bytes");
  CHECK(system.Ask("kantoku spawn cat --file bytes --await | cmp - bytes").empty());
  CHECK(system.Ask("kantoku spawn cat - --await < bytes | cmp - bytes").empty());
  CHECK(Has(system.Ask("script -qec 'kantoku spawn cat --file bytes --await' /dev/null"),
            "its result is no text (293.0 KiB)"));
}

TEST_CASE("A task that fails says why in one line, and exits with 5") {
  System system;
  system.StartExecutor({"--shell", "fail=echo the disk is on fire >&2; exit 3"});
  const Said said = system.Sh("kantoku spawn fail --attempts 1 --await");
  CHECK(said.code == 5);
  CHECK(said.out.empty());
  CHECK(said.err.starts_with("kantoku: task "));
  CHECK(Has(said.err, " failed: "));
  CHECK(Has(said.err, "the disk is on fire"));
  CHECK(said.err.find('\n') == said.err.size() - 1);
  const Said json = system.Sh("kantoku spawn fail --attempts 1 --await --json");
  CHECK(json.code == 5);
  CHECK(json.err.empty());
  CHECK(Json::parse(json.out)["status"] == "failed");
  const Said map = system.Sh("echo line | kantoku map --type fail --attempts 1");
  CHECK(map.code == 5);
  CHECK(map.err.starts_with("kantoku: line 1: failed: "));
}

TEST_CASE("A task that waits says for what, and can be cancelled") {
  System system;
  const std::string id = system.Ask("kantoku spawn nobody.does.this");
  CHECK(Has(system.Ask("kantoku list"), "  nobody.does.this  ready  an executor of its type  "));
  CHECK(
      Has(system.Ask("kantoku get " + id), "state      ready, waits for an executor of its type"));
  const Said late = system.Sh("kantoku await --timeout 3 " + id);
  CHECK(late.code == 4);
  CHECK(Has(late.err, "(DEADLINE_EXCEEDED"));
  // Its end is decided then, and may be on its way to Outputs.
  const std::string state = system.Ask("kantoku cancel " + id);
  CHECK((state == id + "  settling" || state == id + "  cancelled"));
  const Said cancelled = system.Sh("kantoku await " + id);
  CHECK(cancelled.code == 5);
  CHECK(cancelled.err.starts_with(absl::StrCat("kantoku: task ", id, " cancelled")));
  CHECK(system.Sh("kantoku cancel " + id).code == 1);
  CHECK(system.Sh(absl::StrCat("kantoku get ", kUnknownId)).code == 3);
  CHECK(system.Sh(absl::StrCat("kantoku await ", kUnknownId)).code == 3);
  CHECK(system.Sh("kantoku get nonsense").code == 2);
  CHECK(system.Sh("kantoku spawn ''").code == 2);
  CHECK(system.Sh("kantoku spawn t --priority 5000").code == 2);
}

TEST_CASE("A task that runs is cancelled when its executor confirms") {
  System system;
  system.StartExecutor({"--shell", absl::StrCat("block=echo run > ", system.File("started"),
                                                "; exec tail -f /dev/null")});
  const auto spawned = system.Start("exec kantoku spawn block --await --reference mine");
  REQUIRE(spawned->AwaitFile(system.File("started")).ok());
  const std::string id = system.Ask("kantoku spawn block --reference mine");
  CHECK(system.Ask("kantoku cancel " + id) == id + "  cancelling");
  CHECK(spawned->AwaitExit()->code == 5);
  CHECK(Has(spawned->output(), absl::StrCat("task ", id, " cancelled")));
}

}  // namespace
}  // namespace kantoku::test

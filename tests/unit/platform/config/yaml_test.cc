#include "services/platform/config/yaml.h"

#include <catch2/catch.hpp>

#include "kantoku/config/v1/config.pb.h"
#include "services/platform/config/defaults.h"
#include "services/platform/config/quantities.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

namespace configpb = ::kantoku::config::v1;

absl::Status Read(std::string_view text, configpb::Config& config) {
  ConfigOrigins origins;
  return ReadYaml("k.yaml", text, config, origins);
}

std::string FaultOf(std::string_view text) {
  configpb::Config config;
  const absl::Status status = Read(text, config);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "INVALID_CONFIG");
  return std::string(status.message());
}

TEST_CASE("A file sets the fields that it names") {
  configpb::Config config;
  REQUIRE(Read(R"(
# A comment.
server: {listen: "127.0.0.1:1"}
inputs:
  store:
    sqlite:
      directory: /var/lib/x
  namespaces: [default, {name: other}]
  max_payload_bytes: 1MiB
  max_session_credit: 7
  grace: 1m30s
  events: false
outputs:
  store: memory
log:
  level: debug
)",
               config)
              .ok());
  CHECK(config.server().listen() == "127.0.0.1:1");
  CHECK(config.inputs().store().sqlite().directory() == "/var/lib/x");
  REQUIRE(config.inputs().namespaces_size() == 2);
  CHECK(config.inputs().namespaces(0).name() == "default");
  CHECK(config.inputs().namespaces(1).name() == "other");
  CHECK(config.inputs().max_payload_bytes() == 1u << 20);
  CHECK(config.inputs().max_session_credit() == 7);
  CHECK(FromProto(config.inputs().grace()) == absl::Seconds(90));
  CHECK(config.inputs().has_events());
  CHECK_FALSE(config.inputs().events());
  CHECK(config.outputs().store().has_memory());
  CHECK(config.log().level() == configpb::LOG_LEVEL_DEBUG);
  CHECK_FALSE(config.has_events());
}

TEST_CASE("Empty files, empty sections and empty choices are fine") {
  configpb::Config config;
  CHECK(Read("", config).ok());
  CHECK(Read("# nothing\n", config).ok());
  CHECK(Read("inputs:\noutputs:\n  store:\n    memory:\n", config).ok());
  CHECK(config.outputs().store().has_memory());
}

TEST_CASE("A fault names line, field, value and what would be right") {
  const auto [text, message] = GENERATE(table<std::string, std::string>({
      {"inputs:\n  max_payload_bytse: 1\n",
       "k.yaml:2: inputs.max_payload_bytse: no such field; did you mean max_payload_bytes?"},
      {"zzzzzz: 1\n",
       "k.yaml:1: zzzzzz: no such field; there are server, inputs, outputs, events, log, auth"},
      {"\n\ninputs:\n  grace: 5\n",
       "k.yaml:4: inputs.grace: 5 is no duration such as 500ms, 2s, 1m, 1h or 7d"},
      {"inputs:\n  max_payload_bytes: many\n",
       "k.yaml:2: inputs.max_payload_bytes: many is no number or size such as 4MiB"},
      {"inputs:\n  max_payload_bytes: 0\n",
       "k.yaml:2: inputs.max_payload_bytes: 0 is not at least 1"},
      {"inputs:\n  max_session_credit: 5000000000\n",
       "k.yaml:2: inputs.max_session_credit: 5000000000 is not at most 4294967295"},
      {"inputs:\n  events: maybe\n", "k.yaml:2: inputs.events: maybe is neither true nor false"},
      {"log:\n  level: loud\n", "k.yaml:2: log.level: loud is none of debug, info, warn, error"},
      {"inputs:\n  namespaces: default\n", "k.yaml:2: inputs.namespaces: is not a list"},
      {"inputs:\n  namespaces: [[a]]\n", "k.yaml:2: inputs.namespaces: is not a plain value"},
      {"inputs:\n  namespaces:\n  - name: a\n  - nmae: b\n",
       "k.yaml:4: inputs.namespaces[1].nmae: no such field; did you mean name?"},
      {"inputs:\n  grace: [1s]\n", "k.yaml:2: inputs.grace: is not a plain value"},
      {"inputs:\n  grace:\n", "k.yaml:2: inputs.grace: has no value"},
      {"inputs: 5\n",
       "k.yaml:1: inputs: has fields of its own: store, outputs_address, events_address, "
       "namespaces, max_payload_bytes, max_pending_tasks, max_session_credit, ping_interval, "
       "grace, start_timeout, cancel_timeout, history, max_history_tasks, dead_retention, "
       "max_dead_bytes, payload_cache_bytes, events, max_event_backlog_bytes, max_task_types, "
       "max_selectors, max_dependencies, max_keys, max_info_bytes, database_roles"},
      {"inputs: [1]\n", "k.yaml:1: inputs: is not a mapping of fields"},
      {"- 1\n", "k.yaml:1: is not a mapping of fields"},
      {"inputs:\n  grace: 1s\n  grace: 2s\n", "k.yaml:3: inputs.grace: is there twice"},
      {"inputs:\n  store:\n    sqlite:\n    memory:\n",
       "k.yaml:4: inputs.store.memory: stands beside sqlite; choose one"},
      {"inputs:\n  store: oracle\n",
       "k.yaml:2: inputs.store: oracle is none of sqlite, memory, "
       "postgres, remote"},
      {"server:\n  listen: \"\xff\"\n", "k.yaml:2: server.listen: is not UTF-8"},
      {"{[a]: 1}\n", "k.yaml:1: a field's name is no plain word"},
      {"---\ninputs:\n---\ninputs:\n", "k.yaml: holds more than one YAML document"},
  }));
  CHECK(FaultOf(text) == message);
}

TEST_CASE("Text that is no YAML is one line with its place") {
  CHECK_THAT(FaultOf("inputs:\n  - {\n"), Catch::StartsWith("k.yaml:3: is not YAML: "));
  CHECK(FaultOf("a: \"\n").find('\n') == std::string::npos);
}

TEST_CASE("Values of outsiders are clipped and stay on one line") {
  const std::string fault =
      FaultOf("inputs:\n  grace: \"a\\nb" + std::string(10'000, 'x') + "\"\n");
  CHECK(fault.size() < 200);
  CHECK(fault.find('\n') == std::string::npos);
}

TEST_CASE("What is printed is read back as it was") {
  configpb::Config config;
  config.mutable_server()->set_data_dir("/tmp/a: b # \"c\" 'd' ü");
  config.mutable_inputs()->add_namespaces()->set_name("default");
  config.mutable_inputs()->add_namespaces()->set_name("true");
  config.mutable_inputs()->set_events(false);
  config.mutable_outputs()->mutable_store()->mutable_memory();
  FillDefaults(config);
  configpb::Config back;
  const std::string text = ToYaml(config);
  INFO(text);
  REQUIRE(Read(text, back).ok());
  CHECK(back.SerializeAsString() == config.SerializeAsString());
}

TEST_CASE("Printed values look as people write them") {
  configpb::Config config;
  FillDefaults(config);
  const std::string text = ToYaml(config);
  CHECK_THAT(text, Catch::Contains("  grace: 20s\n") && Catch::Contains("  level: info\n") &&
                       Catch::Contains("  dead_retention: 7d\n") &&
                       Catch::Contains("  max_payload_bytes: 4194304\n"));
}

}  // namespace
}  // namespace kantoku::platform

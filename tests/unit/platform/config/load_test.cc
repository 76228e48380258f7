#include "services/platform/config/load.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "services/platform/config/quantities.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

class File {
 public:
  explicit File(const std::string& content) {
    std::string path = (std::filesystem::temp_directory_path() / "kantoku-XXXXXX").string();
    ::close(::mkstemp(path.data()));
    path_ = path;
    std::ofstream(path_) << content;
  }
  ~File() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

absl::Duration GraceOf(const ConfigSources& sources) {
  return FromProto(LoadConfig(sources).value().inputs().grace());
}

TEST_CASE("Options win over the environment, which wins over the file") {
  const File file("inputs:\n  grace: 1s\n");
  ConfigSources sources;
  CHECK(GraceOf(sources) == absl::Seconds(20));
  sources.file = file.path();
  CHECK(GraceOf(sources) == absl::Seconds(1));
  sources.environment = {"PATH=/bin", "KANTOKU_INPUTS__GRACE=2s", "KANTOKU_BIN_DIR=/x"};
  CHECK(GraceOf(sources) == absl::Seconds(2));
  sources.overrides = {"inputs.grace=3s"};
  CHECK(GraceOf(sources) == absl::Seconds(3));
  sources.overrides.push_back("inputs.grace=4s");
  CHECK(GraceOf(sources) == absl::Seconds(4));
}

TEST_CASE("Fields of every depth, lists and choices can be overridden") {
  const File file("inputs:\n  namespaces: [a]\n  store:\n    sqlite:\n      directory: x\n");
  const auto config = LoadConfig(
      {.file = file.path(),
       .environment = {"KANTOKU_INPUTS__NAMESPACES=b,c", "KANTOKU_OUTPUTS__STORE=memory"},
       .overrides = {"inputs.store.sqlite.directory=y=z"}});
  REQUIRE(config.ok());
  REQUIRE(config->inputs().namespaces_size() == 2);
  CHECK(config->inputs().namespaces(1).name() == "c");
  CHECK(config->inputs().store().sqlite().directory() == "y=z");
  CHECK(config->outputs().store().has_memory());
}

TEST_CASE("A faulty override says where it stood") {
  const auto [variable, setting, message] = GENERATE(table<std::string, std::string, std::string>({
      {"KANTOKU_INPUTS__GRCE=1s", "",
       "KANTOKU_INPUTS__GRCE: inputs.grce: no such field; did you mean grace?"},
      {"KANTOKU_INPUTS__GRACE=1", "",
       "KANTOKU_INPUTS__GRACE: inputs.grace: 1 is no duration such as 500ms, 2s, 1m, 1h or 7d"},
      {"", "inputs.grace.x=1s", "--set: inputs.grace.x: grace has no fields"},
      {"", "inputs.namespaces.name=a",
       "--set: inputs.namespaces.name: namespaces is a list, which is set as a whole"},
      {"", "inputs.grace", "--set inputs.grace: is not of the form field=value"},
      {"", "=1",
       "--set: \"\": no such field; there are server, inputs, outputs, events, log, auth"},
      {"", "inputs.=1", "--set: inputs.: no such field; did you mean grace?"},
  }));
  ConfigSources sources;
  if (!variable.empty()) sources.environment = {variable};
  if (!setting.empty()) sources.overrides = {setting};
  const auto config = LoadConfig(sources);
  CHECK(ReasonOf(config.status()) == "INVALID_CONFIG");
  if (setting == "inputs.=1") return;  // Only that it is refused.
  CHECK(config.status().message() == message);
}

TEST_CASE("A value out of range is found in its file") {
  const File file("inputs:\n  events: true\n  max_payload_bytes: 32MiB\n");
  const auto config = LoadConfig({.file = file.path()});
  CHECK(config.status().message() ==
        file.path() + ":3: inputs.max_payload_bytes: 33554432 is not from 1 to 32505856");
}

TEST_CASE("A file that cannot be read is named") {
  const std::string path = GENERATE("/nonexistent/k.yaml", "/tmp");
  const auto config = LoadConfig({.file = path});
  CHECK(ReasonOf(config.status()) == "INVALID_CONFIG");
  CHECK_THAT(std::string(config.status().message()),
             Catch::StartsWith(path + ": cannot be read: "));
}

TEST_CASE("Bounds of namespaces and types are read from a file, and each type once") {
  const File file(
      "inputs:\n  namespaces:\n  - default\n  - name: lab\n    max_pending_tasks: 7\n"
      "    max_pending_bytes: 1MiB\n    types:\n    - type: t\n      max_pending_tasks: 2\n");
  const auto config = LoadConfig({.file = file.path()});
  INFO(config.status().ToString());
  REQUIRE(config.ok());
  const auto& lab = config->inputs().namespaces(1);
  CHECK(lab.max_pending_tasks() == 7);
  CHECK(lab.max_pending_bytes() == 1 << 20);
  REQUIRE(lab.types_size() == 1);
  CHECK(lab.types(0).type() == "t");
  CHECK(lab.types(0).max_pending_tasks() == 2);
  const File twice("inputs:\n  namespaces:\n  - name: a\n    types: [{type: t}, {type: t}]\n");
  CHECK(LoadConfig({.file = twice.path()}).status().message().find("t is there twice") !=
        absl::string_view::npos);
  const File empty("inputs:\n  namespaces:\n  - name: a\n    types: [{max_pending_tasks: 1}]\n");
  CHECK(LoadConfig({.file = empty.path()}).status().message().find("a type has 0 bytes") !=
        absl::string_view::npos);
}

}  // namespace
}  // namespace kantoku::platform

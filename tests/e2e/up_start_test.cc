// What keeps `kantoku up` from starting is one line and exit code 1, and nothing is touched.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

namespace fs = std::filesystem;

std::string Read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void Write(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

// All files of a directory whose paths begin so, with the time of each last change; but not who
// holds which lock.
using Content = std::map<std::string, std::pair<std::string, fs::file_time_type>>;
Content ContentOf(const std::string& directory, const std::string& prefix = "") {
  Content content;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file() || entry.path().extension() == ".lock") continue;
    if (!entry.path().string().starts_with(prefix)) continue;
    content[entry.path().string()] = {Read(entry.path()), entry.last_write_time()};
  }
  return content;
}

// The files that differ.
std::vector<std::string> Changes(const Content& before, const Content& after) {
  std::vector<std::string> names;
  for (const auto& [name, content] : before) {
    if (!after.contains(name) || after.at(name) != content) names.push_back(name);
  }
  for (const auto& [name, content] : after) {
    if (!before.contains(name)) names.push_back(name);
  }
  return names;
}

// What became of an attempt to start.
struct Attempt {
  int code = -1;
  std::string said;
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (size_t begin = 0, end; (end = said.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      lines.push_back(said.substr(begin, end - begin));
    }
    return lines;
  }
};

Attempt TryUp(const std::string& data, const std::string& listen = "127.0.0.1:0",
              std::vector<std::string> launcher = {}) {
  for (const std::string& word :
       {Binary("kantoku"), std::string("up"), std::string("--data"), data, std::string("--listen"),
        listen, std::string("--set"), std::string("server.metrics_listen=none")}) {
    launcher.push_back(word);
  }
  auto child = ChildProcess::Start({.argv = launcher});
  REQUIRE(child.ok());
  const auto exit = (*child)->AwaitExit();
  INFO(exit.status().ToString());
  REQUIRE(exit.ok());
  return {.code = exit->code.value_or(-1), .said = (*child)->output()};
}

// One line, which begins with the program's name and holds all of `texts`.
void CheckOneLine(const Attempt& attempt, const std::vector<std::string>& texts) {
  INFO(attempt.said);
  CHECK(attempt.code == 1);
  REQUIRE(attempt.lines().size() == 1);
  CHECK_THAT(attempt.lines()[0], Catch::StartsWith("kantoku up: "));
  for (const std::string& text : texts) CHECK_THAT(attempt.lines()[0], Catch::Contains(text));
}

// A data directory in which a server has worked, and tasks wait.
class Place {
 public:
  Place() {
    Up up({.settings = {"server.metrics_listen=none"}, .data = data()});
    tasks_ = up.Spawn(10);
    const auto exit = up.process().Terminate();
    REQUIRE(exit.ok());
    REQUIRE(exit->code == 0);
  }

  std::string data() const { return directory_.File("data"); }
  fs::path Database(const std::string& component) const {
    for (const auto& entry : fs::directory_iterator(data())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(component) && Read(entry.path()).starts_with("SQLite format 3")) {
        return entry.path();
      }
    }
    FAIL("no database of " << component);
    return {};
  }
  // Refused with such a line, untouched, and as good as before once the damage is undone.
  void CheckRefused(const std::string& component,
                    const std::function<std::string(std::string)>& damage,
                    const std::vector<std::string>& texts) {
    const fs::path database = Database(component);
    const std::string good = Read(database);
    Write(database, damage(good));
    // The stores of other components are sound, and may have been opened before.
    const std::string files = data() + "/" + component;
    const Content before = ContentOf(data(), files);
    REQUIRE_FALSE(before.empty());
    std::vector<std::string> all = texts;
    all.push_back(database.string());
    CheckOneLine(TryUp(data()), all);
    CHECK_THAT(Changes(before, ContentOf(data(), files)),
               Catch::Equals(std::vector<std::string>()));
    Write(database, good);
  }
  void CheckGoodAgain() {
    Up up({.settings = {"server.metrics_listen=none"}, .data = data()});
    const auto executor = up.StartHonestExecutor();
    up.CheckHonestResults(tasks_);
  }

 private:
  TempDir directory_;
  std::vector<TaskId> tasks_;
};

// A number of the file's head (https://www.sqlite.org/fileformat.html), most significant byte
// first.
std::string WithNumber(std::string file, size_t at, uint32_t number) {
  for (size_t i = 0; i < 4; ++i) file[at + i] = static_cast<char>(number >> (24 - 8 * i));
  return file;
}

TEST_CASE("A database that is damaged, foreign or newer is one line, and is left as it was") {
  const std::string component = GENERATE("inputs", "outputs", "events");
  Place place;
  place.CheckRefused(component, [](const std::string&) { return std::string(8192, 'x'); },
                     {"not an SQLite database"});
  place.CheckRefused(component, [](const std::string& file) { return file.substr(0, 5000); },
                     {"cut off"});
  place.CheckRefused(component, [](const std::string& file) { return WithNumber(file, 68, 77); },
                     {"another program (application_id 77)"});
  place.CheckRefused(component,
                     [](const std::string& file) { return WithNumber(file, 60, 0x7FFF'FFFF); },
                     {"has format", "newer"});
  place.CheckRefused(component,
                     [](std::string file) {
                       for (size_t i = 100; i < 4096; ++i) file[i] = '\x55';
                       return file;
                     },
                     {"sqlite: "});
  place.CheckGoodAgain();
}

TEST_CASE("A database of another component is refused") {
  Place place;
  const auto outputs = [&](const std::string&) { return Read(place.Database("outputs")); };
  place.CheckRefused("inputs", outputs, {"another component"});
  place.CheckGoodAgain();
}

TEST_CASE("A directory that a server works in is refused to another one") {
  Up up({.settings = {"server.metrics_listen=none"}});
  const std::vector<TaskId> tasks = up.Spawn(3);
  CheckOneLine(TryUp(up.data()), {up.data()});
  const auto executor = up.StartHonestExecutor();
  up.CheckHonestResults(tasks);
}

TEST_CASE("A taken port is one line, and what is in the directory stays") {
  Up up({.settings = {"server.metrics_listen=none"}});
  Place place;
  CheckOneLine(TryUp(place.data(), up.address()),
               {"server.listen: cannot listen on " + up.address() + ": Address already in use"});
  place.CheckGoodAgain();
}

TEST_CASE("A directory that cannot be written to is one line, and is left as it was") {
  Place place;
  const Content before = ContentOf(place.data());
  std::vector<std::string> launcher;
  if (::geteuid() == 0) {  // Everything is allowed to root, unless it does without.
    launcher = {"setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"};
  }
  fs::permissions(place.data(), fs::perms(0500));
  CheckOneLine(TryUp(place.data(), "127.0.0.1:0", launcher),
               {"server.data_dir: " + place.data() + ": cannot be written to: Permission denied"});
  CheckOneLine(TryUp(place.data() + "/below", "127.0.0.1:0", launcher),
               {"server.data_dir: " + place.data() + "/below: cannot be made: Permission denied"});
  CHECK_THAT(Changes(before, ContentOf(place.data())), Catch::Equals(std::vector<std::string>()));
  fs::permissions(place.data(), fs::perms(0700));
  CheckOneLine(TryUp(place.data() + "/mac.keys"), {"server.data_dir: ", "is no directory"});
  CheckOneLine(TryUp("/proc/kantoku"), {"server.data_dir: /proc/kantoku: cannot be made: "});
  place.CheckGoodAgain();
}

}  // namespace
}  // namespace kantoku::test

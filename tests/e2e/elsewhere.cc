#include "tests/e2e/elsewhere.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <utility>

namespace kantoku::test {

Said Elsewhere::Run(std::vector<std::string> words) const {
  const bool creates = words.size() > 1 && words[0] == "token" && words[1] == "create";
  words.insert(words.begin(), Binary("kantoku"));
  auto child =
      ChildProcess::Start({.argv = std::move(words), .env = env(), .prints_join_strings = creates});
  REQUIRE(child.ok());
  const auto exit = (*child)->AwaitExit();
  REQUIRE(exit.ok());
  return {.code = exit->code.value_or(-1), .text = (*child)->output()};
}

std::unique_ptr<ChildProcess> Elsewhere::StartExecutor(const std::string& join,
                                                       const std::vector<std::string>& more,
                                                       const std::string& run) const {
  const std::string file = home_.File("join");
  std::ofstream(file) << join << "\n";
  std::vector<std::string> words = {Binary("kantoku"), "executor", "--join",
                                    "@" + file,        "--run",    run};
  words.insert(words.end(), more.begin(), more.end());
  auto child = ChildProcess::Start({.argv = std::move(words), .env = env()});
  REQUIRE(child.ok());
  return *std::move(child);
}

std::map<std::string, std::string> Elsewhere::env() const {
  return {{"HOME", home_.path()},
          {"XDG_DATA_HOME", ""},
          {"XDG_STATE_HOME", ""},
          {"KANTOKU_ACCESS", ""},
          {"KANTOKU_SERVER", ""}};
}

Said Administer(const Up& up, std::vector<std::string> words) {
  words.insert(words.end(), {"--access", up.access(), "--json"});
  return Elsewhere().Run(std::move(words));
}

nlohmann::json Created(const Up& up, std::vector<std::string> options) {
  options.insert(options.begin(), {"token", "create", "--app", "laptop"});
  const Said said = Administer(up, std::move(options));
  INFO(said.text);
  REQUIRE(said.code == 0);
  return nlohmann::json::parse(said.text);
}

nlohmann::json ForExecutor(const Up& up, const std::string& user) {
  std::vector<std::string> options = {"--scope", "inputs:pull:text.*", "--scope", "outputs:write"};
  if (!user.empty()) options.insert(options.end(), {"--user", user});
  return Created(up, std::move(options));
}

}  // namespace kantoku::test

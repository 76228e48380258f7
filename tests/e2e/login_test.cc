// Users and programs with tokens of an issuer that nobody of us wrote, through the real commands.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/up.h"
#include "tests/support/oidc_provider.h"

namespace kantoku::test {
namespace {

// A server that takes the tokens of a provider, and a home in which somebody logs in.
class Scene {
 public:
  Scene() {
    const std::string config = places_.File("config.yaml");
    std::ofstream(config) << absl::StrCat("auth:\n  issuers:\n  - issuer: ", provider.issuer(),
                                          "\n    audiences: [kantoku]\n");
    up = std::make_unique<Up>(UpOptions{.settings = {}, .config = config});
  }

  std::unique_ptr<ChildProcess> Start(std::vector<std::string> words) const {
    words.insert(words.begin(), Binary("kantoku"));
    auto child = ChildProcess::Start({.argv = std::move(words),
                                      .env = {{"HOME", places_.path()},
                                              {"XDG_DATA_HOME", ""},
                                              {"XDG_STATE_HOME", ""},
                                              {"KANTOKU_ACCESS", ""},
                                              {"KANTOKU_SERVER", ""}}});
    REQUIRE(child.ok());
    return *std::move(child);
  }
  // What a command wrote that is to end with this code.
  std::string Run(std::vector<std::string> words, int code = 0) const {
    const auto child = Start(std::move(words));
    const auto exit = child->AwaitExit();
    REQUIRE(exit.ok());
    INFO(child->output());
    CHECK(exit->code == code);
    return child->output();
  }
  // The user's login, as far as the code that is to be confirmed.
  std::unique_ptr<ChildProcess> StartLogin(std::string& user_code) const {
    auto login = Start({"login", "--issuer", provider.issuer(), "--client-id", "cli", "--scope",
                        "openid offline_access inputs:spawn inputs:read", "--resource",
                        "urn:kantoku", "--access", up->access()});
    const auto line = login->AwaitLine("enter the code ");
    INFO(login->output());
    REQUIRE(line.ok());
    user_code = line->substr(line->rfind(' ') + 1);
    return login;
  }
  std::string File(const std::string& name) const { return places_.File(name); }

  OidcProvider provider;
  std::unique_ptr<Up> up;

 private:
  TempDir places_;
};

TEST_CASE("A user logs in by a code, and spawns as himself from then on") {
  Scene scene;
  std::string code;
  const auto login = scene.StartLogin(code);
  scene.provider.Approve(code);
  const auto exit = login->AwaitExit();
  REQUIRE(exit.ok());
  INFO(login->output());
  REQUIRE(exit->code == 0);
  std::string access = login->output().substr(login->output().find('/'));
  access = access.substr(access.find(scene.File("")));
  access.pop_back();  // The end of the line.
  CHECK((std::filesystem::status(access).permissions() & std::filesystem::perms::all) ==
        std::filesystem::perms(0600));
  std::string id = scene.Run({"spawn", "work", "--access", access});
  id.pop_back();
  const auto task = nlohmann::json::parse(scene.Run({"get", id, "--json", "--access", access}));
  CHECK(task["owner"] == "anna");
  CHECK_THAT(scene.Run({"cancel", id, "--access", access}, 1), Catch::Contains("SCOPE_MISSING"));
}

TEST_CASE("A login that is refused leaves nothing, and says so") {
  Scene scene;
  std::string code;
  const auto login = scene.StartLogin(code);
  scene.provider.Refuse(code);
  const auto exit = login->AwaitExit();
  REQUIRE(exit.ok());
  CHECK(exit->code == 1);
  CHECK_THAT(login->output(), Catch::Contains("ACCESS_DENIED"));
  CHECK_FALSE(std::filesystem::exists(scene.File(".local/state/kantoku/joined")));
}

TEST_CASE("A program gets its tokens by its client's secret, which no message repeats") {
  Scene scene;
  std::ifstream file(scene.up->access());
  auto access = nlohmann::json::parse(file);
  access["issuer"] = scene.provider.issuer();
  access["client_id"] = "lab:1";
  access["client_secret"] = OidcProvider::kSecret;
  access["scope"] = "inputs:read";
  access["resource"] = "urn:kantoku";
  const std::string path = scene.File("access.json");
  const auto write = [&] {
    std::ofstream(path) << access;
    std::filesystem::permissions(path, std::filesystem::perms(0600));
  };
  write();
  CHECK_THAT(scene.Run({"list", "--access", path}), Catch::Contains("no tasks"));
  CHECK_THAT(scene.Run({"spawn", "work", "--access", path}, 1), Catch::Contains("SCOPE_MISSING"));
  access["client_secret"] = "wrong secret";
  write();
  const std::string refused = scene.Run({"list", "--access", path}, 1);
  CHECK_THAT(refused, Catch::Contains("INVALID_CLIENT"));
  CHECK_THAT(refused, !Catch::Contains("wrong secret"));
}

}  // namespace
}  // namespace kantoku::test

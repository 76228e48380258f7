#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

// What a user gets from `cmake --install`.
namespace kantoku::test {
namespace {

namespace fs = std::filesystem;

// Runs a program that has to succeed, and returns what it wrote.
std::string Run(std::vector<std::string> argv) {
  const auto child = ChildProcess::Start({.argv = std::move(argv)});
  REQUIRE(child.ok());
  const auto exit = (*child)->AwaitExit();
  INFO((*child)->output());
  REQUIRE(exit.ok());
  REQUIRE(exit->code == 0);
  return (*child)->output();
}

TEST_CASE("A project elsewhere finds an installed Kantoku, and spawns and awaits with it") {
  const TempDir directory;
  const std::string prefix = directory.File("prefix");
  const std::string build = directory.File("build");
  Run({"cmake", "--install", KANTOKU_BUILD_DIR, "--prefix", prefix, "--component", "development"});
  fs::copy(KANTOKU_CONSUMER_DIR, directory.File("project"));
  Run({"cmake", "-G", "Ninja", "-C", KANTOKU_CONSUMER_CACHE, "-S", directory.File("project"), "-B",
       build, absl::StrCat("-DCMAKE_PREFIX_PATH=", prefix)});
  Run({"cmake", "--build", build});
  CHECK(Run({build + "/consumer"}) == "the fake says: Hello world\n");

  // Only headers of ours, and none that is generated.
  for (const auto& entry : fs::recursive_directory_iterator(prefix + "/include")) {
    CHECK_FALSE(entry.path().string().ends_with(".pb.h"));
  }
  CHECK_FALSE(fs::exists(prefix + "/include/services"));
}

}  // namespace
}  // namespace kantoku::test

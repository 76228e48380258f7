#include "services/platform/access/access_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "services/platform/status.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

TEST_CASE("An access file is read back as it was written, and is for its owner alone") {
  const test::TempDir directory;
  const std::string path = AccessFileIn(directory.path());
  const Access access = {.server = "lab:6330",
                         .authorities = "-----BEGIN",
                         .server_name = "kantoku.internal",
                         .grant = "g",
                         .secret = "s",
                         .holder_secret = "h"};
  REQUIRE(WriteAccessFile(path, {.server = "before:1"}).ok());
  REQUIRE(WriteAccessFile(path, access).ok());
  struct stat info;
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const auto read = ReadAccessFile(path);
  REQUIRE(read.ok());
  CHECK(read->server == access.server);
  CHECK(read->authorities == access.authorities);
  CHECK(read->server_name == access.server_name);
  CHECK(read->token.empty());
  CHECK(read->grant == access.grant);
  CHECK(read->secret == access.secret);
  CHECK(read->holder_secret == access.holder_secret);
}

TEST_CASE("What is wrong with an access file is said, and nothing of what is in it") {
  const test::TempDir directory;
  const std::string path = directory.File("access.json");
  CHECK(ReasonOf(ReadAccessFile(path).status()) == "NO_ACCESS_FILE");
  for (const char* const text :
       {"", "secret", "[]", R"({"server": 7, "token": "secret"})", R"({"token": "secret"})",
        R"({"server": "a:1", "token": ["secret"]})"}) {
    CAPTURE(text);
    std::ofstream(path) << text;
    std::filesystem::permissions(path, std::filesystem::perms(0600));
    const absl::Status status = ReadAccessFile(path).status();
    CHECK(ReasonOf(status) == "INVALID_ACCESS_FILE");
    CHECK_THAT(std::string(status.message()), !Catch::Contains("secret"));
  }
  std::filesystem::permissions(path, std::filesystem::perms(0640));
  CHECK(ReasonOf(ReadAccessFile(path).status()) == "FILE_EXPOSED");
}

}  // namespace
}  // namespace kantoku::platform

// This program's own fsync stands before the system's and counts.
#include "services/platform/server/data_dir.h"

#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <string>

#include "services/platform/status.h"
#include "tests/support/temp_dir.h"

namespace {

std::map<std::string, int> syncs;  // By path.

}  // namespace

extern "C" int fsync(int fd) {
  char path[PATH_MAX] = {};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  if (::readlink(link.c_str(), path, sizeof(path) - 1) > 0) ++syncs[path];
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace kantoku::platform {
namespace {

TEST_CASE("A data directory, and those above it that were missing, outlive a loss of power") {
  test::TempDir top;
  syncs.clear();
  const auto made = PrepareDataDir(top.File("a/b/data"));
  REQUIRE(made.ok());
  CHECK(*made);
  for (const std::string& parent : {top.path(), top.File("a"), top.File("a/b")}) {
    CAPTURE(parent);
    CHECK(syncs[parent] > 0);
  }
  struct stat info {};
  REQUIRE(::stat(top.File("a/b/data").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  CHECK_FALSE(*PrepareDataDir(top.File("a/b/data")));
}

TEST_CASE("A data directory that cannot be is said with its name and the reason") {
  test::TempDir top;
  std::ofstream(top.File("file")) << "";
  for (const std::string& path : {top.File("file"), top.File("file/below")}) {
    const absl::Status status = PrepareDataDir(path).status();
    CAPTURE(status.ToString());
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(ReasonOf(status) == "DATA_DIR");
    CHECK_THAT(std::string(status.message()), Catch::Contains(path));
  }
}

}  // namespace
}  // namespace kantoku::platform

#include "services/platform/whole_file.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "services/platform/status.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

constexpr uid_t kSomebodyElse = 65'534;

TEST_CASE("A secret that others may read is not taken, and what is no secret is") {
  const test::TempDir directory;
  const std::string path = directory.File("secret");
  REQUIRE(ReplaceWholeFile(path, "secret").ok());
  CHECK(*ReadWholeFile(path, kForOwnerAlone) == "secret");
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  CHECK(ReasonOf(ReadWholeFile(path, kForOwnerAlone).status()) == "FILE_EXPOSED");
  CHECK(ReadWholeFile(path, S_IRWXO).ok());
}

TEST_CASE("A secret of another user is not taken, whoever may read it") {
  if (::geteuid() != 0) {
    WARN("only root can open a file of mode 0600 of somebody else: there is nothing to refuse");
    return;
  }
  const test::TempDir directory;
  const std::string path = directory.File("secret");
  REQUIRE(ReplaceWholeFile(path, "secret").ok());
  REQUIRE(::chown(path.c_str(), kSomebodyElse, static_cast<gid_t>(-1)) == 0);
  const absl::Status refused = ReadWholeFile(path, kForOwnerAlone).status();
  CHECK(ReasonOf(refused) == "FILE_EXPOSED");
  CHECK(std::string(refused.message()).find("65534") != std::string::npos);
  CHECK(*ReadWholeFile(path) == "secret");
  CHECK(ReadWholeFile(path, S_IRWXO).ok());
}

}  // namespace
}  // namespace kantoku::platform

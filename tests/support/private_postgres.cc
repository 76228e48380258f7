#include "tests/support/private_postgres.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace kantoku::test {
namespace {

constexpr char kInstalled[] = "/usr/lib/postgresql";
constexpr char kSuperuser[] = "postgres";  // In the database.
// It leaves everything as it is, and its children end with it; after a kill they would live on for
// a moment, and a new server would not start beside them.
constexpr int kEndAtOnce = SIGQUIT;

// The newest version that is installed.
int Version() {
  std::vector<int> versions;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kInstalled, error)) {
    const int version = std::atoi(entry.path().filename().c_str());
    if (std::filesystem::exists(entry.path() / "bin" / "initdb")) versions.push_back(version);
  }
  if (versions.empty()) FAIL("there is no PostgreSQL; scripts/setup.sh test installs it");
  return *std::max_element(versions.begin(), versions.end());
}

std::string Program(const std::string& name) {
  return absl::StrCat(kInstalled, "/", Version(), "/bin/", name);
}

void Run(const ChildOptions& options) {
  const auto started = ChildProcess::Start(options);
  REQUIRE(started.ok());
  const auto exit = (*started)->AwaitExit();
  INFO(options.argv[0] << ": " << (*started)->output());
  REQUIRE(exit.ok());
  REQUIRE(exit->code == 0);
}

// With owners and rights; to a directory that is not there.
void Copy(const std::string& from, const std::string& to) {
  Run({.argv = {"cp", "--archive", "--no-target-directory", from, to}});
}

// Kept from the other processes of tests.
class Lock {
 public:
  explicit Lock(const std::string& file)
      : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    REQUIRE(fd_ >= 0);
    REQUIRE(::flock(fd_, LOCK_EX) == 0);
  }
  ~Lock() { ::close(fd_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  const int fd_;
};

// PostgreSQL refuses to run as root; then it runs as the user that its package has made, or as
// nobody.
const passwd* OtherUser() {
  if (::geteuid() != 0) return nullptr;
  const passwd* const own = ::getpwnam("postgres");
  return own != nullptr ? own : ::getpwnam("nobody");
}

}  // namespace

PrivatePostgres::PrivatePostgres(std::vector<std::string> settings,
                                 std::vector<std::string> launcher)
    : home_(directory_.File("postgres")),
      settings_(std::move(settings)),
      launcher_(std::move(launcher)) {
  REQUIRE(::mkdir(home_.c_str(), 0700) == 0);
  MakeItsOwn(home_);
  if (OtherUser() != nullptr) {
    REQUIRE(::chmod(directory_.path().c_str(), 0711) == 0);  // To come through.
  }
  MakeCluster();
  Start();
}

PrivatePostgres::~PrivatePostgres() {
  if (server_ == nullptr) return;
  server_->Signal(kEndAtOnce);
  static_cast<void>(server_->AwaitExit());
}

void PrivatePostgres::MakeItsOwn(const std::string& directory) const {
  const passwd* const user = OtherUser();
  if (user == nullptr) return;
  REQUIRE(::chown(directory.c_str(), user->pw_uid, user->pw_gid) == 0);
}

std::vector<std::string> PrivatePostgres::AsItsUser(std::vector<std::string> argv) const {
  const passwd* const user = OtherUser();
  if (user == nullptr) {
    argv.insert(argv.begin(), launcher_.begin(), launcher_.end());
    return argv;
  }
  // Becomes the program, so that signals reach it, and dies with the test as before.
  const std::vector<std::string> words = {"setpriv",
                                          absl::StrCat("--reuid=", user->pw_uid),
                                          absl::StrCat("--regid=", user->pw_gid),
                                          "--clear-groups",
                                          "--pdeathsig=KILL",
                                          "--"};
  argv.insert(argv.begin(), words.begin(), words.end());
  argv.insert(argv.begin(), launcher_.begin(), launcher_.end());
  return argv;
}

// initdb takes a second, and makes the same every time: the first test of a build does that, and
// all copy it.
void PrivatePostgres::MakeCluster() {
  const std::string made =
      absl::StrCat(KANTOKU_POSTGRES_CLUSTERS, "/", Version(), "-of-", ::geteuid());
  {
    std::filesystem::create_directories(KANTOKU_POSTGRES_CLUSTERS);
    const Lock lock(made + ".lock");
    if (!std::filesystem::exists(made)) {
      // Where its user may write; it has its name once it is whole.
      const std::string data = home_ + "/initdb";
      Run({.argv = AsItsUser({Program("initdb"), "--pgdata", data, "--username", kSuperuser,
                              "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"}),
           .directory = home_});
      std::filesystem::remove_all(made + ".new");
      Copy(data, made + ".new");
      std::filesystem::rename(made + ".new", made);
    }
  }
  Copy(made, home_ + "/data");
}

void PrivatePostgres::Start() {
  std::vector<std::string> argv = {Program("postgres"), "-D", home_ + "/data"};
  for (const std::string& setting :
       {std::string("listen_addresses="), "unix_socket_directories=" + home_,
        std::string("fsync=off"), std::string("shared_buffers=8MB")}) {
    argv.insert(argv.end(), {"-c", setting});
  }
  for (const std::string& setting : settings_) argv.insert(argv.end(), {"-c", setting});
  auto server = ChildProcess::Start({.argv = AsItsUser(argv), .directory = home_});
  REQUIRE(server.ok());
  server_ = *std::move(server);
  const auto ready = server_->AwaitLine("ready to accept connections");
  INFO(ready.status().ToString());
  REQUIRE(ready.ok());
}

void PrivatePostgres::Crash() {
  server_->Signal(kEndAtOnce);
  REQUIRE(server_->AwaitExit().ok());
}

std::string PrivatePostgres::connection() const {
  return absl::StrCat("host=", home_, " user=", kSuperuser, " dbname=postgres");
}

}  // namespace kantoku::test

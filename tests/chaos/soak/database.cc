#include "tests/chaos/soak/database.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/chaos/soak/faults.h"
#include "tests/support/process.h"

namespace kantoku::soak {
namespace {

using Words = std::vector<std::string>;

constexpr char kInstalled[] = "/usr/lib/postgresql";
constexpr char kUser[] = "postgres";

void Append(Words more, Words& words) {
  for (std::string& word : more) words.push_back(std::move(word));
}

// Where the newest version whose server is installed has its programs.
absl::StatusOr<std::string> Programs() {
  int newest = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(kInstalled, error)) {
    const int version = std::atoi(entry.path().filename().c_str());
    if (std::filesystem::exists(entry.path() / "bin/initdb")) newest = std::max(newest, version);
  }
  if (newest > 0) return absl::StrCat(kInstalled, "/", newest, "/bin/");
  return absl::NotFoundError("there is no PostgreSQL; scripts/setup.sh test installs it");
}

// It dies with the test, as what it is started from does: a change of user forgets that.
Words AsItsUser() {
  if (::geteuid() != 0) return {};
  return {"setpriv",
          absl::StrCat("--reuid=", kUser),
          absl::StrCat("--regid=", kUser),
          "--clear-groups",
          "--pdeathsig=KILL",
          "--"};
}

// Without privileges the small disk is seen by a root that is us; it becomes us again.
Words AsOurselves(bool on_small_disk) {
  if (::geteuid() == 0 || !on_small_disk) return {};
  return {"unshare", "--user", absl::StrCat("--map-user=", ::geteuid()),
          absl::StrCat("--map-group=", ::getegid()), "--"};
}

absl::Status Run(Words words) {
  const std::string command = absl::StrJoin(words, " ");
  const auto process = test::ChildProcess::Start({.argv = std::move(words), .directory = "/"});
  if (!process.ok()) return process.status();
  const auto exit = (*process)->AwaitExit();
  if (exit.ok() && exit->code == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(command, ": ", (*process)->output()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Start(const Options& options) {
  const auto programs = Programs();
  if (!programs.ok()) return programs.status();
  std::unique_ptr<Database> database(new Database(options.home));
  database->psql_ = *programs + "psql";
  Words passable = options.launcher;
  Append({"chmod", "o+x"}, passable);
  Append(options.through, passable);
  if (absl::Status status = Run(std::move(passable)); !status.ok()) return status;
  for (const std::string& made : {options.home, options.data}) {
    Words words = options.launcher;
    Append({"install", "--directory", "--mode=0700"}, words);
    if (::geteuid() == 0) Append({absl::StrCat("--owner=", kUser)}, words);
    words.push_back(made);
    if (absl::Status status = Run(std::move(words)); !status.ok()) return status;
  }
  Words cluster = options.launcher;
  Append(AsItsUser(), cluster);
  Append(AsOurselves(!options.launcher.empty()), cluster);
  Append({*programs + "initdb", "--pgdata", options.data, "--username", kUser, "--auth=trust",
          "--encoding=UTF8", "--locale=C"},
         cluster);
  if (absl::Status status = Run(std::move(cluster)); !status.ok()) return status;

  Program::Options program = {.name = "database",
                              .argv = options.launcher,
                              .output_file = options.home + ".log",
                              .port_file = options.home + "/pid"};
  Append(options.brake, program.argv);
  Append(AsItsUser(), program.argv);
  Append(AsOurselves(!options.launcher.empty()), program.argv);
  Append({*programs + "postgres", "-D", options.data}, program.argv);
  for (const std::string& setting :
       {std::string("listen_addresses="), "unix_socket_directories=" + options.home,
        "external_pid_file=" + program.port_file, std::string("min_wal_size=32MB"),
        std::string("max_wal_size=64MB")}) {
    Append({"-c", setting}, program.argv);
  }
  database->server_ = std::make_unique<Program>(std::move(program));
  if (!AwaitProof([&] { return database->Ask("SELECT 'there'").has_value(); })) {
    return absl::DeadlineExceededError("the database does not come up: see " + options.home +
                                       ".log");
  }
  return database;
}

std::optional<std::string> Database::Ask(const std::string& sql) const {
  const auto asked =
      test::ChildProcess::Start({.argv = {psql_, "--no-psqlrc", "--no-align", "--tuples-only",
                                          "--quiet", connection(), "--command", sql},
                                 .directory = "/"});
  if (!asked.ok()) return std::nullopt;
  const auto exit = (*asked)->AwaitExit();
  if (!exit.ok() || exit->code != 0) return std::nullopt;
  return (*asked)->output();
}

std::string Database::connection() const {
  return absl::StrCat("host=", home_, " user=", kUser, " dbname=postgres");
}

bool Database::EndSessions() const {
  const auto ended =
      Ask("SELECT 'ended ' || count(*) FILTER (WHERE pg_terminate_backend(pid)) "
          "FROM pg_stat_activity "
          "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
  return ended.has_value() && ended->starts_with("ended ") && !ended->starts_with("ended 0");
}

}  // namespace kantoku::soak

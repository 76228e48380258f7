#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_INSTALLATION_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_INSTALLATION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kantoku/client.h"
#include "services/all-in-one/bench/child.h"
#include "services/all-in-one/bench/database.h"
#include "services/all-in-one/bench/figures.h"

namespace kantoku::bench {

// Where a bench is to run.
struct Place {
  std::string server;    // That runs already; empty: one of our own for each run.
  std::string access;    // The access file for it; empty: as for every client.
  bool no_tls = false;   // Of our own.
  bool no_auth = false;  // The same.
  // Of a PostgreSQL database in which our own keeps its records, as libpq takes it; empty: SQLite.
  std::string postgres;
};

// A directory in TMPDIR, which goes with everything in it.
class Directory {
 public:
  static absl::StatusOr<std::unique_ptr<Directory>> Make();
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit Directory(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

// A server, or several that share a database, and what works for them, as processes of their own on
// this computer; this process is the spawner. Those of one run, with empty data directories.
//
// Thread-compatible.
class Installation {
 public:
  // `settings` are for servers of our own. Several, which need a database, have their partitions
  // spread among them when they are returned; as no issuer is common to them, they trust everybody.
  static absl::StatusOr<std::unique_ptr<Installation>> Start(const Place& place,
                                                             std::vector<std::string> settings = {},
                                                             size_t servers = 1);

  // An executor of the types of roles.h, or of `more` that its role can be told, which connects to
  // that server. It goes with the installation.
  absl::Status StartExecutor(std::vector<std::string> more = {}, size_t server = 0);
  // Tasks that the executors have begun.
  uint64_t begun() const { return *begun_; }
  // Another process of ours for a server: `kantoku role --server … --access … more…`.
  absl::StatusOr<Child> StartRole(const std::string& role, std::vector<std::string> more = {},
                                  size_t server = 0) const;
  absl::StatusOr<Client> Connect(size_t server = 0) const;
  // Of several servers: a partition of Inputs that this one has.
  absl::StatusOr<size_t> PartitionAt(size_t server) const;

  pid_t server_pid() const { return servers_.front().process->pid(); }
  std::string File(const std::string& name) const { return directory_->File(name); }
  // Kills our own server, the only one, and starts it again on the same data and address: when
  // calls are served, how long that took.
  absl::StatusOr<absl::Duration> KillAndRestart();
  // Until our own server uses the processor no more to speak of: it goes on writing and telling
  // Events after it has answered. DEADLINE_EXCEEDED when that takes two minutes.
  absl::Status AwaitRest() const;

 private:
  friend class Meter;

  struct Server {
    std::string address;
    std::string access;
    std::optional<Child> process;  // Of our own.
  };

  Installation(Place place, std::vector<std::string> settings, std::unique_ptr<Directory> directory)
      : place_(std::move(place)),
        settings_(std::move(settings)),
        directory_(std::move(directory)) {}
  absl::StatusOr<Server> StartServer(const std::string& data, const std::string& listen) const;

  const Place place_;
  const std::vector<std::string> settings_;
  const std::unique_ptr<Directory> directory_;
  std::unique_ptr<Database> database_;              // Null: SQLite, in the directory.
  std::shared_ptr<const volatile uint64_t> begun_;  // In a file that the executors write.
  std::vector<Server> servers_;
  std::vector<Child> executors_;
};

// What the processes of an installation use from its making on.
class Meter {
 public:
  explicit Meter(const Installation& installation);

  // CPU seconds per million of `tasks`, of all processes if the server is ours, and of each kind,
  // the database's server among them where it is seen; the peak memory of each kind but this one
  // and that, those of several added up.
  Figures Read(double tasks) const;

 private:
  struct Process {
    std::string name;
    pid_t pid;
    absl::Duration cpu_before;
  };
  const bool has_server_;
  const pid_t database_;  // 0: none that is seen.
  absl::Duration database_cpu_before_;
  std::vector<Process> processes_;
};

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_INSTALLATION_H_

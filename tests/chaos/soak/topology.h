#ifndef KANTOKU_TESTS_CHAOS_SOAK_TOPOLOGY_H_
#define KANTOKU_TESTS_CHAOS_SOAK_TOPOLOGY_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kantoku/client.h"
#include "services/platform/mutex.h"
#include "tests/chaos/soak/database.h"
#include "tests/chaos/soak/evidence.h"
#include "tests/chaos/soak/program.h"
#include "tests/chaos/soak/proxy.h"
#include "tests/chaos/soak/sync_brake.h"
#include "tests/support/reserved_port.h"
#include "tests/support/small_disk.h"

namespace kantoku::soak {

enum class Part : uint8_t { kInputs, kOutputs, kEvents };
inline constexpr std::array<const char*, 3> kPartNames = {"inputs", "outputs", "events"};
inline constexpr size_t kExecutors = 3;
// Two that work and one whose line is mostly idle.
inline constexpr size_t kUsers = 3;

// The zone of an executor: what placements ask for.
inline const char* ZoneOf(size_t executor) { return executor == 0 ? "north" : "south"; }

// A line between two programs, through the proxy.
struct Line {
  std::string name;
  size_t to_inputs = 0;  // Numbers of links.
  size_t to_outputs = 0;
};

// The installation: Inputs, Outputs and Events as programs of their own on a small disk, perhaps
// through a database that has its data there, executors,
// and lines of the proxy between everybody. Who runs, listens and keeps its data where.
//
// Thread-safe.
class Topology {
 public:
  struct Options {
    std::string directory;  // Exists.
    std::string binaries;   // Where the programs are.
    uint64_t seed = 1;
    absl::Duration grace;
    int disk_megabytes = 0;
    bool postgres = false;  // Where services keep their records, on the disk; else SQLite.
    size_t replicas = 1;    // Of each service; several share a database.
  };
  static absl::StatusOr<std::unique_ptr<Topology>> Start(const Options& options);
  ~Topology();
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;

  size_t replicas() const { return options_.replicas; }
  Program& part(Part part, size_t replica) { return *parts_[static_cast<size_t>(part)][replica]; }
  Program& executor(size_t executor) { return *executors_[executor]; }
  Proxy& proxy() { return proxy_; }
  SyncBrake& brake() { return brake_; }
  // Null: nothing may be mounted here.
  test::SmallDisk* disk() { return disk_.get(); }
  // Null: SQLite.
  Database* database() { return database_.get(); }
  const std::string& why_no_disk() const { return why_no_disk_; }

  const Line& user_line(size_t user) const { return user_lines_[user]; }
  const Line& executor_line(size_t executor) const { return executor_lines_[executor]; }
  // Inputs to Outputs and to Events, Outputs to Inputs; of all replicas.
  std::vector<size_t> service_links() const;

  // A client whose calls go through the line of a user, or straight to the services.
  Client ConnectUser(size_t user) const;
  Client ConnectStraight() const;

  std::string journal_path() const { return options_.directory + "/journal"; }
  absl::Duration grace() const { return options_.grace; }

  // All processes of executors so far.
  std::map<pid_t, Executor> executors() const;
  // Waits until every program is up.
  absl::Status AwaitUp(absl::Duration limit);
  // Programs that ended though nobody had asked them to.
  int crashes() const;

  // Stops executors, then services. What did not end properly.
  std::vector<std::string> Stop();

 private:
  explicit Topology(const Options& options);

  void MakeLines();
  absl::Status StartDatabase();
  // Before a program whose data is on the disk, and whose syncs may be made slow.
  std::vector<std::string> Launcher() const;
  std::vector<std::string> Brake() const;
  std::string DataPath(const std::string& name) const;
  void StartPart(Part part, size_t replica);
  void StartExecutor(size_t executor);
  std::string File(const std::string& name) const { return options_.directory + "/" + name; }
  // Of the replica whose turn it is when those who call are counted.
  std::string address(Part part, size_t caller) const {
    return ports_[static_cast<size_t>(part)][caller % options_.replicas].address();
  }

  // Of the services to each other, from one replica of each.
  struct ServiceLinks {
    size_t inputs_to_outputs;
    size_t inputs_to_events;
    size_t outputs_to_inputs;
  };

  const Options options_;
  std::array<std::vector<test::ReservedPort>, 3> ports_;
  std::unique_ptr<test::SmallDisk> disk_;
  std::string why_no_disk_;
  SyncBrake brake_;
  Proxy proxy_;
  std::array<Line, kUsers> user_lines_;
  std::array<Line, kExecutors> executor_lines_;
  std::vector<ServiceLinks> service_links_;  // By replica.
  mutable platform::Mutex mu_;
  std::map<pid_t, Executor> known_executors_ ABSL_GUARDED_BY(mu_);
  // Last, so that they are gone before what they use.
  std::unique_ptr<Database> database_;
  std::array<std::vector<std::unique_ptr<Program>>, 3> parts_;
  std::array<std::unique_ptr<Program>, kExecutors> executors_;
};

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_TOPOLOGY_H_

#ifndef KANTOKU_TESTS_CHAOS_SUITE_H_
#define KANTOKU_TESTS_CHAOS_SUITE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kantoku/client.h"
#include "tests/chaos/journals.h"
#include "tests/support/process.h"
#include "tests/support/reserved_port.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {

enum class Service { kInputs, kOutputs, kEvents };

// Kantoku as separate programs with executors and clients, all of which a test may kill and start
// again on the same directory and ports.
//
// Thread-compatible.
class Suite {
 public:
  using StandIn =
      std::function<ChildOptions(const std::string& address, const std::string& mac_keys)>;
  struct Options {
    absl::Duration grace = absl::Seconds(20);
    absl::Duration drain_timeout = absl::Seconds(10);
    int concurrency = 16;  // Of an executor.
    int max_held = 32;     // By an executor.
    bool once = false;     // Clients spawn tasks of effect ONCE.
    // Of a service, beside those of the suite, as --set takes them.
    std::map<Service, std::vector<std::string>> settings;
    // Somebody else's program in the place of a service: what starts it, to listen at this address
    // with the keys of this file. It prints "serving at" once it does.
    std::map<Service, StandIn> stand_ins;
  };

  explicit Suite(const Options& options);

  // Starts a service that does not run, and returns when it serves.
  void Start(Service service);
  ChildProcess& service(Service service) { return *services_[static_cast<size_t>(service)]; }
  std::string address(Service service) const;

  // Starts a further executor, or a killed one again under another journal.
  void StartExecutor(size_t executor);
  ChildProcess& executor(size_t executor) { return *executors_[executor]; }
  // The number of the journal of its present process.
  int process(size_t executor) const { return processes_[executor]; }
  // Of all executors.
  const std::vector<int>& processes() const { return processes_; }

  // Starts a client that spawns and awaits the tasks of some indexes, or gives one that has ended
  // others to do.
  void StartClient(size_t client, int first, int count, int window);
  // Starts a killed client again, on what it had to do.
  void RestartClient(size_t client);
  ChildProcess& client(size_t client) { return *clients_[client]; }

  Journals& journals() { return journals_; }

  // Freezes `child`, one of the above, at a moment when `condition` holds of what had been written
  // down by then: tries whenever somebody writes something down.
  void FreezeWhile(ChildProcess& child, const std::function<bool()>& condition);

  // A client in this process.
  Client Connect() const;

 private:
  void StartOurs(Service service);
  void StartStandIn(Service service, const StandIn& stand_in);

  TempDir directory_;
  const Options options_;
  const std::array<ReservedPort, 3> ports_;
  Journals journals_;
  std::array<std::unique_ptr<ChildProcess>, 3> services_;
  std::vector<std::unique_ptr<ChildProcess>> executors_;
  std::vector<int> processes_;
  std::vector<std::unique_ptr<ChildProcess>> clients_;
  std::vector<ChildOptions> client_options_;
  std::vector<std::string> client_journals_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_CHAOS_SUITE_H_

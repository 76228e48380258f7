#include "tests/chaos/soak/database_faults.h"

#include <signal.h>

#include <string>

namespace kantoku::soak {
namespace {

// Ends the server, by SIGKILL at once and by SIGINT once it has rolled back and written everything,
// and lets it be started again.
class Restart final : public Fault {
 public:
  Restart(Program& server, const std::string& name, int signal)
      : Fault({.name = name,
               .lane = Lane::kProcess,
               .shortest = absl::Milliseconds(50),
               .longest = absl::Seconds(2)}),
        server_(server),
        signal_(signal) {}
  size_t happened() const override { return happened_; }
  void Begin() override {
    if (happened_ == 0) (void)server_.AwaitUp(kProofLimit);
    if (server_.Down(signal_)) ++happened_;
  }
  void End() override { server_.Release(); }

 private:
  Program& server_;
  const int signal_;
  size_t happened_ = 0;
};

// Sessions break off, also within a COMMIT, whose end nobody hears of.
class EndSessions final : public Fault {
 public:
  explicit EndSessions(Database& database)
      : Fault({.name = "pg_terminate_backend of all sessions",
               .lane = Lane::kNetwork,
               .shortest = absl::Milliseconds(10),
               .longest = absl::Milliseconds(50)}),
        database_(database) {}
  size_t happened() const override { return happened_; }
  void Begin() override {
    const auto end = [this] { return database_.EndSessions(); };
    if (happened_ == 0 ? AwaitProof(end) : end()) ++happened_;
  }
  void End() override {}

 private:
  Database& database_;
  size_t happened_ = 0;
};

}  // namespace

void AddDatabaseFaults(Database& database, std::vector<std::unique_ptr<Fault>>& faults) {
  faults.push_back(
      std::make_unique<Restart>(database.server(), "kill -9 of the database", SIGKILL));
  faults.push_back(std::make_unique<Restart>(database.server(), "restart of the database", SIGINT));
  faults.push_back(std::make_unique<EndSessions>(database));
}

}  // namespace kantoku::soak

#ifndef KANTOKU_TESTS_CHAOS_SOAK_DATABASE_H_
#define KANTOKU_TESTS_CHAOS_SOAK_DATABASE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/chaos/soak/program.h"

namespace kantoku::soak {

// A PostgreSQL in which all services keep their records, kept up as they are. It runs as its
// package's user where we are root, as it runs as no root.
//
// Thread-safe.
class Database {
 public:
  struct Options {
    std::string home;                  // Made: socket, log and what else is not data.
    std::string data;                  // Made: the cluster.
    std::vector<std::string> through;  // Directories that its user may pass to come to both.
    // What to put before a command that shall see `data`, and before the server alone after that.
    std::vector<std::string> launcher;
    std::vector<std::string> brake;
  };
  // Returns when it takes sessions. NOT_FOUND when there is no PostgreSQL; INTERNAL when its tools
  // fail.
  static absl::StatusOr<std::unique_ptr<Database>> Start(const Options& options);

  Program& server() { return *server_; }
  // As libpq takes it.
  std::string connection() const;
  // Ends all sessions, from within: those of services, in the middle of whatever they do. False
  // when there was none, or the server is away.
  bool EndSessions() const;

 private:
  // What comes of it; nothing when it is not answered.
  std::optional<std::string> Ask(const std::string& sql) const;

  explicit Database(std::string home) : home_(std::move(home)) {}

  const std::string home_;
  std::string psql_;
  std::unique_ptr<Program> server_;
};

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_DATABASE_H_

#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_DATABASE_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_DATABASE_H_

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/postgres/postgres_connection.h"

namespace kantoku::bench {

// A schema of our own in a PostgreSQL database, which goes with everything in it, unless this
// process is killed.
//
// Thread-compatible.
class Database {
 public:
  static constexpr size_t kPartitions = 8;  // Of Inputs and of Outputs.

  // `connection` as libpq takes it. Errors as PostgresConnection.
  static absl::StatusOr<std::unique_ptr<Database>> Make(const std::string& connection);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Until each of so many servers that keep their records there has its share of the partitions.
  // DEADLINE_EXCEEDED when that takes longer.
  absl::Status AwaitSpread(size_t servers, absl::Duration within);
  // For each partition of Inputs where the server is that has it, "host:port".
  absl::StatusOr<std::vector<std::string>> Owners();

  // With which a server keeps its records there.
  std::vector<std::string> Settings() const;
  // The first process of the database's server, which the others are children of; 0 where it is
  // not reached by a socket of this computer, or not seen from here.
  pid_t server_pid() const { return server_pid_; }

 private:
  Database(std::string connection, platform::PostgresConnection session, std::string schema)
      : connection_(std::move(connection)),
        session_(std::move(session)),
        schema_(std::move(schema)) {}

  const std::string connection_;
  platform::PostgresConnection session_;
  const std::string schema_;
  pid_t server_pid_ = 0;
};

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_DATABASE_H_

#ifndef KANTOKU_SERVICES_PLATFORM_POSTGRES_POSTGRES_CONNECTION_H_
#define KANTOKU_SERVICES_PLATFORM_POSTGRES_POSTGRES_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/postgres/postgres_parameters.h"

namespace pqxx {
class result;
}  // namespace pqxx

namespace kantoku::platform {

struct PostgresOptions {
  // Where the database is and as whom, as libpq takes it: keywords and values, or a URI. What it
  // does not say comes from libpq's environment (PGHOST, PGPASSWORD, ~/.pgpass, …).
  std::string connection;
  // File with the password alone, only for its owner; read again for each connection. May be empty.
  std::string password_file;
  std::string application_name;  // At most 63 bytes; shown in pg_stat_activity.
  absl::Duration connect_timeout = absl::Seconds(10);    // For each host.
  absl::Duration statement_timeout = absl::Seconds(30);  // Infinite: none.
  absl::Duration network_timeout = absl::Seconds(15);    // Until a silent network counts as lost.
  std::string session;                                   // SQL for the beginning of each session.
};

// Rows that a statement returned. Rows and columns count from 0.
//
// Thread-compatible; copies share the rows.
class PostgresRows {
 public:
  size_t size() const;
  bool empty() const { return size() == 0; }
  bool IsNull(size_t row, int column) const;
  int64_t Integer(size_t row, int column) const;
  std::string_view Text(size_t row, int column) const;         // Lives as long as the rows.
  void Bytes(size_t row, int column, std::string& out) const;  // Of type bytea.
  size_t ByteCount(size_t row, int column) const;              // Likewise.

 private:
  friend class PostgresConnection;
  explicit PostgresRows(std::shared_ptr<const pqxx::result> result) : result_(std::move(result)) {}

  std::shared_ptr<const pqxx::result> result_;
};

// A session with a PostgreSQL server, 13 or newer, that takes writes (with several hosts the first
// such), connected with the first use. After any error it is closed, so that nothing is left of it,
// neither a transaction nor a lock, and the next use connects again.
//
// What a session promises beyond the server's settings: synchronous_commit is at least `on`,
// transactions are READ COMMITTED unless they say otherwise, and names are to be qualified.
//
// Thread-compatible. Errors as postgres_status.h, INVALID_ARGUMENT as connection_string.h,
// FAILED_PRECONDITION (SERVER_TOO_OLD); those of the password's file as ReadWholeFile.
class PostgresConnection {
 public:
  explicit PostgresConnection(PostgresOptions options);
  PostgresConnection(PostgresConnection&&) noexcept;
  PostgresConnection& operator=(PostgresConnection&&) noexcept;
  ~PostgresConnection();

  // Names a statement, which each session prepares when it comes to it.
  void Prepare(std::string name, std::string sql);

  // Each session hears what is said on this channel.
  void Listen(std::string channel);

  // Not needed before the others, but tells early.
  absl::Status Connect();
  bool connected() const;
  void Close();

  // Runs one or more statements; the rows are those of the last.
  absl::StatusOr<PostgresRows> Execute(const std::string& sql);
  // Runs a prepared statement. If the session, idle until then, turns out to be gone, it is run
  // once more in a new one: for what may be repeated. Not so within a transaction (Begin).
  absl::StatusOr<PostgresRows> Run(const std::string& name, const PostgresParameters& parameters);

  // Begins a transaction that sees one moment and writes nothing, and ends it.
  absl::Status BeginSnapshot();
  absl::Status EndSnapshot();

  // Returns when something was said that no earlier call has returned for, also while statements
  // ran; at once in a new session, which may have missed something; when `within` is over, or when
  // the file `interrupt` can be read.
  absl::Status AwaitNotice(absl::Duration within, int interrupt);

 private:
  struct Session;

  absl::StatusOr<std::string> CompleteOptions() const;
  absl::Status Open();
  template <typename Statement>
  absl::StatusOr<PostgresRows> Attempt(Statement statement);

  PostgresOptions options_;
  std::vector<std::pair<std::string, std::string>> prepared_;
  std::string channel_;  // Empty: none.
  std::unique_ptr<Session> session_;
  bool in_snapshot_ = false;
};

// As a literal in SQL.
std::string PostgresLiteral(std::string_view text);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_POSTGRES_POSTGRES_CONNECTION_H_

#ifndef KANTOKU_TESTS_SUPPORT_POSTGRES_DATABASE_H_
#define KANTOKU_TESTS_SUPPORT_POSTGRES_DATABASE_H_

#include <memory>
#include <string>

namespace kantoku::test {

class PrivatePostgres;

// An empty database in a real PostgreSQL, for who neither ends the server nor sets it up nor makes
// roles: on the server that KANTOKU_POSTGRES names, as `make test` starts one for all its tests
// (scripts/with_postgres.sh), and where that names none on a PrivatePostgres. It goes with this
// object; one that a killed test leaves goes with the server.
//
// Fails the test where it cannot be made. To be made on the main thread; thread-compatible.
class PostgresDatabase {
 public:
  PostgresDatabase();
  ~PostgresDatabase();
  PostgresDatabase(const PostgresDatabase&) = delete;
  PostgresDatabase& operator=(const PostgresDatabase&) = delete;

  // For libpq: where it is and as whom.
  const std::string& connection() const { return connection_; }

 private:
  std::unique_ptr<PrivatePostgres> own_;  // Or else:
  std::string server_;
  std::string name_;

  std::string connection_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_POSTGRES_DATABASE_H_

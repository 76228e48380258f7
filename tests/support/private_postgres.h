#ifndef KANTOKU_TESTS_SUPPORT_PRIVATE_POSTGRES_H_
#define KANTOKU_TESTS_SUPPORT_PRIVATE_POSTGRES_H_

#include <memory>
#include <string>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {

// A real PostgreSQL of a test's own, with an empty database: a cluster in a temporary directory,
// reached by a socket in there alone, whose server ends with the test. Nothing of it is durable.
//
// Thread-compatible.
class PrivatePostgres {
 public:
  // Fails the test, and says what installs it, where there is no PostgreSQL.
  PrivatePostgres();
  ~PrivatePostgres();

  // For libpq: where it is and as whom.
  std::string connection() const;

  // Ends the server in the middle of everything, and starts it again on what is there.
  void Crash();
  void Start();

 private:
  std::vector<std::string> AsItsUser(std::vector<std::string> argv) const;
  void MakeCluster();

  const TempDir directory_;
  const std::string home_;  // That the server's user may write to; in it cluster and socket.
  std::unique_ptr<ChildProcess> server_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_PRIVATE_POSTGRES_H_

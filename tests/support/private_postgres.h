#ifndef KANTOKU_TESTS_SUPPORT_PRIVATE_POSTGRES_H_
#define KANTOKU_TESTS_SUPPORT_PRIVATE_POSTGRES_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {

// A real PostgreSQL of a test's own, with an empty database: a cluster in a temporary directory,
// reached by a socket in there alone, whose server ends with the test.
//
// Thread-compatible.
class PrivatePostgres {
 public:
  // `settings` of the server, as "name=value": nothing is durable unless "fsync=on" is one of them.
  // `launcher` is a command that becomes the one which follows its words.
  // Fails the test, and says what installs it, where there is no PostgreSQL.
  explicit PrivatePostgres(std::vector<std::string> settings = {},
                           std::vector<std::string> launcher = {});
  ~PrivatePostgres();

  // For libpq: where it is and as whom.
  std::string connection() const;

  // Ends the server in the middle of everything, and starts it again on what is there.
  void Crash();
  void Start();

  // Of the server's first process, which the others are children of.
  pid_t pid() const { return server_->pid(); }

  // Gives a directory to the user that the server runs as.
  void MakeItsOwn(const std::string& directory) const;

 private:
  std::vector<std::string> AsItsUser(std::vector<std::string> argv) const;
  void MakeCluster();

  const TempDir directory_;
  const std::string home_;  // That the server's user may write to; in it cluster and socket.
  const std::vector<std::string> settings_;
  const std::vector<std::string> launcher_;
  std::unique_ptr<ChildProcess> server_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_PRIVATE_POSTGRES_H_

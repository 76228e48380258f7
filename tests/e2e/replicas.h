#ifndef KANTOKU_TESTS_E2E_REPLICAS_H_
#define KANTOKU_TESTS_E2E_REPLICAS_H_

#include <memory>
#include <string>
#include <vector>

#include "kantoku/client.h"
#include "tests/e2e/up.h"
#include "tests/support/private_postgres.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {

// One in each of the eight partitions, in their order.
extern const std::vector<std::string> kNamespaces;

// Tasks of one namespace; the payload of each is PayloadOf its place.
struct Batch {
  std::string name_space;
  std::vector<TaskId> tasks;
};

// Several `kantoku up` that share the partitions of one PostgreSQL, and take every process of this
// computer for an administrator. `at` names those that are called, in turn. In the database role
// sql_NAMESPACE may spawn tasks of that namespace by SQL.
//
// Thread-compatible.
class Replicas {
 public:
  explicit Replicas(int replicas);

  // One more.
  void Join();
  Up& replica(size_t index) { return *replicas_.at(index); }
  void Kill(size_t replica);

  Client ClientOf(size_t replica, const std::string& name_space) const;
  // An honest executor for every namespace.
  void StartExecutors(const std::vector<size_t>& at);
  // So many tasks in each namespace.
  std::vector<Batch> Spawn(const std::vector<size_t>& at, int count) const;
  // The same by SQL, those of a namespace in one transaction.
  std::vector<Batch> SpawnBySql(int count) const;
  // Checks that every task has the result that an honest executor gives.
  void CheckResults(const std::vector<size_t>& at, const std::vector<Batch>& batches) const;

 private:
  std::string ConfigFile() const { return directory_.File("kantoku.yaml"); }

  PrivatePostgres postgres_;
  TempDir directory_;
  std::vector<std::unique_ptr<Up>> replicas_;
  std::vector<std::unique_ptr<ChildProcess>> executors_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_E2E_REPLICAS_H_

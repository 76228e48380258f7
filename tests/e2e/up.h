#ifndef KANTOKU_TESTS_E2E_UP_H_
#define KANTOKU_TESTS_E2E_UP_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kantoku/client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace kantoku::test {

struct UpOptions {
  std::vector<std::string> settings;  // As --set takes them.
  std::string config;                 // A file; empty: none.
  std::string data;                   // The data directory; empty: one of its own.
  std::string seen_data;              // Where the test sees it; empty: there.
  std::vector<std::string> launcher;  // A command that becomes the one which follows its words.
  std::string listen = "127.0.0.1:0";
};

// Settings that let all services keep their records in the database of this connection.
std::vector<std::string> StoresOnPostgres(const std::string& connection,
                                          bool migrate_on_start = true);

// A running `kantoku up`.
//
// Thread-compatible.
class Up {
 public:
  explicit Up(UpOptions options = {});

  // Starts it again after its end, on the same port and data.
  void Restart();

  const std::string& address() const { return options_.listen; }
  const std::string& data() const { return options_.data; }
  // Who reads it is its administrator (services/platform/access/access_file.h).
  std::string access() const {
    return (options_.seen_data.empty() ? options_.data : options_.seen_data) + "/access.json";
  }
  ChildProcess& process() { return *process_; }
  Client Connect() const;
  // The same without the library.
  std::shared_ptr<grpc::Channel> Channel() const { return Channel(access()); }
  // As whom this access file says.
  std::shared_ptr<grpc::Channel> Channel(const std::string& access_file) const;
  // Knows how to reach the server, and nothing else.
  std::shared_ptr<grpc::Channel> ChannelOfNobody() const;

  // Starts an executor that runs the tasks of tests/chaos/work.h as it should.
  std::unique_ptr<ChildProcess> StartHonestExecutor() const;
  // Spawns tasks for it: payload i is PayloadOf(i). Returns when they are accepted.
  std::vector<TaskId> Spawn(int count) const;
  // Checks that every one of them has the result that an honest executor gives.
  void CheckHonestResults(const std::vector<TaskId>& tasks) const;

 private:
  void Start();

  TempDir directory_;
  UpOptions options_;
  std::unique_ptr<ChildProcess> process_;
};

// Asks until it is so; false when it does not become so in time.
bool Becomes(const std::function<bool()>& condition);

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_E2E_UP_H_

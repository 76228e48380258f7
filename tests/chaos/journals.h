#ifndef KANTOKU_TESTS_CHAOS_JOURNALS_H_
#define KANTOKU_TESTS_CHAOS_JOURNALS_H_

#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/chaos/client_journal.h"
#include "tests/support/process.h"

namespace kantoku::test {

// One run of a handler.
struct Run {
  int process = 0;  // The number of the executor's journal: one for each process.
  uint32_t dispatch = 0;
  bool ended = false;
};

// What executors and clients wrote to files outside Kantoku: what really ran, and what users were
// really told.
//
// What Update has read is what was written before it was called, so a process that was frozen
// before has done nothing that is not in here.
//
// Thread-compatible.
class Journals {
 public:
  explicit Journals(const std::string& directory);
  ~Journals();
  Journals(const Journals&) = delete;
  Journals& operator=(const Journals&) = delete;

  // The path of a new journal for an executor's process, whose number is that of calls before.
  std::string AddExecutor();
  // The path of the journal of a client, whose processes share it.
  std::string AddClient();

  void Update();
  // Updates until `condition` holds; false when it does not in time.
  [[nodiscard]] bool Await(const std::function<bool()>& condition,
                           absl::Duration limit = kPatience);

  // By task.
  const std::map<std::string, std::vector<Run>>& runs() const { return runs_; }
  const std::vector<ClientJournal>& clients() const { return clients_; }
  int executors() const { return executors_; }

  // Tasks that a handler has finished with, at least once.
  size_t finished() const { return finished_.size(); }
  bool finished(const std::string& task) const { return finished_.contains(task); }
  // Tasks that a process has begun and not finished.
  const std::set<std::string>& running(int process) const { return running_[process]; }
  // Ends of handlers that a process wrote.
  size_t ends(int process) const { return ends_[process]; }
  size_t ends() const;
  // Tasks that were accepted, of which no handler has returned: they have no result.
  size_t unfinished() const;
  // Tasks that were accepted, and whose end their client has not been told.
  size_t awaited(size_t client) const;
  // Ends that clients were told.
  size_t told() const;

 private:
  struct Tail {
    std::string path;
    std::ifstream file;
    std::string rest;  // A line that is not whole yet.
  };

  static std::vector<std::string> NewLines(Tail& tail);
  void ReadRun(int process, const std::string& line);

  const std::string directory_;
  int changes_ = -1;  // Inotify.
  int executors_ = 0;
  std::vector<Tail> executor_tails_;
  std::vector<Tail> client_tails_;
  std::map<std::string, std::vector<Run>> runs_;
  std::set<std::string> finished_;
  std::vector<std::set<std::string>> running_;
  std::vector<size_t> ends_;
  std::vector<ClientJournal> clients_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_CHAOS_JOURNALS_H_

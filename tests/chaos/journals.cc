#include "tests/chaos/journals.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/clock.h"

namespace kantoku::test {

Journals::Journals(const std::string& directory) : directory_(directory) {
  changes_ = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  KANTOKU_CHECK(::inotify_add_watch(changes_, directory.c_str(), IN_CREATE | IN_MODIFY) >= 0);
}

Journals::~Journals() { ::close(changes_); }

std::string Journals::AddExecutor() {
  executor_tails_.push_back({.path = absl::StrCat(directory_, "/executor-", executors_)});
  running_.emplace_back();
  ends_.push_back(0);
  ++executors_;
  return executor_tails_.back().path;
}

std::string Journals::AddClient() {
  client_tails_.push_back({.path = absl::StrCat(directory_, "/client-", client_tails_.size())});
  clients_.emplace_back();
  return client_tails_.back().path;
}

std::vector<std::string> Journals::NewLines(Tail& tail) {
  if (!tail.file.is_open()) tail.file.open(tail.path);
  std::vector<std::string> lines;
  if (!tail.file.is_open()) return lines;
  tail.file.clear();
  std::ostringstream more;
  more << tail.file.rdbuf();
  std::string text = std::exchange(tail.rest, "") + more.str();
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  tail.rest = text.substr(begin);
  return lines;
}

void Journals::Update() {
  for (size_t i = 0; i < executor_tails_.size(); ++i) {
    for (const std::string& line : NewLines(executor_tails_[i])) {
      ReadRun(static_cast<int>(i), line);
    }
  }
  for (size_t i = 0; i < client_tails_.size(); ++i) {
    for (const std::string& line : NewLines(client_tails_[i])) clients_[i].Read(line);
  }
}

void Journals::ReadRun(int process, const std::string& line) {
  std::istringstream words(line);
  std::string word;
  std::string task;
  uint32_t dispatch = 0;
  KANTOKU_CHECK(static_cast<bool>(words >> word >> task >> dispatch));
  std::vector<Run>& runs = runs_[task];
  if (word == "start") {
    runs.push_back({.process = process, .dispatch = dispatch});
    running_[process].insert(task);
    return;
  }
  const auto run = std::find_if(runs.begin(), runs.end(), [&](const Run& one) {
    return one.process == process && one.dispatch == dispatch && !one.ended;
  });
  KANTOKU_CHECK(word == "end" && run != runs.end());
  run->ended = true;
  running_[process].erase(task);
  finished_.insert(task);
  ++ends_[process];
}

bool Journals::Await(const std::function<bool()>& condition, absl::Duration limit) {
  const absl::Duration until = platform::Clock::Real().Read().steady + limit;
  while (true) {
    // Before the journals are read, so that no change after that is missed.
    char events[4096];
    while (::read(changes_, events, sizeof(events)) > 0) {
    }
    Update();
    if (condition()) return true;
    const absl::Duration left = until - platform::Clock::Real().Read().steady;
    if (left <= absl::ZeroDuration()) return false;
    pollfd wait = {changes_, POLLIN, 0};
    ::poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(left) + 1));
  }
}

size_t Journals::ends() const { return std::accumulate(ends_.begin(), ends_.end(), size_t{0}); }

size_t Journals::unfinished() const {
  size_t count = 0;
  for (const ClientJournal& client : clients_) {
    for (const auto& [index, task] : client.accepted()) count += finished_.contains(task) ? 0 : 1;
  }
  return count;
}

size_t Journals::awaited(size_t client) const {
  return clients_[client].accepted().size() - clients_[client].ends().size();
}

size_t Journals::told() const {
  size_t count = 0;
  for (const ClientJournal& client : clients_) count += client.ends().size();
  return count;
}

}  // namespace kantoku::test

// A client that spawns tasks and awaits them, so many at a time, and writes down what it was told.
// Killed and started again with the same journal, it goes on where it was.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/client.h"
#include "services/platform/check.h"
#include "services/platform/mutex.h"
#include "tests/chaos/client_journal.h"
#include "tests/chaos/work.h"

namespace kantoku::test {
namespace {

struct Flags {
  std::string inputs;
  std::string outputs;
  std::string journal;
  std::string run;  // Names the whole, so that references are its own.
  int first = 0;
  int count = 0;
  int window = 500;
  int batch = 50;
  bool once = false;
};

class ChaosClient {
 public:
  ChaosClient(const Flags& flags, Client client) : flags_(flags), client_(std::move(client)) {
    std::ifstream file(flags_.journal);
    for (std::string line; std::getline(file, line);) journal_.Read(line);
    file_ = ::open(flags_.journal.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    KANTOKU_CHECK(file_ >= 0);
    Say("\n");  // Ends what a kill cut off.
  }
  ~ChaosClient() { ::close(file_); }
  ChaosClient(const ChaosClient&) = delete;
  ChaosClient& operator=(const ChaosClient&) = delete;

  void Run() {
    std::vector<int> missing;
    for (int index = flags_.first; index < flags_.first + flags_.count; ++index) {
      const auto accepted = journal_.accepted().find(index);
      if (accepted == journal_.accepted().end()) {
        missing.push_back(index);
      } else if (!journal_.ends().contains(index)) {
        Await(index, *TaskId::Parse(accepted->second));
      }
    }
    // What is missing is a row: batches are accepted in their order.
    for (size_t begin = 0; begin < missing.size(); begin += flags_.batch) {
      const size_t end = std::min(missing.size(), begin + flags_.batch);
      AwaitAtMost(flags_.window - flags_.batch);
      Spawn(missing[begin], static_cast<int>(end - begin));
    }
    AwaitAtMost(0);
  }

 private:
  void Spawn(int first, int count) {
    std::vector<Task> tasks;
    // Handlers are lost with the executors that are killed, any number of times.
    const Option repetition = flags_.once ? Effect(EffectClass::kOnce)
                                          : Retry({.max_attempts = 1'000,
                                                   .initial_backoff = absl::Milliseconds(1),
                                                   .max_backoff = absl::Milliseconds(1)});
    for (int index = first; index < first + count; ++index) {
      tasks.push_back(Task(kWorkType, PayloadOf(index))
                          .With(Reference(absl::StrCat(flags_.run, ".", index)), repetition));
    }
    Say(absl::StrCat("spawning ", first, " ", count, "\n"));
    const auto answers = client_.SpawnBatch(std::move(tasks));
    std::string lines;
    for (int i = 0; i < count; ++i) {
      lines += answers[i].ok()
                   ? absl::StrCat("accepted ", first + i, " ", answers[i]->id.ToString(), "\n")
                   : absl::StrCat("trouble spawn ", first + i, ": ", answers[i].status().ToString(),
                                  "\n");
    }
    Say(lines);
    for (int i = 0; i < count; ++i) {
      if (answers[i].ok()) Await(first + i, answers[i]->id);
    }
  }

  void Await(int index, TaskId task) {
    {
      platform::MutexLock lock(mu_);
      ++awaited_;
    }
    client_.AwaitAsync(task, {}, [this, index, task](absl::StatusOr<Output> output) {
      Say(output.ok() ? absl::StrCat("ended ", index, " ", output->id.ToString(), " ",
                                     std::string(ToString(output->status)), " ", output->dispatch,
                                     " ", output->data, output->error.message, "\n")
                      : absl::StrCat("trouble await ", index, " ", task.ToString(), ": ",
                                     output.status().ToString(), "\n"));
      platform::MutexLock lock(mu_);
      --awaited_;
      fewer_.SignalAll();
    });
  }

  void AwaitAtMost(int count) {
    platform::MutexLock lock(mu_);
    while (awaited_ > count) fewer_.Wait(mu_);
  }

  void Say(const std::string& lines) {
    const ssize_t written = ::write(file_, lines.data(), lines.size());
    KANTOKU_CHECK(written == static_cast<ssize_t>(lines.size()));
  }

  const Flags flags_;
  ClientJournal journal_;
  int file_ = -1;
  platform::Mutex mu_;
  platform::CondVar fewer_;
  int awaited_ ABSL_GUARDED_BY(mu_) = 0;
  Client client_;  // Its callbacks use what stands above.
};

}  // namespace
}  // namespace kantoku::test

int main(int argc, char** argv) {
  kantoku::test::Flags flags;
  CLI::App app("Spawns and awaits the tasks of the chaos tests.");
  app.add_option("--inputs", flags.inputs, "Host and port of Inputs")->required();
  app.add_option("--outputs", flags.outputs, "Host and port of Outputs")->required();
  app.add_option("--journal", flags.journal, "Remembers what was accepted and ended")->required();
  app.add_option("--run", flags.run, "Begins the references")->required();
  app.add_option("--first", flags.first, "Index of the first task");
  app.add_option("--count", flags.count, "Number of tasks");
  app.add_option("--window", flags.window, "Most tasks that are under way at once");
  app.add_option("--batch", flags.batch, "Tasks in a spawn");
  app.add_flag("--once", flags.once, "Tasks of effect ONCE");
  CLI11_PARSE(app, argc, argv);
  auto client = kantoku::Client::Connect(flags.inputs, {.outputs_address = flags.outputs});
  KANTOKU_CHECK(client.ok());
  kantoku::test::ChaosClient(flags, *std::move(client)).Run();
  return 0;
}

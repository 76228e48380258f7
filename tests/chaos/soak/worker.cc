#include "tests/chaos/soak/worker.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "kantoku/client.h"
#include "kantoku/executor.h"
#include "services/platform/status.h"
#include "tests/chaos/soak/journal.h"
#include "tests/chaos/soak/kinds.h"
#include "tests/chaos/soak/work.h"

namespace kantoku::soak {
namespace {

using executor::Context;
using executor::Result;

constexpr int kConcurrency = 8;
constexpr int kMaxHeld = 24;
// Of a drain: short, so that a restart takes a second or so.
constexpr absl::Duration kDrainLimit = absl::Seconds(2);
constexpr absl::Duration kStopPatience = absl::Seconds(1);
constexpr int kItemsBetweenWaits = 4;
constexpr absl::Duration kSpawnLimit = absl::Seconds(20);

class Worker {
 public:
  Worker(JournalWriter& journal, Client client) : journal_(journal), client_(std::move(client)) {}

  absl::StatusOr<Result> Run(Context& task) {
    Note(task, Entry::Kind::kStart, task.checkpoint());
    auto result = Do(task);
    Note(task, Entry::Kind::kEnd, result.ok() ? "result" : "error");
    return result;
  }

 private:
  absl::StatusOr<Result> Do(Context& task) {
    const auto work = Decode(task.payload());
    if (!work) return executor::FailFinally("BAD_PAYLOAD", task.payload());
    if (static_cast<int>(task.attempt()) <= work->fails) {
      return absl::InternalError("fails as it was told to");
    }
    const int steps = std::max({1, work->items, work->children, work->points});
    const absl::Duration step = absl::Milliseconds(work->milliseconds) / steps;
    int begin = 0;
    static_cast<void>(absl::SimpleAtoi(task.checkpoint(), &begin));
    for (int i = begin; i < steps; ++i) {
      if (i < work->children) {
        if (absl::Status spawned = SpawnChild(task, ChildOf(*work, i)); !spawned.ok()) {
          return spawned;
        }
      }
      Busy(task, step);
      if (i < work->points && !task.PausePoint()) return Stopped();
      if (task.cancelled()) return Stopped();
      if (i < work->items) {
        absl::Status yielded = task.Yield(ItemOf(*work, static_cast<uint64_t>(i) + 1));
        if (!yielded.ok()) return yielded;
        Leave(task, i + 1);
      }
    }
    return Result{.data = ResultOf(*work), .content_type = "text/plain"};
  }

  // The next dispatch goes on behind so many items. Sometimes waits until that is certain; whatever
  // keeps it from being so will end the handler by itself.
  void Leave(Context& task, int items) {
    const std::string text = absl::StrCat(items);
    if (!task.Checkpoint(text).ok() || items % kItemsBetweenWaits != 0) return;
    if (task.AwaitCheckpoint().ok()) Note(task, Entry::Kind::kLeft, text);
  }

  static absl::Status Stopped() { return absl::CancelledError("was asked to stop"); }

  // Takes so long, unless it is to stop.
  static void Busy(Context& task, absl::Duration length) {
    std::mutex mutex;
    std::unique_lock<std::mutex> lock(mutex);
    std::condition_variable_any stopped;
    stopped.wait_for(lock, task.stop_token(), absl::ToChronoMicroseconds(length),
                     [] { return false; });
  }

  // A repetition of the handler finds the same child by its reference. Does not wait for the
  // answer when the handler is to stop; it is written down all the same.
  absl::Status SpawnChild(Context& task, const Work& work) {
    Entry entry = EntryOf(task, Entry::Kind::kChild, Encode(work));
    const auto answer = std::make_shared<Answer>();
    client_.SpawnAsync(Task(TypeOfChildren(), Encode(work))
                           .With(Reference(work.name), ManyAttempts(), BelowOption(task)),
                       {.timeout = kSpawnLimit},
                       [this, entry, answer](absl::StatusOr<SpawnedTask> child) mutable {
                         if (child.ok()) {
                           entry.child = child->id.ToString();
                           journal_.Write(entry);
                         }
                         const std::lock_guard<std::mutex> lock(answer->mutex);
                         answer->status = child.status();
                         answer->arrived.notify_all();
                       });
    std::unique_lock<std::mutex> lock(answer->mutex);
    answer->arrived.wait(lock, task.stop_token(), [&] { return answer->status.has_value(); });
    return answer->status.value_or(Stopped());
  }

  struct Answer {
    std::mutex mutex;
    std::condition_variable_any arrived;
    std::optional<absl::Status> status;
  };

  static Option BelowOption(Context& task) {
    return kantoku::ChildOf(*TaskId::Parse(task.task_id().ToString()),
                            *TaskId::Parse(task.root_id().ToString()));
  }

  static Entry EntryOf(Context& task, Entry::Kind kind, const std::string& text) {
    return {.kind = kind,
            .task = task.task_id().ToString(),
            .dispatch = task.dispatch(),
            .at = Steady(),
            .pid = ::getpid(),
            .text = text};
  }
  void Note(Context& task, Entry::Kind kind, const std::string& text) {
    journal_.Write(EntryOf(task, kind, text));
  }

  JournalWriter& journal_;
  Client client_;
};

}  // namespace

int RunWorker(const WorkerFlags& flags) {
  const auto journal = JournalWriter::Open(flags.journal);
  if (!journal.ok()) {
    std::fprintf(stderr, "%s\n", journal.status().ToString().c_str());
    return 1;
  }
  // Made by the first handler: before, the process must have no threads.
  std::once_flag once;
  std::unique_ptr<Worker> worker;
  const auto handle = [&](Context& task) {
    std::call_once(once, [&] {
      worker = std::make_unique<Worker>(
          **journal, *Client::Connect(flags.inputs, {.outputs_address = flags.outputs}));
    });
    return worker->Run(task);
  };
  return executor::RunUntilSignal("kantoku-chaos execute",
                                  {.inputs_address = flags.inputs,
                                   .outputs_address = flags.outputs,
                                   .name = flags.name,
                                   .labels = {{"zone", flags.zone}},
                                   .concurrency = kConcurrency,
                                   .max_held = kMaxHeld,
                                   .drain_limit = kDrainLimit,
                                   .stop_patience = kStopPatience},
                                  [&](executor::Executor& executor) {
                                    for (const std::string& type : AllTypes()) {
                                      if (absl::Status status = executor.Handle(type, handle);
                                          !status.ok())
                                        return status;
                                    }
                                    return absl::OkStatus();
                                  });
}

}  // namespace kantoku::soak

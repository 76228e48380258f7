#include "services/platform/partition/partition_runner.h"

#include <pthread.h>

#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/mutex.h"
#include "services/platform/partition/group.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr std::string_view kMailboxFull = "MAILBOX_FULL";
constexpr std::string_view kPartitionStopped = "PARTITION_STOPPED";
constexpr std::string_view kPartitionLost = "PARTITION_LOST";

void NameThisThread(const std::string& name) {
  constexpr size_t kLongest = 15;  // Linux keeps no more.
  ::pthread_setname_np(::pthread_self(), name.substr(0, kLongest).c_str());
}

// The threads around Group. The apply thread fills the open group as long as the store is busy, and
// closes it as soon as the store is free; so groups are as large as the load makes them, and a
// single command waits for nothing.
class ThreadedPartitionRunner final : public PartitionRunner {
 public:
  ThreadedPartitionRunner(Options options, RecordStore& store, PartitionMachine& machine,
                          Clock& clock, uint64_t last_batch)
      : options_(std::move(options)),
        store_(store),
        machine_(machine),
        clock_(clock),
        open_(std::make_unique<Group>()),
        next_number_(last_batch + 1) {}

  ~ThreadedPartitionRunner() override { Stop(); }

  absl::Status StartThreads() {
    try {
      store_thread_ = std::thread([this] { StoreLoop(); });
      apply_thread_ = std::thread([this] { ApplyLoop(); });
    } catch (const std::system_error& error) {
      return Error(absl::StatusCode::kResourceExhausted, "NO_THREAD",
                   absl::StrCat(options_.name, ": cannot start a thread: ", error.what()));
    }
    return absl::OkStatus();
  }

  absl::Status Post(Command command, Urgency urgency) override {
    {
      MutexLock lock(mu_);
      KANTOKU_RETURN_IF_ERROR(Accepts(urgency));
      inbox_.push_back(std::move(command));
    }
    apply_wakes_.Signal();
    return absl::OkStatus();
  }

  absl::Status health() const override {
    MutexLock lock(mu_);
    return health_;
  }

  void Stop() override {
    MutexLock stop_lock(stop_mu_);
    {
      MutexLock lock(mu_);
      stopping_ = true;
      // Without an apply thread nobody else says so.
      if (!apply_thread_.joinable()) apply_done_ = true;
    }
    apply_wakes_.Signal();
    store_wakes_.Signal();
    if (apply_thread_.joinable()) apply_thread_.join();
    if (store_thread_.joinable()) store_thread_.join();
  }

 private:
  // What the apply thread does between two looks at the shared state.
  struct Turn {
    bool end = false;
    bool close = false;   // The store is free: finish the group and hand it over.
    absl::Status health;  // If an error, replies do not wait.
  };

  absl::Status Accepts(Urgency urgency) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (lost_) {
      return Error(absl::StatusCode::kUnavailable, kPartitionLost,
                   absl::StrCat(options_.name, " is lost: ", health_.message()));
    }
    if (stopping_) {
      return Error(absl::StatusCode::kUnavailable, kPartitionStopped,
                   absl::StrCat(options_.name, " has stopped"));
    }
    if (urgency == Urgency::kUrgent) return absl::OkStatus();
    KANTOKU_RETURN_IF_ERROR(health_);
    if (inbox_.size() + taken_ >= options_.max_mailbox) {
      return Error(absl::StatusCode::kResourceExhausted, kMailboxFull,
                   absl::StrCat(options_.name, ": ", options_.max_mailbox,
                                " commands wait already, the most there may be"));
    }
    return absl::OkStatus();
  }

  // ---- Apply thread ----

  void ApplyLoop() {
    NameThisThread(absl::StrCat(options_.name, " apply"));
    for (;;) {
      const Turn turn = NextTurn();
      if (turn.end) break;
      open_->set_now(clock_.Read());
      ApplyCommands();
      if (!turn.health.ok()) open_->FailReplies(turn.health);
      if (turn.close && (applied_ > 0 || machine_.NextWake() <= open_->now().steady)) CloseGroup();
    }
    EndApplying();
  }

  // Waits until there is something to do; takes the inbox when everything taken before is applied.
  Turn NextTurn() {
    const absl::Duration wake = machine_.NextWake();
    MutexLock lock(mu_);
    taken_ = commands_.size() - next_command_;
    for (;;) {
      if (lost_ || given_up_) return {.end = true};
      if (taken_ == 0 && !inbox_.empty()) {
        commands_.clear();
        commands_.swap(inbox_);
        next_command_ = 0;
        taken_ = commands_.size();
      }
      const bool failed = failures_seen_ != failures_;
      failures_seen_ = failures_;
      if (failed || (taken_ > 0 && !GroupIsFull()) ||
          (store_free_ && (applied_ > 0 || wake <= clock_.Read().steady))) {
        return {.close = store_free_, .health = health_};
      }
      if (stopping_ && taken_ == 0 && applied_ == 0) return {.end = true};
      clock_.Wait(mu_, apply_wakes_, store_free_ ? wake : absl::InfiniteDuration());
    }
  }

  bool GroupIsFull() const {
    return open_->bytes() >= options_.max_group_bytes || applied_ >= options_.max_mailbox;
  }

  void ApplyCommands() {
    while (next_command_ < commands_.size() && !GroupIsFull()) {
      // Destroyed as soon as it has run, for what its captures hold.
      Command command = std::move(commands_[next_command_++]);
      command(*open_);
      ++applied_;
    }
  }

  void CloseGroup() {
    machine_.FinishGroup(*open_);
    applied_ = 0;
    if (open_->empty()) return;
    open_->Close(next_number_);
    {
      MutexLock lock(mu_);
      taken_ = commands_.size() - next_command_;
      store_free_ = false;
      handed_over_ = std::move(open_);
      open_ = std::move(spare_);
    }
    store_wakes_.Signal();
    if (open_ == nullptr) open_ = std::make_unique<Group>();
  }

  // After a Stop that gave up, commands run all the same: they owe answers. After a loss they do
  // not, because the machine's state is another owner's or damaged.
  void EndApplying() {
    std::vector<Command> rest;
    absl::Status why;
    bool run_rest = false;
    {
      MutexLock lock(mu_);
      rest.swap(inbox_);
      apply_done_ = true;
      why = health_;
      run_rest = !lost_;
    }
    store_wakes_.Signal();
    if (run_rest) {
      while (next_command_ < commands_.size()) commands_[next_command_++](*open_);
      for (Command& command : rest) command(*open_);
    }
    open_->Abandon(why);
    commands_.clear();
  }

  // ---- Store thread ----

  void StoreLoop() {
    NameThisThread(absl::StrCat(options_.name, " store"));
    while (std::unique_ptr<Group> group = NextGroup()) {
      if (!CommitAndSettle(*group)) return;
      group->Clear();
      MutexLock lock(mu_);
      spare_ = std::move(group);
    }
  }

  std::unique_ptr<Group> NextGroup() {
    MutexLock lock(mu_);
    while (handed_over_ == nullptr && !apply_done_) store_wakes_.Wait(mu_);
    return std::move(handed_over_);
  }

  // Repeats until the batch is durable; false when it never will be.
  bool CommitAndSettle(Group& group) {
    for (;;) {
      const absl::Status outcome =
          group.needs_commit() ? store_.Commit(group.closed_batch()) : absl::OkStatus();
      Note(outcome);
      switch (group.Settle(outcome)) {
        case CommitVerdict::kDurable:
          return true;
        case CommitVerdict::kLost:
          return false;
        case CommitVerdict::kRepeat:
          break;
      }
      if (!PauseBeforeRepeat()) {
        group.Abandon(outcome);
        return false;
      }
    }
  }

  // Makes an outcome known before anybody is told of it, so that who repeats at once is judged by
  // it. A free store lets the apply thread close the next group while this one's releases run.
  void Note(const absl::Status& outcome) {
    bool changed = false;
    {
      MutexLock lock(mu_);
      changed = health_.ok() != outcome.ok();
      health_ = outcome;
      switch (Judge(outcome)) {
        case CommitVerdict::kDurable:
          store_free_ = true;
          break;
        case CommitVerdict::kRepeat:
          ++failures_;
          break;
        case CommitVerdict::kLost:
          lost_ = true;
          break;
      }
    }
    apply_wakes_.Signal();
    if (changed && options_.on_health) options_.on_health(outcome);
  }

  // False when there was a try since Stop.
  bool PauseBeforeRepeat() {
    {
      MutexLock lock(mu_);
      const absl::Duration until = clock_.Read().steady + options_.retry_pause;
      if (!stopping_) {
        while (!stopping_ && clock_.Read().steady < until) clock_.Wait(mu_, store_wakes_, until);
        return true;
      }
      given_up_ = true;
    }
    apply_wakes_.Signal();
    return false;
  }

  Options options_;
  RecordStore& store_;
  PartitionMachine& machine_;
  Clock& clock_;

  Mutex stop_mu_;  // Held over the whole of Stop.
  std::thread apply_thread_;
  std::thread store_thread_;

  // Of the apply thread.
  std::unique_ptr<Group> open_;
  uint64_t next_number_;
  std::vector<Command> commands_;  // Taken from the inbox; those before next_command_ have run.
  size_t next_command_ = 0;
  size_t applied_ = 0;  // Commands since FinishGroup.
  uint64_t failures_seen_ = 0;

  mutable Mutex mu_;
  CondVar apply_wakes_;
  CondVar store_wakes_;
  std::vector<Command> inbox_ ABSL_GUARDED_BY(mu_);
  size_t taken_ ABSL_GUARDED_BY(mu_) = 0;  // Commands that left the inbox and have not run.
  std::unique_ptr<Group> handed_over_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<Group> spare_ ABSL_GUARDED_BY(mu_);
  bool store_free_ ABSL_GUARDED_BY(mu_) = true;  // Nothing is handed over or being committed.
  uint64_t failures_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status health_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool apply_done_ ABSL_GUARDED_BY(mu_) = false;
  bool given_up_ ABSL_GUARDED_BY(mu_) = false;  // The store still failed when Stop came.
  bool lost_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PartitionRunner>> PartitionRunner::Start(Options options,
                                                                        RecordStore& store,
                                                                        PartitionMachine& machine,
                                                                        Clock& clock) {
  KANTOKU_ASSIGN_OR_RETURN(const uint64_t last_batch, store.LastBatch());
  auto runner = std::make_unique<ThreadedPartitionRunner>(std::move(options), store, machine, clock,
                                                          last_batch);
  KANTOKU_RETURN_IF_ERROR(runner->StartThreads());
  return runner;
}

}  // namespace kantoku::platform

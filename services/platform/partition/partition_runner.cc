#include "services/platform/partition/partition_runner.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/after_event.h"
#include "services/platform/mutex.h"
#include "services/platform/partition/group.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr std::string_view kMailboxFull = "MAILBOX_FULL";
constexpr std::string_view kPartitionStopped = "PARTITION_STOPPED";
constexpr std::string_view kPartitionLost = "PARTITION_LOST";

// Where what was applied and committed last was no more, and over so soon, a thread that runs
// events may do what comes next.
constexpr size_t kSmallGroup = size_t{32} << 10;
constexpr absl::Duration kQuick = absl::Milliseconds(1);

void NameThisThread(const std::string& name) {
  constexpr size_t kLongest = 15;  // Linux keeps no more.
  ::pthread_setname_np(::pthread_self(), name.substr(0, kLongest).c_str());
}

// Two threads that take whatever there is to do: one part at a time is for one of them only,
// applying and storing, and a thread that has applied goes on to store what came of it. So a
// command that comes alone wakes one thread, which does all of it, or none, when the one that
// brings it lends itself; under load one thread applies while the other stores. The open group
// grows as long as the store is busy and is closed as soon as it is free: groups are as large as
// the load makes them.
class ThreadedPartitionRunner final : public PartitionRunner {
 public:
  ThreadedPartitionRunner(Options options, RecordStore& store, PartitionMachine& machine,
                          Clock& clock, uint64_t last_batch)
      : options_(std::move(options)),
        store_(store),
        machine_(machine),
        clock_(clock),
        open_(std::make_unique<Group>()),
        next_number_(last_batch + 1),
        wake_(machine.NextWake()) {}

  ~ThreadedPartitionRunner() override { Stop(); }

  absl::Status StartThreads() {
    try {
      for (size_t i = 0; i < threads_.size(); ++i) {
        threads_[i] = std::thread([this, i] { Work(idles_[i]); });
      }
    } catch (const std::system_error& error) {
      return Error(absl::StatusCode::kResourceExhausted, "NO_THREAD",
                   absl::StrCat(options_.name, ": cannot start a thread: ", error.what()));
    }
    return absl::OkStatus();
  }

  absl::Status Post(Command command, Urgency urgency) override {
    Idle* called = nullptr;
    {
      MutexLock lock(mu_);
      KANTOKU_RETURN_IF_ERROR(Accepts(urgency));
      inbox_.push_back({std::move(command), urgency == Urgency::kPatient});
      AfterEvent* const after = AfterEvent::OfThisThread();
      if (after != nullptr && urgency != Urgency::kPatient && MayBorrow()) {
        calling_ = true;
        ++borrowed_;
        after->Add([this] { Help(); });
      } else if (!applying_) {  // Who applies looks again by itself.
        called = ToCall();
      }
    }
    // Without the lock, which it would only wait for.
    if (called != nullptr) called->call.Signal();
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
      CallAll();
    }
    pause_ends_.SignalAll();
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  struct Posted {
    Command command;
    bool patient;
  };
  // What a thread without a task waits for.
  struct Idle {
    absl::Duration deadline;
    CondVar call;
  };
  enum class Task : uint8_t { kApply, kEndApplying, kStore, kLeave };
  // What a thread is to do next.
  struct Turn {
    Task task = Task::kLeave;
    bool close = false;   // kApply: the store is free, so finish the group and hand it over.
    absl::Status health;  // kApply: if an error, replies do not wait.
    std::unique_ptr<Group> group;  // kStore.
    bool failed = false;           // kStore: once, and nobody has paused since.
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
    if (urgency != Urgency::kNormal) return absl::OkStatus();
    KANTOKU_RETURN_IF_ERROR(health_);
    if (inbox_.size() + taken_ >= options_.max_mailbox) {
      return Error(absl::StatusCode::kResourceExhausted, kMailboxFull,
                   absl::StrCat(options_.name, ": ", options_.max_mailbox,
                                " commands wait already, the most there may be"));
    }
    return absl::OkStatus();
  }

  void Work(Idle& idle) {
    NameThisThread(options_.name);
    for (;;) {
      Turn turn = NextTurn(idle);
      switch (turn.task) {
        case Task::kApply:
          Apply(turn);
          break;
        case Task::kEndApplying:
          EndApplying();
          break;
        case Task::kStore:
          Store(std::move(turn.group), turn.failed);
          break;
        case Task::kLeave:
          return;
      }
    }
  }

  // Waits until there is something to do that the other thread is not doing.
  Turn NextTurn(Idle& idle) {
    MutexLock lock(mu_);
    for (;;) {
      calling_ = false;
      if (auto turn = TakeTurn()) return *std::move(turn);
      if (apply_done_ && handed_over_ == nullptr && borrowed_ == 0) {
        CallAll();  // The other one may wait for this, too.
        return {.task = Task::kLeave};
      }
      WaitForCall(idle);
    }
  }

  std::optional<Turn> TakeTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (handed_over_ != nullptr && !storing_) {
      storing_ = true;
      if (!applying_ && CanApply()) CallOne();
      return Turn{.task = Task::kStore,
                  .group = std::move(handed_over_),
                  .failed = std::exchange(failed_, false)};
    }
    if (applying_ || apply_done_) return std::nullopt;
    auto turn = NextApply();
    applying_ = turn.has_value();
    return turn;
  }

  // The thread that knows best when the open group is due is called first and watches the time, so
  // that nobody does so by what is out of date.
  void WaitForCall(Idle& idle) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    idle.deadline = applying_ ? absl::InfiniteDuration() : CloseDue();
    const bool watched = !idle_.empty() && idle_.back()->deadline == idle.deadline;
    if (watched) idle.deadline = absl::InfiniteDuration();
    idle_.insert(watched ? idle_.begin() : idle_.end(), &idle);
    clock_.Wait(mu_, idle.call, idle.deadline);
    std::erase(idle_, &idle);
  }

  // Whom to call, unless nobody is idle or somebody comes already.
  Idle* ToCall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (calling_ || idle_.empty()) return nullptr;
    calling_ = true;
    return idle_.back();
  }
  void CallOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (Idle* const called = ToCall()) called->call.Signal();
  }
  void CallAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (Idle* idle : idle_) idle->call.Signal();
  }

  // ---- Helping ----

  // Whether there is nothing to do but what comes now, and it is likely to be done soon.
  bool MayBorrow() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return quick_apply_ && quick_commit_ && idle_.size() == threads_.size() && !calling_ &&
           !applying_ && !storing_ && store_free_ && health_.ok() && !stopping_;
  }

  // On a thread that runs events: applies, and stores what comes of it.
  void Help() {
    for (int part = 0; part < 2; ++part) {
      std::optional<Turn> turn = TakeTurnToHelp();
      if (!turn.has_value()) break;
      if (turn->task == Task::kApply) {
        Apply(*turn);
      } else if (!StoreOnce(std::move(turn->group))) {
        break;
      }
    }
    MutexLock lock(mu_);
    --borrowed_;
    if (stopping_) {
      CallAll();  // They do not leave before.
    } else if (!applying_ && (handed_over_ != nullptr || CanApply() || !IsWatched(CloseDue()))) {
      CallOne();
    }
  }

  std::optional<Turn> TakeTurnToHelp() {
    MutexLock lock(mu_);
    calling_ = false;
    auto turn = TakeTurn();
    if (!turn.has_value() || turn->task != Task::kEndApplying) return turn;
    applying_ = false;  // That is for a thread of ours.
    CallOne();
    return std::nullopt;
  }

  // Whether a thread wakes by itself at this time.
  bool IsWatched(absl::Duration due) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return std::ranges::any_of(idle_, [&](const Idle* idle) { return idle->deadline <= due; });
  }

  // ---- Applying ----

  // There are commands that the open group takes.
  bool CanApply() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return (taken_ > 0 || !inbox_.empty()) && !GroupIsFull();
  }

  // When the open group is to be closed, if nothing else comes.
  absl::Duration CloseDue() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!store_free_) return absl::InfiniteDuration();
    return applied_ > 0 ? std::min(wake_, patient_until_) : wake_;
  }

  // What is to be applied now, if anything; takes the inbox when all that was taken before is done.
  std::optional<Turn> NextApply() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (lost_ || given_up_) return Turn{.task = Task::kEndApplying};
    if (taken_ == 0 && !inbox_.empty()) {
      commands_.clear();
      commands_.swap(inbox_);
      next_command_ = 0;
      taken_ = commands_.size();
    }
    const bool failed = failures_seen_ != failures_;
    failures_seen_ = failures_;
    if (stopping_) patient_until_ = -absl::InfiniteDuration();
    if (failed || CanApply() || (store_free_ && IsTimeToClose(wake_, clock_.Read().steady))) {
      return Turn{.task = Task::kApply, .close = store_free_, .health = health_};
    }
    if (stopping_ && taken_ == 0 && applied_ == 0) return Turn{.task = Task::kEndApplying};
    return std::nullopt;
  }

  bool GroupIsFull() const {
    return open_->bytes() >= options_.max_group_bytes || open_->waiting() >= options_.max_mailbox;
  }
  bool IsTimeToClose(absl::Duration wake, absl::Duration now) const {
    return (applied_ > 0 && (GroupIsFull() || patient_until_ <= now)) || wake <= now;
  }

  void Apply(const Turn& turn) {
    const Now begin = clock_.Read();
    open_->set_now(begin);
    ApplyCommands();
    if (!turn.health.ok()) open_->Answer(turn.health);
    std::unique_ptr<Group> closed;
    absl::Duration wake = machine_.NextWake();
    if (turn.close && IsTimeToClose(wake, open_->now().steady)) {
      closed = CloseGroup();
      wake = machine_.NextWake();
    }

    MutexLock lock(mu_);
    taken_ = commands_.size() - next_command_;
    wake_ = wake;
    quick_apply_ = clock_.Read().steady - begin.steady <= kQuick;
    applying_ = false;
    if (closed != nullptr) {
      store_free_ = false;
      handed_over_ = std::move(closed);
    }
    if (open_ == nullptr) open_ = spare_ != nullptr ? std::move(spare_) : std::make_unique<Group>();
  }

  void ApplyCommands() {
    while (next_command_ < commands_.size() && !GroupIsFull()) {
      // Destroyed as soon as it has run, for what its captures hold.
      Posted posted = std::move(commands_[next_command_++]);
      posted.command(*open_);
      if (applied_++ == 0) patient_until_ = open_->now().steady + options_.patience;
      if (!posted.patient) patient_until_ = -absl::InfiniteDuration();
    }
    if (applied_ > 0 && machine_.IsImpatient()) patient_until_ = -absl::InfiniteDuration();
  }

  // Null when there is nothing to commit and nobody to tell.
  std::unique_ptr<Group> CloseGroup() {
    machine_.FinishGroup(*open_);
    applied_ = 0;
    if (open_->empty()) return nullptr;
    open_->Close(next_number_);
    return std::move(open_);
  }

  // After a Stop that gave up, commands run all the same: they owe answers. After a loss they do
  // not, because the machine's state is another owner's or damaged.
  void EndApplying() {
    std::vector<Posted> rest;
    absl::Status why;
    bool run_rest = false;
    {
      MutexLock lock(mu_);
      rest.swap(inbox_);
      apply_done_ = true;
      why = health_;
      run_rest = !lost_;
      CallAll();
    }
    if (run_rest) {
      while (next_command_ < commands_.size()) commands_[next_command_++].command(*open_);
      for (Posted& posted : rest) posted.command(*open_);
    }
    open_->Abandon(why);
    commands_.clear();
  }

  // ---- Storing ----

  void Store(std::unique_ptr<Group> group, bool failed) {
    const bool durable = (!failed || PauseOrAbandon(*group)) && CommitAndSettle(*group);
    if (durable) group->Clear();
    MutexLock lock(mu_);
    storing_ = false;
    if (durable) spare_ = std::move(group);
  }

  // Whether that is the end of it; else it is to be repeated by a thread that can pause.
  bool StoreOnce(std::unique_ptr<Group> group) {
    const absl::Status outcome = Commit(*group);
    Note(outcome);
    const CommitVerdict verdict = group->Settle(outcome);
    if (verdict == CommitVerdict::kDurable) group->Clear();
    MutexLock lock(mu_);
    storing_ = false;
    if (verdict == CommitVerdict::kDurable) spare_ = std::move(group);
    if (verdict != CommitVerdict::kRepeat) return true;
    handed_over_ = std::move(group);
    failed_ = true;
    return false;
  }

  absl::Status Commit(const Group& group) {
    if (!group.needs_commit()) return absl::OkStatus();
    const absl::Duration begin = clock_.Read().steady;
    absl::Status outcome = store_.Commit(group.closed_batch());
    const bool quick = group.bytes() <= kSmallGroup && clock_.Read().steady - begin <= kQuick;
    MutexLock lock(mu_);
    quick_commit_ = quick;
    return outcome;
  }

  // Repeats until the batch is durable; false when it never will be.
  bool CommitAndSettle(Group& group) {
    for (;;) {
      const absl::Status outcome = Commit(group);
      Note(outcome);
      switch (group.Settle(outcome)) {
        case CommitVerdict::kDurable:
          return true;
        case CommitVerdict::kLost:
          return false;
        case CommitVerdict::kRepeat:
          break;
      }
      if (!PauseOrAbandon(group)) return false;
    }
  }

  // False when it was abandoned, as there was a try since Stop.
  bool PauseOrAbandon(Group& group) {
    if (PauseBeforeRepeat()) return true;
    group.Abandon(health());
    return false;
  }

  // Makes an outcome known before anybody is told of it, so that who repeats at once is judged by
  // it. A free store lets the other thread close the next group while this one's releases run.
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
      if (!applying_ && (!outcome.ok() || CanApply() || CloseDue() <= clock_.Read().steady)) {
        CallOne();
      }
    }
    if (changed && options_.on_health) options_.on_health(outcome);
  }

  // False when there was a try since Stop.
  bool PauseBeforeRepeat() {
    {
      MutexLock lock(mu_);
      const absl::Duration until = clock_.Read().steady + options_.retry_pause;
      if (!stopping_) {
        while (!stopping_ && clock_.Read().steady < until) clock_.Wait(mu_, pause_ends_, until);
        return true;
      }
      given_up_ = true;
      CallOne();
    }
    return false;
  }

  Options options_;
  RecordStore& store_;
  PartitionMachine& machine_;
  Clock& clock_;

  Mutex stop_mu_;  // Held over the whole of Stop.
  std::array<std::thread, 2> threads_;
  std::array<Idle, 2> idles_;  // One of each thread.

  // Of who applies: touched with `applying_` set by this thread, or under mu_ while it is not set.
  std::unique_ptr<Group> open_;
  uint64_t next_number_;
  std::vector<Posted> commands_;  // Taken from the inbox; those before next_command_ have run.
  size_t next_command_ = 0;
  size_t applied_ = 0;                                        // Commands since FinishGroup.
  absl::Duration patient_until_ = -absl::InfiniteDuration();  // Of those; steady.
  uint64_t failures_seen_ = 0;

  mutable Mutex mu_;
  CondVar pause_ends_;                            // A thread between two tries of a commit.
  std::vector<Idle*> idle_ ABSL_GUARDED_BY(mu_);  // The last is called first.
  bool calling_ ABSL_GUARDED_BY(mu_) = false;     // One was called and has not looked yet.
  std::vector<Posted> inbox_ ABSL_GUARDED_BY(mu_);
  size_t taken_ ABSL_GUARDED_BY(mu_) = 0;     // Commands that left the inbox and have not run.
  absl::Duration wake_ ABSL_GUARDED_BY(mu_);  // The machine's.
  std::unique_ptr<Group> handed_over_ ABSL_GUARDED_BY(mu_);
  bool failed_ ABSL_GUARDED_BY(mu_) = false;  // What is handed over has, once.
  std::unique_ptr<Group> spare_ ABSL_GUARDED_BY(mu_);
  bool quick_apply_ ABSL_GUARDED_BY(mu_) = true;   // The last turn of that kind was soon over,
  bool quick_commit_ ABSL_GUARDED_BY(mu_) = true;  // and small.
  size_t borrowed_ ABSL_GUARDED_BY(mu_) = 0;       // Helps that are to come, or under way.
  bool applying_ ABSL_GUARDED_BY(mu_) = false;
  bool storing_ ABSL_GUARDED_BY(mu_) = false;
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

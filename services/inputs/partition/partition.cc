#include "services/inputs/partition/partition.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/partition/audit_note.h"
#include "services/inputs/partition/owed.h"
#include "services/inputs/partition/record_codec.h"
#include "services/platform/identity/refusal.h"
#include "services/platform/partition/group.h"
#include "services/platform/status.h"

// Commands. Spawning is in partition_spawn.cc; recovery in partition_recovery.cc; records and
// messages in partition_effects.cc; what dispatches leave to the next ones in
// partition_checkpoints.cc; lists in partition_lists.cc; restarts in partition_restart.cc;
// executors in partition_sessions.cc; the inbox in partition_inbox.cc.
namespace kantoku::inputs {

using platform::Error;
using platform::Now;
using platform::PartitionRunner;
using platform::Transaction;

namespace {

absl::Status Ended(const TaskView& task) {
  return Error(absl::StatusCode::kFailedPrecondition, "TASK_ENDED",
               absl::StrCat("task ", task.id.ToString(),
                            " has ended: ", platform::ToAbsl(NameOf(task.state))));
}

// Records have times in milliseconds.
absl::Time AsRecorded(absl::Time time) {
  const bool endless = time == absl::InfiniteFuture();
  return endless ? time : absl::FromUnixMillis(absl::ToUnixMillis(time));
}

// Epochs that are times come from one clock, whichever computer opens the partition; those that are
// counted say nothing of a store that was another one.
uint64_t EraOf(uint64_t epoch, absl::Time wall) {
  constexpr uint64_t kFirstThatIsTime = 1'000'000'000'000'000;  // Microseconds: the year 2001.
  return epoch >= kFirstThatIsTime ? epoch : static_cast<uint64_t>(absl::ToUnixMicros(wall));
}

absl::Status NotStarted() {
  return Error(absl::StatusCode::kUnavailable, "NOT_STARTED", "the partition is not started yet");
}

}  // namespace

Partition::Partition(PartitionOptions options, std::unique_ptr<platform::RecordStore> store,
                     platform::Clock& clock, const platform::MacKeys& keys,
                     absl::AnyInvocable<uint64_t()> random)
    : options_(std::move(options)),
      store_(std::make_unique<RevocableRecordStore>(std::move(store))),
      clock_(clock),
      keys_(keys),
      epoch_(store_->epoch()),
      random_(std::move(random)),
      engine_(options_.engine),
      payloads_(options_.payload_cache_bytes),
      checkpoints_(options_.max_checkpoint_bytes),
      now_(clock.Read()),
      blocks_era_(EraOf(epoch_, now_.wall)) {}

Partition::~Partition() { Stop(); }

absl::StatusOr<std::unique_ptr<Partition>> Partition::Open(
    PartitionOptions options, std::unique_ptr<platform::RecordStore> store, platform::Clock& clock,
    const platform::MacKeys& keys, absl::AnyInvocable<uint64_t()> random) {
  std::unique_ptr<Partition> partition(
      new Partition(std::move(options), std::move(store), clock, keys, std::move(random)));
  KANTOKU_RETURN_IF_ERROR(partition->Recover());
  return partition;
}

absl::Status Partition::Start(OutputsLink& outputs, EventsLink* events) {
  outputs_ = &outputs;
  events_ = options_.events ? events : nullptr;
  if (events_ != nullptr) {
    for (auto& [number, batch] : recovered_outbox_) events_->Send(number, std::move(batch));
  }
  recovered_outbox_.clear();
  PartitionRunner::Options runner;
  runner.name = options_.name;
  runner.patience = options_.patience;
  if (options_.on_health) runner.on_health = options_.on_health;
  KANTOKU_ASSIGN_OR_RETURN(runner_,
                           options_.start_runner(std::move(runner), *store_, *this, clock_));
  KANTOKU_RETURN_IF_ERROR(runner_->Post(
      [this](Transaction& transaction) {
        engine_.FinishRecovery(transaction.now(), effects_);
        recovered_ = true;
      },
      PartitionRunner::Urgency::kUrgent));
  running_ = runner_.get();  // From now on calls may come: that command is the first.
  return absl::OkStatus();
}

void Partition::Stop() {
  if (runner_ == nullptr) return;
  runner_->Stop();
  channels_.clear();  // Whose streams may hold us: nobody tells us of their end any more.
}

absl::Status Partition::health() const {
  const PartitionRunner* runner = running_;
  return runner == nullptr ? NotStarted() : runner->health();
}

absl::Status Partition::Post(PartitionRunner::Command command, PartitionRunner::Urgency urgency) {
  PartitionRunner* runner = running_;
  return runner == nullptr ? NotStarted() : runner->Post(std::move(command), urgency);
}

template <typename Result, typename Command>
void Partition::Ask(Done<Result> done, Command command, PartitionRunner::Urgency urgency) {
  auto owed = std::make_shared<Owed<Result>>(std::move(done));
  const absl::Status posted = Post(
      [owed, command = std::move(command)](Transaction& transaction) mutable {
        absl::StatusOr<Result> result = command(transaction);
        transaction.Reply([owed, result = std::move(result)](const absl::Status& status) mutable {
          owed->Answer(status.ok() ? std::move(result) : absl::StatusOr<Result>(ForCaller(status)));
        });
      },
      urgency);
  if (!posted.ok()) owed->Answer(ForCaller(posted));
}

// About what is already accepted: passes a full mailbox.
absl::Status Partition::PostUrgent(PartitionRunner::Command command) {
  return Post(std::move(command), PartitionRunner::Urgency::kUrgent);
}

// ---- Users ----

void Partition::Control(ControlTasksCommand command,
                        Done<std::vector<absl::StatusOr<TaskState>>> done) {
  using States = std::vector<absl::StatusOr<TaskState>>;
  Ask<States>(
      std::move(done),
      [this, command = std::move(command)](Transaction& transaction) -> absl::StatusOr<States> {
        KANTOKU_ASSIGN_OR_RETURN(const Views views,
                                 LookEverywhere({.tasks = command.tasks,
                                                 .viewers = std::span(&command.viewer, 1),
                                                 .trees = command.what.tree},
                                                transaction));
        States states;
        for (const auto& view : views) {
          states.push_back(view.ok() ? ApplyControl(command, *view, transaction.now())
                                     : absl::StatusOr<TaskState>(view.status()));
        }
        return absl::StatusOr<States>(std::move(states));
      });
}

// A tree may outlive its root: whose it is, any task of it tells, and is shown in its place.
absl::StatusOr<Partition::Views> Partition::LookAtTrees(std::span<const TaskId> roots,
                                                        const platform::Viewer& viewer) {
  KANTOKU_ASSIGN_OR_RETURN(Views views, Look(roots, std::span(&viewer, 1)));
  for (size_t i = 0; i < roots.size(); ++i) {
    auto member = engine_.FindInTree(roots[i]);
    if (!member.has_value()) continue;
    if (viewer.Sees(member->name_space, member->owner)) {
      member->id = roots[i];
      views[i] = *std::move(member);
    } else if (!views[i].ok()) {
      views[i] = platform::Hidden(views[i].status());
    }
  }
  return views;
}

absl::StatusOr<TaskState> Partition::ApplyControl(const ControlTasksCommand& command,
                                                  const TaskView& task, const Now& now) {
  if (IsFinal(task.state)) return Ended(task);
  ControlCommand what = command.what;
  what.task = task.id;
  auto state = engine_.Control(what, now, effects_);
  if (state.ok()) Note(NoteOf(command, task));
  return state;
}

void Partition::GetTasks(std::vector<TaskId> tasks, std::vector<platform::Viewer> viewers,
                         bool explain, Done<std::vector<absl::StatusOr<TaskView>>> done) {
  Ask<Views>(
      std::move(done),
      [this, tasks = std::move(tasks), viewers = std::move(viewers),
       explain](Transaction& transaction) -> absl::StatusOr<Views> {
        KANTOKU_ASSIGN_OR_RETURN(
            Views views,
            LookEverywhere({.tasks = tasks, .viewers = viewers, .shows_inbox = true}, transaction));
        for (auto& view : views) {
          if (!explain || !view.ok()) continue;
          const auto waits = engine_.WaitsOf(view->id, transaction.now());
          if (waits.has_value()) view->waits = std::make_shared<const CauseTimes>(*waits);
        }
        return absl::StatusOr<Views>(std::move(views));
      });
}

void Partition::ListTasks(ListCommand command, Done<TaskPage> done) {
  Ask<TaskPage>(std::move(done),
                [this, command = std::move(command)](Transaction&) { return ApplyList(command); });
}

void Partition::PatchInfo(PatchCommand command, Done<std::vector<InfoAnswer>> done) {
  using Answers = std::vector<InfoAnswer>;
  if (const absl::Status state = health(); !state.ok()) return done(ForCaller(state));
  Ask<Answers>(
      std::move(done),
      [this, command = std::move(command)](Transaction& transaction) -> absl::StatusOr<Answers> {
        std::vector<TaskId> tasks;
        tasks.reserve(command.patches.size());
        for (const InfoPatch& patch : command.patches) tasks.push_back(patch.task);
        KANTOKU_ASSIGN_OR_RETURN(
            const Views views,
            LookEverywhere({.tasks = tasks, .viewers = std::span(&command.viewer, 1)},
                           transaction));
        Answers answers;
        answers.reserve(views.size());
        for (size_t i = 0; i < views.size(); ++i) {
          answers.push_back(views[i].ok() ? ApplyPatch(command, command.patches[i], *views[i])
                                          : InfoAnswer{.status = views[i].status()});
        }
        return absl::StatusOr<Answers>(std::move(answers));
      });
}

InfoAnswer Partition::ApplyPatch(const PatchCommand& command, const InfoPatch& patch,
                                 const TaskView& task) {
  if (IsFinal(task.state)) return {.status = Ended(task)};
  InfoAnswer answer = engine_.PatchInfo(patch, effects_);
  // What owners do to their own tasks is everyday, and would bury the rest of the trail.
  if (answer.status.ok() && command.viewer.who().subject != task.owner) {
    Note(NoteOf(command, patch, task));
  }
  return answer;
}

void Partition::RestartTasks(RestartCommand command, Done<RestartPage> done) {
  if (const absl::Status state = health(); !state.ok()) return done(ForCaller(state));
  Ask<RestartPage>(
      std::move(done),
      [this,
       command = std::move(command)](Transaction& transaction) -> absl::StatusOr<RestartPage> {
        if (command.matching) return RestartMatching(command, transaction);
        RestartPage page;
        size_t room = kMaxRestartBytes;
        KANTOKU_ASSIGN_OR_RETURN(
            const Views views,
            LookEverywhere({.tasks = command.tasks, .viewers = std::span(&command.viewer, 1)},
                           transaction));
        std::vector<Picked> picked;
        for (const auto& view : views) {
          if (!view.ok()) continue;
          KANTOKU_ASSIGN_OR_RETURN(Picked dead, Pick(*view, room));
          picked.push_back(std::move(dead));
        }
        std::vector<RestartPage::Restarted> restarted =
            RestartTogether(picked, command, transaction);
        NoteRestarts(command, picked, restarted);
        auto next = restarted.begin();
        for (size_t i = 0; i < views.size(); ++i) {
          page.tasks.push_back(views[i].ok()
                                   ? std::move(*next++)
                                   : RestartPage::Restarted{command.tasks[i], views[i].status()});
        }
        return page;
      });
}

void Partition::ListExecutors(std::string name_space, Done<std::vector<SessionView>> done) {
  Ask<std::vector<SessionView>>(
      std::move(done), [this, name_space = std::move(name_space)](Transaction&) {
        return absl::StatusOr<std::vector<SessionView>>(engine_.Sessions(name_space));
      });
}

void Partition::TakeInbox(std::vector<TaskKey> keys, Done<InboxStep> done) {
  if (const absl::Status state = health(); !state.ok()) return done(ForCaller(state));
  Ask<InboxStep>(
      std::move(done),
      [this, keys = std::move(keys)](Transaction& transaction) -> absl::StatusOr<InboxStep> {
        if (!keys.empty()) {
          KANTOKU_RETURN_IF_ERROR(TakeKeys(keys, {.at_once = keys.size()}, transaction).status());
        }
        InboxStep step;
        std::ranges::copy_if(keys, std::back_inserter(step.left),
                             [this](TaskKey key) { return inbox_.Stays(key); });
        return step;
      },
      PartitionRunner::Urgency::kUrgent);
}

// ---- Operators ----

void Partition::ControlExecutors(ExecutorCommand command, Done<std::vector<absl::Status>> done) {
  using Statuses = std::vector<absl::Status>;
  Ask<Statuses>(std::move(done), [this, command = std::move(command)](Transaction&) {
    Statuses statuses;
    for (const SessionId& session : command.sessions) {
      statuses.push_back(engine_.ControlExecutor(command.name_space, command.viewer, session,
                                                 command.verb, command.delay, effects_));
      if (statuses.back().ok()) Note(NoteOf(command, session));
    }
    return absl::StatusOr<Statuses>(std::move(statuses));
  });
}

void Partition::SetRoute(RouteCommand command, Done<Nothing> done) {
  Ask<Nothing>(
      std::move(done),
      [this, command = std::move(command)](Transaction& transaction) -> absl::StatusOr<Nothing> {
        KANTOKU_RETURN_IF_ERROR(engine_.SetRoute(command.name_space, command.type, command.selector,
                                                 transaction.now(), effects_));
        Note(NoteOf(command));
        return Nothing();
      });
}

void Partition::ListRoutes(std::string name_space, Done<std::vector<RouteRecord>> done) {
  using Routes = std::vector<RouteRecord>;
  Ask<Routes>(std::move(done), [this, name_space = std::move(name_space)](Transaction&) {
    return absl::StatusOr<Routes>(engine_.Routes(name_space));
  });
}

void Partition::SetLimits(LimitsCommand command, Done<LimitsCommand> done) {
  Ask<LimitsCommand>(std::move(done),
                     [this, command = std::move(command)](Transaction& transaction) mutable {
                       for (auto& item : command.set) {
                         if (!item.status.ok()) continue;
                         item.status = engine_.SetLimit(command.name_space, item.name, item.value,
                                                        transaction.now(), effects_);
                         if (item.status.ok()) Note(NoteOf(command, item.name, &item.value));
                       }
                       for (auto& item : command.remove) {
                         if (!item.status.ok()) continue;
                         item.status = engine_.RemoveLimit(command.name_space, item.name, effects_);
                         if (item.status.ok()) Note(NoteOf(command, item.name, nullptr));
                       }
                       return absl::StatusOr<LimitsCommand>(std::move(command));
                     });
}

void Partition::ListLimits(LimitPageCommand command, Done<LimitPage> done) {
  Ask<LimitPage>(std::move(done), [this,
                                   command = std::move(command)](Transaction& transaction) mutable {
    LimitPage page{.next = std::move(command.from)};
    page.limits = engine_.Limits(command.name_space, command.limit, page.next, transaction.now());
    return absl::StatusOr<LimitPage>(std::move(page));
  });
}

void Partition::SetPause(PauseCommand command, Done<Nothing> done) {
  Ask<Nothing>(
      std::move(done),
      [this, command = std::move(command)](Transaction& transaction) -> absl::StatusOr<Nothing> {
        KANTOKU_RETURN_IF_ERROR(engine_.SetPause(command.name_space, command.type, command.paused,
                                                 command.reason, transaction.now(), effects_));
        Note(NoteOf(command));
        return Nothing();
      });
}

void Partition::ListPauses(std::string name_space, Done<std::vector<PauseRecord>> done) {
  using Pauses = std::vector<PauseRecord>;
  Ask<Pauses>(std::move(done), [this, name_space = std::move(name_space)](Transaction&) {
    return absl::StatusOr<Pauses>(engine_.Pauses(name_space));
  });
}

// Urgent: whoever is to be shut out may be who fills the mailbox.
void Partition::SetBlocks(BlocksCommand command, Done<BlocksCommand> done) {
  Ask<BlocksCommand>(
      std::move(done),
      [this, command = std::move(command)](Transaction& transaction) mutable {
        SetSome(command, transaction.now());
        LiftSome(command, transaction);
        return absl::StatusOr<BlocksCommand>(std::move(command));
      },
      PartitionRunner::Urgency::kUrgent);
}

// They hold before they are durable, as the disk may be full: too early refused is nobody harmed.
void Partition::SetSome(BlocksCommand& command, const Now& now) {
  bool changed = false;
  for (auto& item : command.set) {
    if (!item.status.ok()) continue;
    item.block.set_by = command.by.subject;
    item.block.set = AsRecorded(now.wall);
    item.block.tokens_until = AsRecorded(item.block.tokens_until);
    item.status = engine_.SetBlock(item.block, now, effects_);
    if (!item.status.ok()) continue;
    if (command.audited) Note(NoteOf(command, item.block));
    changed = true;
  }
  if (!changed) return;
  ++blocks_version_;
  if (options_.on_blocks) options_.on_blocks(known_blocks());
}

void Partition::LiftSome(BlocksCommand& command, Transaction& transaction) {
  bool changed = false;
  for (auto& item : command.lift) {
    if (!item.status.ok()) continue;
    item.status = engine_.LiftBlock(item.names, effects_);
    if (!item.status.ok()) continue;
    if (command.audited) Note(NoteOf(command, item.names));
    changed = true;
  }
  if (!changed) return;
  ++blocks_version_;
  if (!options_.on_blocks) return;
  transaction.OnDurable([this, blocks = known_blocks()] { options_.on_blocks(blocks); });
}

void Partition::ListBlocks(Done<platform::BlockList> done) {
  Ask<platform::BlockList>(std::move(done), [this](Transaction&) {
    return absl::StatusOr<platform::BlockList>(engine_.blocks());
  });
}

platform::KnownBlocks Partition::known_blocks() const {
  return {.version = {blocks_era_, blocks_version_},
          .list = std::make_shared<const platform::BlockList>(engine_.blocks())};
}

void Partition::Note(AuditNote note) {
  if (events_ != nullptr) notes_.push_back(std::move(note));
}

// ---- Other services ----

void Partition::AnswerFences(std::vector<FenceAnswer> answers) {
  (void)PostUrgent([this, answers = std::move(answers)](Transaction& transaction) {
    for (const FenceAnswer& answer : answers) {
      BuryRefused(answer, transaction);
      engine_.FenceAnswered(answer.task, answer.dispatch, answer.terminal, transaction.now(),
                            effects_);
    }
  });
}

void Partition::Lose(const absl::Status& why) {
  store_->Revoke(why);
  // So that it is noticed at once: this is never committed.
  (void)PostUrgent(
      [](Transaction& transaction) { transaction.batch().Erase(ToKind(RecordKind::kMeta), 0); });
}

void Partition::ConfirmEvents(uint64_t number) {
  (void)Post(
      [this, number](Transaction&) {
        while (!outbox_.empty() && outbox_.front().first <= number) {
          outbox_bytes_ -= outbox_.front().second;
          outbox_.pop_front();
        }
        confirmed_outbox_ = std::max(confirmed_outbox_, number);
      },
      PartitionRunner::Urgency::kPatient);
}

}  // namespace kantoku::inputs

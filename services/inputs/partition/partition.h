#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_PARTITION_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_PARTITION_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/inputs/engine/engine.h"
#include "services/inputs/partition/checkpoint_book.h"
#include "services/inputs/partition/event_packer.h"
#include "services/inputs/partition/inbox_book.h"
#include "services/inputs/partition/links.h"
#include "services/inputs/partition/payload_cache.h"
#include "services/inputs/partition/revocable_record_store.h"
#include "services/inputs/partition/session_frame.h"
#include "services/inputs/partition/spawn_batch.h"
#include "services/inputs/store.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/identity/block_book.h"
#include "services/platform/identity/viewer.h"
#include "services/platform/message_pool.h"
#include "services/platform/partition/partition_runner.h"
#include "services/platform/store/record_store.h"

namespace kantoku::inputs {

struct PartitionOptions {
  std::string name = "inputs/0";
  EngineOptions engine;
  size_t payload_cache_bytes = size_t{256} << 20;
  uint64_t max_checkpoint_bytes = uint64_t{4} << 30;  // Of all tasks, in the store.
  bool events = true;
  size_t max_event_backlog_bytes = size_t{1} << 30;
  size_t max_unsent_bytes = size_t{32} << 20;  // Dispatches to one session, about.
  absl::Duration ping_interval = absl::Seconds(2);
  absl::Duration lease_lifetime = absl::Hours(1);
  // How long acks and the like wait for a commit that others need; below what anybody notices.
  absl::Duration patience = absl::Milliseconds(1);
  // Told of each change between OK and an error of the store; as in PartitionRunner::Options.
  std::function<void(const absl::Status&)> on_health;
  // Where set: told now and then what the tasks of each type have waited for, on the partition's
  // thread; while any live, every 5 seconds.
  std::function<void(const WaitBook::TypeTotals&)> on_waits;
  // Where set: told all blocks when they have changed, on a thread of the partition: of those that
  // are set at once, of those that are lifted when that is durable. Who starts it asks for them
  // first (known_blocks).
  std::function<void(platform::KnownBlocks)> on_blocks;
  // Checks what was spawned by SQL (RecordKind::kInbox) as a call is checked, and makes a batch of
  // it. UNAVAILABLE: that cannot be said now, and it stays where it is; of any other error its task
  // fails. On the partition's thread. Null: nothing is in the inbox, and nobody looks there.
  std::function<absl::StatusOr<std::shared_ptr<const SpawnBatch>>(const StoredInbox&, absl::Time)>
      read_inbox;
  // What runs the commands: two threads, or whatever decides otherwise which step comes next.
  std::function<decltype(platform::PartitionRunner::Start)> start_runner =
      platform::PartitionRunner::Start;
};

struct StoredSpec;

// Of specs that one call of RestartTasks reads and writes, about.
inline constexpr size_t kMaxRestartBytes = size_t{16} << 20;

// A page of a list; `next` is empty on the last one.
struct TaskPage {
  std::vector<TaskView> tasks;
  std::string next;
};

// The wire's numbers. Equal ones are in the order of their spawn.
enum class TaskSort : uint8_t { kNone, kCreated, kEnded, kPriority };

struct ListCommand {
  std::string name_space;
  platform::Viewer viewer;  // Only tasks that it sees.
  std::string type;
  std::vector<TaskState> states;
  TaskId root;  // Only tasks of this tree; empty: all.
  size_t limit = 100;
  std::string page_token;
  std::string context;  // Only tasks of this context; empty: all.
  std::optional<Selector> selector{};
  TaskSort sort = TaskSort::kNone;
  bool descending = false;
};

// Dead tasks that are to be restarted: these, or a page of those that match.
struct RestartCommand {
  std::string name_space;   // Of what is matched.
  platform::Viewer viewer;  // Only tasks that it sees.
  std::vector<TaskId> tasks;
  bool matching = false;  // Instead of `tasks`: what all below says.
  std::string type;       // Empty: all.
  std::string reason;     // Empty: all.
  std::vector<TaskState> states;
  TaskId root;            // Empty: all.
  std::string context{};  // Empty: all.
  std::optional<Selector> selector{};
  absl::Time ended_after = absl::InfinitePast();
  absl::Time ended_before = absl::InfiniteFuture();
  size_t limit = 100;
  std::string page_token;
  bool dry_run = false;
  std::string app{};  // With which they are restarted.
  std::string why{};  // For people.

  bool Matches(const TaskView& dead) const;
};

struct RestartPage {
  struct Restarted {
    TaskId dead;
    absl::StatusOr<TaskId> successor;  // Empty in a dry run, unless there is one.
    bool created = false;              // Now.
  };
  std::vector<Restarted> tasks;
  std::string next;  // Empty on the last page.
};

// The same for each of some tasks, or of their trees.
struct ControlTasksCommand {
  std::vector<TaskId> tasks;
  ControlCommand what;      // Its task is each of them.
  platform::Viewer viewer;  // Who asks; to it all others do not exist.
  std::string why{};        // For people.
};

// The info of living tasks is changed, one patch after the other.
struct PatchCommand {
  std::vector<InfoPatch> patches{};
  platform::Viewer viewer;  // Who asks; to it all others do not exist.
  std::string why{};        // For people.
};

struct ExecutorCommand {
  platform::Viewer viewer{};  // Who asks.
  std::string name_space;
  std::vector<SessionId> sessions;
  ExecutorVerb verb = ExecutorVerb::kDrain;
  absl::Duration delay;
  std::string why{};  // For people.
};

struct RouteCommand {
  std::string name_space;
  std::string type;
  std::optional<Selector> selector{};  // Absent: the route goes.
  Caller by{};
  std::string why{};  // For people.
};

// What is set and removed, and then what became of each. An item that comes with an error is left
// alone.
struct LimitsCommand {
  struct Set {
    absl::Status status;
    KeyName name;
    LimitValue value;
  };
  struct Remove {
    absl::Status status;
    KeyName name;
  };
  std::string name_space;
  std::vector<Set> set{};
  std::vector<Remove> remove{};
  Caller by{};
  std::string why{};  // For people.
};

struct LimitPageCommand {
  std::string name_space;
  size_t limit = 1'000;
  std::optional<std::string> from;  // As in the page before.
};

struct LimitPage {
  std::vector<LimitView> limits;
  std::optional<std::string> next;  // Absent at the end.
};

struct PauseCommand {
  std::string name_space;
  std::string type;  // Empty: the whole namespace.
  bool paused = false;
  std::string reason{};
  Caller by{};
  std::string why{};  // For people; empty: `reason`.
};

// Blocks that are set and lifted, and then what became of each. An item that comes with an error is
// left alone.
struct BlocksCommand {
  struct Set {
    absl::Status status;
    platform::Block block;
  };
  struct Lift {
    absl::Status status;
    platform::BlockNames names;
  };
  Caller by;
  std::vector<Set> set{};
  std::vector<Lift> lift{};
  std::string why{};    // For people; empty: of what is set its reason.
  bool audited = true;  // False where another partition says it in the audit trail.
};

// What became of records of the inbox.
struct InboxStep {
  // Those that are still there, and are not to be looked at again for a while: they wait for
  // others, or cannot be taken for now. What is there besides these the step had no room for.
  std::vector<TaskKey> left;
};

// Answer to a fence: the terminal state in Outputs, or nothing: the dispatch is closed.
struct FenceAnswer {
  TaskId task;
  uint32_t dispatch = 0;
  std::optional<TaskState> terminal;
};

// One partition of Inputs: the engine between its store, its sessions and the other services. It
// feeds commands to the engine, writes its effects as records, and lets messages go when these are
// durable.
//
// Guarantees: a callback with OK means durable. A callback with an error of the store
// (RESOURCE_EXHAUSTED, UNAVAILABLE) leaves the outcome open: repeat the request as it was. Every
// callback is called, also when the partition is lost: UNAVAILABLE, PARTITION_LOST.
//
// Thread-safe; callbacks run on threads of its own and must not block. Owns store and threads;
// clock, keys and links outlive it.
class Partition final : public platform::PartitionMachine {
 public:
  template <typename Result>
  using Done = absl::AnyInvocable<void(absl::StatusOr<Result>)>;
  struct Nothing {};

  // Recovers what the store holds; nothing runs yet. `random` gives bits for ids.
  static absl::StatusOr<std::unique_ptr<Partition>> Open(
      PartitionOptions options, std::unique_ptr<platform::RecordStore> store,
      platform::Clock& clock, const platform::MacKeys& keys, absl::AnyInvocable<uint64_t()> random);
  ~Partition() override;

  // Begins to run and to send what recovery found unsent.
  absl::Status Start(OutputsLink& outputs, EventsLink* events);
  // Commits what was accepted and ends. Idempotent.
  void Stop();

  uint64_t epoch() const { return epoch_; }
  // As they were recovered. Before Start.
  platform::KnownBlocks known_blocks() const;
  // Names this partition's event batches to Events.
  const std::string& event_source() const { return event_source_; }
  absl::Status health() const;

  // ---- Users ----
  // Nobody waits after `answer_by`: what has to be asked of Outputs is asked no longer.
  void Spawn(std::shared_ptr<const SpawnBatch> batch, Done<SpawnOutcome> done,
             absl::Time answer_by = absl::InfiniteFuture());
  // One answer per id. What the viewer does not see is NOT_FOUND.
  void Control(ControlTasksCommand command, Done<std::vector<absl::StatusOr<TaskState>>> done);
  // One answer per id. Each is asked for by the viewer at its place, or all by the only one; what
  // that does not see is NOT_FOUND.
  void GetTasks(std::vector<TaskId> tasks, std::vector<platform::Viewer> viewers, bool explain,
                Done<std::vector<absl::StatusOr<TaskView>>> done);
  void ListTasks(ListCommand command, Done<TaskPage> done);
  // One answer per patch; tasks that the viewer does not see are NOT_FOUND.
  void PatchInfo(PatchCommand command, Done<std::vector<InfoAnswer>> done);
  // One result per task, or per match. What was restarted before has the same successor again.
  void RestartTasks(RestartCommand command, Done<RestartPage> done);
  void ListExecutors(std::string name_space, Done<std::vector<SessionView>> done);

  // What others have put into the store (RecordKind::kInbox), as far as it is there: each becomes a
  // task under the id that it has, or ends FAILED with what is wrong with it, and then is no more
  // in the inbox. Answers when what was done is durable. A step has its bounds: of many, or large
  // ones, it takes some. Repeats are harmless. Whoever names such a task in another call finds it
  // taken. The keys are those of about 4 MiB at most, as InboxWatch::Find gives them.
  void TakeInbox(std::vector<TaskKey> keys, Done<InboxStep> done);

  // ---- Operators ----
  // One answer per session.
  void ControlExecutors(ExecutorCommand command, Done<std::vector<absl::Status>> done);
  // Absent: removes it.
  void SetRoute(RouteCommand command, Done<Nothing> done);
  void ListRoutes(std::string name_space, Done<std::vector<RouteRecord>> done);
  // The command with the status of each item.
  void SetLimits(LimitsCommand command, Done<LimitsCommand> done);
  void ListLimits(LimitPageCommand command, Done<LimitPage> done);
  void SetPause(PauseCommand command, Done<Nothing> done);
  void ListPauses(std::string name_space, Done<std::vector<PauseRecord>> done);
  // The command with the status of each item, after options.on_blocks was told. Taken although the
  // mailbox is full.
  void SetBlocks(BlocksCommand command, Done<BlocksCommand> done);
  void ListBlocks(Done<platform::BlockList> done);

  // ---- Executors ----
  // A connection's name for the calls below. Both are UNAVAILABLE before Start and after the end,
  // Connect also while the partition drains: then the connection is to be closed.
  absl::StatusOr<ConnectionId> Connect(std::shared_ptr<SessionChannel> channel);
  absl::Status Receive(ConnectionId connection, SessionFrame frame);
  void Disconnect(ConnectionId connection);
  // As Disconnect, of an executor that is let in no more: what it holds is taken back at once.
  void Refuse(ConnectionId connection, absl::Status why);
  // Nothing is dispatched any more, new connections are UNAVAILABLE, and executors are told. Each
  // connection is closed when no handler of its session runs, all of them a moment before `within`
  // is over: the grace keeps what runs.
  void Drain(absl::Duration within);

  // ---- Other services ----
  void AnswerFences(std::vector<FenceAnswer> answers);
  // Another owner of these tasks is known: nothing is committed or said from now on. `why` is
  // ABORTED.
  void Lose(const absl::Status& why);
  // Events holds every line up to this number.
  void ConfirmEvents(uint64_t number);

  // PartitionMachine.
  void FinishGroup(platform::Transaction& transaction) override;
  absl::Duration NextWake() const override;
  bool IsImpatient() const override { return engine_.MayDispatch() || !effects_.starts.empty(); }

 private:
  struct Frame {
    platform::ReusedMessage<v1::PullResponse> message;
    size_t bytes = 0;  // Of its dispatches.
  };
  using Frames = absl::flat_hash_map<ConnectionId, Frame>;
  using Views = std::vector<absl::StatusOr<TaskView>>;
  using Checkpoints = absl::flat_hash_map<TaskKey, std::string>;
  using Row = std::shared_ptr<const std::vector<TaskView>>;
  // What a call asks for by name.
  struct Named {
    std::span<const TaskId> tasks;
    std::span<const platform::Viewer> viewers;  // One for each task, or one for all.
    bool trees = false;                         // Of which the tasks are the roots.
    bool shows_inbox = false;  // What waits there is shown; else it is UNAVAILABLE, IN_INBOX.
  };
  struct Unsent {
    ConnectionId connection;
    TaskId task;
    uint32_t dispatch;
  };
  struct RecentRow {
    RecordKind kind;
    uint64_t number;
    Row tasks;
  };

  Partition(PartitionOptions options, std::unique_ptr<platform::RecordStore> store,
            platform::Clock& clock, const platform::MacKeys& keys,
            absl::AnyInvocable<uint64_t()> random);

  // Recovery.
  absl::Status Recover();
  template <typename Decoder, typename Use>
  absl::Status RecoverKind(RecordKind kind, Decoder decode, Use use);
  absl::Status RecoverMeta();
  absl::Status RecoverOutbox();

  // Runs `command` on the apply thread and answers when its group is durable.
  template <typename Result, typename Command>
  void Ask(
      Done<Result> done, Command command,
      platform::PartitionRunner::Urgency urgency = platform::PartitionRunner::Urgency::kNormal);
  absl::Status Post(platform::PartitionRunner::Command command,
                    platform::PartitionRunner::Urgency urgency);
  absl::Status PostUrgent(platform::PartitionRunner::Command command);

  // Spawning.
  struct Admission;
  void Admit(const std::shared_ptr<Admission>& admission);
  void TryAdmit(const std::shared_ptr<Admission>& admission, platform::Transaction& transaction);
  std::shared_ptr<Admission> AdmissionOfTaken(TaskKey key, std::shared_ptr<const SpawnBatch> batch);
  // Of what it names, those that are to be asked of Outputs.
  absl::StatusOr<std::vector<TaskId>> LookAtNamed(Admission& admission,
                                                  platform::Transaction& transaction);
  absl::StatusOr<std::vector<TaskId>> LookAtDependencies(Admission& admission);
  void AskHowEnded(const std::shared_ptr<Admission>& admission, std::vector<TaskId> tasks);
  // Outputs has not answered.
  void GiveUp(const std::shared_ptr<Admission>& admission, const absl::Status& why);
  absl::StatusOr<SpawnOutcome> ApplySpawn(const Admission& admission,
                                          platform::Transaction& transaction);
  absl::Status ReadInherited(Admission& admission);
  // The dependencies of the spec whose body begins there in `scratch_`.
  void NameDependencies(const SpawnBatch& batch, size_t item, const SpawnOutcome& outcome,
                        size_t body);

  // The inbox.
  struct Taking {
    size_t at_once = 1;  // So many records are read first; for more if they turn out to be few.
    // By whoever calls, and not in its turn: what has to keep an order is not taken so.
    bool out_of_turn = false;
  };
  // The first of them that the step had no room for.
  absl::StatusOr<std::optional<TaskKey>> TakeKeys(std::span<const TaskKey> keys,
                                                  const Taking& taking,
                                                  platform::Transaction& transaction);
  struct InboxPage {
    std::vector<std::pair<TaskKey, std::string>> records;
    std::optional<TaskKey> next;  // Of those that were asked for the first that is left out.
  };
  absl::StatusOr<InboxPage> ReadInbox(std::span<const TaskKey> keys);
  void TakeOne(TaskKey key, std::string_view bytes, bool out_of_turn,
               platform::Transaction& transaction);
  // In a step of its own.
  void TakeSoon(std::vector<TaskKey> keys);
  // Those of these tasks that only the inbox knows. The first for which there is no room any more.
  absl::StatusOr<std::optional<TaskId>> TakeNamed(std::span<const TaskId> tasks,
                                                  platform::Transaction& transaction);
  // The first that the batch names of those that wait in the inbox, after what could be taken was.
  absl::StatusOr<std::optional<TaskId>> FindInInbox(const SpawnBatch& batch,
                                                    platform::Transaction& transaction);
  // What became of one that was taken.
  void FinishTaken(TaskKey key, const absl::StatusOr<SpawnOutcome>& outcome,
                   platform::Transaction& transaction);
  void LeaveTaken(TaskKey key, const absl::Status& why);
  // It will end so, also after a crash and whatever could be admitted by then; but where there is
  // no room for it to wait for Outputs it is left.
  void RefuseTaken(TaskKey key, const absl::Status& why, platform::Transaction& transaction);
  void EndRefused(TaskKey key);
  void EraseTaken(TaskKey key, platform::Transaction& transaction);
  void BuryRefused(const FenceAnswer& answer, platform::Transaction& transaction);
  void ForgetErased(platform::Transaction& transaction);
  // Tells once.
  void TellOfInbox(const absl::Status& why);
  // Those of `views` that are NOT_FOUND get what is to be said of tasks that wait in the inbox.
  void LookInInbox(const Named& named, Views& views) const;
  // What is known of each, after those in the inbox were taken.
  absl::StatusOr<Views> LookEverywhere(const Named& named, platform::Transaction& transaction);

  // Commands.
  absl::StatusOr<TaskState> ApplyControl(const ControlTasksCommand& command, const TaskView& task,
                                         const platform::Now& now);
  void ApplyFrame(ConnectionId connection, const SessionFrame& frame, const platform::Now& now);
  // Not OK: the dispatch is not this session's. All else is answered by the confirmation.
  absl::Status ApplyCheckpoint(ConnectionId connection, const SessionFrame::Checkpoint& checkpoint,
                               const platform::Now& now);
  void ApplyHello(ConnectionId connection, const SessionFrame::Hello& hello,
                  const platform::Now& now);
  // One view for each task, asked for by the viewer at its place or by the only one. A store that
  // does not answer says nothing of any of them: callers repeat calls, not items.
  absl::StatusOr<Views> Look(std::span<const TaskId> tasks,
                             std::span<const platform::Viewer> viewers);
  absl::StatusOr<Views> LookAtTrees(std::span<const TaskId> roots, const platform::Viewer& viewer);
  static void LookInRow(std::span<const TaskView> row, std::span<const TaskId> tasks,
                        std::span<const platform::Viewer> viewers, std::vector<size_t>& wanted,
                        Views& views);
  void AddSuccessor(absl::StatusOr<TaskView>& view) const;
  absl::StatusOr<Row> ReadRow(RecordKind kind, uint64_t number);
  absl::StatusOr<TaskPage> ApplyList(const ListCommand& command);
  absl::StatusOr<TaskPage> ApplySortedList(const ListCommand& command, const TaskFilter& filter);
  // All that match, in no order; SORT_LIMIT when too many had to be looked at.
  absl::StatusOr<std::vector<TaskView>> AllMatching(const TaskFilter& filter);
  // Where the next page of dead tasks goes on, and where the last one ends: in a token
  // <row>.<offset>.<last row>, oldest rows first. Rows that have come since the first page are on
  // none.
  struct DeadCursor {
    uint64_t row = 0;
    uint64_t offset = 0;
    uint64_t last_row = UINT64_MAX;
  };
  struct Picked {
    TaskView task;
    absl::StatusOr<std::string> record;  // Of ReadToRestart.
  };
  static absl::StatusOr<DeadCursor> ParseDeadCursor(std::string_view token);
  // What a page is to restart, as it comes; `cursor` goes behind it.
  absl::StatusOr<std::vector<Picked>> PickDead(const RestartCommand& command, DeadCursor& cursor);
  // The record of what is to be restarted; empty of a task that is not. May use up `room` bytes,
  // and more with the last.
  absl::StatusOr<std::string> ReadToRestart(const TaskView& task, size_t& room);
  // With what that says of the task; not OK: the store does not answer.
  absl::StatusOr<Picked> Pick(const TaskView& task, size_t& room);
  // Of one call, in the order of RestartOrder, as they may depend on each other: one of which the
  // restart of a dependency is refused is not restarted. The answers are in the order of `picked`.
  std::vector<RestartPage::Restarted> RestartTogether(const std::vector<Picked>& picked,
                                                      const RestartCommand& command,
                                                      platform::Transaction& transaction);
  void NoteRestarts(const RestartCommand& command, const std::vector<Picked>& picked,
                    const std::vector<RestartPage::Restarted>& restarted);
  RestartPage::Restarted ApplyRestart(const Picked& picked, const RestartCommand& command,
                                      const absl::flat_hash_set<TaskId>& refused,
                                      platform::Transaction& transaction);
  absl::StatusOr<TaskId> RestartDead(const Picked& picked, std::string_view app, bool dry_run,
                                     const absl::flat_hash_set<TaskId>& refused,
                                     platform::Transaction& transaction);
  absl::StatusOr<RestartPage> RestartMatching(const RestartCommand& command,
                                              platform::Transaction& transaction);

  // Effects.
  void WriteRecords(platform::WriteBatch& batch);
  template <typename Record>
  void WriteChanges(RecordKind kind, const std::vector<Change<Record>>& changes,
                    platform::WriteBatch& batch);
  void RememberRows(RecordKind kind, std::vector<Change<std::vector<TaskView>>>& changes);
  void WriteCheckpoints(platform::Transaction& transaction);
  void WriteEvents(platform::Transaction& transaction);
  void WriteLine(platform::Transaction& transaction);
  void TrimOutbox(platform::WriteBatch& batch);
  void TellWaits();
  void Deliver(platform::Transaction& transaction);
  void CloseDrained(platform::Transaction& transaction);
  // Tells the audit trail, with the events of this group.
  InfoAnswer ApplyPatch(const PatchCommand& command, const InfoPatch& patch, const TaskView& task);
  void Note(AuditNote note);
  void SetSome(BlocksCommand& command, const platform::Now& now);
  void LiftSome(BlocksCommand& command, platform::Transaction& transaction);
  void Compose(const DispatchMessage& message, absl::Time wall, v1::Dispatch& dispatch) const;
  // Grants to read the results that are its arguments.
  void AddArguments(const DispatchMessage& message, std::span<const Dependency> dependencies,
                    absl::Time wall, v1::Dispatch& dispatch) const;
  std::string SealLeaseFor(const DispatchMessage& message, absl::Time wall) const;
  // Puts a dispatch into its frame; its bytes are unsent from now on.
  void AddTask(const DispatchMessage& message, std::string_view content_type,
               std::string_view payload, std::string_view checkpoint,
               std::span<const Dependency> dependencies, absl::Time wall);
  // Of tasks whose payload, or checkpoint, is only in the store, once their dispatch is durable.
  // What there is no room for is deferred.
  void FetchAndSend(std::span<const Unsent> dispatches, const platform::Now& now);
  void FetchSome(std::span<const Unsent> dispatches, const platform::Now& now);
  // Of those of these tasks that have one; one that is damaged is left out.
  absl::StatusOr<Checkpoints> ReadCheckpoints(std::span<const TaskKey> tasks);
  void SendFetched(const DispatchMessage& message, const StoredSpec& spec,
                   std::string_view checkpoint, absl::Time wall);
  // Whether the executor reads as fast as it is told.
  bool HasRoom(ConnectionId connection) const;
  // Keeps the dispatch until its connection has drained, and gives the session no others.
  void Defer(const Unsent& unsent);
  void SendDeferred(ConnectionId connection, const platform::Now& now);
  // What it is told when the group is durable.
  v1::PullResponse& FrameFor(ConnectionId connection) { return *FrameOf(connection).message; }
  Frame& FrameOf(ConnectionId connection);
  // On the thread that has committed the group.
  void SendFrame(Frame frame, SessionChannel& channel);

  const PartitionOptions options_;
  const std::unique_ptr<RevocableRecordStore> store_;
  platform::Clock& clock_;
  const platform::MacKeys& keys_;
  const uint64_t epoch_;
  std::string event_source_;
  OutputsLink* outputs_ = nullptr;
  EventsLink* events_ = nullptr;
  std::atomic<ConnectionId> next_connection_{1};
  std::atomic<bool> draining_{false};

  // Confined to the apply thread once started.
  absl::AnyInvocable<uint64_t()> random_;
  Engine engine_;
  Effects effects_;
  Frames frames_;  // Of this group.
  platform::MessagePool<v1::PullResponse> spare_frames_;
  std::vector<AuditNote> notes_;  // Likewise.
  InboxBook inbox_;
  std::vector<TaskKey> erased_;  // From the inbox, by this group.
  int taking_ = 0;               // How deep in TakeKeys;
  size_t taken_ = 0;             // how many by the outermost,
  size_t taken_bytes_ = 0;       // and how large their records were.
  uint64_t blocks_version_ = 0;  // Changes of blocks since the start.
  PayloadCache payloads_;
  CheckpointBook checkpoints_;
  absl::flat_hash_map<ConnectionId, std::shared_ptr<SessionChannel>> channels_;
  absl::flat_hash_map<ConnectionId, std::vector<Unsent>> deferred_;  // None is empty.
  absl::Duration drained_by_ = absl::InfiniteDuration();             // Steady; from Drain on.
  EventPacker packer_;
  absl::Duration next_waits_ = -absl::InfiniteDuration();  // Steady.
  bool counting_ = false;  // Whether tasks have waited since the latest telling, or still do.
  absl::Duration oldest_event_ = absl::InfiniteDuration();  // Steady time of what the packer holds.
  uint64_t next_outbox_ = 1;
  uint64_t last_outbox_ = 0;      // The latest line; 0 when all before the restart were confirmed.
  uint64_t reserved_outbox_ = 0;  // No number from here on was ever used.
  std::deque<std::pair<uint64_t, size_t>> outbox_;  // Number and size of unconfirmed lines.
  size_t outbox_bytes_ = 0;
  uint64_t confirmed_outbox_ = 0;  // Lines up to here may go, with the next commit.
  std::vector<std::pair<uint64_t, std::string>> recovered_outbox_;
  bool recovered_ = false;             // The engine is: nothing is due before.
  std::deque<RecentRow> recent_rows_;  // Rows that may not be durable yet.
  platform::Now now_;                  // Of the latest group.
  // Of this start: later than that of all before it, also when the store is another one, unless the
  // clock was set back. Others keep what they were told beyond both.
  const uint64_t blocks_era_;
  std::string scratch_;

  std::unique_ptr<platform::PartitionRunner> runner_;  // Last: stops before the rest goes.
  std::atomic<platform::PartitionRunner*> running_{
      nullptr};  // Set by Start: calls may come before.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_PARTITION_H_

#ifndef KANTOKU_TESTS_UNIT_INPUTS_PARTITION_PARTITION_FIXTURE_H_
#define KANTOKU_TESTS_UNIT_INPUTS_PARTITION_PARTITION_FIXTURE_H_

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "kantoku/events/v1/events.pb.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/inputs/inbox_reader.h"
#include "services/inputs/partition/links.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/spec_reader.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/identity/block_book.h"
#include "services/platform/mutex.h"
#include "services/platform/store/record_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_injecting_record_store.h"

// A partition without network: over a memory store that fails as told, with a clock, peers and
// executors in a test's hand.
namespace kantoku::inputs::testing {

// Whoever sees the tasks of this subject.
inline platform::Viewer As(std::string subject) {
  return platform::Viewer(platform::Onlooker(std::move(subject), {platform::kEveryNamespace}));
}

// A value that the partition's threads change and a test waits for.
//
// Thread-safe.
template <typename T>
class Watched {
 public:
  template <typename Change>
  void Update(Change change) {
    platform::MutexLock lock(mutex_);
    change(value_);
    changed_.SignalAll();  // With the lock: who sees the change may destroy this.
  }
  // Whether it became so before a deadline that only a hang can miss.
  template <typename Predicate>
  bool Becomes(Predicate predicate) const {
    platform::Clock& clock = platform::Clock::Real();
    const absl::Duration deadline = clock.Read().steady + absl::Seconds(30);
    platform::MutexLock lock(mutex_);
    while (!predicate(value_)) {
      if (clock.Read().steady >= deadline) return false;
      clock.Wait(mutex_, changed_, deadline);
    }
    return true;
  }
  T Get() const {
    platform::MutexLock lock(mutex_);
    return value_;
  }

 private:
  mutable platform::Mutex mutex_;
  mutable platform::CondVar changed_;
  T value_ ABSL_GUARDED_BY(mutex_){};
};

class FakeOutputs final : public OutputsLink {
 public:
  using Items = std::vector<outputs::v1::FenceItem>;

  void Ask(Items items) override {
    asked_.Update([&](Items& all) { all.insert(all.end(), items.begin(), items.end()); });
  }
  // Waits for the n-th question, from 1.
  outputs::v1::FenceItem Asked(size_t n) const;
  size_t count() const { return asked_.Get().size(); }

  // How tasks have ended: kept until AnswerEnds, in their order.
  struct AskedEnds {
    EndsQuestion question;
    absl::AnyInvocable<void(const absl::StatusOr<Ends>&)> done;
  };
  void AskEnds(EndsQuestion question,
               absl::AnyInvocable<void(const absl::StatusOr<Ends>&)> done) override;
  // Waits for the next such question, and answers it.
  EndsQuestion AnswerEnds(const std::function<absl::StatusOr<Ends>(const EndsQuestion&)>& answer);

 private:
  Watched<Items> asked_;
  Watched<std::vector<std::shared_ptr<AskedEnds>>> asked_ends_;
  size_t answered_ends_ = 0;
};

class FakeEvents final : public EventsLink {
 public:
  using Lines = std::vector<std::pair<uint64_t, std::string>>;

  void Send(uint64_t number, std::string batch) override {
    sent_.Update([&](Lines& lines) { lines.emplace_back(number, std::move(batch)); });
  }
  Lines sent() const { return sent_.Get(); }
  // Types of all events so far, one per event, in their order.
  std::vector<std::string> Types() const;
  bool AwaitType(const std::string& type) const;

 private:
  static std::vector<std::string> TypesIn(const Lines& lines);

  Watched<Lines> sent_;
};

// What an executor was told on one connection, all frames in one.
class FakeChannel final : public SessionChannel {
 public:
  struct Heard {
    v1::PullResponse all;
    std::optional<absl::Status> closed;
    size_t applied_bytes = 0;
  };

  void Expect(size_t bytes) override {
    const size_t unsent = unsent_ += bytes;
    most_unsent_ = std::max(most_unsent_.load(), unsent);
  }
  size_t unsent_bytes() const override { return unsent_; }
  void NotifyDrained(size_t bytes, absl::AnyInvocable<void()> drained) override;
  void Send(v1::PullResponse& frame) override;
  void OnApplied(size_t bytes) override {
    heard_.Update([&](Heard& heard) { heard.applied_bytes += bytes; });
  }
  void Close(const absl::Status& status) override {
    heard_.Update([&](Heard& heard) { heard.closed = status; });
  }
  bool Await(const std::function<bool(const Heard&)>& enough) const {
    return heard_.Becomes(enough);
  }
  Heard heard() const { return heard_.Get(); }

  // What it is sent stays unsent, until it reads again.
  void StopReading();
  void Read();
  size_t most_unsent() const { return most_unsent_; }

 private:
  void Left(size_t bytes);

  Watched<Heard> heard_;
  std::atomic<size_t> unsent_{0};
  std::atomic<size_t> most_unsent_{0};
  platform::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
  size_t held_back_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t drain_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::AnyInvocable<void()> drained_ ABSL_GUARDED_BY(mutex_);
};

SessionId MakeSession(uint8_t number);

class PartitionFixture {
 public:
  PartitionFixture();
  explicit PartitionFixture(PartitionOptions options);
  ~PartitionFixture();

  Partition& partition() { return *partition_; }

  // Commits what was accepted, and opens the store again.
  void Restart();
  // As a process that is killed: what is not durable is gone.
  void Crash();
  // Stops, changes what the store holds, and opens it again.
  absl::Status ReopenAfter(const std::function<void(platform::WriteBatch&)>& change);

  // Stops, and starts again with what somebody has put past the partition into its store.
  void PutInInbox(const std::vector<StoredInbox>& records);
  // Waits for the answer.
  absl::StatusOr<InboxStep> TakeInbox(const std::vector<TaskKey>& keys);
  // Of what the store holds.
  std::vector<TaskKey> InboxKeys();

  // ---- Users; each waits for the answer ----
  absl::StatusOr<SpawnOutcome> Spawn(
      const v1::SpawnRequest& request,
      const platform::Identity& caller = platform::Administrator("alice", "laptop"));
  // Does not wait; the request is a sound one.
  void Post(const v1::SpawnRequest& request, Partition::Done<SpawnOutcome> done);
  // One plain task, and its id.
  TaskId SpawnOne(const std::string& payload = "p", const std::string& type = "x");
  absl::StatusOr<TaskState> Cancel(const TaskId& task) { return Control(task, {}); }
  absl::StatusOr<TaskState> Control(const TaskId& task, const ControlCommand& what,
                                    const std::string& owner = "alice");
  absl::StatusOr<TaskView> Get(const TaskId& task, const std::string& owner = "alice");
  std::vector<absl::StatusOr<TaskView>> GetAll(const std::vector<TaskId>& tasks,
                                               const std::string& owner = "alice");
  absl::StatusOr<TaskPage> List(ListCommand command);
  std::vector<InfoAnswer> Patch(std::vector<InfoPatch> patches, const std::string& owner = "alice");
  absl::StatusOr<RestartPage> Restart(RestartCommand command);
  std::vector<SessionView> Executors();
  // After it, everything that came before has happened and has been sent.
  void Settle() { (void)Executors(); }
  // Spawns tasks and cancels them: they end together, in one row.
  std::vector<TaskId> EndInOneRow(int count);
  // True as soon as the task is in this state.
  bool Reaches(const TaskId& task, TaskState state);

  // ---- Outputs ----
  void Answer(const outputs::v1::FenceItem& item, std::optional<TaskState> terminal = std::nullopt);

  platform::FakeClock clock;
  std::unique_ptr<platform::MacKeys> keys;
  platform::StoreFaults faults;
  platform::BlockBook blocks;
  PartitionOptions options;
  // Who may spawn by SQL, from the next start on; empty: there is no inbox.
  std::vector<DatabaseRole> roles = {{"shop", "default", "alice", "inputs:spawn"}};
  std::unique_ptr<FakeOutputs> outputs;  // New with every start.
  std::unique_ptr<FakeEvents> events;

 private:
  void Open();

  std::unique_ptr<platform::RecordStoreFactory> stores_;
  std::unique_ptr<Partition> partition_;
  uint64_t random_ = 1;
  int requests_ = 0;
};

// An executor that says what a test wants.
class TestExecutor {
 public:
  TestExecutor(PartitionFixture& fixture, uint8_t session, uint32_t credit = 10,
               std::vector<std::string> types = {"x"});

  // A new connection with a hello; waits for the welcome, or for the end of the connection.
  void Connect(const std::vector<v1::Held>& held = {});
  void Disconnect();
  void Say(const v1::PullRequest& request);

  // The n-th task on this connection, from 1.
  v1::Dispatch Task(int n) const;
  int tasks() const { return channel->heard().all.tasks_size(); }
  v1::Refused Refusal(int n) const;
  v1::HandlerControl Control(int n) const;

  void Start(const v1::Dispatch& task);
  // With a genuine receipt.
  void Ack(const v1::Dispatch& task);
  void AckWith(const v1::Dispatch& task, const std::string& receipt);
  bool AwaitConfirmed(int count) const;
  void Nack(const v1::Dispatch& task, v1::NackKind kind, const std::string& message = "broken");
  std::string ReceiptFor(const v1::Dispatch& task) const;

  platform::Identity caller = platform::Administrator("alice", "laptop");
  std::string name_space = "default";
  std::shared_ptr<FakeChannel> channel;
  ConnectionId connection = 0;

 private:
  void Receive(const v1::PullRequest& request, bool first);

  PartitionFixture& fixture_;
  const SessionId session_;
  const uint32_t credit_;
  const std::vector<std::string> types_;
};

TaskId IdOf(const v1::Dispatch& task);
v1::Held HeldOf(const v1::Dispatch& task, bool started = false, const std::string& receipt = "");

}  // namespace kantoku::inputs::testing

#endif  // KANTOKU_TESTS_UNIT_INPUTS_PARTITION_PARTITION_FIXTURE_H_

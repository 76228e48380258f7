#include "tests/chaos/soak/load.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/ids.h"
#include "tests/chaos/soak/journal.h"

namespace kantoku::soak {
namespace {

constexpr absl::Duration kBeat = absl::Milliseconds(100);
// Of so many tasks others may ask to come after them.
constexpr size_t kRecent = 50;

// Nobody stops it, and it is run until it succeeds.
bool CanOnlySucceed(const Asked& asked) { return !asked.once && !asked.stoppable; }

}  // namespace

Load::Load(const Options& options, Topology& topology, Observations& observations)
    : options_(options),
      observations_(observations),
      dice_(options.seed),
      readers_(options.seed, topology, observations),
      controllers_(options.seed, topology, observations),
      idle_user_(topology, observations),
      clients_({topology.ConnectUser(0), topology.ConnectUser(1)}) {
  thread_ = std::thread([this] { Run(); });
}

Load::~Load() {
  StopSpawning();
  clients_.clear();
}

void Load::Run() {
  absl::Duration next = Steady();
  int due = 0;  // In tasks times beats of a second.
  while (true) {
    {
      platform::MutexLock lock(mu_);
      while (!stopping_ && (Steady() < next || awaited_ > options_.window)) {
        changed_.WaitFor(mu_, absl::ToChronoNanoseconds(kBeat / 4));
      }
      if (stopping_) return;
    }
    next = std::max(next + kBeat, Steady() - kBeat);
    due += options_.tasks_per_second;
    SpawnSome(due / 10);
    due %= 10;
  }
}

void Load::SpawnSome(int count) {
  if (count == 0) return;
  const size_t user = dice_.Below(clients_.size());
  struct Asking {
    const Kind* kind;
    Asked asked;
  };
  std::vector<Asking> asking;
  std::vector<Task> tasks;
  for (int i = 0; i < count; ++i) {
    const Kind& kind = DrawKind(dice_);
    Asked asked = {.type = kind.type, .at = Steady()};
    kind.make(dice_, asked);
    asked.work.name = absl::StrCat("n", spawned_++);
    Task task(kind.type, Encode(asked.work));
    task.With(Reference(asked.work.name));
    if (!asked.once) task.With(ManyAttempts());
    if (kind.ask) kind.ask(asked, task);
    if (kind.after > 0) AskForEarlier(kind.after, asked, task);
    tasks.push_back(std::move(task));
    asking.push_back({&kind, std::move(asked)});
  }
  {
    platform::MutexLock lock(mu_);
    ++calls_;
    awaited_ += asking.size();
  }
  clients_[user].SpawnBatchAsync(
      std::move(tasks), {},
      [this, user, asking = std::move(asking)](std::vector<absl::StatusOr<SpawnedTask>> answers) {
        for (size_t i = 0; i < answers.size(); ++i) {
          Accept(*asking[i].kind, asking[i].asked, user, answers[i]);
        }
        platform::MutexLock lock(mu_);
        --calls_;
        changed_.SignalAll();
      });
}

void Load::AskForEarlier(int most, Asked& asked, Task& task) {
  platform::MutexLock lock(mu_);
  std::set<size_t> places;
  for (int i = dice_.Between(1, most); i > 0 && !recent_.empty(); --i) {
    const size_t place = dice_.Below(recent_.size());
    if (!places.insert(place).second) continue;
    asked.after.push_back(recent_[place].ToString());
    task.With(DependsOn(recent_[place]));
  }
}

void Load::Accept(const Kind& kind, Asked asked, size_t user,
                  const absl::StatusOr<SpawnedTask>& task) {
  if (!task.ok()) {
    observations_.Trouble(
        absl::StrCat("spawn of ", asked.work.name, ": ", task.status().ToString()));
    platform::MutexLock lock(mu_);
    --awaited_;
    return;
  }
  asked.task = task->id.ToString();
  // Ids of one namespace are in the order in which Inputs has taken the tasks.
  asked.order = platform::TaskId::Parse(asked.task)->key();
  if (CanOnlySucceed(asked)) {
    platform::MutexLock lock(mu_);
    recent_.push_back(task->id);
    if (recent_.size() > kRecent) recent_.pop_front();
  }
  observations_.Asked(asked);
  Await(user, task->id);
  if (kind.attention == Attention::kStream) readers_.Add(task->id);
  if (kind.attention == Attention::kStop) controllers_.AddTree(task->id);
  if (kind.attention == Attention::kPause) controllers_.AddPaused(task->id);
}

void Load::Await(size_t user, const TaskId& task) {
  clients_[user].AwaitAsync(task, {}, [this, task](absl::StatusOr<Output> output) {
    if (output.ok()) {
      observations_.Ended(*output);
    } else if (output.status().code() != absl::StatusCode::kCancelled) {
      observations_.Trouble(
          absl::StrCat("await of ", task.ToString(), ": ", output.status().ToString()));
    }
    platform::MutexLock lock(mu_);
    --awaited_;
    changed_.SignalAll();
  });
}

void Load::StopSpawning() {
  {
    platform::MutexLock lock(mu_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
  platform::MutexLock lock(mu_);
  while (calls_ > 0) changed_.Wait(mu_);
}

bool Load::AwaitEnds(absl::Duration limit) {
  const absl::Duration until = Steady() + limit;
  controllers_.Finish();
  {
    platform::MutexLock lock(mu_);
    while (awaited_ > 0 && Steady() < until) {
      changed_.WaitFor(mu_, absl::ToChronoNanoseconds(kBeat));
    }
    if (awaited_ > 0) return false;
  }
  return idle_user_.Finish(until - Steady()) && readers_.Finish(until - Steady());
}

}  // namespace kantoku::soak

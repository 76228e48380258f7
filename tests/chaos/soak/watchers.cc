#include "tests/chaos/soak/watchers.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "tests/chaos/soak/journal.h"
#include "tests/chaos/soak/kinds.h"

namespace kantoku::soak {
namespace {

constexpr size_t kReaders = 2;
constexpr size_t kMostWaiting = 50;
constexpr absl::Duration kSlice = absl::Milliseconds(500);
constexpr absl::Duration kControlLimit = absl::Seconds(60);
// Longer than the proxy's patience with idle lines.
constexpr absl::Duration kIdle = absl::Seconds(7);

}  // namespace

Readers::Readers(uint64_t seed, Topology& topology, Observations& observations)
    : observations_(observations), threads_at_work_(kReaders) {
  for (size_t i = 0; i < kReaders; ++i) {
    threads_.emplace_back(
        [this, seed = seed + i, client = topology.ConnectUser(i)] { Run(seed, client); });
  }
}

Readers::~Readers() {
  {
    platform::MutexLock lock(mu_);
    stopping_ = true;
    abandoned_ = true;
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void Readers::Add(const TaskId& task) {
  platform::MutexLock lock(mu_);
  if (waiting_.size() >= kMostWaiting) return;
  waiting_.push_back(task);
  changed_.Signal();
}

bool Readers::Finish(absl::Duration limit) {
  const absl::Duration until = Steady() + limit;
  platform::MutexLock lock(mu_);
  stopping_ = true;
  changed_.SignalAll();
  while (threads_at_work_ > 0 && Steady() < until) {
    changed_.WaitFor(mu_, absl::ToChronoNanoseconds(kSlice));
  }
  return threads_at_work_ == 0;
}

bool Readers::stopping() {
  platform::MutexLock lock(mu_);
  return abandoned_;
}

void Readers::Run(uint64_t seed, const Client& client) {
  Dice dice(seed);
  while (true) {
    TaskId task;
    {
      platform::MutexLock lock(mu_);
      while (!stopping_ && waiting_.empty()) changed_.Wait(mu_);
      if (waiting_.empty() || abandoned_) {
        --threads_at_work_;
        changed_.SignalAll();
        return;
      }
      task = waiting_.front();
      waiting_.pop_front();
    }
    ReadAll(client, dice, task);
  }
}

void Readers::ReadAll(Client client, Dice& dice, const TaskId& task) {
  std::vector<Read> items;
  auto stream = client.Stream(task);
  bool reopened = false;
  while (!stopping()) {
    auto next = stream->Next(kSlice);
    if (!next.ok()) {
      if (next.status().code() == absl::StatusCode::kDeadlineExceeded) continue;
      observations_.Trouble(
          absl::StrCat("stream of ", task.ToString(), ": ", next.status().ToString()));
      return;
    }
    if (const auto* output = std::get_if<Output>(&*next)) {
      observations_.Ended(*output);
      return observations_.Read(task.ToString(), std::move(items));
    }
    Item& item = std::get<Item>(*next);
    items.push_back({.dispatch = item.dispatch,
                     .sequence = item.sequence,
                     .data = std::move(item.data),
                     .restarted = item.restarted});
    if (!reopened && dice.OneIn(20)) {
      // After the last item that it was given: {dispatch, sequence} is the first one to come.
      stream = client.Stream(task, stream->position());
      reopened = true;
    }
  }
}

Controllers::Controllers(uint64_t seed, Topology& topology, Observations& observations)
    : observations_(observations), client_(topology.ConnectUser(0)), dice_(seed) {
  thread_ = std::thread([this] { Run(); });
}

Controllers::~Controllers() { Finish(); }

void Controllers::AddTree(const TaskId& root) {
  Wish wish = {.task = root, .tree = true};
  {
    platform::MutexLock lock(mu_);
    if (dice_.OneIn(2)) return;
    wish.verb = dice_.OneIn(2) ? ControlVerb::kCancel : ControlVerb::kInterrupt;
  }
  Add(wish, absl::Milliseconds(20), absl::Milliseconds(500));
}

void Controllers::AddPaused(const TaskId& task) {
  Add({.task = task, .verb = ControlVerb::kPause}, absl::Milliseconds(5), absl::Milliseconds(300));
}

void Controllers::Add(Wish wish, absl::Duration least, absl::Duration most) {
  platform::MutexLock lock(mu_);
  wish.due = Steady() + dice_.Between(least, most);
  wishes_.push_back(wish);
  changed_.SignalAll();
}

void Controllers::Finish() {
  {
    platform::MutexLock lock(mu_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

bool Controllers::Next(Wish& wish) {
  platform::MutexLock lock(mu_);
  while (true) {
    if (stopping_) {
      std::erase_if(wishes_, [](const Wish& one) { return one.verb != ControlVerb::kResume; });
      if (wishes_.empty()) return false;
    }
    const auto first = std::min_element(wishes_.begin(), wishes_.end(),
                                        [](const Wish& a, const Wish& b) { return a.due < b.due; });
    if (first != wishes_.end() && (stopping_ || first->due <= Steady())) {
      wish = *first;
      wishes_.erase(first);
      return true;
    }
    changed_.WaitFor(
        mu_, absl::ToChronoNanoseconds(first == wishes_.end() ? kSlice : first->due - Steady()));
  }
}

void Controllers::Run() {
  for (Wish wish; Next(wish);) Fulfil(wish);
}

void Controllers::Fulfil(const Wish& wish) {
  const auto state =
      client_.Control(wish.task, wish.verb, {.tree = wish.tree}, {.timeout = kControlLimit});
  if (wish.tree) NoteStop(wish, state.status());
  const absl::StatusCode code = state.status().code();
  // Steps are not repeated by the client, whatever the server says.
  const bool lost_step =
      wish.verb == ControlVerb::kStep &&
      (code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kResourceExhausted);
  if (!state.ok() && code != absl::StatusCode::kFailedPrecondition && !lost_step) {
    observations_.Trouble(absl::StrCat(std::string(ToString(wish.verb)), " of ",
                                       wish.task.ToString(), ": ", state.status().ToString()));
  }
  if (wish.verb != ControlVerb::kPause) return;
  Add({.task = wish.task, .verb = ControlVerb::kStep}, absl::Milliseconds(20),
      absl::Milliseconds(200));
  Add({.task = wish.task, .verb = ControlVerb::kResume}, absl::Milliseconds(200),
      absl::Milliseconds(800));
}

// That the tree had ended may be the answer to a repetition of the client's: a first stop that took
// effect, and whose answer was lost, may be what ended it.
void Controllers::NoteStop(const Wish& wish, const absl::Status& answer) {
  observations_.Stopped({.root = wish.task.ToString(),
                         .verb = std::string(ToString(wish.verb)),
                         .answered = answer.ok() ? Steady() : absl::InfiniteDuration()});
}

IdleUser::IdleUser(Topology& topology, Observations& observations)
    : observations_(observations), client_(topology.ConnectUser(kUsers - 1)) {
  thread_ = std::thread([this] { Run(); });
}

IdleUser::~IdleUser() {
  {
    platform::MutexLock lock(mu_);
    stopping_ = true;
    abandoned_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

bool IdleUser::Finish(absl::Duration limit) {
  const absl::Duration until = Steady() + limit;
  platform::MutexLock lock(mu_);
  stopping_ = true;
  changed_.SignalAll();
  while (!done_ && Steady() < until) {
    changed_.WaitFor(mu_, absl::ToChronoNanoseconds(kSlice));
  }
  return done_;
}

void IdleUser::Run() {
  for (int i = 0;; ++i) {
    {
      platform::MutexLock lock(mu_);
      if (stopping_) break;
    }
    Asked asked = {.type = Kinds().front().type, .work = {.name = absl::StrCat("idle", i)}};
    const auto task =
        client_.Spawn(Task(asked.type, Encode(asked.work))
                          .With(Reference(asked.work.name), ManyAttempts(), Delay(kIdle)));
    if (!task.ok()) {
      observations_.Trouble(absl::StrCat("idle spawn: ", task.status().ToString()));
      break;
    }
    asked.task = task->id.ToString();
    observations_.Asked(asked);
    if (!AwaitOne(task->id)) break;
  }
  platform::MutexLock lock(mu_);
  done_ = true;
  changed_.SignalAll();
}

bool IdleUser::AwaitOne(const TaskId& task) {
  {
    platform::MutexLock lock(mu_);
    answered_ = false;
  }
  client_.AwaitAsync(task, {}, [this](absl::StatusOr<Output> output) {
    if (output.ok()) observations_.Ended(*output);
    platform::MutexLock lock(mu_);
    answered_ = true;
    changed_.SignalAll();
  });
  platform::MutexLock lock(mu_);
  while (!answered_ && !abandoned_) changed_.Wait(mu_);
  return answered_;
}

}  // namespace kantoku::soak

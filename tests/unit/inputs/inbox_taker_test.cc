#include "services/inputs/inbox_taker.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "services/platform/mutex.h"
#include "tests/support/fake_clock.h"

namespace kantoku::inputs {
namespace {

// An inbox of keys, and what the partition would do with them: it takes those that it does not
// leave.
//
// Thread-safe.
class FakeInbox {
 public:
  using Step = std::vector<TaskKey>;

  void Put(TaskKey key) {
    const platform::MutexLock lock(mutex_);
    keys_.insert(key);
  }
  void Leave(TaskKey key) {
    const platform::MutexLock lock(mutex_);
    keys_.insert(key);
    leaves_.insert(key);
  }
  // With the step after this number of steps, another transaction commits.
  void PutDuring(size_t step, TaskKey key) {
    const platform::MutexLock lock(mutex_);
    during_[step] = key;
  }
  void FailNextFind() {
    const platform::MutexLock lock(mutex_);
    fails_ = true;
  }
  void Notify() {
    const platform::MutexLock lock(mutex_);
    notified_ = true;
    changed_.SignalAll();
  }
  // Waits until the taker has nothing to do, for the n-th time.
  std::vector<Step> AwaitIdle(int times) {
    const platform::MutexLock lock(mutex_);
    while (idle_ < times) changed_.Wait(mutex_);
    return steps_;
  }

  // Waits until so many steps have begun in all.
  void AwaitSteps(size_t count) {
    const platform::MutexLock lock(mutex_);
    while (steps_.size() < count) changed_.Wait(mutex_);
  }

  InboxTaker::Take Take() {
    return [this](const std::vector<TaskKey>& keys, Partition::Done<InboxStep> done) {
      InboxStep step;
      {
        const platform::MutexLock lock(mutex_);
        if (const auto more = during_.find(steps_.size()); more != during_.end()) {
          keys_.insert(more->second);
        }
        steps_.push_back(keys);
        changed_.SignalAll();
        for (const TaskKey key : keys) {
          if (leaves_.contains(key)) {
            step.left.push_back(key);
          } else {
            keys_.erase(key);
          }
        }
      }
      done(std::move(step));
    };
  }

  class Watch final : public platform::InboxWatch {
   public:
    explicit Watch(FakeInbox& inbox) : inbox_(inbox) {}

    absl::StatusOr<std::vector<TaskKey>> Find(TaskKey from, size_t limit) override {
      const platform::MutexLock lock(inbox_.mutex_);
      if (std::exchange(inbox_.fails_, false)) return absl::UnavailableError("away");
      std::vector<TaskKey> found;
      for (auto it = inbox_.keys_.lower_bound(from);
           it != inbox_.keys_.end() && found.size() < limit; ++it) {
        found.push_back(*it);
      }
      return found;
    }
    absl::Status Wait(absl::Duration) override {
      const platform::MutexLock lock(inbox_.mutex_);
      ++inbox_.idle_;
      inbox_.changed_.SignalAll();
      while (!inbox_.notified_ && !inbox_.interrupted_) inbox_.changed_.Wait(inbox_.mutex_);
      inbox_.notified_ = false;
      return absl::OkStatus();
    }
    void Interrupt() override {
      const platform::MutexLock lock(inbox_.mutex_);
      inbox_.interrupted_ = true;
      inbox_.changed_.SignalAll();
    }

   private:
    FakeInbox& inbox_;
  };

 private:
  platform::Mutex mutex_;
  platform::CondVar changed_;
  std::set<TaskKey> keys_ ABSL_GUARDED_BY(mutex_);
  std::set<TaskKey> leaves_ ABSL_GUARDED_BY(mutex_);
  std::map<size_t, TaskKey> during_ ABSL_GUARDED_BY(mutex_);
  std::vector<Step> steps_ ABSL_GUARDED_BY(mutex_);
  bool fails_ ABSL_GUARDED_BY(mutex_) = false;
  bool notified_ ABSL_GUARDED_BY(mutex_) = false;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;
};

using Steps = std::vector<FakeInbox::Step>;

struct Fixture {
  FakeInbox inbox;
  platform::FakeClock clock;
  std::atomic<size_t> left = 99;  // As the taker tells.
  std::unique_ptr<InboxTaker> taker;

  void Start() {
    taker = std::make_unique<InboxTaker>(
        std::make_unique<FakeInbox::Watch>(inbox), inbox.Take(),
        [this](size_t count) { left = count; }, clock);
  }
  // After this step, with which there was no room for more that is left.
  void PassPauseOf(size_t step) {
    inbox.AwaitSteps(step);
    REQUIRE(clock.AwaitWaiter(absl::Milliseconds(100)));
    clock.Advance(absl::Milliseconds(100));
  }
  // Notifies, and lets this much time pass before the inbox is looked at again.
  void NotifyAfter(absl::Duration time) {
    inbox.Notify();
    REQUIRE(clock.AwaitWaiter(time));
    clock.Advance(time);
  }
};

TEST_CASE("What is in the inbox when its taker starts is taken, and what comes when it is told") {
  Fixture fixture;
  fixture.inbox.Put(7);
  fixture.Start();
  CHECK(fixture.inbox.AwaitIdle(1) == Steps{{7}});
  fixture.inbox.Put(9);
  fixture.inbox.Put(8);
  fixture.NotifyAfter(absl::Milliseconds(5));
  CHECK(fixture.inbox.AwaitIdle(2) == Steps{{7}, {8, 9}});
}

TEST_CASE("What a long transaction commits under a lower key comes before what is found after it") {
  Fixture fixture;
  for (TaskKey key = 1'000; key < 1'300; ++key) fixture.inbox.Put(key);
  fixture.inbox.PutDuring(0, 3);
  fixture.Start();
  const Steps steps = fixture.inbox.AwaitIdle(1);
  REQUIRE(steps.size() == 2);
  CHECK(steps[1].front() == 3);
  CHECK(steps[1].size() == 45);
}

TEST_CASE("What is left in the inbox is looked at again after seconds, however often it is told") {
  Fixture fixture;
  fixture.inbox.Leave(5);
  fixture.inbox.Put(6);
  fixture.Start();
  CHECK(fixture.inbox.AwaitIdle(1) == Steps{{5, 6}});
  fixture.inbox.Put(7);
  fixture.NotifyAfter(absl::Milliseconds(5));
  CHECK(fixture.inbox.AwaitIdle(2) == Steps{{5, 6}, {7}});
  CHECK(fixture.left == 1);
  fixture.NotifyAfter(absl::Seconds(5));
  CHECK(fixture.inbox.AwaitIdle(3) == Steps{{5, 6}, {7}, {5}});
}

TEST_CASE("However many are left in the inbox, what comes behind them is taken, slowly at last") {
  Fixture fixture;
  constexpr TaskKey kLeft = 10'240 + 512;
  for (TaskKey key = 0; key < kLeft; ++key) fixture.inbox.Leave(key);
  fixture.inbox.Put(20'000);
  fixture.Start();
  for (const size_t full : {40, 41, 42}) fixture.PassPauseOf(full);
  const Steps steps = fixture.inbox.AwaitIdle(1);
  CHECK(steps.size() == kLeft / 256 + 1);
  CHECK(steps.back() == FakeInbox::Step{20'000});
}

TEST_CASE("However much is in one slot of the inbox, each other one has its turn after a step") {
  Fixture fixture;
  constexpr TaskKey kSlot = TaskKey{1} << TaskId::kSequenceBits;
  for (TaskKey key = 0; key < 1'000; ++key) fixture.inbox.Put(kSlot + key);
  fixture.inbox.Put(3 * kSlot);
  fixture.inbox.Put(4 * kSlot);
  fixture.Start();
  const Steps steps = fixture.inbox.AwaitIdle(1);
  REQUIRE(steps.size() > 2);
  CHECK(steps[0].back() == kSlot + 255);
  CHECK(steps[1] == FakeInbox::Step{3 * kSlot, 4 * kSlot});
  CHECK(steps[2].front() == kSlot + 256);
}

TEST_CASE("What is left in one slot of the inbox takes no room of another one") {
  Fixture fixture;
  constexpr TaskKey kSlot = TaskKey{1} << TaskId::kSequenceBits;
  for (TaskKey key = 0; key < 10'240; ++key) fixture.inbox.Leave(kSlot + key);
  fixture.inbox.Leave(2 * kSlot);
  fixture.Start();
  fixture.PassPauseOf(/*step=*/41);
  const size_t before = fixture.inbox.AwaitIdle(1).size();
  fixture.inbox.Put(2 * kSlot + 1);
  fixture.NotifyAfter(absl::Milliseconds(100));
  const Steps steps = fixture.inbox.AwaitIdle(2);
  REQUIRE(steps.size() == before + 1);
  CHECK(steps.back() == FakeInbox::Step{2 * kSlot + 1});
}

TEST_CASE("While the database cannot be asked the inbox is looked at again, after a pause") {
  Fixture fixture;
  fixture.inbox.Put(7);
  fixture.inbox.FailNextFind();
  fixture.Start();
  REQUIRE(fixture.clock.AwaitWaiter(absl::Seconds(1)));
  fixture.clock.Advance(absl::Seconds(1));
  CHECK(fixture.inbox.AwaitIdle(1) == Steps{{7}});
}

TEST_CASE("A taker that is told to stop takes nothing more, and ends") {
  Fixture fixture;
  fixture.Start();
  (void)fixture.inbox.AwaitIdle(1);
  fixture.taker->BeginStop();
  fixture.inbox.Put(7);
  fixture.taker->Stop();
  CHECK(fixture.inbox.AwaitIdle(1).empty());
  CHECK(fixture.left == 0);
}

}  // namespace
}  // namespace kantoku::inputs

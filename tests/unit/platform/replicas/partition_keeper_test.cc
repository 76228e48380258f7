#include "services/platform/replicas/partition_keeper.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/platform/mutex.h"
#include "services/platform/status.h"
#include "tests/support/fake_clock.h"
#include "tests/support/notification.h"
#include "tests/support/process.h"
#include "tests/support/replica_board.h"

namespace kantoku::platform {
namespace {

constexpr absl::Duration kBeat = absl::Milliseconds(500);
constexpr absl::Duration kLease = absl::Seconds(2);

using Closings = std::vector<uint32_t>;

absl::Status Failing() { return Error(absl::StatusCode::kUnavailable, "PLANTED", "not now"); }

std::chrono::steady_clock::time_point EndOfPatience() {
  return std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(test::kPatience);
}

// What other threads bring about, at once or never.
bool Eventually(const std::function<bool()>& happened) {
  const auto end = EndOfPatience();
  while (!happened()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// Partitions that open and close as the test has it; what it is told lives longer than its keeper.
class FakeHost final : public PartitionHost {
 public:
  absl::Status Open(uint32_t partition) override {
    std::function<absl::Status(uint32_t)> on_open;
    {
      MutexLock lock(mu_);
      misused_ |= open_.contains(partition) || !busy_.insert(partition).second;
      ++openings_;
      on_open = on_open_;
    }
    absl::Status opened = on_open ? on_open(partition) : absl::OkStatus();
    MutexLock lock(mu_);
    busy_.erase(partition);
    if (opened.ok()) open_.insert(partition);
    return opened;
  }

  void Close(uint32_t partition) override {
    std::function<void(uint32_t)> on_close;
    {
      MutexLock lock(mu_);
      misused_ |= !open_.contains(partition) || !busy_.insert(partition).second;
      on_close = on_close_;
    }
    if (on_close) on_close(partition);
    MutexLock lock(mu_);
    busy_.erase(partition);
    open_.erase(partition);
    health_.erase(partition);
    closings_.push_back(partition);
  }

  absl::Status health(uint32_t partition) const override {
    MutexLock lock(mu_);
    misused_ |= !open_.contains(partition) || busy_.contains(partition);
    const auto found = health_.find(partition);
    return found == health_.end() ? absl::OkStatus() : found->second;
  }

  void set_on_open(std::function<absl::Status(uint32_t)> on_open) {
    MutexLock lock(mu_);
    on_open_ = std::move(on_open);
  }
  void set_on_close(std::function<void(uint32_t)> on_close) {
    MutexLock lock(mu_);
    on_close_ = std::move(on_close);
  }
  void set_health(uint32_t partition, absl::Status health) {
    MutexLock lock(mu_);
    health_[partition] = std::move(health);
  }

  std::set<uint32_t> open() const {
    MutexLock lock(mu_);
    return open_;
  }
  int openings() const {
    MutexLock lock(mu_);
    return openings_;
  }
  Closings closings() const {
    MutexLock lock(mu_);
    return closings_;
  }
  // Asked for what the interface does not allow.
  bool misused() const {
    MutexLock lock(mu_);
    return misused_;
  }

 private:
  mutable Mutex mu_;
  std::function<absl::Status(uint32_t)> on_open_ ABSL_GUARDED_BY(mu_);
  std::function<void(uint32_t)> on_close_ ABSL_GUARDED_BY(mu_);
  std::map<uint32_t, absl::Status> health_ ABSL_GUARDED_BY(mu_);
  std::set<uint32_t> open_ ABSL_GUARDED_BY(mu_);
  std::set<uint32_t> busy_ ABSL_GUARDED_BY(mu_);
  int openings_ ABSL_GUARDED_BY(mu_) = 0;
  Closings closings_ ABSL_GUARDED_BY(mu_);
  mutable bool misused_ ABSL_GUARDED_BY(mu_) = false;
};

// Replicas of a component of some partitions, and their time.
class World {
 public:
  struct Process {
    Process(World& world, const std::string& id)
        : directory(world.board_.Connect()),
          keeper({.component = "test",
                  .self = {.id = id, .address = id + ":1"},
                  .partitions = world.partitions_,
                  .on_others = [this](const auto& others) { Note(others); }},
                 *directory, host, world.clock_) {}
    ~Process() {
      keeper.Stop();
      CHECK_FALSE(host.misused());
    }

    void Note(const std::vector<Replica>& now) {
      MutexLock lock(mu);
      others = now;
      ++tellings;
    }
    std::set<uint32_t> here() const {
      std::set<uint32_t> partitions;
      for (uint32_t partition = 0; partition < keeper.count(); ++partition) {
        if (keeper.Find(partition).here) partitions.insert(partition);
      }
      return partitions;
    }

    FakeHost host;
    const std::unique_ptr<ReplicaDirectory> directory;
    Mutex mu;
    std::vector<Replica> others;
    int tellings = 0;
    PartitionKeeper keeper;
  };

  explicit World(uint32_t partitions) : partitions_(partitions), board_(partitions, clock_) {
    board_.set_gate([this](std::string_view id, std::string_view method) {
      return Admit(std::string(id), method);
    });
    board_.set_answer_gate([this](std::string_view id, std::string_view method) {
      return Answer(std::string(id), method);
    });
  }

  FakeClock& clock() { return clock_; }
  ReplicaBoard& board() { return board_; }

  std::unique_ptr<Process> Make(const std::string& id) {
    return std::make_unique<Process>(*this, id);
  }
  std::unique_ptr<Process> Started(const std::string& id) {
    auto process = Make(id);
    const absl::Status started = process->keeper.Start();
    CAPTURE(started.ToString());
    REQUIRE(started.ok());
    return process;
  }

  // How calls of a replica fail before they do anything, or after they did it; OK for not at all.
  void Fail(const std::string& id, const std::string& method, absl::Status status) {
    MutexLock lock(mu_);
    failing_[{id, method}] = std::move(status);
  }
  void LoseAnswers(const std::string& id, const std::string& method, absl::Status status) {
    MutexLock lock(mu_);
    losing_[{id, method}] = std::move(status);
  }
  // As of a process that is stopped: its next beat does not get to the directory before Thaw.
  void Freeze(const std::string& id) {
    MutexLock lock(mu_);
    frozen_[id] = std::make_shared<test::Notification>();
  }
  void Thaw(const std::string& id) {
    MutexLock lock(mu_);
    frozen_[id]->Notify();
    frozen_.erase(id);
  }

  int beats(const std::string& id) const {
    MutexLock lock(mu_);
    const auto found = beats_.find(id);
    return found == beats_.end() ? 0 : found->second;
  }
  int releases() const {
    MutexLock lock(mu_);
    return releases_;
  }

  // Time goes on by a beat, and whoever is named has begun, and gone through with, one.
  void Step(const std::vector<std::string>& ids) {
    REQUIRE(clock_.AwaitWaiters(ids.size()));
    std::map<std::string, int> before;
    for (const std::string& id : ids) before[id] = beats(id);
    clock_.Advance(kBeat);
    for (const std::string& id : ids) {
      CAPTURE(id);
      REQUIRE(Eventually([&] { return beats(id) > before[id]; }));
    }
    REQUIRE(clock_.AwaitWaiters(ids.size()));
  }
  // Steps until it is so. Workers come to it when the system lets them: that may be many steps.
  void StepUntil(const std::vector<std::string>& ids, const std::function<bool()>& is_so) {
    const auto end = EndOfPatience();
    while (!is_so()) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      Step(ids);
    }
  }

 private:
  using Which = std::pair<std::string, std::string>;  // Replica and method.

  absl::Status Admit(const std::string& id, std::string_view method) {
    std::shared_ptr<test::Notification> thawed;
    {
      MutexLock lock(mu_);
      if (method == "Beat" && frozen_.contains(id)) thawed = frozen_[id];
    }
    if (thawed != nullptr) thawed->Wait();
    MutexLock lock(mu_);
    const auto found = failing_.find(Which(id, method));
    absl::Status status = found == failing_.end() ? absl::OkStatus() : found->second;
    if (method == "Beat" && !status.ok()) ++beats_[id];
    return status;
  }

  absl::Status Answer(const std::string& id, std::string_view method) {
    MutexLock lock(mu_);
    if (method == "Beat") ++beats_[id];
    if (method == "Release") ++releases_;
    const auto found = losing_.find(Which(id, method));
    return found == losing_.end() ? absl::OkStatus() : found->second;
  }

  const uint32_t partitions_;
  FakeClock clock_;
  ReplicaBoard board_;
  mutable Mutex mu_;
  std::map<Which, absl::Status> failing_ ABSL_GUARDED_BY(mu_);
  std::map<Which, absl::Status> losing_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::shared_ptr<test::Notification>> frozen_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> beats_ ABSL_GUARDED_BY(mu_);
  int releases_ ABSL_GUARDED_BY(mu_) = 0;
};

using Partitions = std::set<uint32_t>;

// When something happened, by the test's clock, on whatever thread.
class Times {
 public:
  explicit Times(const Clock& clock) : clock_(clock) {}
  void Note() {
    MutexLock lock(mu_);
    all_.push_back(clock_.Read().steady);
  }
  std::vector<absl::Duration> all() const {
    MutexLock lock(mu_);
    return all_;
  }

 private:
  const Clock& clock_;
  mutable Mutex mu_;
  std::vector<absl::Duration> all_ ABSL_GUARDED_BY(mu_);
};

TEST_CASE("A replica alone has everything when it has started") {
  World world(3);
  const auto a = world.Started("a");
  CHECK(a->here() == Partitions{0, 1, 2});
  CHECK(a->keeper.health().ok());
  CHECK(world.board().owners() == std::vector<std::string>{"a", "a", "a"});
}

TEST_CASE("Who joins gets its share, one partition in a beat, each closed before it is released") {
  World world(4);
  const auto a = world.Started("a");
  a->host.set_on_close([&](uint32_t partition) {
    if (world.board().owners()[partition] != "a") world.board().set_owner(partition, "too early");
  });
  const auto b = world.Started("b");
  CHECK(b->here().empty());
  int releases = 0;
  world.StepUntil({"a", "b"}, [&] {
    CHECK(world.releases() <= releases + 1);
    releases = world.releases();
    return b->here().size() == 2;
  });
  CHECK(a->here() == Partitions{0, 1});
  CHECK(b->here() == Partitions{2, 3});
  for (int i = 0; i < 5; ++i) world.Step({"a", "b"});
  CHECK(world.releases() == 2);  // And then nothing moves any more.
  CHECK(a->host.closings() == Closings{3, 2});
}

TEST_CASE("What is elsewhere is found there, and what is nobody's nowhere") {
  World world(2);
  const auto a = world.Started("a");
  const auto b = world.Started("b");
  world.StepUntil({"a", "b"}, [&] { return b->here() == Partitions{1}; });
  world.Step({"a", "b"});
  CHECK(a->keeper.Find(1).address == "b:1");
  CHECK(b->keeper.Find(0).address == "a:1");
  CHECK(a->keeper.Find(0).address.empty());

  world.Fail("b", "Beat", Failing());
  world.Fail("a", "Claim", Failing());
  world.StepUntil({"a", "b"}, [&] { return a->keeper.Find(1).address.empty(); });
  CHECK_FALSE(a->keeper.Find(1).here);
}

TEST_CASE("Who leaves closes everything, and is succeeded with the next beat") {
  World world(2);
  const auto a = world.Started("a");
  const auto b = world.Started("b");
  world.StepUntil({"a", "b"}, [&] { return b->here() == Partitions{1}; });
  b->keeper.Stop();
  CHECK(b->host.closings() == Closings{1});
  CHECK(b->here().empty());
  world.Step({"a"});
  CHECK(Eventually([&] { return a->here() == Partitions{0, 1}; }));
}

TEST_CASE("A replica that beats no more is succeeded when its lease is over, and not before") {
  World world(2);
  const auto a = world.Started("a");
  const auto b = world.Started("b");
  world.StepUntil({"a", "b"}, [&] { return b->here() == Partitions{1}; });
  world.Freeze("b");
  const absl::Duration died = world.clock().Read().steady;
  world.StepUntil({"a"}, [&] { return world.board().owners()[1] == "a"; });
  CHECK(world.clock().Read().steady - died == kLease);
  CHECK(Eventually([&] { return a->here() == Partitions{0, 1}; }));
  world.Thaw("b");
}

TEST_CASE(
    "A process that was stopped answers for nothing when it wakes, before it hears anything") {
  World world(1);
  const auto a = world.Started("a");
  const auto b = world.Started("b");
  world.Freeze("a");
  world.clock().Advance(kLease - absl::Nanoseconds(1));
  CHECK(a->here() == Partitions{0});
  world.clock().Advance(absl::Nanoseconds(1));
  CHECK(a->here().empty());
  CHECK(ReasonOf(a->keeper.health()) == "LEASE_OVER");

  world.StepUntil({"b"}, [&] { return b->here() == Partitions{0}; });
  CHECK(a->host.closings().empty());
  world.Thaw("a");
  CHECK(Eventually([&] { return a->host.closings() == Closings{0}; }));
  CHECK(a->keeper.Find(0).address == "b:1");
  CHECK(world.board().owners()[0] == "b");
}

TEST_CASE("A lease counts from when its beat began, whenever the answer comes") {
  World world(1);
  std::atomic<bool> is_first = true;
  world.board().set_answer_gate([&](std::string_view, std::string_view method) {
    if (method == "Beat" && is_first.exchange(false)) {
      world.clock().Advance(kLease - kBeat);
      world.Freeze("a");
    }
    return absl::OkStatus();
  });
  const auto a = world.Started("a");
  CHECK(a->here() == Partitions{0});
  world.clock().Advance(kBeat);
  CHECK(a->here().empty());
  world.Thaw("a");
}

TEST_CASE("An answer that comes when the lease is over is no reason to claim anything") {
  World world(1);
  world.board().set_answer_gate([&](std::string_view, std::string_view method) {
    if (method == "Beat") world.clock().Advance(kLease);
    return absl::OkStatus();
  });
  const auto a = world.Started("a");
  CHECK(a->host.openings() == 0);
  world.board().set_answer_gate([](auto, auto) { return absl::OkStatus(); });
  CHECK(Eventually([&] { return a->here() == Partitions{0}; }));
}

TEST_CASE("While the directory is away nothing is closed, and with it everything is here again") {
  World world(2);
  const auto a = world.Started("a");
  world.Fail("a", "Beat", Failing());
  world.Step({"a"});
  CHECK(a->here() == Partitions{0, 1});
  CHECK(ReasonOf(a->keeper.health()) == "PLANTED");
  world.StepUntil({"a"}, [&] { return a->here().empty(); });
  for (int i = 0; i < 10; ++i) world.Step({"a"});
  CHECK(a->host.closings().empty());
  world.Fail("a", "Beat", absl::OkStatus());
  world.Step({"a"});
  CHECK(a->here() == Partitions{0, 1});
  CHECK(a->keeper.health().ok());
  CHECK(a->host.openings() == 2);
}

TEST_CASE("A replica that cannot reach the directory for long closes what others may have") {
  World world(2);
  const auto a = world.Started("a");
  world.Fail("a", "Beat", Failing());
  world.StepUntil({"a"}, [&] { return a->host.closings().size() == 2; });
  Closings closings = a->host.closings();  // Both at once, in no order.
  std::sort(closings.begin(), closings.end());
  CHECK(closings == Closings{0, 1});
  world.Fail("a", "Beat", absl::OkStatus());
  world.StepUntil({"a"}, [&] { return a->here() == Partitions{0, 1}; });
  CHECK(a->host.openings() == 4);
}

TEST_CASE("A replica that leaves is given nothing, and the others have its partitions at once") {
  World world(4);
  const auto a = world.Started("a");
  CHECK_FALSE(a->keeper.Drain());  // To whom?
  const auto b = world.Started("b");
  world.StepUntil({"a", "b"}, [&] { return b->here().size() == 2; });
  world.StepUntil({"a", "b"}, [&] { return a->keeper.Drain(); });
  world.StepUntil({"a", "b"}, [&] { return b->here().size() == 4; });
  CHECK(a->here().empty());
  // It still knows where to forward calls.
  world.StepUntil({"a", "b"}, [&] { return a->keeper.Find(0).address == "b:1"; });
  CHECK(b->here().size() == 4);
}

TEST_CASE("An opening that hangs holds up no beat, is not here, and is not what is given away") {
  World world(4);
  test::Notification go_on;
  const auto a = world.Started("a");
  const auto b = world.Started("b");
  b->host.set_on_open([&](uint32_t partition) {
    if (partition == 3) go_on.Wait();
    return absl::OkStatus();
  });
  world.StepUntil({"a", "b"}, [&] { return b->here() == Partitions{2}; });
  CHECK(world.board().owners()[3] == "b");
  CHECK(ReasonOf(b->keeper.health()) == "PARTITION_OPENING");
  CHECK(b->keeper.Find(3).address.empty());

  const auto c = world.Started("c");
  const auto d = world.Started("d");
  world.StepUntil({"a", "b", "c", "d"}, [&] { return c->here().size() + d->here().size() == 2; });
  CHECK(world.board().owners()[3] == "b");
  go_on.Notify();
  CHECK(Eventually([&] { return b->here() == Partitions{3}; }));
}

TEST_CASE("What could not be opened is released, and tried again after a pause") {
  World world(2);
  Times tries(world.clock());
  const auto a = world.Started("a");
  const auto b = world.Make("b");
  REQUIRE(b->keeper.Start().ok());  // There was nothing for it.
  b->host.set_on_open([&](uint32_t) {
    tries.Note();
    return Failing();
  });
  world.StepUntil({"a", "b"}, [&] { return tries.all().size() == 1; });
  REQUIRE(Eventually([&] { return world.board().owners()[1].empty(); }));
  CHECK(ReasonOf(b->keeper.health()) == "PLANTED");
  b->host.set_on_open([&](uint32_t) {
    tries.Note();
    return absl::OkStatus();
  });
  world.StepUntil({"a", "b"}, [&] { return b->here() == Partitions{1}; });
  CHECK(tries.all().size() == 2);
  CHECK(tries.all()[1] - tries.all()[0] >= absl::Seconds(1));
  world.Step({"a", "b"});
  CHECK(b->keeper.health().ok());
}

TEST_CASE("Who cannot open at the start does not start, and nothing is his") {
  World world(2);
  const auto a = world.Make("a");
  a->host.set_on_open(
      [](uint32_t partition) { return partition == 1 ? Failing() : absl::OkStatus(); });
  CHECK(ReasonOf(a->keeper.Start()) == "PLANTED");
  CHECK(a->here().empty());
  CHECK(a->host.open().empty());
  CHECK(world.board().owners() == std::vector<std::string>{"", ""});
}

TEST_CASE("Who cannot beat or claim at the start does not start") {
  World world(1);
  const std::string method = GENERATE("Beat", "Claim");
  CAPTURE(method);
  world.Fail("a", method, Failing());
  const auto a = world.Make("a");
  CHECK(ReasonOf(a->keeper.Start()) == "PLANTED");
  CHECK(a->host.openings() == 0);
}

TEST_CASE("A fenced partition is closed, released, and claimed again after a pause") {
  World world(1);
  Times times(world.clock());
  const auto a = world.Started("a");
  a->host.set_on_close([&](uint32_t) { times.Note(); });
  a->host.set_on_open([&](uint32_t) {
    times.Note();
    return absl::OkStatus();
  });
  a->host.set_health(0, absl::AbortedError("fenced"));
  world.StepUntil({"a"}, [&] { return world.board().owners()[0].empty(); });
  CHECK(a->host.closings() == Closings{0});
  CHECK(a->here().empty());
  world.StepUntil({"a"}, [&] { return a->here() == Partitions{0}; });
  CHECK(times.all().size() == 2);
  CHECK(times.all()[1] - times.all()[0] >= absl::Seconds(1));
}

TEST_CASE("A store that fails is told by health, and keeps its partition") {
  World world(1);
  const auto a = world.Started("a");
  a->host.set_health(0, Failing());
  world.Step({"a"});
  CHECK(ReasonOf(a->keeper.health()) == "PLANTED");
  CHECK(std::string(a->keeper.health().message()).find("test/0") == 0);
  CHECK(a->here() == Partitions{0});
  a->host.set_health(0, absl::OkStatus());
  world.Step({"a"});
  CHECK(a->keeper.health().ok());
}

TEST_CASE("A partition that the directory says is another's is closed, and stays his") {
  World world(1);
  const auto a = world.Started("a");
  const auto b = world.Started("b");
  world.board().set_owner(0, "b");
  world.Step({"a", "b"});
  CHECK(Eventually([&] { return a->host.closings() == Closings{0}; }));
  CHECK(Eventually([&] { return b->here() == Partitions{0}; }));
  for (int i = 0; i < 5; ++i) world.Step({"a", "b"});
  CHECK(world.board().owners()[0] == "b");
}

TEST_CASE("A partition that was lost while it opened is closed once it is open") {
  World world(1);
  test::Notification go_on;
  const auto a = world.Started("a");
  const auto b = world.Started("b");
  b->host.set_on_open([&](uint32_t) {
    go_on.Wait();
    return absl::OkStatus();
  });
  world.board().set_owner(0, "b");
  world.Step({"a", "b"});
  REQUIRE(Eventually([&] { return b->host.openings() == 1; }));
  world.board().set_owner(0, "a");
  world.Step({"a", "b"});
  go_on.Notify();
  CHECK(Eventually([&] { return b->host.closings() == Closings{0}; }));
  CHECK(b->here().empty());
}

TEST_CASE("Who was not first to claim does not open") {
  World world(2);
  const auto a = world.Started("a");
  const auto b = world.Started("b");
  world.StepUntil({"a", "b"}, [&] { return b->here() == Partitions{1}; });
  const int openings = a->host.openings();
  b->keeper.Stop();
  world.board().set_gate([&](std::string_view id, std::string_view method) {
    if (id == "a" && method == "Claim") {
      (void)world.board().Connect()->Beat({.id = "c", .address = "c:1"}, kLease);
      world.board().set_owner(1, "c");
    }
    return absl::OkStatus();
  });
  world.Step({"a"});
  world.Step({"a"});
  CHECK(a->host.openings() == openings);
  CHECK(a->keeper.Find(1).address == "c:1");
}

TEST_CASE("A claim whose answer was lost is opened when a beat says that it was done") {
  World world(1);
  const auto a = world.Started("a");
  const auto b = world.Started("b");
  world.LoseAnswers("b", "Claim", Failing());
  a->keeper.Stop();
  world.Step({"b"});
  world.Step({"b"});
  CHECK(Eventually([&] { return b->here() == Partitions{0}; }));
}

TEST_CASE("A release that fails is repeated, and nothing else is given away meanwhile") {
  World world(4);
  const auto a = world.Started("a");
  world.Fail("a", "Release", Failing());
  const auto b = world.Started("b");
  world.StepUntil({"a", "b"}, [&] { return !a->host.closings().empty(); });
  for (int i = 0; i < 5; ++i) world.Step({"a", "b"});
  CHECK(a->host.closings() == Closings{3});
  CHECK_FALSE(a->keeper.Find(3).here);
  world.Fail("a", "Release", absl::OkStatus());
  world.StepUntil({"a", "b"}, [&] { return b->here() == Partitions{2, 3}; });
}

TEST_CASE("Stop closes all at once, beats until that is done, and leaves then") {
  World world(3);
  test::Notification go_on;
  Mutex mu;
  std::set<uint32_t> closing;
  const auto a = world.Started("a");
  a->host.set_on_close([&](uint32_t partition) {
    {
      MutexLock lock(mu);
      closing.insert(partition);
    }
    go_on.Wait();
  });
  std::thread stop([&] { a->keeper.Stop(); });
  CHECK(Eventually([&] {
    MutexLock lock(mu);
    return closing.size() == 3;
  }));
  CHECK(a->here().empty());
  for (int i = 0; i < 6; ++i) world.Step({"a"});
  CHECK(world.board().owners() == std::vector<std::string>{"a", "a", "a"});
  go_on.Notify();
  stop.join();
  CHECK(world.board().owners() == std::vector<std::string>{"", "", ""});
  CHECK(a->host.closings().size() == 3);
  a->keeper.Stop();
  CHECK(a->host.closings().size() == 3);
}

TEST_CASE("Stop while a partition opens waits for it and closes it") {
  World world(1);
  test::Notification go_on;
  const auto a = world.Started("a");
  const auto b = world.Started("b");
  b->host.set_on_open([&](uint32_t) {
    go_on.Wait();
    return absl::OkStatus();
  });
  a->keeper.Stop();
  world.Step({"b"});
  REQUIRE(Eventually([&] { return b->host.openings() == 1; }));
  std::thread stop([&] { b->keeper.Stop(); });
  world.Step({"b"});
  CHECK(b->host.closings().empty());
  go_on.Notify();
  stop.join();
  CHECK(b->host.closings() == Closings{0});
  CHECK(world.board().owners()[0].empty());
}

TEST_CASE("Who stops takes nothing over any more") {
  World world(2);
  test::Notification go_on;
  const auto a = world.Started("a");
  const auto b = world.Started("b");
  world.StepUntil({"a", "b"}, [&] { return b->here() == Partitions{1}; });
  a->host.set_on_close([&](uint32_t) { go_on.Wait(); });
  std::thread stop([&] { a->keeper.Stop(); });
  REQUIRE(Eventually([&] { return a->here().empty(); }));
  b->keeper.Stop();
  world.Step({"a"});
  world.Step({"a"});
  CHECK(world.board().owners() == std::vector<std::string>{"a", ""});
  go_on.Notify();
  stop.join();
  CHECK(a->host.openings() == 2);
}

TEST_CASE("Others are told of when they are others than before") {
  World world(1);
  const auto a = world.Started("a");
  const auto others = [&] {
    MutexLock lock(a->mu);
    return std::pair(a->tellings, a->others);
  };
  CHECK(others().first == 0);
  const auto b = world.Started("b");
  world.Step({"a", "b"});
  world.Step({"a", "b"});
  CHECK(others() == std::pair(1, std::vector<Replica>{{.id = "b", .address = "b:1"}}));
  b->keeper.Stop();
  world.Step({"a"});
  CHECK(others() == std::pair(2, std::vector<Replica>{}));
}

TEST_CASE("A directory of another number of partitions is no directory of ours") {
  World world(2);
  FakeHost host;
  const auto directory = world.board().Connect();
  PartitionKeeper keeper({.component = "test", .self = {.id = "a"}, .partitions = 3}, *directory,
                         host, world.clock());
  const absl::Status started = keeper.Start();
  CHECK(started.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(started) == "PARTITION_COUNT_DIFFERS");
}

}  // namespace
}  // namespace kantoku::platform

#include "tests/chaos/soak/disk_faults.h"

#include <sys/resource.h>

#include <string>

namespace kantoku::soak {
namespace {

// The disk of all services has no room.
class FullDisk final : public Fault {
 public:
  explicit FullDisk(test::SmallDisk& disk)
      : Fault({.name = "full disk",
               .lane = Lane::kDisk,
               .shortest = absl::Milliseconds(500),
               .longest = absl::Seconds(2)}),
        disk_(disk) {}
  size_t happened() const override { return happened_; }
  void Begin() override {
    disk_.Fill();  // Returns when the system has said that there is no room.
    ++happened_;
  }
  void End() override { disk_.Free(); }

 private:
  test::SmallDisk& disk_;
  size_t happened_ = 0;
};

// Where nothing may be mounted: files of a service that may not grow.
class SmallFiles final : public Fault {
 public:
  explicit SmallFiles(Program& program)
      : Fault({.name = "no file may grow in " + program.name(),
               .lane = Lane::kDisk,
               .shortest = absl::Milliseconds(500),
               .longest = absl::Seconds(2)}),
        program_(program) {}
  size_t happened() const override { return happened_; }
  void Begin() override {
    program_.WithPid([&](pid_t pid) {
      const rlimit none = {.rlim_cur = 1 << 16, .rlim_max = RLIM_INFINITY};
      if (::prlimit(pid, RLIMIT_FSIZE, &none, nullptr) == 0) ++happened_;
    });
  }
  void End() override {
    program_.WithPid([](pid_t pid) {
      const rlimit all = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
      ::prlimit(pid, RLIMIT_FSIZE, &all, nullptr);
    });
  }

 private:
  Program& program_;
  size_t happened_ = 0;
};

// Syncs of all services take this long.
class SlowSync final : public Fault {
 public:
  SlowSync(SyncBrake& brake, const std::string& name, absl::Duration delay)
      : Fault({.name = name,
               .lane = Lane::kDisk,
               .shortest = absl::Seconds(1),
               .longest = absl::Seconds(4)}),
        brake_(brake),
        delay_(delay) {}
  size_t happened() const override { return happened_; }
  void Begin() override {
    before_ = brake_.braked();
    brake_.SetDelay(delay_);
    if (happened_ == 0) AwaitProof([this] { return brake_.braked() > before_; });
  }
  void End() override {
    brake_.SetDelay(absl::ZeroDuration());
    if (brake_.braked() > before_) ++happened_;
  }

 private:
  SyncBrake& brake_;
  const absl::Duration delay_;
  uint64_t before_ = 0;
  size_t happened_ = 0;
};

}  // namespace

void AddDiskFaults(Topology& topology, std::vector<std::unique_ptr<Fault>>& faults) {
  if (topology.disk() != nullptr) {
    faults.push_back(std::make_unique<FullDisk>(*topology.disk()));
  } else {
    faults.push_back(std::make_unique<SmallFiles>(topology.part(Part::kInputs, 0)));
    faults.push_back(std::make_unique<SmallFiles>(topology.part(Part::kOutputs, 0)));
  }
  faults.push_back(
      std::make_unique<SlowSync>(topology.brake(), "slow syncs, 20 ms", absl::Milliseconds(20)));
  faults.push_back(
      std::make_unique<SlowSync>(topology.brake(), "slow syncs, 400 ms", absl::Milliseconds(400)));
}

}  // namespace kantoku::soak

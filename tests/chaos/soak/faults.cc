#include "tests/chaos/soak/faults.h"

#include <algorithm>
#include <chrono>

#include "services/platform/check.h"
#include "tests/chaos/soak/database_faults.h"
#include "tests/chaos/soak/disk_faults.h"
#include "tests/chaos/soak/journal.h"
#include "tests/chaos/soak/network_faults.h"
#include "tests/chaos/soak/process_faults.h"

namespace kantoku::soak {

void Absences::Begin(const std::string& executor) {
  platform::MutexLock lock(mu_);
  absences_.push_back({.executor = executor, .from = Steady(), .to = absl::InfiniteDuration()});
}

void Absences::End(const std::string& executor) {
  platform::MutexLock lock(mu_);
  for (Absence& absence : absences_) {
    if (absence.executor == executor && absence.to == absl::InfiniteDuration()) {
      absence.to = Steady();
      return;
    }
  }
  KANTOKU_CHECK(false);
}

std::vector<Absence> Absences::all() const {
  platform::MutexLock lock(mu_);
  std::vector<Absence> all = absences_;
  for (Absence& absence : all) absence.to = std::min(absence.to, Steady());
  return all;
}

bool AwaitProof(const std::function<bool()>& proven) {
  const absl::Duration until = Steady() + kProofLimit;
  platform::Mutex mu;
  platform::CondVar never;
  platform::MutexLock lock(mu);
  while (!proven()) {
    if (Steady() >= until) return false;
    never.WaitFor(mu, std::chrono::milliseconds(5));
  }
  return true;
}

std::vector<std::unique_ptr<Fault>> MakeFaults(Topology& topology, Absences& absences,
                                               bool own_network) {
  std::vector<std::unique_ptr<Fault>> faults;
  AddProcessFaults(topology, absences, faults);
  AddNetworkFaults(topology, absences, own_network, faults);
  AddDiskFaults(topology, faults);
  if (topology.database() != nullptr) AddDatabaseFaults(*topology.database(), faults);
  return faults;
}

}  // namespace kantoku::soak

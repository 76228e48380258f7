#include "tests/chaos/soak/lanes.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/chaos/soak/journal.h"

namespace kantoku::soak {

std::vector<FaultShape> Shapes(const std::vector<std::unique_ptr<Fault>>& faults) {
  std::vector<FaultShape> shapes;
  shapes.reserve(faults.size());
  for (const auto& fault : faults) shapes.push_back(fault->shape());
  return shapes;
}

Lanes::Lanes(std::vector<Planned> plan, const std::vector<std::unique_ptr<Fault>>& faults)
    : plan_(std::move(plan)), faults_(faults), begin_(Steady()) {
  for (const Lane lane : {Lane::kProcess, Lane::kNetwork, Lane::kDisk}) {
    threads_.emplace_back([this, lane] { Run(lane); });
  }
}

Lanes::~Lanes() {
  {
    platform::MutexLock lock(mu_);
    stopping_ = true;
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

void Lanes::Run(Lane lane) {
  for (const Planned& planned : plan_) {
    Fault& fault = *faults_[planned.fault];
    if (fault.shape().lane != lane) continue;
    if (!WaitUntil(begin_ + planned.from)) return;
    {
      platform::MutexLock lock(mu_);
      ++begun_;
      now_.insert(fault.shape().name);
    }
    fault.Begin();
    WaitUntil(Steady() + (planned.to - planned.from));
    fault.End();
    platform::MutexLock lock(mu_);
    now_.erase(fault.shape().name);
    ended_.insert(planned.fault);
  }
}

bool Lanes::WaitUntil(absl::Duration time) {
  platform::MutexLock lock(mu_);
  while (!stopping_ && Steady() < time) {
    changed_.WaitFor(mu_, absl::ToChronoNanoseconds(time - Steady()));
  }
  return !stopping_;
}

size_t Lanes::begun() const {
  platform::MutexLock lock(mu_);
  return begun_;
}

bool Lanes::EachOnce() const {
  platform::MutexLock lock(mu_);
  return ended_.size() == faults_.size();
}

std::string Lanes::Now() const {
  platform::MutexLock lock(mu_);
  std::string names;
  for (const std::string& name : now_) absl::StrAppend(&names, names.empty() ? "" : ", ", name);
  return names.empty() ? "none" : names;
}

}  // namespace kantoku::soak

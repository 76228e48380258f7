#include "tests/chaos/soak/observations.h"

#include "absl/strings/str_cat.h"
#include "tests/chaos/soak/complaints.h"
#include "tests/chaos/soak/journal.h"

namespace kantoku::soak {

Told ToTold(const Output& output, absl::Duration at) {
  return {.status = output.status,
          .data = output.data,
          .reason = output.error.reason,
          .dispatch = output.dispatch,
          .at = at};
}

void Observations::Asked(const soak::Asked& asked) {
  platform::MutexLock lock(mu_);
  asked_.push_back(asked);
}

void Observations::Ended(const Output& output) {
  const Told told = ToTold(output, Steady());
  platform::MutexLock lock(mu_);
  const auto [known, added] = told_.emplace(output.id.ToString(), told);
  const Told& first = known->second;
  if (!added &&
      (first.status != told.status || first.data != told.data || first.dispatch != told.dispatch)) {
    trouble_.push_back(
        absl::StrCat("two ends of ", known->first, ": ", Text(first), " and ", Text(told)));
  }
}

void Observations::Stopped(const Stop& stop) {
  platform::MutexLock lock(mu_);
  stops_.push_back(stop);
}

void Observations::Read(const std::string& task, std::vector<soak::Read> items) {
  platform::MutexLock lock(mu_);
  readers_[task].push_back(std::move(items));
}

void Observations::Trouble(const std::string& text) {
  platform::MutexLock lock(mu_);
  trouble_.push_back(text);
}

size_t Observations::asked() const {
  platform::MutexLock lock(mu_);
  return asked_.size();
}

size_t Observations::ended() const {
  platform::MutexLock lock(mu_);
  return told_.size();
}

bool Observations::ended(const std::string& task) const {
  platform::MutexLock lock(mu_);
  return told_.contains(task);
}

std::vector<std::string> Observations::open() const {
  platform::MutexLock lock(mu_);
  std::vector<std::string> open;
  for (const soak::Asked& asked : asked_) {
    if (!told_.contains(asked.task)) open.push_back(asked.task);
  }
  return open;
}

void Observations::Fill(Evidence& evidence) const {
  platform::MutexLock lock(mu_);
  evidence.asked = asked_;
  evidence.stops = stops_;
  evidence.told = told_;
  evidence.readers = readers_;
  evidence.trouble = trouble_;
}

}  // namespace kantoku::soak

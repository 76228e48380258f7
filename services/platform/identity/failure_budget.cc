#include "services/platform/identity/failure_budget.h"

#include <algorithm>

#include "services/platform/status.h"

namespace kantoku::platform {

void FailureBudget::Fill(Bucket& bucket, const Rate& rate, absl::Duration now) {
  if (now <= bucket.filled) return;
  const double seconds = absl::ToDoubleSeconds(now - bucket.filled);  // Infinite at first.
  bucket.level = std::min(rate.burst, bucket.level + seconds * rate.per_second);
  bucket.filled = now;
}

void FailureBudget::ForgetFull(absl::Duration now) {
  for (auto it = sources_.begin(); it != sources_.end();) {
    const auto each = it++;
    Fill(each->second, options_.of_one, now);
    if (each->second.level >= options_.of_one.burst) sources_.erase(each);
  }
}

FailureBudget::Bucket* FailureBudget::Find(std::string_view source) {
  auto found = sources_.find(ToAbsl(source));
  if (found == sources_.end() && IsCrowded()) found = sources_.find("");
  return found != sources_.end() ? &found->second : nullptr;
}

bool FailureBudget::HasRoom(std::string_view source, absl::Duration now) {
  Fill(all_, options_.of_all, now);
  if (all_.level < 1) return false;
  Bucket* const bucket = Find(source);
  if (bucket == nullptr) return true;
  Fill(*bucket, options_.of_one, now);
  return bucket->level >= 1;
}

void FailureBudget::Failed(std::string_view source, absl::Duration now) {
  Fill(all_, options_.of_all, now);
  all_.level = std::max(0.0, all_.level - 1);
  if (IsCrowded()) ForgetFull(now);
  Bucket* bucket = Find(source);
  if (bucket == nullptr) {
    const std::string_view name = IsCrowded() ? "" : source;
    bucket = &sources_.try_emplace(std::string(name), Bucket{options_.of_one.burst}).first->second;
  }
  Fill(*bucket, options_.of_one, now);
  bucket->level = std::max(0.0, bucket->level - 1);
}

}  // namespace kantoku::platform

#include "services/inputs/engine/bucket.h"

#include <algorithm>

namespace kantoku::inputs {

int64_t Bucket::LevelAt(absl::Duration now) const {
  if (rate_.empty()) return level_;
  const int64_t elapsed = std::max<int64_t>(absl::ToInt64Microseconds(now) - updated_us_, 0);
  const int64_t missing = room() - level_;
  if (elapsed > missing / rate_.tokens) return room();
  return level_ + elapsed * rate_.tokens;
}

void Bucket::Advance(absl::Duration now) {
  level_ = LevelAt(now);
  updated_us_ = std::max(updated_us_, absl::ToInt64Microseconds(now));
}

void Bucket::SetRate(const Rate& rate, absl::Duration now) {
  const double tokens = Tokens(now);
  updated_us_ = std::max(updated_us_, absl::ToInt64Microseconds(now));
  rate_ = rate;
  // Rounded down by less than a unit's share of a token.
  level_ = std::min(room(), static_cast<int64_t>(tokens * static_cast<double>(unit())));
}

void Bucket::Fill(absl::Duration now) {
  Advance(now);
  level_ = room();
}

void Bucket::Drain(absl::Duration now) {
  Advance(now);
  level_ = std::min<int64_t>(room(), 0);
}

bool Bucket::Has(uint32_t cost, absl::Duration now) const {
  return rate_.empty() || LevelAt(now) >= unit() * std::min(cost, rate_.burst);
}

bool Bucket::HasAll(uint64_t tokens, absl::Duration now) const {
  return rate_.empty() ||
         (tokens <= rate_.burst && LevelAt(now) >= unit() * static_cast<int64_t>(tokens));
}

void Bucket::Take(uint32_t cost, absl::Duration now) {
  if (rate_.empty()) return;
  Advance(now);
  level_ -= unit() * cost;
}

void Bucket::Hold(uint32_t cost, absl::Duration now) {
  Take(cost, now);
  held_ += cost;
}

bool Bucket::HasHeld(uint32_t cost, absl::Duration now) const {
  return rate_.empty() || LevelAt(now) + unit() * held_ >= unit() * std::min(cost, rate_.burst);
}

void Bucket::TakeHeld(uint32_t cost, absl::Duration now) {
  Advance(now);
  held_ -= cost;
}

void Bucket::Release(uint32_t cost, absl::Duration now) {
  TakeHeld(cost, now);
  if (!rate_.empty()) level_ += unit() * cost;
}

absl::Duration Bucket::WhenHas(uint32_t cost, absl::Duration now) const {
  const int64_t wanted = unit() * std::min(cost, rate_.burst);
  const int64_t missing = wanted - LevelAt(now);
  if (rate_.empty() || missing <= 0) return now;
  if (wanted > room()) return absl::InfiniteDuration();
  const int64_t wait_us = (missing + rate_.tokens - 1) / rate_.tokens;
  return absl::Microseconds(absl::ToInt64Microseconds(now) + wait_us);
}

bool Bucket::IsFull(absl::Duration now) const { return LevelAt(now) >= capacity(); }

double Bucket::Tokens(absl::Duration now) const {
  if (rate_.empty()) return 0;
  return static_cast<double>(LevelAt(now)) / static_cast<double>(unit());
}

}  // namespace kantoku::inputs

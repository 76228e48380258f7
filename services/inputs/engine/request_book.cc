#include "services/inputs/engine/request_book.h"

#include <utility>

#include "services/platform/check.h"

namespace kantoku::inputs {

const RequestRecord* RequestBook::Find(const Digest& request) const {
  const auto found = numbers_.find(request);
  if (found == numbers_.end()) return nullptr;
  return &by_age_[by_age_.size() - (next_number_ - found->second)].record;
}

uint64_t RequestBook::Add(RequestRecord record, absl::Time made) {
  const uint64_t number = next_number_;
  Keep(number, std::move(record), made);
  return number;
}

void RequestBook::Recover(uint64_t number, RequestRecord record) {
  const absl::Time made = record.created;
  Keep(number, std::move(record), made);
}

void RequestBook::Keep(uint64_t number, RequestRecord record, absl::Time made) {
  KANTOKU_CHECK(by_age_.empty() || number == next_number_);
  next_number_ = number + 1;
  numbers_[record.request] = number;
  repeats_ += record.exceptions.size();
  by_age_.push_back({std::move(record), made});
}

std::optional<uint64_t> RequestBook::ForgetExpired(absl::Time horizon, size_t most) {
  if (by_age_.empty() || (by_age_.front().made >= horizon && by_age_.size() <= most)) {
    return std::nullopt;
  }
  const uint64_t number = next_number_ - by_age_.size();
  numbers_.erase(by_age_.front().record.request);
  repeats_ -= by_age_.front().record.exceptions.size();
  by_age_.pop_front();
  return number;
}

absl::Time RequestBook::oldest() const {
  return by_age_.empty() ? absl::InfiniteFuture() : by_age_.front().made;
}

}  // namespace kantoku::inputs

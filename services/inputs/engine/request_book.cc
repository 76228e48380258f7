#include "services/inputs/engine/request_book.h"

#include <utility>

namespace kantoku::inputs {

const RequestRecord* RequestBook::Find(const Digest& request) const {
  const auto found = records_.find(request);
  return found == records_.end() ? nullptr : &found->second;
}

uint64_t RequestBook::Add(RequestRecord record) {
  const uint64_t number = next_number_;
  Recover(number, std::move(record));
  return number;
}

void RequestBook::Recover(uint64_t number, RequestRecord record) {
  next_number_ = number + 1;
  by_age_.push_back({number, record.request, record.created});
  const Digest request = record.request;
  records_.insert_or_assign(request, std::move(record));
}

std::optional<uint64_t> RequestBook::ForgetExpired(absl::Time horizon, size_t most) {
  if (by_age_.empty() || (by_age_.front().created >= horizon && by_age_.size() <= most)) {
    return std::nullopt;
  }
  const Entry entry = by_age_.front();
  by_age_.pop_front();
  records_.erase(entry.request);
  return entry.number;
}

absl::Time RequestBook::oldest() const {
  return by_age_.empty() ? absl::InfiniteFuture() : by_age_.front().created;
}

}  // namespace kantoku::inputs

#include "services/platform/identity/block_book.h"

#include "services/platform/status.h"

namespace kantoku::platform {

void BlockBook::Replace(KnownBlocks blocks) {
  MutexLock telling(telling_);
  {
    MutexLock lock(mutex_);
    if (known_.list != nullptr && blocks.version <= known_.version) return;
    known_ = std::move(blocks);
    any_ = !known_.list->empty();
  }
  const KnownBlocks news = known();
  for (const auto& [watch, told] : watches_) told(news);
}

uint64_t BlockBook::Watch(std::function<void(const KnownBlocks&)> told) {
  MutexLock lock(telling_);
  watches_.emplace(next_watch_, std::move(told));
  return next_watch_++;
}

void BlockBook::Unwatch(uint64_t watch) {
  MutexLock lock(telling_);
  watches_.erase(watch);
}

KnownBlocks BlockBook::known() const {
  MutexLock lock(mutex_);
  return known_;
}

absl::Status BlockBook::Check(const Identity& identity) const {
  if (!any_ || !identity.service.empty()) return absl::OkStatus();
  const KnownBlocks now = known();
  const Block* const block = now.list->Find(identity, "", identity.issued);
  return block == nullptr ? absl::OkStatus() : RefusalOf(*block);
}

absl::StatusOr<std::shared_ptr<const Identity>> BlockingAuthenticator::Authenticate(
    std::string_view token, absl::FunctionRef<std::string()> peer, const Now& now) {
  KANTOKU_ASSIGN_OR_RETURN(auto identity, authenticator_->Authenticate(token, peer, now));
  KANTOKU_RETURN_IF_ERROR(blocks_.Check(*identity));
  return identity;
}

absl::Status BlockingAuthenticator::CheckStill(const Identity& identity, const Now& now) {
  KANTOKU_RETURN_IF_ERROR(blocks_.Check(identity));
  return authenticator_->CheckStill(identity, now);
}

}  // namespace kantoku::platform

#include "services/events/page_cache.h"

namespace kantoku::events {

const EncodedPage* PageCache::Find(AudienceId audience, Position from) const {
  const auto page = pages_.find({audience, from});
  return page == pages_.end() ? nullptr : &page->second;
}

std::optional<Position> PageCache::NextAfter(AudienceId audience, Position from) const {
  const auto page = pages_.upper_bound({audience, from});
  if (page == pages_.end() || page->first.first != audience) return std::nullopt;
  return page->first.second;
}

void PageCache::Keep(AudienceId audience, Position from, EncodedPage page) {
  if (const auto before = pages_.find({audience, from}); before != pages_.end()) Erase(before);
  bytes_ += page.message.bytes().size();
  pages_.emplace(Key(audience, from), std::move(page));
  places_.emplace(from, audience);
  while (bytes_ > max_bytes_) {
    const auto& [position, of] = *places_.begin();
    Erase(pages_.find({of, position}));
  }
}

void PageCache::Forget(AudienceId audience) {
  auto page = pages_.lower_bound({audience, Position{.row = 0}});
  while (page != pages_.end() && page->first.first == audience) Erase(page++);
}

void PageCache::Erase(Pages::iterator page) {
  const auto& [audience, from] = page->first;
  bytes_ -= page->second.message.bytes().size();
  places_.erase({from, audience});
  pages_.erase(page);
}

}  // namespace kantoku::events

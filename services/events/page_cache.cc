#include "services/events/page_cache.h"

namespace kantoku::events {

const EncodedPage* PageCache::Find(AudienceId audience, Position from) const {
  const auto place = places_.find({audience, from});
  return place == places_.end() ? nullptr : &place->second->page;
}

std::optional<Position> PageCache::NextAfter(AudienceId audience, Position from) const {
  const auto place = places_.upper_bound({audience, from});
  if (place == places_.end() || place->first.first != audience) return std::nullopt;
  return place->first.second;
}

void PageCache::Keep(AudienceId audience, Position from, EncodedPage page) {
  const Key key = {audience, from};
  if (const auto before = places_.find(key); before != places_.end()) Erase(before);
  bytes_ += page.message.bytes().size();
  places_[key] = entries_.insert(entries_.end(), {key, std::move(page)});
  while (bytes_ > max_bytes_) Erase(places_.find(entries_.front().key));
}

void PageCache::Forget(AudienceId audience) {
  auto place = places_.lower_bound({audience, Position{.row = 0}});
  while (place != places_.end() && place->first.first == audience) Erase(place++);
}

void PageCache::Erase(std::map<Key, Entries::iterator>::iterator place) {
  bytes_ -= place->second->page.message.bytes().size();
  entries_.erase(place->second);
  places_.erase(place);
}

}  // namespace kantoku::events

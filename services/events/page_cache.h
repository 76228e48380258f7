#ifndef KANTOKU_SERVICES_EVENTS_PAGE_CACHE_H_
#define KANTOKU_SERVICES_EVENTS_PAGE_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "kantoku/events/v1/events.pb.h"
#include "services/events/page_reader.h"
#include "services/events/position.h"
#include "services/platform/rpc/encoded.h"

namespace kantoku::events {

// Those who want, and may see, the same events. Numbers are never used twice.
using AudienceId = uint64_t;

// A message to subscribers, and what is in it.
struct EncodedPage {
  PageEnd end;
  platform::SharedEncoded<v1::SubscribeResponse> message;
};

// Pages that others of their audience may be sent as they are: those that begin nearest to the
// log's end, up to so many bytes. So whoever catches up from far behind takes nobody's page.
//
// Subscribers come together: one that stands between the beginnings of two pages reads up to the
// next of them, and from there on what others have read.
//
// Thread-compatible.
class PageCache {
 public:
  explicit PageCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  // The page of an audience that begins at `from`; null when there is none. It lives until the next
  // call that is not const.
  const EncodedPage* Find(AudienceId audience, Position from) const;

  // Where the first of its pages behind `from` begins.
  std::optional<Position> NextAfter(AudienceId audience, Position from) const;

  // Instead of the one that begins there.
  void Keep(AudienceId audience, Position from, EncodedPage page);

  void Forget(AudienceId audience);

 private:
  using Key = std::pair<AudienceId, Position>;
  using Pages = std::map<Key, EncodedPage>;

  void Erase(Pages::iterator page);

  const size_t max_bytes_;
  Pages pages_;
  std::set<std::pair<Position, AudienceId>> places_;  // The same pages, the furthest behind first.
  size_t bytes_ = 0;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_PAGE_CACHE_H_

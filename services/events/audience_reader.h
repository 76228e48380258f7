#ifndef KANTOKU_SERVICES_EVENTS_AUDIENCE_READER_H_
#define KANTOKU_SERVICES_EVENTS_AUDIENCE_READER_H_

#include <cstddef>
#include <map>

#include "absl/status/statusor.h"
#include "services/events/event_filter.h"
#include "services/events/page_cache.h"
#include "services/events/page_reader.h"
#include "services/events/position.h"

namespace kantoku::events {

// Reads pages for audiences: subscribers who want, and may see, the same events. What one of them
// was sent is not read, unfolded and encoded again for the others who come to the same place.
//
// Confined to the hub's thread. The reader outlives it.
class AudienceReader {
 public:
  AudienceReader(PageReader& reader, const PageLimits& limits);

  // One more with this filter; never 0. Whoever joins leaves.
  AudienceId Join(EventFilter filter);
  void Leave(AudienceId audience);

  // The events from `from` on as a message to any of the audience. Errors are those of
  // EventLog::Read.
  absl::StatusOr<EncodedPage> Read(AudienceId audience, Position from);

 private:
  struct Audience {
    EventFilter filter;
    size_t members = 1;
  };

  PageReader& reader_;
  const PageLimits limits_;
  std::map<AudienceId, Audience> audiences_;
  AudienceId last_audience_ = 0;
  PageCache pages_;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_AUDIENCE_READER_H_

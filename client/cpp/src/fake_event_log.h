#ifndef KANTOKU_CLIENT_CPP_SRC_FAKE_EVENT_LOG_H_
#define KANTOKU_CLIENT_CPP_SRC_FAKE_EVENT_LOG_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kantoku/connection.h"
#include "kantoku/event.h"
#include "services/platform/mutex.h"

namespace kantoku::internal {

// The events of a fake. A position is how many events there were up to it.
//
// Thread-safe. Its streams share it.
class FakeEventLog : public std::enable_shared_from_this<FakeEventLog> {
 public:
  void Append(Event event);
  absl::StatusOr<EventPage> Read(const Connection::ReadEventsRequest& request);
  std::unique_ptr<EventStream> Subscribe(const Connection::SubscribeRequest& request);

 private:
  class Stream;

  static absl::StatusOr<size_t> ParsePosition(const std::string& position, size_t if_empty);
  // From `begin` on, at most `limit` matching ones.
  EventPage PageFrom(size_t begin, size_t limit, const std::string& namespace_name,
                     const EventFilter& filter) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  platform::Mutex mutex_;
  platform::CondVar changed_;
  std::vector<Event> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_FAKE_EVENT_LOG_H_

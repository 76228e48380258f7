#include "client/cpp/src/fake_event_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/platform/clock.h"
#include "services/platform/status.h"

namespace kantoku::internal {
namespace {

constexpr size_t kDefaultLimit = 100;

bool MatchesType(const Event& event, const std::string& wanted) {
  if (!wanted.ends_with('*')) return event.type == wanted;
  return event.type.starts_with(wanted.substr(0, wanted.size() - 1));
}

bool Matches(const Event& event, const std::string& namespace_name, const EventFilter& filter) {
  if (event.namespace_name != namespace_name) return false;
  const bool type = filter.types.empty() ||
                    std::any_of(filter.types.begin(), filter.types.end(),
                                [&](const auto& wanted) { return MatchesType(event, wanted); });
  const bool task = filter.task_ids.empty() ||
                    std::find(filter.task_ids.begin(), filter.task_ids.end(), event.task_id) !=
                        filter.task_ids.end();
  return type && task;
}

}  // namespace

class FakeEventLog::Stream final : public EventStream {
 public:
  Stream(std::shared_ptr<FakeEventLog> log, absl::StatusOr<size_t> begin,
         Connection::SubscribeRequest request)
      : log_(std::move(log)), next_(std::move(begin)), request_(std::move(request)) {}

  absl::StatusOr<EventPage> Next(absl::Duration timeout) override {
    platform::Clock& clock = platform::Clock::Real();
    const absl::Duration deadline = clock.Read().steady + timeout;
    platform::MutexLock lock(log_->mutex_);
    if (!next_.ok()) return next_.status();
    while (!cancelled_) {
      EventPage page =
          log_->PageFrom(*next_, SIZE_MAX, request_.namespace_name, request_.subscription.filter);
      next_ = log_->events_.size();
      if (!page.events.empty()) return page;
      if (clock.Read().steady >= deadline) {
        return platform::Error(absl::StatusCode::kDeadlineExceeded, "TIMEOUT", "no event in time");
      }
      clock.Wait(log_->mutex_, log_->changed_, deadline);
    }
    return platform::Error(absl::StatusCode::kCancelled, "STREAM_CANCELLED",
                           "the subscription was cancelled");
  }

  void Cancel() override {
    platform::MutexLock lock(log_->mutex_);
    cancelled_ = true;
    log_->changed_.SignalAll();
  }

 private:
  const std::shared_ptr<FakeEventLog> log_;
  absl::StatusOr<size_t> next_;  // Guarded by the log's mutex.
  const Connection::SubscribeRequest request_;
  bool cancelled_ = false;  // Guarded by the log's mutex.
};

void FakeEventLog::Append(Event event) {
  platform::MutexLock lock(mutex_);
  event.position = absl::StrCat(events_.size() + 1);
  events_.push_back(std::move(event));
  changed_.SignalAll();
}

absl::StatusOr<EventPage> FakeEventLog::Read(const Connection::ReadEventsRequest& request) {
  KANTOKU_ASSIGN_OR_RETURN(const size_t begin, ParsePosition(request.query.after, 0));
  platform::MutexLock lock(mutex_);
  return PageFrom(begin, request.query.limit == 0 ? kDefaultLimit : request.query.limit,
                  request.namespace_name, request.query.filter);
}

std::unique_ptr<EventStream> FakeEventLog::Subscribe(const Connection::SubscribeRequest& request) {
  platform::MutexLock lock(mutex_);
  const size_t begin = request.subscription.from_oldest ? 0 : events_.size();
  return std::make_unique<Stream>(shared_from_this(),
                                  ParsePosition(request.subscription.after, begin), request);
}

absl::StatusOr<size_t> FakeEventLog::ParsePosition(const std::string& position, size_t if_empty) {
  if (position.empty()) return if_empty;
  uint64_t number = 0;
  if (absl::SimpleAtoi(position, &number)) return number;
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_POSITION",
                         absl::StrCat("after: '", position, "' is no position"));
}

EventPage FakeEventLog::PageFrom(size_t begin, size_t limit, const std::string& namespace_name,
                                 const EventFilter& filter) const {
  EventPage page;
  size_t next = begin;
  for (; next < events_.size() && page.events.size() < limit; ++next) {
    if (Matches(events_[next], namespace_name, filter)) page.events.push_back(events_[next]);
  }
  page.next = absl::StrCat(next);
  page.end = next >= events_.size();
  return page;
}

}  // namespace kantoku::internal

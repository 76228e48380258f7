#ifndef KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EVENT_LOG_EXAM_H_
#define KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EVENT_LOG_EXAM_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "services/events/log.h"
#include "tests/support/fake_clock.h"

namespace kantoku::events {

// Something that sits the exam: an empty place for a log, which can be opened again and again.
class LogSubject {
 public:
  virtual ~LogSubject() = default;

  // Opens what the last log left behind; that one is gone by then. `id` is for a new log.
  virtual std::unique_ptr<EventLog> Open(const Retention& retention, uint32_t id) = 0;

  platform::FakeClock& clock() { return clock_; }

 private:
  platform::FakeClock clock_;
};

struct LogEntry {
  std::string name;  // As ctest's names have it.
  std::function<std::unique_ptr<LogSubject>()> make;
};

// Those of all implementations of EventLog that this run is about (tests/support/backend.h). A new
// one adds an entry to event_log_subjects.cc.
std::vector<LogEntry> AllLogs();

}  // namespace kantoku::events

#endif  // KANTOKU_TESTS_CONFORMANCE_EVENTS_EXAM_EVENT_LOG_EXAM_H_

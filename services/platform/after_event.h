#ifndef KANTOKU_SERVICES_PLATFORM_AFTER_EVENT_H_
#define KANTOKU_SERVICES_PLATFORM_AFTER_EVENT_H_

#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace kantoku::platform {

// What a thread that runs events, one after the other, is to do once the one at hand is over, when
// it holds no lock and waits for nothing. Who would wake another thread for a small piece of work
// may lend it to this one instead: so an event must not wait for what it has asked for.
//
// Confined to the thread that made it.
class AfterEvent {
 public:
  // Makes the calling thread one that runs events, until it is destroyed; one within another takes
  // its place meanwhile.
  AfterEvent();
  ~AfterEvent();
  AfterEvent(const AfterEvent&) = delete;
  AfterEvent& operator=(const AfterEvent&) = delete;

  // Of the calling thread; null when it runs no events.
  static AfterEvent* OfThisThread();

  // Of the event at hand, or of what runs after it.
  void Add(absl::AnyInvocable<void()> work) { work_.push_back(std::move(work)); }
  // The event is over: runs all of it, in the order of Add.
  void Run();

 private:
  AfterEvent* const outer_;
  std::vector<absl::AnyInvocable<void()>> work_;
  std::vector<absl::AnyInvocable<void()>> running_;  // Kept for its memory.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AFTER_EVENT_H_

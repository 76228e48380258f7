#include "services/platform/after_event.h"

#include "services/platform/check.h"

namespace kantoku::platform {
namespace {

thread_local AfterEvent* of_this_thread = nullptr;

}  // namespace

AfterEvent::AfterEvent() : outer_(of_this_thread) { of_this_thread = this; }

AfterEvent::~AfterEvent() {
  KANTOKU_CHECK(work_.empty());
  of_this_thread = outer_;
}

AfterEvent* AfterEvent::OfThisThread() { return of_this_thread; }

void AfterEvent::Run() {
  while (!work_.empty()) {
    running_.swap(work_);
    for (auto& work : running_) work();
    running_.clear();
  }
}

}  // namespace kantoku::platform

#include <algorithm>
#include <array>

#include "tests/simulation/world/witness.h"

// What asking a task to stop, to pause or to go on may do to it at once.
namespace kantoku::simulation {
namespace {

bool IsStopping(const TaskView& view) {
  return view.state == TaskState::kCancelling || view.state == TaskState::kInterrupting ||
         view.state == TaskState::kSettling;
}

bool IsEqual(const TaskView& a, const TaskView& b) { return a.state == b.state; }

bool MayRunNow(const TaskView& view) {
  return view.state == TaskState::kReady || view.state == TaskState::kScheduled ||
         view.state == TaskState::kBlocked;
}

bool IsPausingOrPaused(const TaskView& view) {
  return view.state == TaskState::kPausing || view.state == TaskState::kPaused;
}

}  // namespace

// A member of a tree hears first of what that was asked before: of it nothing is said here but that
// nobody takes it away from who holds it.
void Witness::CheckControl(Command command, const TaskView& before, const TaskView& after) {
  const bool held = !before.session.empty();
  scene_.Expect(after.failed_attempts == before.failed_attempts &&
                    after.session == before.session && after.dispatch == before.dispatch,
                "who controls a task takes it from nobody, and costs no attempt");
  if (command == Command::kCancel || command == Command::kInterrupt) {
    scene_.Expect(
        held ? after.state == TaskState::kCancelling || after.state == TaskState::kInterrupting
             : after.state == TaskState::kSettling,
        "cancel settles what nobody holds, and asks who holds it");
    scene_.Expect(!held || after.state == TaskState::kInterrupting ||
                      (command == Command::kCancel && before.state != TaskState::kInterrupting),
                  "an interrupt is asked for, and stays so");
    return;
  }
  if (IsStopping(before)) {
    return scene_.Expect(IsEqual(before, after) || after.state == TaskState::kInterrupting,
                         "nothing but the end follows what is being stopped");
  }
  if (!after.root.empty()) return;
  switch (command) {
    case Command::kPause:
      return scene_.Expect(held ? IsPausingOrPaused(after) : after.state == TaskState::kPaused,
                           "pause holds back what nobody holds, and asks who holds it");
    case Command::kResume:
      if (before.state != TaskState::kPaused && before.state != TaskState::kPausing) {
        return scene_.Expect(
            IsEqual(before, after) || (held && after.state == TaskState::kResuming),
            "who is not paused is not resumed");
      }
      return scene_.Expect(held ? after.state == TaskState::kResuming : MayRunNow(after),
                           "resume lets go what nobody holds, and tells who holds it");
    default:
      if (before.state != TaskState::kPaused) {
        return scene_.Expect(IsEqual(before, after), "only who is paused steps");
      }
      return scene_.Expect(held ? after.state == TaskState::kPausing : MayRunNow(after),
                           "who steps is paused again, or may go as far as that");
  }
}

void Witness::CheckHandlerState(const TaskView& before, const TaskView& after) const {
  constexpr std::array kOfHandlers = {TaskState::kLeased, TaskState::kRunning, TaskState::kPausing,
                                      TaskState::kPaused, TaskState::kResuming};
  const bool same = IsEqual(before, after);
  scene_.Expect(after.session == before.session && after.dispatch == before.dispatch &&
                    after.failed_attempts == before.failed_attempts &&
                    (same || std::ranges::find(kOfHandlers, after.state) != kOfHandlers.end()),
                "who says whether a handler is paused says nothing else");
  scene_.Expect(same || !IsStopping(before), "what is being stopped does not pause");
  scene_.Expect(before.state != TaskState::kPausing || same || after.state == TaskState::kPaused,
                "what pauses is paused when its handler says so");
  scene_.Expect(
      same || after.state != TaskState::kPaused || !runs_(after.session, after.id, after.dispatch),
      "a task that is paused runs nowhere");
}

}  // namespace kantoku::simulation

#include "tests/simulation/world/witness.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/task_filter.h"
#include "services/platform/status.h"
#include "tests/simulation/world/names.h"

namespace kantoku::simulation {
namespace {

bool IsWaiting(const TaskView& view) {
  return view.state == TaskState::kReady || view.state == TaskState::kScheduled ||
         view.state == TaskState::kPaused;
}

bool IsEqual(const TaskView& a, const TaskView& b) {
  return a.state == b.state && a.session == b.session && a.dispatch == b.dispatch &&
         a.failed_attempts == b.failed_attempts;
}

// Taken from its executor without an end: it waits again, or settles.
bool IsTakenBack(const TaskView& view) {
  return view.session.empty() && (IsWaiting(view) || view.state == TaskState::kSettling);
}

}  // namespace

std::string Describe(const TaskView& view) {
  return absl::StrCat(
      platform::ToAbsl(inputs::WordOf(view.state)), ", dispatch ", view.dispatch,
      ", failed attempts ", view.failed_attempts, ", ",
      view.session.empty() ? "held by nobody" : absl::StrCat("held by ", view.session.ToString()),
      view.last_failure.empty() ? "" : ", last failure ", view.last_failure.reason);
}

void Witness::Look(const std::vector<Said>& said, inputs::Partition::Done<Views> done) {
  std::vector<TaskId> tasks;
  std::vector<platform::Viewer> viewers;
  tasks.reserve(said.size());
  viewers.reserve(said.size());
  for (const Said& item : said) {
    const ModelTask* const task = model_.Find(item.task);
    tasks.push_back(item.task);
    viewers.push_back(EyesOf(task == nullptr ? "nobody" : task->owner));
  }
  server_.partition().GetTasks(std::move(tasks), std::move(viewers), /*explain=*/false,
                               std::move(done));
}

void Witness::Around(std::vector<Said> said, absl::FunctionRef<void()> act,
                     std::function<Standing()> standing) {
  if (said.empty()) return act();
  struct Seen {
    std::vector<Said> said;
    Views before;
    bool checked = true;
  };
  const auto seen = std::make_shared<Seen>(Seen{.said = std::move(said), .before = {}});
  Look(seen->said, [this, seen](absl::StatusOr<Views> before) {
    if (!before.ok()) return;
    seen->before = *std::move(before);
    Count(seen->said, seen->before);
  });
  if (standing != nullptr) {
    server_.Mark([seen, standing = std::move(standing)] {
      const Standing of_speaker = standing();
      seen->checked = of_speaker != Standing::kUnknown;
      if (of_speaker == Standing::kSpeaks) return;
      for (Said& item : seen->said) {
        item.session = SessionId();
        if (!item.in_hello) continue;
        item.shows_receipt = item.command == Command::kAck;
        item.command = Command::kPresented;
      }
    });
  }
  act();
  Look(seen->said, [this, seen](const absl::StatusOr<Views>& after) {
    if (!after.ok() || seen->before.empty()) return;
    CountSteps(seen->said, seen->before, *after);
    if (seen->checked) CheckAll(seen->said, seen->before, *after);
  });
}

void Witness::Count(const std::vector<Said>& said, const Views& before) {
  for (size_t i = 0; i < said.size(); ++i) {
    const auto& view = before[i];
    scene_.coverage.Count(said[i].command, view.ok() ? std::optional(view->state) : std::nullopt);
  }
}

void Witness::CountSteps(const std::vector<Said>& said, const Views& before, const Views& after) {
  std::set<TaskId> changed;
  for (size_t i = 0; i < said.size(); ++i) {
    const bool changes = Changes(said[i], before[i], after[i]);
    if (changes && changed.insert(said[i].task).second) scene_.CountStep();
  }
}

bool Witness::Changes(const Said& said, const absl::StatusOr<TaskView>& before,
                      const absl::StatusOr<TaskView>& after) {
  if (!before.ok() || !after.ok()) return before.ok();  // It ended, and is forgotten at once.
  if (!IsEqual(*before, *after) || before->progress != after->progress) return true;
  if (said.command != Command::kFenceClosed || said.dispatch != before->dispatch) return false;
  // That lets it go on, the first time that a server hears it.
  if (std::exchange(epoch_, server_.epoch()) != server_.epoch()) closed_.clear();
  return std::exchange(closed_[said.task], said.dispatch) < said.dispatch;
}

void Witness::CheckAll(const std::vector<Said>& said, const Views& before, const Views& after) {
  for (size_t i = 0; i < said.size(); ++i) {
    const ModelTask* const task = model_.Find(said[i].task);
    if (task != nullptr && !task->end.has_value()) {
      scene_.Expect(!absl::IsNotFound(after[i].status()), "no accepted task is lost");
    }
    const auto same = [&](const Said& other) { return other.task == said[i].task; };
    if (std::ranges::count_if(said, same) > 1) continue;
    if (!before[i].ok() || !after[i].ok() || scene_.verdict.broken()) continue;
    Check(said[i], *before[i], *after[i]);
    if (!scene_.verdict.broken()) continue;
    scene_.verdict.Explain(
        absl::StrCat("command ", static_cast<int>(said[i].command), " about dispatch ",
                     said[i].dispatch, " by ", said[i].session.ToString(),
                     "; before: ", Describe(*before[i]), "; after: ", Describe(*after[i])));
  }
}

void Witness::Check(const Said& said, const TaskView& before, const TaskView& after) {
  if (inputs::IsFinal(before.state)) {
    return scene_.Expect(before.state == after.state, "an end is final");
  }
  switch (said.command) {
    case Command::kAck:
      return scene_.Expect(after.state == TaskState::kSucceeded, "a receipt finishes its task");
    case Command::kFenceEnded:
      return scene_.Expect(after.state == said.terminal, "an end in Outputs is the task's end");
    case Command::kFenceClosed:
    case Command::kCrash:
      return scene_.Expect(IsEqual(before, after), "a closed dispatch changes nothing else");
    case Command::kCancel:
    case Command::kInterrupt:
    case Command::kPause:
    case Command::kResume:
    case Command::kStep:
      return CheckControl(said.command, before, after);
    default:
      break;
  }
  if (before.session != said.session || before.session.empty() ||
      (before.dispatch != said.dispatch && said.command != Command::kOmitted)) {
    // A hello that presents another dispatch of the task omits this one.
    // A genuine receipt is good whoever shows it, also one who is blocked.
    if (said.shows_receipt && after.state == TaskState::kSucceeded) return;
    const bool omitted = said.in_hello && !before.session.empty() && before.session == said.session;
    return scene_.Expect(omitted ? IsTakenBack(after) : IsEqual(before, after),
                         "only who holds a dispatch can say anything about it");
  }
  CheckHeld(said, before, after);
  const ModelTask* const task = model_.Find(said.task);
  const bool steps = task != nullptr && task->dispatched_to_step;
  const bool pauses =
      !steps && (before.state == TaskState::kPausing || before.state == TaskState::kPaused);
  scene_.Expect(!pauses || !after.session.empty() || inputs::IsFinal(after.state) ||
                    after.state == TaskState::kPaused || after.state == TaskState::kSettling,
                "what is handed back while it pauses is paused");
}

void Witness::CheckHeld(const Said& said, const TaskView& before, const TaskView& after) {
  const bool cancelling =
      before.state == TaskState::kCancelling || before.state == TaskState::kInterrupting;
  const bool same_attempts = after.failed_attempts == before.failed_attempts;
  const bool one_more = after.failed_attempts == before.failed_attempts + 1;
  const ModelTask* const task = model_.Find(said.task);
  const bool once_begun = task != nullptr && task->once_begun && !cancelling;
  // Given back without an end: waits again, unless it is a ONCE task that may have begun.
  const auto expect_given_back = [&](std::string_view promise) {
    if (!once_begun) return scene_.Expect(IsTakenBack(after) && same_attempts, promise);
    scene_.Expect(after.state == TaskState::kSettling && one_more &&
                      after.last_failure.reason == "UNKNOWN_OUTCOME",
                  "a ONCE task that may have begun and is given back fails with UNKNOWN_OUTCOME");
  };
  switch (said.command) {
    case Command::kStarted:
    case Command::kPresented: {
      const bool starts = said.command == Command::kStarted || said.started;
      const bool begins = before.state == TaskState::kLeased && starts;
      const TaskState begun = begins ? TaskState::kRunning : before.state;
      const bool steps = begins && task != nullptr && task->dispatched_to_step &&
                         after.state == TaskState::kPausing;
      // A handler that is held back for no reason is told to go on.
      const bool settled =
          said.command == Command::kPresented &&
          (after.state == TaskState::kResuming ||
           (before.state == TaskState::kPaused && after.state == TaskState::kPausing));
      return scene_.Expect((after.state == begun || steps || settled) &&
                               after.session == before.session &&
                               after.dispatch == before.dispatch && same_attempts,
                           "what is held goes on");
    }
    case Command::kSaysPaused:
    case Command::kSaysGoesOn:
      return CheckHandlerState(before, after);
    case Command::kProgress:
    case Command::kCheckpoint:
      return scene_.Expect(IsEqual(before, after), "progress changes no state");
    case Command::kOmitted:
      return expect_given_back("what a hello omits is taken back and costs no attempt");
    case Command::kFalseAck:
      return expect_given_back("an ack without a receipt gives its dispatch back");
    case Command::kReturned:
    case Command::kCancelled:
      return expect_given_back("what is handed back costs no attempt");
    case Command::kFailed:
      return scene_.Expect(IsTakenBack(after) && (cancelling ? same_attempts : one_more),
                           "a failure costs one attempt");
    case Command::kFailedFinally:
      return scene_.Expect(
          after.state == TaskState::kSettling && (cancelling ? same_attempts : one_more),
          "a final failure settles its task");
    default:
      return;
  }
}

}  // namespace kantoku::simulation

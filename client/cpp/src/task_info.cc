#include "kantoku/task_info.h"

#include <array>
#include <utility>

namespace kantoku {
namespace {

constexpr std::array<std::pair<TaskState, std::string_view>, 15> kStates = {{
    {TaskState::kUnknown, "unknown"},
    {TaskState::kBlocked, "blocked"},
    {TaskState::kScheduled, "scheduled"},
    {TaskState::kReady, "ready"},
    {TaskState::kLeased, "leased"},
    {TaskState::kRunning, "running"},
    {TaskState::kCancelling, "cancelling"},
    {TaskState::kInterrupting, "interrupting"},
    {TaskState::kPausing, "pausing"},
    {TaskState::kPaused, "paused"},
    {TaskState::kResuming, "resuming"},
    {TaskState::kSettling, "settling"},
    {TaskState::kSucceeded, "succeeded"},
    {TaskState::kFailed, "failed"},
    {TaskState::kCancelled, "cancelled"},
}};

}  // namespace

std::string_view ToString(TaskState state) {
  for (const auto& [value, word] : kStates) {
    if (value == state) return word;
  }
  return "unknown";
}

std::optional<TaskState> ParseTaskState(std::string_view word) {
  for (const auto& [value, text] : kStates) {
    if (text == word && value != TaskState::kUnknown) return value;
  }
  return std::nullopt;
}

std::string_view ToString(WaitCause cause) {
  switch (cause) {
    case WaitCause::kNone:
      return "";
    case WaitCause::kDelay:
      return "delay";
    case WaitCause::kBackoff:
      return "backoff";
    case WaitCause::kFence:
      return "fence";
    case WaitCause::kNoImplementation:
      return "no_implementation";
    case WaitCause::kNoCredit:
      return "no_credit";
    case WaitCause::kExecutorQueue:
      return "executor_queue";
    case WaitCause::kPlacementUnmatched:
      return "placement_unmatched";
    case WaitCause::kPaused:
      return "paused";
    case WaitCause::kDependency:
      return "dependency";
    case WaitCause::kRecovering:
      return "recovering";
    case WaitCause::kOrderingKey:
      return "ordering_key";
    case WaitCause::kConcurrencyKey:
      return "concurrency_key";
    case WaitCause::kRateKey:
      return "rate_key";
    case WaitCause::kFairnessTurn:
      return "fairness_turn";
  }
  return "";
}

std::string_view ToString(ControlVerb verb) {
  switch (verb) {
    case ControlVerb::kCancel:
      return "cancel";
    case ControlVerb::kInterrupt:
      return "interrupt";
    case ControlVerb::kPause:
      return "pause";
    case ControlVerb::kResume:
      return "resume";
    case ControlVerb::kStep:
      return "step";
  }
  return "";
}

std::string_view ToString(OutputStatus status) {
  switch (status) {
    case OutputStatus::kSucceeded:
      return "succeeded";
    case OutputStatus::kFailed:
      return "failed";
    case OutputStatus::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

}  // namespace kantoku

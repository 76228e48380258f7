#ifndef KANTOKU_TESTS_SIMULATION_WORLD_COVERAGE_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_COVERAGE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "services/inputs/engine/types.h"

namespace kantoku::simulation {

inline constexpr size_t kStates = static_cast<size_t>(inputs::TaskState::kBlocked) + 1;

// What can be said about a task, to Inputs.
enum class Command : uint8_t {
  kCancel,
  kInterrupt,
  kPause,
  kResume,
  kStep,
  kSaysPaused,  // Of the handler.
  kSaysGoesOn,
  kPresented,  // In hello, by whom it was dispatched to or not.
  kOmitted,    // Held, and not in hello.
  kStarted,
  kAck,
  kFalseAck,
  kFailed,
  kFailedFinally,
  kReturned,
  kCancelled,
  kProgress,
  kCheckpoint,
  kFenceClosed,
  kFenceEnded,
  kCrash,  // Of Inputs, for each task that it knew.
};
inline constexpr size_t kCommands = static_cast<size_t>(Command::kCrash) + 1;

// What else happened, faults among it. Not all of it is a step (Verdict::steps).
enum class Deed : uint8_t {
  kSpawn,
  kSpawnAgain,
  kSpawnOtherContent,
  kSpawnUnanswered,
  kSpawnedByHandler,
  kStaleToken,
  kHello,
  kCredit,
  kConnectionLost,
  kCutOff,
  kSessionTakenOver,
  kForeignHello,
  kTimer,
  kWallClockSet,
  kCommitFails,
  kCommitUnknown,
  kDiskFull,
  kReadFails,
  kCrashBeforeCommit,
  kCrashAfterCommit,
  kCrashAfterRelease,
  kDrain,
  kPut,
  kPutLost,
  kPutAnswerLost,
  kPutAgain,
  kOutputsCrash,
  kOutputsCrashInCall,
  kOutputsCallGivenUp,
  kOutputsCommitFails,
  kOutputsCommitUnknown,
  kOutputsDiskFull,
  kOutputsReadFails,
  kFenceLost,
  kFenceAnswerLost,
  kFenceAnswerAgain,
  kLateFence,
  kAppendLost,
  kAppendAnswerLost,
  kLateAppend,
  kExecutorKilled,
  kExecutorFrozen,
  kLie,
  kChildSpawned,
  kChildRefused,  // Its tree is being stopped.
  kTreeCancel,
  kTreeInterrupt,
  kTreePause,
  kTreeResume,
  kTreeStep,
  kTypePaused,  // Or a namespace.
  kTypeResumed,
  kWaitsLookedAt,
  kPutItems,
  kPutItemsLost,
  kPutItemsAnswerLost,
  kPutItemsAgain,
  kItemsRead,
  kRouteSet,
  kRouteRemoved,
  kRestartAsked,
  kRestartTried,  // A dry run.
  kRestartSearched,
  kRestarted,
  kRestartedBefore,
  kRestartRefused,  // Its tree is being stopped.
  kGet,             // Of arguments.
  kGetLost,
  kArgumentGone,
  kPatch,  // Of info.
  kPatchTooLate,
  kReused,
  kAskedToDrain,
  kAskedToBounce,
  kAskedToEnd,
  kExecutorLeft,
  kBlocked,
  kUnblocked,
  kTurnsCompared,  // Of fairness keys.
  kLimitSet,
  kLimitRemoved,
  kLimitInUse,  // And so not removed.
  kOverQuota,   // A spawn.
  kExpired,     // A task, before it began.
  kNoTimeLeft,  // For a task.
};
inline constexpr size_t kDeeds = static_cast<size_t>(Deed::kNoTimeLeft) + 1;

// How often each command met a task in each state, and the rest happened.
class Coverage {
 public:
  // No state: Inputs does not know the task (any more).
  void Count(Command command, std::optional<inputs::TaskState> state) {
    ++table_[static_cast<size_t>(command)][state.has_value() ? static_cast<size_t>(*state) : 0];
  }
  void Count(Deed deed) { ++deeds_[static_cast<size_t>(deed)]; }
  void Add(const Coverage& other);

  uint64_t count(Command command, std::optional<inputs::TaskState> state) const {
    return table_[static_cast<size_t>(command)]
                 [state.has_value() ? static_cast<size_t>(*state) : 0];
  }
  uint64_t count(Deed deed) const { return deeds_[static_cast<size_t>(deed)]; }
  std::string ToText() const;

 private:
  std::array<std::array<uint64_t, kStates>, kCommands> table_{};
  std::array<uint64_t, kDeeds> deeds_{};
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_COVERAGE_H_

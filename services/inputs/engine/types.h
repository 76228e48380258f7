#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_TYPES_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_TYPES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "services/inputs/engine/info.h"
#include "services/inputs/engine/keys.h"
#include "services/inputs/engine/placement.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/ids.h"

// The words of the engine: plain values that commands bring in and effects carry out.
namespace kantoku::inputs {

using platform::Caller;
using platform::SessionId;
using platform::TaskId;

using TaskKey = uint64_t;        // TaskId::key().
using ConnectionId = uint64_t;   // One Pull stream; never 0, never used twice in a process.
using SessionNumber = uint32_t;  // Names a session in records; never 0.

enum class TaskState : uint8_t {
  kScheduled = 1,
  kReady,
  kLeased,
  kRunning,
  kCancelling,
  kSettling,
  kSucceeded,
  kFailed,
  kCancelled,
  kPausing,
  kPaused,
  kResuming,
  kInterrupting,
  kBlocked,
};
// Says it of each by name: states are numbered as they come, living ones behind final ones too.
constexpr bool IsFinal(TaskState state) {
  switch (state) {
    case TaskState::kScheduled:
    case TaskState::kReady:
    case TaskState::kLeased:
    case TaskState::kRunning:
    case TaskState::kCancelling:
    case TaskState::kSettling:
    case TaskState::kPausing:
    case TaskState::kPaused:
    case TaskState::kResuming:
    case TaskState::kInterrupting:
    case TaskState::kBlocked:
      return false;
    case TaskState::kSucceeded:
    case TaskState::kFailed:
    case TaskState::kCancelled:
      return true;
  }
  return false;
}

enum class WaitCause : uint8_t {
  kNone = 0,
  kDelay,
  kBackoff,
  kFence,
  kNoImplementation,
  kNoCredit,
  kExecutorQueue,
  kPlacementUnmatched,
  kPaused,
  kDependency,
  kOrderingKey,
  kConcurrencyKey,
  kRateKey,
  kFairnessTurn,
  kRecovering,
};
inline constexpr size_t kWaitCauses = 15;  // Above all numbers.

// Milliseconds by cause, indexed by WaitCause.
using CauseTimes = std::array<int64_t, kWaitCauses>;

// The wire's numbers, which are recorded.
enum class ControlVerb : uint8_t { kCancel = 1, kInterrupt, kPause, kResume, kStep };
// Whether nothing but the end can follow.
constexpr bool Stops(ControlVerb verb) {
  return verb == ControlVerb::kCancel || verb == ControlVerb::kInterrupt;
}

// Why a task or one of its attempts failed.
struct Failure {
  std::string reason;   // Upper-case word.
  std::string message;  // For people.
  bool empty() const { return reason.empty() && message.empty(); }
  bool operator==(const Failure&) const = default;
};

// An attempt that has failed, timed out or been lost.
struct FailedAttempt {
  uint32_t dispatch = 0;
  absl::Time at;
  Failure failure;  // Its message is cut at kAttemptMessageBytes.
  bool operator==(const FailedAttempt&) const = default;
};
// Of one task, oldest first; of many the newest kKeptAttempts.
using FailedAttempts = std::vector<FailedAttempt>;
inline constexpr size_t kKeptAttempts = 10;
inline constexpr size_t kAttemptMessageBytes = 512;

// The wire's numbers, which are recorded.
enum class Effect : uint8_t { kPure = 1, kIdempotent, kOnce };

// What becomes of a task when one that it depends on does not succeed. The wire's numbers, which
// are recorded.
enum class OnFailure : uint8_t { kFail = 1, kSkip, kRun };

// A task that another one waits for.
struct Dependency {
  TaskId task;         // Empty: the one at
  uint32_t place = 0;  // in the same batch, which comes before.
  OnFailure on_failure = OnFailure::kFail;
  bool argument = false;  // Its result is an argument of the handler.
  bool operator==(const Dependency&) const = default;
};

// Whether a task may run after one that ended so.
inline bool LetsRun(TaskState end, OnFailure on_failure) {
  return end == TaskState::kSucceeded || on_failure == OnFailure::kRun;
}

struct RetryPolicy {
  uint32_t max_attempts = 3;
  uint32_t initial_backoff_ms = 1'000;
  uint32_t max_backoff_ms = 60'000;
  float multiplier = 2;
  float jitter = 0.2F;
  std::vector<std::string> non_retryable;  // Reasons of failures; sorted, each once.
  bool operator==(const RetryPolicy&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const RetryPolicy& p) {
    return H::combine(std::move(h), p.max_attempts, p.initial_backoff_ms, p.max_backoff_ms,
                      p.multiplier, p.jitter, p.non_retryable);
  }
};

// A number that two equal inputs share and two different ones practically never do.
struct Digest {
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const Digest&) const = default;  // NOLINT(modernize-use-nullptr)

  template <typename H>
  friend H AbslHashValue(H h, const Digest& d) {
    return H::combine(std::move(h), d.high, d.low);
  }
};

// The parts of a spec that a repeated reference is compared by, in the order of kSpecFieldNames.
inline constexpr std::array<std::string_view, 20> kSpecFieldNames = {
    "type",      "payload",      "content_type",     "priority",     "not_before",
    "timeout",   "retry",        "result_retention", "effect",       "placement",
    "parent_id", "dependencies", "ordering_key",     "fairness_key", "concurrency_keys",
    "rate_keys", "info",         "context_id",       "expire_at",    "total_timeout"};
using SpecHashes = std::array<uint64_t, kSpecFieldNames.size()>;

// The tasks whose handlers have spawned on, down to a task: its parent first, the root of its tree
// last; the nearest of them. Shared by the children of one task.
using Ancestors = std::vector<TaskId>;
inline constexpr size_t kMostAncestors = 64;

// Who caused a task, beside its owner and its place in a tree.
struct Provenance {
  std::string app;             // With which it was spawned, or restarted. Empty: not recorded.
  std::string executor_owner;  // Of the handler that spawned it with a task token; empty: none did.
  std::string root_app;        // As `app`, of the root of its tree; empty where it is that itself.
  std::shared_ptr<const Ancestors> ancestors;  // Null: none.
  // Which types whoever spawned it may spawn, and so its handler may with the task token: words of
  // a scope (Scopes::WordsThatNarrow). Empty: every type.
  std::string spawn_scope{};

  bool empty() const {
    return app.empty() && executor_owner.empty() && root_app.empty() && ancestors == nullptr &&
           spawn_scope.empty();
  }
};

// A timeout that is none.
inline constexpr uint32_t kNoTimeout = UINT32_MAX;

// What a user asked for, less payload and content type, which the engine never sees. Validated.
struct TaskSpec {
  std::string type;
  std::string reference;  // Empty: none.
  int32_t priority = 0;
  std::optional<absl::Time> not_before;
  uint32_t timeout_ms = 3'600'000;      // Of one attempt; kNoTimeout.
  std::optional<absl::Time> expire_at;  // From when on it does not begin any more.
  uint64_t total_timeout_ms = 0;        // From its spawn to its end; 0: none.
  uint32_t retention_s = 86'400;
  RetryPolicy retry;
  Effect effect = Effect::kIdempotent;         // kOnce goes with one attempt.
  std::shared_ptr<const Placement> placement;  // Null: anywhere.
  std::shared_ptr<const TaskKeys> keys;        // Null: none.
  TaskId parent;                               // The task whose handler spawned it; empty: none.
  TaskId root;                                 // Of the tree; empty: the parent's, or none.
  std::vector<Dependency> dependencies;        // Each task once.
  TaskId restarted_from;                       // The dead task that it repeats; empty: none.
  std::shared_ptr<const Info> info;            // Null: none.
  uint32_t reuse_within_ms = 0;                // The age of a result that may be reused; 0: none.
  Digest equal;                                // Of PURE without arguments: what equal ones share.
  std::shared_ptr<const SpecHashes> hashes;    // Of one with a reference; null: zeros.
  uint32_t stored_bytes = 0;                   // Of its record, payload included; see EncodeSpec.
  Provenance provenance;                       // Of what is recovered or restarted alone.
  TaskKey order = 0;                           // Of what is recovered alone; see TaskTable.
};

// What is known of where a task may run.
struct PlacementView {
  Placement placement;
  std::string why_unmatched;  // For people: why none of those that implement the type fits.
};

// What is known of a task, living or ended.
struct TaskView {
  TaskId id;
  std::string name_space;
  std::string owner;
  std::string type;
  std::string reference;
  TaskId parent;                     // Empty: none.
  TaskId root;                       // Of its tree; empty when it is in none.
  TaskId restarted_from;             // The dead task that it repeats; empty: none.
  TaskId restarted_as;               // The task that repeats it; told of dead ones alone.
  std::shared_ptr<const Info> info;  // Null: none.
  int32_t priority = 0;
  TaskState state = TaskState::kReady;
  WaitCause cause = WaitCause::kNone;
  std::shared_ptr<const PlacementView> place;  // While it lives; null: it may run anywhere.
  std::shared_ptr<const TaskKeys> keys;  // While it lives, their values as they are; null: none.
  std::string detail;                    // For people: more of the cause, where there is more.
  uint32_t failed_attempts = 0;
  uint32_t dispatch = 0;
  SessionId session;  // Empty when none holds it.
  uint32_t open_dependencies = 0;
  TaskId open_dependency;  // One of them.
  std::optional<absl::Time> ended_at;
  Failure last_failure;
  std::shared_ptr<const FailedAttempts> attempts;  // Null: none.
  float progress = -1;                             // Below 0: none was reported.
  std::shared_ptr<const CauseTimes> waits;         // Of a living one, where asked for.
  Provenance provenance;
};

// Whether it stands below the root of a tree: spawned there, or in place of the root.
inline bool IsBelowRoot(const TaskView& view) { return !view.root.empty() && view.root != view.id; }

// About what a row of ended tasks takes for this one.
inline uint64_t BytesOf(const TaskView& view) {
  constexpr uint64_t kFixed = 64;
  const auto& ancestors = view.provenance.ancestors;
  uint64_t attempts = 0;
  for (size_t i = 0; view.attempts != nullptr && i < view.attempts->size(); ++i) {
    const Failure& failure = (*view.attempts)[i].failure;
    attempts += 16 + failure.reason.size() + failure.message.size();
  }
  return kFixed + attempts + (view.info == nullptr ? 0 : BytesOf(*view.info)) +
         view.reference.size() + (ancestors == nullptr ? 0 : ancestors->size() * TaskId::kSize) +
         view.last_failure.reason.size() + view.last_failure.message.size();
}

// What is known of an executor session.
struct SessionView {
  SessionId id;
  std::string name;
  Caller caller;
  std::vector<std::string> types;
  Labels labels;  // Built-in ones included.
  std::string version;
  bool connected = false;
  uint32_t max_held = 0;
  uint32_t held = 0;
  bool leaving = false;  // Was asked to, on this connection.
  absl::Time connected_at;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_TYPES_H_

#ifndef KANTOKU_TASK_H_
#define KANTOKU_TASK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kantoku/keys.h"
#include "kantoku/task_id.h"

namespace kantoku {

class Plugin;
class PluginData;

// When a failed attempt is tried again. What is absent has the server's default.
struct RetryPolicy {
  std::optional<uint32_t> max_attempts;           // The first run included. 1 to 1,000; 3.
  std::optional<absl::Duration> initial_backoff;  // After the first failure. 0 to 24 h; 1 s.
  std::optional<absl::Duration> max_backoff;      // No pause is longer. At most 24 h; 60 s.
  std::optional<double> multiplier;               // From pause to pause. 1 to 100; 2.
  std::optional<double> jitter;                   // Share of a pause drawn at random. 0 to 1; 0.2.
  // Reasons of failures (TaskError::reason) after the first of which there is no other attempt. At
  // most 16, each an upper-case word of at most 63 bytes.
  std::vector<std::string> non_retryable_reasons;

  bool operator==(const RetryPolicy&) const = default;
};

// What running a handler a second time would do.
enum class EffectClass : uint8_t {
  // Nothing but the result, which follows from type and payload: it runs as kIdempotent, and its
  // result may be reused.
  kPure,
  kIdempotent,  // The same as the first time: it runs at least once. The default.
  // Harm: it begins at most once, and without retries. When nobody knows whether it came to its
  // end, the task fails with UNKNOWN_OUTCOME.
  kOnce,
};

// Where a task may run. What is not empty must hold, all of it, for the executor that gets it.
struct PlacementPolicy {
  std::string selector;  // Condition on its labels: `gpu == "true" && mem_gib >= 16`.
  std::string executor;  // Its name.
  std::string app;       // The client id that connected it.
  std::string owner;     // The subject that connected it.

  bool operator==(const PlacementPolicy&) const = default;
};

// What becomes of a task when one that it depends on fails or is cancelled.
enum class OnFailure : uint8_t {
  kFail,  // It fails, DEPENDENCY_FAILED, without having run. The default.
  kSkip,  // It is cancelled, SKIPPED, without having run.
  kRun,   // It runs all the same, once all of them have ended.
};

// A task that another one waits for.
struct Dependency {
  TaskId task;                  // Living or ended; empty: the one at
  std::optional<size_t> index;  // in the same batch, from 0.
  OnFailure on_failure = OnFailure::kFail;
  bool argument = false;  // The handler gets its result.

  bool operator==(const Dependency&) const = default;
};

// What is asked for. The server checks it; what is absent has the server's default.
struct TaskSpec {
  std::string type;          // What is to be run: 1 to 255 letters, digits and `. _ - / :`.
  std::string payload;       // The handler's argument, any bytes. At most 4 MiB by default.
  std::string content_type;  // Media type of the payload, at most 255 bytes.
  std::string reference;     // The user's own unique name for the task, or empty.
  int32_t priority = 0;      // Higher goes first. From -1,000 to 1,000.
  std::optional<absl::Time> not_before;   // Not run before, by the server's clock.
  std::optional<absl::Duration> timeout;  // Of one attempt. 1 ms to 30 days, or infinite; 1 h.
  std::optional<absl::Time> expire_at;    // It does not begin any more from then on: EXPIRED.
  std::optional<absl::Duration> total_timeout;     // From spawn to end: TOTAL_TIMEOUT. To 732 days.
  std::optional<RetryPolicy> retry;                // Of failed attempts.
  std::optional<absl::Duration> result_retention;  // 1 s to 30 days; 24 h.
  std::optional<EffectClass> effect;               // kOnce goes without `retry`.
  std::optional<PlacementPolicy> placement;        // Which executors may get it; all.
  TaskKeys keys;                                   // What else it has to wait for; nothing.
  // With kPure: the result of an equal task (type, content type, payload) of the same owner is good
  // enough if that has succeeded less than this long ago, and all `dependencies` have ended, of
  // which none may be an argument. 1 ms to 30 days.
  std::optional<absl::Duration> reuse_within;
  TaskId parent;  // The task whose handler spawns this one; empty: none.
  TaskId root;    // Of the parent's tree; needed where the parent may have ended.
  std::vector<Dependency> dependencies;  // What has to end before it runs; 10,000 at most.
  // What to find it by: at most 60 entries and 4 KiB; names are letters, digits and `_ . - /`.
  std::map<std::string, std::string> info;
  std::string context_id;  // Groups tasks, whatever their tree; at most 255 bytes, or empty.

  bool operator==(const TaskSpec&) const = default;
};

// Something that Task::With adds: it changes the spec or tells a plugin about this task. Runs at
// each spawn of the task, in the order of With and before the first hook; an error refuses the
// spawn.
//
// Thread-compatible. A value; copies share what they hold.
class Option {
 public:
  using OnSpec = std::function<absl::Status(TaskSpec& spec, absl::Time now)>;
  using OnData = std::function<absl::Status(PluginData& data)>;

  // `now` is the wall clock when the task is spawned.
  static Option ForSpec(OnSpec change);
  // Makes `plugin` take part in the spawn, also where the client does not have it, and gives
  // `change` the plugin's data of this spawn. `change` may be empty.
  static Option ForPlugin(std::shared_ptr<Plugin> plugin, OnData change);

 private:
  friend class SpawnPipeline;
  OnSpec on_spec_;
  std::shared_ptr<Plugin> plugin_;
  OnData on_data_;
};

// What to spawn: a type, a payload and options. May be spawned any number of times, each time as a
// task of its own.
//
//   kantoku::Task("resize", bytes).With(kantoku::Priority(5), kantoku::Delay(absl::Minutes(1)))
//
// Thread-compatible. A value.
class Task {
 public:
  explicit Task(std::string type, std::string payload = {}) {
    spec_.type = std::move(type);
    spec_.payload = std::move(payload);
  }

  template <typename... Options>
  Task& With(Options... options) & {
    (options_.push_back(std::move(options)), ...);
    return *this;
  }
  template <typename... Options>
  Task&& With(Options... options) && {
    (options_.push_back(std::move(options)), ...);
    return std::move(*this);
  }

 private:
  friend class SpawnPipeline;
  TaskSpec spec_;
  std::vector<Option> options_;
};

// The options that need no plugin; TaskSpec says what each means.
Option ContentType(const std::string& media_type);
Option Reference(const std::string& reference);
Option Priority(int32_t priority);
Option NotBefore(absl::Time time);
// Not before `delay` after the spawn, by this machine's clock. INVALID_ARGUMENT, INVALID_DELAY when
// negative or infinite.
Option Delay(absl::Duration delay);
// Of each attempt; infinite: as long as it likes.
Option Timeout(absl::Duration timeout);
// What has not begun by then ends as failed, EXPIRED.
Option ExpireAt(absl::Time time);
// The same `after` the spawn, by this machine's clock. INVALID_ARGUMENT, INVALID_EXPIRY when
// negative or infinite.
Option ExpireAfter(absl::Duration after);
// Of all that comes between the spawn and the end, after which it fails: TOTAL_TIMEOUT.
Option TotalTimeout(absl::Duration timeout);
Option Retry(const RetryPolicy& policy);
Option ResultRetention(absl::Duration retention);
Option Effect(EffectClass effect);
// Sets kPure, too.
Option ReuseWithin(absl::Duration age);
Option Placement(const PlacementPolicy& policy);
// Those about concurrency and rate keys add one each.
Option ConcurrencyKey(const std::string& name, uint32_t limit = 0,
                      KeyScope scope = KeyScope::kNamespace);
Option RateKey(const std::string& name, std::optional<Rate> rate = std::nullopt, uint32_t cost = 1,
               KeyScope scope = KeyScope::kNamespace);
Option OrderingKey(const std::string& name);
Option FairnessKey(const std::string& name, uint32_t weight = 0);
// Of the tree of `root`, below `parent`, which may be the same: a handler's own task, as its
// context tells it. The server refuses it with FAILED_PRECONDITION when neither lives
// (PARENT_UNKNOWN) or they are being stopped (TREE_STOPPING).
Option ChildOf(TaskId parent, TaskId root);
// Adds entries; of one that is there already the later value counts.
Option Info(const std::map<std::string, std::string>& entries);
Option InContext(const std::string& context_id);

// Not run before `task` has ended, which may be long ago as long as its result is kept. The server
// refuses it with FAILED_PRECONDITION, DEPENDENCY_UNKNOWN when nobody knows such a task.
Option DependsOn(TaskId task, OnFailure on_failure = OnFailure::kFail);
// The same of the task at `index` in the batch that is spawned together. INVALID_ARGUMENT when
// tasks would wait for each other (DEPENDENCY_CYCLE) or there is no such one (DEPENDENCY_INDEX);
// FAILED_PRECONDITION, DEPENDENCY_REFUSED when that one is not accepted.
Option DependsOnIndex(size_t index, OnFailure on_failure = OnFailure::kFail);
// As these, and the handler gets the result: Context::Argument, in the order of the options.
Option Argument(TaskId task, OnFailure on_failure = OnFailure::kFail);
Option ArgumentIndex(size_t index, OnFailure on_failure = OnFailure::kFail);

// An accepted task.
struct SpawnedTask {
  TaskId id;
  bool created = true;    // False when the reference was taken by an equal task, whose id this is,
                          // and when `reused`.
  bool reused = false;    // The id is that of an equal task, whose result is there.
  absl::Time created_at;  // By the server's clock.
};

}  // namespace kantoku

#endif  // KANTOKU_TASK_H_

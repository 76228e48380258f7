#ifndef KANTOKU_SERVICES_OUTPUTS_INPUTS_LOOKUP_H_
#define KANTOKU_SERVICES_OUTPUTS_INPUTS_LOOKUP_H_

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/ids.h"

namespace kantoku::outputs {

// What Inputs says of a task.
enum class TaskLife : uint8_t {
  kLives,  // Its end is yet to come, or on its way here.
  kEnded,
  kUnknown,
  kUnsaid,  // Inputs cannot say of this one; to be asked again.
};

// Asks Inputs about tasks.
class TaskLives {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::vector<TaskLife>>)>;

  virtual ~TaskLives() = default;
  // Calls `done` once, on any thread, with as many answers as `tasks`, or with why there are none.
  // `done` must not block. At most 10,000 tasks.
  virtual void Ask(std::vector<platform::TaskId> tasks, Done done) = 0;
};

// When to ask Inputs about which awaited tasks that have no result here. Most results come before
// it is time to ask, and then nobody does. One question is under way at a time, with as many tasks
// as fit; a failed one is repeated for as long as somebody waits, with growing pauses. A task of
// which Inputs alone cannot say anything is asked again apart from that, and holds up no other.
//
// Confined to the apply thread. Times are steady.
class InputsLookup {
 public:
  struct Options {
    absl::Duration delay = absl::Milliseconds(100);
    absl::Duration tick = absl::Milliseconds(20);  // What is due within one is asked together.
    size_t max_tasks = 10'000;
    absl::Duration first_pause = absl::Milliseconds(100);
    absl::Duration max_pause = absl::Seconds(5);
  };
  using IsAwaited = absl::FunctionRef<bool(const platform::TaskId&)>;

  explicit InputsLookup(Options options) : options_(options) {}

  // Remembers a task that somebody began to wait for.
  void Add(const platform::TaskId& task, absl::Duration now);

  // What to ask now; empty when it is not time, or a question is under way. Tasks for which nobody
  // waits any more are left out.
  std::vector<platform::TaskId> Take(absl::Duration now, IsAwaited is_awaited);
  // The question was answered.
  void Succeeded();
  // It was not: `tasks` come again, after a pause that `random` shortens a little.
  void Failed(std::vector<platform::TaskId> tasks, absl::Duration now, uint64_t random);

  // Inputs answered, but could not say anything of this one: it comes again after the longest
  // pause.
  void AskLater(const platform::TaskId& task, absl::Duration now);

  // Whether the last question failed.
  bool failing() const { return pause_ > absl::ZeroDuration(); }

  // When to call Take; absl::InfiniteDuration() while there is no need to.
  absl::Duration NextDue() const;

  // Forgets tasks for which nobody waits, when they could be the most of those remembered.
  void Trim(size_t awaited, IsAwaited is_awaited);
  size_t size() const { return waiting_.size() + later_.size(); }

 private:
  struct Waiting {
    platform::TaskId task;
    absl::Duration due;
  };

  const Options options_;
  // Both in the order of their times.
  std::deque<Waiting> waiting_;
  std::deque<Waiting> later_;
  bool asking_ = false;
  absl::Duration pause_ = absl::ZeroDuration();
  absl::Duration not_before_ = absl::ZeroDuration();
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_INPUTS_LOOKUP_H_

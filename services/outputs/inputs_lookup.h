#ifndef KANTOKU_SERVICES_OUTPUTS_INPUTS_LOOKUP_H_
#define KANTOKU_SERVICES_OUTPUTS_INPUTS_LOOKUP_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/identity/identity.h"
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
  struct Question {
    platform::TaskId task;
    // Who waits for it. What this caller does not see is unknown to it.
    std::shared_ptr<const platform::Identity> asked_for;
  };
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::vector<TaskLife>>)>;

  virtual ~TaskLives() = default;
  // Calls `done` once, on any thread, with as many answers as questions, or with why there are
  // none. `done` must not block. At most 10,000 questions.
  virtual void Ask(std::vector<Question> questions, Done done) = 0;
};

// A task, and the stream that waits for it.
struct Awaited {
  platform::TaskId task;
  uint64_t stream = 0;
  bool operator==(const Awaited&) const = default;

  template <typename H>
  friend H AbslHashValue(H h, const Awaited& awaited) {
    return H::combine(std::move(h), awaited.task, awaited.stream);
  }
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
  using IsAwaited = absl::FunctionRef<bool(const Awaited&)>;

  explicit InputsLookup(Options options) : options_(options) {}

  // Remembers that somebody began to wait for a task.
  void Add(const Awaited& awaited, absl::Duration now);

  // What to ask now; empty when it is not time, or a question is under way. What nobody waits for
  // any more is left out.
  std::vector<Awaited> Take(absl::Duration now, IsAwaited is_awaited);
  // The question was answered.
  void Succeeded();
  // It was not: `asked` comes again, after a pause that `random` shortens a little.
  void Failed(std::vector<Awaited> asked, absl::Duration now, uint64_t random);

  // Inputs answered, but could not say anything of this one: it comes again after the longest
  // pause.
  void AskLater(const Awaited& awaited, absl::Duration now);

  // Whether the last question failed.
  bool failing() const { return pause_ > absl::ZeroDuration(); }

  // When to call Take; absl::InfiniteDuration() while there is no need to.
  absl::Duration NextDue() const;

  // Forgets what nobody waits for, when that could be the most of what is remembered.
  void Trim(size_t awaited, IsAwaited is_awaited);
  size_t size() const { return waiting_.size() + later_.size(); }

 private:
  struct Waiting {
    Awaited awaited;
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

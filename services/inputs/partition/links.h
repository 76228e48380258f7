#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_LINKS_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_LINKS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/inputs/engine/types.h"
#include "services/platform/status.h"

// Where a partition's messages go once they are durable.
namespace kantoku::inputs {

// What a dispatch takes in memory, about.
inline size_t WeightOf(const inputs::v1::Dispatch& dispatch) {
  constexpr size_t kOfArgument = 256;
  constexpr size_t kOfAncestor = 48;
  return dispatch.payload().size() + dispatch.checkpoint().size() + dispatch.lease_token().size() +
         512 + static_cast<size_t>(dispatch.provenance().ancestors_size()) * kOfAncestor +
         static_cast<size_t>(dispatch.arguments_size()) * kOfArgument;
}

// The connection of one executor session.
//
// Thread-safe. Never blocks.
class SessionChannel {
 public:
  virtual ~SessionChannel() = default;

  // Dispatches of this WeightOf will be sent: they are unsent from now on.
  virtual void Expect(size_t bytes) = 0;
  // Of dispatches that were expected, and have not left yet.
  virtual size_t unsent_bytes() const = 0;
  // Calls `drained` once, on any thread and perhaps before it returns, when at most so many bytes
  // are unsent; a channel that ends before drops it. One at a time.
  virtual void NotifyDrained(size_t bytes, absl::AnyInvocable<void()> drained) = 0;

  // Frames arrive in the order of the calls; parts of waiting frames may be merged. After Close, or
  // when the executor is gone, nothing happens. What the frame has afterwards is nobody's; what it
  // has allocated serves the next.
  virtual void Send(inputs::v1::PullResponse& frame) = 0;
  // A frame of this size, which the partition had received, is applied.
  virtual void OnApplied(size_t bytes) = 0;
  // Ends the stream after what was sent.
  virtual void Close(const absl::Status& status) = 0;
};

// What a connection ends with, or is refused with, while the server drains.
inline absl::Status Draining() {
  return platform::Error(absl::StatusCode::kUnavailable, "DRAINING",
                         "the server is about to stop; connect again elsewhere or later");
}

// How tasks of one owner have ended.
struct EndsQuestion {
  std::vector<TaskId> tasks;
  std::string name_space;
  std::string owner;
  absl::Time answer_by = absl::InfiniteFuture();  // Nobody waits for it then, by the wall clock.
};
// One for each task that was asked about; absent of those of which no result is kept, and of other
// owners'.
using Ends = std::vector<std::optional<TaskState>>;

// Outputs, as far as Inputs asks it.
//
// Thread-safe. Never blocks.
class OutputsLink {
 public:
  virtual ~OutputsLink() = default;
  // Fences and settlements. Asks again until there is an answer; answers may come twice and in any
  // order.
  virtual void Ask(std::vector<outputs::v1::FenceItem> items) = 0;
  // Asks once: `done` is called once, on any thread and perhaps before this returns. UNAVAILABLE
  // when there is no answer.
  virtual void AskEnds(EndsQuestion question,
                       absl::AnyInvocable<void(const absl::StatusOr<Ends>&)> done) = 0;
};

// Lines on their way to Events, in the order of their numbers.
//
// Thread-safe. Sends again until Events has confirmed; what it confirms is said to the partition.
class EventsLink {
 public:
  virtual ~EventsLink() = default;
  virtual void Send(uint64_t number, std::string batch) = 0;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_LINKS_H_

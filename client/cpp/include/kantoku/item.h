#ifndef KANTOKU_ITEM_H_
#define KANTOKU_ITEM_H_

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/output.h"
#include "kantoku/task_id.h"

namespace kantoku {

// Something that a handler yielded before its result.
struct Item {
  uint32_t dispatch = 0;  // The run of the handler that yielded it; later runs have higher ones.
  uint64_t sequence = 0;  // Its number in that run, from 1, without a gap.
  std::string data;
  std::string content_type;  // Media type of `data`.
  // The handler has begun again: this is the first item of a later run than the item before, or
  // than the position that the stream began at. What came before is superseded, not taken back.
  bool restarted = false;
};

// Where a stream of items begins: at this item of this run, and then with all of later ones. {0, n}
// is the nth item of the first run of which there are any; {} is everything.
struct ItemPosition {
  uint32_t dispatch = 0;
  uint64_t sequence = 0;
  bool operator==(const ItemPosition&) const = default;
};

// The items of a task, each once per run and in order, as they become durable, and at last the
// task's output. A stream may begin at any time and any item, as long as the task's result is kept.
// A broken connection is opened again where it broke.
//
// Thread-safe, but one Next at a time. Ends when it is destroyed.
class ItemStream {
 public:
  virtual ~ItemStream() = default;

  // The next item, or the end of the task, however it ended: an output of a later dispatch than the
  // position's is one of a run that yielded nothing. Blocks until there is one; while it is
  // not called, about a quarter of a MiB is fetched ahead, or one item that is larger.
  //
  // DEADLINE_EXCEEDED: none came within `timeout`; nothing is lost, call again. CANCELLED: Cancel
  // was called. NOT_FOUND: nobody knows the id (RESULT_GONE: its result is no longer kept, nor are
  // its items). OUT_OF_RANGE: the end was told before. Other codes: the server refused or could not
  // be reached for the client's `retry_for`. But for the first, the stream has ended.
  virtual absl::StatusOr<std::variant<Item, Output>> Next(absl::Duration timeout) = 0;
  absl::StatusOr<std::variant<Item, Output>> Next() { return Next(absl::InfiniteDuration()); }

  // Where another stream would go on: after the last item that Next gave. On the thread of Next.
  virtual ItemPosition position() const = 0;

  // Ends the stream and a Next that waits. From any thread; idempotent.
  virtual void Cancel() = 0;
};

}  // namespace kantoku

#endif  // KANTOKU_ITEM_H_
